"""The checker: answers known elsewhere, every kind of thing that can be wrong, bounds, limits."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.examples.post_office import Bye, Post, Stamp, customers
from mesos_spec.kernel import (
    Action,
    Fifo,
    Specification,
    action,
    require,
)
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.tools.search.checker import DEADLOCK, HEADS, Progress, Result, check
from model_tests.spec.toys import leave, lose, modelled

# ---- what is checked --------------------------------------------------------------------------
POST = post_office.SPEC


def post(*more: Action[Post, ...], without: str = "", **changed: Any) -> Model[Post]:
    """The post office with two customers, with some things changed."""
    parts = {n: changed.pop(n) for n in list(changed) if n in Specification.__dataclass_fields__}
    actions = (*(a for a in POST.actions if a.name != without), *more)
    model = Model(
        name="post",
        title="Two customers want two stamps each",
        spec=replace(POST, **({"actions": actions} | parts)),
        bounds=("a", "b"),
        quiescent=post_office.everybody_is_served,
    )
    return replace(model, **changed)


BOTH = pytest.mark.parametrize("plain", [True, False], ids=["plain", "memo"])


def steps(result: Result[Any]) -> list[str]:
    """The counterexample's actions."""
    assert result.broken is not None
    return [step.action for step in result.broken.steps]


# ---- known answers -------------------------------------------------------------------------
@BOTH
def test_four_gallons_take_six_steps(plain: bool) -> None:
    result = check(modelled(die_hard.SPEC, 4), plain=plain)
    assert steps(result) == [
        "fill_big",
        "big_to_small",
        "empty_small",
        "big_to_small",
        "fill_big",
        "big_to_small",
    ]
    assert not result.ok
    assert not result.finished


@BOTH
def test_nine_gallons_cannot_be_measured(plain: bool) -> None:
    result = check(modelled(die_hard.SPEC, 9), plain=plain)
    assert result.ok
    assert result.states == 16


@BOTH
def test_three_managers_commit_in_288_states(plain: bool) -> None:
    """1,145 steps and the initial state are the 1,146 states that TLC generates."""
    result = check(modelled(two_phase_commit.SPEC, ("a", "b", "c")), plain=plain)
    assert result.counts == Counts(states=288, steps=1145, depth=10)
    assert result.ok
    assert len(result.witnesses["all_commit"].steps) == 10
    assert result.never_taken == ()
    assert result.one_sided == ()


def test_five_managers_commit_in_8832_states() -> None:
    result = check(modelled(two_phase_commit.SPEC, tuple("abcde")))
    assert (result.states, result.ok) == (8832, True)


# ---- what can be wrong ---------------------------------------------------------------------
@BOTH
def test_the_post_office_works(plain: bool) -> None:
    result = check(post(), plain=plain)
    assert result.ok
    assert (result.deadlocks, result.never_taken) == (0, ())
    assert sum(result.taken.values()) == result.steps
    assert result.guards["sell", "the next message is Ask", True] == result.taken["sell"]
    assert result.one_sided == (
        ("get", "the message is Stamp", False),
        ("get", "the message is in flight", False),
        ("sell", "there are stamps left", False),
    )


@BOTH
def test_a_step_that_breaks_a_claim_is_found(plain: bool) -> None:
    result = check(post(lose), plain=plain)
    assert steps(result) == ["ask", "ask", "sell", "sell", "get", "get", "lose"]
    assert result.broken is not None
    assert (result.broken.claim, result.broken.bound) == ("what_is_got_is_kept", {"customer": "a"})
    assert result.broken.steps[-1].changed == {("got", "a"): (2, 1)}


@action(changes="got", customer=customers)
def steal(s: Post, customer: str) -> None:
    """A stamp is stolen."""
    s.got[customer] += 1


@BOTH
def test_a_state_that_breaks_a_claim_is_found(plain: bool) -> None:
    result = check(post(steal), plain=plain)
    assert steps(result) == ["steal"]
    assert result.broken is not None
    assert result.broken.why == "nothing_unasked_comes does not hold for customer=a"


@BOTH
def test_mail_that_nobody_takes_is_found(plain: bool) -> None:
    result = check(post(leave, sometimes=()), plain=plain)
    assert steps(result) == ["ask", "sell", "leave"]
    assert result.broken is not None
    assert result.broken.claim == HEADS
    assert result.broken.bound == {"channel": "queue[a]", "message": Bye()}


@action(changes="queue", customer=customers)
def close(s: Post, customer: str) -> None:
    """The queue is sent home."""
    require(len(s.queue[customer]) > 0, "somebody waits")
    s.queue[customer] = Fifo()


@BOTH
def test_emptying_a_channel_delivers_nothing(plain: bool) -> None:
    result = check(post(leave, close, without="sell", sometimes=()), plain=plain)
    assert steps(result) == ["ask"]
    assert result.broken is not None
    assert result.broken.claim == HEADS


@BOTH
def test_in_a_bag_every_message_must_be_takeable(plain: bool) -> None:
    result = check(post(without="get", sometimes=()), plain=plain)
    assert result.broken is not None
    assert result.broken.bound == {"channel": "mail[a]", "message": Stamp(1)}


@BOTH
def test_which_heads_count_can_be_said(plain: bool) -> None:
    def of_b(s: Post) -> list[tuple[str, str]]:
        return [("mail", "b")]

    result = check(post(without="get", sometimes=(), heads=of_b), plain=plain)
    assert result.broken is not None
    assert result.broken.bound == {"channel": "mail[b]", "message": Stamp(1)}


@BOTH
def test_being_stuck_is_wrong_unless_it_is_the_end(plain: bool) -> None:
    parts: dict[str, Any] = {"without": "sell", "sometimes": (), "channels": ()}
    stuck = check(post(**parts), plain=plain)
    assert stuck.broken is not None
    assert stuck.broken.claim == DEADLOCK
    assert steps(stuck) == ["ask"] * 4
    unsaid = check(post(**parts, quiescent=None), plain=plain)
    assert unsaid.ok
    assert unsaid.deadlocks == 1
    assert unsaid.deadlock is not None
    assert len(unsaid.deadlock.steps) == 4


@BOTH
def test_what_is_never_seen_is_not_ok(plain: bool) -> None:
    result = check(post(without="get", channels=(), quiescent=None), plain=plain)
    assert result.finished
    assert not result.ok
    assert result.unseen == ("somebody_has_two",)
    assert result.broken is None


@action(changes="got", customer=customers)
def blunder(s: Post, customer: str) -> None:
    """A body that fails."""
    require(s.asked["b"] == 1, "b has asked")
    s.got[customer] = [1, 2][s.asked["a"] + 2]


@BOTH
def test_a_body_that_fails_is_the_specification_s_fault(plain: bool) -> None:
    result = check(post(blunder), plain=plain)
    assert steps(result) == ["ask"]
    assert result.broken is not None
    line = inspect.getsourcelines(blunder.body)[1] + 4
    assert result.broken.why == (
        "blunder fails: IndexError: list index out of range "
        f"({Path(__file__).relative_to(Path.cwd())}:{line})"
    )
    assert result.broken.wrong


# ---- bounds and limits ---------------------------------------------------------------------
def beyond(s: Post) -> bool:
    """More than one stamp is sold."""
    return s.sold > 1


@BOTH
def test_a_cut_is_counted_and_not_expanded(plain: bool) -> None:
    result = check(post(cut=beyond, sometimes=()), plain=plain)
    assert result.finished
    assert result.cut > 0
    whole = check(post(), plain=plain)
    assert result.states < whole.states
    assert result.taken["sell"] < whole.taken["sell"]
    assert check(post(cut=lambda s: True), plain=plain).counts == Counts(
        states=1, steps=0, depth=0, cut=1
    )


@BOTH
def test_what_is_beyond_the_cut_is_still_checked(plain: bool) -> None:
    result = check(post(steal, cut=lambda s: s.got["a"] > 0), plain=plain)
    assert steps(result) == ["steal"]


@BOTH
def test_a_search_that_was_stopped_says_so(plain: bool) -> None:
    result = check(post(), plain=plain, max_states=20)
    assert not result.finished
    assert not result.ok
    assert result.stopped == "20 states are enough"
    assert 20 <= result.states < 30
    late = check(modelled(two_phase_commit.SPEC, tuple("abcde")), plain=plain, max_seconds=0)
    assert late.stopped == "0 seconds are over"
    assert late.states < 8832


def test_progress_is_told() -> None:
    told: list[Progress] = []
    check(modelled(two_phase_commit.SPEC, tuple("abcde")), progress=told.append)
    assert [p.states - p.waiting for p in told] == [4096, 8192]
    assert told[0].depth <= told[1].depth
