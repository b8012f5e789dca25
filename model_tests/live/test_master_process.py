"""`mesos-ref master` as a process: what it prints, how it ends, who leads next."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mesos_ref import cli, replay
from mesos_ref.__main__ import main
from mesos_ref.cli import timers
from mesos_ref.master.config import MasterConfig

pytestmark = pytest.mark.live


class Process:
    """A master that prints JSON lines."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen

    def expect(self, event: str) -> dict[str, Any]:
        """The next line that says so; others before it are passed over."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            said = json.loads(line)
            if said["event"] == event:
                return dict(said)
        raise AssertionError(f"it ended, code {self.popen.wait()}, before it said {event!r}")

    def end(self, number: int) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(timeout=20)


@contextmanager
def master(*options: str) -> Iterator[Process]:
    """A master on free ports; killed at the end if it still lives."""
    command = [sys.executable, "-m", "mesos_ref", "master", "--port", "0", "--json", *options]
    popen = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    with popen:
        try:
            yield Process(popen)
        finally:
            popen.kill()


def get(port: int, path: str) -> http.client.HTTPResponse:
    """A GET by the standard library."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_master_that_is_told_to_end_closes_its_trace_and_exits_0(
    number: int, tmp_path: Path
) -> None:
    with master("--trace", str(tmp_path / "traces"), "--name", "m1") as process:
        serving = process.expect("serving")
        assert process.expect("leading") == {"event": "leading", "epoch": 1}
        assert get(serving["port"], "/state").status == 200
        assert process.end(number) == 0
    (trace,) = (tmp_path / "traces").iterdir()
    assert trace.name.startswith("master-m1-")
    assert trace.stat().st_mode & 0o777 == 0o600
    lines = trace.read_bytes().splitlines()
    heard = [json.loads(line)["heard"]["local"] for line in lines[1:]]
    assert heard == ["elected", "deposed", "closed"]
    assert replay.replay(lines) == []


def test_when_the_leader_is_killed_another_leads_and_tells_where(tmp_path: Path) -> None:
    where = ("--election", f"file:{tmp_path / 'leader'}", "--lease-s", "1")
    with master(*where) as first:
        port1 = first.expect("serving")["port"]
        assert first.expect("leading")["epoch"] == 1
        with master(*where) as second:
            port2 = second.expect("serving")["port"]
            first.end(signal.SIGKILL)
            assert second.expect("leading")["epoch"] == 2
            answer = get(port2, "/redirect")
            assert answer.headers["Location"] == f"//127.0.0.1:{port2}"
            assert answer.headers["Mesos-Ref-Epoch"] == "2"
            assert port1 != port2
            assert second.end(signal.SIGTERM) == 0


def test_a_leader_that_was_stopped_too_long_ends_with_75(tmp_path: Path) -> None:
    where = ("--election", f"file:{tmp_path / 'leader'}", "--lease-s", "0.3")
    with master(*where) as first:
        first.expect("leading")
        with master(*where) as second:
            second.expect("serving")
            first.popen.send_signal(signal.SIGSTOP)
            assert second.expect("leading")["epoch"] == 2
            first.popen.send_signal(signal.SIGCONT)
            assert first.expect("deposed")["why"]
            assert first.popen.wait(timeout=20) == cli.EXIT_DEPOSED
            assert second.end(signal.SIGTERM) == 0


def test_a_port_that_is_taken_is_wrong_use() -> None:
    with master() as first:
        port = str(first.expect("serving")["port"])
        with master("--port", port) as second:
            assert second.popen.wait(timeout=20) == cli.EXIT_USAGE
            assert second.popen.stderr is not None
            said = second.popen.stderr.read()
            assert "in use" in said
            assert "Traceback" not in said


def test_an_election_that_can_not_be_held_is_wrong_use() -> None:
    with master("--election", "file:/dev/null/leader") as process:
        assert process.popen.wait(timeout=20) == cli.EXIT_USAGE
        assert process.popen.stderr is not None
        said = process.popen.stderr.read()
        assert "/dev/null" in said
        assert "Traceback" not in said


def test_a_master_goes_on_when_nobody_reads_its_lines(tmp_path: Path) -> None:
    where = ("--election", f"file:{tmp_path / 'leader'}")
    with master(*where) as first:
        first.expect("leading")
        with master(*where) as second:
            port = second.expect("serving")["port"]
            assert second.popen.stdout is not None
            second.popen.stdout.close()
            first.end(signal.SIGKILL)
            while get(port, "/redirect").headers["Mesos-Ref-Epoch"] != "2":
                assert second.popen.poll() is None
            assert second.end(signal.SIGTERM) == 0


# --- the command line alone -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["master", "--port", "70000"], "'70000' is no port: 0 to 65535"),
        (["master", "--name", "a/b"], "'a/b' is no name"),
        (["master", "--election", "nowhere"], "'nowhere' names no election"),
        (["master", "--lease-s", "0.1"], "'0.1' is no number of s"),
        (["master", "--offer-timeout-s", "-1"], "'-1' is no number of s"),
        (["master", "--max-agent-ping-timeouts", "1.5"], "'1.5' is no whole number"),
        (["master", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_use_is_said_in_a_sentence_and_exits_5(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    try:
        code = main(argv)
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    assert code == cli.EXIT_USAGE
    assert says in capsys.readouterr().err + caplog.text


def test_every_timer_is_an_option_and_means_what_the_core_means() -> None:
    config = MasterConfig()
    shell_knows = {"epoch_wall_us", "max_task_bytes", "max_framework_bytes"}
    assert {row.field for row in timers.MASTER} == set(config.__struct_fields__) - shell_knows
    args = cli.parser_for(["master"]).parse_args(["master"])
    assert MasterConfig(**timers.chosen(args, timers.MASTER)) == config
    argv = ["master", "--offer-timeout-s", "1.5", "--min-offer-mem-mb", "64"]
    argv += ["--min-offer-cpus", "0.5", "--max-agent-ping-timeouts", "3"]
    args = cli.parser_for(argv).parse_args(argv)
    chosen = MasterConfig(**timers.chosen(args, timers.MASTER))
    assert (chosen.offer_timeout_us, chosen.min_offer_mem_milli) == (1_500_000, 64_000)
    assert (chosen.min_offer_cpus_milli, chosen.max_agent_ping_timeouts) == (500, 3)
    argv = ["master", "--offer-timeout-s", "none"]
    args = cli.parser_for(argv).parse_args(argv)
    assert args.offer_timeout_us is None


def test_help_teaches_without_loading_what_was_not_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert "A cluster by hand" in said
    assert "run a master" in said
    code = (
        "import sys; from mesos_ref import cli; cli.parser_for(['--help']); "
        "sys.exit('mesos_ref.master.core' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
