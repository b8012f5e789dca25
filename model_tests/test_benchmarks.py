"""Every figure can be measured: a run of each as small as can be. How fast it is, is not asked."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import FIGURES, RESULTS, main, measure, row, save
from benchmarks.measuring import Figure, machine, percentile, rounded

PROCESSES = [name for name, module in FIGURES.items() if module in ("tasks", "failover")]
ONE_PROCESS = [name for name in FIGURES if name not in PROCESSES]


def look_at(figure: Figure, name: str) -> None:
    """A figure is named as it was asked for, and rests on something."""
    assert figure.name == name
    assert figure.runs
    assert all(math.isfinite(run) and run > 0 for run in figure.runs)
    assert figure.how
    assert name in row(figure, 0.5)
    assert json.loads(json.dumps(figure.plain()))["unit"] == figure.unit


@pytest.mark.live
@pytest.mark.parametrize("name", PROCESSES)
def test_figures_of_clusters(name: str) -> None:
    figure = measure(name, quick=True)
    look_at(figure, name)
    if name.endswith("tasks_per_s"):
        assert float(figure.facts["trace_kb_per_task"]) > 1, "it was not traced"


@pytest.mark.parametrize("name", ONE_PROCESS)
def test_figures_of_the_specification(name: str) -> None:
    look_at(measure(name, quick=True), name)


# What is written ----------------------------------------------------------------------------------


def test_figures_that_were_not_measured_stay(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    save(path, {"judge_steps_per_s": {"value": 1}, "noop_tasks_per_s": {"value": 2}})
    save(path, {"judge_steps_per_s": {"value": 3}})
    saved = json.loads(path.read_text())
    assert saved["figures"] == {"noop_tasks_per_s": {"value": 2}, "judge_steps_per_s": {"value": 3}}
    assert list(saved["figures"]) == ["noop_tasks_per_s", "judge_steps_per_s"]
    assert saved["machine"] == machine()


def test_the_command_writes_where_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.json"
    assert main(["checker_states_per_s", "--quick", "--json", str(path)]) == 0
    found = json.loads(path.read_text())["figures"]["checker_states_per_s"]
    assert found["value"] == found["runs"][0]
    assert re.search(r"checker_states_per_s +[\d.]+ +states/s", capsys.readouterr().out)


def test_a_quick_run_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    before = RESULTS.read_bytes() if RESULTS.exists() else None
    assert main(["checker_states_per_s", "--quick"]) == 0
    assert (RESULTS.read_bytes() if RESULTS.exists() else None) == before
    capsys.readouterr()


def test_an_unknown_figure_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert "'speed' is no figure; these are: command_tasks_per_s" in capsys.readouterr().err


def test_results_have_every_figure() -> None:
    results = json.loads(RESULTS.read_text())
    assert list(results["figures"]) == list(FIGURES)
    for figure in results["figures"].values():
        assert sorted(figure) == ["facts", "how", "load", "runs", "unit", "value"]


# Arithmetic ---------------------------------------------------------------------------------------


def test_the_median_of_runs() -> None:
    figure = Figure("f", "s", "how", [3.0, 1.0, 2.0])
    assert figure.value == 2
    assert Figure("f", "s", "how", [4.0, 1.0]).value == 2.5


@pytest.mark.parametrize(
    ("percent", "wanted"), [(0, 1), (1, 1), (50, 5), (51, 6), (90, 9), (99, 10), (100, 10)]
)
def test_percentiles(percent: float, wanted: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.123456, 0.123), (12.345, 12.3), (999.4, 999), (1716.4, 1716), (0.0, 0), (17_335.2, 17_335)],
)
def test_rounding(value: float, wanted: float) -> None:
    assert rounded(value) == wanted
