"""`mesos-chaos run`: which runs are asked for, what is kept of them, and what is told to whom."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.cli.run import runs_of
from mesos_chaos.live.world import harness_errors
from mesos_chaos.plan import PlanError, load_scenario, shipped
from mesos_chaos.search import breaking
from mesos_chaos.sim.run import simulate
from mesos_ref.cluster.cluster import ClusterError
from mesos_ref.master import core
from mesos_ref.master.events import Tick
from mesos_spec.__main__ import main as spec
from mesos_spec.tools.judging.trace import read_traces

TOO_MUCH = """\
title = "More than there is"
why = "A task that no agent can hold is never done."
[cluster]
agents = 1
[[workload]]
name = "huge"
items = 1
cpus = 100.0
[expect]
settles_within_s = 3
"""

UNSEEN = TOO_MUCH.replace("cpus = 100.0", "").replace(
    "[expect]", '[expect]\nmust_see = ["rescind"]'
)


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In an empty folder, and in no workflow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def _asked(tier: int, *scenarios: str) -> list[str]:
    args = argparse.Namespace(scenario=list(scenarios), tier=tier, seed=None, seeds=None)
    return [name for name, _ in runs_of(args)]


def test_without_a_name_all_of_the_tier_are_run() -> None:
    real = [name for name in shipped() if 3 in load_scenario(name)[1].tiers]
    assert _asked(3) == real
    assert set(real) < set(_asked(1))


def test_one_that_is_only_simulated_is_not_run_for_real() -> None:
    with pytest.raises(PlanError, match="little_memory is for tier 1 only, not 3: use --tier"):
        _asked(3, "little_memory")
    assert _asked(1, "little_memory") == ["little_memory"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--tier", "1", "--goal", "true"], "--framework and --goal are for tier 3"),
        (["--tier", "1", "--jobs", "0"], "--jobs 0 runs nothing"),
        (["--tier", "1", "--sarif", "no/x.sarif"], "--sarif no/x.sarif: there is no folder no"),
        (["--tier", "1", "--junit", "."], "--junit .: that is a folder"),
        (["--tier", "1", "--seeds", "5-3"], "'5-3' names no seed"),
        (["--tier", "1", "--hold"], "--hold is for one run of tier 3"),
    ],
)
def test_a_wrong_use_is_told_before_anything_is_run(
    wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "agent_killed", *wrong]) == 5
    assert says in capsys.readouterr().err
    assert not Path("runs").exists()


# ---- what is kept ------------------------------------------------------------------------------
def test_quiet_is_silent_and_leaves_nothing_where_all_is_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "agent_killed", "--tier", "1", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert not Path("runs").exists()


@pytest.mark.parametrize("tier", ["1", "2"])
def test_a_simulated_run_is_kept_like_a_real_one(
    tier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "agent_killed", "--tier", tier, "--keep", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    folder = Path(facts["folder"])
    assert folder == Path(f"runs/agent_killed/0-tier{tier}").absolute()
    assert folder == Path("runs/latest").resolve()
    names = {"plan.toml", "report.html", "report.json", "report.txt", "trace"}
    assert {path.name for path in folder.iterdir()} == names
    assert json.loads((folder / "report.json").read_text())["verdict"] == facts["verdict"]
    assert spec(["trace", str(folder / "trace"), "--json"]) == 0
    offline = json.loads(capsys.readouterr().out)
    assert offline["records"] == facts["verdict"]["records"]
    assert offline["actions"] == facts["verdict"]["actions"]
    (harness,) = [t for t in read_traces([folder / "trace"]) if t.header.role == "harness"]
    (fault,) = harness.records
    assert fault.fault == {"kind": "kill", "target": "a1"}
    assert 0 < (fault.wall or 0) - (harness.header.wall or 0) < 60
    assert (folder / "report.html").read_text().count("<rect class=fault") == 1
    assert main(["run", str(folder / "plan.toml"), "--tier", tier, "--quiet"]) == 0


def test_what_is_wrong_is_kept_and_told_to_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    Path("too_much.toml").write_text(TOO_MUCH)
    files = ["--junit", "x.xml", "--sarif", "x.sarif", "--github"]
    assert main(["run", "too_much.toml", "--tier", "1", *files]) == 3
    said = capsys.readouterr().out
    assert "DOES NOT SETTLE  too_much seed=0" in said
    assert "the_work_gets_done::too_much seed=0: huge: " in said
    assert Path("runs/too_much/0-tier1/report.txt").read_text().startswith("More than there is\n")
    (result,) = _results("x.sarif")
    assert (result["ruleId"], result["level"]) == ("the_work_gets_done", "error")
    again = next(line for line in said.splitlines() if line.startswith("again: mesos-chaos "))
    assert main([*again.split()[2:], "--quiet"]) == 3, "what it says to type can be typed"
    suite = ElementTree.parse("x.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_a_core_that_raises_is_told_like_anything_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(*given: object) -> None:
        raise KeyError("nobody")

    monkeypatch.setattr("mesos_ref.master.core._tick", raises)
    monkeypatch.setitem(core._HEAR, Tick, raises)
    words = ["run", "agent_killed", "--tier", "1", "--sarif", "x.sarif", "--junit", "x.xml"]
    assert main(words) == 5, "what is raised here is raised in this file, and that is no product's"
    assert "HARNESS FAILED  agent_killed seed=0: KeyError: 'nobody'" in capsys.readouterr().out
    (result,) = _results("x.sarif")
    assert result["ruleId"] == "the_run_is_carried_out"
    assert ElementTree.parse("x.xml").getroot().get("errors") == "1"
    assert Path("runs/agent_killed/0-tier1/plan.toml").exists()


def test_what_proves_nothing_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Path("unseen.toml").write_text(UNSEEN)
    assert main(["run", "unseen.toml", "--tier", "1", "--sarif", "x.sarif", "--quiet"]) == 2
    assert "never seen, so nothing is proved of: rescind" in capsys.readouterr().out
    assert [one["level"] for one in _results("x.sarif")] == ["warning"]


def _results(path: str) -> list[dict[str, Any]]:
    (run,) = json.loads(Path(path).read_text())["runs"]
    assert run["tool"]["driver"]["name"] == "mesos-chaos"
    for result in run["results"]:
        assert result["locations"], "GitHub refuses all of a log with a result that has no place"
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["fullDescription"]["text"]
    found: list[dict[str, Any]] = run["results"]
    return found


PLANTED = """
import sys
from mesos_chaos.mutants import find_mutant
from mesos_chaos.mutants.planting import plant
plant(find_mutant(sys.argv[1]))
from mesos_chaos.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_a_violation_is_found_again_in_what_was_kept() -> None:
    words = ["run", "kills_in_the_dark", "--tier", "1", "--sarif", "x.sarif", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, "kill_of_unknown_is_dropped", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 4), done.stderr
    facts = json.loads(done.stdout)
    (violation,) = facts["verdict"]["violations"]
    (result,) = _results("x.sarif")
    where = result["locations"][0]["physicalLocation"]
    place = f"{where['artifactLocation']['uri']}:{where['region']['startLine']}"
    assert place == f"file://{violation['place']}"
    path, _, line = violation["place"].rpartition(":")
    record = json.loads(Path(path).read_text().splitlines()[int(line) - 1])
    assert record["seq"] == violation["seq"]
    assert spec(["why", violation["place"]]) == done.returncode


def test_runs_side_by_side_tell_the_same_in_the_same_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "agent_killed", "--tier", "1", "--seeds", "0-2"]
    assert main(words) == 0
    alone = capsys.readouterr().out
    command = [sys.executable, "-m", "mesos_chaos", *words, "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == alone
    assert alone.count("CONFORMS") == 3


# ---- what the harness says of itself -----------------------------------------------------------
def test_a_failure_of_the_cluster_is_told_bare() -> None:
    """Nurseries wrap what is raised in them; who catches it wants the one thing that went wrong."""
    with pytest.raises(ClusterError, match="no port"), harness_errors():
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [ClusterError("no port")])])
    with pytest.raises(ExceptionGroup), harness_errors():
        raise ExceptionGroup("two", [ClusterError("no port"), ValueError("and a bug")])


def test_a_shell_that_crashes_is_no_run_that_does_not_settle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, cluster = simulate(load_scenario("agent_killed")[1])
    crashed = SimpleNamespace(crashes=["master m1 failed: KeyError('x')"])
    monkeypatch.setattr(breaking, "_simulated", lambda *given: (result, crashed))
    broken = breaking.run_plan(load_scenario("agent_killed")[1], tier=2).broken
    assert broken is not None
    assert (broken.kind, broken.says) == (breaking.Catch.RAISED, crashed.crashes[0])
    assert cluster.late == []
