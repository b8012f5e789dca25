"""The framework contract in simulation: our library keeps it, and who breaks it is named.

A breach is the framework's: the trace conforms all the same (D13).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim import schedulers
from mesos_chaos.sim.run import simulate
from mesos_chaos.sim.schedulers import SimScheduler
from mesos_chaos.sim.users import Items
from mesos_ref.scheduler import events as heard
from mesos_ref.scheduler.core import SchedulerCore
from mesos_spec.framework import ACKNOWLEDGING, ANSWERING, ASKING, CLAUSES
from mesos_spec.tools.judging import contract
from mesos_spec.tools.judging.verdict import Outcome, Verdict

SOON_US = 2_000_000


def judged(name: str) -> Verdict:
    """The verdict on a simulated scenario."""
    return simulate(load_scenario(name)[1])[0].verdict


def names(verdict: Verdict) -> set[str]:
    """The clauses and duties that were broken."""
    return {clause for _, clause in verdict.broken}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frameworks have two seconds for each duty, and users' code is never slow."""
    monkeypatch.setattr(schedulers, "PONDERS", 0.0)
    for duty in (ACKNOWLEDGING, ANSWERING, ASKING):
        monkeypatch.setitem(contract.PATIENCE, duty.within, SOON_US)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", ["leader_killed", "agent_given_up", "two_schedulers_one_id"])
def test_our_library_keeps_the_contract(name: str) -> None:
    verdict = judged(name)
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.taken["acknowledge"] > 0
    assert verdict.taken["reconcile"] > 0 or name == "agent_given_up"
    assert verdict.breaches == []


def forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user never says that he has seen an update, so that none is acknowledged."""
    hear = SimScheduler.hear

    def deaf(self: SimScheduler, event: Any) -> None:
        if not isinstance(event, heard.Seen):
            hear(self, event)

    monkeypatch.setattr(SimScheduler, "hear", deaf)


def repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names each attempt at an item like the one before, and two items alike."""
    fresh = Items.next_attempt

    def again(self: Items, item: int) -> str:
        if item != 1:
            return fresh(self, item)
        self.running[f"{self.workload.name}.0.1"] = item
        return f"{self.workload.name}.0.1"

    monkeypatch.setattr(Items, "next_attempt", again)


def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fail-over it does not ask how its tasks are."""
    monkeypatch.setattr(SchedulerCore, "_start_reconciling", lambda self, now_us: None)


BAD: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    forgets: ACKNOWLEDGING.name,
    repeats: "it_gives_each_task_a_name_of_its_own",
    never_asks: ASKING.name,
}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_a_bad_framework_is_named(
    spoil: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    verdict = judged("leader_killed")
    assert names(verdict) == {BAD[spoil]}
    assert {breach.party for breach in verdict.breaches} == {"framework"}
    assert verdict.violations == [], "what a framework does is no fault of ours"
    assert verdict.exit_code == 0
    said = verdict.text()
    assert f"breaks its contract ({sum(verdict.broken.values())} times: {BAD[spoil]})" in said
    assert json.loads(json.dumps(verdict.json()))["breaches"][0]["clause"] == BAD[spoil]


def test_a_framework_that_does_anything_breaks_the_clauses_and_we_conform() -> None:
    verdict = judged("unruly_framework")
    assert verdict.outcome is Outcome.CONFORMS
    assert names(verdict) >= {
        *("it_uses_offers_that_it_has", "it_gives_each_task_a_name_of_its_own"),
        *("it_acknowledges_what_it_was_told", "it_speaks_on_its_own_stream"),
        "it_names_roles_that_it_has",
    }
    assert names(verdict) <= {clause.name for clause in CLAUSES}
