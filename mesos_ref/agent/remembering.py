"""Reading back what `checkpoint` wrote.

A crash may have let through any prefix of a step's writes. So what follows from something else is
taken from there: a terminal update in the queue means that the task has ended, though its progress
does not say so yet; an ended task without an update was acknowledged. What belongs to nothing is
left out, and wiped later.
"""

from __future__ import annotations

import base64
from typing import Any

from mesos_ref.agent import checkpoint
from mesos_ref.agent.state import Agent, Executor, Framework, Queue, Task, Update
from mesos_ref.resources import Resources
from mesos_ref.step import Recovered
from mesos_ref.wire.json import from_builtins
from mesos_ref.wire.v1 import (
    TERMINAL_STATES,
    ExecutorInfo,
    FrameworkInfo,
    TaskInfo,
    TaskStatus,
)


def remember(agent: Agent, recovered: Recovered) -> None:
    """Fill the agent's memory. Raises what malformed data raises: WireError, KeyError, …"""
    epoch = recovered.get(checkpoint.EPOCH)
    agent.epoch = None if epoch is None else int(epoch)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for key in sorted(recovered):
        kinds.setdefault(key.partition("/")[0], []).append(recovered[key])
    for value in kinds.get("framework", ()):
        info = from_builtins(value, FrameworkInfo)
        agent.host(info, info.id or "")
    for value in kinds.get("executor", ()):
        _remember_executor(agent, value)
    for value in sorted(kinds.get("task", ()), key=_number):
        _remember_task(agent, value)
    for value in kinds.get("progress", ()):
        _remember_progress(agent, value)
    for value in sorted(kinds.get("update", ()), key=_number):
        _remember_update(agent, value)
    for framework in agent.frameworks.values():
        _conclude(framework)


def _number(value: dict[str, Any]) -> int:
    return int(value["number"])


def _remember_executor(agent: Agent, value: dict[str, Any]) -> None:
    framework = agent.frameworks.get(value["framework_id"])
    if framework is None:
        return
    executor = Executor(
        framework_id=framework.framework_id,
        executor_id=value["executor_id"],
        container=value["container"],
        command=value["command"],
        info=from_builtins(value["info"], ExecutorInfo),
        role=value["role"],
        phase="terminating" if value["terminating"] else "registering",
        tasked=value["tasked"],
        disowned=value["disowned"],
    )
    framework.executors[executor.executor_id] = executor
    agent.containers[executor.container] = executor


def _remember_task(agent: Agent, value: dict[str, Any]) -> None:
    info = from_builtins(value["info"], TaskInfo)
    agent.next_task = max(agent.next_task, value["number"] + 1)
    framework = agent.frameworks.get(value["framework_id"])
    if framework is not None:
        framework.tasks[info.task_id] = Task(
            task_id=info.task_id,
            info=info,
            role=value["role"],
            resources=Resources.from_wire(info.resources),
            executor_id=value["executor_id"],
            command=value["command"],
            number=value["number"],
        )


def _remember_progress(agent: Agent, value: dict[str, Any]) -> None:
    framework = agent.frameworks.get(value["framework_id"])
    task = None if framework is None else framework.tasks.get(value["task_id"])
    if task is not None:
        task.phase = value["phase"]
        task.state = value["state"]
        task.killed = value["killed"]
        task.seen = dict.fromkeys(value["seen"])


def _remember_update(agent: Agent, value: dict[str, Any]) -> None:
    framework = agent.frameworks.get(value["framework_id"])
    if framework is None:
        return
    status = from_builtins(value["status"], TaskStatus)
    queue = framework.queues.get(status.task_id)
    if queue is None:
        queue = Queue(task_id=status.task_id)
        framework.queues[status.task_id] = queue
    queue.updates.append(Update(value["number"], status))
    queue.next_number = value["number"] + 1


def _conclude(framework: Framework) -> None:
    """What the queues say of their tasks; then whose each task is."""
    for queue in framework.queues.values():
        task = framework.tasks.get(queue.task_id)
        if task is not None:
            _catch_up(task, queue)
    for task in list(framework.tasks.values()):
        executor = framework.executors.get(task.executor_id)
        if task.phase == "ended":
            if task.task_id not in framework.queues:
                del framework.tasks[task.task_id]
        elif executor is None:
            del framework.tasks[task.task_id]
        else:
            executor.tasks[task.task_id] = task


def _catch_up(task: Task, queue: Queue) -> None:
    task.state = queue.updates[-1].status.state
    if task.state in TERMINAL_STATES:
        task.phase = "ended"
    for update in queue.updates:
        if update.status.source == "SOURCE_EXECUTOR":
            task.seen[base64.b64encode(update.status.uuid or b"").decode()] = None
