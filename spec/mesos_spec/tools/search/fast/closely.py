"""Rows in which a cell may have a second place: whether it is empty.

Who asks no more of a queue than whether mail waits should not be asked again for every mail that
may wait.  So for the fields of which that is asked, a row has a bit more for each cell, true to the
cell at all times: whoever writes the one place writes the other.  To trees, layouts and effects it
is a place like any other.
"""

from __future__ import annotations

from typing import TypeVar

from mesos_spec.kernel import Cell, Cells, emptiness, whether_empty
from mesos_spec.tools.search.questions import Packing, trimmed

S = TypeVar("S", bound=Cells)


class ClosePacking(Packing[S]):
    """A packing with places for whether the cells of some fields are empty."""

    def __init__(self, first: S, fields: frozenset[str]) -> None:
        self.fields = fields
        self._apart: dict[int, int] = {}  # of a cell's place: the one for whether it is empty
        self._whole: dict[str, str] = {whether_empty((f, None))[0]: f for f in fields}
        super().__init__(first)
        row = [*self.first, *[0] * (len(self.cells) - len(self.first))]
        for place, number in self.with_emptiness(dict(enumerate(row))).items():
            row[place] = number
        self.first = trimmed(row)

    def place(self, cell: Cell) -> int:
        """Where `cell`, or whether it is empty, is in a row."""
        place = self._places.get(cell)
        if place is not None:
            return place
        whole = self._whole.get(cell[0])
        if whole is not None:
            self.place((whole, cell[1]))
            return self._places[cell]
        place = super().place(cell)
        if cell[0] in self.fields:
            self._apart[place] = self._add(whether_empty(cell), emptiness(self.value(place, 0)))
        return place

    def with_emptiness(self, numbers: dict[int, int]) -> dict[int, int]:
        """Some places with their numbers, and with the places for whether they are empty."""
        found = numbers.copy()
        for place, number in numbers.items():
            apart = self._apart.get(place)
            if apart is not None:
                found[apart] = self.emptiness(place, number)
        return found

    def apart(self, place: int) -> int | None:
        """The place for whether the cell at `place` is empty, if there is one."""
        return self._apart.get(place)

    def emptiness(self, place: int, number: int) -> int:
        """The number there, where the cell has this `number`."""
        return self.number(self._apart[place], emptiness(self.value(place, number)))

    def is_cell(self, place: int) -> bool:
        """Whether a place is a cell's, and not for whether one is empty."""
        return self.cells[place][0] not in self._whole

    def _show(self, live: S, place: int, number: int) -> None:
        if self.is_cell(place):
            super()._show(live, place, number)
