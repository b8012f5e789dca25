"""Shortest ways to a state, found again: nobody keeps who was whose parent.

The level before is looked through for a state that has the wanted one as a successor, level by
level back to the first.  Which action made each step, the specification itself says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from mesos_spec.kernel import Cells
from mesos_spec.tools.search.checker import Behaviour, Counterexample, Taken
from mesos_spec.tools.search.fast.stepping import Answer, Flaw
from mesos_spec.tools.search.worlds import Plain, Raised

if TYPE_CHECKING:
    from mesos_spec.tools.search.fast.driver import FastSearch

S = TypeVar("S", bound=Cells)
STRETCH = 1 << 12


class Ways(Generic[S]):
    """Ways to the states of a search."""

    def __init__(self, search: FastSearch[S]) -> None:
        self.search, self.world = search, Plain(search.model)
        self.first = self.world.first
        self.parent = lru_cache(maxsize=None)(self._parent)

    def behaviour(self, state: int) -> Behaviour[S]:
        """A shortest behaviour that ends in a state."""
        return Behaviour(self.first, self.way_to(state))

    def counterexample(self, state: int, flaw: Flaw) -> Counterexample[S]:
        """A shortest behaviour that shows what is wrong."""
        way = self.way_to(state)
        if flaw.step is not None:
            way = (*way, self._taken(self.search.state(state), *flaw.step))
        return Counterexample(self.first, way, flaw.claim, flaw.bound, flaw.why, wrong=flaw.wrong)

    def way_to(self, state: int) -> tuple[Taken, ...]:
        """The steps to a state."""
        numbers = [state]
        while numbers[-1]:
            numbers.append(self.parent(numbers[-1]))
        states = [self.search.state(number) for number in reversed(numbers)]
        return tuple(self._step(*pair) for pair in pairwise(states))

    def _parent(self, state: int) -> int:
        search, machine = self.search, self.search.machine
        begins = [at for at in (*search.levels, search.level_end) if at <= state]
        hi = begins[-1]
        lo = search.levels[bisect_right(search.levels, hi - 1) - 1]
        for at in range(lo, hi, STRETCH):
            end = min(at + STRETCH, hi)
            rows = self._rows(at, end)
            found = search.kernel.parent_of(
                machine.store.states, at, end, rows, at, state, machine.look, machine.know
            )
            if found >= 0:
                return int(found)
        raise AssertionError(f"state {state} has no parent")

    def _rows(self, lo: int, hi: int) -> Any:
        """The rows of some states, all looked up."""
        search, machine = self.search, self.search.machine
        while True:
            rows = np.full((hi - lo, len(machine.groups)), -3, np.int32)
            missed = np.zeros(((hi - lo + 1) * len(machine.groups), 3), np.int64)
            _, misses = search.kernel.look_up(
                machine.store.states, lo, hi, rows, lo, machine.look, missed
            )
            if not misses:
                return rows
            machine.teach(missed[: min(misses, 1024)].copy(), _nobody)

    def _step(self, before: S, after: S) -> Taken:
        for step in self.world.steps(before):
            if not isinstance(step, Raised) and step.to == after:
                return self._taken(before, step.action, step.bound)
        raise AssertionError("a step of the search is none of the specification")

    def _taken(self, before: S, action: str, bound: Mapping[str, Any]) -> Taken:
        """A step with what it changed."""
        effects = self.search.model.spec.action(action).apply(before.copy(), bound)
        return Taken(
            action, bound, {c: (old, new) for c, (old, new) in effects.items() if old != new}
        )


def _nobody(state: int, name: str, answer: Answer) -> None:
    """Who is told what the search has told already."""
