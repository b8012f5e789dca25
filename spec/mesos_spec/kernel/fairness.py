"""Fairness: which actions are not put off for ever, and which do not go on for ever.

A behaviour may end anywhere, and may go round in circles: nobody has to do anything.  What must
happen in the end rests on somebody's not waiting for ever, and a claim that something happens
EVENTUALLY names on whose.

    weak("forward")                an action that stays possible is taken
    strong("forward")              an action that is possible again and again is taken
    finite("drop_link")            an action is not taken for ever: at last there is an end to it
    weak("forward", each="agent")  the same for each agent by itself, not for some agent

Weak fairness is what a process owes that is up and has work to do.  Strong fairness is more: of a
line that loses letters, say, that it does not lose every one.  That something ends at last is how
to say that networks are mended and processes stay up long enough, without saying when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class How(Enum):
    """What is promised of an action; the value says it in words."""

    WEAK = "is taken if it is possible for good"
    STRONG = "is taken if it is possible again and again"
    FINITE = "is taken only so often"


@dataclass(frozen=True, slots=True)
class Fair:
    """A promise about an action; or about each of its ways to bind some names, by itself."""

    action: str
    how: How
    each: tuple[str, ...] = ()

    def part(self, bound: Mapping[str, Any]) -> tuple[Any, ...]:
        """Which part of the promise a step with these names is about."""
        return tuple(bound[name] for name in self.each)

    @property
    def says(self) -> str:
        """The promise as a sentence."""
        of = f", for each {' and '.join(self.each)}," if self.each else ""
        return f"{self.action}{of} {self.how.value}"


def weak(actions: str, each: str = "") -> tuple[Fair, ...]:
    """Each of these actions, once it stays possible, is taken."""
    return _fair(actions, How.WEAK, each)


def strong(actions: str, each: str = "") -> tuple[Fair, ...]:
    """Each of these actions, if it is possible again and again, is taken."""
    return _fair(actions, How.STRONG, each)


def finite(actions: str) -> tuple[Fair, ...]:
    """Each of these actions is taken only so often, and then no more."""
    return _fair(actions, How.FINITE, "")


def _fair(actions: str, how: How, each: str) -> tuple[Fair, ...]:
    return tuple(Fair(name, how, tuple(each.split())) for name in actions.split())
