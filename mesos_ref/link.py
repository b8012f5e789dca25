"""The agent link: what a master and an agent say to each other over one TCP connection.

The agent connects and sends `Hello` with a connection id it has just minted; from then on both
sides send frames. On the wire a frame is a 4-byte big-endian length and that many bytes of JSON:

    {"kind": "Ping", "n": 3, "epoch": 1, "connected": true}

`n` counts a direction's frames on this connection from 0, `epoch` is the leader's (S19). Ids of our
own fields are plain strings; messages of the v1 API inside (`TaskInfo`, `TaskStatus`, …) look as
they do over HTTP. Reading is as patient as that API, since executors' own words travel here.
"""

import struct
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec

from mesos_ref.wire import json
from mesos_ref.wire.shape import Message as WireMessage
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    KillPolicy,
    Resource,
    TaskInfo,
    TaskState,
    TaskStatus,
)

VERSION: Final = 1

#: Longest frame of any kind but these two.
MAX_FRAME_BYTES: Final = 1 << 20
#: Longest `Register` and `Registered`: they may list all tasks of an agent.
MAX_REGISTER_BYTES: Final = 16 << 20
_LONG_KINDS: Final = frozenset({"Register", "Registered"})
#: Longest an agent may go on about itself; it is told to all frameworks in each offer.
MAX_AGENT_INFO_BYTES: Final = 64 * 1024
PREFIX_BYTES: Final = 4

Count = Annotated[int, msgspec.Meta(ge=0)]


class LinkError(ValueError):
    """A frame that can't be sent or understood; the sentence says what is wrong with it."""


class Hello(WireMessage, frozen=True, kw_only=True):
    """The first bytes of a link: which protocol, and what this connection is called."""

    version: Count
    connection: str


class Frame(WireMessage, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """What both directions share. `epoch` is the reign this frame belongs to."""

    epoch: Count


# What a Register is made of -----------------------------------------------------------------------


class TaskReport(WireMessage, frozen=True, kw_only=True):
    """A task as its agent knows it. A terminal one is here until its last update is acknowledged.

    `state` is the latest; `status_state` and `status_uuid` describe the oldest update that is not
    acknowledged, if there is one. `info` is what a master shows of a task: it lacks `command`,
    `executor` and `data`, which may be long, as in Mesos' own `Task`.
    """

    framework_id: str
    task_id: str
    name: str
    role: str
    executor_id: str | None = None
    resources: tuple[Resource, ...] = ()
    state: TaskState
    status_state: TaskState | None = None
    status_uuid: bytes | None = None
    killed: bool = False
    info: TaskInfo


class ExecutorReport(WireMessage, frozen=True, kw_only=True):
    """A custom executor that lives on the agent."""

    framework_id: str
    executor_id: str
    role: str
    resources: tuple[Resource, ...] = ()
    info: ExecutorInfo | None = None


# Agent to master ----------------------------------------------------------------------------------


class Register(Frame, frozen=True, kw_only=True):
    """Who the agent is and what it runs. `newest_epoch` is the newest leader it has heard of."""

    agent_id: str
    info: AgentInfo
    ip: str = "127.0.0.1"
    version: str
    tasks: tuple[TaskReport, ...] = ()
    executors: tuple[ExecutorReport, ...] = ()
    frameworks: tuple[FrameworkInfo, ...] = ()
    newest_epoch: Count


class Pong(Frame, frozen=True, kw_only=True):
    """The answer to a Ping."""


class Update(Frame, frozen=True, kw_only=True):
    """The oldest unacknowledged update of a task, and the task's latest state (UPD-6)."""

    framework_id: str
    status: TaskStatus
    latest_state: TaskState


class Exited(Frame, frozen=True, kw_only=True):
    """A custom executor has ended; `status` is its exit status, None if unknown."""

    framework_id: str
    executor_id: str
    status: int | None = None


class Message(Frame, frozen=True, kw_only=True):
    """Free bytes between a scheduler and its executor, both ways, at most once (KIL-9)."""

    framework_id: str
    executor_id: str
    data: bytes


# Master to agent ----------------------------------------------------------------------------------


class TaskKey(WireMessage, frozen=True, kw_only=True):
    """A task's full name."""

    framework_id: str
    task_id: str


class Registered(Frame, frozen=True, kw_only=True):
    """The agent is admitted. It answers for each task in `reconcile` that it lacks (AGT-9)."""

    agent_id: str
    reconcile: tuple[TaskKey, ...] = ()


class Ping(Frame, frozen=True, kw_only=True):
    """Are you there? `connected` is whether the master takes this agent for registered (AGT-8)."""

    connected: bool


class RunTask(Frame, frozen=True, kw_only=True):
    """Run a task. Without `executor` it is a command task, and its executor is named like it."""

    framework: FrameworkInfo
    task: TaskInfo
    role: str
    executor: ExecutorInfo | None = None
    launch_executor: bool


class Kill(Frame, frozen=True, kw_only=True):
    """Kill a task."""

    framework_id: str
    task_id: str
    kill_policy: KillPolicy | None = None


class Ack(Frame, frozen=True, kw_only=True):
    """The framework has seen the update with this uuid."""

    framework_id: str
    task_id: str
    uuid: bytes


class ShutdownExecutor(Frame, frozen=True, kw_only=True):
    """End one executor."""

    framework_id: str
    executor_id: str


class ShutdownFramework(Frame, frozen=True, kw_only=True):
    """End everything of a framework that was removed."""

    framework_id: str


class UpdateFramework(Frame, frozen=True, kw_only=True):
    """The framework has subscribed again; send what waits for it (UPD-9)."""

    framework: FrameworkInfo


class Shutdown(Frame, frozen=True, kw_only=True):
    """The agent may not join, and why."""

    message: str = ""


FromAgent: TypeAlias = Register | Pong | Update | Exited | Message
FromMaster: TypeAlias = (
    Registered
    | Ping
    | RunTask
    | Kill
    | Ack
    | ShutdownExecutor
    | ShutdownFramework
    | UpdateFramework
    | Message
    | Shutdown
)

_FROM_AGENT: dict[str, type[FromAgent]] = {
    kind.__name__: kind for kind in (Register, Pong, Update, Exited, Message)
}
_FROM_MASTER: dict[str, type[FromMaster]] = {
    kind.__name__: kind
    for kind in (
        *(Registered, Ping, RunTask, Kill, Ack),
        *(ShutdownExecutor, ShutdownFramework, UpdateFramework, Message, Shutdown),
    )
}


class _Envelope(msgspec.Struct):
    """What is read first of a frame."""

    kind: str
    n: Count


# Writing ------------------------------------------------------------------------------------------


def encode(frame: Frame, n: int) -> bytes:
    """`frame` as the n-th of its direction, ready to send. Raises `LinkError` if it is too long."""
    kind = type(frame).__name__
    head = b'{"kind":"%s","n":%d,' % (kind.encode(), n)
    body = head + json.encode(frame)[1:]
    limit = longest(kind)
    if len(body) > limit:
        raise LinkError(f"a {kind} of {len(body)} bytes is too long: at most {limit} are sent")
    return struct.pack(">I", len(body)) + body


def encode_hello(hello: Hello) -> bytes:
    """The first bytes on a link."""
    body = b'{"kind":"Hello",' + json.encode(hello)[1:]
    return struct.pack(">I", len(body)) + body


def plain(frame: Frame) -> dict[str, Any]:
    """`frame` as the plain data its JSON holds, without `n`: what a trace shows."""
    return {"kind": type(frame).__name__, **json.to_builtins(frame)}


# Reading ------------------------------------------------------------------------------------------


def longest(kind: str) -> int:
    """How many bytes a frame of this kind may have."""
    return MAX_REGISTER_BYTES if kind in _LONG_KINDS else MAX_FRAME_BYTES


def body_length(prefix: bytes, limit: int = MAX_REGISTER_BYTES) -> int:
    """How many bytes follow a frame's 4-byte prefix. Raises `LinkError` beyond `limit`."""
    if len(prefix) != PREFIX_BYTES:
        raise LinkError(f"a frame starts with {PREFIX_BYTES} bytes of length, not {len(prefix)}")
    length: int = struct.unpack(">I", prefix)[0]
    if not 2 <= length <= limit:
        raise LinkError(f"a frame of {length} bytes: expected 2 to {limit}")
    return length


def decode_from_agent(body: bytes) -> tuple[int, FromAgent]:
    """A frame's ordinal, and what an agent said. Raises `LinkError`."""
    kind, n = _open(body)
    known = _FROM_AGENT.get(kind)
    if known is None:
        raise LinkError(f"an agent sends no {kind!r}; it sends {', '.join(_FROM_AGENT)}")
    _refuse_long(kind, body)
    frame = _read(body, known)
    if isinstance(frame, Register):
        _refuse_garbage(frame.info)
    return n, frame


def decode_from_master(body: bytes) -> tuple[int, FromMaster]:
    """A frame's ordinal, and what a master said. Raises `LinkError`."""
    kind, n = _open(body)
    known = _FROM_MASTER.get(kind)
    if known is None:
        raise LinkError(f"a master sends no {kind!r}; it sends {', '.join(_FROM_MASTER)}")
    _refuse_long(kind, body)
    return n, _read(body, known)


def _refuse_long(kind: str, body: bytes) -> None:
    if len(body) > longest(kind):
        raise LinkError(f"a {kind} of {len(body)} bytes: expected at most {longest(kind)}")


def _refuse_garbage(info: AgentInfo) -> None:
    if not 0 <= info.port <= 65535:
        raise LinkError(f"an agent's port is 0 to 65535, not {info.port}")
    size = json.size(info)
    if size > MAX_AGENT_INFO_BYTES:
        raise LinkError(f"an AgentInfo of {size} bytes: expected at most {MAX_AGENT_INFO_BYTES}")


def decode_hello(body: bytes) -> Hello:
    """The first frame of a link. Raises `LinkError`."""
    hello = _read(body, Hello)
    if hello.version != VERSION:
        raise LinkError(f"the link speaks version {hello.version}; this master speaks {VERSION}")
    if not 1 <= len(hello.connection) <= 64 or not hello.connection.isascii():
        raise LinkError(f"a connection id is 1 to 64 ASCII characters, not {hello.connection!r}")
    return hello


Wanted = TypeVar("Wanted", bound=WireMessage)

_envelopes = msgspec.json.Decoder(_Envelope)


def _open(body: bytes) -> tuple[str, int]:
    try:
        envelope = _envelopes.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LinkError(f"not a frame: {error}") from None
    return envelope.kind, envelope.n


def _read(body: bytes, wanted: type[Wanted]) -> Wanted:
    try:
        return json.decode(body, wanted)
    except WireError as error:
        raise LinkError(f"a {wanted.__name__} that can't be read: {error}") from None
