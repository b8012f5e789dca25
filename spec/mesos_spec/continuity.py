"""What is claimed of what stays: who is what excludes what else he could be, and some things never
change while they are there.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, frameworks
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId
from mesos_spec.kernel import Always, EachStep, always, each_step
from mesos_spec.messages import Update
from mesos_spec.network import own_link
from mesos_spec.properties import sent
from mesos_spec.state import Phase, Reign, Standing, State


# ---- agents --------------------------------------------------------------------------------
@always(cites=("S11", "PRT-2"), epoch=epochs, agent=agents)
def an_agent_is_in_one_standing(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """A registered agent has a link, and no other has; one that was given up has nothing but
    tasks that were lost sight of, and only it has such (S11)."""
    record = s.agents[epoch, agent]
    there = record.standing in (Standing.REGISTERED, Standing.DISCONNECTED)
    uses = s.tasks[epoch, agent] or s.executors[epoch, agent] or s.offers[epoch, agent]
    lost = s.unreachable[epoch, agent]
    return (
        (record.link is not None) == (record.standing == Standing.REGISTERED)
        and (there or not uses)
        and (record.standing == Standing.UNREACHABLE or not lost)
    )


@always(cites=("S11",), epoch=epochs)
def a_link_is_one_agents(s: State, epoch: Epoch) -> bool:
    """No two agents are registered on one link, and none on the link of another (S11)."""
    links = {agent: s.agents[epoch, agent].link for agent in s.met_agents[epoch]}
    return all(link is None or link.agent == agent for agent, link in links.items())


@each_step("up", cites=("UPD-6",), agent=agents)
def the_latest_state_is_said(before: State, after: State, agent: AgentId) -> bool:
    """With the oldest update goes the latest state of the task (UPD-6)."""
    link = own_link(after, agent)
    return all(
        frame.latest == after.updates[agent][frame.task][-1].state
        for frame in sent(before.up, after.up, link)
        if isinstance(frame, Update) and frame.task in after.updates[agent]
    )


@each_step("agent", at="agent", cites=("RCV-1", "RCV-2", "LCH-11"), agent=agents)
def a_restart_keeps_what_was_written_down(before: State, after: State, agent: AgentId) -> bool:
    """An agent that starts has the tasks, updates and executors of frameworks that checkpoint, and
    of no others (RCV-1, RCV-2)."""
    if before.agent[agent].up or not after.agent[agent].up:
        return True
    keeps = {framework for framework, info in before.hosted[agent].items() if info.checkpoint}
    return (
        {*after.hosted[agent]} == keeps
        and {*after.runs[agent]} == {t for t in before.runs[agent] if t.framework in keeps}
        and {*after.updates[agent]} == {t for t in before.updates[agent] if t.framework in keeps}
        and {*after.runners[agent]} == {k for k in before.runners[agent] if k.framework in keeps}
    )


# ---- executors and tasks -------------------------------------------------------------------
@each_step("runners", cites=("S15", "TSK-4"), agent=agents)
def an_executor_stays_what_it_is(before: State, after: State, agent: AgentId) -> bool:
    """While an executor is there, its kind, its role and what it takes stay as they were (S15)."""
    now = after.runners[agent]
    return all(
        now[key][1:4] == was[1:4] for key, was in before.runners[agent].items() if key in now
    )


@always(cites=("S15", "TSK-5"), agent=agents)
def tasks_agree_on_their_executor(s: State, agent: AgentId) -> bool:
    """Tasks that have not ended agree with their executor on whether it is ours; ours has one
    task, and its name (S15, TSK-5)."""
    for task, run in s.runs[agent].items():
        runner = s.runners[agent].get(ExecutorKey(task.framework, run.executor), None)
        if run.phase != Phase.ENDED and runner is not None and runner.command != run.command:
            return False
        if run.command and run.executor != task.id:
            return False
    return True


@each_step("tasks", cites=("FWK-9",), epoch=epochs, agent=agents)
def a_task_stays_in_its_role(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """A task stays charged to the role it was launched in, whatever roles come later (FWK-9)."""
    now = after.tasks[epoch, agent]
    return all(
        (now[task].role, now[task].resources) == (was.role, was.resources)
        for task, was in before.tasks[epoch, agent].items()
        if task in now
    )


# ---- frameworks ----------------------------------------------------------------------------
@each_step("frameworks", cites=("FLT-8", "FLT-11"), epoch=epochs, framework=frameworks)
def being_cut_off_changes_no_wish(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """A framework that is disconnected stays suppressed where it was (FLT-11)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    cut_off = was.standing == Standing.CONNECTED and now.standing == Standing.DISCONNECTED
    return not cut_off or now.suppressed == was.suppressed


@each_step("frameworks", cites=("FWK-8",), epoch=epochs, framework=frameworks)
def checkpointing_is_said_once(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """Whether a framework checkpoints is what it said first, to that master (FWK-8)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    begins = was.standing == Standing.UNKNOWN
    over = after.reign[epoch] != Reign.LEADING or now.standing == Standing.REMOVED
    return begins or over or now.checkpoint == was.checkpoint


@each_step("frameworks", cites=("FWK-19", "MFO-9"), epoch=epochs, framework=frameworks)
def who_was_never_there_cannot_leave(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """Only a framework that was connected is ever disconnected: one that is known from its tasks
    alone has no timer that could run out (FWK-19, MFO-9)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    left = now.standing == Standing.DISCONNECTED and was.standing != Standing.DISCONNECTED
    return not left or was.standing == Standing.CONNECTED


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
