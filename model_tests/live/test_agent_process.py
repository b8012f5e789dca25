"""The agent as a process: real tasks, and what a kill at any moment leaves of them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from mesos_ref import link as protocol
from mesos_ref.isolation import processes
from mesos_ref.isolation.sweep import StillServedError, Swept, end_runs
from mesos_ref.wire.v1 import CommandInfo, ExecutorInfo
from model_tests.live.agents import Post, marked, posted, states, that_run, until
from model_tests.live.hosting import live, until_gone
from model_tests.shell.agent_stage import FW, run_task, task_for

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]

COMMAND_STATES = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]


async def sleeping(link: object, task_id: str, mark: str) -> int:
    """The pid of a task's command, once it sleeps."""
    await until(lambda: len(that_run(mark)) == 1)
    return that_run(mark)[0]


@live
async def test_a_command_runs_and_leaves_nothing_but_its_sandbox(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        agent = await post.serving()
        link, _ = await post.linked()
        await link.send(run_task(marked("t1", "echo hi")))
        assert await states(link, "t1", "TASK_FINISHED") == COMMAND_STATES
        assert post.stdout("t1") == "hi\n"
        assert await agent.end() == 0
        assert await end_runs(post.work_dir) == Swept((), ())


@live
async def test_an_executor_finds_its_whole_environment(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        agent = await post.serving("--executor-reregistration-timeout-s", "3")
        link, register = await post.linked()
        executor = ExecutorInfo(
            executor_id="e1", framework_id=FW, command=CommandInfo(value="env; pwd"), type="CUSTOM"
        )
        await link.send(run_task(task_for(executor, "t1"), executor=executor, checkpoint=True))
        exited = await link.expect(protocol.Exited)
        assert exited.status == 0
        *lines, pwd = post.stdout("e1").splitlines()
        found = dict(line.partition("=")[::2] for line in lines)
        [sandbox] = post.work_dir.glob("slaves/*/frameworks/*/executors/e1/runs/*-*")
        endpoint = f"127.0.0.1:{agent.port}"
        expected = {
            "MESOS_FRAMEWORK_ID": FW,
            "MESOS_EXECUTOR_ID": "e1",
            "MESOS_DIRECTORY": str(sandbox),
            "MESOS_SANDBOX": str(sandbox),
            "MESOS_SLAVE_ID": register.agent_id,
            "MESOS_SLAVE_PID": f"slave(1)@{endpoint}",
            "MESOS_AGENT_ENDPOINT": endpoint,
            "MESOS_CHECKPOINT": "1",
            "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
            "MESOS_RECOVERY_TIMEOUT": "15mins",
            "MESOS_SUBSCRIPTION_BACKOFF_MAX": "3secs",
            "MESOS_HTTP_COMMAND_EXECUTOR": "0",
            "LIBPROCESS_PORT": "0",
            "LIBPROCESS_IP": "127.0.0.1",
        }
        assert {name: found.get(name) for name in expected} == expected
        assert pwd == str(sandbox)


@live
async def test_a_custom_executor_is_a_program_that_speaks_http(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.serving()
        link, _ = await post.linked()
        argv = (sys.executable, "-m", "mesos_ref.executor.command")
        command = CommandInfo(value=sys.executable, shell=False, arguments=argv)
        executor = ExecutorInfo(executor_id="e1", framework_id=FW, command=command, type="CUSTOM")
        task = task_for(executor, "t1")
        await link.send(run_task(task, executor=executor))
        # It is given a task without a command, and says that it can't.
        assert (await states(link, "t1", "TASK_FAILED"))[-1] == "TASK_FAILED"
        assert {u.status.executor_id for u in link.heard if isinstance(u, protocol.Update)} == {
            "e1"
        }
        await link.send(protocol.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e1"))
        exited = await link.expect(protocol.Exited)
        assert (exited.executor_id, exited.status) == ("e1", 0)


@live
async def test_killed_it_takes_up_what_checkpoints_and_the_rest_ends(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        first = await post.serving()
        link, _ = await post.linked()
        await link.send(
            run_task(marked("kept", "exec sleep 1234.1"), checkpoint=True),
            run_task(marked("lost", "exec sleep 1234.2"), framework_id="fw-2"),
        )
        kept, lost = await sleeping(link, "kept", "1234.1"), await sleeping(link, "lost", "1234.2")
        await states(link, "kept", "TASK_RUNNING")
        await first.end(signal.SIGKILL)
        second = await post.serving()
        assert (second.life, second.port) == (2, first.port)
        link, register = await post.linked()
        assert [(task.task_id, task.state) for task in register.tasks] == [("kept", "TASK_RUNNING")]
        await until_gone(lost)
        assert that_run("1234.1") == [kept]
        await link.send(protocol.Kill(epoch=1, framework_id=FW, task_id="kept"))
        assert (await states(link, "kept", "TASK_KILLED"))[-1] == "TASK_KILLED"
        await until_gone(kept)


@live
async def test_ended_in_order_it_leaves_what_checkpoints_alone(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        agent = await post.serving()
        link, _ = await post.linked()
        await link.send(
            run_task(marked("kept", "exec sleep 1234.3"), checkpoint=True),
            run_task(marked("lost", "exec sleep 1234.4"), framework_id="fw-2"),
        )
        kept, lost = await sleeping(link, "kept", "1234.3"), await sleeping(link, "lost", "1234.4")
        with pytest.raises(StillServedError):
            await end_runs(post.work_dir)
        assert await agent.end(signal.SIGTERM) == 0
        await until_gone(lost)
        assert that_run("1234.3") == [kept]
        swept = await end_runs(post.work_dir)
        assert len(swept.ended) == 1
        assert swept.left == ()
        assert that_run("1234.3") == []


@live
async def test_told_to_end_everything_it_does(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        agent = await post.serving()
        link, _ = await post.linked()
        await link.send(run_task(marked("t1", "exec sleep 1234.5"), checkpoint=True))
        await sleeping(link, "t1", "1234.5")
        assert await agent.end(signal.SIGUSR1) == 0
        assert that_run("1234.5") == []
        assert await end_runs(post.work_dir) == Swept((), ())
        again = await post.serving()
        link, register = await post.linked()
        assert [(task.task_id, task.state) for task in register.tasks] == [("t1", "TASK_LOST")]
        assert await again.end() == 0


@live
async def test_a_second_agent_in_the_same_place_is_refused(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        first = await post.serving()
        second = await post.start(stderr=subprocess.PIPE)
        assert second.process.stderr is not None
        said = b""
        async for piece in second.process.stderr:
            said += piece
        await second.process.stderr.aclose()
        assert await second.process.wait() == 5
        assert f"is in use by another agent, pid {first.pid}".encode() in said


@live
async def test_a_port_that_is_taken_is_a_reason_not_to_start(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        agent = await post.start("--port", str(post.http_port), stderr=subprocess.DEVNULL)
        assert await agent.process.wait() == 5
        assert await end_runs(post.work_dir) == Swept((), ())


@live
async def test_it_dials_elsewhere_when_told_so(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        masters = f"127.0.0.1:1:127.0.0.1:{post.http_port}"
        links = f"127.0.0.1:2:127.0.0.1:{post.master.port}"
        post.link_port = 2  # what the master calls itself
        await post.serving(
            "--master", "127.0.0.1:1", "--connect-to", masters, "--connect-to", links
        )
        link, _ = await post.linked()
        await link.send(protocol.Ping(epoch=1, connected=True))
        await link.expect(protocol.Pong)


@live
async def test_tasks_that_do_nothing_need_no_process(tmp_path: Path) -> None:
    count = 100
    async with posted(tmp_path) as post:
        agent = await post.serving("--noop-executor")
        link, _ = await post.linked()
        await link.send(*(run_task(marked(f"t{n}", "false")) for n in range(count)))
        finished = 0
        while finished < count:
            update = await link.expect(protocol.Update)
            await link.acknowledge(update)
            finished += update.status.state == "TASK_FINISHED"
        assert processes.children(agent.pid) == []
        assert not list(post.work_dir.glob("slaves/*"))


TASKS = 50
KILLS = 20


@pytest.mark.slow
def test_twenty_kills_under_fifty_tasks_double_none_and_leave_none(tmp_path: Path) -> None:
    """Kills come at any moment: while tasks or the agent start, while executors come back.

    The master is a fake one here; with a real one it is in `test_many_kills`.
    """
    chance = random.Random(1)

    async def main() -> None:
        with trio.fail_after(300):
            async with posted(tmp_path) as post:
                await _kill_again_and_again(post, chance)

    trio.run(main)


async def _kill_again_and_again(post: Post, chance: random.Random) -> None:
    agent = await post.serving()
    link, _ = await post.linked()
    marks = [f"4321.{number}" for number in range(TASKS)]
    frames = [run_task(marked(m, f"exec sleep {m}"), checkpoint=True) for m in marks]
    await link.send(*frames)
    await until(lambda: that_run(marks[0]))  # on a busy machine the first kill would come too soon
    for _ in range(KILLS):
        await trio.sleep(chance.uniform(0, 2.5))
        await agent.end(signal.SIGKILL)
        agent = await post.start()
    await agent.until_serving()
    tasks = {task.task_id: task.state for task in (await _last_register(post)).tasks}
    running = {mark: len(that_run(mark)) for mark in marks}
    assert max(running.values()) == 1, "some task runs twice"
    alive = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING")
    for mark in marks:
        assert tasks.get(mark) in alive or running[mark] == 0, f"{mark} is {tasks.get(mark)}"
    await agent.end(signal.SIGUSR1)
    assert (await end_runs(post.work_dir)).left == ()
    assert [pid for mark in marks for pid in that_run(mark)] == []


async def _last_register(post: Post) -> protocol.Register:
    """What the last life says; links of earlier ones are in the way."""
    while True:
        try:
            link = await post.master.linked()
            register = await link.registered()
            await trio.sleep(0.5)
            await link.send(protocol.Ping(epoch=1, connected=True))
            await link.expect(protocol.Pong)
        except (AssertionError, trio.BrokenResourceError):
            continue
        return register
