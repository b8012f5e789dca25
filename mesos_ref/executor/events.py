"""What a command executor hears.

Whatever comes from its agent names the connection it came on, an ordinal the core gave out itself:
news of a connection it has given up changes nothing.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from mesos_ref.wire.executor import Event as ExecutorEvent


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The executor's process is up.  The first event."""


class StreamOpened(msgspec.Struct, frozen=True, tag="stream_opened"):
    """The agent answered our SUBSCRIBE with 200; its events follow."""

    connection: int


class EventHeard(msgspec.Struct, frozen=True, tag="event"):
    """The `n`-th event of the stream, HEARTBEATs not counted."""

    connection: int
    n: int
    event: ExecutorEvent


class SubscribeFailed(msgspec.Struct, frozen=True, tag="subscribe_failed"):
    """The agent answered our SUBSCRIBE with anything but 200."""

    connection: int
    status: int
    text: str = ""


class StreamEnded(msgspec.Struct, frozen=True, tag="stream_ended"):
    """No connection, or none any more."""

    connection: int


class CallFailed(msgspec.Struct, frozen=True, tag="call_failed"):
    """A call of this connection was not answered with 202; `status` None: not at all."""

    connection: int
    status: int | None


class CommandStarted(msgspec.Struct, frozen=True, tag="command_started"):
    """The task's command runs."""

    pid: int


class CommandNotStarted(msgspec.Struct, frozen=True, tag="command_not_started"):
    """It could not be started; `why` is for the user."""

    why: str


class CommandEnded(msgspec.Struct, frozen=True, tag="command_ended"):
    """The command has ended and nothing it started is left: an exit code, or a signal's name."""

    exit_code: int | None = None
    signal: str | None = None


class Terminated(msgspec.Struct, frozen=True, tag="terminated"):
    """Somebody asked this process to end (SIGTERM)."""


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """`next_deadline` has come."""


Event: TypeAlias = (
    Started
    | StreamOpened
    | EventHeard
    | SubscribeFailed
    | StreamEnded
    | CallFailed
    | CommandStarted
    | CommandNotStarted
    | CommandEnded
    | Terminated
    | Tick
)
