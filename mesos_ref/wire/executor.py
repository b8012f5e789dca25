"""The executor API, `mesos.v1.executor`: calls an executor makes to its agent, events it hears."""

from __future__ import annotations

from mesos_ref.wire import json
from mesos_ref.wire.shape import (
    ContainerId,
    ExecutorId,
    FrameworkId,
    TaskId,
    always,
)
from mesos_ref.wire.shape import (
    Message as WireMessage,
)
from mesos_ref.wire.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    KillPolicy,
    TaskGroup,
    TaskInfo,
    TaskStatus,
)

#: Every type of call Mesos knows.
CALL_TYPES: frozenset[str] = frozenset({"SUBSCRIBE", "UPDATE", "MESSAGE", "HEARTBEAT"})


# Calls ----------------------------------------------------------------------------------------


class Update(WireMessage, frozen=True, kw_only=True):
    status: TaskStatus


class Subscribe(WireMessage, frozen=True, kw_only=True):
    """Carries what the agent has not yet acknowledged."""

    unacknowledged_tasks: tuple[TaskInfo, ...] = ()
    unacknowledged_updates: tuple[Update, ...] = ()


class Message(WireMessage, frozen=True, kw_only=True):
    """Free bytes; the same part in calls and in events."""

    data: bytes


class Call(WireMessage, frozen=True, kw_only=True):
    """What an executor says.  See `mesos_ref.wire.validate.validate_executor_call`."""

    executor_id: ExecutorId
    framework_id: FrameworkId
    type: str | None = None
    subscribe: Subscribe | None = None
    update: Update | None = None
    message: Message | None = None


# Events ---------------------------------------------------------------------------------------


class Subscribed(WireMessage, frozen=True, kw_only=True):
    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: ContainerId | None = None


class Launch(WireMessage, frozen=True, kw_only=True):
    task: TaskInfo


class LaunchGroup(WireMessage, frozen=True, kw_only=True):
    task_group: TaskGroup


class Kill(WireMessage, frozen=True, kw_only=True):
    task_id: TaskId
    kill_policy: KillPolicy | None = None


class Acknowledged(WireMessage, frozen=True, kw_only=True):
    """The agent has the update; the executor may forget it."""

    task_id: TaskId
    uuid: bytes


class Error(WireMessage, frozen=True, kw_only=True):
    message: str = always("")


class Event(WireMessage, frozen=True, kw_only=True):
    """What an executor hears.  It ignores a `type` it doesn't know."""

    type: str | None = None
    subscribed: Subscribed | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    kill: Kill | None = None
    acknowledged: Acknowledged | None = None
    message: Message | None = None
    error: Error | None = None


HEARTBEAT = Event(type="HEARTBEAT")
SHUTDOWN = Event(type="SHUTDOWN")


def decode_call(raw: bytes) -> Call:
    """Read a call as Mesos would.  Raises `WireError`."""
    return json.decode(raw, Call)


def decode_event(raw: bytes) -> Event:
    """Read an event.  Raises `WireError`."""
    return json.decode(raw, Event)
