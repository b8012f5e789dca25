"""Which questions are looked up together.

Questions that read the same cells are one walk instead of several, as long as together they do not
tell many more states apart than each of them does.  A sample of real states shows that.  Whatever
is grouped, the search is exact; only its speed hangs on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.tools.search.fast.asking import Ask, Asker

GROWTH, SLACK = 1.5, 8  #: how many more projections a merged group may have than its greatest part
RARE = 0.02  #: and which part of the sample more may be alone with theirs: those foretell misses
ALONE = "the cut"  #: this question is looked up before all others


@dataclass(eq=False)
class Group:
    """Questions of one kind, by number."""

    kind: int
    asks: list[int]


@dataclass(eq=False)
class _Part:
    """A group that is being put together, and what the sample says of it."""

    kind: int
    asks: list[int]
    reads: NDArray[Any]  # state × place: is it read
    label: NDArray[Any]  # state: which projection
    kinds: int  # how many projections there are
    lonely: int  # how many of them only one state has
    cost: float  # how many places it reads, in the mean


def grouped(asker: Asker[Any], sample: Sequence[list[int]]) -> list[Group]:
    """All questions in groups, by kind; one about the cut comes first."""
    if not sample:
        return sorted((Group(a.kind, [k]) for k, a in enumerate(asker.asks)), key=_first(asker))
    rows = np.zeros((len(sample), len(asker.packing.cells)), np.int64)
    for at, row in enumerate(sample):
        rows[at, : len(row)] = row
    parts = [_part(k, ask, rows) for k, ask in enumerate(asker.asks)]
    made: list[_Part] = []
    for part in sorted(parts, key=lambda p: (-p.cost, p.asks)):
        if not _merged(made, part):
            made.append(part)
    found = [Group(asker.asks[part.asks[0]].kind, sorted(part.asks)) for part in made]
    return sorted(found, key=_first(asker))


def _first(asker: Asker[Any]) -> Any:
    return lambda group: (asker.asks[group.asks[0]].name != ALONE, group.kind, group.asks)


def _part(number: int, ask: Ask, rows: NDArray[Any]) -> _Part:
    """What a question reads in each state of the sample; nothing where it was never asked."""
    reads = np.zeros(rows.shape, bool)
    label = np.zeros(len(rows), np.int64)
    kinds = 0
    left: list[tuple[Any, NDArray[Any], list[int]]] = [(ask.tree, np.arange(len(rows)), [])]
    while left:  # a part of the sample that came to this node of the tree on this way
        node, at, path = left.pop()
        if type(node) is not tuple:
            label[at] = kinds
            kinds += 1
            if node is not None:
                reads[at[:, None], path] = True
            continue
        place, following = node
        column = rows[at, place]
        for value in np.unique(column).tolist():
            left.append((following.get(value), at[column == value], [*path, place]))
    kind = ask.kind if ask.name != ALONE else -1
    return _Part(kind, [number], reads, label, kinds, _lonely(label), _mean(reads))


def _merged(made: list[_Part], part: _Part) -> bool:
    """Whether `part` could join one of the groups, and has: the one that saves most."""
    best, best_gain, joined, lonely = None, 0.2, part.label, 0
    for group in made:
        if group.kind != part.kind:
            continue
        gain = group.cost + part.cost - _mean(group.reads | part.reads)
        if part.cost < 0.05:
            gain += 1.0  # it reads next to nothing: with others it costs nothing
        if gain <= best_gain:
            continue
        both = np.unique(group.label * part.kinds + part.label, return_inverse=True)[1]
        found, rare = int(both.max()) + 1, _lonely(both)
        if (
            found <= GROWTH * max(group.kinds, part.kinds) + SLACK
            and rare <= max(group.lonely, part.lonely) + RARE * len(both) + 1
        ):
            best, best_gain, joined, lonely = group, gain, both, rare
    if best is None:
        return False
    best.asks.append(part.asks[0])
    best.reads |= part.reads
    best.cost = _mean(best.reads)
    best.label, best.kinds, best.lonely = joined, int(joined.max()) + 1, lonely
    return True


def _mean(reads: NDArray[Any]) -> float:
    """How many places are read, in the mean of the states."""
    return float(np.count_nonzero(reads)) / len(reads)


def _lonely(label: NDArray[Any]) -> int:
    """How many projections occur once: so often, about, a new state has one never seen."""
    return int((np.bincount(label) == 1).sum())
