"""Deadlines, by key. A deadline that is called off leaves nothing behind (MESOS-9852)."""

from collections.abc import KeysView
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", str, int)


class Timers(Generic[K]):
    """At most one deadline a key, in microseconds of the core's clock."""

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[K, int] = {}
        self._heap: list[tuple[int, K]] = []

    def set(self, key: K, at_us: int) -> None:
        """Wake for `key` at `at_us`, and not at any time said before."""
        self._at[key] = at_us
        heappush(self._heap, (at_us, key))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(at, key) for key, at in self._at.items()]
            heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Don't wake for `key`."""
        self._at.pop(key, None)

    def clear(self) -> None:
        """Don't wake at all."""
        self._at.clear()
        self._heap.clear()

    def keys(self) -> KeysView[K]:
        """Who waits."""
        return self._at.keys()

    @property
    def next_us(self) -> int | None:
        """The earliest deadline."""
        heap, at = self._heap, self._at
        while heap and at.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_us: int, at_most: int) -> list[K]:
        """Keys whose time has come, those first that wait longest; in order of key."""
        found: list[K] = []
        while len(found) < at_most and (next_us := self.next_us) is not None and next_us <= now_us:
            _, key = heappop(self._heap)
            del self._at[key]
            found.append(key)
        return sorted(found)
