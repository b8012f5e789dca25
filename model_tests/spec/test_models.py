"""The ladder of models: what is counted, and that nothing in the specification is idle."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesos_spec.mesos import ACTIONS, ALWAYS, EACH_STEP
from mesos_spec.models import MODELS, named
from mesos_spec.models.interactions import PAIRS, Pair, with_meetings
from mesos_spec.models.meetings import a_kill_comes_after_the_end
from mesos_spec.models.settings import CHOICES, HEARERS
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.guards import written_guards
from model_tests.spec.searches import QUICK, SLOW, guards, search

PAGE = Path(__file__).parents[2] / "spec" / "interactions.md"

#: Actions that no quick model takes, and why.
IDLE = {"foreign_call": "foreign schedulers are in traces only: a model has our library's"}

DOMAIN = "a model tries only what its domains say; a trace may name anything"
ADDRESS = "each master of a model has an address of its own; on real ones it may have changed hands"
LEFT = "an agent leaves the link to an older leader, or a lost one, before it hears anything else"

#: Guards that hold whenever a model asks them.
NEVER_BROKEN = {
    ("admit", "the agent means this reign"): ADDRESS,
    ("shut_out", "the agent means this reign"): ADDRESS,
    ("ignore_frame_up", "something is in flight to the master"): DOMAIN,
    ("subscribe", "the next message is Subscribe"): DOMAIN,
    ("subscribe", "it is the framework it says it is"): DOMAIN,
    ("subscribe", "an id is given once"): DOMAIN,
    ("offer", "the framework has the role"): DOMAIN,
    ("offer", "the offer id is new"): DOMAIN,
    ("rescind", "the offer stands"): DOMAIN,
    ("forget_filter", "the framework has refused this"): DOMAIN,
    ("shut_down_agent", "the master is not an older leader"): LEFT,
    ("be_registered", "the master is not an older leader"): LEFT,
    ("answer_ping", "the master is not an older leader"): LEFT,
    ("executor_subscribes", "the agent has started the executor"): DOMAIN,
    ("executor_updates", "the agent has started the executor"): DOMAIN,
    ("executor_ends", "the agent has started the executor"): DOMAIN,
    ("send_up", "the agent has started the executor"): DOMAIN,
    ("give_up_executor", "the agent has started the executor"): DOMAIN,
    ("recover_executor", "the agent has started the executor"): DOMAIN,
    ("resend", "an update of the task waits"): DOMAIN,
    ("ask_to_subscribe", "it asks as the framework it is"): DOMAIN,
    ("call", "the scheduler is subscribed"): DOMAIN,
    ("call", "it speaks for itself"): DOMAIN,
    ("call", "it names its stream"): DOMAIN,
    ("call", "acknowledging is the library's business"): DOMAIN,
    ("ack", "it owes the acknowledgement"): DOMAIN,
    **{
        (action, "the agent is registered with that master"): LEFT
        for action in (
            *("run", "refuse_run", "kill_task", "know_framework", "end_framework", "hear_ack"),
            *("end_executor", "deliver_message"),
        )
    },
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
    assert ACTIONS.keys() - taken == IDLE.keys()


def test_every_guard_is_asked_and_answered_both_ways() -> None:
    asked = guards()
    written = [(name, says) for name, one in ACTIONS.items() for says in written_guards(one)]
    idle = [pair for pair in written if pair[0] not in IDLE]
    assert [pair for pair in idle if not asked[(*pair, True)]] == []
    assert {pair for pair in idle if not asked[(*pair, False)]} == NEVER_BROKEN.keys()


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
