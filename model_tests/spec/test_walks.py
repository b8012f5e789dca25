"""Random walks: the same from one seed; what is broken is found and shortened; no more is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mesos_spec.__main__ import main
from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.examples.post_office import Post, customers
from mesos_spec.kernel import action, require
from mesos_spec.tools.search.checker import DEADLOCK, HEADS, check
from mesos_spec.tools.search.walks import walk
from model_tests.spec.lassos import replayed
from model_tests.spec.toys import leave, lose, modelled


def test_four_gallons_are_found_and_the_way_is_short() -> None:
    model = modelled(die_hard.SPEC, 4)
    found = walk(model, walks=50, seed=3).broken
    assert found is not None
    assert 6 <= len(found.steps) <= 8
    states = replayed(model, list(found.steps))
    assert die_hard.the_goal_is_not_reached.broken(states[-1]) is not None
    assert all(die_hard.the_goal_is_not_reached.broken(s) is None for s in states[:-1])


def test_the_same_seed_walks_the_same_way() -> None:
    model = modelled(two_phase_commit.SPEC, ("a", "b", "c"))
    one, same, other = (walk(model, walks=3, seed=seed, max_depth=20) for seed in (1, 1, 2))
    assert (one.counts, one.taken) == (same.counts, same.taken)
    assert one.taken != other.taken


def test_walks_never_call_a_model_checked() -> None:
    model = modelled(two_phase_commit.SPEC, ("a", "b"))
    result = walk(model, walks=200, max_depth=30)
    assert (result.ok, result.finished, result.broken) == (False, False, None)
    assert result.stopped == "200 walks of at most 30 steps are not all there is"
    assert 40 < result.states <= check(model).states == 56
    assert result.never_taken == ()
    assert result.unseen == ()
    assert len(result.witnesses["all_commit"].steps) >= 7
    assert walk(model, walks=1, max_depth=3).steps == 3


@action(changes="got", customer=customers)
def blunder(s: Post, customer: str) -> None:
    """A body that fails."""
    require(s.asked["b"] == 1, "b has asked")
    s.got[customer] = [1, 2][s.asked["a"] + 2]


@pytest.mark.parametrize("more", [lose, leave, blunder])
def test_all_that_a_search_finds_is_found(more: Any) -> None:
    """And in as few steps: here nothing but leaving out steps is needed to get there."""
    spec = replace(post_office.SPEC, actions=(*post_office.SPEC.actions, more))
    model = modelled(spec, ("a", "b"))
    nearest, found = check(model).broken, walk(model, walks=100).broken
    assert nearest is not None
    assert found is not None
    assert found.claim in (nearest.claim, HEADS)
    assert len(found.steps) == len(nearest.steps)


def test_being_stuck_is_told() -> None:
    actions = tuple(one for one in post_office.SPEC.actions if one.name != "sell")
    spec = replace(post_office.SPEC, actions=actions, channels=(), sometimes=())
    unsaid = walk(modelled(spec, ("a", "b")), walks=5)
    assert (unsaid.deadlocks, unsaid.broken) == (1, None)
    assert unsaid.deadlock is not None
    assert len(unsaid.deadlock.steps) == 4
    model = modelled(spec, ("a", "b"), quiescent=post_office.everybody_is_served)
    stuck = walk(model, walks=5).broken
    assert stuck is not None
    assert (stuck.claim, len(stuck.steps)) == (DEADLOCK, 4)


def test_a_cut_ends_a_walk() -> None:
    model = modelled(post_office.SPEC, ("a", "b"), cut=lambda s: s.sold > 1)
    result = walk(model, walks=30)
    assert result.cut > 0
    assert result.depth < check(modelled(post_office.SPEC, ("a", "b"))).depth


def test_the_command_walks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "offers", "--walks", "3", "--max-depth", "20", "--seed", "5"]) == 2
    out = capsys.readouterr().out
    assert (
        "unknown: 3 walks of at most 20 steps are not all there is; all that was seen holds" in out
    )
    assert main(["check", "offers", "--symmetry"]) == 5
