"""The checker: answers known elsewhere, every kind of thing that can be wrong, and two worlds.

The plain world asks a specification everything anew; the remembering one must never differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_spec.examples import die_hard, two_phase_commit
from mesos_spec.kernel import (
    Action,
    Bag,
    Cells,
    Const,
    Fifo,
    Per,
    Specification,
    Untold,
    action,
    always,
    each_step,
    per,
    receive,
    receive_any,
    require,
    sometimes,
)
from mesos_spec.tools.checker import DEADLOCK, HEADS, Progress, Result, check
from mesos_spec.tools.explain import can_happen, enabled, nearest, why
from mesos_spec.tools.guards import drop_each, drop_guards, written_guards
from mesos_spec.tools.models import Counts, Model
from mesos_spec.tools.show import as_json, as_mermaid, as_text, difference, sent

# ---- a post office -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """May I have a stamp?"""


@dataclass(frozen=True, slots=True)
class Bye:
    """Never mind."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Here it is."""

    value: int


class Post(Cells):
    """Customers ask in order; stamps come back in any order."""

    customers: Const[tuple[str, ...]]
    queue: Per[str, Fifo[Ask | Bye]] = per(Fifo())
    mail: Per[str, Bag[Stamp]] = per(Bag())
    asked: Per[str, int] = per(0)
    got: Per[str, int] = per(0)
    sold: int = 0


def customers(s: Post) -> Iterable[str]:
    """All customers."""
    return s.customers


def in_the_mail(s: Post, customer: str) -> Iterable[Stamp]:
    """The stamps on their way to a customer."""
    return s.mail[customer]


@action(changes="queue asked", by="customer", customer=customers)
def ask(s: Post, customer: str) -> None:
    """A customer asks for a stamp."""
    require(s.asked[customer] < 2, "the customer wants another")
    s.asked[customer] += 1
    s.queue[customer] += Ask()


@action(changes="queue mail sold", by="office", customer=customers)
def sell(s: Post, customer: str) -> None:
    """The office sends a stamp to who asked, each worth more than the one before."""
    request = receive(s.queue[customer], Ask)
    require(s.sold < 9, "there are stamps left")
    s.queue[customer] -= request
    s.sold += 1
    s.mail[customer] += Stamp(s.sold)


@action(changes="mail got", by="customer", customer=customers, stamp=in_the_mail)
def get(s: Post, customer: str, stamp: Stamp) -> None:
    """A stamp arrives."""
    arrived = receive_any(s.mail[customer], stamp, Stamp)
    s.mail[customer] -= arrived
    s.got[customer] += 1


@always(customer=customers)
def nothing_unasked_comes(s: Post, customer: str) -> bool:
    """Nobody gets more than they asked for."""
    return s.got[customer] <= s.asked[customer]


@each_step(watches="got", customer=customers)
def what_is_got_is_kept(before: Post, after: Post, customer: str) -> bool:
    """No stamp is lost again."""
    return before.got[customer] <= after.got[customer]


@sometimes(customer=customers)
def somebody_has_two(s: Post, customer: str) -> bool:
    """Two stamps can be had."""
    return s.got[customer] == 2


POST = Specification(
    name="post",
    init=lambda names: Post(customers=names),
    actions=(ask, sell, get),
    always=(nothing_unasked_comes,),
    each_step=(what_is_got_is_kept,),
    sometimes=(somebody_has_two,),
    channels=("queue", "mail"),
)


def everybody_is_served(s: Post) -> bool:
    """Everybody has all they want."""
    return all(s.got[customer] == 2 for customer in s.customers)


def post(*more: Action[Post, ...], without: str = "", **changed: Any) -> Model[Post]:
    """The post office with two customers, with some things changed."""
    parts = {n: changed.pop(n) for n in list(changed) if n in Specification.__dataclass_fields__}
    actions = (*(a for a in POST.actions if a.name != without), *more)
    model = Model(
        name="post",
        title="Two customers want two stamps each",
        spec=replace(POST, **({"actions": actions} | parts)),
        bounds=("a", "b"),
        quiescent=everybody_is_served,
    )
    return replace(model, **changed)


def modelled(spec: Specification[Any], bounds: Any) -> Model[Any]:
    """A model of a toy."""
    return Model(name=spec.name, title="A toy", spec=spec, bounds=bounds)


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


@action(changes="got", customer=customers)
def lose(s: Post, customer: str) -> None:
    """A stamp is lost."""
    require(s.got[customer] == 2, "there is one to lose")
    s.got[customer] -= 1


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


@action(changes="queue", by="customer", customer=customers)
def leave(s: Post, customer: str) -> None:
    """A customer gives up."""
    require(s.asked[customer] == 1, "the customer has asked")
    s.queue[customer] += Bye()


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
    assert result.broken.why == "blunder fails: IndexError: list index out of range"


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


# ---- two worlds ----------------------------------------------------------------------------
class Dials(Cells):
    """Four dials, three positions each."""

    dial: Per[int, int] = per(0)


@dataclass(frozen=True)
class Turn:
    """An action by numbers: if this dial is so, the dial it and another point at is turned."""

    if_dial: int
    if_so: int
    look_at: int
    by: int
    blind: bool

    def body(self, s: Dials, start: int) -> None:
        """A dial is turned."""
        require(s.dial[self.if_dial] == self.if_so, "the first dial is so")
        target = (s.dial[self.look_at] + start) % 4
        require(s.dial[target] != 2 or self.blind, "the dial is not at its end")
        s.dial[target] = self.by % 3 if self.blind else (s.dial[target] + self.by) % 3


positions = st.integers(0, 3)
turns = st.builds(Turn, positions, st.integers(0, 2), positions, st.integers(1, 2), st.booleans())


def dials(turns: list[Turn], limit: int, dynamic: bool) -> Model[Dials]:
    """A model with these actions, a claim of each kind that may or may not hold, and a cut."""

    @always()
    def not_all_at_the_end(s: Dials) -> bool:
        """Some dial is not at its end."""
        return not all(s.dial[i] == 2 for i in range(limit))

    @each_step(watches="dial", i=lambda s: s.dial.keys() if dynamic else range(4))
    def no_dial_jumps_from_two_to_one(before: Dials, after: Dials, i: int) -> bool:
        """From its end a dial goes to the start."""
        return not (before.dial[i] == 2 and after.dial[i] == 1 and before.dial[(i + 1) % 4] == 2)

    def starts(s: Dials) -> Iterable[int]:
        return range(2) if s.dial[0] else [0] if not dynamic else s.dial.keys() or [3]

    def made(n: int, turn: Turn) -> Action[Dials, ...]:
        def body(s: Dials, start: int) -> None:
            """A dial is turned."""
            turn.body(s, start)

        body.__name__ = f"turn{n}"
        return action(changes="dial", start=starts)(body)

    spec = Specification(
        name="dials",
        init=lambda bounds: Dials(),
        actions=tuple(made(n, turn) for n, turn in enumerate(turns)),
        always=(not_all_at_the_end,),
        each_step=(no_dial_jumps_from_two_to_one,),
    )
    return Model(
        name="dials",
        title="Dials",
        spec=spec,
        bounds=None,
        cut=lambda s: s.dial[3] == 2 and s.dial[1] == 1,
    )


@given(st.lists(turns, min_size=1, max_size=4), st.integers(1, 6), st.booleans())
def test_remembering_changes_nothing(turns: list[Turn], limit: int, dynamic: bool) -> None:
    model = dials(turns, limit, dynamic)
    plain, memo = check(model, plain=True), check(model)
    assert plain.counts == memo.counts
    assert plain.deadlocks == memo.deadlocks
    assert plain.finished == memo.finished
    if plain.finished:
        assert plain.taken == memo.taken
        assert plain.guards == memo.guards
    else:
        assert plain.broken == memo.broken


def test_an_action_that_depends_on_more_than_the_state_is_told() -> None:
    calls: list[int] = []

    @action(changes="dial", start=lambda s: [*range(4)])
    def fickle(s: Dials, start: int) -> None:
        """Reads another dial each time."""
        calls.append(0)
        s.dial[start] = (s.dial[len(calls) % 4] + s.dial[(len(calls) + 1) % 4] + 1) % 3

    spec = Specification(name="x", init=lambda b: Dials(), actions=(fickle,))
    with pytest.raises(Untold, match=r"fickle reads dial\[.\] or not, and not by the state alone"):
        check(modelled(spec, None))


def test_equal_values_of_two_kinds_are_told() -> None:
    @action(changes="dial")
    def confuses(s: Dials) -> None:
        """One and True are not the same."""
        s.dial[0] = 1 if s.dial[0] == 0 else True

    spec = Specification(name="x", init=lambda b: Dials(), actions=(confuses,))
    with pytest.raises(Untold, match="equal and not the same"):
        check(modelled(spec, None))


# ---- guards --------------------------------------------------------------------------------
def test_guards_are_found_as_they_are_written() -> None:
    assert written_guards(get) == ("the message is Stamp", "the message is in flight")
    assert written_guards(sell) == ("the next message is Ask", "there are stamps left")


def test_an_action_without_a_guard_is_otherwise_the_same() -> None:
    [(sentence, without)] = drop_guards(ask)
    assert sentence == "the customer wants another"
    served = Post(customers=("a",), asked=Per({"a": 2}))
    assert ask.explain(served, {"customer": "a"}) == [("the customer wants another", False)]
    assert without.explain(served, {"customer": "a"}) == []
    assert without(served, customer="a").asked["a"] == 3
    assert (without.name, without.over, without.by) == (ask.name, ask.over, ask.by)
    assert [sentence for sentence, _ in drop_guards(sell)] == ["there are stamps left"]


def test_a_guard_that_nothing_rests_on_survives() -> None:
    """Hearing of a prepared manager after the decision changes nothing that is claimed."""
    model = modelled(two_phase_commit.SPEC, ("a", "b", "c"))
    fates = {(d.action, d.guard): d.fate for d in drop_each(model, max_states=5000)}
    assert fates.pop(("coordinator_hears_prepared", "nothing is decided")) == "survives"
    assert fates.pop(("manager_prepares", "the manager has decided nothing")) == "survives"
    assert len(fates) == 7
    assert set(fates.values()) == {"caught"}


# ---- on paper ------------------------------------------------------------------------------
def test_a_refusal_says_why() -> None:
    s = ask(POST.start(("a", "b")), "a")
    assert str(why(replace_sold(s, 9), sell, {"customer": "a"})) == (
        "sell(customer=a) cannot happen\n"
        "    holds     the next message is Ask  queue[a] = ⟨Ask()⟩\n"
        "    DOES NOT  there are stamps left    sold = 9"
    )
    assert str(why(s, sell, {"customer": "a"})).startswith("sell(customer=a) can happen\n")


def replace_sold(s: Post, sold: int) -> Post:
    """`s` with so many sold."""
    return s.after({("sold", None): (0, sold)})


def test_the_nearest_binding_is_the_one_that_gets_farthest() -> None:
    s = replace_sold(ask(POST.start(("a", "b")), "b"), 9)
    close = nearest(s, sell)
    assert close is not None
    assert close.bound == {"customer": "b"}
    assert close.refused is not None
    assert close.refused.says == "there are stamps left"
    assert nearest(s, get) is None
    happens = nearest(s, ask)
    assert happens is not None
    assert happens.happens


def test_what_can_happen_is_numbered_and_what_cannot_has_a_reason() -> None:
    s = ask(POST.start(("a", "b")), "b")
    assert can_happen(POST, s) == (
        "   1  ask(customer=a)\n"
        "   2  ask(customer=b)\n"
        "   3  sell(customer=b)\n"
        "   -  get: nothing to do it with"
    )
    assert [c.number for c in enabled(POST, s)] == [1, 2, 3]
    assert can_happen(replace(POST, actions=(sell,)), POST.start(("a",))) == (
        "      nothing can happen\n   -  sell: not: the next message is Ask"
    )


def broken() -> tuple[Model[Post], Any]:
    """A counterexample: an ask, a sale, and a farewell that nobody takes."""
    model = post(leave, sometimes=())
    return model, check(model).broken


def test_a_counterexample_as_text() -> None:
    _, found = broken()
    assert as_text(found) == (
        "every_head_is_consumed does not hold for channel=queue[a], message=Bye(), after 3 steps:\n"
        "   1  ask(customer=a)\n"
        "          asked[a]: 0 → 1\n"
        "          queue[a]: + Ask()\n"
        "   2  sell(customer=a)\n"
        "          queue[a]: - Ask()\n"
        "          sold: 0 → 1\n"
        "          mail[a]: + Stamp(value=1)\n"
        "   3  leave(customer=a)\n"
        "          queue[a]: + Bye()"
    )


def test_a_counterexample_as_a_sequence_diagram() -> None:
    model, found = broken()
    assert as_mermaid(model.spec, found).splitlines()[:8] == [
        "sequenceDiagram",
        "    participant p0 as a",
        "    participant p1 as queue[a]",
        "    participant p2 as office",
        "    participant p3 as mail[a]",
        "    Note over p0: ask(customer=a)",
        "    p0->>p1: Ask()",
        "    Note over p2: sell(customer=a)",
    ]

    def ends(cell: tuple[str, Any]) -> tuple[str, str]:
        return (cell[1], "office") if cell[0] == "queue" else ("office", cell[1])

    assert as_mermaid(model.spec, found, ends).splitlines()[1:5] == [
        "    participant p0 as a",
        "    participant p1 as office",
        "    Note over p0: ask(customer=a)",
        "    p0->>p1: Ask()",
    ]


def test_a_counterexample_as_json() -> None:
    _, found = broken()
    told = json.loads(as_json(found))
    assert told["claim"] == HEADS
    assert told["bound"] == {"channel": "queue[a]", "message": {"is": "Bye"}}
    assert told["steps"][1]["changed"]["mail[a]"] == [[], [{"is": "Stamp", "value": 1}]]


def test_sent_is_what_a_channel_has_now_and_had_not() -> None:
    one, two, three = Stamp(1), Stamp(2), Stamp(3)
    assert sent(Fifo([one, two]), Fifo([two, three])) == [three]
    assert sent(Fifo([one]), Fifo([one, one])) == [one]
    assert sent(Fifo([one]), Fifo()) == []
    assert sent(Bag([one]), Bag([two, one, one])) == [one, two]
    assert sent(1, 2) == []
    assert difference(("x", None), Fifo([one]), Fifo([two])) == f"x: - {one!r}, + {two!r}"
