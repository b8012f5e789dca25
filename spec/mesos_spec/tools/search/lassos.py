"""How a lasso is laid: a shortest way to where a fair behaviour may stay, and once round there.

first ──▶ owed ──(not kept)──▶ entry ⟲ (not kept, and fair)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from mesos_spec.tools.search.cycles import Duty, Fairness, Numbers, Steps, Yes

UNSEEN, START = -2, -1


class Way(NamedTuple):
    """A lasso in numbers of steps."""

    owed: int  #: the state from which on the claim is owed
    stem: list[int]  #: the steps from there to the cycle
    cycle: list[int]


class Tracks:
    """Shortest ways from the initial state, by way of a start, on within some states only."""

    def __init__(self, steps: Steps, depth: Numbers, starts: Yes, within: Yes) -> None:
        self.steps, self.within = steps, within
        self.came_by = np.full(len(within), UNSEEN, np.int64)
        self.order: list[int] = []  #: the states on such ways, the nearest to the first state first
        self.length: dict[int, int] = {}  #: how many steps it is to them
        waiting = [(int(depth[start]), start) for start in np.flatnonzero(starts).tolist()]
        self._go(waiting[::-1])

    def _go(self, waiting: list[tuple[int, int]]) -> None:
        """Level by level; a start joins at its own depth.  (The nearest is at the end.)"""
        frontier: list[int] = []
        level = 0
        while frontier or waiting:
            level = level if frontier else waiting[-1][0]
            while waiting and waiting[-1][0] <= level:
                self._arrive(waiting.pop()[1], START, level, frontier)
            onward: list[int] = []
            for at in frontier:
                for step in self.steps.of(at):
                    to = int(self.steps.target[step])
                    if self.within[to]:
                        self._arrive(to, step, level + 1, onward)
            frontier, level = onward, level + 1

    def _arrive(self, state: int, step: int, level: int, into: list[int]) -> None:
        if self.came_by[state] == UNSEEN:
            self.came_by[state] = step
            self.order.append(state)
            self.length[state] = level
            into.append(state)

    @property
    def reached(self) -> Yes:
        """The states on such ways."""
        reached: Yes = self.came_by != UNSEEN
        return reached

    def back(self, state: int) -> tuple[int, list[int]]:
        """The start of the way to a state, and the steps from there."""
        way: list[int] = []
        while (step := int(self.came_by[state])) != START:
            way.append(step)
            state = int(self.steps.source[step])
        return state, way[::-1]


def shortest_lasso(tracks: Tracks, fairness: Fairness, parts: Numbers) -> Way:
    """The shortest of: where nothing more has to happen; the nearest fair part, and round it."""
    entry = next(state for state in tracks.order if parts[state] >= 0)
    cycle = round_trip(tracks.steps, fairness, parts == parts[entry], entry)
    best = tracks.length[entry] + len(cycle)
    busy = np.zeros(len(parts), np.bool_)
    for duty in fairness.duties:
        busy |= duty.possible
    for state in tracks.order:
        if tracks.length[state] > best:
            break
        if not busy[state] and parts[state] >= 0:
            entry, cycle = state, []
            break
    owed, stem = tracks.back(entry)
    return Way(owed, stem, cycle)


def round_trip(steps: Steps, fairness: Fairness, part: Yes, entry: int) -> list[int]:
    """The steps from `entry` inside a fair part and back, on which every duty is kept.

    Always on to the nearest that keeps a duty not yet kept.
    """
    left = [duty for duty in fairness.duties if duty.possible[part].any()]
    left = [duty for duty in left if not _is_kept_at(duty, entry)]
    trip = _Trip(steps, fairness.lasting, part)
    way: list[int] = []
    at = entry
    while left:
        leg = trip.nearest(at, partial(_is_any_kept_by, left, steps))
        way += leg
        at = int(steps.target[leg[-1]])
        left = [d for d in left if not any(_is_kept_by(d, steps, step) for step in leg)]
    if at != entry:
        way += trip.nearest(at, lambda step: bool(steps.target[step] == entry))
    return way


def _is_kept_at(duty: Duty, state: int) -> bool:
    return not duty.strong and not duty.possible[state]


def _is_kept_by(duty: Duty, steps: Steps, step: int) -> bool:
    return bool(duty.labels[steps.label[step]]) or _is_kept_at(duty, int(steps.target[step]))


def _is_any_kept_by(duties: list[Duty], steps: Steps, step: int) -> bool:
    return any(_is_kept_by(duty, steps, step) for duty in duties)


class _Trip(NamedTuple):
    """Where a cycle may go: inside a part, by steps that may be taken for ever."""

    steps: Steps
    lasting: Yes
    part: Yes

    def nearest(self, start: int, wanted: Callable[[int], bool]) -> list[int]:
        """A shortest way whose last step is wanted.  There must be one."""
        came_by: dict[int, int] = {start: START}
        queue = [start]
        for at in queue:
            for step in self.steps.of(at):
                to = int(self.steps.target[step])
                if not (self.part[to] and self.lasting[self.steps.label[step]]):
                    continue
                if wanted(step):
                    return [*_back(self.steps, came_by, at), step]
                if to not in came_by:
                    came_by[to] = step
                    queue.append(to)
        raise AssertionError("a strongly connected part has a way from each of its states to each")


def _back(steps: Steps, came_by: dict[int, int], state: int) -> list[int]:
    way: list[int] = []
    while (step := came_by[state]) != START:
        way.append(step)
        state = int(steps.source[step])
    return way[::-1]
