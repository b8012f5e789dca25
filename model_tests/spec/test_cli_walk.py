"""`mesos-spec step`, `list` and `show`: what they print, and what they refuse."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mesos_spec.__main__ import main

GOLDENS = Path(__file__).parents[1] / "trace" / "goldens"


def test_a_walk_goes_forward_and_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`why not` names the guard; undo leaves the choices as they were."""
    commands = "path\n2\npath\nwhy accept\nundo\nundo\n99\nwhat\nwhy nonsense\nstate\nquit\n1\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(commands))
    assert main(["step", "offers"]) == 0
    said = capsys.readouterr().out
    assert "took  offer(" in said
    assert "undid offer(" in said
    assert "nothing was done yet" in said
    assert "DOES NOT  the next message is Accept" in said
    assert "there is no step 99: choose 1 to 5" in said
    assert "a number, undo, why ACTION" in said
    assert "has no action nonsense" in said
    assert said.count("   1  lose_agent") == 3  # at first, after the step, after undo
    assert "newest = 1" in said


def test_an_unknown_model_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "offfers"]) == 5
    assert "did you mean offers" in capsys.readouterr().err


def test_everything_is_listed_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert {"accept", "mark_unreachable"} <= {row["name"] for row in tables["actions"]}
    assert all(row["says"] for rows in tables.values() for row in rows)
    assert main(["list", "models"]) == 0
    assert "offers" in capsys.readouterr().out


def test_a_trace_is_shown_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    master, agent = str(GOLDENS / "master.ndjson"), str(GOLDENS / "agent.ndjson")
    assert main(["show", master, agent]) == 0
    text = capsys.readouterr().out
    assert "admit" in text
    assert main(["show", master, "--from", "2", "--to", "3", "--json"]) == 0
    assert [row["at"] for row in json.loads(capsys.readouterr().out)] == [2, 3]
    assert main(["show", master, "--mermaid"]) == 0
    assert capsys.readouterr().out.startswith("sequenceDiagram\n    participant p0 as master")


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b"\x00\xff\n", b'{"trace":"other","version":1}\n']
)
def test_what_is_no_trace_is_refused_with_its_place(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(content)
    assert main(["show", str(path)]) == 5
    assert str(path) in capsys.readouterr().err
