"""Turns: what many connections want at once is done a bounded piece at a time.

A loop that has much to do finishes a whole round of it before it looks at a clock or at another
connection. When thousands of connections end in one moment, or all agents register with a new
leader, such a round could outlast the leader's lease. So whoever has received something takes a
turn before it works on it; when a round's work has been dealt out, the others wait for the next.
"""

from __future__ import annotations

from typing import Final

import trio

#: What may be received and worked on in one round of the loop.
ROUND_BYTES: Final = 4 << 20
#: What a turn costs beside its bytes: the end of a connection has none.
TURN_BYTES: Final = 16 << 10


class Turns:
    """One budget, at most one a round, for all who share it. `deal` must run beside them."""

    def __init__(self, round_bytes: int = ROUND_BYTES, turn_bytes: int = TURN_BYTES) -> None:
        self._round_bytes = self._left = round_bytes
        self._turn_bytes = turn_bytes
        self._waiting = trio.lowlevel.ParkingLot()
        self._used_up = trio.Event()

    async def take(self, size: int = 0) -> None:
        """Wait for a turn to work on so many bytes. Not a checkpoint if there is one."""
        while self._left <= 0:
            await self._waiting.park()
        self._left -= size + self._turn_bytes
        if self._left <= 0:
            self._used_up.set()

    async def deal(self) -> None:
        """Begin a new budget in the round of the loop after the last was used up.

        One that is not used up lasts for many rounds: it bounds each of them all the same.
        """
        while True:
            await self._used_up.wait()
            self._used_up = trio.Event()
            await trio.lowlevel.checkpoint()
            self._left = self._round_bytes
            if self._waiting:
                self._used_up.set()
                self._waiting.unpark(count=max(1, self._round_bytes // self._turn_bytes))
