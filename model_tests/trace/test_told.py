"""A verdict for code hosts, editors and CI: what is wrong stands at its record, and once."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import written_by
from mesos_spec.__main__ import main


@cache
def written(scenario: str) -> dict[str, bytes]:
    """What each process of a scenario writes."""
    return written_by(load_scenario(scenario)[1])


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any], ElementTree.Element, list[str]]]:
    """Judges traces: the exit code, SARIF's run, JUnit's root, and the annotations."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def judge(traces: dict[str, bytes], *options: str) -> Any:
        Path("trace").mkdir()
        for name, data in traces.items():
            Path("trace", f"{name}.ndjson").write_bytes(data)
        files = ["--sarif", "x.sarif", "--junit", "x.xml", "--github", "--json"]
        code = main(["trace", "trace", *files, *options])
        (run,) = json.loads(Path("x.sarif").read_text())["runs"]
        root = ElementTree.parse("x.xml").getroot()
        return code, run, root, capsys.readouterr().err.splitlines()

    return judge


def told_twice(traces: dict[str, bytes]) -> tuple[dict[str, bytes], int]:
    """The first message of agent a1 to its master is sent a second time; and on which line."""
    lines = [json.loads(line) for line in traces["a1.1"].splitlines()]
    at, twice = next(
        (n, r)
        for n, r in enumerate(lines)
        if any(s.get("to") == "master" for s in r.get("sent", ()))
    )
    twice["sent"].append({**twice["sent"][-1], "id": [twice["sent"][-1]["id"][0], 1]})
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return traces | {"a1.1": data}, at + 1


def counts(root: ElementTree.Element) -> tuple[str | None, ...]:
    return tuple(root.get(what) for what in ("tests", "failures", "errors"))


def test_of_a_run_that_conforms_there_is_nothing_to_tell(told: Callable[..., Any]) -> None:
    code, run, root, lines = told(written("agent_killed"))
    assert code == 0
    assert run["results"] == lines == []
    assert counts(root) == ("1", "0", "0")


def test_a_violation_is_told_at_its_record(told: Callable[..., Any]) -> None:
    traces, line = told_twice(written("agent_killed"))
    code, run, root, lines = told(traces)
    assert code == 4
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("every_record_is_a_step", "error")
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "trace/a1.1.ndjson"
    assert where["region"] == {"startLine": line}
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "every_record_is_a_step"
    assert "party: agent, agent a1" in result["message"]["text"]
    (annotation,) = lines
    begins = f"::error file=trace/a1.1.ndjson,line={line},title=trace%3A every_record_is_a_step::"
    assert annotation.startswith(begins)
    assert counts(root) == ("2", "1", "0")


def test_a_doubt_is_a_warning_and_fails_no_more_than_it_proves(told: Callable[..., Any]) -> None:
    traces = dict(written("agent_killed"))
    del traces["a2.1"]
    code, run, root, lines = told(traces)
    assert code == 2
    assert {(one["ruleId"], one["level"]) for one in run["results"]} == {
        ("the_traces_suffice", "warning")
    }
    assert lines
    assert all("line=1,title=trace%3A the_traces_suffice::" in line for line in lines)
    assert all(one["locations"] for one in run["results"])
    assert counts(root) == ("1", "0", "1")


@pytest.mark.parametrize(("options", "level"), [((), "warning"), (("--contract",), "error")])
def test_a_breach_of_contract_is_as_bad_as_one_says(
    told: Callable[..., Any], options: tuple[str, ...], level: str
) -> None:
    code, run, root, _ = told(written("unruly_framework"), *options)
    assert code == (1 if options else 0)
    assert run["results"], "the framework of this scenario keeps no contract"
    assert {one["level"] for one in run["results"]} == {level}
    clauses = {one["ruleId"] for one in run["results"]}
    assert clauses == {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    failures = str(len(run["results"])) if options else "0"
    assert counts(root)[1] == failures


def test_a_place_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m1.1.ndjson").write_bytes(written("agent_killed")["m1.1"])
    assert main(["trace", str(tmp_path), "--sarif", str(tmp_path / "no" / "x")]) == 5
    assert "cannot be written" in capsys.readouterr().err
