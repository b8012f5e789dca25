"""Which status a call is answered with (API §1.5, §1.7; S13).

That a call is turned away, and that it changes nothing, the specification says; with which number,
it leaves to the API, and so the judge does not look.  But a client goes by the number: on 403 it
subscribes again, on 400 it gives up that call.  Here each answer is held against the table of the
API, asked of what master or agent knew when the call came.
"""

from __future__ import annotations

from typing import Any

from mesos_ref.wire import executor, scheduler
from mesos_ref.wire.v1 import TERMINAL_STATES

#: Calls that are understood and not supported.
UNSUPPORTED = frozenset(
    {"ACKNOWLEDGE_OPERATION_STATUS", "RECONCILE_OPERATIONS", "UPDATE_FRAMEWORK"}
)
MAX_QUEUED = 1000  #: updates of one task that an agent keeps, besides its end


def due_of_master(master: Any, stream: str | None, call: scheduler.Call) -> int:
    """What a leading `master` (a core's state) must answer; 200 opens a stream."""
    if call.type == "SUBSCRIBE":
        return 200 if stream is None else 400
    framework = master.frameworks.get(call.framework_id)
    if framework is None:
        return 400
    if framework.stream is None:
        return 403
    if stream != framework.stream:
        return 400
    return 501 if call.type in UNSUPPORTED else 202


def due_of_agent(agent: Any, framework_id: str, executor_id: str, call: executor.Call) -> int:
    """What an `agent` (a core's state) must answer to an executor; 200 opens a stream."""
    framework = agent.frameworks.get(framework_id)
    there = None if framework is None else framework.executors.get(executor_id)
    if there is None:
        return 400
    if call.type == "SUBSCRIBE":
        return 200
    if there.stream is None:
        return 503 if agent.awaited else 403
    if call.update is not None:
        status = call.update.status
        queue = framework.queues.get(status.task_id)
        is_full = queue is not None and len(queue.updates) >= MAX_QUEUED
        return 503 if is_full and status.state not in TERMINAL_STATES else 202
    return 202
