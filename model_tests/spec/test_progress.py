"""L1 to L7: each holds in its model, rests on what it names, and is lost when a rule is broken."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from mesos_spec import progress
from mesos_spec.domains import agents, epochs
from mesos_spec.ids import AgentId, Epoch, FrameworkId
from mesos_spec.kernel import Action, Eventually, How, Table, eventually, finite, receive, strong
from mesos_spec.kernel.model import Model
from mesos_spec.messages import Registered
from mesos_spec.models import named
from mesos_spec.models.cases import F1, F2, S1, S2, user
from mesos_spec.models.of_progress import MODELS
from mesos_spec.network import own_link
from mesos_spec.state import State
from mesos_spec.tools.search.liveness import Explored, explored
from model_tests.spec.lassos import assert_breaks
from model_tests.spec.searches import QUICK


@cache
def graph(name: str) -> Explored[State]:
    """The state graph of a model."""
    return explored(named(name))


def lasso_of(model: Model[State], claim: Eventually[State, ...], found: Explored[State]) -> Any:
    """How a claim is broken; held against the definition."""
    verdict = found.verdict(claim)
    assert verdict.lasso is not None, verdict.says
    assert_breaks(model, claim, verdict.lasso)
    return verdict.lasso


@pytest.mark.parametrize("name", [model.name for model in MODELS])
def test_what_must_happen_happens(name: str) -> None:
    for claim in named(name).spec.eventually:
        verdict = graph(name).verdict(claim)
        assert verdict.ok, verdict.says


def test_every_claim_has_a_model_that_is_searched() -> None:
    """Their counts are pinned and checked with those of all quick models."""
    assert {model.name for model in MODELS} <= {model.name for model in QUICK}
    asked = [claim for model in MODELS for claim in model.spec.eventually]
    assert sorted(one.name for one in asked) == sorted(one.name for one in progress.EVENTUALLY)
    cited = {id for claim in asked for id in claim.cites}
    assert {f"L{n}" for n in range(1, 8)} <= cited


#: For each claim some of the promises that it does not hold without.
RELIED_ON = [
    ("told-in-the-end", 0, "drop_link leave_silent_link executor_ends"),
    ("offered-in-the-end", 0, "offer forget_filter"),
    ("next-in-the-end", 0, "fair_offer decline"),
    ("given-up-in-the-end", 0, "give_up_framework"),
    ("given-up-in-the-end", 1, "give_up_agent"),
    ("found-in-the-end", 0, "turn_to lose_agent"),
    ("subscribed-in-the-end", 0, "ask_to_subscribe lose_stream"),
    ("answered-in-the-end", 0, "reconcile call"),
]


@pytest.mark.parametrize(
    ("name", "at", "action"),
    [(name, at, action) for name, at, actions in RELIED_ON for action in actions.split()],
)
def test_a_claim_rests_on_what_it_names(name: str, at: int, action: str) -> None:
    model = named(name)
    claim = model.spec.eventually[at]
    fair = tuple(one for one in claim.fair if one.action != action)
    assert len(fair) < len(claim.fair)
    lasso_of(model, replace(claim, fair=fair), graph(name))


@pytest.mark.parametrize(("name", "action"), [("offered-in-the-end", "forget_filter")])
def test_weak_fairness_is_not_enough(name: str, action: str) -> None:
    """Whoever talks all the time keeps a master from ever getting to it."""
    model = named(name)
    (claim,) = model.spec.eventually
    fair = tuple(replace(one, how=How.WEAK) if one.action == action else one for one in claim.fair)
    assert lasso_of(model, replace(claim, fair=fair), graph(name)).cycle


def lasso_of_mutant(name: str, action: str, body: Any) -> Any:
    """How a model's claim is broken when one action does something else."""

    def mutant(one: Action[State, ...]) -> Action[State, ...]:
        return replace(one, body=body) if one.name == action else one

    model = named(name)
    model = replace(model, spec=replace(model.spec, actions=tuple(map(mutant, model.spec.actions))))
    return lasso_of(model, model.spec.eventually[0], explored(model))


def test_an_agent_that_says_nothing_of_lost_tasks_is_found() -> None:
    """A RunTask is lost with its link; the agent, asked about the task, keeps silent (AGT-9)."""

    def be_registered(s: State, agent: Any, minted: Any) -> None:
        heard = receive(s.down[own_link(s, agent)], Registered)
        s.down[own_link(s, agent)] -= heard
        s.agent[agent] = s.agent[agent]._replace(epoch=heard.epoch, registered=True)

    lasso = lasso_of_mutant("told-in-the-end", "be_registered", be_registered)
    assert [step.action for step in lasso.steps][:1] == ["drop_link"]


def test_filters_that_never_end_are_found() -> None:
    def forget_filter(s: State, **names: Any) -> None:
        """Nothing is forgotten."""

    lasso = lasso_of_mutant("offered-in-the-end", "forget_filter", forget_filter)
    assert "decline" in [step.action for step in (*lasso.steps, *lasso.cycle)]


# ---- L4, where shares are equal ------------------------------------------------------------
def equals(answer: str) -> Model[State]:
    """Two frameworks that use nothing, and always want offers; how the first by name answers."""
    base = named("next-in-the-end")
    first, second = user(answer), user("decline now", of=F2)
    programs = {
        S1: first._replace(calls=frozenset({answer})),
        S2: second._replace(calls=frozenset({"decline now"})),
    }
    return replace(base, bounds=base.bounds._replace(schedulers=Table(programs)))


@eventually(
    whenever=lambda s, epoch, agent, framework: bool(s.free(epoch, agent)),
    fair=(
        *progress.the_poorest_is_not_passed_over.fair,
        *strong("call", each="scheduler"),
    ),
    epoch=epochs,
    agent=agents,
    framework=lambda s: [F2],
)
def everybody_is_offered(s: State, epoch: Epoch, agent: AgentId, framework: FrameworkId) -> bool:
    """Whoever is as poor as anybody is offered what is free, some day."""
    return any(one.framework == framework for one in s.offers[epoch, agent].values())


def test_between_equals_the_name_decides_every_time() -> None:
    """L4 speaks of the lowest share.  Of equals the first by name is next (D21), and who declines
    for no time at all is next again: the other is never offered anything."""
    model = equals("decline now")
    found = explored(model)
    assert found.verdict(progress.the_poorest_is_not_passed_over).ok
    lasso = lasso_of(model, everybody_is_offered, found)
    assert {step.action for step in lasso.cycle} >= {"fair_offer", "decline"}
    tables = [
        new
        for step in lasso.cycle
        for (field, _), (_, new) in step.changed.items()
        if field == "offers"
    ]
    assert {one.framework for table in tables for one in table.values()} == {F1}


def test_a_filter_that_lasts_lets_the_other_be_offered() -> None:
    """Who declines for some time is passed over meanwhile; unless that is always over too soon."""
    model = equals("decline")
    found = explored(model)
    assert "forget_filter" in {
        step.action for step in lasso_of(model, everybody_is_offered, found).cycle
    }
    lasting = tuple(one for one in everybody_is_offered.fair if one.action != "forget_filter")
    claim = replace(everybody_is_offered, fair=(*lasting, *finite("forget_filter")))
    verdict = found.verdict(claim)
    assert verdict.ok, verdict.says
