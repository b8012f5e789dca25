"""An executor's link to its agent: connecting, subscribed, lost, given up.

Connections are numbered; only news of the newest counts.  With checkpointing a lost agent is waited
for (`recovery_timeout_us`), asking again after a random pause; without, a lost agent is lost for
good.  Before the first SUBSCRIBED an agent that can't be reached gets `first_contact_us`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

FIRST_RETRY_US = 100_000

Standing = Literal["idle", "subscribing", "subscribed", "waiting", "abandoned"]


class LinkTimers(msgspec.Struct, frozen=True, kw_only=True):
    """In microseconds."""

    checkpoint: bool
    recovery_timeout_us: int
    first_contact_us: int
    backoff_max_us: int


class Link:
    """Where we stand with the agent.  `draw(n)` is a random number from 0 to n."""

    def __init__(self, timers: LinkTimers, draw: Callable[[int], int]) -> None:
        self.timers = timers
        self.draw = draw
        self.connection = 0
        self.standing: Standing = "idle"
        self.was_subscribed = False
        self.retry_at_us: int | None = None
        self.hopeless_at_us: int | None = None

    def deadlines(self) -> Iterator[int]:
        """When to retry, when to give up."""
        for at in (self.retry_at_us, self.hopeless_at_us):
            if at is not None:
                yield at

    def connect(self, now_us: int) -> int:
        """Begin a new connection; its number."""
        self.connection += 1
        self.standing = "subscribing"
        self.retry_at_us = None
        if self.hopeless_at_us is None:
            self.hopeless_at_us = now_us + self._patience_us()
        return self.connection

    def subscribed(self) -> None:
        self.standing = "subscribed"
        self.was_subscribed = True
        self.retry_at_us = self.hopeless_at_us = None

    def lost(self, now_us: int, *, retry: bool) -> None:
        """The connection failed or broke: wait for the agent, or give it up."""
        if not retry or (self.was_subscribed and not self.timers.checkpoint):
            self.abandon()
            return
        self.standing = "waiting"
        if self.hopeless_at_us is None:
            self.hopeless_at_us = now_us + self._patience_us()
        longest_us = self.timers.backoff_max_us if self.was_subscribed else FIRST_RETRY_US
        self.retry_at_us = now_us + 1 + self.draw(max(0, longest_us - 1))

    def abandon(self) -> None:
        """Never again."""
        self.standing = "abandoned"
        self.retry_at_us = self.hopeless_at_us = None

    def retry_due(self, now_us: int) -> bool:
        return self.retry_at_us is not None and now_us >= self.retry_at_us

    def is_hopeless(self, now_us: int) -> bool:
        """We have waited for the agent as long as we may."""
        return self.hopeless_at_us is not None and now_us >= self.hopeless_at_us

    def is_current(self, connection: int) -> bool:
        """Whether news of that connection still concern us."""
        return connection == self.connection and self.standing in ("subscribing", "subscribed")

    def _patience_us(self) -> int:
        if self.timers.checkpoint:
            return self.timers.recovery_timeout_us
        return self.timers.first_contact_us
