"""Numbers for the parts of states: a queue is three of them.

Whether anything is there, the oldest message, and the rest.  So what asks only for the next message
depends on that alone, and sees as many kinds of state as there are messages, not as there are
contents; and a domain that wants an empty channel sees two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from mesos_spec.kernel import Cell, Cells, Fifo
from mesos_spec.kernel.partly import Head, Some
from mesos_spec.tools.search.questions import Packing

S = TypeVar("S", bound=Cells)

#: The keys of parts of queues, with what they hold where nothing is there.
PARTS: dict[type, Any] = {Some: False, Head: None}


class Parts(Packing[S]):
    """The numbers that stand for values, part by part, and one state to show rows in.

    The part `Some(key)` of a queue says whether anything is there; `Head(key)` is None where
    nothing is; the part `key` is the queue without its head.
    """

    def __init__(self, first: S) -> None:
        self._queues: dict[tuple[int, int, int], Fifo[Any]] = {}  # by place of the rest, and parts
        self._partners: dict[int, tuple[int, int]] = {}  # of each part: places of head and rest
        super().__init__(first)

    def _default(self, cell: Cell) -> Any:
        kind = type(cell[1])
        return PARTS[kind] if kind in PARTS else super()._default(cell)

    def places(self, cell: Cell) -> tuple[int, ...]:
        """Where a cell is in a row: a part in one place, a whole queue in three."""
        name, key = cell
        if type(key) in PARTS or type(self._live.default(cell)) is not Fifo:
            return (self.place(cell),)
        some, head, rest = (
            self.place((name, Some(key))),
            self.place((name, Head(key))),
            self.place(cell),
        )
        self._partners[some] = self._partners[head] = self._partners[rest] = head, rest
        return some, head, rest

    def numbered(self, cell: Cell, value: Any) -> tuple[tuple[int, int], ...]:
        """Where `cell` is in a row, and what is there if it holds `value`."""
        places = self.places(cell)
        if len(places) == 1:
            return ((places[0], self.number(places[0], value)),)
        some, head, rest = places
        mail = value.mail
        return (
            (some, self.number(some, bool(mail))),
            (head, self.number(head, mail[0]) if mail else 0),
            (rest, self.number(rest, Fifo(mail[1:]))),
        )

    def whole(self, place: int) -> int:
        """One place for all parts of the cell that has a part at `place`."""
        partners = self._partners.get(place)
        return place if partners is None else partners[1]

    def held(self, place: int, row: Sequence[int]) -> tuple[Cell, Any]:
        """The whole cell of which a part is at `place`, and what it holds in `row`."""
        partners = self._partners.get(place)
        if partners is None:
            return super().held(place, row)
        head, rest = partners
        end = len(row)
        numbers = row[head] if head < end else 0, row[rest] if rest < end else 0
        key = rest, *numbers
        found = self._queues.get(key)
        if found is None:
            first, after = self._values[head][numbers[0]], self._values[rest][numbers[1]]
            found = self._queues[key] = Fifo((first, *after.mail) if numbers[0] else ())
        return self.cells[rest], found
