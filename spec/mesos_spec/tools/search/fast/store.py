"""The states found so far, in the order they were found, and a table to know them again.

A slot of the table is the upper half of a hash and the number of a state, so it is 8 bytes, and
whether a state was found before is settled by comparing the states themselves: the search is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import Layout, Words

FIRST_ROOM = 1 << 16  #: states there is room for at first
LOAD = 0.7  #: how full the table gets before it is doubled
BLOCK = 1 << 20  #: states moved at a time, so that moving takes little memory


class Store:
    """States by number, and the table."""

    def __init__(self, words: int) -> None:
        self.states: Words = np.empty((FIRST_ROOM, words), np.uint64)
        self.n = 0
        self.size = 17  # the table has 2**size slots
        self.table: NDArray[np.uint64] = np.zeros(1 << self.size, np.uint64)

    @property
    def words(self) -> int:
        """Words a state takes."""
        return int(self.states.shape[1])

    @property
    def bytes(self) -> int:
        """What states and table take (room that was never used takes nothing)."""
        return self.n * 8 * self.words + self.table.nbytes

    def make_room(self, kernel: Any, more: int) -> None:
        """See to it that so many more states can be added."""
        if self.n + more > len(self.states):
            wanted = max(4 * len(self.states), self.n + 2 * more)
            grown: Words = np.empty((wanted, self.words), np.uint64)
            grown[: self.n] = self.states[: self.n]
            self.states = grown
        if self.n + more > LOAD * len(self.table):
            while self.n + more > LOAD * (1 << self.size):
                self.size += 1
            old, self.table = self.table, np.zeros(1 << self.size, np.uint64)
            kernel.widen(old, self.table, self.size)

    def index(self, kernel: Any) -> None:
        """Make the table anew."""
        self.table = np.zeros(0, np.uint64)  # the old one goes first: memory
        self.table = np.zeros(1 << self.size, np.uint64)
        kernel.index(self.states, self.n, self.table, self.size)

    def move(self, kernel: Any, new: Layout, old: Layout) -> None:
        """Move every state to another layout."""
        same = new.words == self.words
        to = self.states if same else np.empty((len(self.states), new.words), np.uint64)
        for lo in range(0, self.n, BLOCK):
            hi = min(lo + BLOCK, self.n)
            to[lo:hi] = new.moved(self.states[lo:hi], old)
        self.states = to
        self.index(kernel)
