"""Cycles that are fair: where in a graph a behaviour may stay for ever, and keep every promise.

A behaviour that never ends stays, in the end, inside one strongly connected part of the graph (or
in one state, if nothing more happens).  There a *duty* is kept if one of its steps is taken inside;
a weak one also if it is impossible somewhere, a strong one only if it is impossible everywhere.
Where a strong duty is not kept, the states in which it is possible are left out, and what remains
is looked at again (the emptiness check of Streett automata).  Steps of which there is an end at
last are no part of any cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Yes = NDArray[np.bool_]

#: From so many steps on, components are found by scipy, where it is installed.
MANY = 100_000


@dataclass(frozen=True)
class Duty:
    """One part of a promise that an action is taken, in one graph."""

    strong: bool
    labels: Yes  #: per label: a step with it keeps the promise
    possible: Yes  #: per state: such a step is possible there


@dataclass(frozen=True)
class Fairness:
    """All that is promised, in one graph."""

    duties: tuple[Duty, ...]
    lasting: Yes  #: per label: steps with it may be taken for ever


class Steps:
    """The steps of a graph of so many states, in the order of the states they are from."""

    def __init__(self, states: int, source: Numbers, target: Numbers, label: Numbers) -> None:
        self.source, self.target, self.label = source, target, label
        self._from = np.searchsorted(source, np.arange(states + 1)).tolist()

    def of(self, state: int) -> range:
        """The steps from a state."""
        return range(self._from[state], self._from[state + 1])


def components(states: int, source: Numbers, target: Numbers) -> Numbers:
    """The strongly connected component of each state, by number."""
    quick = len(source) >= MANY and find_spec("scipy") is not None
    return (_by_scipy if quick else _by_networkx)(states, source, target)


def _by_networkx(states: int, source: Numbers, target: Numbers) -> Numbers:
    import networkx

    graph: Any = networkx.DiGraph()
    graph.add_nodes_from(range(states))
    graph.add_edges_from(zip(source.tolist(), target.tolist()))
    found = np.zeros(states, np.int64)
    for number, members in enumerate(networkx.strongly_connected_components(graph)):
        found[list(members)] = number
    return found


def _by_scipy(states: int, source: Numbers, target: Numbers) -> Numbers:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    matrix = coo_array((np.ones(len(source), np.int8), (source, target)), (states, states))
    _, found = connected_components(matrix.tocsr(), directed=True, connection="strong")
    return np.asarray(found, np.int64)


def fair_parts(steps: Steps, fairness: Fairness, alive: Yes) -> Numbers:
    """For each state the number of the part in which a fair behaviour may stay for ever, or -1.

    Only `alive` states are looked at.  A part may be a single state in which nothing more happens.
    """
    alive = alive.copy()
    lasting = fairness.lasting[steps.label]
    found = np.full(len(alive), -1, np.int64)
    parts = 0
    while alive.any():
        members = np.flatnonzero(alive)
        place = np.cumsum(alive) - 1
        inside = lasting & alive[steps.source] & alive[steps.target]
        source, target = place[steps.source[inside]], place[steps.target[inside]]
        part = components(len(members), source, target)
        within = part[source] == part[target]
        kept = _Kept(part, part[source[within]], steps.label[inside][within])
        fair, left_out = kept.judge(fairness.duties, members)
        here = fair[part]
        found[members[here]] = parts + part[here]
        parts += kept.parts
        alive[members[here | left_out]] = False
    return found


class _Kept:
    """Which duties are kept in which parts of a graph."""

    def __init__(self, part: Numbers, of: Numbers, label: Numbers) -> None:
        self.part = part  # per state
        self.of, self.label = of, label  # per step that stays in a part: the part, and the label
        self.parts = int(part.max()) + 1
        self.size = np.bincount(part, minlength=self.parts)

    def judge(self, duties: tuple[Duty, ...], members: Numbers) -> tuple[Yes, Yes]:
        """Which parts are fair, and which states cannot be in any fair part.

        Each round either finds a part fair, or leaves out a state of it.
        """
        lost = np.zeros(self.parts, np.bool_)  # a weak duty is not kept, and won't be in less of it
        again = np.zeros(self.parts, np.bool_)  # a strong duty is not kept
        left_out = np.zeros(len(members), np.bool_)
        for duty in duties:
            taken = np.zeros(self.parts, np.bool_)
            taken[self.of[duty.labels[self.label]]] = True
            possible = duty.possible[members]
            where = np.bincount(self.part, weights=possible, minlength=self.parts)
            if duty.strong:
                broken = ~taken & (where > 0)
                again |= broken
                left_out |= possible & broken[self.part]
            else:
                lost |= ~taken & (where == self.size)
        return ~lost & ~again, left_out | lost[self.part]
