"""An agent as the specification sees it: plain data, under the keys that traces use.

A process that is about to end is no agent any more, whatever it leaves behind on disk.
"""

from __future__ import annotations

import base64
from typing import Any

from mesos_ref.agent.state import Agent, Executor, Framework, Queue, Task, ViewKey


def whole(agent: Agent) -> dict[str, Any]:
    """Every key and its value, computed afresh."""
    view: dict[str, Any] = {} if agent.over else {"agent": _agent(agent)}
    for framework_id, framework in agent.frameworks.items():
        if framework.hosted:
            view[f"frameworks/{framework_id}"] = _framework(framework)
        for executor_id, executor in framework.executors.items():
            view[f"executors/{framework_id}/{executor_id}"] = _executor(executor)
        for task_id, task in framework.tasks.items():
            view[f"tasks/{framework_id}/{task_id}"] = _task(task)
        for task_id, queue in framework.queues.items():
            view[f"updates/{framework_id}/{task_id}"] = _updates(queue)
    return view


def take_changes(agent: Agent) -> dict[str, Any]:
    """The keys that may have changed since this was asked last; None: gone."""
    changes = {"/".join(filter(None, key)): _value(agent, key) for key in agent.dirty}
    agent.dirty.clear()
    return changes


def _value(agent: Agent, key: ViewKey) -> Any:
    table, framework_id, name = key
    if table == "agent":
        return None if agent.over else _agent(agent)
    framework = agent.frameworks.get(framework_id)
    if framework is None:
        return None
    if table == "frameworks":
        return _framework(framework) if framework.hosted else None
    if table == "executors":
        executor = framework.executors.get(name)
        return None if executor is None else _executor(executor)
    if table == "tasks":
        task = framework.tasks.get(name)
        return None if task is None else _task(task)
    queue = framework.queues.get(name)
    return None if queue is None else _updates(queue)


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "id": agent.agent_id,
        "epoch": agent.epoch,
        "link": agent.link,
        "registered": agent.registered,
    }


def _framework(framework: Framework) -> dict[str, Any]:
    return {"checkpoint": framework.checkpoint, "partition_aware": framework.partition_aware}


def _executor(executor: Executor) -> dict[str, Any]:
    return {"phase": executor.phase, "command": executor.command, "stream": executor.stream}


def _task(task: Task) -> dict[str, Any]:
    return {
        "executor": task.executor_id,
        "phase": task.phase,
        "state": task.state,
        "role": task.role,
        "resources": task.resources.quantities(),
    }


def _updates(queue: Queue) -> list[list[str | None]]:
    return [
        [
            base64.b64encode(update.status.uuid or b"").decode(),
            update.status.state,
            update.status.reason,
        ]
        for update in queue.updates
    ]
