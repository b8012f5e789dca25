"""The messages both APIs share: `mesos.v1` as far as a cluster needs it.

Field names and meanings are Apache Mesos' (mesos.proto).  Ids are plain strings here, see
`mesos_ref.wire.shape`.  What we only hand on (containers, health checks, discovery, labels, …) is a
`JsonObject`.  Enums are literals: an unknown name leaves an optional field unset.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from mesos_ref.wire.shape import (
    AgentId,
    ExecutorId,
    FrameworkId,
    JsonObject,
    Message,
    OfferId,
    TaskId,
    always,
)

#: uint64 of the wire (the upper bound is checked where it matters: in resources).
Count = Annotated[int, msgspec.Meta(ge=0)]

#: int64 of the wire.
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

ValueType = Literal["SCALAR", "RANGES", "SET", "TEXT"]

TaskState = Literal[
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_UNREACHABLE",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
    "TASK_UNKNOWN",
]

#: States a task never leaves.
TERMINAL_STATES: frozenset[str] = frozenset(
    {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_ERROR",
        "TASK_LOST",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
)

StatusSource = Literal["SOURCE_MASTER", "SOURCE_AGENT", "SOURCE_EXECUTOR"]

StatusReason = Literal[
    "REASON_COMMAND_EXECUTOR_FAILED",
    "REASON_EXECUTOR_TERMINATED",
    "REASON_EXECUTOR_UNREGISTERED",
    "REASON_FRAMEWORK_REMOVED",
    "REASON_GC_ERROR",
    "REASON_INVALID_FRAMEWORKID",
    "REASON_INVALID_OFFERS",
    "REASON_MASTER_DISCONNECTED",
    "REASON_CONTAINER_LIMITATION_MEMORY",
    "REASON_RECONCILIATION",
    "REASON_AGENT_DISCONNECTED",
    "REASON_AGENT_REMOVED",
    "REASON_AGENT_RESTARTED",
    "REASON_AGENT_UNKNOWN",
    "REASON_TASK_INVALID",
    "REASON_TASK_UNAUTHORIZED",
    "REASON_TASK_UNKNOWN",
    "REASON_CONTAINER_PREEMPTED",
    "REASON_RESOURCES_UNKNOWN",
    "REASON_CONTAINER_LIMITATION",
    "REASON_CONTAINER_LIMITATION_DISK",
    "REASON_CONTAINER_LAUNCH_FAILED",
    "REASON_CONTAINER_UPDATE_FAILED",
    "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
    "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
    "REASON_TASK_GROUP_INVALID",
    "REASON_TASK_GROUP_UNAUTHORIZED",
    "REASON_IO_SWITCHBOARD_EXITED",
    "REASON_TASK_CHECK_STATUS_UPDATED",
    "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
    "REASON_TASK_KILLED_DURING_LAUNCH",
    "REASON_AGENT_REMOVED_BY_OPERATOR",
    "REASON_AGENT_REREGISTERED",
    "REASON_MAX_COMPLETION_TIME_REACHED",
    "REASON_AGENT_DRAINING",
]

CapabilityType = Literal[
    "REVOCABLE_RESOURCES",
    "TASK_KILLING_STATE",
    "GPU_RESOURCES",
    "SHARED_RESOURCES",
    "PARTITION_AWARE",
    "MULTI_ROLE",
    "RESERVATION_REFINEMENT",
    "REGION_AWARE",
]

OperationType = Literal[
    "LAUNCH",
    "LAUNCH_GROUP",
    "RESERVE",
    "UNRESERVE",
    "CREATE",
    "DESTROY",
    "GROW_VOLUME",
    "SHRINK_VOLUME",
    "CREATE_DISK",
    "DESTROY_DISK",
]


# Resources ------------------------------------------------------------------------------------


class Scalar(Message, frozen=True, kw_only=True):
    """A quantity.  Three decimals count."""

    value: float


class Range(Message, frozen=True, kw_only=True):
    """The integers from `begin` to `end`, both included."""

    begin: Count
    end: Count


class Ranges(Message, frozen=True, kw_only=True):
    range: tuple[Range, ...] = ()


class Set(Message, frozen=True, kw_only=True):
    item: tuple[str, ...] = ()


class AllocationInfo(Message, frozen=True, kw_only=True):
    """The role an offered or used resource is allocated to."""

    role: str | None = None


class Resource(Message, frozen=True, kw_only=True):
    """One resource as offered or asked for; do sums with `mesos_ref.resources.Resources`.

    `role`, `reservation` and what follows are read so that they can be refused, not ignored.
    """

    written_as_is: ClassVar[bool] = True

    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: Set | None = None
    role: str | None = None
    allocation_info: AllocationInfo | None = None
    reservation: JsonObject | None = None
    reservations: tuple[JsonObject, ...] = ()
    disk: JsonObject | None = None
    revocable: JsonObject | None = None
    shared: JsonObject | None = None
    provider_id: JsonObject | None = None


class Text(Message, frozen=True, kw_only=True):
    value: str


class Attribute(Message, frozen=True, kw_only=True):
    """What an agent says of itself: ``rack:abc``, ``level:10``."""

    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: Set | None = None
    text: Text | None = None


# Who takes part -------------------------------------------------------------------------------


class Capability(Message, frozen=True, kw_only=True):
    type: CapabilityType | None = None


class FrameworkInfo(Message, frozen=True, kw_only=True):
    """What a framework says of itself.  `failover_timeout` is in seconds."""

    user: str
    name: str
    id: FrameworkId | None = None
    failover_timeout: float = always(0.0)
    checkpoint: bool = always(False)
    role: str | None = None
    roles: tuple[str, ...] = ()
    hostname: str | None = None
    principal: str | None = None
    webui_url: str | None = None
    capabilities: tuple[Capability, ...] = ()
    labels: JsonObject | None = None
    offer_filters: JsonObject | None = None


class Address(Message, frozen=True, kw_only=True):
    hostname: str | None = None
    ip: str | None = None
    port: Int64


class AgentInfo(Message, frozen=True, kw_only=True):
    """What an agent says of itself."""

    hostname: str
    port: Int64 = always(5051)
    resources: tuple[Resource, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    id: AgentId | None = None
    domain: JsonObject | None = None


class MasterInfo(Message, frozen=True, kw_only=True):
    """What a leading master says of itself.  `id` is bare text; `ip` is in network order."""

    id: str
    ip: Int64
    port: Int64 = always(5050)
    pid: str | None = None
    hostname: str | None = None
    version: str | None = None
    address: Address | None = None
    domain: JsonObject | None = None
    capabilities: tuple[JsonObject, ...] = ()


# Offers ---------------------------------------------------------------------------------------


class Url(Message, frozen=True, kw_only=True):
    scheme: str
    address: Address
    path: str | None = None


class Offer(Message, frozen=True, kw_only=True):
    """Resources of one agent, offered to one framework in one role."""

    id: OfferId
    framework_id: FrameworkId
    agent_id: AgentId
    hostname: str
    url: Url | None = None
    domain: JsonObject | None = None
    resources: tuple[Resource, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    executor_ids: tuple[ExecutorId, ...] = ()
    unavailability: JsonObject | None = None
    allocation_info: AllocationInfo | None = None


class Filters(Message, frozen=True, kw_only=True):
    """How long declined resources are not offered again, in seconds."""

    refuse_seconds: float = always(5.0)


# Tasks ----------------------------------------------------------------------------------------


class DurationInfo(Message, frozen=True, kw_only=True):
    nanoseconds: Int64


class KillPolicy(Message, frozen=True, kw_only=True):
    grace_period: DurationInfo | None = None


class Uri(Message, frozen=True, kw_only=True):
    value: str
    executable: bool | None = None
    extract: bool = always(True)
    cache: bool | None = None
    output_file: str | None = None


class Variable(Message, frozen=True, kw_only=True):
    name: str
    type: Literal["VALUE", "SECRET"] = always("VALUE")
    value: str | None = None
    secret: JsonObject | None = None


class Environment(Message, frozen=True, kw_only=True):
    variables: tuple[Variable, ...] = ()


class CommandInfo(Message, frozen=True, kw_only=True):
    """With `shell`, ``/bin/sh -c value``; without, exec `value` with `arguments` as its argv."""

    uris: tuple[Uri, ...] = ()
    environment: Environment | None = None
    shell: bool = always(True)
    value: str | None = None
    arguments: tuple[str, ...] = ()
    user: str | None = None


class ExecutorInfo(Message, frozen=True, kw_only=True):
    type: Literal["DEFAULT", "CUSTOM"] | None = None
    executor_id: ExecutorId
    framework_id: FrameworkId | None = None
    command: CommandInfo | None = None
    container: JsonObject | None = None
    resources: tuple[Resource, ...] = ()
    name: str | None = None
    source: str | None = None
    data: bytes | None = None
    discovery: JsonObject | None = None
    shutdown_grace_period: DurationInfo | None = None
    labels: JsonObject | None = None


class TaskInfo(Message, frozen=True, kw_only=True):
    """What to run, and with what.  Exactly one of `executor` and `command`, outside of groups."""

    name: str
    task_id: TaskId
    agent_id: AgentId
    resources: tuple[Resource, ...] = ()
    executor: ExecutorInfo | None = None
    command: CommandInfo | None = None
    container: JsonObject | None = None
    health_check: JsonObject | None = None
    check: JsonObject | None = None
    kill_policy: KillPolicy | None = None
    data: bytes | None = None
    labels: JsonObject | None = None
    discovery: JsonObject | None = None
    max_completion_time: DurationInfo | None = None
    limits: JsonObject | None = None


class TaskGroup(Message, frozen=True, kw_only=True):
    tasks: tuple[TaskInfo, ...] = ()


class Launch(Message, frozen=True, kw_only=True):
    task_infos: tuple[TaskInfo, ...] = ()


class LaunchGroup(Message, frozen=True, kw_only=True):
    executor: ExecutorInfo
    task_group: TaskGroup


class Operation(Message, frozen=True, kw_only=True):
    """One thing to do with offered resources.  All but the launches are kept unread."""

    type: OperationType | None = None
    id: JsonObject | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    reserve: JsonObject | None = None
    unreserve: JsonObject | None = None
    create: JsonObject | None = None
    destroy: JsonObject | None = None
    grow_volume: JsonObject | None = None
    shrink_volume: JsonObject | None = None
    create_disk: JsonObject | None = None
    destroy_disk: JsonObject | None = None


class TimeInfo(Message, frozen=True, kw_only=True):
    nanoseconds: Int64


class TaskStatus(Message, frozen=True, kw_only=True):
    """What became of a task.  `uuid` is there iff the update must be acknowledged.

    `timestamp` is in seconds since 1970.  Everything an executor says is handed on whole.
    """

    task_id: TaskId
    state: TaskState
    message: str | None = None
    source: StatusSource | None = None
    reason: StatusReason | None = None
    data: bytes | None = None
    agent_id: AgentId | None = None
    executor_id: ExecutorId | None = None
    timestamp: float | None = None
    uuid: bytes | None = None
    healthy: bool | None = None
    check_status: JsonObject | None = None
    labels: JsonObject | None = None
    container_status: JsonObject | None = None
    unreachable_time: TimeInfo | None = None
    limitation: JsonObject | None = None
