"""Mutants of a specification: found where they are written, planted, taken back, and hunted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mesos_spec import mesos, offers, tasks, updates
from mesos_spec.__main__ import main
from mesos_spec.examples import post_office, two_phase_commit
from mesos_spec.kernel import each_step
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.models import MODELS
from mesos_spec.models.equivalent import EQUIVALENT
from mesos_spec.tools.mutating.hunt import IDLE, Hunter, hunt_all, started
from mesos_spec.tools.mutating.planting import noting, planted
from mesos_spec.tools.mutating.sites import EFFECT, GUARD, sites
from mesos_spec.tools.mutating.weakening import weakened
from mesos_spec.tools.search.checker import check
from model_tests.spec.toys import modelled

POST = Model(
    name="post",
    title="Two customers want two stamps each.",
    spec=post_office.SPEC,
    bounds=("a", "b"),
    expect=Counts(states=1, steps=1, depth=1),
    quiescent=post_office.everybody_is_served,
)
SMALL = [model for model in MODELS if model.expect is not None and model.expect.states <= 4000]


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


def test_every_mutant_of_a_toy_has_its_fate() -> None:
    found = hunt_all(Hunter([POST]), sites([post_office]), [*post_office.SPEC.always], 1.0)
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
    fates = {one.id.partition(".")[2]: one for one in Hunter([model]).hunt(places)}
    assert fates.pop("coordinator_hears_prepared: nothing is decided").fate == "survives"
    assert fates["manager_prepares: the manager has decided nothing"].by == IDLE
    assert {one.fate for one in fates.values()} == {"caught"}


def test_what_fails_for_want_of_a_guard_is_not_caught() -> None:
    kills = next(model for model in MODELS if model.name == "kills")
    needed = "tasks.kill: the task is known, on an agent that is not given up"
    [fate] = Hunter([kills]).hunt([site for site in sites([tasks]) if site.id == needed])
    assert (fate.fate, fate.by) == ("fails", "")


def test_nothing_is_hunted_in_a_model_that_does_not_hold() -> None:
    def body(s: post_office.Post, /, **bound: Any) -> None:
        raise KeyError(s.sold)

    get: Any = post_office.get
    failing = replace(get, body=body)
    actions = (post_office.ask, post_office.sell, failing)
    model = replace(POST, spec=replace(POST.spec, actions=actions, sometimes=()), quiescent=None)
    with pytest.raises(ValueError, match="does not hold as it is"):
        Hunter([model]).hunt(sites([post_office]))


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
        "",
    ]


def test_most_of_what_offers_do_is_claimed() -> None:
    hunter = Hunter(SMALL)
    places = [site for site in sites([offers]) if site.kind == EFFECT]
    fates = hunter.hunt(places)
    left = {one.id for one in fates if one.fate != "caught"} - EQUIVALENT.keys()
    assert not left
    assert sum(one.fate == "caught" for one in fates) >= 10


@pytest.mark.nightly
def test_of_all_mutants_nearly_all_are_caught_and_the_rest_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["mutants", "--json"])
    told = json.loads(capsys.readouterr().out)
    fates = {one["id"]: one["fate"] for one in told["mutants"]}
    left = {name for name, fate in fates.items() if fate != "caught"}
    assert code == 0, f"nobody says why these survive: {sorted(left - EQUIVALENT.keys())}"
    assert EQUIVALENT.keys() <= left, "these are caught now: take them out of EQUIVALENT"
    assert told["cpu_s"] <= 600
    worth = len(fates) - sum(name in EQUIVALENT for name in fates)
    assert sum(fate == "caught" for fate in fates.values()) >= 0.95 * worth


def test_asking_a_claim_only_where_it_is_about_misses_nothing() -> None:
    everywhere = {claim: replace(claim, at="") for claim in mesos.EACH_STEP if claim.at}
    assert len(everywhere) >= 20
    model = started(next(model for model in MODELS if model.name == "calls-to-nobody"))
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
