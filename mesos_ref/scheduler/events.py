"""What a scheduler core hears.

A *connection* is one attempt at a subscription: the core mints its id, and everything said and
heard while it lasts belongs to it. So whatever comes from a connection the core has given up is
recognised, and ignored. A *stream* is the master's name for the same subscription
(Mesos-Stream-Id), known from the moment it answers.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from mesos_ref.wire import scheduler as wire


class LeaderSeen(msgspec.Struct, frozen=True):
    """The detector says who leads: the reign's number, and ``http://host:port``."""

    epoch: int
    url: str


class Connected(msgspec.Struct, frozen=True):
    """The leader can be spoken to, as asked for by `Connect`."""

    connection: str


class StreamOpened(msgspec.Struct, frozen=True):
    """SUBSCRIBE was answered with 200, and this Mesos-Stream-Id. SUBSCRIBED is yet to come."""

    connection: str
    stream: str


class SubscribeFailed(msgspec.Struct, frozen=True):
    """There is no connection (`status` 0), or SUBSCRIBE was answered with something else."""

    connection: str
    status: int
    text: str = ""


class EventHeard(msgspec.Struct, frozen=True):
    """The n-th event of a stream; SUBSCRIBED is number 0, heartbeats don't count."""

    stream: str
    n: int
    event: wire.Event


class Heartbeat(msgspec.Struct, frozen=True):
    """The master is alive and has nothing to say."""

    stream: str


class StreamEnded(msgspec.Struct, frozen=True):
    """The stream has ended or broken, whoever did it."""

    stream: str


class Asked(msgspec.Struct, frozen=True):
    """The user's code wants this call made. Its framework id is filled in."""

    call: wire.Call


class Seen(msgspec.Struct, frozen=True):
    """The user's code has handled an update that carries a uuid (UPD-12)."""

    task_id: str
    agent_id: str
    uuid: bytes


class CallAnswered(msgspec.Struct, frozen=True):
    """The n-th call of a connection was answered; 0: the connection broke before."""

    connection: str
    n: int
    status: int
    text: str = ""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed: `next_deadline` is reached."""


Event: TypeAlias = (
    LeaderSeen
    | Connected
    | StreamOpened
    | SubscribeFailed
    | EventHeard
    | Heartbeat
    | StreamEnded
    | Asked
    | Seen
    | CallAnswered
    | Tick
)
