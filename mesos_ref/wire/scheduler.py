"""The scheduler API, `mesos.v1.scheduler`: calls a framework makes, events it hears.

A `Call` or an `Event` is an envelope: `type` names the one part that is meant.  Types we have no
part for (inverse offers, operations) keep their name, so that the master can answer them.
"""

from __future__ import annotations

import msgspec

from mesos_ref.wire import json
from mesos_ref.wire.shape import (
    AgentId,
    ExecutorId,
    FrameworkId,
    JsonObject,
    OfferId,
    TaskId,
    always,
)
from mesos_ref.wire.shape import (
    Message as WireMessage,
)
from mesos_ref.wire.v1 import (
    Filters,
    FrameworkInfo,
    Int64,
    KillPolicy,
    MasterInfo,
    Offer,
    Operation,
    TaskStatus,
)

#: Every type of call Mesos knows.
CALL_TYPES: frozenset[str] = frozenset(
    {
        "UNKNOWN",
        "SUBSCRIBE",
        "TEARDOWN",
        "ACCEPT",
        "DECLINE",
        "ACCEPT_INVERSE_OFFERS",
        "DECLINE_INVERSE_OFFERS",
        "REVIVE",
        "SUPPRESS",
        "KILL",
        "SHUTDOWN",
        "ACKNOWLEDGE",
        "ACKNOWLEDGE_OPERATION_STATUS",
        "RECONCILE",
        "RECONCILE_OPERATIONS",
        "MESSAGE",
        "REQUEST",
        "UPDATE_FRAMEWORK",
    }
)


# Calls ----------------------------------------------------------------------------------------


class Subscribe(WireMessage, frozen=True, kw_only=True):
    framework_info: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()
    offer_constraints: JsonObject | None = None


class Accept(WireMessage, frozen=True, kw_only=True):
    offer_ids: tuple[OfferId, ...] = ()
    operations: tuple[Operation, ...] = ()
    filters: Filters | None = None


class Decline(WireMessage, frozen=True, kw_only=True):
    offer_ids: tuple[OfferId, ...] = ()
    filters: Filters | None = None


class Revive(WireMessage, frozen=True, kw_only=True):
    """No roles: all of the framework's."""

    roles: tuple[str, ...] = ()


class Suppress(WireMessage, frozen=True, kw_only=True):
    """No roles: all of the framework's."""

    roles: tuple[str, ...] = ()


class Kill(WireMessage, frozen=True, kw_only=True):
    task_id: TaskId
    agent_id: AgentId | None = None
    kill_policy: KillPolicy | None = None


class Shutdown(WireMessage, frozen=True, kw_only=True):
    executor_id: ExecutorId
    agent_id: AgentId


class Acknowledge(WireMessage, frozen=True, kw_only=True):
    """`uuid` is the 16 bytes of the update that is acknowledged."""

    agent_id: AgentId
    task_id: TaskId
    uuid: bytes


class ReconcileTask(WireMessage, frozen=True, kw_only=True):
    task_id: TaskId
    agent_id: AgentId | None = None


class Reconcile(WireMessage, frozen=True, kw_only=True):
    """No tasks: implicit reconciliation, all the master knows of."""

    tasks: tuple[ReconcileTask, ...] = ()


class Message(WireMessage, frozen=True, kw_only=True):
    """Free bytes between scheduler and executor; the same part in calls and in events."""

    agent_id: AgentId
    executor_id: ExecutorId
    data: bytes


class Request(WireMessage, frozen=True, kw_only=True):
    requests: tuple[JsonObject, ...] = ()


class UpdateFramework(WireMessage, frozen=True, kw_only=True):
    framework_info: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()


class Call(WireMessage, frozen=True, kw_only=True):
    """What a framework asks.  `mesos_ref.wire.validate.validate_call` says whether it is whole."""

    type: str | None = None
    framework_id: FrameworkId | None = None
    subscribe: Subscribe | None = None
    accept: Accept | None = None
    decline: Decline | None = None
    revive: Revive | None = None
    suppress: Suppress | None = None
    kill: Kill | None = None
    shutdown: Shutdown | None = None
    acknowledge: Acknowledge | None = None
    reconcile: Reconcile | None = None
    message: Message | None = None
    request: Request | None = None
    update_framework: UpdateFramework | None = None
    accept_inverse_offers: JsonObject | None = None
    decline_inverse_offers: JsonObject | None = None
    acknowledge_operation_status: JsonObject | None = None
    reconcile_operations: JsonObject | None = None


# Events ---------------------------------------------------------------------------------------


class Subscribed(WireMessage, frozen=True, kw_only=True):
    framework_id: FrameworkId
    heartbeat_interval_seconds: float | None = None
    master_info: MasterInfo | None = None


class Offers(WireMessage, frozen=True, kw_only=True):
    offers: tuple[Offer, ...] = ()


class Rescind(WireMessage, frozen=True, kw_only=True):
    offer_id: OfferId


class Update(WireMessage, frozen=True, kw_only=True):
    status: TaskStatus


class Failure(WireMessage, frozen=True, kw_only=True):
    """An agent is lost (no `executor_id`) or an executor ended (`status`: how, or -1)."""

    agent_id: AgentId | None = None
    executor_id: ExecutorId | None = None
    status: Int64 | None = None


class Error(WireMessage, frozen=True, kw_only=True):
    """The stream is over, and why."""

    message: str = always("")


class Event(WireMessage, frozen=True, kw_only=True):
    """What a framework hears.  A client ignores a `type` it doesn't know."""

    type: str | None = None
    subscribed: Subscribed | None = None
    offers: Offers | None = None
    rescind: Rescind | None = None
    update: Update | None = None
    message: Message | None = None
    failure: Failure | None = None
    error: Error | None = None


HEARTBEAT = Event(type="HEARTBEAT")


def decode_call(raw: bytes) -> Call:
    """Read a call as Mesos would; an empty framework id counts as unset.  Raises `WireError`."""
    return tidy_call(json.decode(raw, Call))


def tidy_call(call: Call) -> Call:
    """`call` with framework ids of ``""`` unset."""
    if call.framework_id == "":
        call = msgspec.structs.replace(call, framework_id=None)
    if call.subscribe is not None and call.subscribe.framework_info.id == "":
        info = msgspec.structs.replace(call.subscribe.framework_info, id=None)
        subscribe = msgspec.structs.replace(call.subscribe, framework_info=info)
        call = msgspec.structs.replace(call, subscribe=subscribe)
    return call


def decode_event(raw: bytes) -> Event:
    """Read an event.  Raises `WireError`."""
    return json.decode(raw, Event)
