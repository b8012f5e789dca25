"""Choices, from one of two sources: a seed, or Hypothesis.

Whatever draws plans asks a `Dice` and nothing else.  `Seeded` is quick: searches use it, and any
plan can be drawn again from its seed.  `strategies.Drawn` hands each choice on to Hypothesis, which
can then shrink it: options are listed with the simplest first.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice(ABC):
    """A source of choices."""

    @abstractmethod
    def pick(self, options: Sequence[T]) -> T:
        """One of them; the first is the simplest."""

    @abstractmethod
    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included; small ones are the simplest."""

    def maybe(self, share: float = 0.5) -> bool:
        """True for about that share of the times; False is simpler."""
        return self.between(1, 100) > 100 - round(100 * share)

    def some(self, options: Sequence[T], share: float = 0.5) -> list[T]:
        """A part of them, at least one."""
        return [one for one in options if self.maybe(share)] or [self.pick(options)]


class Seeded(Dice):
    """Choices from a seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        """One of them."""
        return self._random.choice(options)

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self._random.randint(low, high)
