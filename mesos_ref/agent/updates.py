"""Update queues: every reliable update is told, oldest first, until it is acknowledged.

Of each queue only the head is on its way. It is sent when it becomes the head, again after
`status_update_retry` and then after twice that and so on, and at once when a leader or a framework
has come back; always with the same uuid (UPD-2, UPD-9, UPD-17). An acknowledgement of the head, and
of nothing else, lets the next one go (UPD-4, S9). The acknowledgement of a terminal update ends the
queue, and the agent's memory of the task (UPD-5).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mesos_ref import link
from mesos_ref.agent import checkpoint
from mesos_ref.agent.state import Agent, Executor, Framework, Queue, Task, Update
from mesos_ref.wire.v1 import TERMINAL_STATES, StatusReason, TaskState, TaskStatus

RESEND = "resend"


def status_of(
    agent: Agent,
    task_id: str,
    state: TaskState,
    reason: StatusReason,
    message: str,
    executor: Executor | None = None,
) -> TaskStatus:
    """A reliable status of the agent's own (UPD-20)."""
    return TaskStatus(
        task_id=task_id,
        state=state,
        message=message,
        source="SOURCE_AGENT",
        reason=reason,
        agent_id=agent.agent_id,
        executor_id=None if executor is None else executor.executor_id,
        timestamp=agent.timestamp(),
        uuid=agent.ids.uuid_bytes(),
        container_status=None if executor is None else container_status(agent, executor, None),
    )


def completed(agent: Agent, executor: Executor, status: TaskStatus) -> TaskStatus:
    """An executor's status, whole, with what only the agent knows added (UPD-20)."""
    return msgspec.structs.replace(
        status,
        source="SOURCE_EXECUTOR",
        agent_id=agent.agent_id,
        executor_id=status.executor_id or executor.executor_id,
        timestamp=agent.timestamp() if status.timestamp is None else status.timestamp,
        container_status=container_status(agent, executor, status.container_status),
    )


def container_status(
    agent: Agent, executor: Executor, told: dict[str, object] | None
) -> dict[str, object]:
    """Where the task runs; what the executor said of that stands."""
    known: dict[str, object] = {"container_id": {"value": executor.container}}
    if agent.config.ip:
        address = {"protocol": "IPv4", "ip_address": agent.config.ip}
        known["network_infos"] = [{"ip_addresses": [address]}]
    return known if told is None else known | told


# Queues -------------------------------------------------------------------------------------------


def enqueue(agent: Agent, framework: Framework, status: TaskStatus) -> None:
    """Promise an update to the framework; send it if nothing of its task is before it."""
    queue = framework.queues.get(status.task_id)
    if queue is None:
        queue = Queue(task_id=status.task_id)
        framework.queues[status.task_id] = queue
    update = Update(queue.next_number, status)
    queue.next_number += 1
    queue.updates.append(update)
    checkpoint.keep_update(agent, framework, queue, update)
    agent.touch("updates", framework.framework_id, status.task_id)
    if len(queue.updates) == 1:
        send_head(agent, framework, queue)


def send_head(agent: Agent, framework: Framework, queue: Queue) -> None:
    """Send the oldest update, and start its timer afresh. Waits if there is no leader (UPD-17)."""
    if agent.registered:
        queue.retry_us = agent.config.status_update_retry_us
        _send(agent, framework, queue)


def resend(agent: Agent, framework_id: str, task_id: str) -> None:
    """The head was not acknowledged in time: again, and then after twice the time (UPD-2)."""
    framework = agent.frameworks[framework_id]
    queue = framework.queues[task_id]
    queue.retry_us = min(2 * queue.retry_us, agent.config.status_update_retry_max_us)
    agent.decided("resend", framework=framework_id, task=task_id)
    _send(agent, framework, queue)


def _send(agent: Agent, framework: Framework, queue: Queue) -> None:
    frame = link.Update(
        epoch=agent.epoch or 0,
        framework_id=framework.framework_id,
        status=queue.updates[0].status,
        latest_state=queue.updates[-1].status.state,
    )
    agent.tell_master(frame)
    name = (RESEND, framework.framework_id, queue.task_id)
    agent.timers.arm(name, agent.now_us + queue.retry_us)


def send_heads(agent: Agent, frameworks: Iterable[Framework]) -> None:
    """Somebody is there to hear again: all heads at once, by framework and task."""
    for framework in frameworks:
        for task_id in sorted(framework.queues):
            send_head(agent, framework, framework.queues[task_id])


def pause(agent: Agent) -> None:
    """Nobody is there to hear."""
    for framework in agent.frameworks.values():
        for task_id in framework.queues:
            agent.timers.disarm((RESEND, framework.framework_id, task_id))


def hear_ack(agent: Agent, ack: link.Ack) -> None:
    """The framework has seen the head; anything else is ignored (UPD-4)."""
    agent.decided("hear_ack")
    framework = agent.frameworks.get(ack.framework_id)
    queue = None if framework is None else framework.queues.get(ack.task_id)
    if framework is None or queue is None or queue.updates[0].status.uuid != ack.uuid:
        return
    agent.touch("updates", framework.framework_id, queue.task_id)
    if queue.updates[0].status.state in TERMINAL_STATES:
        forget(agent, framework, ack.task_id)
        tidy(agent, framework)
        return
    checkpoint.forget_update(agent, framework, queue, queue.updates.popleft())
    if queue.updates:
        send_head(agent, framework, queue)
    else:
        _drop(agent, framework, queue)
        tidy(agent, framework)


# Forgetting ---------------------------------------------------------------------------------------


def forget(agent: Agent, framework: Framework, task_id: str) -> None:
    """The task and its queue, whatever is left in it."""
    queue = framework.queues.get(task_id)
    if queue is not None:
        for update in queue.updates:
            checkpoint.forget_update(agent, framework, queue, update)
        _drop(agent, framework, queue)
    task = framework.tasks.pop(task_id, None)
    if task is not None:
        _forget_task(agent, framework, task)


def _drop(agent: Agent, framework: Framework, queue: Queue) -> None:
    del framework.queues[queue.task_id]
    agent.timers.disarm((RESEND, framework.framework_id, queue.task_id))
    agent.touch("updates", framework.framework_id, queue.task_id)


def _forget_task(agent: Agent, framework: Framework, task: Task) -> None:
    executor = framework.executors.get(task.executor_id)
    if executor is not None:
        executor.tasks.pop(task.task_id, None)
    checkpoint.forget_task(agent, framework, task)
    agent.touch("tasks", framework.framework_id, task.task_id)


def tidy(agent: Agent, framework: Framework) -> None:
    """Forget the framework if nothing of it is left."""
    if framework.executors or framework.tasks or framework.queues:
        return
    del agent.frameworks[framework.framework_id]
    checkpoint.forget_framework(agent, framework)
    agent.touch("frameworks", framework.framework_id)
