"""EVENTUALLY: on random graphs against the definition, on examples, and what is said of limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesos_spec.examples import alternating_bit, post_office, two_phase_commit
from mesos_spec.examples.alternating_bit import a_letter_that_is_sent_comes
from mesos_spec.examples.post_office import Post
from mesos_spec.kernel import (
    Action,
    Cells,
    Fair,
    How,
    Specification,
    Untold,
    action,
    eventually,
    finite,
    strong,
    weak,
)
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search import cycles
from mesos_spec.tools.search.liveness import Unfinished, check_liveness
from mesos_spec.tools.search.verdicts import Verdict
from model_tests.spec.lassos import assert_breaks
from model_tests.spec.toys import modelled

ROOT = Path(__file__).parent.parent.parent


def verdict(model: Model[Any]) -> Verdict[Any]:
    """What becomes of a model's one claim; a lasso is held against the definition."""
    (found,) = check_liveness(model)
    if found.lasso is not None:
        assert_breaks(model, model.spec.eventually[0], found.lasso)
    return found


def names(steps: Iterable[Any]) -> list[str]:
    """The actions of some steps."""
    return [step.action for step in steps]


# ---- against the definition ----------------------------------------------------------------
PLACES = 5
Edges = frozenset[tuple[int, int, int]]  #: action, from, to


class Walker(Cells):
    """Somebody who is somewhere."""

    at: int = 0


def walks(edges: Edges, fair: list[Fair], owed: frozenset[int], kept: frozenset[int]) -> Model[Any]:
    """A model of somebody who walks along edges, each of one of three actions."""

    def made(number: int) -> Action[Walker, ...]:
        def body(s: Walker, to: int) -> None:
            """Somebody goes on."""
            s.at = to

        def onward(s: Walker) -> list[int]:
            return sorted(to for n, at, to in edges if (n, at) == (number, s.at))

        body.__name__ = f"go{number}"
        return action(changes="at", to=onward)(body)

    @eventually(whenever=lambda s: s.at in owed, fair=tuple(fair))
    def arrives(s: Walker) -> bool:
        """Somebody gets there."""
        return s.at in kept

    spec = Specification(
        name="walks",
        init=lambda bounds: Walker(),
        actions=tuple(map(made, range(3))),
        eventually=(arrives,),
    )
    return modelled(spec)


def reachable(edges: Edges, start: int, within: frozenset[int]) -> frozenset[int]:
    """The places that can be got to from one, itself included, by way of `within` only."""
    found = {start} & within
    while more := {to for _, at, to in edges if at in found and to in within} - found:
        found |= more
    return frozenset(found)


def can_be_put_off(model: Model[Any], edges: Edges, owed: Any, kept: Any) -> bool:
    """Whether a set of places can be gone round for ever, fairly: all sets are tried."""
    every = frozenset(range(PLACES))
    late = every - kept
    starts = reachable(edges, 0, every) & owed & late
    there = frozenset(chain.from_iterable(reachable(edges, start, late) for start in starts))
    sets = chain.from_iterable(combinations(sorted(there), n) for n in range(1, PLACES + 1))
    fair = model.spec.eventually[0].fair
    return any(is_a_fair_set(edges, frozenset(one), fair) for one in sets)


def is_a_fair_set(edges: Edges, places: frozenset[int], fair: tuple[Fair, ...]) -> bool:
    """Whether all of `places` can be visited for ever, and nothing else, with all promises kept."""
    ends = {int(one.action[2:]) for one in fair if one.how is How.FINITE}
    every, edges = edges, frozenset(edge for edge in edges if edge[0] not in ends)
    if not all(reachable(edges, at, places) == places for at in places):
        return False
    for one in fair:
        number = int(one.action[2:])
        mine = [(at, to) for n, at, to in every if n == number and one.how is not How.FINITE]
        for part in {to for _, to in mine} if one.each else {None}:
            steps = [(at, to) for at, to in mine if part in (None, to)]
            possible = {at for at, _ in steps} & places
            taken = any(at in places and to in places for at, to in steps) and number not in ends
            if not taken and possible and (one.how is How.STRONG or possible == places):
                return False
    return True


some_edges = st.frozensets(
    st.tuples(st.integers(0, 2), st.integers(0, PLACES - 1), st.integers(0, PLACES - 1)),
    max_size=10,
)
some_fair = st.lists(
    st.builds(
        Fair,
        st.sampled_from(["go0", "go1", "go2"]),
        st.sampled_from([*How]),
        st.sampled_from([(), ("to",)]),
    ),
    max_size=3,
)
#: Round between two places, with a way out at one of them.
ROUND_AND_OUT = frozenset({(0, 0, 1), (1, 1, 0), (2, 0, 2)})
some_places = st.frozensets(st.integers(0, PLACES - 1))


@given(some_edges, some_fair, some_places, some_places)
@example(
    frozenset({(0, 0, 1), (1, 1, 0), (2, 0, 2)}), [*weak("go2")], frozenset({0}), frozenset({2})
)
@example(
    frozenset({(0, 0, 1), (1, 1, 0), (2, 0, 2)}), [*strong("go2")], frozenset({0}), frozenset({2})
)
def test_a_lasso_is_found_if_and_only_if_there_is_one(
    edges: Edges, fair: list[Fair], owed: frozenset[int], kept: frozenset[int]
) -> None:
    model = walks(edges, fair, owed, kept)
    assert (verdict(model).lasso is not None) == can_be_put_off(model, edges, owed, kept)


@pytest.mark.needs("scipy")
@given(st.integers(1, 30), st.data())
def test_both_ways_to_find_components_agree(states: int, data: st.DataObject) -> None:
    place = st.integers(0, states - 1)
    steps = data.draw(st.lists(st.tuples(place, place), max_size=60))
    source, target = np.array([*steps, (0, 0)], np.int64).T
    one, other = (by(states, source, target) for by in (cycles._by_networkx, cycles._by_scipy))
    assert (
        len({*zip(one.tolist(), other.tolist())}) == len({*one.tolist()}) == len({*other.tolist()})
    )


# ---- examples ------------------------------------------------------------------------------
def bits(fair: tuple[Fair, ...] | None = None, **more: Any) -> Model[Any]:
    """The alternating bit protocol with room for two letters, under other assumptions."""
    claim = a_letter_that_is_sent_comes
    claim = claim if fair is None else replace(claim, fair=fair)
    return modelled(replace(alternating_bit.SPEC, eventually=(claim,)), 2, **more)


def test_a_letter_comes_if_the_line_does_not_lose_every_one() -> None:
    assert verdict(bits()).ok


def test_weak_fairness_is_not_enough_on_a_line_that_loses() -> None:
    lasso = verdict(bits(weak("send take_letter take_receipt"))).lasso
    assert lasso is not None
    assert (names(lasso.steps), names(lasso.cycle)) == ([], ["send", "lose_letter"])


def test_weak_fairness_is_enough_if_there_is_an_end_to_losing() -> None:
    assert verdict(bits(weak("send take_letter take_receipt") + finite("lose_letter"))).ok


def test_who_need_not_send_need_not_be_heard() -> None:
    lasso = verdict(bits(strong("take_letter take_receipt"))).lasso
    assert lasso is not None
    assert (lasso.steps, lasso.cycle, lasso.since) == ((), (), 0)
    assert lasso.why == "a_letter_that_is_sent_comes need never hold for bit=0"


def served(fair: tuple[Fair, ...]) -> Model[Post]:
    """The post office: whoever asks is served."""

    @eventually(
        whenever=lambda s, customer: s.asked[customer] == 1,
        fair=fair,
        customer=post_office.customers,
    )
    def who_asks_is_served(s: Post, customer: str) -> bool:
        """A customer that has asked gets a stamp."""
        return s.got[customer] > 0

    return modelled(replace(post_office.SPEC, eventually=(who_asks_is_served,)), ("a", "b"))


def test_the_post_serves_each_if_it_is_fair_to_each() -> None:
    assert verdict(served(weak("sell get", each="customer"))).ok
    lasso = verdict(served(weak("sell", each="customer"))).lasso
    assert lasso is not None
    assert names(lasso.steps) == ["ask", "sell"]


@action(changes="got", customer=post_office.customers)
def forget(s: Post, customer: str) -> None:
    """A customer looks at an empty hand: nothing changes, for ever."""
    s.got[customer] += 0


def test_fair_to_somebody_is_not_fair_to_each() -> None:
    """`forget` may be taken for one customer only: the other one's turn never comes."""

    @eventually(fair=weak("forget"), customer=post_office.customers)
    def never(s: Post, customer: str) -> bool:
        """It does not happen."""
        return False

    spec = replace(
        post_office.SPEC, actions=(*post_office.SPEC.actions, forget), eventually=(never,)
    )
    lasso = verdict(modelled(spec, ("a", "b"))).lasso
    assert lasso is not None
    assert [step.bound for step in lasso.cycle] == [{"customer": "a"}]
    each = replace(spec, eventually=(replace(never, fair=weak("forget", each="customer")),))
    lasso = verdict(modelled(each, ("a", "b"))).lasso
    assert lasso is not None
    assert [step.bound["customer"] for step in lasso.cycle] == ["a", "b"]


def decides(fair: tuple[Fair, ...]) -> Model[Any]:
    """Two-phase commit: every manager comes to a decision."""

    @eventually(fair=fair, manager=two_phase_commit.managers)
    def every_manager_decides(s: two_phase_commit.State, manager: str) -> bool:
        """A manager has committed or aborted."""
        return s.manager[manager] in ("committed", "aborted")

    spec = replace(two_phase_commit.SPEC, eventually=(every_manager_decides,))
    return modelled(spec, ("a", "b", "c"))


def test_two_phase_commit_blocks_without_its_coordinator() -> None:
    managers = weak("manager_commits manager_aborts manager_prepares", each="manager")
    assert verdict(decides(managers + weak("coordinator_aborts"))).ok
    hearing = managers + weak("coordinator_commits")
    assert verdict(decides(hearing + weak("coordinator_hears_prepared", each="manager"))).lasso
    lasso = verdict(decides(hearing)).lasso
    assert lasso is not None
    assert "manager_prepares" in names(lasso.steps)
    assert "coordinator_commits" not in names(lasso.steps)


# ---- limits, cuts and mistakes -------------------------------------------------------------
def test_what_comes_after_a_cut_is_open() -> None:
    """Where the letter is taken nothing more is known: until then it is not on its way for good."""
    cut = verdict(bits(cut=lambda s: len(s.letters) == 1))
    assert (cut.lasso, cut.ok) == (None, False)
    assert cut.open == 1
    assert cut.says == "a_letter_that_is_sent_comes holds, but for what comes after 1 cut states"
    beyond = verdict(bits(cut=lambda s: s.awaited == 1))
    assert beyond.ok, "every behaviour that is cut has done what was claimed"


def test_a_lasso_in_front_of_the_cut_is_one() -> None:
    assert verdict(bits(weak("take_letter"), cut=lambda s: len(s.letters) == 2)).lasso is not None


def test_what_is_never_owed_is_not_shown() -> None:
    claim = replace(a_letter_that_is_sent_comes, whenever=lambda s, bit: s.awaited == 7)
    found = verdict(modelled(replace(alternating_bit.SPEC, eventually=(claim,)), 2))
    assert (found.ok, found.owed) == (False, 0)
    assert found.says == "a_letter_that_is_sent_comes was never owed: nothing is shown of it"


def test_a_graph_that_was_not_finished_says_nothing() -> None:
    with pytest.raises(Unfinished, match="enough"):
        check_liveness(bits(), stop=lambda states: "enough")
    assert check_liveness(modelled(two_phase_commit.SPEC, ("a",)), stop=lambda states: "no") == ()


def test_fairness_is_to_actions_that_there_are() -> None:
    claim = a_letter_that_is_sent_comes
    with pytest.raises(Untold, match="is fair to fly, which is no action of alternating_bit"):
        bits(weak("fly"))
    with pytest.raises(Untold, match="is fair to send for each bit, a name it has not"):
        bits(weak("send", each="bit"))
    assert [one.says for one in (*claim.fair[:2], *finite("lose_letter"))] == [
        "send is taken if it is possible for good",
        "take_letter is taken if it is possible again and again",
        "lose_letter is taken only so often",
    ]
    (each,) = strong("sell", each="customer")
    assert each.says == "sell, for each customer, is taken if it is possible again and again"


def test_what_is_owed_is_owed_to_the_same() -> None:
    def is_late(s: Any, letter: int) -> bool:
        return bool(s.sending == letter)

    with pytest.raises(Untold, match=r"comes is of \['bit'\], and whenever it is owed of"):

        @eventually(whenever=is_late, bit=alternating_bit.bits)
        def comes(s: Any, bit: int) -> bool:
            """A letter comes."""
            return True


def test_promises_are_to_who_is_there_for_good() -> None:
    @eventually(bit=lambda s: [s.sending])
    def passing(s: Any, bit: int) -> bool:
        """A letter comes."""
        return True

    with pytest.raises(Untold, match="bit ranges over what is there now"):
        check_liveness(modelled(replace(alternating_bit.SPEC, eventually=(passing,)), 2))


def test_a_body_that_fails_has_no_future() -> None:
    @action(changes="letters")
    def tear(s: Any) -> None:
        """Fails."""
        s.letters += 1 // s.awaited

    spec = replace(alternating_bit.SPEC, actions=(*alternating_bit.SPEC.actions, tear))
    with pytest.raises(Untold, match=r"tear fails: .*ZeroDivisionError"):
        check_liveness(modelled(spec, 2))


# ---- as it is told -------------------------------------------------------------------------
def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/explanation/specification-language.md").read_text(encoding="utf-8")
    section = page.split("## What happens in the end\n")[1].split("\n## ")[0]
    code, printed = re.findall(r"```(?:python|text)\n(.*?)```", section, re.S)
    exec(code, {"__name__": "example"})
    assert capsys.readouterr().out == printed
