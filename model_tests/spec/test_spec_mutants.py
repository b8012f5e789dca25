"""Mutants of a specification: found where they are written, planted, taken back, and hunted."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from mesos_spec import allocation, masters, mesos, offers, tasks, updates
from mesos_spec.__main__ import main
from mesos_spec.examples import post_office, two_phase_commit
from mesos_spec.framework import CLAUSES, Border, clause
from mesos_spec.kernel import Cells, Specification, action, each_step, finite, require
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.messages import AnyCall, Decline
from mesos_spec.models import MODELS, named
from mesos_spec.models.equivalent import EXPLAINED, UNREACHED
from mesos_spec.tools.mutating.calls import may_run
from mesos_spec.tools.mutating.clauses import hunt_clauses
from mesos_spec.tools.mutating.ground import Ground
from mesos_spec.tools.mutating.hunt import claimed, hunt, started
from mesos_spec.tools.mutating.lasting import SEVERAL, hunt_promises
from mesos_spec.tools.mutating.planting import noting, planted
from mesos_spec.tools.mutating.pursuit import IDLE, Pursuit
from mesos_spec.tools.mutating.sites import EFFECT, GUARD, sites
from mesos_spec.tools.mutating.weakening import weakened
from mesos_spec.tools.search.checker import Limits, check, search
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.worlds import Raised, Step
from model_tests.spec.toys import modelled

POST = Model(
    name="post",
    title="Two customers want two stamps each.",
    spec=post_office.SPEC,
    bounds=("a", "b"),
    expect=Counts(states=1, steps=1, depth=1),
    quiescent=post_office.everybody_is_served,
)


def is_small(model: Model[Any], most: int = 800) -> bool:
    """Whether a model has no more states than that."""
    return model.expect is not None and model.expect.states <= most


SMALL = [model for model in MODELS if is_small(model, 400)]


def test_guards_and_effects_are_found_where_they_are_written() -> None:
    found = [(site.kind, site.id) for site in sites([post_office])]
    assert found[:3] == [
        (GUARD, "post_office.ask: the customer wants another"),
        (EFFECT, "post_office.ask: s.asked[customer] += 1"),
        (EFFECT, "post_office.ask: s.queue[customer] += Ask()"),
    ]
    assert len({site.id for site in sites(mesos.SUBJECTS)}) == len(sites(mesos.SUBJECTS))


def test_a_statement_is_gone_while_it_is_planted_and_back_afterwards() -> None:
    start = post_office.SPEC.start(("a", "b"))
    unsold = next(one for one in sites([post_office]) if one.text == "s.sold += 1")
    asked = post_office.ask(start, customer="a")
    with planted(unsold):
        assert post_office.sell(asked, customer="a").sold == 0
    assert post_office.sell(asked, customer="a").sold == 1
    with pytest.raises(ZeroDivisionError), planted(unsold):
        raise ZeroDivisionError
    assert post_office.sell(asked, customer="a").sold == 1


def test_only_what_makes_a_difference_is_noted() -> None:
    places = sites([post_office])
    start = post_office.SPEC.start(("a", "b"))
    with noting(places) as reached:
        post_office.ask(start, customer="a")
    assert {site.text for site in reached} == {
        "s.asked[customer] += 1",
        "s.queue[customer] += Ask()",
    }
    with noting(places) as reached:
        check(POST)
    assert "there are stamps left" not in {site.text for site in reached}, "it always holds"


class Lamp(Cells):
    """Something that is on or off, and how often it was switched."""

    on: bool = False
    switched: int = 0


@action("on switched")
def turn_off(s: Lamp) -> None:
    """It is off, whatever it was."""
    require(s.switched < 3, "it was not switched too often")
    s.on = False
    s.switched += 1


@action("on switched")
def turn_on(s: Lamp) -> None:
    """It is on."""
    require(s.switched < 3, "it was not switched too often")
    s.on = True
    s.switched += 1


def test_who_overwrites_what_it_has_not_read_makes_a_difference() -> None:
    """The first lamp that is turned off is off already, and no answer depends on that."""
    actions = (turn_off, turn_on)
    spec = Specification(name="lamp", init=lambda b: Lamp(), actions=actions)
    [site] = [one for one in sites([sys.modules[__name__]]) if one.text == "s.on = False"]
    ground = Ground(Model(name="lamp", title="A lamp.", spec=spec, bounds=None), [site])
    assert ground.reached == [site]


def test_what_a_function_may_run_is_read_off_its_code() -> None:
    body: Any = offers.rescind.body
    assert {offers.withdraw, offers.take, masters.release} <= may_run(body)
    assert tasks.launch not in may_run(body)
    fair: Any = allocation.fair_offer.body
    assert offers.promise in may_run(fair), "by the name of its module"


def test_every_mutant_of_a_toy_has_its_fate() -> None:
    found = hunt([POST], sites([post_office]), post_office.SPEC.always)
    fates = {one.id.partition(": ")[2]: (one.fate, one.by) for one in found.fates}
    assert fates["there are stamps left"] == ("unreached", "")
    assert fates["s.queue[customer] -= request"] == ("caught", "every_head_is_consumed")
    assert fates["s.asked[customer] += 1"] == ("caught", "nothing_unasked_comes")
    assert fates["s.got[customer] += 1"][0] == "caught"
    assert fates["s.sold += 1"] == ("survives", ""), "nothing claims what stamps are worth"
    assert fates["all of it"][0] == "caught"


def test_a_guard_that_nothing_rests_on_survives() -> None:
    """Hearing of a prepared manager after the decision changes nothing that is claimed."""
    model = modelled(two_phase_commit.SPEC, ("a", "b", "c"))
    places = [site for site in sites([two_phase_commit]) if site.kind == GUARD]
    fates = {one.id.partition(".")[2]: one for one in hunt([model], places).fates}
    assert fates.pop("coordinator_hears_prepared: nothing is decided").fate == "survives"
    assert fates["manager_prepares: the manager has decided nothing"].by == IDLE
    assert {one.fate for one in fates.values()} == {"caught"}


def test_what_fails_for_want_of_a_guard_is_not_caught() -> None:
    needed = "tasks.kill: the task is known, on an agent that is not given up"
    [site] = [site for site in sites([tasks]) if site.id == needed]
    [fate] = hunt([named("kills")], [site]).fates
    assert (fate.fate, fate.by) == ("fails", "")


def test_nothing_is_hunted_in_a_model_that_does_not_hold() -> None:
    def body(s: post_office.Post, /, **bound: Any) -> None:
        raise KeyError(s.sold)

    get: Any = post_office.get
    failing = replace(get, body=body)
    actions = (post_office.ask, post_office.sell, failing)
    model = replace(POST, spec=replace(POST.spec, actions=actions, sometimes=()), quiescent=None)
    with pytest.raises(ValueError, match="does not hold as it is"):
        hunt([model], sites([post_office]))


class Forgiving(Memoised[Any]):
    """A world that notes which actions fail, and which do nothing, and goes on without them."""

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        self.failed: set[str] = set()
        self.idle: set[str] = set()

    def steps(self, node: Any) -> list[Step[Any] | Raised]:
        """What is possible, without the steps that fail."""
        found = super().steps(node)
        self.failed |= {step.action for step in found if isinstance(step, Raised)}
        sound = [step for step in found if not isinstance(step, Raised)]
        self.idle |= {step.action for step in sound if step.to == node}
        return [*sound]


@pytest.mark.parametrize("name", ["figure-3", "deposed-with-executors"])
def test_a_mutant_followed_is_noticed_as_by_a_search_from_the_beginning(name: str) -> None:
    model = started(named(name))
    as_it_is = Forgiving(model)
    search(model, as_it_is, Limits())
    ground = Ground(model, sites(mesos.SUBJECTS))
    for site in ground.reached:
        with planted(site):
            pursuit = Pursuit(ground, site, 2_000)
            pursuit.run()
            world = Forgiving(model)
            found = search(model, world, Limits(2_000))
        noticed = found.broken or found.unseen or world.idle - as_it_is.idle
        assert bool(pursuit.by) == bool(noticed), site.id
        assert noticed or pursuit.failed == bool(world.failed), site.id


def two_parts(before: Any, after: Any) -> bool:
    """Two things at once."""
    if after.sold > 9:
        return False
    return before.sold <= after.sold and not (after.sold < 0 or before.sold < 0)


def test_a_claim_is_weakened_part_by_part() -> None:
    claim = each_step("sold")(two_parts)
    assert [one.part for one in weakened(claim)] == [
        "before.sold <= after.sold",
        "not (after.sold < 0 or before.sold < 0)",
        "after.sold < 0",
        "before.sold < 0",
        "return False",
        "all of it",
    ]


def test_a_weaker_claim_is_told_by_a_step_that_gives_a_cell_another_value() -> None:
    """Nothing sells stamps back, and a mutant that lacks a statement does not either."""
    claim = each_step("sold")(two_parts)
    model = replace(POST, spec=replace(POST.spec, each_step=(claim,)))
    fates = {one.id: one for one in hunt([model], sites([post_office]), [claim]).fates}
    told = fates["two_parts: before.sold <= after.sold"]
    assert (told.fate, told.by) == ("caught", "sold was 2")
    assert fates["two_parts: return False"].fate == "survives", "nobody sells so many"


def test_each_part_of_the_contract_is_missed_by_somebody() -> None:
    found = hunt_clauses(MODELS, CLAUSES)
    assert {one.fate for one in found.fates} == {"caught"}
    by = {one.id: one.by for one in found.fates}
    assert "twice" in by["it_uses_offers_that_it_has: len(set(call.offers)) == len(call.offers)"]
    assert "otherwise" in by["it_uses_offers_that_it_has: all(map(border.has_offer, call.offers))"]
    assert len(by) >= len(CLAUSES) + 4


@clause()
def it_says_something(border: Border, call: AnyCall) -> bool:
    """A clause with a part that no call needs."""
    return call is not None and not isinstance(call, Decline)


def test_a_part_of_a_clause_that_no_call_needs_survives() -> None:
    [nothing, kind, whole] = hunt_clauses([named("filters")], [it_says_something]).fates
    assert (nothing.fate, nothing.id) == ("survives", "it_says_something: call is not None")
    assert (kind.fate, kind.by) == ("caught", "Decline as it is")
    assert whole.fate == "caught"


ENDING = [model for model in MODELS if model.spec.eventually and is_small(model)]


def test_what_happens_in_the_end_rests_on_each_promise() -> None:
    """But for those that a larger model needs, and those of which it is said why not."""
    fates = {one.id: one for one in hunt_promises(ENDING).fates}
    given_up = "given-up-in-the-end"
    own = "a_lost_agent_returns_or_is_given_up: give_up_agent, for each epoch and agent, "
    assert fates[own + "is taken if it is possible again and again"].model == given_up
    assert fates[own + "is taken if it is possible again and again (only if for good)"].by
    assert fates["a_lost_agent_returns_or_is_given_up: all of it"].fate == "caught"
    left = {name for name, one in fates.items() if one.fate != "caught"}
    assert {name.partition(": ")[0] for name in left} == {"several"}


def test_a_promise_that_a_claim_does_not_need_survives() -> None:
    model = named("offered-in-the-end")
    (claim,) = model.spec.eventually
    more = replace(claim, fair=(*claim.fair, *finite("rescind")))
    [found] = [
        one
        for one in hunt_promises(
            [replace(model, spec=replace(model.spec, eventually=(more,)))]
        ).fates
        if ": rescind " in one.id
    ]
    assert found.fate == "survives"


def test_most_mutants_are_caught_in_small_models() -> None:
    found = hunt(SMALL, sites(mesos.SUBJECTS), claimed(SMALL))
    caught = {one.id for one in found.fates if one.fate == "caught"}
    counts = found.counts()
    assert counts[GUARD]["caught"] >= 42
    assert counts[EFFECT]["caught"] >= 180
    assert counts["claim"]["caught"] >= 190
    assert not caught & EXPLAINED.keys(), "these are noticed: take them out of EQUIVALENT"
    of_promises = {name for name in EXPLAINED if name.startswith(f"{SEVERAL}: ")}
    assert {one.id for one in found.fates} >= EXPLAINED.keys() - of_promises


@pytest.mark.nightly
def test_of_all_mutants_nearly_all_are_caught_and_the_rest_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["mutants", "--json"])
    told = json.loads(capsys.readouterr().out)
    fates = {one["id"]: one["fate"] for one in told["mutants"]}
    assert len(fates) == len(told["mutants"])
    left = {name: fate for name, fate in fates.items() if fate != "caught"}
    assert code == 0, f"nobody says why these survive: {sorted(left.keys() - EXPLAINED.keys())}"
    assert left.keys() == EXPLAINED.keys(), "these are caught now: take them out of EQUIVALENT"
    assert UNREACHED.keys() <= {name for name, fate in left.items() if fate == "unreached"}
    assert told["cpu_s"] <= 600
    reached = [fate for fate in fates.values() if fate != "unreached"]
    assert reached.count("caught") >= 0.95 * len(reached)


def test_asking_a_claim_only_where_it_is_about_misses_nothing() -> None:
    everywhere = {claim: replace(claim, at="") for claim in mesos.EACH_STEP if claim.at}
    assert len(everywhere) >= 20
    model = started(named("calls-to-nobody"))
    places = [site for site in sites([tasks, updates]) if site.kind == EFFECT]
    noticed = 0
    for site in places:
        with planted(site):
            found = check(model)
            spec = replace(
                model.spec,
                each_step=tuple(everywhere.get(claim, claim) for claim in model.spec.each_step),
            )
            whole = check(replace(model, spec=spec))
        assert (found.broken and found.broken.claim) == (whole.broken and whole.broken.claim)
        noticed += found.broken is not None and found.broken.claim in {c.name for c in everywhere}
    assert noticed >= 2
