"""Questions about a state that are asked once for each thing they could depend on.

A `Question` is a function of the state.  While it is answered, the cells it reads are noted, and
the answer is kept at the end of a path in a decision tree: the first cell read, its value, the
next cell read, its value, …  A function of the state reads the same next cell wherever it has read
the same values so far, so a walk down the tree gives exactly the answer the function would give.
States are *rows*: tuples of small numbers, one per cell, where 0 is what the cell holds at the
start, or of a channel that it is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import EVERY_KEY, Bag, Cell, Cells, Fifo, Untold, redo, show
from mesos_spec.kernel.values import alike, check_value

S = TypeVar("S", bound=Cells)
A = TypeVar("A")

Row = tuple[int, ...]  #: a state; trailing zeros are left out


class Packing(Generic[S]):
    """The numbers that stand for values, cell by cell, and one state to show rows in."""

    def __init__(self, first: S) -> None:
        self._live = first.copy()
        self._shown: list[int] = []  # the row that `_live` shows
        self.cells: list[Cell] = []
        self._places: dict[Cell, int] = {}
        self._values: list[list[Any]] = []  # per place, by number
        self._numbers: list[dict[Any, int]] = []
        cells = [*first.cells()]
        self._begins = {c: value for c, value in cells if not isinstance(value, Bag | Fifo)}
        for cell, value in cells:
            place = self.place(cell)
            self._shown.extend([0] * (len(self.cells) - len(self._shown)))
            self._shown[place] = self.number(place, value)
        self.first = trimmed(self._shown)

    def place(self, cell: Cell) -> int:
        """Where `cell` is in a row."""
        place = self._places.get(cell)
        if place is None:
            begins = self._begins[cell] if cell in self._begins else self._live.default(cell)
            return self._add(cell, begins)
        return place

    def _add(self, cell: Cell, begins: Any) -> int:
        """Give `cell`, which holds `begins` until it is written, the next place."""
        self._places[cell] = len(self.cells)
        self.cells.append(cell)
        self._values.append([begins])
        self._numbers.append({begins: 0})
        return len(self.cells) - 1

    def number(self, place: int, value: Any) -> int:
        """The number of `value` in the cell at `place`."""
        numbers = self._numbers[place]
        try:
            number = numbers.setdefault(value, len(numbers))
        except TypeError:
            self._check(place, value)
            raise
        if number == len(self._values[place]):
            self._check(place, value)
            self._values[place].append(value)
        else:
            known = self._values[place][number]
            if not alike(known, value):
                raise Untold(
                    f"{show(self.cells[place])} holds {known!r} and {value!r}, which are equal "
                    f"and not the same: a search would merge states that differ. Let them be of "
                    f"one type, or differ"
                )
        return number

    def _check(self, place: int, value: Any) -> None:
        try:
            check_value(value)
        except Untold as e:
            raise Untold(f"{show(self.cells[place])} is given {value!r}: {e}") from e

    def show(self, row: list[int]) -> S:
        """The state that `row` stands for; good until the next call."""
        shown, live = self._shown, self._live
        shown.extend([0] * (len(row) - len(shown)))
        for place, number in enumerate(row):
            if shown[place] != number:
                self._show(live, place, number)
                shown[place] = number
        return live

    def _show(self, live: S, place: int, number: int) -> None:
        redo(live, {self.cells[place]: (None, self._values[place][number])})

    def value(self, place: int, number: int) -> Any:
        """What `number` stands for in the cell at `place`."""
        return self._values[place][number]

    def values(self, place: int) -> list[Any]:
        """All that the cell at `place` has held so far."""
        return self._values[place]

    def widened(self, row: Row) -> list[int]:
        """`row` with every cell known so far in its place."""
        return [*row, *[0] * (len(self.cells) - len(row))]


def differing(row: list[int], other: list[int]) -> int:
    """The places where two rows differ, as bits."""
    bits = 0
    for place, (one, two) in enumerate(zip_longest(row, other, fillvalue=0)):
        if one != two:
            bits |= 1 << place
    return bits


def trimmed(row: list[int]) -> Row:
    """`row` without the zeros at its end: one state is one row, however many cells are known."""
    end = len(row)
    while end and not row[end - 1]:
        end -= 1
    return tuple(row[:end])


class Branch:
    """After the same reads so far, this cell is read next."""

    __slots__ = ("next", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.next: dict[int, Any] = {}  # by the number of what the cell holds: Branch or Leaf


class Leaf(Generic[A]):
    """Nothing more is read: this is the answer, and it was given so many times."""

    __slots__ = ("answer", "read", "times")

    def __init__(self, answer: A) -> None:
        self.answer = answer
        self.read = 0  #: the places on the way here, as bits; all, if some have no place in a row
        self.times = 0


class Question(Generic[S, A]):
    """A function of the state that is asked only where it might give a new answer."""

    def __init__(
        self,
        name: str,
        packing: Packing[S],
        ask: Callable[[S], A],
        forget: Callable[[A], None] = lambda answer: None,
    ) -> None:
        self._name, self._packing, self._ask = name, packing, ask
        self._forget = forget  # told each answer that is not kept
        self._root = Branch(-1)  # its only child is under 0
        self.leaves: list[Leaf[A]] = []

    def answer(self, row: list[int]) -> A:
        """What `ask` would say of the state that `row` stands for; `row` may grow."""
        leaf = self.leaf(row)
        leaf.times += 1
        return leaf.answer

    def leaf(self, row: list[int]) -> Leaf[A]:
        """The answer, and what it depends on: it is that of each row that differs elsewhere."""
        node = self._root.next.get(0)
        while type(node) is Branch:
            node = node.next.get(row[node.place])
        if node is None or node is _AGAIN:
            node = self._learn(row)
        return node

    def _learn(self, row: list[int]) -> Leaf[A]:
        state = self._packing.show(row)
        answer, reads = state.listen(self._ask)
        leaf = Leaf(answer)
        at, key, end = self._root, 0, leaf
        for cell, value in reads.items():
            if cell[1] is EVERY_KEY:
                end, leaf.read = _AGAIN, -1
                break
            place = self._packing.place(cell)
            leaf.read |= 1 << place
            branch = at.next.setdefault(key, Branch(place))
            if type(branch) is not Branch or branch.place != place:
                raise Untold(f"{self._name} reads {show(cell)} or not, and not by the state alone")
            at, key = branch, self._packing.number(place, value)
        at.next[key] = end
        if end is _AGAIN:
            self._forget(answer)
        else:
            self.leaves.append(leaf)
        row.extend([0] * (len(self._packing.cells) - len(row)))
        return leaf


_AGAIN: Leaf[Any] = Leaf(None)  # what is read here has no place in a row: ask every time
