"""Decision trees that a kernel walks down: those of all groups, or those of all checks.

A tree asks for several cells at once: a node is a word and a mask, and what is left of a state
under the mask leads to the next node, by one table of edges for all trees.  A node asks for those
cells that every state which comes by must have read.  So a tree has no more leaves than the answers
need, and is walked in a few steps.  What every leaf was made of is kept: in another layout, the
trees are grown again from that.
"""

from __future__ import annotations

from array import array
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import Layout, Words

UNKNOWN = -1  #: where nothing leads yet: a row that has to be asked for
LEAF = 1 << 31  #: a reference from here on is the row at a leaf, below it a node
K1, K2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9  #: what edges and states are hashed with

Array = NDArray[Any]
Paths = tuple[tuple[int, ...], ...]  #: for each question: the places it reads, in order


class Column:
    """An array that grows at its end."""

    def __init__(self, dtype: Any, width: int = 0) -> None:
        self.held: Array = np.zeros((256, width) if width else 256, dtype)
        self.n = 0

    def add(self, value: Any) -> int:
        """Put a value at the end; where that is."""
        self.make_room(1)
        self.held[self.n] = value
        self.n += 1
        return self.n - 1

    def extend(self, values: Any) -> None:
        """Put some values at the end."""
        self.make_room(len(values))
        self.held[self.n : self.n + len(values)] = values
        self.n += len(values)

    def make_room(self, more: int) -> None:
        """See to it that so many more values fit."""
        while self.n + more > len(self.held):
            self.held = np.concatenate([self.held, np.zeros_like(self.held)])


class Trees:
    """So many trees, by number, without a leaf; more are planted as they are spoken of."""

    def __init__(self, kernel: ModuleType, layout: Layout, trees: int = 0) -> None:
        self.kernel = kernel
        self.spare = getattr(kernel, "SPARE", 2)  # slots for each edge, at least
        self.items, self.flat = array("q"), array("q")  # five numbers each; paths, one by one
        self.longest = 0  # of all paths to a leaf together
        self._clear(layout)
        self.plant(trees)

    def _clear(self, layout: Layout) -> None:
        self.layout, self.grown = layout, 0
        self.roots, self.reads = Column(np.int64), Column(np.uint64, layout.words)
        self.word, self.mask = Column(np.int64), Column(np.uint64)
        self.begin, self.places = Column(np.int64), Column(np.int64)
        self.used = np.zeros(3, np.int64)  # nodes, their places, edges
        self.size = 12  # the table of edges has 2**size slots
        self.edges = self._no_edges()

    def _no_edges(self) -> tuple[Array, Array]:
        return np.zeros(1 << self.size, np.uint64), np.zeros(1 << self.size, np.uint64)

    @property
    def look(self) -> Any:
        """What a kernel walks: roots, words and masks of the nodes, edges."""
        down = np.uint64(64 - self.size)
        return self.roots.held, self.word.held, self.mask.held, *self.edges, down

    def plant(self, trees: int) -> None:
        """See to it that there are so many trees."""
        if trees > self.roots.n:
            self.reads.extend(np.zeros((trees - self.roots.n, self.layout.words), np.uint64))
            self.roots.extend(np.full(trees - self.roots.n, UNKNOWN))

    def add(self, tree: int, paths: Paths, state: int, leaf: int) -> None:
        """Lead all that have what `state` has on these paths to a leaf, when next grown."""
        self.plant(tree + 1)
        begin = len(self.flat)
        for path in paths:
            self.flat.extend(path)
            self.flat.append(-1)
        self.items.extend((tree, begin, len(self.flat), state, leaf))
        self.longest = max(self.longest, len(self.flat) - begin + 1)

    def move(self, layout: Layout) -> None:
        """Be trees in another layout; without a leaf, until they are grown."""
        trees = self.roots.n
        self._clear(layout)
        self.plant(trees)

    def grow(self, states: Words, cells: int) -> None:
        """Put in what was added, or, in a new layout, all.  There are so many `cells`."""
        if 5 * self.grown == len(self.items):
            return
        items = np.frombuffer(self.items, np.int64).reshape(-1, 5)
        flat = np.frombuffer(self.flat, np.int64)
        longest = self.longest
        room = np.zeros(longest, np.int64), np.zeros(longest, np.int64), np.zeros(cells, bool)
        while self.grown < len(items):
            for column, n in zip((self.word, self.mask, self.begin, self.places), (0, 0, 0, 1)):
                column.n = int(self.used[n])
                column.make_room(longest + 2)
            self._room_for_edges(longest)
            nodes = self.word.held, self.mask.held, self.begin.held, self.places.held
            self.grown = int(
                self.kernel.grow(
                    *(items, self.grown, flat, states, self._fields(cells)),
                    *(
                        self.roots.held,
                        self.reads.held,
                        nodes,
                        self.edges,
                        np.uint64(64 - self.size),
                    ),
                    *(self.used, room),
                )
            )

    def _room_for_edges(self, more: int) -> None:
        while self.spare * (int(self.used[2]) + more + 1) > 1 << self.size:
            self.size += 1
            old, self.edges = self.edges, self._no_edges()
            self.kernel.rehash(*old, *self.edges, np.uint64(64 - self.size))

    def _fields(self, cells: int) -> tuple[Array, Array, Array]:
        """Word, shift and mask of each cell; those that are in no layout yet have no bits."""
        layout, none = self.layout, [0] * (cells - len(self.layout.bits))
        return (
            np.array(layout.word + none, np.int64),
            np.array(layout.shift + none, np.uint64),
            np.array(layout.mask + none, np.uint64),
        )
