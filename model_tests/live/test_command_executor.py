"""The command executor as a real process: forked by a template, talking HTTP, running commands."""

from __future__ import annotations

import os
import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from mesos_ref.wire.executor import Call
from model_tests.live.fake_agent import FakeAgent, fake_agent, kill, launch
from model_tests.live.hosting import Host, hosted, live, lives, until_reaped

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]

SLEEP = "echo $$; exec sleep 1000"


@asynccontextmanager
async def cluster(
    tmp_path: Path, *events: dict[str, Any]
) -> AsyncIterator[tuple[Host, FakeAgent, trio.Nursery]]:
    """A fake agent that sends these events to a new subscriber, and an isolator."""

    def on_subscribe(call: Call) -> list[dict[str, Any]]:
        assert call.subscribe is not None
        return [] if call.subscribe.unacknowledged_tasks else list(events)

    async with fake_agent(on_subscribe) as (agent, nursery), hosted(tmp_path, agent.port) as host:
        yield host, agent, nursery


async def result(tmp_path: Path, command: str | dict[str, Any], **more: Any) -> tuple[Any, str]:
    """Run one task to its end: its last status and its standard output."""
    async with cluster(tmp_path, launch("t", command, **more)) as (host, agent, _):
        await host.start("t")
        status = await agent.until_over("t")
        assert await host.exit_of("t") == 0
        assert host.dir("t").is_over()
        return status, (host.dir("t").sandbox / "stdout").read_text()


@live
async def test_a_command_runs_to_its_end(tmp_path: Path) -> None:
    """EXE-10, EXE-14, and EXE-8: what it writes is in its sandbox."""
    async with cluster(tmp_path, launch("t", "echo hello; echo there >&2")) as (host, agent, _):
        await host.start("t")
        status = await agent.until_over("t")
        assert await host.exit_of("t") == 0
        assert agent.states("t") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        assert status.message == "Command exited with status 0"
        assert (status.source, status.executor_id) == ("SOURCE_EXECUTOR", "t")
        assert status.timestamp > 1_500_000_000
        uuids = {call.update.status.uuid for call in agent.calls if call.update is not None}
        assert len(uuids) == 3
        assert all(uuid is not None and len(uuid) == 16 for uuid in uuids)
        sandbox = host.dir("t").sandbox
        assert sorted(os.listdir(sandbox)) == ["stderr", "stdout"]
        assert (sandbox / "stdout").read_text() == "hello\n"
        assert (sandbox / "stderr").read_text() == "there\n"
        assert os.readlink(sandbox.parent / "latest") == "c-t"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("exit 3", "Command exited with status 3"),
        ("kill -9 $$", "Command terminated with signal Killed"),
        ({"shell": False, "value": "/no/such"}, "Failed to launch command"),
        ({"shell": False}, "the command has no value"),
    ],
)
@live
async def test_a_command_fails(tmp_path: Path, command: str | dict[str, Any], message: str) -> None:
    """EXE-14: the message says how it ended."""
    status, _ = await result(tmp_path, command)
    assert status.state == "TASK_FAILED"
    assert message in status.message


@live
async def test_arguments_are_the_whole_argv(tmp_path: Path) -> None:
    command = {"shell": False, "value": "/bin/sh", "arguments": ["me", "-c", "echo $0 $1", "x y"]}
    assert (await result(tmp_path, command))[1] == "x y\n"


@live
async def test_environment_and_directory(tmp_path: Path) -> None:
    """EXE-8: the task's own variables, Mesos' ones, and the sandbox to work in."""
    variables = [{"name": "A", "value": "1 2"}, {"name": "MESOS_CHECKPOINT", "value": "mine"}]
    command = {
        "value": 'echo "$A $MESOS_CHECKPOINT $MESOS_EXECUTOR_ID"; [ "$PWD" = "$MESOS_SANDBOX" ]',
        "environment": {"variables": variables},
    }
    status, output = await result(tmp_path, command)
    assert status.state == "TASK_FINISHED"
    assert output == "1 2 mine t\n"


@pytest.mark.needs("root")
@live
async def test_root_obeys_the_user(tmp_path: Path) -> None:
    let_everybody_in(tmp_path)
    status, output = await result(tmp_path, {"value": "id -un; touch mine", "user": "nobody"})
    assert (status.state, output) == ("TASK_FINISHED", "nobody\n")


def let_everybody_in(tmp_path: Path) -> None:
    """pytest keeps its directories to itself."""
    for path in (tmp_path, *tmp_path.parents):
        if path.name.startswith(("pytest-", "test_")):
            path.chmod(0o755)


@pytest.mark.needs("root")
@live
async def test_an_unknown_user_fails_the_task(tmp_path: Path) -> None:
    status, _ = await result(tmp_path, {"value": "true", "user": "no-such-user"})
    assert status.state == "TASK_FAILED"
    assert "no-such-user" in status.message


# Killing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("capable", [True, False])
@live
async def test_a_kill_ends_the_command(tmp_path: Path, capable: bool) -> None:
    """KIL-7, UPD-16: TASK_KILLING to those who know it only."""
    async with cluster(tmp_path, launch("t", SLEEP)) as (host, agent, _):
        agent.capabilities = ["TASK_KILLING_STATE"] if capable else []
        await host.start("t")
        pid = int(await host.written("t"))
        agent.send("t", kill("t"))
        status = await agent.until_over("t")
        assert not lives(pid)
        assert status.state == "TASK_KILLED"
        assert status.message == "Command terminated with signal Terminated"
        killing = ["TASK_KILLING"] if capable else []
        assert agent.states("t") == ["TASK_STARTING", "TASK_RUNNING", *killing, "TASK_KILLED"]
        assert await host.exit_of("t") == 0


@live
async def test_a_command_that_shrugs_is_killed_when_the_grace_is_over(tmp_path: Path) -> None:
    """KIL-7."""
    command = "trap '' TERM; echo $$; while :; do sleep 0.05; done"
    async with cluster(tmp_path, launch("t", command)) as (host, agent, _):
        await host.start("t")
        await host.written("t")
        agent.send("t", kill("t", grace_ns=1_000_000_000_000))
        agent.send("t", kill("t", grace_ns=50_000_000))  # a later one may shorten it
        agent.send("t", kill("t", grace_ns=9_000_000_000))  # but not give it back
        status = await agent.until_over("t")
        assert status.state == "TASK_KILLED"
        assert status.message == "Command terminated with signal Killed"


@live
async def test_killed_even_if_it_then_exits_in_order(tmp_path: Path) -> None:
    """KIL-7: a kill is a kill, whatever the exit status."""
    command = "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"
    async with cluster(tmp_path, launch("t", command)) as (host, agent, _):
        await host.start("t")
        await host.written("t")
        agent.send("t", kill("t"))
        status = await agent.until_over("t")
        assert status.state == "TASK_KILLED"
        assert status.message == "Command exited with status 0"


@live
async def test_a_kill_reaches_other_sessions(tmp_path: Path) -> None:
    command = "setsid sh -c 'echo $$ > inner; exec sleep 1000' & exec sleep 1000"
    async with cluster(tmp_path, launch("t", command)) as (host, agent, _):
        await host.start("t")
        pid = int(await host.written("t", "inner"))
        agent.send("t", kill("t"))
        await agent.until_over("t")
        assert not lives(pid)


@live
async def test_nothing_of_a_task_outlives_its_terminal_update(tmp_path: Path) -> None:
    command = (
        "env -i setsid sh -c 'echo $$ > inner; exec sleep 1000' & while [ ! -s inner ]; do :; done"
    )
    async with cluster(tmp_path, launch("t", command)) as (host, agent, _):
        await host.start("t")
        pid = int(await host.written("t", "inner"))
        assert (await agent.until_over("t")).state == "TASK_FINISHED"
        assert not lives(pid)


@live
async def test_a_task_has_only_so_long(tmp_path: Path) -> None:
    """EXE-11."""
    limit = {"max_completion_time": {"nanoseconds": 50_000_000}}
    status, _ = await result(tmp_path, "trap '' TERM; sleep 1000", **limit)
    assert status.state == "TASK_FAILED"
    assert status.reason == "REASON_MAX_COMPLETION_TIME_REACHED"


@live
async def test_a_second_task_is_refused(tmp_path: Path) -> None:
    async with cluster(tmp_path, launch("t", SLEEP), launch("u", "true")) as (host, agent, _):
        await host.start("t")
        assert (await agent.until_over("u")).state == "TASK_FAILED"
        agent.send("t", kill("t"))
        assert (await agent.until_over("t")).state == "TASK_KILLED"


@pytest.mark.parametrize("how", ["event", "signal"])
@live
async def test_shut_down(tmp_path: Path, how: str) -> None:
    async with cluster(tmp_path, launch("t", SLEEP)) as (host, agent, _):
        executor = await host.start("t")
        await host.written("t")
        if how == "event":
            agent.send("t", {"type": "SHUTDOWN"})
        else:
            os.kill(executor, signal.SIGTERM)
        assert (await agent.until_over("t")).state == "TASK_KILLED"
        assert await host.exit_of("t") == 0


# Losing the agent ------------------------------------------------------------------------------


@live
async def test_without_checkpointing_a_lost_agent_ends_the_task(tmp_path: Path) -> None:
    async with cluster(tmp_path, launch("t", SLEEP)) as (host, agent, _):
        await host.start("t")
        pid = int(await host.written("t"))
        agent.stop()
        await host.exit_of("t")
        assert not lives(pid)


@live
async def test_with_checkpointing_the_executor_comes_back(tmp_path: Path) -> None:
    command = "echo $$; while [ ! -e go ]; do sleep 0.01; done"
    async with cluster(tmp_path, launch("t", command)) as (host, agent, nursery):
        agent.acknowledges = False
        executor = await host.start("t", checkpoint=True)
        await agent.until(lambda: "TASK_RUNNING" in agent.states("t"))
        agent.stop()
        (host.dir("t").sandbox / "go").touch()
        await until_reaped(int(await host.written("t")))
        assert lives(executor)
        before = len(agent.calls)
        agent.acknowledges = True
        await nursery.start(agent.run)
        await agent.until(lambda: len(agent.calls) > before)
        again = agent.calls[before].subscribe
        assert again is not None
        assert [task.task_id for task in again.unacknowledged_tasks] == ["t"]
        states = [update.status.state for update in again.unacknowledged_updates]
        assert states == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        for update in again.unacknowledged_updates:
            agent.send("t", acknowledgement("t", update.status.uuid))
        assert await host.exit_of("t") == 0


def acknowledgement(task_id: str, uuid: bytes | None) -> dict[str, Any]:
    told = {"task_id": {"value": task_id}, "uuid": b64encode(uuid or b"").decode()}
    return {"type": "ACKNOWLEDGED", "acknowledged": told}


@live
async def test_an_agent_that_disowns_its_executor_ends_the_task(tmp_path: Path) -> None:
    async with cluster(tmp_path, launch("t", SLEEP)) as (host, agent, _):
        await host.start("t", checkpoint=True)
        pid = int(await host.written("t"))
        agent.refuse_with = 400
        agent.streams["t"].close()
        await host.exit_of("t")
        assert not lives(pid)


@pytest.mark.parametrize("refuse", [True, False], ids=["refused", "unreachable"])
@live
async def test_an_agent_that_never_answers_is_given_up(tmp_path: Path, refuse: bool) -> None:
    async with cluster(tmp_path) as (host, agent, _):
        agent.refuse_with = 503
        if not refuse:
            agent.stop()
        await host.start("t", shutdown_grace_us=200_000)
        assert await host.exit_of("t") == 0


@live
async def test_many_at_once(tmp_path: Path) -> None:
    names = [f"t{n}" for n in range(20)]

    def on_subscribe(call: Call) -> list[dict[str, Any]]:
        return [launch(call.executor_id, "true")]

    async with fake_agent(on_subscribe) as (agent, _), hosted(tmp_path, agent.port) as host:
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(host.start, name)
        for name in names:
            assert await host.exit_of(name) == 0
            assert agent.states(name) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        uuids = [call.update.status.uuid for call in agent.calls if call.update is not None]
        assert len(set(uuids)) == 3 * len(names), "forks must not draw the same ids"
