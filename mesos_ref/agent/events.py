"""What an agent core hears.

The first event is `Started`. A *link* is one TCP connection to a master; the core mints its id, so
frames of a link it has given up are recognised. A *container* is one run of one executor; the core
mints its id, too. A *stream* is the answer to one SUBSCRIBE of an executor.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from mesos_ref.link import FromMaster
from mesos_ref.step import MessageId
from mesos_ref.wire.executor import Call


class Started(msgspec.Struct, frozen=True):
    """The process is up. `alive`: containers that still run; `wall_us`: now, since 1970."""

    alive: tuple[str, ...] = ()
    wall_us: int = 0


class LeaderSeen(msgspec.Struct, frozen=True):
    """The detector says who leads: the reign's number, and ``http://host:port``."""

    epoch: int
    url: str


class Linked(msgspec.Struct, frozen=True):
    """The connection asked for by `Connect` stands, and the hello is sent."""

    link: str


class LinkEnded(msgspec.Struct, frozen=True):
    """A link broke, or could not be made."""

    link: str


class Frame(msgspec.Struct, frozen=True):
    """The n-th frame a master sent on a link."""

    link: str
    n: int
    frame: FromMaster


class ExecutorCall(msgspec.Struct, frozen=True):
    """An executor's HTTP request; `new_stream` is used if it is a SUBSCRIBE that is taken."""

    request: str
    id: MessageId
    framework_id: str
    executor_id: str
    call: Call
    new_stream: str


class ExecutorStreamEnded(msgspec.Struct, frozen=True):
    """An executor's event stream broke. That is not its death: it may subscribe again (EXE-4)."""

    stream: str


class ExecutorExited(msgspec.Struct, frozen=True):
    """Nothing of a container lives any more, or it could not be started (`why`).

    `status` is the raw wait status, None if unknown.
    """

    container: str
    status: int | None = None
    why: str = ""


class Tick(msgspec.Struct, frozen=True):
    """The time the core had asked for has come."""


Event: TypeAlias = (
    Started
    | LeaderSeen
    | Linked
    | LinkEnded
    | Frame
    | ExecutorCall
    | ExecutorStreamEnded
    | ExecutorExited
    | Tick
)
