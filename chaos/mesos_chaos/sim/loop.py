"""Virtual time: a heap of things to do, and random streams that do not disturb each other.

The loop is the only clock of a simulation.  Time is integer microseconds and jumps from one
thing to do to the next.  What is due at the same time happens in the order it was asked for, so a
run is a function of its seed.  Randomness comes in named streams (per link, disk, node): one more
draw on one link changes nothing on another, which is what lets a failing plan shrink.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush

SECOND_US = 1_000_000
COLLECT_EVERY = 100_000  #: events; each leaves about one object that only the collector finds
FEW = 256  #: so many cancelled timers are no matter


class Timer:
    """Something to do at `due_us`, unless it is cancelled first."""

    __slots__ = ("do", "due_us")

    def __init__(self, due_us: int, do: Callable[[], None]) -> None:
        self.due_us = due_us
        self.do: Callable[[], None] | None = do

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.do = None


class Loop:
    """Virtual time.  `events` counts what was done.

    All timers run by one clock.  What the calendars of processes say differs by up to `skew_us`.
    """

    def __init__(self, seed: int, skew_us: int = 0) -> None:
        self.now_us = 0
        self.skew_us = skew_us
        self.seed = seed
        self.events = 0
        self._order = 0
        self._heap: list[tuple[int, int, Timer]] = []  #: when, in which order, what
        self._sift_at = FEW  #: how many there are when the cancelled ones are dropped
        self._streams: dict[str, random.Random] = {}

    def random(self, stream: str) -> random.Random:
        """The random stream of that name; the same for the same seed and name."""
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = random.Random(f"{self.seed}/{stream}")
        return found

    def forget(self, stream: str) -> None:
        """Nobody will draw from that stream any more."""
        self._streams.pop(stream, None)

    def epoch_us(self, process: str) -> int:
        """What the wall clock of a process said when virtual time began: drawn, if there is skew.

        Each process has its own, so a machine's calendar is another one when it starts again.
        """
        return self.random(f"calendar {process}").randint(0, self.skew_us) if self.skew_us else 0

    def at(self, due_us: int, do: Callable[[], None]) -> Timer:
        """Do something at `due_us`, or now if that is past."""
        if due_us < self.now_us:
            due_us = self.now_us
        self._order += 1
        timer = Timer(due_us, do)
        heappush(self._heap, (due_us, self._order, timer))
        if len(self._heap) > self._sift_at:
            self._sift()
        return timer

    def _sift(self) -> None:
        """Drop what was cancelled: most timers are, long before they are due."""
        self._heap[:] = [entry for entry in self._heap if entry[2].do is not None]
        heapify(self._heap)
        self._sift_at = 2 * len(self._heap) + FEW

    def after(self, delay_us: int, do: Callable[[], None]) -> Timer:
        """Do something `delay_us` from now."""
        return self.at(self.now_us + delay_us, do)

    def run(self, until_us: int, stop: Callable[[], bool] = lambda: False) -> bool:
        """Go on until `until_us`, or until `stop()` holds: then it answers True."""
        heap = self._heap
        while heap and heap[0][0] <= until_us:
            due_us, _, timer = heappop(heap)
            do = timer.do
            if do is None:
                continue
            self.now_us = due_us
            self.events += 1
            if self.events % COLLECT_EVERY == 0:  # whoever runs this may have put it off
                gc.collect()
            do()
            if stop():
                return True
        self.now_us = max(self.now_us, until_us)
        return stop()
