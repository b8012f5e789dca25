"""The ladder of models: what is counted, and that nothing in the specification is idle."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesos_spec.mesos import ACTIONS, ALWAYS, EACH_STEP, SUBJECTS
from mesos_spec.models import MODELS, named
from mesos_spec.models.equivalent import UNREACHED
from mesos_spec.models.interactions import PAIRS, Pair, with_meetings
from mesos_spec.models.meetings import a_kill_comes_after_the_end
from mesos_spec.models.settings import CHOICES, HEARERS
from mesos_spec.tools.mutating.sites import GUARD, sites
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.guards import written_guards
from model_tests.spec.searches import QUICK, SLOW, guards, search

PAGE = Path(__file__).parents[2] / "spec" / "interactions.md"

#: Guards that hold whenever a model asks them.
NEVER_BROKEN = {
    ("subscribe", "the next message is Subscribe"),  # no more than its domain gives
    *(
        (site.function.__name__, site.text)
        for site in sites(SUBJECTS)
        if site.kind == GUARD and site.id in UNREACHED
    ),
}


@pytest.mark.parametrize("name", [model.name for model in QUICK])
def test_a_quick_model_counts_what_is_pinned(name: str) -> None:
    result = search(name)
    assert result.broken is None, result.broken.why
    assert result.finished
    assert not result.unseen, "these must be possible, or the model proves nothing"
    assert result.counts == result.model.expect


@pytest.mark.nightly
@pytest.mark.parametrize("name", [model.name for model in SLOW])
def test_a_slow_model_counts_what_is_pinned(name: str) -> None:
    result = search(name)
    assert result.ok
    assert result.counts == result.model.expect


def test_models_have_names_and_titles_of_their_own() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
    assert len({model.title for model in MODELS}) == len(MODELS)


def test_every_model_is_asked_every_claim() -> None:
    for model in MODELS:
        assert set(ALWAYS) <= set(model.spec.always)
        assert set(EACH_STEP) <= set(model.spec.each_step)


def test_every_action_happens_in_a_finished_model() -> None:
    taken = {name for model in QUICK for name, times in search(model.name).taken.items() if times}
    assert ACTIONS.keys() - taken == set()


def test_every_guard_is_asked_and_answered_both_ways() -> None:
    asked = guards()
    written = [(name, says) for name, one in ACTIONS.items() for says in written_guards(one)]
    assert [pair for pair in written if not asked[(*pair, True)]] == []
    assert {pair for pair in written if not asked[(*pair, False)]} == NEVER_BROKEN


def test_every_action_either_is_a_choice_or_hears() -> None:
    hearing = ACTIONS.keys() - CHOICES
    assert ACTIONS.keys() >= CHOICES
    for name in hearing:
        one = ACTIONS[name]
        heard = [field for field, party in HEARERS.items() if one.by in (party, "environment")]
        assert set(heard) & one.changes, f"{name} is no choice, and hears nothing"


# ---- dangerous pairs -----------------------------------------------------------------------
def test_there_are_dangerous_pairs_of_every_kind() -> None:
    assert len(PAIRS) >= 20
    assert len({(pair.one, pair.other) for pair in PAIRS}) == len(PAIRS)
    assert len({pair.witness for pair in PAIRS}) == len(PAIRS), "a witness shows one pair only"


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.one} x {pair.other}")
def test_a_dangerous_pair_meets_in_a_finished_model(pair: Pair) -> None:
    assert pair.model in {model.name for model in QUICK}
    result = search(pair.model)
    assert result.ok
    assert result.witnesses[pair.witness.name].steps, "it takes something to meet"


def test_a_model_in_which_a_pair_never_meets_fails() -> None:
    """Filters alone let nothing come between a KILL and a task's end."""
    [moved] = [
        p._replace(model="filters") for p in PAIRS if p.witness is a_kill_comes_after_the_end
    ]
    model = with_meetings([named("filters")], (moved,))[0]
    assert moved.witness.name in check(model).unseen


def test_the_page_of_interactions_has_each_pair_with_its_model() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if " × " in line]
    said = [(row[0].removeprefix("| "), row[2].split("`")[1], row[3].split("`")[1]) for row in rows]
    assert said == [(f"{p.one} × {p.other}", p.model, p.witness.name) for p in PAIRS]
