"""Deadlines, each with a name: arm, move, disarm, and take what is due.

A heap with stale entries left in it: an entry counts only if it is what its name was armed with
last. Due names come out by deadline, then by name, so ticks are deterministic.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TypeAlias

Name: TypeAlias = tuple[str, ...]
"""What is to happen, and to whom: ``("resend", framework, task)``."""

_MIN_STALE = 64


class Timers:
    """Named deadlines in integer microseconds."""

    def __init__(self) -> None:
        #: Name -> its one deadline.
        self.at: dict[Name, int] = {}
        #: Holds (deadline, name) for each item of `at`, and stale ones, at most as many again.
        self._heap: list[tuple[int, Name]] = []

    def arm(self, name: Name, at_us: int) -> None:
        """Set, or move, the deadline of `name`."""
        self.at[name] = at_us
        heappush(self._heap, (at_us, name))
        if len(self._heap) > 2 * len(self.at) + _MIN_STALE:
            self._heap = [(deadline, kept) for kept, deadline in self.at.items()]
            heapify(self._heap)

    def disarm(self, name: Name) -> None:
        """Forget a deadline; one that is not there is no matter."""
        self.at.pop(name, None)

    def clear(self) -> None:
        """Forget all."""
        self.at.clear()
        self._heap.clear()

    @property
    def next_us(self) -> int | None:
        """The earliest deadline."""
        heap = self._heap
        while heap and self.at.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def take_due(self, now_us: int) -> Name | None:
        """The first name that is due, disarmed; None if there is none."""
        at_us = self.next_us
        if at_us is None or at_us > now_us:
            return None
        name = heappop(self._heap)[1]
        del self.at[name]
        return name
