"""Symmetry: the same counts and verdicts as the whole search; names that are not alike are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_spec.__main__ import main
from mesos_spec.examples import post_office, two_phase_commit
from mesos_spec.examples.post_office import Bye, Post, Stamp
from mesos_spec.kernel import Bag, Fifo, Per, Table, Untold, action, always, require
from mesos_spec.kernel.model import Alike, Model
from mesos_spec.models import named
from mesos_spec.models.of_likes import MODELS
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.symmetry import check_reduced, renamed, renamings
from model_tests.spec.lassos import replayed
from model_tests.spec.searches import search
from model_tests.spec.toys import leave, lose

THREE: Alike = ((("a",), ("b",), ("c",)),)


def commit(**changed: Any) -> Model[Any]:
    """Two-phase commit between three managers that are alike."""
    spec = replace(two_phase_commit.SPEC, **changed)
    return Model(name="commit", title="A toy", spec=spec, bounds=("a", "b", "c"), alike=THREE)


def post(*more: Any, **changed: Any) -> Model[Post]:
    """Two customers that are alike."""
    spec = replace(post_office.SPEC, actions=(*post_office.SPEC.actions, *more), **changed)
    alike: Alike = ((("a",), ("b",)),)
    return Model(name="post", title="A toy", spec=spec, bounds=("a", "b"), alike=alike)


# ---- the whole and its representatives -----------------------------------------------------
@pytest.mark.parametrize("name", [model.name for model in MODELS])
def test_orbits_of_mesos_sum_up(name: str) -> None:
    whole, reduced = search(name), check_reduced(named(name))
    assert reduced.counts == whole.counts == named(name).expect
    assert (reduced.ok, reduced.deadlocks) == (whole.ok, whole.deadlocks)
    assert reduced.orbits * 3.9 < whole.states


def test_orbits_of_a_toy_sum_up() -> None:
    whole, reduced = check(commit()), check_reduced(commit())
    assert reduced.counts == whole.counts
    assert (reduced.orbits, reduced.deadlocks) == (80, whole.deadlocks)
    assert reduced.witnesses.keys() == whole.witnesses.keys()
    assert len(reduced.witnesses["all_commit"].steps) == len(whole.witnesses["all_commit"].steps)


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_broken_claim_is_found_as_near_and_in_real_names(said: int, heard: int) -> None:
    @always()
    def not_so_far(s: two_phase_commit.State) -> bool:
        """Not that many have spoken, and been heard."""
        return len(s.said) < said or len(s.heard_prepared) < heard

    model = commit(always=(not_so_far,), sometimes=())
    whole, reduced = check(model), check_reduced(model)
    assert (whole.broken is None) == (reduced.broken is None)
    if whole.broken is not None and reduced.broken is not None:
        assert len(whole.broken.steps) == len(reduced.broken.steps)
        states = replayed(model, list(reduced.broken.steps))
        assert not_so_far.broken(states[-1]) is not None
        assert all(not_so_far.broken(s) is None for s in states[:-1])


@pytest.mark.parametrize("more", [lose, leave])
def test_broken_steps_and_forgotten_mail_are_found_as_near(more: Any) -> None:
    whole, reduced = check(post(more)).broken, check_reduced(post(more)).broken
    assert whole is not None
    assert reduced is not None
    assert (whole.claim, len(whole.steps)) == (reduced.claim, len(reduced.steps))
    replayed(post(more), list(reduced.steps))


# ---- names that are not alike --------------------------------------------------------------
@action(changes="got", customer=lambda s: s.customers[:1])
def favour(s: Post, customer: str) -> None:
    """The first customer gets stamps for nothing."""
    require(s.got[customer] < 1, "the customer has none")
    s.got[customer] += 1


def test_a_rule_that_prefers_a_name_is_told() -> None:
    with pytest.raises(Untold, match="exchanging a for b, b for a changes what favour does"):
        check_reduced(post(favour))


def test_a_claim_about_one_name_is_told() -> None:
    @always()
    def a_never_has_two(s: Post) -> bool:
        """It is about one of them only."""
        return s.got["a"] < 2

    with pytest.raises(Untold, match="changes what is claimed"):
        check_reduced(post(always=(a_never_has_two,)))


def test_a_start_or_program_that_is_not_alike_is_told() -> None:
    market = named("market")
    programs = market.bounds.schedulers
    poorer = programs + {"s2": programs["s2"]._replace(tasks=())}
    unlike = replace(market, bounds=market.bounds._replace(schedulers=poorer))
    with pytest.raises(Untold, match="the names are not alike"):
        check_reduced(unlike)
    with pytest.raises(Untold, match="it begins otherwise"):
        check_reduced(replace(named("offers"), alike=((("a1",), ("a2",)),)))


@pytest.mark.parametrize("got", [{"b": 1}, {"a": 2, "b": 1}])
def test_who_begins_with_more_is_not_alike(got: dict[str, int]) -> None:
    @action(changes="got", customer=lambda s: s.customers)
    def pay(s: Post, customer: str) -> None:
        """A stamp is given back."""
        require(s.got[customer] > 0, "there is one")
        s.got[customer] -= 1

    start = Post(customers=("a", "b"), got=Per(got))
    spec = replace(post_office.SPEC, init=lambda bounds: start, actions=(pay,))
    alike: Alike = ((("a",), ("b",)),)
    model = Model(name="post", title="A toy", spec=spec, bounds=("a", "b"), alike=alike)
    with pytest.raises(Untold, match="it begins otherwise"):
        check_reduced(model)


def test_who_does_not_say_what_is_alike_is_told() -> None:
    with pytest.raises(Untold, match="does not say which names are alike"):
        check_reduced(named("offers"))


# ---- renaming ------------------------------------------------------------------------------
def test_renamings_are_all_exchanges() -> None:
    assert len(renamings(THREE)) == 5
    both: Alike = ((("a1",), ("a2",)), (("f1", "s1"), ("f2", "s2")))
    assert {"f1": "f2", "s1": "s2", "f2": "f1", "s2": "s1"} in renamings(both)
    assert len(renamings(both)) == 3


def test_names_are_exchanged_wherever_they_are() -> None:
    by = {"a": "b", "b": "a"}
    table: Table[Any, Any] = Table({("a", 1): 1})
    value: Iterable[Any] = (
        table + {("b", 2): frozenset({"a"})},
        Fifo([Stamp(1)]),
        Bag([Stamp(2), Bye()]),
        "ab",
        None,
    )
    other = renamed(value, by)
    expected: Table[Any, Any] = Table({("b", 1): 1})
    assert other[0] == expected + {("a", 2): frozenset({"b"})}
    assert other[1:] == (Fifo([Stamp(1)]), Bag([Stamp(2), Bye()]), "ab", None)
    assert renamed(other, by) == value


@pytest.mark.parametrize("engine", ["plain", "numpy", "numba"])
def test_another_engine_is_refused(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "fleet", "--symmetry", "--engine", engine]) == 5
    assert f"--symmetry: {engine} looks at every state" in capsys.readouterr().err
