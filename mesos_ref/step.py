"""What every core has in common: it hears an event and answers with one step.

A core is a plain object with `handle(event, now_us) -> Step`. A step says what is to be sent
(`effects`, in order) and what was decided (`did`, the actions of docs/explanation/steps.md, in
order). Nothing else leaves a core, and nothing but events, integer microseconds and an `IdSource`
comes in. So a core runs unchanged under a simulated clock, under trio, and in a replay.

Messages are not numbered here. The n-th frame sent on a link, and the n-th event sent on a stream,
is number n by position (from 0); shells and trace writers count.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

Did: TypeAlias = tuple[str, dict[str, Any]]
"""One action: its name, and the names bound in it that the judge could not read off the wire."""

MessageId: TypeAlias = tuple[str, int]
"""Where a message travelled: its connection, and its ordinal there. Foreign calls: ("ext", k)."""


class Effect(msgspec.Struct, frozen=True):
    """Something a core wants done. The shell does it, in order, and decides nothing."""


class SendFrame(Effect, frozen=True):
    """Send one frame on an agent link; a link that is gone swallows it."""

    link: str
    frame: msgspec.Struct


class CloseLink(Effect, frozen=True):
    """Close an agent link after what was sent on it. The core expects no `LinkEnded` for it."""

    link: str


class OpenStream(Effect, frozen=True):
    """Answer the SUBSCRIBE `request` with 200 and an event stream whose id is `stream`."""

    request: str
    stream: str


class SendEvent(Effect, frozen=True):
    """Send one event (a scheduler's or an executor's) on an open stream."""

    stream: str
    event: msgspec.Struct


class CloseStream(Effect, frozen=True):
    """End a stream after what was sent on it. The core expects no `StreamEnded` for it."""

    stream: str


class Answer(Effect, frozen=True):
    """Answer an HTTP request: 202 for a call that was taken, 4xx with a sentence otherwise."""

    request: str
    status: int
    body: str = ""
    headers: dict[str, str] = {}


class Persist(Effect, frozen=True):
    """Keep `value` under `key` (None: forget it) before any other effect of the batch is done."""

    key: str
    value: Any


class Step(msgspec.Struct, frozen=True):
    """The answer to one event."""

    effects: tuple[Effect, ...] = ()
    did: tuple[Did, ...] = ()


NOTHING = Step()
"""Nothing sent, nothing changed."""


class IdSource(Protocol):
    """Fresh ids. A simulation gives reproducible ones; a daemon draws them from the kernel."""

    def uuid(self) -> str:
        """A new uuid in its 36-character form."""
        ...

    def uuid_bytes(self) -> bytes:
        """A new uuid as 16 bytes, for status updates."""
        ...


Recovered: TypeAlias = Mapping[str, Any]
"""What a core had persisted, when its process comes up again: key -> value."""
