"""Each guard left out in turn: some property of some quick model must notice.

A guard that nobody misses is either redundant, with a reason in `models/equivalent.py`, or nobody
claims what it is for.  A body that fails for want of its guard has not been noticed by a property.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesos_spec.kernel.model import Model
from mesos_spec.mesos import ACTIONS, SUBJECTS
from mesos_spec.models.equivalent import EQUIVALENT
from mesos_spec.state import State
from mesos_spec.tools.mutating.sites import GUARD, sites
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.guards import drop_guards
from model_tests.spec.searches import QUICK, search
from model_tests.spec.test_models import IDLE, NEVER_BROKEN

#: (action, guard) that may be missing.
REDUNDANT = {
    (site.function.__name__, site.text)
    for site in sites(SUBJECTS)
    if site.kind == GUARD and site.id in EQUIVALENT
}

GUARDS = [
    (name, says)
    for name, one in ACTIONS.items()
    for says, _ in drop_guards(one)
    if name not in IDLE and (name, says) not in NEVER_BROKEN
]


def without(model: Model[State], action: str, guard: str) -> Model[State]:
    """A model whose action lacks a guard."""
    found = model.spec.action(action)
    mutant = next(one for says, one in drop_guards(found) if says == guard)
    actions = tuple(mutant if one is found else one for one in model.spec.actions)
    return replace(model, spec=replace(model.spec, actions=actions))


def who_notices(action: str, guard: str) -> str:
    """Model and property that miss a guard; empty if none does."""
    asking = [m for m in QUICK if search(m.name).guards[action, guard, False]]
    for model in sorted(asking, key=lambda m: search(m.name).states):
        result = check(without(model, action, guard), max_states=2 * search(model.name).states)
        if result.broken is not None and result.broken.claim not in ACTIONS:
            return f"{model.name}: {result.broken.claim}"
    return ""


@pytest.mark.parametrize(("action", "guard"), [pair for pair in GUARDS if pair not in REDUNDANT])
def test_a_guard_is_missed(action: str, guard: str) -> None:
    assert who_notices(action, guard), f"nothing is claimed that needs: {guard}"


def test_every_redundant_guard_is_there() -> None:
    assert set(GUARDS) >= REDUNDANT
