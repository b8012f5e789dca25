"""Tasks, as masters see them: launched, killed, asked about.

An ACCEPT is all or nothing in its offers, and task by task in what it launches.  A task that may
not run is answered for at once, without a uuid: such an update is not acknowledged, and nobody
sends it again.  What becomes of a launched task is in `updates`.

    (accept) STAGING ──forward──▶ STARTING, RUNNING, KILLING … ──▶ terminal ──acknowledge──▶ gone
"""

from __future__ import annotations

from mesos_spec.domains import either, epochs, lines_to
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId, LineId, Role, TaskId
from mesos_spec.kernel import action, receive, require
from mesos_spec.masters import charge, enter, is_subscribed, lost_or
from mesos_spec.messages import (
    Accept,
    ExecutorReport,
    Kill,
    KillTask,
    Reconcile,
    RunTask,
    TaskAsk,
    TaskUpdate,
)
from mesos_spec.network import is_connected, tell_agent, tell_framework
from mesos_spec.offers import is_of, refuse, take
from mesos_spec.resources import NOTHING, Resources, total
from mesos_spec.state import Standing, State, TaskRecord


# ---- launching -----------------------------------------------------------------------------
@action(
    "calls offers charged filters tasks executors home down events",
    by="master",
    cites=(
        *(
            "OFR-9",
            "OFR-12",
            "OFR-13",
            "OFR-15",
            "OFR-18",
            "OFR-19",
            "OFR-21",
            "OFR-22",
            *(
                "OFR-16",
                "OFR-17",
                "OFR-20",
                "OFR-24",
                "TSK-3",
                "A4",
            ),
        ),
        *("FLT-12", "TSK-4", "TSK-5", "TSK-9", "S1", "S7"),
    ),
    epoch=epochs,
    line=lines_to,
)
def accept(s: State, epoch: Epoch, line: LineId) -> None:
    """Tasks are launched, in order, on what the offers have; the rest is free again (OFR-13).

    A task that may not run is answered TASK_ERROR and the others go on (OFR-15).
    """
    call = receive(s.calls[line], Accept)
    require(len(call.tasks) > 0, "the call launches something")
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(may_use(s, epoch, call), "the offers stand, are its own, of one agent and one role")

    s.calls[line] -= call
    made = [take(s, epoch, offer) for offer in call.offers]
    agent, role = call.offers[0].agent, made[0].role
    pool = total(*(offer.resources for offer in made))
    for ask in call.tasks:
        if may_run(s, epoch, agent, role, ask, pool):
            pool -= launch(s, epoch, agent, role, ask)
        else:
            error = TaskUpdate(
                *(ask.task, ask.agent, "TASK_ERROR", "SOURCE_MASTER"),
                ask.flaw or "REASON_TASK_INVALID",
            )
            tell_framework(s, epoch, call.framework, error)
    if call.filtered and pool:
        refuse(s, epoch, call.framework, agent, role, pool)


@action(
    "calls offers charged events",
    by="master",
    cites=("OFR-9", "OFR-10", "MFO-10", "S5", "S20", "OFR-11"),
    epoch=epochs,
    line=lines_to,
)
def refuse_accept(s: State, epoch: Epoch, line: LineId) -> None:
    """One offer that may not be used spoils the call: nothing is launched, its offers end (OFR-10).

    Each of its tasks is lost, and its framework is told.
    """
    call = receive(s.calls[line], Accept)
    require(len(call.tasks) > 0, "the call launches something")
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(not may_use(s, epoch, call), "an offer has ended, is not its own, or not of the others")

    s.calls[line] -= call
    for offer in call.offers:
        if is_of(s, epoch, offer, call.framework):
            take(s, epoch, offer)
    state = lost_or(s, epoch, call.framework, "TASK_DROPPED")
    for ask in call.tasks:
        lost = TaskUpdate(ask.task, ask.agent, state, "SOURCE_MASTER", "REASON_INVALID_OFFERS")
        tell_framework(s, epoch, call.framework, lost)


def may_use(s: State, epoch: Epoch, call: Accept) -> bool:
    """Whether a call's offers may be used together by who makes it (OFR-9)."""
    if not all(is_of(s, epoch, offer, call.framework) for offer in call.offers):
        return False
    homes = {(offer.agent, s.offers[epoch, offer.agent][offer].role) for offer in call.offers}
    return len(homes) == 1 and len(set(call.offers)) == len(call.offers)


def may_run(
    s: State, epoch: Epoch, agent: AgentId, role: Role, ask: TaskAsk, pool: Resources
) -> bool:
    """Whether a task may be launched on what is left of the offers (§6, S7)."""
    return (
        ask.flaw is None
        and s.home[epoch, ask.task] is None
        and ask.agent == agent
        and bool(ask.resources)
        and fits_executor(s, epoch, agent, role, ask)
        and ask.resources + new_executor(s, epoch, agent, ask) <= pool
    )


def fits_executor(s: State, epoch: Epoch, agent: AgentId, role: Role, ask: TaskAsk) -> bool:
    """Whether the executor a task wants is the one that is there, if one is (TSK-4).

    What an executor takes is allocated to a role; another role's is another executor.
    """
    running = executor_of(s, epoch, agent, ask)
    if running is None:
        return True
    same_role = running.role == role or not running.resources
    return same_role and running.resources == ask.executor_resources


def executor_of(s: State, epoch: Epoch, agent: AgentId, ask: TaskAsk) -> ExecutorReport | None:
    """The executor a task wants, if the master knows it to be on the agent."""
    if ask.executor is None:
        return None
    return s.executors[epoch, agent].get(ExecutorKey(ask.task.framework, ask.executor), None)


def new_executor(s: State, epoch: Epoch, agent: AgentId, ask: TaskAsk) -> Resources:
    """What the task's executor takes, if it has to be started (OFR-18); nothing for our own."""
    starts = ask.executor is not None and executor_of(s, epoch, agent, ask) is None
    return ask.executor_resources if starts else NOTHING


def launch(s: State, epoch: Epoch, agent: AgentId, role: Role, ask: TaskAsk) -> Resources:
    """A task is the agent's to run.  What it takes of the offers."""
    takes = ask.resources + new_executor(s, epoch, agent, ask)
    starts = executor_of(s, epoch, agent, ask) is None
    framework = ask.task.framework
    enter(s, epoch, agent, ask.task, TaskRecord(role, ask.resources, ask.executor, "TASK_STAGING"))
    if ask.executor is not None and starts:
        report = ExecutorReport(role, ask.executor_resources)
        s.executors[epoch, agent] += {ExecutorKey(framework, ask.executor): report}
        charge(s, epoch, framework, role, ask.executor_resources)
    run = RunTask(
        *(epoch, ask.task, role, ask.resources, s.frameworks[epoch, framework].info),
        *(ask.executor, ask.executor_resources, starts),
    )
    tell_agent(s, epoch, agent, run)
    return takes


# ---- killing -------------------------------------------------------------------------------
@action(
    "calls tasks down",
    by="master",
    cites=("KIL-2", "KIL-3", "KIL-6", "S13"),
    epoch=epochs,
    line=lines_to,
)
def kill(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework wants a task ended: remembered, and passed on if its agent is there (KIL-3).

    If the call names another agent than the task's, it is ignored (KIL-2).
    """
    call = receive(s.calls[line], KillTask)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    agent = s.home[epoch, call.task]
    require(is_active(s, epoch, call.task), "the task is known, on an agent that is not given up")
    assert agent is not None

    s.calls[line] -= call
    if call.agent in (None, agent):
        s.tasks[epoch, agent] += {call.task: s.tasks[epoch, agent][call.task]._replace(killed=True)}
        if is_connected(s, epoch, agent):
            tell_agent(s, epoch, agent, Kill(epoch, call.task))


@action(
    "calls events",
    by="master",
    cites=("KIL-1", "KIL-10", "REC-2", "REC-7"),
    epoch=epochs,
    line=lines_to,
    settled=either,
)
def answer_kill(s: State, epoch: Epoch, line: LineId, settled: bool) -> None:
    """A framework wants a task ended that runs nowhere: it is told how that task is (KIL-1).

    `settled`: the agents had their time to come back after the election.
    """
    call = receive(s.calls[line], KillTask)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(not is_active(s, epoch, call.task), "the task is unknown, or its agent is given up")

    s.calls[line] -= call
    answer(s, epoch, call.task, call.agent, settled)


def is_active(s: State, epoch: Epoch, task: TaskId) -> bool:
    """Whether a master knows a task, and has not given up its agent."""
    agent = s.home[epoch, task]
    return agent is not None and task in s.tasks[epoch, agent]


# ---- reconciliation ------------------------------------------------------------------------
@action(
    "calls events",
    by="master",
    cites=("REC-1", "REC-2", "REC-3", "REC-4", "REC-6", "REC-7", "REC-8", "REC-11", "REC-9"),
    epoch=epochs,
    line=lines_to,
    settled=either,
)
def reconcile(s: State, epoch: Epoch, line: LineId, settled: bool) -> None:
    """A framework asks how tasks are, those it names or all the master has; nothing changes.

    `settled`: the agents had their time to come back after the election.
    """
    call = receive(s.calls[line], Reconcile)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    for task, agent in call.tasks or every_task(s, epoch, call.framework):
        answer(s, epoch, task, agent, settled)


def every_task(
    s: State, epoch: Epoch, framework: FrameworkId
) -> list[tuple[TaskId, AgentId | None]]:
    """All tasks of a framework on agents that are not given up, by id (REC-8)."""
    return sorted(
        (task, agent)
        for agent in s.met_agents[epoch]
        for task in s.tasks[epoch, agent]
        if task.framework == framework
    )


def answer(s: State, epoch: Epoch, task: TaskId, agent: AgentId | None, settled: bool) -> None:
    """A framework is told how a task is; or nothing, if its agent may still come back (REC-2)."""
    home = s.home[epoch, task]
    if home is not None and task in s.tasks[epoch, home]:
        record = s.tasks[epoch, home][task]
        state: str | None = record.told or record.state
    elif home is not None:
        state = lost_or(s, epoch, task.framework, "TASK_UNREACHABLE")
    else:
        state = state_of_unknown(s, epoch, task, agent, settled)
    if state is not None:
        told = TaskUpdate(task, home or agent, state, "SOURCE_MASTER", "REASON_RECONCILIATION")
        tell_framework(s, epoch, task.framework, told)


def state_of_unknown(
    s: State, epoch: Epoch, task: TaskId, agent: AgentId | None, settled: bool
) -> str | None:
    """What may be said of a task that a master does not know (REC-2, REC-3, REC-4, REC-6)."""
    standing = Standing.UNKNOWN if agent is None else s.agents[epoch, agent].standing
    if standing == Standing.UNKNOWN and not settled:
        return None
    words = {Standing.UNKNOWN: "TASK_UNKNOWN", Standing.UNREACHABLE: "TASK_UNREACHABLE"}
    return lost_or(s, epoch, task.framework, words.get(standing, "TASK_GONE"))
