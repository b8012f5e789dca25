"""Campaigns in every tier: what each draws, finds, makes small and keeps is its own."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.plan import Cluster, Expect, Plan, Workload, load_scenario
from mesos_chaos.search import campaign as campaigns
from mesos_chaos.search import keeping, real
from mesos_chaos.search.breaking import Broken, Catch, run_plan
from mesos_chaos.search.campaign import Campaign
from mesos_chaos.search.coverage import Marking
from mesos_chaos.search.drawing import OF_TIERS as TASTES
from mesos_chaos.search.keeping import Entry, parse_entry
from mesos_chaos.search.portfolio import OF_TIERS, Strategy, draw
from mesos_chaos.search.workers import Here
from mesos_ref.master.effects import SendEvent
from mesos_ref.master.shell import MasterShell
from mesos_spec.tools.judging.trace import TraceError

#: More than there is: it never settles.
TOO_MUCH = Plan(
    cluster=Cluster(masters=1, agents=1),
    workload=[Workload(name="huge", items=1, cpus=100.0)],
    expect=Expect(settles_within_s=3),
)


# ---- drawing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", [2, 3])
def test_what_a_tier_has_not_is_not_drawn_for_it(tier: int) -> None:
    pool = [draw(Strategy.RANDOM, f"{n}", taste=TASTES[tier]) for n in range(3)]
    drawn = [draw(s, f"{n}", pool, TASTES[tier]) for s in OF_TIERS[tier] for n in range(60)]
    for plan in drawn:
        cluster = plan.cluster
        assert (cluster.foreign, cluster.misfits, cluster.held_back, cluster.uneven) == (0,) * 3 + (
            False,
        )
        for work in plan.workload:
            assert (work.executor, work.rivals, work.stillborn) == ("command", 0, 0)
            assert not work.unruly
    assert any(len(plan.workload) == 2 for plan in drawn)
    assert any(plan.cluster.timers for plan in drawn)
    assert max(len(plan.fault) for plan in drawn) >= 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--tier", "2", "--strategy", "hold-back"], "is for --tier 1"),
        (["--tier", "3", "--jobs", "2"], "one plan at a time"),
        (["--tier", "3", "--dask", "tcp://127.0.0.1:1"], "one plan at a time"),
        (["--tier", "3", "--mutant", "old_leader_is_obeyed"], "hunts mutants there"),
    ],
)
def test_what_does_not_go_together_is_told(
    words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", *words]) == 5
    assert why in capsys.readouterr().err


# ---- tier 2 ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_campaign_in_virtual_time_conforms() -> None:
    report = Campaign(Here(), seed="v", strategies=OF_TIERS[2], tier=2).run(runs=12)
    assert report.exit_code == 0, [found.text() for found in report.found.values()]
    assert [tally.runs for tally in report.tallies.values()] == [10, 2, 0]
    assert len(report.coverage.marks) > 300


def test_what_a_shell_does_wrong_is_found_made_small_and_kept_in_its_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A master's shell that says everything twice: there are no shells in tier 1."""
    perform = MasterShell._perform

    def twice(self: MasterShell, effects: Any) -> None:
        perform(self, [e for one in effects for e in [one] * (1 + isinstance(one, SendEvent))])

    monkeypatch.setattr(MasterShell, "_perform", twice)
    words = ["--runs", "2", "--strategy", "random", "--json", "--dir", str(tmp_path)]
    assert main(["search", "--tier", "1", *words]) == 0
    assert json.loads(capsys.readouterr().out)["found"] == []
    assert main(["search", "--tier", "2", *words]) in (1, 4)
    [found] = json.loads(capsys.readouterr().out)["found"]
    assert found["size"] == {"faults": 0, "items": 1, "processes": 3}
    entry = parse_entry(Path(found["files"]["corpus"]).read_text(), "it")
    assert (entry.tier, entry.breaks) == (2, found["property"])
    assert load_scenario(found["files"]["scenario"])[1].tiers == (2,)
    assert "tier=2)" in Path(found["files"]["test"]).read_text()
    with pytest.raises(AssertionError, match="violation: "):
        keeping.must_be_well(entry.plan.model_dump_json(), tier=2)

    assert main(["shrink", found["files"]["corpus"], "--dir", str(tmp_path / "again")]) in (1, 4)
    said = capsys.readouterr().out
    assert f"again: mesos-chaos run {tmp_path}/again/{entry.id}.toml --tier 2" in said
    assert main(["shrink", found["files"]["corpus"], "--tier", "1"]) == 0
    monkeypatch.undo()
    keeping.must_be_well(entry.plan.model_dump_json(), tier=2)


def test_an_entry_knows_its_tier_and_old_ones_are_of_the_first() -> None:
    broken = Broken(Catch.LEAK, "leak: of offer 1", "evidence")
    first, second = (keeping.entry(TOO_MUCH, broken, tier=tier) for tier in (1, 2))
    assert (first.tier, second.tier) == (1, 2)
    assert first.id != second.id
    assert '"tier"' not in keeping.entry_text(first)
    assert parse_entry(keeping.entry_text(second), "it") == second
    assert isinstance(parse_entry(keeping.entry_text(first), "it"), Entry)


# ---- tier 3 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tier", "runs"), [(1, 10), (3, 1)])
def test_a_batch_on_real_processes_is_over_by_the_clock(
    tier: int, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these runs takes five seconds, in which this process does nothing."""
    now = [0.0]
    clocks = SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: 0.0)

    def run(plan: Plan, tier: int) -> None:
        now[0] += 5.0

    monkeypatch.setattr(campaigns, "time", clocks)
    monkeypatch.setattr(campaigns, "_run", run)
    batch = campaigns.Batch(Strategy.RANDOM, "0", 0, campaigns.BATCH_RUNS, tier=tier)
    assert len(campaigns.work(batch)) == runs


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.needs("linux")
def test_a_campaign_on_real_processes_conforms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--tier", "3", "--runs", "2", "--strategy", "random", "--json"]
    assert main(["search", *words, "--dir", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["strategies"]["random"]["runs"] == said["coverage"]["runs"] == 2
    assert said["coverage"]["actions"] > 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.needs("linux")
def test_what_breaks_on_real_processes_is_made_small_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With three runs to shrink it in: they take seconds each."""
    two = TOO_MUCH.model_copy(update={"cluster": Cluster(masters=2, agents=1)})
    monkeypatch.setattr(campaigns, "draw", lambda *given: two)
    monkeypatch.setitem(campaigns.SHRINK_RUNS, 3, 3)
    words = ["--tier", "3", "--runs", "1", "--strategy", "random", "--json"]
    assert main(["search", *words, "--dir", str(tmp_path)]) == 3
    [found] = json.loads(capsys.readouterr().out)["found"]
    assert found["property"] == "does not settle"
    assert found["size"]["processes"] == 3
    entry = parse_entry(Path(found["files"]["corpus"]).read_text(), "it")
    assert (entry.tier, entry.breaks, entry.kind) == (3, found["property"], "unsettled")


@pytest.mark.live
@pytest.mark.needs("linux")
def test_a_trace_that_is_none_is_what_a_real_run_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    def garbled(folders: list[Path]) -> list[Any]:
        raise TraceError(f"{folders[0]}: line 1: it is no record")

    good = TOO_MUCH.model_copy(update={"workload": [Workload(name="small", items=1)]})
    marking = Marking()
    assert run_plan(good, listener=marking, tier=3).broken is None
    assert marking.marks["action", "master.accept"] == 1
    monkeypatch.setattr(real, "read_traces", garbled)
    broken = run_plan(good, tier=3).broken
    assert broken is not None
    assert (broken.kind, broken.says) == (Catch.GARBLED, "garbled: line 1: it is no record")
