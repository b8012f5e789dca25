"""Records that stay in their file: of a long trace, only where its lines begin is kept in memory.

A record as Python objects takes six times the memory of its line, and a run of a million steps has
more than a gigabyte of lines.  A judge goes through each trace once, so it is enough to read some
lines ahead and to make a record when it is asked for.  Whoever reads here and there reads slower.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from mesos_spec.tools.judging.trace import Record

AHEAD = 1 << 16  #: bytes that are read at once


class Filed(Sequence["Record"]):
    """The records of a trace file, each read when it is asked for.

    `begins` has the offset of each record's line, and of the end.  The file must stay as it is, and
    its lines must have been found good.
    """

    def __init__(
        self, path: str, begins: array[int], parse: Callable[[bytes, int], Record]
    ) -> None:
        self._path, self._begins, self._parse = path, begins, parse
        self._block, self._at = b"", 0  #: what was read last, and from where on
        self._last: tuple[int, Record] | None = None

    def __len__(self) -> int:
        return len(self._begins) - 1

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        index %= len(self)
        record = self._parse(self._line(index), index)
        self._last = index, record
        return record

    def _line(self, index: int) -> bytes:
        begin, end = self._begins[index], self._begins[index + 1] - 1  # without the newline
        if not self._at <= begin <= end <= self._at + len(self._block):
            with open(self._path, "rb") as file:
                file.seek(begin)
                self._block, self._at = file.read(max(AHEAD, end - begin)), begin
        return self._block[begin - self._at : end - self._at]
