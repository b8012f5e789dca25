"""Every fault at every site of a small cluster: all of them run, and nothing breaks.

CI runs all single faults of one task (a CPU minute); the nightly tests those of an executor with
two tasks, and all pairs of faults that lose something.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.plan import FaultKind, Plan
from mesos_chaos.search import exhaustive
from mesos_chaos.search.breaking import Broken, Catch
from mesos_chaos.search.exhaustive import SMALL, SMALL_CUSTOM, Counts, exhaust, pairs, singles
from mesos_chaos.search.workers import Here, processes


def all_well(counts: Counts) -> None:
    """All was run, mostly with the faults striking, and nothing is broken."""
    assert counts.finished
    assert counts.broken == {}
    assert counts.struck > 0.9 * counts.runs


@pytest.mark.slow
def test_every_single_fault_at_every_site_conforms_and_settles() -> None:
    counts = exhaust(SMALL, Here())
    assert counts.planned >= 900
    all_well(counts)


@pytest.mark.nightly
def test_every_single_fault_with_an_executor_of_its_own() -> None:
    all_well(exhaust(SMALL_CUSTOM, Here()))


@pytest.mark.nightly
def test_every_pair_of_faults_conforms_and_settles() -> None:
    with processes(2) as executor:
        counts = exhaust(SMALL, executor, in_pairs=True)
    assert counts.planned >= 10_000
    all_well(counts)


def test_all_kinds_of_fault_strike_at_sites_of_all_parties() -> None:
    plans = singles(SMALL)
    faults = [one for plan in plans for one in plan.fault]
    assert len(plans) == len({one.model_dump_json() for one in plans})
    assert {one.kind for one in faults} == set(FaultKind)
    parties = Counter((one.after or "").partition(".")[0] for one in faults)
    assert {party for party, many in parties.items() if many > 100} == {
        "agent", "master", "scheduler"
    }  # fmt: skip
    moments = Counter(one.moment for one in faults)
    assert (
        moments["unkept"]
        == moments["unsent"]
        == len(plans) / len(faults) * len({one.after for one in faults})
    )


def test_a_second_fault_also_strikes_where_only_the_first_leads() -> None:
    """No pair comes twice, and those after a restart are among them."""
    some = list(islice(pairs(SMALL), 600))
    assert len(some) == len({one.model_dump_json() for one in some})
    assert all(len(one.fault) == 2 for one in some)
    known = set(exhaustive.sites_of(SMALL))
    assert {one.fault[1].after for one in some} - known >= {"agent.register#2"}


def test_what_breaks_is_counted_by_property(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Broken(Catch.LEAK, "leak: of offer 1", "")

    def run(plan: Plan) -> tuple[bool, Broken | None]:
        return True, odd if plan.fault[0].kind is FaultKind.DEPOSE else None

    monkeypatch.setattr(exhaustive, "_run", run)
    counts = exhaust(SMALL, Here())
    [(plan, broken, times)] = counts.broken.values()
    assert (broken, times) == (odd, counts.sites)
    assert plan.fault[0].kind is FaultKind.DEPOSE


def test_the_command_says_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exhaust", "--runs", "12", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["runs"], said["broken"]) == (12, [])
    assert said["planned"] > 900
    assert main(["exhaust", "--plan", "nonesuch"]) == 5
    assert "nonesuch" in capsys.readouterr().err
