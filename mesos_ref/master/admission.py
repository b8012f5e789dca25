"""Admission: the master takes an agent's word for what it runs, and adds what it knows itself.

First a `Plan` is made, which changes nothing and may turn out to be impossible; then it is carried
out. The same plan serves an agent nobody knew, one that was away, and one that was unreachable.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mesos_ref import link as frames
from mesos_ref.master.state import (
    Agent,
    Executor,
    ExecutorKey,
    Framework,
    LostAgent,
    State,
    Task,
    TaskKey,
)
from mesos_ref.master.statuses import tell_status
from mesos_ref.master.validation import Declared, has_capability, roles_of
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import FrameworkInfo


@dataclass(slots=True)
class Plan:
    """What admitting an agent comes to. All lists are in order of (framework, task)."""

    register: frames.Register
    total: Resources
    agent: Agent | None
    lost: LostAgent | None
    #: Removed frameworks the agent still has something of (FWK-18, PRT-5).
    removed: list[str]
    #: Everything reported that is not of a removed framework.
    reported: list[TaskKey]
    #: New here, as reported.
    adopted: list[Task]
    #: Were on the unreachable agent, and it doesn't report them.
    unreported: list[Task]
    #: Known or back, but not reported: the agent is asked about them (AGT-9).
    asked: list[TaskKey]
    #: Reported, but the id is in use on another agent: to be killed (S7).
    doubles: list[TaskKey]
    executors: dict[ExecutorKey, Executor]


def plan(m: State, register: frames.Register, declared: Declared) -> Plan | str:
    """What admitting the agent comes to, or why it can't be done."""
    agent_id = register.agent_id
    agent, lost = m.agents.get(agent_id), m.lost_agents.get(agent_id)
    known = {} if agent is None else agent.tasks
    away = {} if lost is None else lost.tasks
    reported = sorted(key for key in declared.tasks if key[0] not in m.removed)
    new = [key for key in reported if key not in known]
    doubles = [key for key in new if _is_elsewhere(m, agent_id, key)]
    adopted = [_as_task(declared, key, agent_id, away) for key in new if key not in doubles]
    unreported = [away[key] for key in sorted(away) if key not in declared.tasks]
    asked = [key for key in known if key not in declared.tasks]
    made = Plan(
        register=register,
        total=declared.total,
        agent=agent,
        lost=lost,
        removed=_removed_frameworks(m, declared, register),
        reported=reported,
        adopted=adopted,
        unreported=unreported,
        asked=sorted(asked + [task.key for task in unreported]),
        doubles=doubles,
        executors=_executors(m, agent, declared, agent_id),
    )
    return _overcommitment(made) or made


def _removed_frameworks(m: State, declared: Declared, register: frames.Register) -> list[str]:
    named = {key[0] for key in (*declared.tasks, *declared.executors)}
    named.update(info.id for info in register.frameworks if info.id is not None)
    return sorted(framework_id for framework_id in named if framework_id in m.removed)


def _is_elsewhere(m: State, agent_id: str, key: TaskKey) -> bool:
    framework = m.frameworks.get(key[0])
    if framework is None:
        return False
    task = framework.tasks.get(key[1]) or framework.unreachable.get(key[1])
    return task is not None and task.agent_id != agent_id


def _as_task(declared: Declared, key: TaskKey, agent_id: str, away: dict[TaskKey, Task]) -> Task:
    report, amount = declared.tasks[key]
    return Task(
        framework_id=report.framework_id,
        task_id=report.task_id,
        agent_id=agent_id,
        role=report.role,
        resources=amount,
        executor_id=report.executor_id,
        info=report.info,
        state=report.state,
        told=report.status_state,
        uuid=report.status_uuid,
        killed=report.killed or (key in away and away[key].killed),
    )


def _executors(
    m: State, agent: Agent | None, declared: Declared, agent_id: str
) -> dict[ExecutorKey, Executor]:
    """The agent's executors: those it reports, in the words they are known by, if they are."""
    known = {} if agent is None else agent.executors
    found: dict[ExecutorKey, Executor] = {}
    for key, (report, amount) in sorted(declared.executors.items()):
        if key[0] not in m.removed:
            made = Executor(key[0], key[1], agent_id, report.role, amount, report.info)
            found[key] = known.get(key, made)
    return found


def _overcommitment(made: Plan) -> str | None:
    """Why the agent's total can't hold all that would be used and offered there."""
    rest = made.total
    for amount in _amounts(made):
        if not rest.contains(amount):
            return f"resources: {made.total} can't hold all that is in use there ({amount} is over)"
        rest = rest - amount
    return None


def _amounts(made: Plan) -> Iterable[Resources]:
    known: Iterable[Task] = () if made.agent is None else made.agent.tasks.values()
    for task in (*known, *made.adopted, *made.unreported):
        if not task.ended:
            yield task.resources
    for executor in made.executors.values():
        yield executor.resources
    if made.agent is not None:
        for offer in made.agent.offers.values():
            yield offer.resources


# Carrying it out ----------------------------------------------------------------------------------


def admit(m: State, link: str, made: Plan) -> None:
    """Register the agent on this link (AGT-2, AGT-5, AGT-6), and tell everyone concerned."""
    if made.lost is not None:
        forget_lost(m, made.lost)
    agent = _seat(m, made)
    if agent.link not in (None, link):
        m.close_link(str(agent.link))
    m.set_link(agent, link)
    agent.missed_pings, agent.awaits_pong = 0, False
    m.unreachable_timers.cancel(agent.agent_id)
    m.ping_timers.set(agent.agent_id, m.now_us + m.config.agent_ping_timeout_us)
    _take_over(m, agent, made)
    _answer(m, agent, made)
    if made.lost is not None:
        _tell_returned(m, agent, made)


def _seat(m: State, made: Plan) -> Agent:
    """The agent's record, new or brought up to date."""
    register, agent = made.register, made.agent
    if agent is None:
        agent = Agent(
            agent_id=register.agent_id,
            info=register.info,
            ip=register.ip,
            version=register.version,
            total=made.total,
            free=made.total,
            link=None,
        )
        m.agents[agent.agent_id] = agent
        m.allocator.add_total(made.total)
        return agent
    for key, executor in list(agent.executors.items()):
        if key not in made.executors:
            m.remove_executor(agent, executor)
    if agent.total != made.total:
        m.allocator.remove_total(agent.total)
        m.allocator.add_total(made.total)
        agent.free = made.total - (agent.total - agent.free)
        agent.total = made.total
    agent.info, agent.ip, agent.version = register.info, register.ip, register.version
    return agent


def _take_over(m: State, agent: Agent, made: Plan) -> None:
    """Add to the tables what is new in them."""
    infos = {info.id: info for info in made.register.frameworks}
    for executor in made.executors.values():
        if executor.key not in agent.executors:
            framework = _framework(m, executor.framework_id, infos)
            m.add_executor(agent, framework, executor)
    for task in (*made.adopted, *made.unreported):
        m.add_task(agent, _framework(m, task.framework_id, infos), task)


def _framework(m: State, framework_id: str, infos: dict[str | None, FrameworkInfo]) -> Framework:
    """The framework of that id; one nobody knew is *recovered*: it has yet to return (FWK-19)."""
    framework = m.frameworks.get(framework_id)
    if framework is None:
        info = infos.get(framework_id) or FrameworkInfo(user="", name="", id=framework_id)
        framework = Framework(
            framework_id=framework_id,
            info=info,
            standing="recovered",
            stream=None,
            roles=tuple(sorted(set(roles_of(info)))),
            suppressed=frozenset(),
            partition_aware=has_capability(info, "PARTITION_AWARE"),
            multi_role=has_capability(info, "MULTI_ROLE"),
        )
        m.frameworks[framework_id] = framework
        m.mark("frameworks", framework_id)
    return framework


def _answer(m: State, agent: Agent, made: Plan) -> None:
    """Registered; then what of its load the agent has to end."""
    epoch = m.reign
    asked = tuple(frames.TaskKey(framework_id=f, task_id=t) for f, t in made.asked)
    m.send(agent.link, frames.Registered(epoch=epoch, agent_id=agent.agent_id, reconcile=asked))
    for framework_id in made.removed:
        m.send(agent.link, frames.ShutdownFramework(epoch=epoch, framework_id=framework_id))
    for key in made.reported:
        task = agent.tasks.get(key)
        wanted_dead = task is None or (task.killed and not task.ended)
        if wanted_dead:
            m.send(agent.link, frames.Kill(epoch=epoch, framework_id=key[0], task_id=key[1]))


def _tell_returned(m: State, agent: Agent, made: Plan) -> None:
    """The tasks of an agent that was unreachable are back; their frameworks are told (PRT-4)."""
    for key in made.reported:
        task = agent.tasks.get(key)
        if task is not None:
            tell_status(
                m,
                m.frameworks[task.framework_id],
                task.task_id,
                task.state,
                "REASON_AGENT_REREGISTERED",
                "The agent has come back",
                agent_id=agent.agent_id,
                executor_id=task.executor_id,
            )


def forget_lost(m: State, lost: LostAgent) -> None:
    """An unreachable agent is unreachable no more, or no longer remembered."""
    del m.lost_agents[lost.agent_id]
    m.mark("agents", lost.agent_id)
    for task in lost.tasks.values():
        del m.frameworks[task.framework_id].unreachable[task.task_id]
        m.mark("unreachable", *task.key)
