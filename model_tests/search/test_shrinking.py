"""A plan that breaks something is made small, keeps what it breaks, and can be kept for good."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesos_chaos.__main__ import main
from mesos_chaos.plan import Plan, PlanError, load_scenario, parse_scenario, shipped
from mesos_chaos.search import breaking, keeping
from mesos_chaos.search.breaking import Broken, Catch, HarnessError, what_broke
from mesos_chaos.search.campaign import Batch, work
from mesos_chaos.search.dice import Seeded
from mesos_chaos.search.drawing import draw_plan
from mesos_chaos.search.portfolio import Strategy
from mesos_chaos.search.shrinking import measure, shrink, simpler
from mesos_chaos.search.strategies import plans
from mesos_chaos.writing import scenario_text
from mesos_spec.tools.judging.verdict import Kind, Violation

ODD = Broken(Catch.VIOLATION, "accept is refused: it does not hold that …", "evidence", "accept")
OTHER = Broken(Catch.LEAK, "leak: something else", "evidence")


def drawn(seed: int) -> Plan:
    return draw_plan(Seeded(f"test/{seed}"))


def breaks_if(holds: Callable[[Plan], bool]) -> Callable[[Plan], Broken | None]:
    return lambda plan: ODD if holds(plan) else None


def kills_leader(plan: Plan) -> bool:
    return any(f.kind == "kill" and f.target == "leader" for f in plan.fault)


# ---- shrinking ---------------------------------------------------------------------------------


def test_only_what_matters_is_left() -> None:
    """One fault of eight matters, and three items of the work."""
    begun = 0
    for seed in range(200):
        plan = drawn(seed)
        if not kills_leader(plan) or len(plan.fault) < 4 or plan.workload[0].items < 4:
            continue
        begun += 1
        matters = breaks_if(lambda p: kills_leader(p) and p.workload[0].items >= 3)
        small = shrink(plan, ODD, matters)
        assert small.finished
        assert measure(small.plan) == {"faults": 1, "items": 3, "processes": 3}
        [fault] = small.plan.fault
        assert fault.at_s == 0.0 or fault.after is not None
        assert small.plan.seed == 0
    assert begun >= 5


def test_what_breaks_something_else_is_not_taken() -> None:
    plan = load_scenario("everything_dies")[1]

    def test(p: Plan) -> Broken | None:
        return ODD if len(p.fault) == len(plan.fault) else OTHER

    assert len(shrink(plan, ODD, test).plan.fault) == len(plan.fault)


def test_a_run_that_is_wrong_by_the_harness_is_no_run_that_went_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = breaking._simulated

    def simulated(plan: Plan, *rest: Any) -> Any:
        result, cluster = real(plan, *rest)
        says = "its node's life before has not ended"
        odd = Violation(
            kind=Kind.HARNESS, party="harness", who="m1", place="m1", seq=1, now_us=0, says=says
        )
        result.verdict.violations.append(odd)
        return result, cluster

    monkeypatch.setattr(breaking, "_simulated", simulated)
    plan = load_scenario("agent_killed")[1]
    with pytest.raises(HarnessError, match="life before has not ended"):
        what_broke(plan)
    assert main(["shrink", "agent_killed"]) == 5
    assert "HARNESS FAILED" in capsys.readouterr().err
    assert work(Batch(Strategy.RANDOM, "1", 0, 1))[0].harness.startswith("HarnessError")
    assert shrink(plan, ODD, what_broke, most_runs=1).broken is ODD


def test_the_budget_of_runs_is_kept() -> None:
    runs = 0

    def test(p: Plan) -> Broken | None:
        nonlocal runs
        runs += 1
        return ODD

    small = shrink(load_scenario("unruly_framework")[1], ODD, test, most_runs=3)
    assert (runs, small.runs, small.finished) == (3, 3, False)


@settings(max_examples=30)
@given(plans())
def test_all_that_is_simpler_is_a_plan_and_is_different(plan: Plan) -> None:
    for says, smaller in simpler(plan):
        assert Plan.model_validate(smaller.model_dump()) == smaller, says
        assert smaller != plan, says


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_simplifying_comes_to_an_end(seed: int) -> None:
    """Whatever is simpler can be simplified only so often: nothing leads back."""
    small = shrink(drawn(seed), ODD, breaks_if(lambda plan: True), most_runs=10_000)
    assert small.finished
    assert list(simpler(small.plan)) == []


def test_names_of_a_run_are_no_part_of_a_property() -> None:
    says = "after it, the node shows tasks/f-{}/alpha.{}.1 otherwise than the specification"
    one = Broken(Catch.VIOLATION, says.format(1, 3), "", "accept")
    two = Broken(Catch.VIOLATION, says.format(2, 4), "", "accept")
    assert one.property == two.property
    assert one.property != Broken(Catch.VIOLATION, says.format(1, 3), "", "decline").property


def test_what_does_not_end_is_told() -> None:
    broken = what_broke(load_scenario("executors_of_its_own")[1], limit_s=0.01)
    assert broken is not None
    assert (broken.kind, broken.exit_code) == (Catch.ENDLESS, 3)


# ---- keeping -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_a_scenario_is_written_as_it_was_read(name: str) -> None:
    scenario = load_scenario(name)[1]
    assert parse_scenario(scenario_text(scenario), name) == scenario


@settings(max_examples=30)
@given(plans())
def test_a_plan_is_kept_in_three_ways(plan: Plan) -> None:
    one = keeping.entry(plan, ODD, "some_mutant")
    assert keeping.parse_entry(keeping.entry_text(one), "file") == one
    scenario = keeping.as_scenario(plan, ODD)
    assert parse_scenario(scenario_text(scenario), "file").bare() == plan
    compile(keeping.as_test(one), "test", "exec")


def test_a_wrong_entry_is_told_by_its_path() -> None:
    text = keeping.entry_text(keeping.entry(drawn(1), ODD)).replace('"plan": {', '"plan": {"x": 1,')
    with pytest.raises(PlanError, match=r"bad.json: plan.x: no such key"):
        keeping.parse_entry(text, "bad.json")


# ---- the command -------------------------------------------------------------------------------


def mesos_chaos(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mesos_chaos", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_a_mutants_plan_is_shrunk_kept_and_shrunk_again(tmp_path: Path) -> None:
    """In processes of their own: the mutant must not stay in this one."""
    mutant = "kill_of_unknown_is_dropped"
    done = mesos_chaos("shrink", "unruly_framework", "--mutant", mutant, "--json", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    said = json.loads(done.stdout)
    assert said["was"]["faults"] == 3
    assert (said["is"]["faults"], said["is"]["items"], said["finished"]) == (0, 1, True)
    assert "the task is known" in said["property"]
    again = mesos_chaos("shrink", said["files"]["corpus"], "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["plan"] == said["plan"]
    clean = mesos_chaos("run", said["files"]["scenario"], "--tier", "1", cwd=tmp_path)
    assert clean.returncode == 0, clean.stdout
    passed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", said["files"]["test"]],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert passed.returncode == 0, passed.stdout


def test_a_test_that_was_written_fails_while_the_plan_breaks_something() -> None:
    plan = load_scenario("leader_killed")[1].bare()
    greedy = plan.workload[0].model_copy(update={"cpus": 100.0, "items": 2})
    hasty = plan.expect.model_copy(update={"settles_within_s": 2.0, "must_see": []})
    wrong = plan.model_copy(update={"workload": [greedy], "fault": [], "expect": hasty})
    with pytest.raises(AssertionError, match="unsettled: does not settle"):
        keeping.must_be_well(wrong.model_dump_json())


def test_what_breaks_nothing_is_not_shrunk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shrink", "launch_lost", "--seeds", "0-1"]) == 0
    assert capsys.readouterr().out == "nothing to shrink: with 2 seeds it breaks nothing\n"


@pytest.mark.parametrize(
    "words", [["shrink", "nonesuch"], ["shrink", "launch_lost", "--mutant", "nonesuch"]]
)
def test_wrong_use_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 5
    assert "nonesuch" in capsys.readouterr().err


def test_the_directory_of_a_run_is_lifted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run on real processes leaves its plan, which is simulated with other seeds."""
    text = scenario_text(load_scenario("launch_lost")[1])
    (tmp_path / "plan.toml").write_text(text)
    assert main(["shrink", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"broken": False, "seeds": [0]}


# ---- the corpus --------------------------------------------------------------------------------


@pytest.mark.parametrize("one", keeping.shipped_corpus().values(), ids=lambda one: one.id)
def test_the_corpus_conforms(one: keeping.Entry) -> None:
    assert one.tier < 3, "an entry of real processes needs a test that is live"
    assert what_broke(one.plan, tier=one.tier) is None
