"""Two cores for one search: one collects successors while the other adds those before.

Collecting only reads what the search knows, so it may run ahead: of the same level, since the rows
of that level were all looked up before it began.  States are added by one core alone, in their
order, so the search finds the same states under the same numbers as with one.  What was collected
ahead is thrown away, and collected again, if states were moved to another layout meanwhile.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.layout import Layout

if TYPE_CHECKING:
    from mesos_spec.tools.search.fast.driver import FastSearch

Array = NDArray[Any]

AHEAD = 1 << 14  #: successors collected at a time: enough that handing over costs little


@dataclass(eq=False)
class _Ahead:
    """A stretch of states whose successors are being collected, or were."""

    layout: Layout
    scratch: Any
    unsure: Array
    stuck: Array
    counts: Array
    begin: int
    found: Future[tuple[int, int]]  # how far, and how many successors


class TwoCores:
    """Expands the levels of a search, with a thread that collects ahead."""

    def __init__(self, search: FastSearch[Any]) -> None:
        self.search = search
        self.pool = ThreadPoolExecutor(1)

    def expand(self, base: int, lo: int, hi: int, next_base: int) -> None:
        """Expand the states from `lo` to `hi` of the level that begins at `base`."""
        ahead = self._collect(base, lo, hi)
        while ahead is not None:
            at, filled = ahead.found.result()
            if ahead.layout is not self.search.machine.layout:
                ahead = self._collect(base, ahead.begin, hi)
                continue
            self.search._make_room(len(ahead.scratch[0]), next_base)
            following = self._collect(base, int(at), hi)
            self._add(ahead, int(at), int(filled), base, next_base, following)
            ahead = following

    def _collect(self, base: int, lo: int, hi: int) -> _Ahead | None:
        """Begin to collect the successors of states from `lo` on."""
        if lo >= hi:
            return None
        search, machine = self.search, self.search.machine
        buffer = max(AHEAD, 2 * machine.most)
        scratch = (
            np.empty((buffer, machine.store.words), np.uint64),
            np.empty(buffer, np.uint64),
            np.empty((buffer, 2), np.int64),
        )
        unsure = np.empty((buffer, 4), np.int64)
        stuck = np.empty(AHEAD, np.int64)
        counts = np.array([0, 0, 0, -1, machine.most, 0], np.int64)
        collect: Any = search.kernel.collect
        work = partial(
            collect,
            *(machine.store.states, lo, hi, search.rows, base, machine.look, machine.know),
            *(scratch, unsure, stuck, counts),
        )
        found = self.pool.submit(work)
        return _Ahead(machine.layout, scratch, unsure, stuck, counts, lo, found)

    def _add(
        self, ahead: _Ahead, at: int, filled: int, base: int, next_base: int, other: _Ahead | None
    ) -> None:
        """Add what was collected; then wait for the other, before anything is learnt."""
        search, machine = self.search, self.search.machine
        store, missed = machine.store, search._missed(len(ahead.scratch[0]))
        n, misses = search.kernel.insert(
            *(store.states, store.n, filled, ahead.scratch, search.rows, base, search.next_rows),
            *(next_base, machine.look, machine.know, store.table, store.size, missed, 0),
        )
        if other is not None:
            other.found.result()
        store.n, search.at = int(n), at
        search._count(ahead.counts, ahead.stuck)
        if misses:
            search._resolve(missed[:misses].copy(), search.next_rows, next_base)
        if ahead.counts[5]:
            search._unsure(len(ahead.unsure))
            search._check(ahead.unsure[: ahead.counts[5]])
