"""What a lasso is, by definition: it is replayed, and judged without any graph."""

from __future__ import annotations

from typing import Any

from mesos_spec.kernel import Action, Cells, Disabled, Eventually, Fair, How
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import Taken
from mesos_spec.tools.search.verdicts import Lasso


def assert_breaks(model: Model[Any], claim: Eventually[Any, ...], lasso: Lasso[Any]) -> None:
    """A lasso is a behaviour, goes round, is fair, and never does what was owed."""
    states = replayed(model, [*lasso.steps, *lasso.cycle])
    assert states[0] == model.spec.start(model.bounds)
    entry = len(lasso.steps)
    assert states[-1] == states[entry], "the cycle comes back to where it began"
    bound = dict(lasso.bound)
    holds: Any = claim.holds
    whenever: Any = claim.whenever or (lambda s, **_: True)
    assert whenever(states[lasso.since], **bound), "it is owed"
    assert not any(holds(s, **bound) for s in states[lasso.since :]), "it is never kept"
    for fair in claim.fair:
        assert is_fair(model, fair, states[entry:], lasso.cycle), fair.says


def replayed(model: Model[Any], steps: list[Taken]) -> list[Any]:
    """The states of a behaviour."""
    states = [model.spec.start(model.bounds)]
    for step in steps:
        states.append(model.spec.action(step.action)(states[-1], **step.bound))
    return states


def is_fair(model: Model[Any], fair: Fair, states: list[Any], cycle: tuple[Taken, ...]) -> bool:
    """Whether going round for ever keeps a promise, each part of it."""
    if fair.how is How.FINITE:
        return all(step.action != fair.action for step in cycle)
    one = model.spec.action(fair.action)
    possible = [_parts_possible(one, fair, s) for s in states]
    taken = {fair.part(step.bound) for step in cycle if step.action == fair.action}
    for part in set().union(*possible) - taken:
        if fair.how is How.STRONG or all(part in here for here in possible):
            return False
    return True


def _parts_possible(one: Action[Any, ...], fair: Fair, s: Cells) -> set[Any]:
    found = set()
    for bound in one.bindings(s):
        try:
            one(s, **bound)
        except Disabled:
            continue
        found.add(fair.part(bound))
    return found
