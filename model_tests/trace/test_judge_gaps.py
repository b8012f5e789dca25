"""The judge where something is missing, or is there twice: unknown, refused, or unreadable."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import written_by
from mesos_spec.__main__ import main


@cache
def _clean() -> dict[str, bytes]:
    """The trace of one clean run, by process."""
    return written_by(load_scenario("leader_killed")[1])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with the clean run's traces."""
    for name, data in _clean().items():
        (tmp_path / f"{name}.ndjson").write_bytes(data)
    return tmp_path


def _role(folder: Path, role: str) -> list[Path]:
    files = sorted(folder.glob("*.ndjson"))
    return [f for f in files if json.loads(f.read_bytes().split(b"\n")[0])["role"] == role]


def _change(path: Path, at: int, **fields: Any) -> None:
    lines = path.read_bytes().splitlines()
    lines[at] = json.dumps({**json.loads(lines[at]), **fields}).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")


def test_the_clean_run_conforms(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(run)]) == 0
    assert capsys.readouterr().out.startswith("CONFORMS")


@pytest.mark.parametrize("role", ["agent", "master"])
def test_a_missing_trace_is_a_doubt_that_names_it(
    run: Path, role: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in _role(run, role):
        path.unlink()
    assert main(["trace", str(run)]) == 2
    assert f"there is no trace of {'agent' if role == 'agent' else 'the master'}" in (
        capsys.readouterr().out
    )


def test_a_torn_last_line_is_no_fault(run: Path) -> None:
    with _role(run, "scheduler")[-1].open("ab") as file:
        file.write(b'{"seq":99999,"no')
    assert main(["trace", str(run)]) == 0


@pytest.mark.parametrize("how", [["trace"], ["trace", "--blind"]])
def test_a_life_killed_before_its_first_record_is_not_missed(
    tmp_path: Path, how: list[str]
) -> None:
    """Only where its header is there: it may not have done anything."""
    for name, data in written_by(load_scenario("agent_killed")[1]).items():
        (tmp_path / f"{name}.ndjson").write_bytes(data)
    first, second = sorted(tmp_path.glob("a1.*.ndjson"))
    header, rest = second.read_bytes().split(b"\n", 1)
    again = json.loads(header)
    second.write_bytes(json.dumps({**again, "life": 3}).encode() + b"\n" + rest)
    assert main([*how, str(tmp_path)]) == 2
    silent = tmp_path / "silent.ndjson"
    silent.write_text(json.dumps({**again, "life": 2, "incarnation": "silent"}) + "\n")
    assert main([*how, str(tmp_path)]) == 0
    assert json.loads(first.read_bytes().split(b"\n")[0])["life"] == 1


def test_a_reign_that_ended_before_its_first_record_is_not_missed(run: Path) -> None:
    """Others hear of a leader that was killed on the spot; it is missed only without a trace."""
    for role in ("agent", "scheduler"):
        for path in _role(run, role):
            lines = path.read_bytes().splitlines(keepends=True)
            told = (json.loads(line).get("heard") or {} for line in lines)
            second = next(n for n, heard in enumerate(told) if heard.get("epoch", 0) == 2)
            path.write_bytes(b"".join(lines[: second + 1]))
    [led] = [path for path in _role(run, "master") if b'"elected","epoch":2,' in path.read_bytes()]
    led.write_bytes(led.read_bytes().splitlines(keepends=True)[0])
    assert main(["trace", str(run)]) == 0
    for path in _role(run, "master"):
        if b'"elected"' not in path.read_bytes():
            path.unlink()
    assert main(["trace", str(run)]) == 2


def test_a_header_may_be_long(run: Path) -> None:
    """What a process recovered is in it: it is not taken for one that was never finished."""
    path = _role(run, "agent")[0]
    header, rest = path.read_bytes().split(b"\n", 1)
    longer = {**json.loads(header), "recovered": {"task/f/t": "x" * 100_000}}
    path.write_bytes(json.dumps(longer, separators=(",", ":")).encode() + b"\n" + rest)
    assert main(["trace", str(run)]) == 0


def test_a_line_written_twice_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _role(run, "agent")[0]
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:5], lines[4], *lines[5:]]) + b"\n")
    assert main(["trace", str(run)]) == 5
    assert f"{path}:6: `seq` is" in capsys.readouterr().err


def test_a_message_heard_twice_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _role(run, "scheduler")[0]
    header, *lines = path.read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    at = next(i for i, r in enumerate(records) if (r["heard"] or {}).get("from") == "master")
    again = {**records[at], "did": [], "sent": [], "view": {}}
    again.pop("whole", None)
    records.insert(at + 1, again)
    numbered = [json.dumps({**r, "seq": n}).encode() for n, r in enumerate(records)]
    path.write_bytes(b"\n".join([header, *numbered]) + b"\n")
    assert main(["trace", str(run)]) == 4
    assert "again" in capsys.readouterr().out


def test_an_incarnation_has_one_writer(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _role(run, "agent")[0]
    (run / "copy.ndjson").write_bytes(path.read_bytes())
    assert main(["trace", str(run)]) == 5
    assert "one writer" in capsys.readouterr().err


def test_a_changed_field_is_no_step(run: Path) -> None:
    _change(_role(run, "agent")[0], 4, did=[["hear_ack", {}]])
    assert main(["trace", str(run)]) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff garbage\n",
        b'{"log":"another program\'s line"}\n',
        b'{"trace":"mesos-ref","version":2,"role":"agent","node":"a","incarnation":"i"}\n',
        b'{"trace":"mesos-ref","version":1,"role":"agent","node":"a"}\n',
        b'{"trace":"mesos-ref","version":1,"role":"agent","node":"\xff","incarnation":"i"}\n',
        b'{"trace":"mesos-ref","version":1,"role":"agent","node":"a","incarnation":"i"}\n{"seq"\n',
    ],
)
def test_what_is_no_trace_is_said_to_be_none(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(data)
    assert main(["trace", str(path)]) == 5
    assert f"{path}:" in capsys.readouterr().err


def test_why_explains_a_record_and_another_action(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _role(run, "agent")[0]
    assert main(["why", f"{path}:2"]) == 0
    assert "it is a step" in capsys.readouterr().out
    assert main(["why", f"{path}:2", "hear_ack"]) == 0
    assert "DOES NOT" in capsys.readouterr().out
    assert main(["why", f"{path}:999999"]) == 5


def test_check_knows_its_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "accepts"]) == 0
    assert "1 of 1 models are checked" in capsys.readouterr().out
    assert main(["check", "acepts"]) == 5
    assert "did you mean accepts" in capsys.readouterr().err


def test_an_offer_id_never_comes_back(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S5: in all traces at once, a later offer is given the name of the first."""
    for path in run.glob("*.ndjson"):
        path.write_bytes(path.read_bytes().replace(b'-O1"', b'-O0"'))
    assert main(["trace", str(run)]) == 1
    assert "the property S5 is broken" in capsys.readouterr().out
