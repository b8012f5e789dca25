"""What executors say: SUBSCRIBE, UPDATE, MESSAGE, each answered with a status code (API §1.7).

An executor is environment: it may say anything at any time. A call that is not whole, or comes
from somebody unknown, is refused with 4xx and changes nothing. An update is taken, that is
acknowledged to the executor, in any case; it is queued for the framework only if it is the first of
its uuid, and its task is launched and has not ended (UPD-1, UPD-3, S10).
"""

from __future__ import annotations

import base64

from mesos_ref import link
from mesos_ref.agent import executors, tasks, updates
from mesos_ref.agent.events import ExecutorCall
from mesos_ref.agent.state import Agent, Executor, Framework, Task
from mesos_ref.step import Answer, CloseStream, OpenStream
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TERMINAL_STATES, TaskStatus
from mesos_ref.wire.validate import UUID_BYTES, status_size_fault, validate_executor_call

#: Uuids remembered of each task, beside those still queued.
MAX_SEEN = 64
#: Updates of one task that may wait for their acknowledgement; its end always may.
MAX_QUEUED = 1000


def hear_call(agent: Agent, event: ExecutorCall) -> None:
    """Take a call, or refuse it."""
    call = event.call
    fault = validate_executor_call(call)
    if fault is not None:
        agent.do(Answer(event.request, 400, fault))
        return
    if call.type == "HEARTBEAT":
        agent.do(Answer(event.request, 202))
        return
    framework = agent.frameworks.get(event.framework_id)
    executor = None if framework is None else framework.executors.get(event.executor_id)
    if framework is None or not framework.hosted:
        agent.do(Answer(event.request, 400, "Framework cannot be found"))
    elif executor is None:
        agent.do(Answer(event.request, 400, "Executor cannot be found"))
    elif call.subscribe is not None and call.type == "SUBSCRIBE":
        _subscribe(agent, framework, executor, event, call.subscribe)
    elif executor.stream is None:
        agent.do(_too_early(agent, event))
    elif call.update is not None and call.type == "UPDATE":
        _update(agent, framework, executor, event, call.update.status)
    elif call.message is not None:
        _send_up(agent, executor, event, call.message.data)


def _too_early(agent: Agent, event: ExecutorCall) -> Answer:
    if agent.awaited:
        return Answer(event.request, 503, "Agent has not finished recovery")
    return Answer(event.request, 403, "Executor is not subscribed")


# Subscribing --------------------------------------------------------------------------------------


def _subscribe(
    agent: Agent,
    framework: Framework,
    executor: Executor,
    event: ExecutorCall,
    subscribe: wire.Subscribe,
) -> None:
    """`executor_subscribes`: it is there, perhaps again, and brings what we never acknowledged."""
    names = {"framework": framework.framework_id, "executor": executor.executor_id}
    agent.decided("executor_subscribes", **names)
    if executor.stream is not None:
        agent.do(CloseStream(executor.stream))
    agent.awaited.pop((framework.framework_id, executor.executor_id), None)
    agent.do(OpenStream(event.request, event.new_stream))
    executors.open_stream(agent, framework, executor, event.new_stream)
    for update in subscribe.unacknowledged_updates:
        if _is_usable(update.status):
            _take(agent, framework, executor, update.status)
    listed = frozenset(task.task_id for task in subscribe.unacknowledged_tasks)
    executors.put_to_work(agent, framework, executor, listed)


def _is_usable(status: TaskStatus) -> bool:
    """A brought update was never validated; one that could not have been sent is left out."""
    uuid = status.uuid
    is_named = uuid is not None and len(uuid) == UUID_BYTES
    return is_named and status.state != "TASK_STAGING" and status_size_fault(status) is None


# Updates ------------------------------------------------------------------------------------------


def _update(
    agent: Agent, framework: Framework, executor: Executor, event: ExecutorCall, status: TaskStatus
) -> None:
    """`executor_updates`, unless nobody has listened for so long that no more can be kept."""
    queue = framework.queues.get(status.task_id)
    full = queue is not None and len(queue.updates) >= MAX_QUEUED
    if full and status.state not in TERMINAL_STATES:
        agent.do(Answer(event.request, 503, f"{MAX_QUEUED} updates of this task wait already"))
        return
    agent.decided("executor_updates")
    agent.do(Answer(event.request, 202))
    _take(agent, framework, executor, status)


def _take(agent: Agent, framework: Framework, executor: Executor, status: TaskStatus) -> None:
    """Queue an update that says something new, and acknowledge it to the executor."""
    task = framework.tasks.get(status.task_id)
    uuid = status.uuid or b""
    if task is not None and task.phase == "launched" and _is_new(task, uuid):
        whole = updates.completed(agent, executor, status)
        if status.state in TERMINAL_STATES:
            tasks.end(agent, framework, task, whole)
        else:
            tasks.progress(agent, framework, task, whole)
    acknowledged = wire.Acknowledged(task_id=status.task_id, uuid=uuid)
    agent.tell_executor(executor, wire.Event(type="ACKNOWLEDGED", acknowledged=acknowledged))


def _is_new(task: Task, uuid: bytes) -> bool:
    """Whether this uuid was not heard before; from now on it was."""
    text = base64.b64encode(uuid).decode()
    if text in task.seen:
        return False
    task.seen[text] = None
    if len(task.seen) > MAX_SEEN:
        del task.seen[next(iter(task.seen))]
    return True


# Messages -----------------------------------------------------------------------------------------


def _send_up(agent: Agent, executor: Executor, event: ExecutorCall, data: bytes) -> None:
    """`send_up`: to the scheduler, if there is a leader to pass it on (KIL-9)."""
    agent.decided("send_up")
    agent.do(Answer(event.request, 202))
    if agent.registered:
        message = link.Message(
            epoch=agent.epoch or 0,
            framework_id=executor.framework_id,
            executor_id=executor.executor_id,
            data=data,
        )
        agent.tell_master(message)
