"""What the kernel finds at the leaves of trees, as arrays: rows and effects.

At a leaf of a group's tree is a *row*: all effects of the group's questions, the mail they take,
the mail that must be taken.  An effect is what a step keeps of a state and what it writes, which
groups have to be looked up again after it, and which checks a step with it must pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesos_spec.tools.search.fast.layout import MARK, Layout, Words
from mesos_spec.tools.search.fast.trees import Column

UNASKED = -2  #: a row that nobody has needed yet
CUT = 1  #: the flag of a row: the state is beyond the cut

U64 = (1 << 64) - 1


def in_words(bits: int, words: int) -> list[int]:
    """A set of bits as so many words."""
    return [bits >> 64 * w & U64 for w in range(words)]


class Tables:
    """The rows and effects of all groups, in one layout."""

    def __init__(self, layout: Layout, groups: int, letters: int) -> None:
        self.layout = layout
        self.groups = groups
        self.letter_words = letters // 64 + 1
        self.group_words = (groups - 1) // 64 + 1
        self.row_start, self.row_effect = Column(np.int64), Column(np.int64)
        self.row_need = Column(np.uint64, self.letter_words)
        self.row_got = Column(np.uint64, self.letter_words)
        self.row_flag = Column(np.uint8)
        self.row_start.add(0)
        self._rows: dict[tuple[tuple[int, ...], int, int, int], int] = {}
        self.keep, self.value = (Column(np.uint64, layout.words) for _ in range(2))
        self.touches = Column(np.uint64, self.group_words)
        self._reads = np.zeros((groups, layout.words), np.uint64)
        self.check_from, self.check_many = Column(np.int64), Column(np.int64)  # by effect
        self.check_of = Column(np.int64)  # which checks
        self.row((), 0, 0, 0)

    # ---- effects and rows ----------------------------------------------------------------------
    def effect(self, writes: Sequence[tuple[int, int]], full: bool) -> None:
        """Add the next effect; `full`: a channel holds too much then."""
        layout = self.layout
        keep, value = [U64] * layout.words, [0] * layout.words
        for place, number in writes:
            if place >= len(layout.bits):
                continue  # what it holds at the start, of a cell that was never anything else
            word, shift = layout.word[place], layout.shift[place]
            keep[word] &= ~(layout.mask[place] << shift) & U64
            value[word] |= number << shift
        if full:
            value[0] |= MARK
        self.keep.add(np.array(keep, np.uint64))
        self.value.add(np.array(value, np.uint64))
        self.check_from.add(0)
        self.check_many.add(0)

    def touch(self, reads: Words) -> None:
        """Note which groups each effect touches, as bits: those that read what it writes."""
        if not np.array_equal(reads, self._reads):
            self._reads, self.touches.n = reads.copy(), 0
        written = ~self.keep.held[self.touches.n : self.keep.n]
        touched = np.zeros((len(written), 64 * self.group_words), bool)
        touched[:, : self.groups] = ((written[:, None] & reads) != 0).any(axis=2)
        self.touches.extend(np.packbits(touched, axis=1, bitorder="little").view(np.uint64))

    def checks(self, effect: int, checks: Sequence[int]) -> None:
        """Let these be the checks of an effect."""
        self.check_from.held[effect] = self.check_of.n
        self.check_many.held[effect] = len(checks)
        for check in checks:
            self.check_of.add(check)

    def row(self, effects: tuple[int, ...], got: int, need: int, flag: int) -> int:
        """The number of a row."""
        key = effects, got, need, flag
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = len(self._rows)
            for effect in effects:
                self.row_effect.add(effect)
            self.row_start.add(self.row_effect.n)
            self.row_got.add(np.array(in_words(got, self.letter_words), np.uint64))
            self.row_need.add(np.array(in_words(need, self.letter_words), np.uint64))
            self.row_flag.add(flag)
        return found
