"""What the kernel looks at, as arrays: trees of groups, rows, effects.

A group's tree asks for several cells at once: a node is a word and a mask, and what is left of a
state under the mask leads to the next node, by one table of edges for all trees.  A node asks for
those cells that every state which comes by must have read: the next of each question.  So a tree
has no more leaves than the answers need, and is walked in a few steps.  At a leaf is a *row*: all
effects of the group's questions, the mail they take, the mail that must be taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mesos_spec.tools.search.fast.layout import MARK, Layout

LEAF = 1 << 31  #: a reference from here on is the row at a leaf, below it a node
UNKNOWN = -1  #: a row that has to be asked for
UNASKED = -2  #: a row that nobody has needed yet
CUT = 1  #: the flag of a row: the state is beyond the cut

K1, K2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
U64 = (1 << 64) - 1

Paths = tuple[tuple[int, ...], ...]  #: for each question of a group: the places it reads, in order


class Column:
    """An array that grows at its end."""

    def __init__(self, dtype: Any, width: int = 0) -> None:
        self.held = np.zeros((256, width) if width else 256, dtype)
        self.n = 0

    def add(self, value: Any) -> int:
        """Put a value at the end; where that is."""
        if self.n == len(self.held):
            self.held = np.concatenate([self.held, np.zeros_like(self.held)])
        self.held[self.n] = value
        self.n += 1
        return self.n - 1


def in_words(bits: int, words: int) -> list[int]:
    """A set of bits as so many words."""
    return [bits >> 64 * w & U64 for w in range(words)]


class Tables:
    """The trees of all groups, with the rows and effects they lead to, in one layout."""

    def __init__(self, layout: Layout, groups: int, letters: int) -> None:
        self.layout = layout
        self.groups = groups
        self.letter_words = letters // 64 + 1
        self.group_words = (groups - 1) // 64 + 1
        self.roots = np.full(groups, UNKNOWN, np.int64)
        self.node_word, self.node_mask = Column(np.int64), Column(np.uint64)
        self._places: list[list[int]] = []
        self._edges: dict[tuple[int, int], int] = {}
        self.size = 12  # the table of edges has 2**size slots
        self.edge_key = np.zeros(1 << self.size, np.uint64)
        self.edge_to = np.zeros(1 << self.size, np.uint64)
        self.row_start, self.row_effect = Column(np.int64), Column(np.int64)
        self.row_need = Column(np.uint64, self.letter_words)
        self.row_got = Column(np.uint64, self.letter_words)
        self.row_flag = Column(np.uint8)
        self.row_start.add(0)
        self._rows: dict[tuple[tuple[int, ...], int, int, int], int] = {}
        self.keep, self.value = (Column(np.uint64, layout.words) for _ in range(2))
        self.touches = Column(np.uint64, self.group_words)
        self.check_from, self.check_many = Column(np.int64), Column(np.int64)  # by effect
        self.check_of = Column(np.int64)  # which checks
        self.check_root = Column(np.int64)  # by check
        self.row((), 0, 0, 0)

    # ---- effects and rows ----------------------------------------------------------------------
    def effect(self, writes: Sequence[tuple[int, int]], full: bool, touches: int) -> None:
        """Add the next effect; `full`: a channel holds too much then; `touches`: which groups."""
        layout = self.layout
        keep, value = [U64] * layout.words, [0] * layout.words
        for place, number in writes:
            word, shift = layout.word[place], layout.shift[place]
            keep[word] &= ~(layout.mask[place] << shift) & U64
            value[word] |= number << shift
        if full:
            value[0] |= MARK
        self.keep.add(np.array(keep, np.uint64))
        self.value.add(np.array(value, np.uint64))
        self.touches.add(np.array(in_words(touches, self.group_words), np.uint64))
        self.check_from.add(0)
        self.check_many.add(0)

    def checks(self, effect: int, checks: Sequence[int]) -> None:
        """Let these be the checks of an effect."""
        self.check_from.held[effect] = self.check_of.n
        self.check_many.held[effect] = len(checks)
        for check in checks:
            self._root_of(check)
            self.check_of.add(check)

    def _root_of(self, check: int) -> None:
        while check >= self.check_root.n:
            self.check_root.add(UNKNOWN)

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

    # ---- trees ---------------------------------------------------------------------------------
    def insert(self, group: int, paths: Paths, row: Sequence[int], leaf: int) -> None:
        """Lead every state that has what `row` has on these paths to the row `leaf`."""
        self._insert(self.roots, group, paths, row, leaf)

    def settle(self, check: int, paths: Paths, row: Sequence[int]) -> bool:
        """Note that a check is passed by every state that has what `row` has on these paths.

        Whether that is news.
        """
        self._root_of(check)
        return self._insert(self.check_root.held, check, paths, row, 0)

    def _insert(self, roots: Any, root: int, paths: Paths, row: Sequence[int], leaf: int) -> bool:
        layout, covered, at = self.layout, set[int](), [0] * len(paths)
        came: tuple[int, int] | None = None
        ref = int(roots[root])
        while sure := self._next(paths, at, covered):
            if ref == UNKNOWN:
                ref = self._node(sure)
                self._link(roots, root, came, ref)
            places = self._places[ref]
            covered.update(places)
            key = 0
            for place in places:
                if place < len(row):
                    key |= row[place] << layout.shift[place]
            came = ref, key
            ref = self._edges.get(came, UNKNOWN)
        if ref == UNKNOWN:
            self._link(roots, root, came, LEAF + leaf)
            return True
        return False

    def leads(self, group: int, row: Sequence[int]) -> bool:
        """Whether the tree of a group has a leaf for a state."""
        ref, shift, end = int(self.roots[group]), self.layout.shift, len(row)
        while UNKNOWN < ref < LEAF:
            key = 0
            for place in self._places[ref]:
                if place < end:
                    key |= row[place] << shift[place]
            ref = self._edges.get((ref, key), UNKNOWN)
        return ref >= LEAF

    def _next(self, paths: Paths, at: list[int], covered: set[int]) -> list[int]:
        """The place that each question reads next."""
        mask, sure = self.layout.mask, []
        for k, path in enumerate(paths):
            i, end = at[k], len(path)
            while i < end and (path[i] in covered or path[i] >= len(mask) or not mask[path[i]]):
                i += 1
            at[k] = i
            if i < end:
                sure.append(path[i])
        return sure

    def _node(self, sure: list[int]) -> int:
        layout = self.layout
        word = layout.word[sure[0]]
        places = [p for p in dict.fromkeys(sure) if layout.word[p] == word]
        self._places.append(places)
        self.node_word.add(word)
        return self.node_mask.add(layout.masks(places)[word])

    def _link(self, roots: Any, root: int, came: tuple[int, int] | None, ref: int) -> None:
        if came is None:
            roots[root] = ref
            return
        self._edges[came] = ref
        if 2 * len(self._edges) > len(self.edge_key):
            self.size += 1
            self.edge_key = np.zeros(1 << self.size, np.uint64)
            self.edge_to = np.zeros(1 << self.size, np.uint64)
            for (node, key), to in self._edges.items():
                self._put(node, key, to)
        else:
            self._put(*came, ref)

    def _put(self, node: int, key: int, to: int) -> None:
        assert node < LEAF
        slot, last = edge_slot(node, key, self.size), len(self.edge_key) - 1
        while self.edge_to[slot]:
            slot = (slot + 1) & last
        self.edge_key[slot] = key
        self.edge_to[slot] = (node + 1) << 32 | to


def edge_slot(node: int, key: int, size: int) -> int:
    """Where the edge of a node for what is under its mask is looked for first."""
    mixed = (key ^ node * K1 & U64) * K2 & U64
    mixed ^= mixed >> 32
    return (mixed * K1 & U64) >> 64 - size
