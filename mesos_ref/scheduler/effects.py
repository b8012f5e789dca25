"""What a scheduler core wants done."""

from __future__ import annotations

from mesos_ref.step import Effect
from mesos_ref.wire import scheduler as wire


class Connect(Effect, frozen=True):
    """Reach the leader; then `Connected`, or `SubscribeFailed` with status 0."""

    connection: str
    epoch: int
    url: str


class OpenSubscription(Effect, frozen=True):
    """Make the SUBSCRIBE call, number 0 of its connection; then `StreamOpened` or not."""

    connection: str
    call: wire.Call


class SendCall(Effect, frozen=True):
    """Make a call in the name of `stream`. Calls of one connection are made in order."""

    connection: str
    stream: str
    n: int
    call: wire.Call


class CloseSubscription(Effect, frozen=True):
    """Give the connection up, whatever is in flight on it. Nothing is heard of it any more."""

    connection: str


class Deliver(Effect, frozen=True):
    """Hand an event to the user's code: each update with a uuid once, everything else as heard."""

    event: wire.Event


class NotSent(Effect, frozen=True):
    """The user's call was not made, or the master would not have it; `why` is a sentence."""

    why: str
    call: wire.Call | None = None


class Stop(Effect, frozen=True):
    """It is over: `error` says why, None if the framework was torn down as asked."""

    error: str | None
