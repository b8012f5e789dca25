"""Agents: how they come, stay, are missed and come back.

A broken connection is not a dead agent: its tasks are kept while it may return. Only when it is
marked unreachable are its frameworks told, and even then it may come back with its tasks (PRT-4).
"""

from mesos_ref import link as frames
from mesos_ref.master import admission, offers
from mesos_ref.master.effects import AskElection
from mesos_ref.master.state import Agent, Framework, LostAgent, State, Task
from mesos_ref.master.statuses import lost_or, tell_status
from mesos_ref.master.validation import read_register
from mesos_ref.wire import scheduler

# Joining ------------------------------------------------------------------------------------------


def hear_register(m: State, link: str, register: frames.Register) -> None:
    """An agent says who it is, and what it runs."""
    if register.newest_epoch > m.reign:
        m.act("ignore_frame_up", link=link)
        m.effects.append(AskElection(register.newest_epoch))
        hang_up(m, link)
        return
    if register.epoch != m.reign:
        m.act("ignore_frame_up", link=link)
        hang_up(m, link)
        return
    owner = m.links.get(link)
    if owner is not None and owner.agent_id != register.agent_id:
        m.act("ignore_frame_up", link=link)
        return
    declared = read_register(register)
    plan = declared if isinstance(declared, str) else admission.plan(m, register, declared)
    if isinstance(plan, str):
        _shut_out(m, link, plan)
    else:
        m.act("admit", link=link)
        admission.admit(m, link, plan)


def _shut_out(m: State, link: str, fault: str) -> None:
    """An agent whose declaration is unusable may not join (AGT-1)."""
    m.act("shut_out", link=link)
    m.send(link, frames.Shutdown(epoch=m.reign, message=f"Agent refused: {fault}"))
    hang_up(m, link)


def hang_up(m: State, link: str) -> None:
    """Close a link. If it was some agent's, that agent is disconnected now."""
    m.close_link(link)
    agent = m.links.get(link)
    if agent is not None:
        lose_agent(m, agent)


# Staying ------------------------------------------------------------------------------------------


def ping_or_miss(m: State, agent_id: str) -> None:
    """It is time to ask an agent whether it is there, or to stop asking (AGT-8)."""
    agent = m.agents[agent_id]
    agent.missed_pings += agent.awaits_pong
    if agent.missed_pings >= m.config.max_agent_ping_timeouts:
        m.unreachable_timers.set(agent_id, m.now_us)
        return
    m.act("ping", agent=agent_id)
    agent.awaits_pong = True
    m.ping_timers.set(agent_id, m.now_us + m.config.agent_ping_timeout_us)
    m.send(agent.link, frames.Ping(epoch=m.reign, connected=True))


def hear_pong(m: State, agent: Agent) -> None:
    """It is there."""
    m.act("hear_pong", agent=agent.agent_id)
    agent.missed_pings = 0
    agent.awaits_pong = False


# Leaving ------------------------------------------------------------------------------------------


def lose_agent(m: State, agent: Agent) -> None:
    """Its link broke: offers are rescinded, tasks are kept, a timer starts (AGT-11, OFR-5)."""
    m.act("lose_agent", agent=agent.agent_id)
    for _, offer in sorted(agent.offers.items()):
        offers.withdraw(m, offer)
    m.set_link(agent, None)
    m.ping_timers.cancel(agent.agent_id)
    returns_by_us = m.now_us + m.config.agent_reregister_timeout_us
    m.unreachable_timers.set(agent.agent_id, returns_by_us)


def mark_unreachable(m: State, agent_id: str) -> None:
    """The agent did not answer, or did not come back (PRT-1…3).

    Told in this order: each task's framework, the holders of its offers, every framework.
    """
    agent = m.agents[agent_id]
    m.act("mark_unreachable", agent=agent_id)
    if agent.link is not None:
        m.close_link(agent.link)
        m.set_link(agent, None)
    lost = LostAgent(agent_id, agent.total, m.now_us, dict(sorted(agent.tasks.items())))
    for task in lost.tasks.values():
        _miss_task(m, agent, m.frameworks[task.framework_id], task)
    for executor in list(agent.executors.values()):
        m.remove_executor(agent, executor)
    for _, offer in sorted(agent.offers.items()):
        offers.withdraw(m, offer)
    m.remove_filters(agent.filters.values())
    _forget(m, agent)
    _remember_lost(m, lost)
    failure = scheduler.Failure(agent_id=agent_id)
    for _, framework in sorted(m.frameworks.items()):
        m.tell(framework, scheduler.Event(type="FAILURE", failure=failure))


def _miss_task(m: State, agent: Agent, framework: Framework, task: Task) -> None:
    """The framework is told; what ended stays ended, though the end was not seen (PRT-3)."""
    m.remove_task(agent, framework, task)
    state = lost_or(framework, "TASK_UNREACHABLE")
    if not task.ended:
        task.state = state
    task.told, task.uuid = state, None
    framework.unreachable[task.task_id] = task
    m.mark("unreachable", *task.key)
    tell_status(
        m,
        framework,
        task.task_id,
        state,
        "REASON_AGENT_REMOVED",
        "The agent is unreachable",
        agent_id=agent.agent_id,
        executor_id=task.executor_id,
        unreachable_us=m.wall_us if framework.partition_aware else None,
    )


def _forget(m: State, agent: Agent) -> None:
    del m.agents[agent.agent_id]
    m.allocator.remove_total(agent.total)
    m.ping_timers.cancel(agent.agent_id)
    m.unreachable_timers.cancel(agent.agent_id)
    m.forget_offerable(agent)
    m.mark("agents", agent.agent_id)


def _remember_lost(m: State, lost: LostAgent) -> None:
    """Bounded: the agent that was lost first is forgotten, with its tasks."""
    m.lost_agents[lost.agent_id] = lost
    if len(m.lost_agents) > m.config.max_unreachable_agents:
        oldest = next(iter(m.lost_agents.values()))
        m.act("forget_agent", agent=oldest.agent_id)
        admission.forget_lost(m, oldest)
