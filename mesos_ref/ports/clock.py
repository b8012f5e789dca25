"""The clock port: a monotonic clock for decisions, wall time for people.

`TrioClock` follows trio's own clock, so under `trio.testing.MockClock` it is a virtual one.
"""

from __future__ import annotations

import time
from typing import Protocol

import trio

US_PER_S = 1_000_000


class Clock(Protocol):
    """Times are integer microseconds."""

    def now_us(self) -> int:
        """Monotonic, from an arbitrary zero.  Only differences mean anything."""
        ...

    def wall_us(self) -> int:
        """Since 1970.  To be shown, never compared."""
        ...

    async def sleep_until_us(self, deadline_us: int) -> None:
        """Return once `now_us()` is at least `deadline_us`."""
        ...


class TrioClock:
    """The clock of the running trio loop.

    With `wall_start_us`, wall time starts there and follows the loop's clock: the same run shows
    the same dates again.
    """

    def __init__(self, wall_start_us: int | None = None) -> None:
        self._wall_start_us = wall_start_us
        self._zero_us: int | None = None

    def now_us(self) -> int:
        return int(trio.current_time() * US_PER_S)

    def wall_us(self) -> int:
        if self._wall_start_us is None:
            return time.time_ns() // 1000
        if self._zero_us is None:
            self._zero_us = self.now_us()
        return self._wall_start_us + self.now_us() - self._zero_us

    async def sleep_until_us(self, deadline_us: int) -> None:
        # Half a microsecond more: rounding must not wake us just before the deadline.
        await trio.sleep_until((deadline_us + 0.5) / US_PER_S)
