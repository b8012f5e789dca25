"""Campaigns: drawn plans conform; coverage grows; what breaks is found once, made small, kept."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_chaos.__main__ import main
from mesos_chaos.cli.search import seconds
from mesos_chaos.plan import Plan
from mesos_chaos.search import campaign as campaigns
from mesos_chaos.search.breaking import Broken, Catch, run_plan
from mesos_chaos.search.campaign import Batch, Campaign, Found, Run, work
from mesos_chaos.search.coverage import Coverage, Marking
from mesos_chaos.search.dice import Seeded
from mesos_chaos.search.portfolio import Strategy, draw, swarm
from mesos_chaos.search.workers import Here
from mesos_chaos.sim.loop import Loop
from mesos_chaos.sim.network import MESSAGES, End, Network

# ---- drawing -----------------------------------------------------------------------------------


@given(st.sampled_from(Strategy), st.integers(0, 10_000))
def test_a_plan_follows_from_its_seed(strategy: Strategy, number: int) -> None:
    pool = [draw(Strategy.RANDOM, f"{n}") for n in range(3)]
    plan = draw(strategy, f"s/{number}", pool)
    assert draw(strategy, f"s/{number}", pool) == plan
    assert Plan.model_validate_json(plan.model_dump_json(exclude_defaults=True)) == plan


def test_each_strategy_draws_what_it_is_for() -> None:
    drawn = {one: [draw(one, f"{n}") for n in range(60)] for one in Strategy}
    assert all(plan.cluster.held_back for plan in drawn[Strategy.HOLD_BACK])
    assert all(len(plan.fault) <= 2 for plan in drawn[Strategy.HOLD_BACK])
    tastes = [swarm(Seeded(f"{n}")) for n in range(60)]
    assert len({taste.kinds for taste in tastes}) > 10
    of_one_kind = [p for p in drawn[Strategy.SWARM] if len({f.kind for f in p.fault}) == 1]
    assert len(of_one_kind) > 10
    parent = drawn[Strategy.RANDOM][0]
    for number in range(30):
        child = draw(Strategy.NOVELTY, f"{number}", [parent])
        said, was = child.model_dump(), parent.model_dump()
        assert sum(said[key] != was[key] for key in was) <= 1


def test_messages_are_held_back_and_what_follows_them_waits() -> None:
    """The order of each connection is kept."""
    late = 0
    for seed in range(20):
        loop = Loop(seed)
        ends: tuple[End[int], End[int]] = Network(loop, held_back=10).connect("a", "b")
        near, far = ends
        heard: list[tuple[int, int]] = []

        def hear(n: int, heard: list[tuple[int, int]] = heard, loop: Loop = loop) -> None:
            heard.append((n, loop.now_us))

        far.hear = hear
        for n in range(MESSAGES // 10):
            loop.at(n * 10_000, lambda n=n, near=near: near.send(n))  # type: ignore[misc]
        loop.run(10_000_000)
        assert [n for n, _ in heard] == list(range(MESSAGES // 10))
        late += sum(at > n * 10_000 + 4_000 for n, at in heard)
    assert late > 100


# ---- coverage ----------------------------------------------------------------------------------


def test_what_a_run_did_is_marked() -> None:
    marking = Marking()
    ran = run_plan(draw(Strategy.RANDOM, "3"), listener=marking)
    assert ran.broken is None
    assert marking.marks["action", "master.lead"] >= 1
    kinds = {kind for kind, _ in marking.marks}
    assert kinds == {"action", "pair", "fault", "shape"}
    shapes = [text for kind, text in marking.marks if kind == "shape"]
    assert any("tasks(" in text and "TASK_" in text for text in shapes)
    assert not [text for text in shapes if re.search(r"[3-9]|\d\d|[a-z]\d", text)]


def test_coverage_counts_what_is_new_and_draws_its_curve() -> None:
    cover = Coverage()
    assert cover.add([("action", "master.lead"), ("shape", "a")]) == 2
    assert cover.add([("action", "master.lead"), ("shape", "b")]) == 1
    assert cover.add([("action", "master.lead"), ("shape", "b")]) == 0
    assert cover.curve == [(1, 2), (2, 3)]
    assert [cover.known_after(runs) for runs in (0, 1, 2, 9)] == [0, 2, 3, 3]
    assert cover.chance_of_new == pytest.approx(1 / 3)
    assert "lead" not in cover.never()
    assert "admit" in cover.never()
    assert "curve   1: 2, 2: 3, 3: 3" in cover.text()


# ---- campaigns ---------------------------------------------------------------------------------


def test_a_campaign_runs_exactly_what_it_is_told_and_conforms() -> None:
    both = [Strategy.SWARM, Strategy.HOLD_BACK]
    report = Campaign(Here(), seed="t", strategies=both).run(runs=12)
    assert report.exit_code == 0, [found.text() for found in report.found.values()]
    assert {s: t.runs for s, t in report.tallies.items()} == {both[0]: 10, both[1]: 2}
    assert len(report.coverage.marks) > 300
    again = Campaign(Here(), seed="t", strategies=both).run(runs=12)
    assert again.coverage.marks == report.coverage.marks


def test_a_batch_can_travel() -> None:
    batch = Batch(Strategy.RANDOM, "t", 0, 2)
    assert [r.marks for r in pickle.loads(pickle.dumps(work(batch)))] == [
        r.marks for r in work(batch)
    ]


ODD = Broken(Catch.LEAK, "leak: of offer 1", "evidence", exit_code=1)


def test_what_breaks_is_made_small_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second plan breaks the same, one harness failure is told, and the pool grows."""
    numbers = iter(range(1000))

    def run(plan: Plan, tier: int) -> Run:
        n = next(numbers)
        marks = frozenset({("shape", f"{n // 3}")})
        text = plan.model_dump_json(exclude_defaults=True)
        return Run(text, marks, ODD if n % 2 else None, 0.1, "KeyError: 'x'" if n == 4 else "")

    monkeypatch.setattr(campaigns, "_run", run)
    monkeypatch.setattr(campaigns, "what_broke", lambda plan, limit_s, tier: ODD)
    kept: list[Found] = []
    report = Campaign(Here(), kept=kept.append).run(runs=40)
    [found] = report.found.values()
    assert (found.times, report.exit_code) == (20, 5)
    assert kept == [found]
    assert found.small is not None
    assert found.small.plan.fault == []
    assert report.coverage.runs == 39
    assert [*report.harness.values()] == [1]
    assert report.json()["found"][0]["size"] == {"faults": 0, "items": 1, "processes": 3}


def test_the_command_says_what_it_saw(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["search", "--runs", "4", "--json", "--dir", str(tmp_path / "found")]
    assert main([*words, "--strategy", "random"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["strategies"]["random"]["runs"] == said["coverage"]["runs"] == 4
    assert said["found"] == []
    assert not (tmp_path / "found").exists()


@pytest.mark.slow
def test_a_search_finds_a_mutant_and_leaves_three_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesos_chaos", "search", "--runs", "10", "--strategy", "swarm",
         "--mutant", "old_leader_is_obeyed", "--json"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    [found] = [f for f in json.loads(done.stdout)["found"] if "turn_to" in f["property"]]
    assert found["size"]["faults"] == 1
    assert {Path(path).suffix for path in found["files"].values()} == {".toml", ".py", ".json"}
    for path in found["files"].values():
        assert (tmp_path / path).is_file()


def test_times_are_read_and_nonsense_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert [seconds(text) for text in ("90", "60s", "1.5m", "8h")] == [90, 60, 90, 28_800]
    for wrong in ("soon", "-3s", "s", "", "0", "nan"):
        assert main(["search", f"--time={wrong}"]) == 5
        assert "is no time" in capsys.readouterr().err
    assert main(["search", "--mutant", "nonesuch"]) == 5
    assert "no mutant 'nonesuch'" in capsys.readouterr().err
