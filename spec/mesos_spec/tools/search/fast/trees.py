"""Decision trees that a kernel walks down: those of all groups, or those of all checks.

A node asks for a few bits of one word of a state: cells, or the first bits of a cell of many
values.  It has a *way* for each number those bits may be, so a step down is one look at an array:
there is 0 while nothing leads on, a node's number plus one, or below 0 a leaf, with -1 for row 0.
A node asks for no more than every state that comes by must read.  So a tree has no more leaves than
the answers need.  What every leaf was made of is kept: in another layout, the trees are grown again
from that.
"""

from __future__ import annotations

from array import array
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import Layout, Words

UNKNOWN = -1  #: a row that has to be asked for, since no way leads there yet
SPAN = 8  #: bits that a node asks for, at most: it has 2**bits ways

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
        self.items, self.flat = array("q"), array("q")  # five numbers each; paths, one by one
        self.longest = 0  # of all paths to a leaf together
        self._clear(layout)
        self.plant(trees)

    def _clear(self, layout: Layout) -> None:
        self.layout, self.grown = layout, 0
        self.roots, self.reads = Column(np.int64), Column(np.uint64, layout.words)
        self.nodes = Column(np.uint64, 4)  # each: word, shift, mask, where its ways begin
        self.begin, self.asked = Column(np.int64), Column(np.int64)  # pieces it asks for
        self.ways = Column(np.int32)
        self.used = np.zeros(3, np.int64)  # nodes, pieces they ask for, ways
        self._pieces = Pieces(layout, 0)

    @property
    def look(self) -> Any:
        """What a kernel walks: roots, nodes, ways."""
        return self.roots.held, self.nodes.held, self.ways.held

    def plant(self, trees: int) -> None:
        """See to it that there are so many trees."""
        if trees > self.roots.n:
            self.reads.extend(np.zeros((trees - self.roots.n, self.layout.words), np.uint64))
            self.roots.extend(np.zeros(trees - self.roots.n, np.int64))

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
        if cells >= len(self._pieces.first):
            self._pieces = Pieces(self.layout, cells)
        pieces = self._pieces
        most = self.longest * pieces.most  # nodes that a leaf may need
        room = np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(pieces.n + 1, bool)
        columns = self.nodes, self.begin, self.asked, self.ways
        while self.grown < len(items):
            for column, n, more in zip(columns, (0, 0, 1, 2), (most, most, most, most << SPAN)):
                column.n = int(self.used[n])
                column.make_room(more + 2)
            nodes = self.nodes.held, self.begin.held, self.asked.held
            self.grown = int(
                self.kernel.grow(
                    *(items, self.grown, flat, states, pieces.look),
                    *(self.roots.held, self.reads.held, nodes, self.ways.held, SPAN),
                    *(self.used, room),
                )
            )


class Pieces:
    """The cells of a layout in pieces of `SPAN` bits at most: each has a word, a shift, and bits.

    Cells that are in no layout yet, or need no bits, have no piece.
    """

    def __init__(self, layout: Layout, cells: int) -> None:
        word, shift, bits, first = list[int](), list[int](), list[int](), [0]
        for place, many in enumerate(layout.bits):
            for begin in range(0, many, SPAN):
                word.append(layout.word[place])
                shift.append(layout.shift[place] + begin)
                bits.append(min(SPAN, many - begin))
            first.append(len(word))
        self.n = len(word)
        self.most = max(-(-max(layout.bits, default=1) // SPAN), 1)  #: pieces of a cell
        self.first = first + [self.n] * (cells + 1 - len(first))  #: of each cell
        self.look = tuple(np.array(part, np.int64) for part in (self.first, word, shift, bits))
