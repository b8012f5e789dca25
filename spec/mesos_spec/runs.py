"""Tasks, as their agent sees them: queued, launched, ended, forgotten.

    RunTask ──run──▶ QUEUED ──(its executor is there)──▶ LAUNCHED ──▶ ENDED ──(acknowledged)──▶ gone
                        └──kill_task, executor_ends────────────────────▶┘

A task that ends has one terminal update, queued once and for all: the first one (S10).
"""

from __future__ import annotations

from mesos_spec.domains import agents, nothing_minted
from mesos_spec.executors import launch, stop, tell
from mesos_spec.ids import AgentId, ExecutorKey, TaskId, Uuid
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.messages import Kill, RunTask, ShutdownFramework, StopTask, UpdateFramework
from mesos_spec.network import own_link
from mesos_spec.queues import (
    advance,
    forget,
    is_here,
    knows,
    lost_to,
    obeys,
    own_status,
    put,
    send_heads,
    tidy,
)
from mesos_spec.state import Phase, Run, Runner, State


# ---- launching -----------------------------------------------------------------------------
@action(
    "down hosted runners runs to_executor",
    by="agent",
    cites=("LCH-2", "LCH-4", "LCH-5", "S19"),
    agent=agents,
)
def run(s: State, agent: AgentId) -> None:
    """A task is taken; its executor is started if need be, and given the task if it is there."""
    heard = receive(s.down[own_link(s, agent)], RunTask)
    require(obeys(s, agent, heard), "the agent is registered with that master")
    require(not knows(s, agent, heard.task), "the task id is not in use")
    require(can_run(s, agent, heard), "its executor is there if it should be, and only then")

    s.down[own_link(s, agent)] -= heard
    task, key = heard.task, executor_for(heard)
    command = heard.executor is None
    host(s, agent, heard)
    if key not in s.runners[agent]:
        started = Runner(Phase.REGISTERING, command, heard.role, heard.executor_resources)
        s.runners[agent] += {key: started}
    taken = Run(key.executor, command, Phase.QUEUED, "TASK_STAGING", heard.role, heard.resources)
    s.runs[agent] += {task: taken}
    runner = s.runners[agent][key]
    s.runners[agent] += {key: runner._replace(queue=(*runner.queue, task))}
    if runner.phase == Phase.RUNNING:
        launch(s, agent, key, task)


@action(
    "down hosted updates up",
    by="agent",
    cites=("LCH-3", "S10", "S19"),
    agent=agents,
    minted=nothing_minted,
)
def refuse_run(s: State, agent: AgentId, minted: Table[TaskId, Uuid]) -> None:
    """A task whose executor is ending, or is not as the master thinks, is DROPPED (LCH-3)."""
    heard = receive(s.down[own_link(s, agent)], RunTask)
    require(obeys(s, agent, heard), "the agent is registered with that master")
    require(not knows(s, agent, heard.task), "the task id is not in use")
    require(not can_run(s, agent, heard), "its executor is ending, gone, or there unexpectedly")

    s.down[own_link(s, agent)] -= heard
    host(s, agent, heard)
    state = lost_to(s, agent, heard.task.framework, "TASK_DROPPED")
    status = own_status(state, "REASON_EXECUTOR_TERMINATED", heard.task, minted)
    put(s, agent, heard.task, status)


def executor_for(heard: RunTask) -> ExecutorKey:
    """The executor of a task; a command task's is named like the task (TSK-5)."""
    return ExecutorKey(heard.task.framework, heard.executor or heard.task.id)


def can_run(s: State, agent: AgentId, heard: RunTask) -> bool:
    """Whether the executor of a task is as the master thinks: to be started, or there (LCH-4)."""
    runner = s.runners[agent].get(executor_for(heard), None)
    if runner is None:
        return heard.launch_executor
    usable = runner.phase != Phase.TERMINATING and not runner.command
    return usable and not heard.launch_executor


def host(s: State, agent: AgentId, heard: RunTask) -> None:
    """An agent knows a framework from its first task on (LCH-2)."""
    if heard.task.framework not in s.hosted[agent]:
        s.hosted[agent] += {heard.task.framework: heard.framework}


# ---- killing -------------------------------------------------------------------------------
@action(
    "down runs runners updates up to_executor",
    by="agent",
    cites=("KIL-4", "KIL-5", "KIL-6", "S10", "S19"),
    agent=agents,
    minted=nothing_minted,
)
def kill_task(s: State, agent: AgentId, minted: Table[TaskId, Uuid]) -> None:
    """A framework wants a task ended: what that takes depends on how far it is (KIL-4, KIL-5)."""
    heard = receive(s.down[own_link(s, agent)], Kill)
    require(obeys(s, agent, heard), "the agent is registered with that master")

    s.down[own_link(s, agent)] -= heard
    task, known = heard.task, s.runs[agent].get(heard.task, None)
    if known is None:
        if task.framework in s.hosted[agent] and not knows(s, agent, task):
            state = lost_to(s, agent, task.framework, "TASK_DROPPED")
            put(s, agent, task, own_status(state, "REASON_EXECUTOR_TERMINATED", task, minted))
    elif known.phase != Phase.ENDED:
        s.runs[agent] += {task: known._replace(killed=True)}
        key = ExecutorKey(task.framework, known.executor)
        if known.phase == Phase.LAUNCHED:
            tell(s, agent, key, StopTask(task))
        else:
            kill_queued(s, agent, key, task, minted)


def kill_queued(
    s: State, agent: AgentId, key: ExecutorKey, task: TaskId, minted: Table[TaskId, Uuid]
) -> None:
    """A task that waits for its executor is KILLED, and the executor never hears of it (KIL-4)."""
    runner = s.runners[agent][key]
    queue = tuple(one for one in runner.queue if one != task)
    s.runners[agent] += {key: runner._replace(queue=queue)}
    status = own_status("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH", task, minted)
    advance(s, agent, task, status)


# ---- frameworks ----------------------------------------------------------------------------
@action(
    "down hosted up",
    by="agent",
    cites=("UPD-9", "S19"),
    agent=agents,
)
def know_framework(s: State, agent: AgentId) -> None:
    """A framework has subscribed again: what waits for it is sent at once (UPD-9)."""
    heard = receive(s.down[own_link(s, agent)], UpdateFramework)
    require(obeys(s, agent, heard), "the agent is registered with that master")
    require(is_here(s, agent, heard.framework), "the agent has something of the framework")

    s.down[own_link(s, agent)] -= heard
    known = s.hosted[agent].get(heard.framework, None)
    if known is not None:  # whether it checkpoints was said once and for all (FWK-8)
        s.hosted[agent] += {heard.framework: heard.info._replace(checkpoint=known.checkpoint)}
    send_heads(s, agent, heard.framework)


@action(
    "down hosted runners runs updates to_executor",
    by="agent",
    cites=("FWK-15", "FWK-18", "S19"),
    agent=agents,
)
def end_framework(s: State, agent: AgentId) -> None:
    """A framework was removed: its executors are to end, and of its tasks nobody will ask again."""
    heard = receive(s.down[own_link(s, agent)], ShutdownFramework)
    require(obeys(s, agent, heard), "the agent is registered with that master")
    require(is_here(s, agent, heard.framework), "the agent has something of the framework")

    s.down[own_link(s, agent)] -= heard
    for task in (*s.runs[agent], *s.updates[agent]):
        if task.framework == heard.framework:
            forget(s, agent, task)
    for key, runner in s.runners[agent].items():
        if key.framework == heard.framework:
            s.runners[agent] += {key: runner._replace(queue=(), disowned=True)}
            stop(s, agent, key)
    tidy(s, agent, heard.framework)
