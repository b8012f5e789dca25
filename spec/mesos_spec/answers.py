"""What is claimed of answers: whoever is concerned is told, once, and told what is so.

Each claim looks at one step: at what was heard or changed, and at what was put into the channels of
those whom it concerns.  Like `promises`, they are asked of models; in a trace what is sent is
compared word by word.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, frameworks, lines
from mesos_spec.heard import heard_call, heard_up, said_on, served, updates_told
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId
from mesos_spec.kernel import Always, EachStep, each_step
from mesos_spec.messages import (
    Accept,
    Error,
    Exited,
    Failure,
    FrameDown,
    Kill,
    KillTask,
    Register,
    RunTask,
    ShutdownFramework,
    Subscribe,
    Subscribed,
    TaskUpdate,
    Update,
    UpdateFramework,
)
from mesos_spec.network import NO_STREAM, hearer, is_connected, link_of
from mesos_spec.properties import sent
from mesos_spec.reconciliation import is_known
from mesos_spec.state import Standing, State, is_terminal
from mesos_spec.tasks import is_active


# ---- calls ---------------------------------------------------------------------------------
@each_step("calls events", at="calls", cites=("OFR-15", "OFR-21", "OFR-22", "TSK-9"), line=lines)
def each_task_of_an_accept_is_answered(before: State, after: State, line: LineId) -> bool:
    """Of the tasks of an ACCEPT each is sent to the agent or answered for, once (OFR-15)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, Accept) or not call.tasks:
        return True
    link = link_of(before, epoch, call.offers[0].agent)
    frames = sent(before.down, after.down, link)
    ran = [frame.task for frame in frames if isinstance(frame, RunTask)]
    said = [update.task for update in updates_told(before, after, epoch, call.framework)]
    return sorted([*ran, *said]) == sorted(ask.task for ask in call.tasks)


@each_step("calls offers", at="calls", cites=("OFR-20", "A4"), line=lines)
def what_is_left_comes_back_whole(before: State, after: State, line: LineId) -> bool:
    """Who answers an offer sees nothing offered in between: what is left is free in one piece."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Accept):
        return True
    met = before.met_agents[epoch]
    return all({*after.offers[epoch, a]} <= {*before.offers[epoch, a]} for a in met)


@each_step("calls events down", at="calls", cites=("KIL-1", "KIL-3", "KIL-10"), line=lines)
def a_kill_is_passed_on_or_answered(before: State, after: State, line: LineId) -> bool:
    """A KILL goes to the task's agent if that is there; of a task that runs nowhere its framework
    hears how it is, if the master can know (KIL-1)."""
    call, epoch = served(before, after, line), hearer(after, line)
    if not isinstance(call, KillTask):
        return True
    home = before.home[epoch, call.task]
    if home is not None and is_active(before, epoch, call.task):
        link = link_of(before, epoch, home)
        passed = Kill(epoch, call.task) in sent(before.down, after.down, link)
        return passed == (call.agent in (None, home) and is_connected(before, epoch, home))
    known = is_known(before, epoch, call.task, call.agent)
    answers = updates_told(before, after, epoch, call.framework)
    return len(answers) == 1 or not (answers or known)


# ---- subscriptions -------------------------------------------------------------------------
@each_step("calls frameworks", at="calls", cites=("FWK-1", "FWK-3", "FWK-6", "MFO-5"), line=lines)
def who_subscribes_is_told_so_and_no_more(before: State, after: State, line: LineId) -> bool:
    """A SUBSCRIBE is answered by SUBSCRIBED alone: tasks are not announced (MFO-5).  Who spoke
    for the framework before hears ERROR (FWK-3)."""
    call, epoch = heard_call(before, after, line), hearer(after, line)
    if not isinstance(call, Subscribe):
        return True
    stream = after.answer[line]
    if stream is None:
        return True
    heard = said_on(before, after, stream)
    if heard == (Error(),):
        return True  # `refusals_have_a_reason`
    if len(heard) != 1 or not isinstance(heard[0], Subscribed):
        return False
    was = before.frameworks[epoch, heard[0].framework].stream
    return was is None or Error() in said_on(before, after, was)


@each_step("frameworks", cites=("UPD-9", "FWK-4"), epoch=epochs, framework=frameworks)
def agents_hear_who_is_back(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """When a framework subscribes, each connected agent with something of it is told (UPD-9)."""
    stream = after.frameworks[epoch, framework].stream
    if stream is None or stream == before.frameworks[epoch, framework].stream:
        return True
    return all(
        any(isinstance(frame, UpdateFramework) and frame.framework == framework for frame in frames)
        for frames in _orders_to_hosts(before, after, epoch, framework)
    )


@each_step("frameworks", cites=("FWK-15", "FWK-18"), epoch=epochs, framework=frameworks)
def agents_hear_who_is_removed(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> bool:
    """When a framework is removed, each connected agent with something of it is told (FWK-15)."""
    was, now = before.frameworks[epoch, framework], after.frameworks[epoch, framework]
    if now.standing != Standing.REMOVED or was.standing == Standing.REMOVED:
        return True
    order = ShutdownFramework(epoch, framework)
    return all(order in frames for frames in _orders_to_hosts(before, after, epoch, framework))


def _orders_to_hosts(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> list[tuple[FrameDown, ...]]:
    """What a step sent to each connected agent that has something of a framework."""
    found: list[tuple[FrameDown, ...]] = []
    for agent in before.met_agents[epoch]:
        owners = (*before.tasks[epoch, agent], *before.executors[epoch, agent])
        if is_connected(before, epoch, agent) and any(o.framework == framework for o in owners):
            link = link_of(before, epoch, agent)
            found.append(sent(before.down, after.down, link))
    return found


# ---- agents --------------------------------------------------------------------------------
@each_step("agents", cites=("PRT-1", "PRT-3", "R3"), epoch=epochs, agent=agents)
def giving_up_an_agent_is_told(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """When an agent is given up, every connected framework hears FAILURE, and before it how each
    of its tasks there is (PRT-1)."""
    was, now = before.agents[epoch, agent], after.agents[epoch, agent]
    if now.standing != Standing.UNREACHABLE or was.standing == Standing.UNREACHABLE:
        return True
    for framework in before.met_frameworks[epoch]:
        record = before.frameworks[epoch, framework]
        if record.stream is None:
            continue
        heard = said_on(before, after, record.stream)
        mine = [task for task in before.tasks[epoch, agent] if task.framework == framework]
        state = "TASK_UNREACHABLE" if record.partition_aware else "TASK_LOST"
        said = [e.task for e in heard if isinstance(e, TaskUpdate) and e.state == state]
        if said != sorted(mine) or heard[-1:] != (Failure(agent),):
            return False
    return True


@each_step("agents", cites=("PRT-4",), epoch=epochs, agent=agents)
def the_return_of_an_agent_is_told(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """When an agent that was given up is back, its tasks' frameworks hear how they are (PRT-4)."""
    was, now = before.agents[epoch, agent], after.agents[epoch, agent]
    if was.standing != Standing.UNREACHABLE or now.standing != Standing.REGISTERED:
        return True
    asked = before.up[link_of(after, epoch, agent)].mail[0]
    assert isinstance(asked, Register)
    for task in asked.tasks:
        record = after.tasks[epoch, agent].get(task, None)
        if record is None or after.frameworks[epoch, task.framework].stream is None:
            continue
        said = [u for u in updates_told(before, after, epoch, task.framework) if u.task == task]
        if [(u.state, u.uuid) for u in said] != [(record.state, None)]:
            return False
    return True


@each_step("agents", cites=("PRT-5", "FWK-18", "KIL-3", "S7"), epoch=epochs, agent=agents)
def what_must_not_run_is_ended(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """An agent that registers is told to end what it has of removed frameworks (FWK-18), tasks that
    are to be killed (KIL-3), and those that are on another agent (S7)."""
    if not before.agents.differs(after.agents, (epoch, agent)):
        return True
    link = link_of(after, epoch, agent)
    head = before.up[link].mail[:1]
    if not head or not isinstance(head[0], Register):
        return True
    orders = sent(before.down, after.down, link)
    for key in (*head[0].tasks, *head[0].executors):
        removed = after.frameworks[epoch, key.framework].standing == Standing.REMOVED
        if removed and ShutdownFramework(epoch, key.framework) not in orders:
            return False
    for task in head[0].tasks:
        known = before.tasks[epoch, agent].get(task, None)
        doomed = known is not None and known.killed and not is_terminal(known.state)
        elsewhere = before.home[epoch, task] not in (None, agent)
        if (doomed or elsewhere) and Kill(epoch, task) not in orders:
            return False
    return True


@each_step("up", cites=("UPD-7", "UPD-16", "UPD-19"), epoch=epochs, agent=agents)
def updates_are_passed_on_as_they_are(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """An update that a master hears goes to its framework, if that is connected, word by word:
    state, source, reason and uuid are the agent's (UPD-16)."""
    heard = heard_up(before, after, epoch, agent)
    if not isinstance(heard, Update):
        return True
    task, status = heard.task, heard.status
    stream = before.frameworks[epoch, task.framework].stream
    passed = TaskUpdate(task, agent, status.state, status.source, status.reason, status.uuid)
    return stream is None or said_on(before, after, stream) == (passed,)


@each_step("executors", cites=("EXE-5", "EXE-6", "R3"), epoch=epochs, agent=agents)
def the_end_of_an_executor_is_told(
    before: State, after: State, epoch: Epoch, agent: AgentId
) -> bool:
    """When a master hears that an executor has ended, its framework hears FAILURE (EXE-6)."""
    if not before.executors.differs(after.executors, (epoch, agent)):
        return True
    known, left = before.executors[epoch, agent], after.executors[epoch, agent]
    link = link_of(before, epoch, agent)
    head = before.up[link].mail[:1]
    if not head or not isinstance(head[0], Exited) or head[0].executor not in known:
        return True
    if head[0].executor in left or after.agents[epoch, agent].link != link:
        return True
    key = head[0].executor
    stream = before.frameworks[epoch, key.framework].stream or NO_STREAM
    heard = said_on(before, after, stream)
    status = -1 if head[0].status is None else head[0].status
    return stream == NO_STREAM or heard == (Failure(agent, key.executor, status),)


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
