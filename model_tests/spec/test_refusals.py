"""F2: a filter is equivalent to rejecting, both ways; and what "at once" is needed for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mesos_spec.kernel import Action, Model, Refinement, Specification, Table
from mesos_spec.models import of_refusals
from mesos_spec.models.cases import A1, F1, F2, cpus
from mesos_spec.models.of_refusals import FILTERED, REJECTED
from mesos_spec.refusals import (
    FILTERING_IS_REJECTING,
    REJECTING_IS_FILTERING,
    Sizes,
    State,
    offer_what_passes,
)
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.guards import drop_guards
from mesos_spec.tools.search.refinement import check_refinement

ONE_EACH = Sizes(Table({A1: cpus(1)}), (F1, F2), (cpus(1),))


def without(spec: Specification[State], name: str, guard: str) -> Specification[State]:
    """A specification in which an action lacks a guard."""
    dropped: dict[str, Action[Any, ...]] = dict(drop_guards(spec.action(name)))
    actions = tuple(dropped[guard] if one.name == name else one for one in spec.actions)
    return replace(spec, actions=actions)


@pytest.mark.parametrize("model", of_refusals.MODELS, ids=lambda model: model.name)
def test_both_offer_processes_count_what_is_pinned(model: Model[State]) -> None:
    result = check(model)
    assert result.ok
    assert result.counts == model.expect


@pytest.mark.parametrize(
    ("model", "refinement"),
    [(FILTERED, FILTERING_IS_REJECTING), (REJECTED, REJECTING_IS_FILTERING)],
    ids=["filtering", "rejecting"],
)
def test_each_refines_the_other(model: Model[State], refinement: Refinement[State, State]) -> None:
    """F2, F3: whatever a framework may get one way it may get the other, in the same order."""
    found = check_refinement(model, refinement)
    assert found.ok, found.broken
    assert found.above == check(FILTERED).states, "all that can be had is had"


def test_a_filter_saves_an_offer_and_its_rejection() -> None:
    """As many offers come to nothing as are rejected, and neither is seen."""
    steps = check_refinement(REJECTED, REJECTING_IS_FILTERING).steps
    assert steps["offer_anything", ""] == steps["reject", ""] > 0
    assert steps["offer_anything", "offer_what_passes"] > 0


def test_who_rejects_later_is_not_equivalent() -> None:
    """While a refused offer stands, its framework may relent, and has an offer nobody made."""
    late = without(REJECTED.spec, "relent", "what is refused was rejected at once")
    found = check_refinement(
        replace(REJECTED, spec=late, bounds=ONE_EACH), REJECTING_IS_FILTERING
    ).broken
    assert found is not None
    names = [step.action for step in found.behaviour.steps]
    assert names == ["offer_anything", "decline", "offer_anything", "relent"]
    assert "no step of filtering does that" in found.why


def test_a_filter_that_refuses_too_much_is_not_equivalent() -> None:
    """What is more than was refused must be offered: else a framework gets less (FLT-2)."""

    def stingy(s: State, agent: Any, framework: Any) -> None:
        if not s.refused[framework, agent]:
            offer_what_passes.body(s, agent, framework)

    greedy = replace(offer_what_passes, body=stingy)
    actions = (greedy, *FILTERED.spec.actions[1:])
    above = replace(FILTERED.spec, actions=actions, sometimes=())
    found = check_refinement(REJECTED, replace(REJECTING_IS_FILTERING, above=above)).broken
    assert found is not None
    assert found.behaviour.steps[-1].action == "offer_anything"


def test_a_master_that_forgets_to_filter_is_not_equivalent() -> None:
    leaky = without(FILTERED.spec, "offer_what_passes", "no filter refuses it")
    result = check(replace(FILTERED, spec=leaky))
    assert result.broken is not None
    assert result.broken.claim == "nobody_has_what_he_refuses"
