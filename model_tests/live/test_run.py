"""`mesos-ref run` and the commands that look at what it runs, on a cluster of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from mesos_ref.cluster.leftovers import marked
from model_tests.live.commands import (
    MESOS_REF,
    Up,
    asking,
    environment,
    mesos_ref,
    tasks_in,
    until,
    up,
)
from model_tests.live.hosting import live

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]


@asynccontextmanager
async def small_cluster(work_dir: Path) -> AsyncIterator[Up]:
    """One master, one agent with two cpus."""
    async with up(work_dir / "cluster", "--masters", "1", "--agents", "1") as cluster:
        yield cluster


@live
async def test_what_instances_write_is_shown_and_can_be_read_again(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        script = "echo I am $INSTANCE; echo not well >&2; printf unfinished"
        done = await mesos_ref(
            "run", "--instances", "2", "--follow", "--", script, master=cluster.master
        )
        assert done.code == 0
        assert sorted(done.out.splitlines()) == [
            "2 instances finished (2 tasks)",
            "run-1 | I am 1",
            "run-1 | unfinished",
            "run-2 | I am 2",
            "run-2 | unfinished",
        ]
        assert sorted(done.err.splitlines()) == ["run-1 | not well", "run-2 | not well"]
        assert (await mesos_ref("ps", master=cluster.master)).out.startswith(
            "no tasks at http://127.0.0.1:"
        )
        assert (await mesos_ref("logs", "run-2", master=cluster.master)).out == "I am 2\nunfinished"
        assert (
            await mesos_ref("logs", "run-1", "--stderr", master=cluster.master)
        ).out == "not well\n"
        many = await mesos_ref("logs", "run", master=cluster.master)
        assert many.code == 5
        assert "'run' may be any of these:\n  run-1." in many.err


@live
async def test_a_running_task_is_listed_and_followed(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        go_on = tmp_path / "go_on"
        script = f"echo begun; until test -e {go_on}; do sleep 0.05; done; echo ended"
        runner = await trio.lowlevel.open_process(
            [*MESOS_REF, "run", "--name", "slow", "--cpus", "0.5", "--", script],
            env=environment(cluster.master),
        )
        async with asking(cluster.master) as ask:
            [task] = await tasks_in(ask, "TASK_RUNNING", 1)
        [line] = (await mesos_ref("ps", "--json", master=cluster.master)).out.splitlines()
        row = msgspec.json.decode(line)
        assert (row["task"], row["state"], row["framework"]) == (task, "TASK_RUNNING", "slow")
        assert f"http://{row['agent']}" in cluster.facts["agents"]
        shown = (await mesos_ref("agents", master=cluster.master)).out.splitlines()
        assert shown[1].split()[2:] == ["registered", "1", "0.5", "of", "2", "32", "of", "1024"]
        shown = (await mesos_ref("frameworks", master=cluster.master)).out.splitlines()
        assert shown[1].split()[1:] == ["slow", "*", "connected", "1", "0", "0.5", "32"]

        words = [*MESOS_REF, "logs", "--follow", "slow-1"]
        follower = await trio.lowlevel.open_process(
            words, stdout=subprocess.PIPE, env=environment(cluster.master)
        )
        assert follower.stdout is not None
        assert await follower.stdout.receive_some() == b"begun\n"
        go_on.touch()
        assert await runner.wait() == 0
        assert await follower.stdout.receive_some() == b"ended\n"
        assert await follower.wait() == 0
        await follower.stdout.aclose()


@live
async def test_an_instance_that_fails_too_often_is_given_up(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        words = ("--master", cluster.master, "--instances", "3", "--attempts", "2")
        done = await mesos_ref("run", *words, "--", "test $INSTANCE != 2")
    assert done.code == 1
    assert done.out == (
        "2 of 3 instances finished (4 tasks, 2 of them in vain);"
        " given up, as each failed 2 times: run-2\n"
    )


@live
async def test_no_more_run_at_once_than_was_said(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        count = "ls $D | wc -l >> $D.seen"
        script = f"D={tmp_path}/now; touch $D/$INSTANCE; {count}; sleep 0.05; rm $D/$INSTANCE"
        (tmp_path / "now").mkdir()
        words = ("--master", cluster.master, "--instances", "8", "--parallel", "2")
        done = await mesos_ref("run", *words, "--", script)
    assert done.code == 0
    seen = [int(line) for line in (tmp_path / "now.seen").read_text().split()]
    assert len(seen) == 8
    assert max(seen) == 2


@live
async def test_work_with_a_journal_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        ran = tmp_path / "ran"
        script = f"echo $INSTANCE >> {ran}; test -e {ran}.go || sleep 1000"
        words = ["run", "--master", cluster.master, "--instances", "3", "--json"]
        words += ["--journal", str(tmp_path / "journal"), "--", script]
        runner = await trio.lowlevel.open_process(
            [*MESOS_REF, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        await until(lambda: ran.exists() and len(ran.read_text().split()) == 3)
        runner.send_signal(signal.SIGINT)
        assert runner.stdout is not None
        said = msgspec.json.decode(await runner.stdout.receive_some())
        assert (said["complete"], said["done"], said["running"]) == (False, 0, 3)
        assert await runner.wait() == 2
        await runner.stdout.aclose()

        (tmp_path / "ran.go").touch()
        async with asking(cluster.master) as ask:
            tasks = await tasks_in(ask, "TASK_RUNNING", 3)
        sleepers = [each for each in cluster.left() if each == "sleep 1000"]
        assert len(sleepers) == 3, "what was begun runs on, as the framework will come back"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end_sleepers, cluster)
            done = await mesos_ref(*words)
        verdict = msgspec.json.decode(done.out)
        assert (done.code, verdict["done"], verdict["lost"]) == (0, 3, 3)
        assert verdict["framework_id"] is not None
        assert len(tasks) == 3


async def _end_sleepers(cluster: Up) -> None:
    """End the first three tasks by hand: each fails, and is tried again."""
    for each in marked(cluster.mark):
        if each.command == "sleep 1000":
            os.kill(each.pid, signal.SIGKILL)


@live
async def test_work_without_a_journal_is_killed_when_interrupted(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        words = [*MESOS_REF, "run", "--master", cluster.master, "--", "sleep 1000"]
        runner = await trio.lowlevel.open_process(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        async with asking(cluster.master) as ask:
            await tasks_in(ask, "TASK_RUNNING", 1)
            runner.send_signal(signal.SIGINT)
            assert await runner.wait() == 2
            assert (await ask("GET_FRAMEWORKS"))["frameworks"] == []
        assert runner.stdout is not None
        said = await runner.stdout.receive_some()
        assert said == b"0 of 1 instance finished (1 task); cut short, 1 unsettled\n"
        await runner.stdout.aclose()
        await until(lambda: "sleep 1000" not in cluster.left())


@live
async def test_commands_without_a_master_say_so(tmp_path: Path) -> None:
    for words in (("ps",), ("agents",), ("frameworks",), ("logs", "x"), ("run", "--", "true")):
        done = await mesos_ref(words[0], "--master", "127.0.0.1:1", *words[1:])
        assert (done.code, done.out) == (5, "")
        assert "no master answers at http://127.0.0.1:1: can't connect" in done.err
