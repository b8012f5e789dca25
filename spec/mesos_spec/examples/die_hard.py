"""Two jugs and a fountain: measure four gallons with a jug of three and a jug of five.

The shortest way takes six steps.  (Lamport's first TLA+ example, after the film.)
"""

from __future__ import annotations

from mesos_spec.kernel import Cells, Const, Model, Specification, action, always, require


class State(Cells):
    """How much water is in each jug, in gallons."""

    goal: Const[int]
    small: int = 0
    big: int = 0


@action(changes="small")
def fill_small(s: State) -> None:
    """The jug of three is filled at the fountain."""
    require(s.small < 3, "the small jug is not full")
    s.small = 3


@action(changes="big")
def fill_big(s: State) -> None:
    """The jug of five is filled at the fountain."""
    require(s.big < 5, "the big jug is not full")
    s.big = 5


@action(changes="small")
def empty_small(s: State) -> None:
    """The jug of three is poured out."""
    require(s.small > 0, "there is water in the small jug")
    s.small = 0


@action(changes="big")
def empty_big(s: State) -> None:
    """The jug of five is poured out."""
    require(s.big > 0, "there is water in the big jug")
    s.big = 0


@action(changes="small big")
def small_to_big(s: State) -> None:
    """The small jug is poured into the big one, until the one is empty or the other full."""
    require(s.small > 0, "there is water in the small jug")
    require(s.big < 5, "there is room in the big jug")
    poured = min(s.small, 5 - s.big)
    s.small -= poured
    s.big += poured


@action(changes="small big")
def big_to_small(s: State) -> None:
    """The big jug is poured into the small one, until the one is empty or the other full."""
    require(s.big > 0, "there is water in the big jug")
    require(s.small < 3, "there is room in the small jug")
    poured = min(s.big, 3 - s.small)
    s.big -= poured
    s.small += poured


@always()
def the_goal_is_not_reached(s: State) -> bool:
    """No jug ever holds the goal.  False, and its counterexample is the riddle's answer."""
    return s.big != s.goal


SPEC = Specification(
    name="die_hard",
    init=lambda goal: State(goal=goal),
    actions=(fill_small, fill_big, empty_small, empty_big, small_to_big, big_to_small),
    always=(the_goal_is_not_reached,),
)

MODEL = Model(name="die_hard", title="Four gallons from three and five.", spec=SPEC, bounds=4)
