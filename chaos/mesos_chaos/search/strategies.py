"""Plans as Hypothesis strategies: for tests that draw them, and have Hypothesis make them small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mesos_chaos.plan import Plan
from mesos_chaos.search.dice import Dice
from mesos_chaos.search.drawing import EVERYTHING, Taste, draw_plan

T = TypeVar("T")


class Drawn(Dice):
    """Choices that Hypothesis makes."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return self._draw(st.sampled_from(options))

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self._draw(st.integers(low, high))


def plans(taste: Taste = EVERYTHING) -> SearchStrategy[Plan]:
    """Plans of that taste; the simplest has one of everything and no faults."""

    @st.composite
    def drawn(draw: DrawFn) -> Plan:
        return draw_plan(Drawn(draw), taste)

    return drawn()
