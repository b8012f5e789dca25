"""Two levels: the tool on toys, the ledger on its own, and the protocol that refines it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from mesos_spec.__main__ import main
from mesos_spec.examples import post_office, two_phase_commit
from mesos_spec.examples.atomic_commit import TWO_PHASE_COMMIT_IS_ATOMIC
from mesos_spec.examples.post_office import Post
from mesos_spec.kernel import (
    Action,
    Cells,
    Const,
    Per,
    Refinement,
    Specification,
    Table,
    action,
    per,
    receive,
    require,
)
from mesos_spec.kernel.model import Model
from mesos_spec.masters import charge, is_subscribed
from mesos_spec.messages import Accept
from mesos_spec.models import named, of_ledger
from mesos_spec.offers import promise
from mesos_spec.refinement import MEANS, PROTOCOL_REFINES_LEDGER
from mesos_spec.state import State
from mesos_spec.tasks import launch, may_use
from mesos_spec.tools.report import refinements
from mesos_spec.tools.search.checker import Limits, check
from mesos_spec.tools.search.guards import drop_guards
from mesos_spec.tools.search.refinement import check_refinement

BOTH = pytest.mark.parametrize("plain", [True, False], ids=["plain", "memo"])


def toy(spec: Specification[Any], bounds: Any) -> Model[Any]:
    """A model of a toy."""
    return Model(name=spec.name, title="A toy", spec=spec, bounds=bounds)


def instead(spec: Specification[Any], *changed: Action[Any, ...]) -> Specification[Any]:
    """A specification with some of its actions otherwise, by name."""
    other = {one.name: one for one in changed}
    return replace(spec, actions=tuple(other.get(one.name, one) for one in spec.actions))


# ---- toys ------------------------------------------------------------------------------------
@BOTH
def test_two_phase_commit_is_atomic(plain: bool) -> None:
    model = toy(two_phase_commit.SPEC, ("a", "b", "c"))
    found = check_refinement(model, TWO_PHASE_COMMIT_IS_ATOMIC, plain=plain)
    assert found.ok
    assert found.result.states == 288
    assert found.above == 34  # as many as the managers' own specification reaches
    assert found.above == check(toy(TWO_PHASE_COMMIT_IS_ATOMIC.above, ("a", "b", "c"))).states
    assert {above for _, above in found.steps} == {"", "prepare", "commit", "abort"}
    assert found.steps["coordinator_commits", ""] > 0


@BOTH
def test_a_hasty_coordinator_is_found_out_on_both_levels(plain: bool) -> None:
    """Without waiting for all to be prepared: a manager commits before the others can."""
    without = dict(drop_guards(two_phase_commit.coordinator_commits))
    hasty = instead(two_phase_commit.SPEC, without["everybody is known to be prepared"])
    broken = check_refinement(toy(hasty, ("a", "b")), TWO_PHASE_COMMIT_IS_ATOMIC, plain=plain)
    assert broken.broken is not None
    steps = [step.action for step in broken.broken.behaviour.steps]
    assert steps == ["coordinator_commits", "manager_commits"]
    assert broken.broken.before.coordinator == "committed"
    assert broken.broken.before_above.manager["a"] == "working"
    assert broken.broken.after_above.manager["a"] == "committed"
    assert "no step of atomic_commit does that" in broken.broken.why


class Served(Cells):
    """A shop, as its customers know it."""

    customers: Const[tuple[str, ...]]
    asked: Per[str, int] = per(0)
    got: Per[str, int] = per(0)


def customers(s: Served) -> Iterable[str]:
    """All customers."""
    return s.customers


@action(changes="asked", customer=customers)
def want(s: Served, customer: str) -> None:
    """A customer wants another."""
    require(s.asked[customer] < 2, "two are enough")
    s.asked[customer] += 1


@action(changes="got", customer=customers)
def have(s: Served, customer: str) -> None:
    """A customer has one that he asked for."""
    require(s.got[customer] < s.asked[customer], "one is owed")
    s.got[customer] += 1


SHOP = Specification(name="shop", init=lambda names: Served(customers=names), actions=(want, have))


def as_shop(s: Post) -> Served:
    """What customers see of the post office."""
    both = (s.asked, s.got)
    asked, got = (Per((c, field[c]) for c in s.customers) for field in both)
    return Served(customers=s.customers, asked=asked, got=got)


POST_IS_A_SHOP: Refinement[Post, Served] = Refinement(
    name="the post office is a shop",
    doc="Whatever is in the mail is not seen.",
    above=SHOP,
    bounds=lambda s: s.customers,
    seen=as_shop,
)


@BOTH
def test_the_post_office_is_a_shop(plain: bool) -> None:
    found = check_refinement(toy(post_office.SPEC, ("a", "b")), POST_IS_A_SHOP, plain=plain)
    assert found.ok
    assert found.above == 36
    assert found.steps["sell", ""] == sum(
        n for (name, _), n in found.steps.items() if name == "sell"
    )


def test_a_first_state_that_is_none_above_is_told() -> None:
    generous = replace(
        post_office.SPEC, init=lambda names: Post(customers=names, got=Per({"a": 1}))
    )
    found = check_refinement(toy(generous, ("a",)), POST_IS_A_SHOP)
    assert found.broken is not None
    assert found.broken.behaviour.steps == ()
    assert "shop does not start like this" in found.broken.why


def test_a_mapping_that_names_a_wrong_step_is_told() -> None:
    """Refused, or leading elsewhere, with the guard or the cell that says so."""
    model = toy(post_office.SPEC, ("a",))
    refused = replace(POST_IS_A_SHOP, moves=lambda *_: ("have", {"customer": "a"}))
    found = check_refinement(model, refused)
    assert found.broken is not None
    assert "it must be that one is owed" in found.broken.why
    elsewhere = replace(POST_IS_A_SHOP, moves=lambda *_: ("want", {"customer": "a"}))
    found = check_refinement(model, elsewhere)
    assert found.broken is not None
    assert "asked[a] would be 2, and is 1" in found.broken.why


def test_a_limit_leaves_it_unknown() -> None:
    found = check_refinement(named("offers"), PROTOCOL_REFINES_LEDGER, limits=Limits(max_states=9))
    assert found.broken is None
    assert not found.ok


# ---- the ledger alone ------------------------------------------------------------------------
@pytest.mark.parametrize("model", of_ledger.MODELS, ids=lambda model: model.name)
def test_the_ledger_counts_what_is_pinned(model: Model[Any]) -> None:
    result = check(model)
    assert result.ok, result.broken
    assert result.counts == model.expect
    assert result.never_taken == ()


@pytest.mark.parametrize(
    ("name", "guard", "claim"),
    [
        ("count", "what is held and offered is no more", "nothing_has_two_owners"),
        ("offer", "all of it is free", "nothing_has_two_owners"),
        (
            "use",
            "the offers are of one framework, and what it launches is its own",
            "nothing_is_held_that_was_not_offered",
        ),
        ("use", "the offers have what is to be held", "nothing_is_held_that_was_not_offered"),
        ("start", "it fits beside what runs", "what_runs_fits"),
    ],
)
def test_the_ledgers_guards_are_missed(name: str, guard: str, claim: str) -> None:
    model = of_ledger.ONE_BOOK
    one = dict(drop_guards(model.spec.action(name)))[guard]
    broken = check(replace(model, spec=instead(model.spec, one))).broken
    assert broken is not None
    assert broken.claim == claim


# ---- the protocol and the ledger -------------------------------------------------------------
#: Models that are searched here; two leaders, and fail-over, are in the second line.
QUICK = [
    *("offers", "accepts", "filters", "late-answers", "kills", "restarts", "reconciliation"),
    *("election", "deposed", "burials"),
]
SLOW = [
    *("succession", "twins", "unreachable", "failover", "removal-and-restarts", "reuse"),
    *("executors", "fairness-over-time", "updates-over-broken-links", "removal"),
]


@pytest.mark.parametrize("name", QUICK)
def test_the_protocol_refines_the_ledger(name: str) -> None:
    found = check_refinement(named(name), PROTOCOL_REFINES_LEDGER)
    assert found.broken is None, found.broken.why
    assert found.ok
    assert sum(1 for _, above in found.steps if above) > 1, "nothing moves: that proves nothing"


@pytest.mark.nightly
@pytest.mark.parametrize("name", SLOW)
def test_the_protocol_refines_the_ledger_in_larger_models(name: str) -> None:
    found = check_refinement(named(name), PROTOCOL_REFINES_LEDGER)
    assert found.broken is None, found.broken.why
    assert found.ok


def test_plain_and_remembering_agree() -> None:
    found = [
        check_refinement(named("accepts"), PROTOCOL_REFINES_LEDGER, plain=plain)
        for plain in (True, False)
    ]
    assert found[0].steps == found[1].steps
    assert found[0].above == found[1].above


# ---- planted bugs ----------------------------------------------------------------------------
def accept_keeps_offers(s: State, epoch: int, line: Any) -> None:
    """An ACCEPT launches its tasks, and its offers stand."""
    call = receive(s.calls[line], Accept)
    require(len(call.tasks) > 0, "the call launches something")
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(may_use(s, epoch, call), "the offers stand, are its own, of one agent and one role")

    s.calls[line] -= call
    for ask in call.tasks:
        made = s.offers[epoch, ask.agent][call.offers[0]]
        launch(s, epoch, ask.agent, made.role, ask)


def planted(model: Model[State], name: str, body: Any) -> Model[State]:
    """A model in which an action does something else."""
    bug = replace(model.spec.action(name), body=body)
    return replace(model, spec=instead(model.spec, bug))


def test_an_offer_that_is_not_removed_on_accept_is_no_step_of_the_ledger() -> None:
    found = check_refinement(
        planted(named("offers"), "accept", accept_keeps_offers), PROTOCOL_REFINES_LEDGER
    )
    assert found.broken is not None
    steps = [step.action for step in found.broken.behaviour.steps]
    assert steps == ["offer", "hear_offers", "call", "accept"]
    assert "the offers have what is to be held" in found.broken.why
    book = 1, found.broken.before.bounds.agents.keys()[0]
    assert found.broken.before_above.offered[book] == found.broken.after_above.offered[book]
    assert found.broken.after_above.held[book] != Table()


def promise_twice(
    s: State, epoch: int, agent: Any, framework: Any, role: Any, **offer: Any
) -> None:
    """What is offered need not be free."""
    record = s.frameworks[epoch, framework]
    require(record.stream is not None, "the framework is connected")
    require(offer["offer"] not in s.offers[epoch, agent], "the offer id is new")
    require(bool(offer["resources"]), "something is offered")
    require(offer["resources"] <= s.agents[epoch, agent].total, "the agent has it")

    promise(s, epoch, agent, framework, role, offer["offer"], offer["resources"])


def test_a_double_promise_is_no_step_of_the_ledger() -> None:
    found = check_refinement(
        planted(named("accepts"), "offer", promise_twice), PROTOCOL_REFINES_LEDGER
    )
    assert found.broken is not None
    assert len(found.broken.behaviour.steps) == 3
    assert found.broken.behaviour.steps[-1].action == "offer"
    assert "all of it is free" in found.broken.why


def test_resources_that_move_where_none_may_are_told() -> None:
    """A master that believes to hear of a task's end when it asks about it."""

    def forgetful(s: State, epoch: int, agent: Any) -> None:
        """A master forgets a task."""
        require(bool(s.tasks[epoch, agent]), "there is a task")
        task, record = s.tasks[epoch, agent].items()[0]
        charge(s, epoch, task.framework, record.role, record.held)
        s.tasks[epoch, agent] -= task

    model = named("reconciliation")
    bug = action("tasks charged", epoch=lambda s: (1,), agent=lambda s: s.bounds.agents.keys())
    spec = replace(model.spec, actions=(*model.spec.actions, bug(forgetful)))
    found = check_refinement(replace(model, spec=spec), PROTOCOL_REFINES_LEDGER)
    assert found.broken is not None
    assert "forgetful changes what is seen in ledger" in found.broken.why


def test_every_action_that_means_something_is_an_action() -> None:
    actions = {one.name for name in ("fairness", "removal") for one in named(name).spec.actions}
    hearing = {one.name for one in named("misfits").spec.actions}
    assert MEANS.keys() - actions - hearing <= {
        *("admit", "rescind", "kill_task", "recover_executor", "end_reign", "turn_to"),
    }


def test_the_command_checks_the_refinement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "accepts", "calls-to-nobody", "--refines"]) == 0
    assert capsys.readouterr().out.count("the protocol refines the ledger") == 2
    assert main(["check", "accepts", "--refines", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["models"]
    assert ["accept", "use", 282] in found["steps_above"]
    assert main(["check", "offers", "--refines", "--max-states", "9"]) == 2
    assert main(["check", "ledger", "--refines"]) == 5


def test_both_levels_are_shown() -> None:
    found = check_refinement(
        planted(named("offers"), "accept", accept_keeps_offers), PROTOCOL_REFINES_LEDGER
    )
    told = refinements.details(found)
    assert "   4  accept(epoch=1" in told
    assert "⇒ held[1, a1]: + Holder(framework=f1, sort=task, name=t1)" in told
    assert refinements.exit_code(found) == 1
    assert json.loads(json.dumps(refinements.plain(found)))["counterexample"]["steps"]
