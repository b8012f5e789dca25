"""Which bits of a packed state are which cell.

A state is `words` 64-bit words.  A cell is as many bits as the numbers of its values need, and
never straddles two words.  Number 0 is what it holds at the start, so a cell that nobody writes
needs no bit, and a packed state does not change when one comes into being.  When a number does
not fit any more, the layout is made anew with more bits and every state is moved over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

FEW = 48  #: states that are unpacked sooner one by one than cell by cell
ROOM = ((2, 2), (1, 2), (1, 3))  #: bits more than needed, for fields of so many, tried in turn
MARK = 1  #: the lowest bit of the first word, where one is reserved: the state is beyond the cut


def bits_for(values: int) -> int:
    """How many bits numbers below `values` need."""
    return max(values - 1, 0).bit_length()


class Layout:
    """Word, shift and mask of each place.

    Fields are wider than they need be where that costs no word, so that they last for a while.
    """

    bits: list[int]
    word: list[int]
    shift: list[int]
    mask: list[int]
    words: int
    total: int  #: bits in all

    def __init__(self, values: Sequence[int], marked: bool) -> None:
        need = [bits_for(n) for n in values]
        self.marked = marked
        words = self._place(need)
        for more, least in ROOM:
            if self._place([n + more * (n >= least) for n in need]) <= words:
                return
        self._place(need)

    def _place(self, bits: Sequence[int]) -> int:
        """Lay cells out, in their order if that is as good as any; how many words that takes."""
        orders = [*range(len(bits))], sorted(range(len(bits)), key=lambda p: -bits[p])
        if self._in_order(bits, orders[0]) > self._in_order(bits, orders[1]):
            return self.words
        return self._in_order(bits, orders[0])

    def _in_order(self, bits: Sequence[int], order: Sequence[int]) -> int:
        used = [1 if self.marked else 0]
        self.bits, self.mask = [*bits], [(1 << n) - 1 for n in bits]
        self.word, self.shift = [0] * len(bits), [0] * len(bits)
        for place in order:
            at = next((w for w, n in enumerate(used) if n + bits[place] <= 64), len(used))
            if at == len(used):
                used.append(0)
            self.word[place], self.shift[place] = at, used[at]
            used[at] += bits[place]
        self.total = sum(used)
        self.words = len(used)
        return self.words

    def pack(self, row: Sequence[int]) -> list[int]:
        """The words of a state (unmarked)."""
        words = [0] * self.words
        for place, number in enumerate(row):
            if number:
                words[self.word[place]] |= number << self.shift[place]
        return words

    def unpack(self, states: Words) -> list[list[int]]:
        """The rows of some states."""
        if len(states) < FEW:
            fields = [*zip(self.word, self.shift, self.mask)]
            return [[state[w] >> s & mask for w, s, mask in fields] for state in states.tolist()]
        columns = [self.column(states, place) for place in range(len(self.bits))]
        found: list[list[int]] = np.stack(columns, axis=1).tolist() if columns else []
        return found if columns else [[] for _ in range(len(states))]

    def column(self, states: Words, place: int) -> NDArray[Any]:
        """The numbers that some states have in a place."""
        if place >= len(self.bits) or not self.bits[place]:
            return np.zeros(len(states), np.uint64)
        shifted = states[:, self.word[place]] >> np.uint64(self.shift[place])
        return shifted & np.uint64(self.mask[place])

    def moved(self, states: Words, old: Layout) -> Words:
        """States of the layout `old`, in this one."""
        new = np.zeros((len(states), self.words), np.uint64)
        for place in range(len(old.bits)):
            if old.bits[place]:
                column = old.column(states, place) << np.uint64(self.shift[place])
                new[:, self.word[place]] |= column
        if self.marked:
            new[:, 0] |= states[:, 0] & np.uint64(MARK)
        return new

    def masks(self, places: Sequence[int]) -> list[int]:
        """The bits of some places, word by word."""
        words = [0] * self.words
        for place in places:
            if place < len(self.bits):
                words[self.word[place]] |= self.mask[place] << self.shift[place]
        return words
