"""What masters say of whole frameworks: one has come back, one was removed; and messages."""

from __future__ import annotations

from mesos_ref import link
from mesos_ref.agent import checkpoint, executors, updates
from mesos_ref.agent.state import Agent
from mesos_ref.wire import executor as wire


def hear_update_framework(agent: Agent, frame: link.UpdateFramework) -> None:
    """`know_framework`: it listens again, so all that waits for it goes out at once (UPD-9)."""
    framework = agent.frameworks.get(frame.framework.id or "")
    if framework is None:
        agent.decided("ignore_frame")
        return
    agent.decided("know_framework")
    if framework.hosted:
        agent.describe(framework, frame.framework)
        checkpoint.keep_framework(agent, framework)
    updates.send_heads(agent, (framework,))


def hear_shutdown_framework(agent: Agent, frame: link.ShutdownFramework) -> None:
    """`end_framework`: it was removed, and nobody will acknowledge anything of it again.

    So its tasks and queues are forgotten at once, and what its executors still say is only
    acknowledged; its executors end like any other.
    """
    framework = agent.frameworks.get(frame.framework_id)
    if framework is None:
        agent.decided("ignore_frame")
        return
    agent.decided("end_framework")
    for task_id in sorted({*framework.tasks, *framework.queues}):
        updates.forget(agent, framework, task_id)
    for executor_id in sorted(framework.executors):
        executors.disown(agent, framework, framework.executors[executor_id])
    updates.tidy(agent, framework)


def hear_message(agent: Agent, frame: link.Message) -> None:
    """`deliver_message`: to the executor if it runs, else to nobody (KIL-9)."""
    agent.decided("deliver_message")
    framework = agent.frameworks.get(frame.framework_id)
    executor = None if framework is None else framework.executors.get(frame.executor_id)
    if executor is not None and executor.phase == "running":
        message = wire.Message(data=frame.data)
        agent.tell_executor(executor, wire.Event(type="MESSAGE", message=message))
