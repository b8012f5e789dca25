"""What the kernel looks at, as arrays: trees of groups, rows, effects.

A group's tree asks for several cells at once: a node is a mask for each word, no two of which have
a bit in common, so that what is left of a state under them fits in one word.  That leads to the
next node, by one table of edges for all trees.  A node asks for
those cells that every state which comes by must have read: the next of each question.  So a tree
has no more leaves than the answers need, and is walked in a few steps.  A *leaf* knows which cells
were read on the way to it, as a mask: a state that differs elsewhere is on the same leaf.  It has a
*row*: all effects of the group's questions, the mail they take, the mail that must be taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


_Entry = tuple[frozenset[int], Sequence[int], int]  # places that are read, a state, its leaf


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
        self.letter_words = letters // 64 + 1
        self._places: list[list[int]] = []
        self._edges: dict[tuple[int, int], int] = {}
        self.size = 12  # the table of edges has 2**size slots
        self.edges = np.zeros((1 << self.size, 2), np.uint64)  # key, and where from and to
        self.row_start, self.row_effect = Column(np.int64), Column(np.int64)
        self.row_need = Column(np.uint64, self.letter_words)
        self.row_got = Column(np.uint64, self.letter_words)
        self.row_start.add(0)
        self._rows: dict[tuple[tuple[int, ...], int, int], int] = {}
        self.keep, self.value = (Column(np.uint64, layout.words) for _ in range(2))
        self.check_from, self.check_many = Column(np.int64), Column(np.int64)  # by effect
        self.effect_mask = Column(np.uint64, layout.words)  # what its checks read
        self._effects_of: dict[int, list[int]] = {}  # by check
        self._read_by: dict[int, set[int]] = {}  # places, by check
        self.check_of = Column(np.int64)  # which checks
        self.check_root = Column(np.int64)  # by check
        self.check_mask = Column(np.uint64, layout.words)
        self.row((), 0, 0)
        self.begin_groups(groups)

    def begin_groups(self, groups: int) -> None:
        """Have so many groups; no group and no check has a tree any more."""
        self.node_mask = Column(np.uint64, self.layout.words)
        self._places, self._edges, self.size = [], {}, 12
        self.edges = np.zeros((1 << self.size, 2), np.uint64)
        self.check_root.held[:] = UNKNOWN
        self.group_words = (groups - 1) // 64 + 1
        self.roots = np.full(groups, UNKNOWN, np.int64)
        self.leaf_row, self.leaf_group = Column(np.int64), Column(np.int64)
        self.leaf_mask = Column(np.uint64, self.layout.words)
        self.leaf_flag = Column(np.uint8)
        self._leaves: dict[tuple[int, int, tuple[int, ...], int], int] = {}
        touches = Column(np.uint64, self.group_words)
        for _ in range(self.keep.n):
            touches.add(0)
        self.touches = touches

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
            keep[0] &= ~MARK
            value[0] |= MARK
        self.keep.add(np.array(keep, np.uint64))
        self.value.add(np.array(value, np.uint64))
        self.touches.add(np.array(in_words(touches, self.group_words), np.uint64))
        self.check_from.add(0)
        self.check_many.add(0)
        self.effect_mask.add(0)

    def checks(self, effect: int, checks: Sequence[int]) -> None:
        """Let these be the checks of an effect."""
        self.check_from.held[effect] = self.check_of.n
        self.check_many.held[effect] = len(checks)
        for check in checks:
            self._root_of(check)
            self.check_of.add(check)
            self._effects_of.setdefault(check, []).append(effect)
            self.effect_mask.held[effect] |= self.check_mask.held[check]

    def _root_of(self, check: int) -> None:
        while check >= self.check_root.n:
            self.check_root.add(UNKNOWN)
            self.check_mask.add(0)

    def row(self, effects: tuple[int, ...], got: int, need: int) -> int:
        """The number of a row."""
        key = effects, got, need
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = len(self._rows)
            for effect in effects:
                self.row_effect.add(effect)
            self.row_start.add(self.row_effect.n)
            self.row_got.add(np.array(in_words(got, self.letter_words), np.uint64))
            self.row_need.add(np.array(in_words(need, self.letter_words), np.uint64))
        return found

    def leaf(self, group: int, row: int, places: tuple[int, ...], flag: int) -> int:
        """The number of a leaf of a group's tree: its row, and the places that are read for it."""
        key = group, row, places, flag
        found = self._leaves.get(key)
        if found is None:
            found = self._leaves[key] = len(self._leaves)
            self.leaf_row.add(row)
            self.leaf_group.add(group)
            self.leaf_mask.add(np.array(self.layout.masks(places), np.uint64))
            self.leaf_flag.add(flag)
        return found

    # ---- trees ---------------------------------------------------------------------------------
    def insert(
        self, group: int, paths: Paths, state: Sequence[int], row: int, flag: int = 0
    ) -> None:
        """Lead every state that has what `state` has on these paths to a row."""
        places = tuple(sorted({place for path in paths for place in path}))
        leaf = self.leaf(group, row, places, flag)
        self._insert(self.roots, group, paths, state, leaf)

    def settle(self, check: int, paths: Paths, row: Sequence[int]) -> bool:
        """Note that a check is passed by every state that has what `row` has on these paths.

        Whether that is news.
        """
        self._root_of(check)
        self._reads(check, [place for path in paths for place in path])
        return self._insert(self.check_root.held, check, paths, row, 0)

    def _reads(self, check: int, places: Sequence[int]) -> None:
        """Note that a check reads these places."""
        known = self._read_by.setdefault(check, set())
        if not known.issuperset(places):
            known.update(places)
            mask = np.array(self.layout.masks([*known]), np.uint64)
            self.check_mask.held[check] = mask
            for effect in self._effects_of.get(check, ()):
                self.effect_mask.held[effect] |= mask

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

    def grow(
        self,
        known: Sequence[tuple[int, Paths, Sequence[int], int, int]],
        settled: Sequence[tuple[int, Paths, Sequence[int]]],
    ) -> None:
        """All trees at once, where there are none: of what `insert` and `settle` were told.

        Knowing all ways through a node, it asks for all cells that are read on each of them.
        """
        trees: dict[tuple[bool, int], list[_Entry]] = {}
        read: dict[Paths, tuple[tuple[int, ...], frozenset[int]]] = {}  # many have the same paths
        for paths in {entry[1] for entry in known} | {entry[1] for entry in settled}:
            places = tuple(sorted({place for path in paths for place in path}))
            read[paths] = places, self._told(places)
        for group, paths, state, row, flag in known:
            places, told = read[paths]
            leaf = self.leaf(group, row, places, flag)
            trees.setdefault((True, group), []).append((told, state, leaf))
        for check, paths, state in settled:
            places, told = read[paths]
            self._root_of(check)
            self._reads(check, places)
            trees.setdefault((False, check), []).append((told, state, 0))
        for (of_group, root), entries in trees.items():
            (self.roots if of_group else self.check_root.held)[root] = self._grown(entries)
        self._index_edges()

    def _told(self, places: Iterable[int]) -> frozenset[int]:
        """Those places that can tell two states apart."""
        mask = self.layout.mask
        return frozenset(place for place in places if place < len(mask) and mask[place])

    def _grown(self, entries: Sequence[_Entry]) -> int:
        kinds = {places for places, _, _ in entries}
        common = frozenset.intersection(*kinds)
        if not common:
            return LEAF + entries[0][2]
        node = self._node(sorted(common))
        places, shift = self._places[node], self.layout.shift
        left = {kind: kind.difference(places) for kind in kinds}
        parts: dict[int, list[_Entry]] = {}
        for kind, state, leaf in entries:
            key, end = 0, len(state)
            for place in places:
                if place < end:
                    key |= state[place] << shift[place]
            parts.setdefault(key, []).append((left[kind], state, leaf))
        for key, part in parts.items():
            self._edges[node, key] = self._grown(part)
        return node

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
        layout, used, places = self.layout, 0, list[int]()
        for place in dict.fromkeys(sure):
            bits = layout.mask[place] << layout.shift[place]
            if not used & bits:
                used |= bits
                places.append(place)
        self._places.append(places)
        return self.node_mask.add(np.array(layout.masks(places), np.uint64))

    def _link(self, roots: Any, root: int, came: tuple[int, int] | None, ref: int) -> None:
        if came is None:
            roots[root] = ref
            return
        self._edges[came] = ref
        if 2 * len(self._edges) > len(self.edges):
            self._index_edges()
        else:
            self._put(*came, ref)

    def _put(self, node: int, key: int, to: int) -> None:
        assert node < LEAF
        slot, last = edge_slot(node, key, self.size), len(self.edges) - 1
        while self.edges[slot, 1]:
            slot = (slot + 1) & last
        self.edges[slot] = key, (node + 1) << 32 | to

    def _index_edges(self) -> None:
        """Make the table of edges anew: all at once, those that found their slots taken go on."""
        while 2 * len(self._edges) > 1 << self.size:
            self.size += 1
        known = self._edges
        nodes = np.fromiter((node for node, _ in known), np.uint64, len(known))
        keys = np.fromiter((key for _, key in known), np.uint64, len(known))
        tos = np.fromiter(known.values(), np.uint64, len(known))
        self.edges = np.zeros((1 << self.size, 2), np.uint64)
        slot = edge_slots(nodes, keys, self.size)
        tos |= nodes + np.uint64(1) << np.uint64(32)
        at = np.arange(len(known))
        while len(at):
            free = at[self.edges[slot[at], 1] == 0]
            self.edges[slot[free], 0], self.edges[slot[free], 1] = keys[free], tos[free]
            placed = (self.edges[slot[at], 0] == keys[at]) & (self.edges[slot[at], 1] == tos[at])
            at = at[~placed]
            slot[at] = (slot[at] + 1) & (len(self.edges) - 1)


def edge_slot(node: int, key: int, size: int) -> int:
    """Where the edge of a node for what is under its mask is looked for first."""
    mixed = (key ^ node * K1 & U64) * K2 & U64
    mixed ^= mixed >> 32
    return (mixed * K1 & U64) >> 64 - size


def edge_slots(nodes: Any, keys: Any, size: int) -> Any:
    """The same of many edges."""
    mixed = (keys ^ nodes * np.uint64(K1)) * np.uint64(K2)
    mixed ^= mixed >> np.uint64(32)
    return (mixed * np.uint64(K1) >> np.uint64(64 - size)).astype(np.int64)
