"""What the parts of a cluster say to each other, cut down to what the specification compares.

    master ⇄ agent       frames on a link; each carries the epoch of the reign it belongs to (S19)
    scheduler → master   calls on a line, the connection of one subscription
    master → scheduler   events on the stream that answers the line's SUBSCRIBE
    agent → executor     events on the executor's stream (what executors say are bound names)

Task states, sources and reasons are the words of the wire.  Left out: texts, times, labels, host
names, kill policies, and whatever else no rule in `mesos_spec` depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mesos_spec.ids import (
    AgentId,
    Epoch,
    ExecutorKey,
    FrameworkId,
    OfferId,
    Role,
    StreamId,
    TaskId,
    Uuid,
)  # fmt: skip
from mesos_spec.kernel import Table
from mesos_spec.resources import NOTHING, Resources


# ---- what messages are made of -------------------------------------------------------------
class FrameworkInfo(NamedTuple):
    """What a FrameworkInfo says that matters here."""

    roles: tuple[Role, ...]
    partition_aware: bool = False
    checkpoint: bool = True


class Status(NamedTuple):
    """A reliable status update, as an agent queues it."""

    state: str
    source: str
    reason: str | None
    uuid: Uuid


class TaskReport(NamedTuple):
    """A task, as its agent tells a master that may not know it.

    `told` and `uuid` are of the oldest update that waits for its acknowledgement.
    """

    role: Role
    resources: Resources
    executor: str | None  #: None for a command task
    state: str
    told: str | None = None
    uuid: Uuid | None = None
    killed: bool = False


class ExecutorReport(NamedTuple):
    """A custom executor, as its agent tells a master that may not know it."""

    role: Role
    resources: Resources


class TaskAsk(NamedTuple):
    """A task that a framework wants launched."""

    task: TaskId
    agent: AgentId
    resources: Resources
    executor: str | None = None  #: None: a command task
    executor_resources: Resources = NOTHING
    flaw: str | None = None  #: why it can't be launched, by a rule that is not in here (§6)


# ---- frames: agent → master ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Register:
    """Who the agent is, what it has, and what it runs (AGT-2, R1)."""

    epoch: Epoch
    total: Resources
    tasks: Table[TaskId, TaskReport]
    executors: Table[ExecutorKey, ExecutorReport]
    frameworks: Table[FrameworkId, FrameworkInfo]
    usable: bool = True  #: version and declaration are in order (AGT-1)


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a Ping."""

    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Update:
    """The oldest unacknowledged update of a task, and the task's latest state (UPD-6)."""

    epoch: Epoch
    task: TaskId
    status: Status
    latest: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A custom executor has ended (EXE-5)."""

    epoch: Epoch
    executor: ExecutorKey
    status: int | None = None


@dataclass(frozen=True, slots=True)
class FromExecutor:
    """Free bytes from an executor to its scheduler (KIL-9)."""

    epoch: Epoch
    executor: ExecutorKey
    data: str


FrameUp = Register | Pong | Update | Exited | FromExecutor


# ---- frames: master → agent ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Registered:
    """The agent is admitted; it answers for the tasks in `reconcile` that it lacks (AGT-9)."""

    epoch: Epoch
    reconcile: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?  And does the master take you for registered (AGT-8)?"""

    epoch: Epoch
    connected: bool = True


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run a task; its executor is to be started, or is there already (LCH-4)."""

    epoch: Epoch
    task: TaskId
    role: Role
    resources: Resources
    framework: FrameworkInfo
    executor: str | None = None
    executor_resources: Resources = NOTHING
    launch_executor: bool = True


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill a task."""

    epoch: Epoch
    task: TaskId


@dataclass(frozen=True, slots=True)
class Ack:
    """The framework has seen this update."""

    epoch: Epoch
    task: TaskId
    uuid: Uuid


@dataclass(frozen=True, slots=True)
class ShutdownExecutor:
    """End one executor."""

    epoch: Epoch
    executor: ExecutorKey


@dataclass(frozen=True, slots=True)
class ShutdownFramework:
    """End everything of a framework that was removed."""

    epoch: Epoch
    framework: FrameworkId


@dataclass(frozen=True, slots=True)
class UpdateFramework:
    """The framework has subscribed again: send what waits for it (UPD-9)."""

    epoch: Epoch
    framework: FrameworkId
    info: FrameworkInfo


@dataclass(frozen=True, slots=True)
class ToExecutor:
    """Free bytes from a scheduler to its executor (KIL-9)."""

    epoch: Epoch
    executor: ExecutorKey
    data: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The agent may not join (AGT-1)."""

    epoch: Epoch


FrameDown = (
    Registered
    | Ping
    | RunTask
    | Kill
    | Ack
    | ShutdownExecutor
    | ShutdownFramework
    | UpdateFramework
    | ToExecutor
    | Shutdown
)


# ---- calls: scheduler → master -------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Subscribe:
    """SUBSCRIBE: take me on, as a new framework or as this one."""

    framework: FrameworkId | None
    info: FrameworkInfo
    suppressed: tuple[Role, ...] = ()
    usable: bool = True  #: its FrameworkInfo is in order (FWK-7)


@dataclass(frozen=True, slots=True)
class Call:
    """What every later call says: who calls, and on which stream it listens (S13)."""

    framework: FrameworkId
    stream: StreamId


@dataclass(frozen=True, slots=True)
class Accept(Call):
    """ACCEPT: launch these tasks on these offers."""

    offers: tuple[OfferId, ...]
    tasks: tuple[TaskAsk, ...] = ()
    filtered: bool = True  #: refuse_seconds is above 0


@dataclass(frozen=True, slots=True)
class Decline(Call):
    """DECLINE: I do not want these offers."""

    offers: tuple[OfferId, ...]
    filtered: bool = True


@dataclass(frozen=True, slots=True)
class Revive(Call):
    """REVIVE: offer me again, in these roles (all if none is named)."""

    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Suppress(Call):
    """SUPPRESS: no more offers, in these roles (all if none is named)."""

    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class KillTask(Call):
    """KILL: end a task."""

    task: TaskId
    agent: AgentId | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge(Call):
    """ACKNOWLEDGE: I have seen this update."""

    agent: AgentId
    task: TaskId
    uuid: Uuid


@dataclass(frozen=True, slots=True)
class Reconcile(Call):
    """RECONCILE: how are these tasks (with the agent, if known)?  All of them, if none is named."""

    tasks: tuple[tuple[TaskId, AgentId | None], ...] = ()


@dataclass(frozen=True, slots=True)
class EndExecutor(Call):
    """SHUTDOWN: end an executor."""

    agent: AgentId
    executor: str


@dataclass(frozen=True, slots=True)
class SendMessage(Call):
    """MESSAGE: free bytes for an executor."""

    agent: AgentId
    executor: str
    data: str


@dataclass(frozen=True, slots=True)
class Teardown(Call):
    """TEARDOWN: the framework is done."""


@dataclass(frozen=True, slots=True)
class OtherCall(Call):
    """A call that this edition has no rule for (REQUEST, UPDATE_FRAMEWORK, …)."""

    type: str


AnyCall = Subscribe | Call


# ---- events: master → scheduler ------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBSCRIBED: you are this framework."""

    framework: FrameworkId


@dataclass(frozen=True, slots=True)
class Error:
    """ERROR: you are not subscribed, and will not be."""


@dataclass(frozen=True, slots=True)
class Offers:
    """OFFERS: resources of an agent, promised to you in a role.  (One offer an event.)"""

    offer: OfferId
    role: Role
    resources: Resources


@dataclass(frozen=True, slots=True)
class Rescind:
    """RESCIND: the offer is off."""

    offer: OfferId


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """UPDATE: how a task is.  With a uuid it is reliable, and wants an acknowledgement."""

    task: TaskId
    agent: AgentId | None
    state: str
    source: str
    reason: str | None
    uuid: Uuid | None = None


#: What a FAILURE says of an executor whose exit status nobody knows, as one that never started.
UNKNOWN_STATUS = -1


@dataclass(frozen=True, slots=True)
class Failure:
    """FAILURE: an executor has ended, with a status; or, without one, an agent is gone."""

    agent: AgentId
    executor: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """MESSAGE: free bytes from an executor."""

    agent: AgentId
    executor: str
    data: str


Event = Subscribed | Error | Offers | Rescind | TaskUpdate | Failure | Message


# ---- events: agent → executor --------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ExecutorSubscribed:
    """SUBSCRIBED: the agent knows you."""


@dataclass(frozen=True, slots=True)
class LaunchTask:
    """LAUNCH: start this task."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class StopTask:
    """KILL: end this task."""

    task: TaskId


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """ACKNOWLEDGED: the agent has your update, and will not lose it."""

    task: TaskId
    uuid: Uuid


@dataclass(frozen=True, slots=True)
class StopExecutor:
    """SHUTDOWN: end everything, and yourself."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """MESSAGE: free bytes from your scheduler."""

    data: str


ToldExecutor = ExecutorSubscribed | LaunchTask | StopTask | Acknowledged | StopExecutor | Deliver


# ---- what executors say --------------------------------------------------------------------
class ExecutorUpdate(NamedTuple):
    """UPDATE: a task of the executor is in a new state."""

    task: TaskId
    state: str
    uuid: Uuid
    reason: str | None = None
