"""The template and the isolator: what is forked is noted, watched, and ended to the last one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from mesos_ref.isolation import processes, rundir
from mesos_ref.isolation.client import TemplateError
from mesos_ref.isolation.interface import LaunchError, Recovered
from mesos_ref.isolation.messages import RLimit, RunSpec
from mesos_ref.isolation.posix import open_posix_isolator
from mesos_ref.isolation.rundir import RunDir
from model_tests.live.hosting import Host, hosted, live, lives, until_gone

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]

#: Starts a process in a session of its own, without our environment, and notes its pid.
STRAY = "env -i setsid sh -c 'echo $$ > inner; exec sleep 1000' & "
WAIT = "while [ ! -s inner ]; do :; done; "


@pytest.mark.parametrize(
    ("script", "wait_status"), [("exit 0", 0), ("exit 7", 7 << 8), ("kill -9 $$", 9)]
)
@live
async def test_how_a_program_ended_is_noted_and_told(
    tmp_path: Path, script: str, wait_status: int
) -> None:
    async with hosted(tmp_path) as host:
        await host.shell("e", script)
        assert await host.exit_of("e") == wait_status
        assert host.dir("e").read_exit() == wait_status


@live
async def test_a_run_has_its_sandbox_and_nothing_of_ours(tmp_path: Path) -> None:
    script = "pwd; ls /proc/$$/fd | tr '\\n' ' '; ps -o sid= -p $$ >/dev/null; env | sort"
    async with hosted(tmp_path) as host:
        await host.shell("e", script)
        await host.exit_of("e")
        where = host.dir("e")
        below = where.sandbox.relative_to(tmp_path).parts[1:]
        assert Path(*below) == Path("a1/frameworks/f1/executors/e/runs/c-e")
        lines = (where.sandbox / "stdout").read_text().splitlines()
        assert lines[0] == str(where.sandbox)
        assert lines[1].startswith("0 1 2 ")
        assert "3" not in lines[1].split()[:3]
        assert sorted(os.listdir(where.sandbox)) == ["stderr", "stdout"]
        assert sorted(os.listdir(where.meta)) == ["executor.json", "exit", "pid"]
        assert where.read_spec() == host.spec("e", ("/bin/sh", "-c", script))


@live
async def test_limits(tmp_path: Path) -> None:
    """I1: resource limits are an executor's own."""
    async with hosted(tmp_path) as host:
        await host.shell("e", "ulimit -n; ulimit -c", rlimits=(RLimit("NOFILE", 33, 44),))
        assert (await host.written("e")).splitlines()[0] == "33"


@live
async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        await host.start("e", ("/no/such/program",))
        assert await host.exit_of("e") == 1 << 8
        assert "/no/such/program" in (host.dir("e").sandbox / "stderr").read_text()


@live
async def test_bad_names_change_nothing(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        with pytest.raises(LaunchError, match="can't name a directory"):
            await host.isolator.prepare(msgspec.structs.replace(host.spec("e"), executor_id=".."))
        await host.shell("e", "sleep 1000")
        with pytest.raises(LaunchError, match="is there already"):
            await host.isolator.launch(host.spec("e"))
        await host.isolator.destroy("c-e")
        await host.isolator.destroy("c-e")  # twice is fine


# Ending ----------------------------------------------------------------------------------------


@live
async def test_destroy_ends_the_last_daemon(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        first = await host.shell("e", STRAY + WAIT + "exec sleep 1000")
        stray = int(await host.written("e", "inner"))
        members = processes.descendants(first)
        assert stray in members
        assert len(members) == 2
        await host.isolator.destroy("c-e")
        assert not any(map(lives, [first, *members]))
        assert await host.exit_of("e") == signal.SIGKILL


@live
async def test_what_an_executor_leaves_ends_with_it(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        await host.shell("e", STRAY + WAIT)
        stray = int(await host.written("e", "inner"))
        assert await host.exit_of("e") == 0
        assert not lives(stray)


@live
async def test_killing_the_first_process_ends_the_run(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        first = await host.shell("e", STRAY + WAIT + "exec sleep 1000")
        stray = int(await host.written("e", "inner"))
        members = processes.descendants(first)
        os.kill(first, signal.SIGKILL)
        assert await host.exit_of("e") == signal.SIGKILL
        assert not any(map(lives, [stray, *members]))


@live
async def test_a_signal_reaches_all_of_a_run(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        await host.shell("e", "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done")
        await host.written("e")
        assert host.isolator.signal("c-e", signal.SIGTERM)
        assert await host.exit_of("e") == 5 << 8
        assert not host.isolator.signal("c-e", signal.SIGTERM)


# Losing the template --------------------------------------------------------------------------


@live
async def test_runs_survive_their_template(tmp_path: Path) -> None:
    script = "echo up; while [ ! -e go ]; do sleep 0.01; done; exit 7"
    async with hosted(tmp_path) as host:
        await host.shell("e", script)
        await host.shell("k", STRAY + WAIT + "exec sleep 1000", checkpoint=True)
        await host.written("e")
        stray = int(await host.written("k", "inner"))
        template = host.isolator.template
        assert template is not None
        os.kill(template.pid, signal.SIGKILL)
        while host.isolator.template in (None, template):  # noqa: ASYNC110
            await trio.sleep(0.005)
        await host.shell("new", "exit 1")
        assert await host.exit_of("new") == 1 << 8
        (host.dir("e").sandbox / "go").touch()
        assert await host.exit_of("e") == 7 << 8
        await host.isolator.destroy("c-k")
        assert await host.exit_of("k") is None, "nobody could note how it ended"
        await until_gone(stray)


@live
async def test_a_launch_while_the_template_dies_is_answered(tmp_path: Path) -> None:
    async with hosted(tmp_path) as host:
        for n in range(5):
            template = host.isolator.template
            assert template is not None
            os.kill(template.pid, signal.SIGKILL)
            try:
                await host.shell(f"e{n}", "exit 0", checkpoint=True)
                assert await host.exit_of(f"e{n}") == 0
            except LaunchError:
                assert host.dir(f"e{n}").read_pid() is None


# Losing the agent -----------------------------------------------------------------------------

AGENT = """
import sys, trio, msgspec
from pathlib import Path
from mesos_ref.isolation.messages import RunSpec
from mesos_ref.isolation.posix import open_posix_isolator

async def main():
    runs = msgspec.json.decode(sys.argv[2], type=list[RunSpec])
    async with open_posix_isolator(Path(sys.argv[1]), lambda end: None) as isolator:
        for run in runs:
            await isolator.prepare(run)
            await isolator.launch(run)
        print("ready", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@contextmanager
def an_agent(work_dir: Path, *runs: RunSpec) -> Iterator[subprocess.Popen[str]]:
    """A process that has these runs started, to be killed."""
    argv = [sys.executable, "-c", AGENT, str(work_dir), msgspec.json.encode(list(runs)).decode()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def program(host: Host, name: str, script: str, **more: object) -> RunSpec:
    return host.spec(name, ("/bin/sh", "-c", script), **more)


@live
async def test_a_restarted_agent_takes_up_its_runs(tmp_path: Path) -> None:
    wait = "while [ ! -e go ]; do sleep 0.01; done; exit 7"
    plain = Host(tmp_path)
    runs = [program(plain, name, wait, checkpoint=True) for name in ("lived", "ended", "killed")]
    with an_agent(tmp_path, *runs) as process:
        process.kill()
        process.wait()
    (plain.dir("ended").sandbox / "go").touch()
    await until_gone(*await plain.tree("ended"))
    members = await plain.tree("killed")
    os.kill(members[0], signal.SIGKILL)
    await until_gone(members[0])
    async with hosted(tmp_path) as host:
        lived, *others = await host.isolator.recover(runs)
        assert others == [Recovered("c-ended", None, 7 << 8), Recovered("c-killed", None, None)]
        assert not any(map(lives, members)), "its orphans are found and ended"
        assert lived.pid is not None
        assert lives(lived.pid)
        (host.dir("lived").sandbox / "go").touch()
        assert await host.exit_of("lived") == 7 << 8


@live
async def test_without_checkpointing_nothing_outlives_the_agent(tmp_path: Path) -> None:
    plain = Host(tmp_path)
    script = "trap '' TERM; " + STRAY + WAIT + "while :; do sleep 0.01; done"
    run = program(plain, "e", script, shutdown_grace_us=50_000)
    with an_agent(tmp_path, run) as process:
        stray = int(await plain.written("e", "inner"))
        members = await plain.tree("e")
        assert stray in members
        process.kill()
    await until_gone(*members)
    assert plain.dir("e").read_exit() == signal.SIGKILL


@live
async def test_a_starting_agent_ends_what_it_does_not_take_up(tmp_path: Path) -> None:
    plain = Host(tmp_path)
    runs = [program(plain, name, "sleep 1000", checkpoint=True) for name in ("keep", "drop")]
    with an_agent(tmp_path, *runs) as process:
        process.kill()
    members = await plain.tree("drop")
    async with hosted(tmp_path) as host:
        [kept] = await host.isolator.recover(runs[:1])
        assert await host.isolator.end_others() == ["c-drop"]
        assert not any(map(lives, members))
        assert await host.isolator.end_others() == []
        assert kept.pid is not None
        assert lives(kept.pid)
        await host.isolator.destroy("c-keep")
        assert not lives(kept.pid)


@live
async def test_a_work_directory_has_one_agent(tmp_path: Path) -> None:
    refused = pytest.raises(TemplateError, match="is in use by the agent with pid")
    with an_agent(tmp_path), refused:
        async with open_posix_isolator(tmp_path, lambda _end: None):
            pytest.fail("two agents in one work directory")


@live
async def test_a_stopped_predecessor_does_not_hold_up_a_restart(tmp_path: Path) -> None:
    with an_agent(tmp_path) as process:
        [template] = processes.children(process.pid)
        os.kill(template, signal.SIGSTOP)
        process.kill()
    async with hosted(tmp_path) as host:
        assert not lives(template)
        await host.shell("e", "exit 0")
        assert await host.exit_of("e") == 0


# Notes ------------------------------------------------------------------------------------------


def test_an_exit_is_noted_once(tmp_path: Path) -> None:
    where = RunDir(sandbox=tmp_path, meta=tmp_path)
    assert where.read_exit() is None
    assert not where.is_over()
    assert where.write_exit(9) == 9
    assert where.write_exit(0) == 9
    assert where.read_exit() == 9


def test_an_unknown_exit_is_an_end(tmp_path: Path) -> None:
    where = RunDir(sandbox=tmp_path, meta=tmp_path)
    assert where.write_exit(None) is None
    assert where.is_over()
    assert where.read_exit() is None


def test_a_reused_pid_is_somebody_else() -> None:
    """RCV-6: so is every process of an earlier boot, whatever its number."""
    mine = processes.identity(os.getpid())
    assert mine is not None
    assert processes.is_alive(mine)
    for other in (
        msgspec.structs.replace(mine, starttime=mine.starttime - 1),
        msgspec.structs.replace(mine, boot_id="another boot"),
    ):
        assert not processes.is_alive(other)
        assert processes.open_pidfd(other) is None
        assert processes.session_of(other) is None


def test_all_runs_are_listed(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for name in ("b", "a"):
        host.dir(name).create(host.spec(name))
    assert [where.meta.name for where in rundir.all_runs(tmp_path)] == ["c-a", "c-b"]
    assert [where.read_spec().executor_id for where in rundir.all_runs(tmp_path)] == ["a", "b"]
