"""Two cores for one search: one adds states while the other collects, and both look up rows.

While one core adds the successors of a batch, the other collects those of the next; and whoever is
done looks up rows of the states that the batch before has added, part by part.  Collecting may run
ahead within a level, since the rows of that level were all looked up before it began.  States are
added by one core alone, in their order, so the search finds the same states under the same numbers
as with one.  What is not known is asked, and arrays are made larger, while the other core rests.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mesos_spec.tools.search.fast.driver import FastSearch

Array = NDArray[Any]

AHEAD = 1 << 16  #: successors collected at a time: enough that handing over costs little
PART = 1 << 10  #: states whose rows one core looks up at a time


@dataclass(eq=False)
class _Batch:
    """States from `begin` to `end` of a level, with their successors."""

    begin: int
    end: int
    filled: int
    scratch: Any
    unsure: Array
    stuck: Array
    counts: Array


@dataclass(eq=False)
class _Added:
    """The states that a batch has added: from `begin` to `end`.  They have no rows yet."""

    begin: int
    end: int
    batch: _Batch
    parts: Iterator[int]  # where those begin that nobody has taken yet
    missed: list[tuple[int, Array]]  # where a part begins, and the rows it misses


class TwoCores:
    """Expands the levels of a search, with a thread that works beside it."""

    def __init__(self, search: FastSearch[Any]) -> None:
        self.search = search
        self.pool = ThreadPoolExecutor(1)
        self._free: list[_Batch] = []  # whose room may be used again

    def expand(self, base: int, lo: int, hi: int, next_base: int) -> None:
        """Expand the states from `lo` to `hi` of the level that begins at `base`."""
        search = self.search
        batch: _Batch | None = None
        added: _Added | None = None
        while lo < hi or batch is not None or added is not None:
            search._make_room(self._room(), next_base)
            work = self.pool.submit(self._beside, added, base, lo, hi, next_base)
            inserted = None if batch is None else self._insert(batch)
            self._inherit(added, base, next_base)
            following = work.result()
            if batch is not None:  # now, while its states have rows
                search._count(batch.counts, batch.stuck)
            rows, layout = search.rows, search.machine.layout
            if added is not None:
                self._free.append(added.batch)
                missed = np.concatenate([part for _, part in sorted(added.missed, key=_first)])
                if len(missed):
                    search._resolve(missed, search.next_rows, next_base)
            if batch is not None and batch.counts[5]:
                search._unsure(len(batch.unsure))
                search._check(batch.unsure[: batch.counts[5]])
            if search.rows is not rows:
                inserted = None  # every row was looked up again
            if search.machine.layout is not layout:
                following = None  # it is to be collected again
            lo = lo if following is None else following.end
            batch, added = following, inserted

    def _room(self) -> int:
        """How many successors there is room for in a batch."""
        return max(AHEAD, 2 * self.search.machine.most)

    def _beside(
        self, added: _Added | None, base: int, lo: int, hi: int, next_base: int
    ) -> _Batch | None:
        """What the other thread does: collect a batch of states from `lo` on, and look up rows."""
        batch = self._collect(base, lo, hi) if lo < hi else None
        self._inherit(added, base, next_base)
        return batch

    def _inherit(self, added: _Added | None, base: int, next_base: int) -> None:
        """Look up rows of what was `added`, as long as there is a part that nobody has taken."""
        if added is None:
            return
        search, machine = self.search, self.search.machine
        inherit: Any = search.kernel.inherit
        for lo in added.parts:
            hi = min(lo + PART, added.end)
            missed = np.empty(((hi - lo) * len(machine.groups), 3), np.int64)
            n = inherit(
                *(machine.store.states, lo, hi, added.batch.scratch[2][lo - added.begin :]),
                *(search.rows, base, search.next_rows, next_base),
                *(machine.look, machine.know[1][2], missed, 0),
            )
            added.missed.append((lo, missed[:n]))

    def _collect(self, base: int, lo: int, hi: int) -> _Batch:
        search, machine = self.search, self.search.machine
        batch = self._fresh(lo)
        collect: Any = search.kernel.collect
        end, filled = collect(
            *(machine.store.states, lo, hi, search.rows, base, machine.look, machine.know),
            *(batch.scratch, batch.unsure, batch.stuck, batch.counts),
        )
        batch.end, batch.filled = int(end), int(filled)
        return batch

    def _fresh(self, begin: int) -> _Batch:
        """A batch with nothing in it."""
        room, words = self._room(), self.search.machine.store.words
        counts = np.array([0, 0, 0, -1, self.search.machine.most, 0], np.int64)
        while self._free:
            old = self._free.pop()
            if old.scratch[0].shape == (room, words):
                return _Batch(begin, begin, 0, old.scratch, old.unsure, old.stuck, counts)
        scratch = (
            np.empty((room, words), np.uint64),
            np.empty(room, np.uint64),
            np.empty((room, 2), np.int64),
        )
        unsure, stuck = np.empty((room, 4), np.int64), np.empty(AHEAD, np.int64)
        return _Batch(begin, begin, 0, scratch, unsure, stuck, counts)

    def _insert(self, batch: _Batch) -> _Added:
        """Add the states of a batch that are new."""
        search, store = self.search, self.search.machine.store
        begin = store.n
        n = search.kernel.insert(
            store.states, begin, batch.filled, batch.scratch, store.table, store.size
        )
        store.n, search.at = int(n), batch.end
        none = (begin, np.empty((0, 3), np.int64))
        return _Added(begin, store.n, batch, iter(range(begin, store.n, PART)), [none])


def _first(part: tuple[int, Array]) -> int:
    return part[0]
