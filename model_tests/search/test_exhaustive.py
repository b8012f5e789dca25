"""Every fault at every site of a small cluster: all of them run, and nothing breaks.

`make test` runs every twentieth single fault of one task, `make bulk` all of them (a CPU minute);
the nightly tests those of an executor with two tasks; and `make nightly` all pairs of faults that
lose something.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Literal

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.plan import Fault, FaultKind, Plan
from mesos_chaos.search import exhaustive, resuming
from mesos_chaos.search.breaking import Broken, Catch, Ran, run_plan
from mesos_chaos.search.exhaustive import SMALL, SMALL_CUSTOM, Counts, exhaust, pairs, singles
from mesos_chaos.search.resuming import Result, ResumeError
from mesos_chaos.search.workers import Here


def all_well(counts: Counts) -> None:
    """All was run, mostly with the faults striking, and nothing is broken."""
    assert counts.finished
    assert counts.broken == {}
    assert counts.struck > 0.9 * counts.runs


def test_a_single_fault_conforms_and_settles() -> None:
    some = singles(SMALL)[::20]
    assert {plan.fault[0].kind for plan in some} == set(FaultKind)
    broken = [(plan, ran.broken) for plan in some if (ran := run_plan(plan)).broken is not None]
    assert not broken, f"{len(broken)}, the first: {broken[0]}"


@pytest.mark.bulk
def test_every_single_fault_at_every_site_conforms_and_settles() -> None:
    counts = exhaust(SMALL, Here())
    assert counts.planned >= 900
    all_well(counts)


@pytest.mark.nightly
def test_every_single_fault_with_an_executor_of_its_own() -> None:
    all_well(exhaust(SMALL_CUSTOM, Here()))


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


def test_a_leader_that_dies_of_its_election_is_followed_by_another() -> None:
    """It was told of as the leader when there was none any more: the harness raised."""
    moments: tuple[Literal["unkept", "unsent", "after"], ...] = ("unkept", "unsent", "after")
    for moment in moments:
        first = Fault(kind=FaultKind.KILL, target="leader", after="master.accept#1", moment="after")
        then = Fault(kind=FaultKind.KILL, target="leader", after="master.lead#2", moment=moment)
        ran = run_plan(SMALL.model_copy(update={"fault": [first, then]}))
        assert ran.broken is None
        assert ran.cluster is not None
        assert ran.cluster.judge.seen["master.lead"] >= 3 - (moment == "unkept")


def test_what_breaks_is_counted_by_property(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Broken(Catch.LEAK, "leak: of offer 1", "")

    def run(plan: Plan) -> Result:
        return True, odd if plan.fault[0].kind is FaultKind.DEPOSE else None, ""

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


# ---- what was run is not run again -------------------------------------------------------------


def test_another_process_goes_on_where_one_was_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file ends in the middle of a line."""
    ran: list[Plan] = []
    odd = Broken(Catch.LEAK, "leak: of offer 1", "", exit_code=1)

    def run(plan: Plan) -> Result:
        ran.append(plan)
        return True, odd if len(ran) == 30 else None, ""

    monkeypatch.setattr(exhaustive, "_run", run)
    file = tmp_path / "some" / "runs.ndjson"
    first = exhaust(SMALL, Here(), most=100, time_s=0.0, kept=file)
    assert (first.runs, first.resumed) == (0, 0)
    half = exhaust(SMALL, Here(), most=100, kept=file)
    assert (half.runs, half.resumed, len(ran)) == (100, 0, 100)
    file.write_text(file.read_text()[:-40])
    again = exhaust(SMALL, Here(), most=100, kept=file)
    assert (again.runs, again.resumed, len(ran)) == (100, 75, 125)
    assert [(broken, times) for _, broken, times in again.broken.values()] == [(odd, 1)]
    whole = exhaust(SMALL, Here(), most=100, kept=file)
    assert (whole.runs, whole.resumed, len(ran)) == (100, 100, 125)
    file.write_text(file.read_text()[:30])  # ended before it had said of what it is
    anew = exhaust(SMALL, Here(), most=100, kept=file)
    assert (anew.runs, anew.resumed, len(ran)) == (100, 0, 225)
    file.write_text("something else")
    with pytest.raises(ResumeError, match="holds no runs to go on from"):
        exhaust(SMALL, Here(), most=100, kept=file)
    assert file.read_text() == "something else"


def test_what_is_of_other_plans_or_other_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exhaustive, "_run", lambda plan: (True, None, ""))
    file = tmp_path / "runs.ndjson"
    words = ["exhaust", "--resume", str(file), "--json"]
    assert main([*words, "--runs", "30"]) == 2
    assert main([*words, "--runs", "60"]) == 5
    assert "is of other plans, or of other code" in capsys.readouterr().err
    monkeypatch.setattr(resuming, "PACKAGES", ("mesos_ref",))
    assert main([*words, "--runs", "30"]) == 5
    file.write_text("no JSON\n")
    assert main([*words, "--runs", "30"]) == 5
    assert "holds no runs to go on from" in capsys.readouterr().err


def test_a_failure_of_the_harness_is_counted_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(plan: Plan, limit_s: float) -> Ran:
        if plan.fault[0].kind is FaultKind.DEPOSE:
            raise ZeroDivisionError("of the harness")
        return Ran(None)

    sites = exhaustive.sites_of(SMALL)
    monkeypatch.setattr(exhaustive, "sites_of", lambda plan: sites[:2])
    monkeypatch.setattr(exhaustive, "run_plan", run)
    assert main(["exhaust"]) == 5
    said = capsys.readouterr().out
    assert said.count("HARNESS FAILED (1 times): ZeroDivisionError: of the harness, with {") == 2
    assert "all of them run" in said
