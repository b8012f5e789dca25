"""What outlives the agent's process: written by every subject, read by `recovery`.

One key per thing, so that each write is small; what changes is apart from what does not. Ids are
in the values: keys are never taken apart.

    agent                   {id, info}                        for ever
    epoch                   the newest leader's               for ever
    framework/<fw>          FrameworkInfo                     while something of it is here
    executor/<fw>/<ex>      {container, command, role, …}     until its container is gone
    task/<fw>/<task>        {info, role, executor_id, …}      until forgotten
    progress/<fw>/<task>    {phase, state, killed, seen}      until forgotten
    update/<fw>/<task>/<n>  {framework_id, status, …}         until acknowledged

All but the first two only of checkpointing frameworks (RCV-1). Subjects write in such an order that
any prefix of a step's writes can be recovered from: an update before the progress it stands for.
"""

from __future__ import annotations

from typing import Any

from mesos_ref.agent.state import Agent, Executor, Framework, Queue, Task, Update
from mesos_ref.wire.json import to_builtins

AGENT = "agent"
EPOCH = "epoch"


def whole(agent: Agent) -> dict[str, Any]:
    """Everything that should be kept now: what all writes so far add up to."""
    kept: dict[str, Any] = {AGENT: _agent(agent)}
    if agent.epoch is not None:
        kept[EPOCH] = agent.epoch
    for framework in agent.frameworks.values():
        if framework.checkpoint:
            kept |= _all_of(framework)
    return kept


def _all_of(framework: Framework) -> dict[str, Any]:
    kept: dict[str, Any] = {_framework_key(framework): to_builtins(framework.info)}
    for executor in framework.executors.values():
        kept[_executor_key(executor)] = _executor(executor)
    for task in framework.tasks.values():
        kept[_task_key(framework, task)] = _task(framework, task)
        kept[_progress_key(framework, task)] = _progress(framework, task)
    for queue in framework.queues.values():
        for update in queue.updates:
            kept[_update_key(framework, queue, update)] = _update(framework, queue, update)
    return kept


# Writing ------------------------------------------------------------------------------------------


def keep_agent(agent: Agent) -> None:
    """Who the agent is. Before its first Register."""
    agent.keep(AGENT, _agent(agent))


def keep_epoch(agent: Agent) -> None:
    """The newest leader known: S19 holds over restarts."""
    agent.keep(EPOCH, agent.epoch)


def keep_framework(agent: Agent, framework: Framework) -> None:
    """What the framework says of itself."""
    if framework.checkpoint:
        agent.keep(_framework_key(framework), to_builtins(framework.info))


def keep_all_of(agent: Agent, framework: Framework) -> None:
    """A framework is described for the first time; updates of it may wait already."""
    if framework.checkpoint:
        for key, value in _all_of(framework).items():
            agent.keep(key, value)


def forget_framework(agent: Agent, framework: Framework) -> None:
    """Nothing of it is here any more."""
    if framework.checkpoint:
        agent.keep(_framework_key(framework), None)


def keep_executor(agent: Agent, framework: Framework, executor: Executor) -> None:
    """Which container it lives in, and how far it got. Before it is started."""
    if framework.checkpoint:
        agent.keep(_executor_key(executor), _executor(executor))


def forget_executor(agent: Agent, framework: Framework, executor: Executor) -> None:
    """Its container is gone."""
    if framework.checkpoint:
        agent.keep(_executor_key(executor), None)


def keep_task(agent: Agent, framework: Framework, task: Task) -> None:
    """What is to be run; once, before its executor hears of it (LCH-11)."""
    if framework.checkpoint:
        agent.keep(_task_key(framework, task), _task(framework, task))
        keep_progress(agent, framework, task)


def keep_progress(agent: Agent, framework: Framework, task: Task) -> None:
    """How far the task got, and which of its updates were heard."""
    if framework.checkpoint:
        agent.keep(_progress_key(framework, task), _progress(framework, task))


def forget_task(agent: Agent, framework: Framework, task: Task) -> None:
    """Its end was acknowledged, or will never be."""
    if framework.checkpoint:
        agent.keep(_task_key(framework, task), None)
        agent.keep(_progress_key(framework, task), None)


def keep_update(agent: Agent, framework: Framework, queue: Queue, update: Update) -> None:
    """A promise: it is told to the framework until acknowledged (UPD-1)."""
    if framework.checkpoint:
        agent.keep(_update_key(framework, queue, update), _update(framework, queue, update))


def forget_update(agent: Agent, framework: Framework, queue: Queue, update: Update) -> None:
    """The promise is kept, or nobody holds us to it."""
    if framework.checkpoint:
        agent.keep(_update_key(framework, queue, update), None)


# Keys and values ----------------------------------------------------------------------------------


def _agent(agent: Agent) -> dict[str, Any]:
    return {"id": agent.agent_id, "info": to_builtins(agent.info)}


def _framework_key(framework: Framework) -> str:
    return f"framework/{framework.framework_id}"


def _executor_key(executor: Executor) -> str:
    return f"executor/{executor.framework_id}/{executor.executor_id}"


def _executor(executor: Executor) -> dict[str, Any]:
    return {
        "framework_id": executor.framework_id,
        "executor_id": executor.executor_id,
        "container": executor.container,
        "command": executor.command,
        "info": to_builtins(executor.info),
        "role": executor.role,
        "tasked": executor.tasked,
        "terminating": executor.phase == "terminating",
        "disowned": executor.disowned,
    }


def _task_key(framework: Framework, task: Task) -> str:
    return f"task/{framework.framework_id}/{task.task_id}"


def _task(framework: Framework, task: Task) -> dict[str, Any]:
    return {
        "framework_id": framework.framework_id,
        "info": to_builtins(task.info),
        "role": task.role,
        "executor_id": task.executor_id,
        "command": task.command,
        "number": task.number,
    }


def _progress_key(framework: Framework, task: Task) -> str:
    return f"progress/{framework.framework_id}/{task.task_id}"


def _progress(framework: Framework, task: Task) -> dict[str, Any]:
    return {
        "framework_id": framework.framework_id,
        "task_id": task.task_id,
        "phase": task.phase,
        "state": task.state,
        "killed": task.killed,
        "seen": list(task.seen),
    }


def _update_key(framework: Framework, queue: Queue, update: Update) -> str:
    return f"update/{framework.framework_id}/{queue.task_id}/{update.number}"


def _update(framework: Framework, queue: Queue, update: Update) -> dict[str, Any]:
    return {
        "framework_id": framework.framework_id,
        "number": update.number,
        "status": to_builtins(update.status),
    }
