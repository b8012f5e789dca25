"""Whether a call is whole: what Mesos checks before it looks at any state.

Each check is a pure function that returns None, or the sentence a caller reads in a 400 answer.
Sources: Mesos' scheduler and executor call validation (src/master/validation.cpp,
src/slave/validation.cpp), and the rules for ids (src/common/validation.cpp).

Mesos has no limit to what is handed on between schedulers and executors. Here it travels in frames
of the agent link, which have one; what would not fit is refused at the door.
"""

from __future__ import annotations

from mesos_ref.wire import executor, json, scheduler
from mesos_ref.wire.v1 import TaskStatus

UUID_BYTES = 16
MAX_ID_CHARACTERS = 255
#: Longest message between a scheduler and an executor.
MAX_DATA_BYTES = 512 * 1024
#: Longest status of a task, as JSON.
MAX_STATUS_BYTES = 512 * 1024

#: Calls that say everything with their type alone.
_BARE = frozenset({"UNKNOWN", "TEARDOWN", "REVIVE", "SUPPRESS"})


def validate_call(call: scheduler.Call, principal: str | None = None) -> str | None:
    """What is wrong with a scheduler's call, whoever makes it.

    `principal` is who the caller proved to be, None without authentication.
    """
    reason = _call_fault(call, principal)
    return None if reason is None else f"Failed to validate scheduler::Call: {reason}"


def _call_fault(call: scheduler.Call, principal: str | None) -> str | None:
    if call.type is None or call.type not in scheduler.CALL_TYPES:
        return "Expecting 'type' to be present"
    part = call.type.lower()
    if call.type not in _BARE and getattr(call, part) is None:
        return f"Expecting '{part}' to be present"
    if call.type == "SUBSCRIBE":
        return _subscribe_fault(call, principal)
    if call.framework_id is None:
        return "Expecting 'framework_id' to be present"
    return _part_fault(call)


def _part_fault(call: scheduler.Call) -> str | None:
    """What is wrong with what the type names; much of it is handed on to an agent."""
    match call.type:
        case "ACKNOWLEDGE" if call.acknowledge is not None:
            return uuid_fault(call.acknowledge.uuid, "acknowledge.uuid") or _named_id_fault(
                call.acknowledge.task_id, "acknowledge.task_id"
            )
        case "SHUTDOWN" if call.shutdown is not None:
            return _named_id_fault(call.shutdown.executor_id, "shutdown.executor_id")
        case "MESSAGE" if call.message is not None:
            return _named_id_fault(call.message.executor_id, "message.executor_id") or _data_fault(
                call.message.data
            )
        case "UPDATE_FRAMEWORK" if call.update_framework is not None:
            if call.update_framework.framework_info.id != call.framework_id:
                return "'framework_id' differs from 'update_framework.framework_info.id'"
    return None


def _named_id_fault(text: str, where: str) -> str | None:
    fault = id_fault(text)
    return None if fault is None else f"'{where}' is invalid: {fault}"


def _data_fault(data: bytes) -> str | None:
    if len(data) <= MAX_DATA_BYTES:
        return None
    return f"'message.data' has {len(data)} bytes; at most {MAX_DATA_BYTES} are taken"


def _subscribe_fault(call: scheduler.Call, principal: str | None) -> str | None:
    assert call.subscribe is not None
    info = call.subscribe.framework_info
    if (call.framework_id or None) != (info.id or None):
        return "'framework_id' differs from 'subscribe.framework_info.id'"
    if principal is not None and info.principal not in (None, principal):
        return (
            f"Authenticated principal '{principal}' does not match principal "
            f"'{info.principal}' set in `FrameworkInfo`"
        )
    return None


def validate_executor_call(call: executor.Call) -> str | None:
    """What is wrong with an executor's call, whatever the agent knows of it."""
    reason = _executor_call_fault(call)
    return None if reason is None else f"Failed to validate executor::Call: {reason}"


def _executor_call_fault(call: executor.Call) -> str | None:
    if call.type is None or call.type not in executor.CALL_TYPES:
        return "Expecting 'type' to be present"
    part = call.type.lower()
    if call.type != "HEARTBEAT" and getattr(call, part) is None:
        return f"Expecting '{part}' to be present"
    if call.type == "MESSAGE" and call.message is not None:
        return _data_fault(call.message.data)
    if call.type == "UPDATE" and call.update is not None:
        return _update_fault(call, call.update.status)
    return None


def _update_fault(call: executor.Call, status: TaskStatus) -> str | None:
    if status.uuid is None:
        return "Expecting 'uuid' to be present"
    if status.executor_id is not None and status.executor_id != call.executor_id:
        return "ExecutorID in Call doesn't match ExecutorID in TaskStatus"
    if status.source != "SOURCE_EXECUTOR":
        return "Received Call from executor with invalid source: expecting 'SOURCE_EXECUTOR'"
    if status.state == "TASK_STAGING":
        return "Received TASK_STAGING from executor, which is not allowed"
    return uuid_fault(status.uuid, "update.status.uuid") or status_size_fault(status)


def status_size_fault(status: TaskStatus) -> str | None:
    """Why `status` is too much for a frame of the agent link."""
    size = json.size(status)
    if size <= MAX_STATUS_BYTES:
        return None
    return f"'update.status' has {size} bytes; at most {MAX_STATUS_BYTES} are taken"


def uuid_fault(uuid: bytes, where: str) -> str | None:
    """Why `uuid` names no update."""
    if len(uuid) == UUID_BYTES:
        return None
    return f"Expecting '{where}' to be {UUID_BYTES} bytes, but it has {len(uuid)}"


def id_fault(text: str) -> str | None:
    """Why `text` can't be the id of a task or an executor: it becomes part of a path."""
    if not text:
        return "ID must not be empty"
    if len(text) > MAX_ID_CHARACTERS:
        return f"ID must not be longer than {MAX_ID_CHARACTERS} characters, but has {len(text)}"
    if text in (".", ".."):
        return f"'{text}' is disallowed"
    if any(c in "/\\" or _is_control(c) for c in text):
        return f"{text!r} contains an invalid character: a control character, '/' or '\\'"
    return None


def _is_control(character: str) -> bool:
    return ord(character) < 0x20 or ord(character) == 0x7F
