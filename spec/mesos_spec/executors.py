"""Executors, as their agent sees them, and what they say.

    (run) ──▶ REGISTERING ──executor_subscribes──▶ RUNNING ──end_executor──▶ TERMINATING ──▶ gone
                   └──────── give_up_executor, end_executor ────────────────▶┘   executor_ends

An executor is a program of the framework's (or ours, for command tasks): it may say anything, and
die at any time.  A broken stream is not its end (EXE-4).  The agent promises the framework one last
word on every task that the executor leaves behind.
"""

from __future__ import annotations

from mesos_spec.domains import (
    agents,
    executor_stream,
    executors_on,
    exit_status,
    frameworks_on,
    listed_tasks,
    nothing_minted,
    said_so_far,
    some_bytes,
    words,
)
from mesos_spec.ids import AgentId, ExecutorKey, FrameworkId, TaskId, Uuid
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.messages import (
    Acknowledged,
    Deliver,
    ExecutorSubscribed,
    ExecutorUpdate,
    Exited,
    FromExecutor,
    LaunchTask,
    ShutdownExecutor,
    Status,
    StopExecutor,
    StopTask,
    ToExecutor,
    ToldExecutor,
)
from mesos_spec.network import own_link
from mesos_spec.queues import advance, lost_to, obeys, own_status, tidy
from mesos_spec.state import Phase, State


# ---- what executors say --------------------------------------------------------------------
@action(
    "runners runs updates up to_executor",
    by="agent",
    cites=("EXE-1", "EXE-2", "EXE-3", "LCH-5", "LCH-10", "RCV-3", "EXE-4"),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
    stream=executor_stream,
    updates=said_so_far,
    tasks=listed_tasks,
    minted=nothing_minted,
)
def executor_subscribes(
    s: State,
    agent: AgentId,
    framework: FrameworkId,
    executor: str,
    stream: str,
    updates: tuple[ExecutorUpdate, ...],
    tasks: frozenset[TaskId],
    minted: Table[TaskId, Uuid],
) -> None:
    """An executor is there, perhaps again: what it brings is heard, what waits is given (EXE-2).

    `updates` it was not acknowledged, `tasks` it knows of; a task that was lost on its way there
    is DROPPED (EXE-3).  One that was never given anything to do is shut down (LCH-10).
    """
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")

    runner = s.runners[agent][key]
    ending = runner.phase == Phase.TERMINATING
    phase = Phase.TERMINATING if ending else Phase.RUNNING
    s.runners[agent] += {key: runner._replace(phase=phase, stream=stream, away=False)}
    tell(s, agent, key, ExecutorSubscribed())
    for update in updates:
        hear(s, agent, key, update)
    if not ending:
        give_up_lost(s, agent, key, tasks, minted)
        repeat_kills(s, agent, key)
        for task in runner.queue:
            launch(s, agent, key, task)
    if ending or not s.runners[agent][key].used:
        tell(s, agent, key, StopExecutor())
        s.runners[agent] += {key: s.runners[agent][key]._replace(phase=Phase.TERMINATING)}


@action(
    "runs updates up to_executor",
    by="agent",
    cites=("UPD-1", "UPD-3", "UPD-14", "UPD-15", "UPD-20", "S10"),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
    update=words,
)
def executor_updates(
    s: State, agent: AgentId, framework: FrameworkId, executor: str, update: ExecutorUpdate
) -> None:
    """An executor says how a task is: queued once, and acknowledged in any case (UPD-1, UPD-3)."""
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")
    require(s.runners[agent][key].stream is not None, "the executor has subscribed")

    hear(s, agent, key, update)


@action(
    "runners runs updates hosted up",
    by="agent",
    cites=("EXE-5", "EXE-7", "LCH-8", "L1"),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
    status=exit_status,
    minted=nothing_minted,
)
def executor_ends(
    s: State,
    agent: AgentId,
    framework: FrameworkId,
    executor: str,
    status: int | None,
    minted: Table[TaskId, Uuid],
) -> None:
    """An executor is gone: what it had not ended has FAILED (EXE-5).

    The master is told of a custom one, if it listens; a command task's has no life of its own.
    """
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")

    runner, me = s.runners[agent][key], s.agent[agent]
    why = "REGISTRATION_TIMEOUT" if runner.late else "TERMINATED"
    bury(s, agent, key, "TASK_FAILED", "REASON_EXECUTOR_" + why, minted)
    if me.registered and not runner.command:
        s.up[own_link(s, agent)] += Exited(me.epoch, key, status)


@action(
    "up",
    by="agent",
    cites=("KIL-9",),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
    data=some_bytes,
)
def send_up(s: State, agent: AgentId, framework: FrameworkId, executor: str, data: str) -> None:
    """An executor has a message for its scheduler: passed on if a master listens (KIL-9)."""
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")
    require(s.runners[agent][key].stream is not None, "the executor has subscribed")

    if s.agent[agent].registered:
        s.up[own_link(s, agent)] += FromExecutor(s.agent[agent].epoch, key, data)


# ---- executors that do not come, or are not wanted -----------------------------------------
@action(
    "runners",
    by="agent",
    after="executor_registration_timeout",
    cites=("LCH-8",),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
)
def give_up_executor(s: State, agent: AgentId, framework: FrameworkId, executor: str) -> None:
    """An executor did not subscribe in time, and is destroyed; its end is yet to come (LCH-8)."""
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")
    runner = s.runners[agent][key]
    require(runner.phase == Phase.REGISTERING, "the executor has not subscribed")
    require(not runner.away, "it was started in this life of the agent")

    s.runners[agent] += {key: runner._replace(phase=Phase.TERMINATING, late=True)}


@action(
    "runners runs updates hosted up",
    by="agent",
    after="executor_reregistration_timeout",
    cites=("RCV-3", "RCV-6", "L1"),
    agent=agents,
    framework=frameworks_on,
    executor=executors_on,
    minted=nothing_minted,
)
def recover_executor(
    s: State, agent: AgentId, framework: FrameworkId, executor: str, minted: Table[TaskId, Uuid]
) -> None:
    """An executor did not survive its agent's restart, or did not come back in time (RCV-3)."""
    key = ExecutorKey(framework, executor)
    require(s.agent[agent].up, "the agent is up")
    require(key in s.runners[agent], "the agent has started the executor")
    require(s.runners[agent][key].away, "it has not come back since the agent started")

    state = lost_to(s, agent, framework, "TASK_GONE")
    bury(s, agent, key, state, "REASON_EXECUTOR_REREGISTRATION_TIMEOUT", minted)


@action(
    "down runners to_executor",
    by="agent",
    cites=("KIL-8", "S19"),
    agent=agents,
)
def end_executor(s: State, agent: AgentId) -> None:
    """A framework wants an executor ended: it is asked to, if it is there to hear it (KIL-8)."""
    heard = receive(s.down[own_link(s, agent)], ShutdownExecutor)
    require(obeys(s, agent, heard), "the agent is registered with that master")
    runner = s.runners[agent].get(heard.executor, None)
    ending = runner is None or runner.phase == Phase.TERMINATING
    require(not ending, "the executor is there, and not ending")

    s.down[own_link(s, agent)] -= heard
    stop(s, agent, heard.executor)


@action(
    "down to_executor",
    by="agent",
    cites=("KIL-9", "S19"),
    agent=agents,
)
def deliver_message(s: State, agent: AgentId) -> None:
    """A scheduler's message reaches its executor, if that is running (KIL-9)."""
    heard = receive(s.down[own_link(s, agent)], ToExecutor)
    require(obeys(s, agent, heard), "the agent is registered with that master")

    s.down[own_link(s, agent)] -= heard
    runner = s.runners[agent].get(heard.executor, None)
    if runner is not None and runner.phase == Phase.RUNNING:
        tell(s, agent, heard.executor, Deliver(heard.data))


# ---- what they use -------------------------------------------------------------------------
def tell(s: State, agent: AgentId, key: ExecutorKey, event: ToldExecutor) -> None:
    """An agent sends an event to an executor, if it has ever opened a stream."""
    if s.runners[agent][key].stream is not None:
        s.to_executor[agent, key.framework, key.executor] += event


def stop(s: State, agent: AgentId, key: ExecutorKey) -> None:
    """An executor is to end; one that never subscribed is destroyed unasked."""
    runner = s.runners[agent][key]
    if runner.phase == Phase.RUNNING:
        tell(s, agent, key, StopExecutor())
    s.runners[agent] += {key: s.runners[agent][key]._replace(phase=Phase.TERMINATING)}


def hear(s: State, agent: AgentId, key: ExecutorKey, update: ExecutorUpdate) -> None:
    """What an executor says of a launched task counts if it is new; it is acknowledged anyway."""
    run = s.runs[agent].get(update.task, None)
    if run is not None and run.phase == Phase.LAUNCHED and update.uuid not in run.seen:
        s.runs[agent] += {update.task: run._replace(seen=run.seen | {update.uuid})}
        status = Status(update.state, "SOURCE_EXECUTOR", update.reason, update.uuid)
        advance(s, agent, update.task, status)
    tell(s, agent, key, Acknowledged(update.task, update.uuid))


def launch(s: State, agent: AgentId, key: ExecutorKey, task: TaskId) -> None:
    """A task is given to an executor that runs."""
    runner = s.runners[agent][key]
    queue = tuple(one for one in runner.queue if one != task)
    s.runners[agent] += {key: runner._replace(queue=queue, used=True)}
    s.runs[agent] += {task: s.runs[agent][task]._replace(phase=Phase.LAUNCHED)}
    tell(s, agent, key, LaunchTask(task))


def given_to(s: State, agent: AgentId, key: ExecutorKey) -> list[TaskId]:
    """The tasks that an executor has and has not ended."""
    return [
        task
        for task, run in s.runs[agent].items()
        if run.phase == Phase.LAUNCHED
        and (task.framework, run.executor) == (key.framework, key.executor)
    ]


def give_up_lost(
    s: State,
    agent: AgentId,
    key: ExecutorKey,
    listed: frozenset[TaskId],
    minted: Table[TaskId, Uuid],
) -> None:
    """Tasks that were sent to an executor, and of which it knows nothing (EXE-3)."""
    for task in given_to(s, agent, key):
        if task not in listed and s.runs[agent][task].state == "TASK_STAGING":
            state = lost_to(s, agent, key.framework, "TASK_DROPPED")
            advance(s, agent, task, own_status(state, "REASON_AGENT_RESTARTED", task, minted))


def repeat_kills(s: State, agent: AgentId, key: ExecutorKey) -> None:
    """An executor that comes back is told again what it is to kill."""
    for task in given_to(s, agent, key):
        if s.runs[agent][task].killed:
            tell(s, agent, key, StopTask(task))


def bury(
    s: State,
    agent: AgentId,
    key: ExecutorKey,
    state: str,
    reason: str,
    minted: Table[TaskId, Uuid],
) -> None:
    """An executor is gone, and with it whatever it had not ended, by task."""
    for task in sorted((*given_to(s, agent, key), *s.runners[agent][key].queue)):
        advance(s, agent, task, own_status(state, reason, task, minted))
    s.runners[agent] -= key
    tidy(s, agent, key.framework)
