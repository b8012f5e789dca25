"""Tests that nobody wrote: paths of checked models become inputs of the real cores.

For each way that a model has for a master, agent or scheduler to do something there is a path that
leads there and takes it.  Along the path the real core must do, step by step, what the path says is
done; and the judge follows what it sent and showed all the while.  All together they take nine of
ten branches of the handlers of specified messages (`covering`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import pytest

from mesos_ref.link import Kill
from mesos_ref.master import offers
from mesos_ref.master.core import MasterCore
from mesos_ref.master.events import Event
from mesos_ref.master.state import State
from mesos_ref.step import SendFrame, Step
from mesos_spec.bounds import Bounds
from mesos_spec.models import named
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.whole import WHOLE
from model_tests.paths.afterwards import left_alone, told_again
from model_tests.paths.agents import Agents
from model_tests.paths.choosing import Path, paths
from model_tests.paths.covering import Branch, Measuring, handlers
from model_tests.paths.masters import Masters, configured
from model_tests.paths.players import Left, Parted, Players
from model_tests.paths.schedulers import Schedulers

PLAYERS: dict[str, Callable[[Path], Players]] = {
    "master": lambda path: Masters(config=configured(path)),
    "agent": lambda path: Agents(path=path),
    "scheduler": lambda path: Schedulers(),
}

QUICK = (
    *("kills", "updates", "restarts", "restarts-without-checkpoints", "burials", "strangers"),
    *("late-answers", "removal-by-operator", "forgotten", "forgotten-framework", "peers"),
    *("again-at-once", "calls-to-nobody", "election", "unfit-with-work", "unknown-schedulers"),
    "word-of-an-executor",
    *("reuse-at-once", "late-calls", "deposed-with-executors", "accepts", "offers", "executors"),
)
MORE = (
    *("filters", "together", "overtaking", "messages", "fleet"),
    *("lost-and-found", "misfits", "replacements", "removal-in-flight", "asked-early", "roles"),
    *("forgotten-before-it-ended", "three-reigns", "names-of-their-own", "acknowledged"),
    *("dead-before-it-said-so", "reconciliation"),
    *("failover", "succession", "deposed", "resent-between-links", "offered-in-the-end"),
    *("answered-in-the-end", "subscribed-in-the-end"),
)

#: Why the real cores cannot follow a path of the model's: each is a freedom the models have.
REASONS = {
    "no timer leads there: offer": "a master offers all that is free, and to whom DRF says",
    "it is over": "a library that is torn down, or told that it is another's turn, ends",
}


Measured = AbstractContextManager[None]


@dataclass
class Walked:
    """What came of the paths of a model."""

    paths: int = 0
    followed: int = 0  #: steps
    again: int = 0  #: events that were over, and told again
    left: Counter[str] = field(default_factory=Counter)


def walk(by: str, model: str, measured: Callable[[], Measured] = nullcontext) -> Walked:
    """Walk all paths of a party's; fails where the core parts from one, or is judged wrong."""
    walked = Walked()
    for path in paths(named(model), by):
        with measured():
            players = PLAYERS[by](path)
            try:
                for s, step in path:
                    players.follow(s, step)
            except Left as why:
                walked.left[str(why)] += 1
            except Parted as parted:
                taken = "\n  ".join(f"{step.action} {dict(step.bound)}" for _, step in path)
                raise AssertionError(f"{parted}\nalong {model}:\n  {taken}") from None
            walked.again += told_again(players)
            left_alone(players)
        verdict = judge(players.traces(), WHOLE, Bounds())
        assert not verdict.violations, f"{model}: {verdict.text()}"
        with measured():
            walked.again += told_again(players)
        walked.paths += 1
        walked.followed += players.followed
    return walked


def cases(models: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each party in each model."""
    return [(by, model) for model in models for by in PLAYERS]


#: How many paths of a party's are left in a model; all others are walked to their ends.
LEFT = {
    ("master", "accepts"): 17,  # in these four, offers are of parts of what is free
    ("master", "filters"): 26,
    ("master", "offers"): 12,
    ("master", "offered-in-the-end"): 3,
    ("master", "together"): 27,
    ("scheduler", "late-answers"): 1,
    ("scheduler", "misfits"): 2,
}


#: Branches of handlers, of all that is walked here, but where something is wrong on purpose.
MEASURING = Measuring()


@cache
def walked(by: str, model: str) -> Walked:
    """The paths of a party in a model, walked once, and measured while the party does something."""
    return walk(by, model, MEASURING.on)


def is_well(all_of_it: Walked, by: str, model: str) -> None:
    """Nothing was left but what may be, and something was done."""
    assert set(all_of_it.left) <= set(REASONS), all_of_it.left
    assert all_of_it.left.total() == LEFT.get((by, model), 0)
    if all_of_it.paths:
        assert all_of_it.followed > all_of_it.paths, "each has a step of the party's, and more"
        assert all_of_it.again > all_of_it.paths, "and something that is over"


@pytest.mark.parametrize(("by", "model"), cases(QUICK))
def test_a_core_does_what_the_path_has_it_do(by: str, model: str) -> None:
    is_well(walked(by, model), by, model)


@pytest.mark.nightly
@pytest.mark.parametrize(("by", "model"), cases(MORE))
def test_a_core_does_what_the_path_has_it_do_in_larger_models(by: str, model: str) -> None:
    is_well(walked(by, model), by, model)


# ---- what that exercises -----------------------------------------------------------------------
def measured(models: tuple[str, ...]) -> tuple[set[Branch], set[Branch]]:
    """The branches of handlers that the paths of some models take, and the others."""
    for by, model in cases(models):
        walked(by, model)
    return MEASURING.branches()


@pytest.mark.slow
def test_the_paths_take_nine_of_ten_branches_of_the_handlers() -> None:
    taken, missed = measured(QUICK)
    assert len(taken) >= handlers().at_least * len(taken | missed)
    assert handlers().at_least >= 0.9
    assert handlers().uncovered.keys() <= missed, "it is there, and no path takes it"


@pytest.mark.nightly
def test_each_branch_that_no_path_takes_has_a_reason() -> None:
    taken, missed = measured(QUICK + MORE)
    assert missed == handlers().uncovered.keys()
    assert (len(taken), len(taken | missed)) == (handlers().taken, handlers().of)


# ---- it can fail -------------------------------------------------------------------------------
def test_a_core_that_does_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that takes a KILL for one of nobody's."""
    right = MasterCore.handle

    def wrong(core: MasterCore, event: Event, now_us: int) -> Step:
        step = right(core, event, now_us)
        did = tuple(("answer_kill", {"settled": True}) if d[0] == "kill" else d for d in step.did)
        return Step(step.effects, did)

    monkeypatch.setattr(MasterCore, "handle", wrong)
    with pytest.raises(AssertionError, match=r"answer_kill\(.*instead of kill"):
        walk("master", "kills")


def test_a_core_that_says_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that does what it should, and passes no kill on: that is the judge's to see."""
    right = MasterCore.handle

    def wrong(core: MasterCore, event: Event, now_us: int) -> Step:
        step = right(core, event, now_us)
        kept = tuple(
            one
            for one in step.effects
            if not (isinstance(one, SendFrame) and isinstance(one.frame, Kill))
        )
        return Step(kept, step.did)

    monkeypatch.setattr(MasterCore, "handle", wrong)
    with pytest.raises(AssertionError, match="party     master"):
        walk("master", "kills")


def test_a_master_that_makes_no_offers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All paths are left then, with a reason that is one elsewhere: so they are counted."""

    def nothing(m: State, at_most: int) -> None:
        m.allocation_us = None

    monkeypatch.setattr(offers, "allocate", nothing)
    monkeypatch.setattr("model_tests.paths.masters.violations", lambda core: [])
    with pytest.raises(AssertionError, match="== 0"):
        is_well(walk("master", "kills"), "master", "kills")
