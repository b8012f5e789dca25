"""The agent's shell under a virtual clock: its link, its batches, its beginnings and its ends."""

from __future__ import annotations

import functools
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as protocol
from mesos_ref.agent import journal as journals
from mesos_ref.agent.dialer import Dialer, LinkLimits
from mesos_ref.agent.effects import Connect
from mesos_ref.agent.events import Event, Linked, LinkEnded
from mesos_ref.agent.journal import JournalError, lock_work_dir
from mesos_ref.link_end import LinkEnd
from mesos_ref.replay import replay
from model_tests.shell.agent_stage import (
    Stage,
    begin_life,
    command_task,
    custom_executor,
    run_task,
    staged,
    task_for,
)
from model_tests.shell.memory_net import MemoryNet, run_virtually

Test = Callable[..., Awaitable[None]]


def virtually(test: Test) -> Callable[..., None]:
    """Run an async test on a clock that jumps."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        async def main() -> None:
            with trio.fail_after(100_000):
                await test(**arguments)

        run_virtually(main)

    return run


def records(folder: Path) -> list[list[dict[str, Any]]]:
    """Each trace in a folder, by life: header and records."""
    traces = [
        [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        for path in folder.glob("agent-*.ndjson")
    ]
    return sorted(traces, key=lambda trace: int(trace[0]["life"]))


# The link -----------------------------------------------------------------------------------------


@virtually
async def test_it_registers_on_a_link_that_it_has_named(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        register = await link.registered()
        assert link.hello is not None
        assert stage.shell._life is not None
        core = stage.shell._life.core
        await wait_all_tasks_blocked()
        assert core.view()["agent"]["link"] == link.hello.connection
        assert core.view()["agent"]["registered"]
        assert register.agent_id == core.state.agent_id
        assert register.info.port == stage.port, "the port it got, not the one it asked for"


@virtually
async def test_a_newer_leader_replaces_the_link(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        old = await stage.master.linked()
        await old.registered()
        stage.leaders.show(2, stage.master.host, stage.master.port)
        new = await stage.master.linked(epoch=2)
        assert (await new.registered()).newest_epoch == 2
        assert await old.next() is None, "the old one is hung up on"
        assert new.hello is not None
        assert old.hello is not None
        assert new.hello.connection != old.hello.connection


@virtually
async def test_what_an_old_link_still_says_is_not_heard(tmp_path: Path) -> None:
    async with staged(tmp_path, noop=True) as (stage, _):
        old = await stage.master.linked()
        await old.registered()
        stage.leaders.show(2, stage.master.host, stage.master.port)
        new = await stage.master.linked(epoch=2)
        await new.registered()
        await old.send(run_task(command_task("t1")))
        await new.send(run_task(command_task("t2"), epoch=2))
        update = await new.update("TASK_RUNNING")
        assert update.status.task_id == "t2"


@pytest.mark.parametrize(
    "said",
    [
        struct.pack(">I", 5) + b"hello",
        struct.pack(">I", 2**31),
        protocol.encode(protocol.Ping(epoch=1, connected=True), 7),  # out of order
        struct.pack(">I", 30) + b'{"kind":"Nonsense","n":1,"x":1}'[:30],
    ],
    ids=["no JSON", "too long", "out of order", "unknown"],
)
@virtually
async def test_no_protocol_costs_the_link_and_it_dials_again(tmp_path: Path, said: bytes) -> None:
    async with staged(tmp_path) as (stage, _):
        first = await stage.master.linked()
        await first.registered()
        await first.stream.send_all(said)
        with pytest.raises((AssertionError, trio.BrokenResourceError)):
            await first.expect(protocol.Update)
        again = await stage.master.linked()
        await again.registered()


@virtually
async def test_it_dials_until_somebody_answers(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        stage.leaders.show(2, "memory", 1)  # nobody there
        await trio.sleep(100)
        stage.leaders.show(3, stage.master.host, stage.master.port)
        await (await stage.master.linked(epoch=3)).registered()


@virtually
async def test_a_silent_master_is_given_up(tmp_path: Path) -> None:
    async with staged(tmp_path, config={"ping_timeout_us": 75_000_000}) as (stage, _):
        first = await stage.master.linked()
        await first.registered()
        began_s = trio.current_time()
        assert await first.next() is None
        assert trio.current_time() - began_s == pytest.approx(75, abs=0.1)
        await (await stage.master.linked()).registered()


class _NoReader(MemoryNet):
    """A network on which nothing that was sent is ever taken."""

    async def connect(self, host: str, port: int) -> Any:
        stream = await super().connect(host, port)
        send_all, begun = stream.send_all, list[bool]()

        async def stuck(data: bytes) -> None:
            if begun:
                await trio.sleep_forever()
            begun.append(True)
            await send_all(data)

        stream.send_all = stuck  # type: ignore[method-assign]
        return stream


@virtually
async def test_a_master_that_does_not_read_loses_the_link_not_the_agent() -> None:
    net, events = _NoReader(), list[Event]()
    listener = await net.listen("memory", 0)

    async def locate(url: str) -> tuple[str, int]:
        return "memory", listener.port

    async def post(event: Event) -> None:
        events.append(event)

    async with trio.open_nursery() as nursery:
        limits = LinkLimits(outbox_frames=10)
        dialer = Dialer(net, locate, post, events.append, nursery, limits)
        dialer.connect(Connect(1, "http://m", "link-1"))
        await wait_all_tasks_blocked()
        assert events == [Linked("link-1")]
        for _ in range(12):
            dialer.send("link-1", protocol.Pong(epoch=1))
            await wait_all_tasks_blocked()
        assert events == [Linked("link-1"), LinkEnded("link-1")]
        dialer.send("link-1", protocol.Pong(epoch=1))  # swallowed
        nursery.cancel_scope.cancel()


@virtually
async def test_a_link_is_cut_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the core sends before it hears of the end is swallowed without a word."""
    link = LinkEnd("link-1", "the master", LinkLimits(outbox_frames=10))
    for _ in range(40):
        link.send_nowait(protocol.Pong(epoch=1))
    assert [record.getMessage() for record in caplog.records] == [
        "link link-1 is cut: the master does not read: 11 frames were waiting"
    ]
    assert link.scope.cancel_called, "no stream yet, so the dialling ends"


@virtually
async def test_a_link_closed_while_it_is_dialled_is_never_heard_of() -> None:
    net, events = MemoryNet(), list[Event]()

    async def locate(url: str) -> tuple[str, int]:
        await trio.sleep_forever()
        raise AssertionError

    async def post(event: Event) -> None:
        events.append(event)

    async with trio.open_nursery() as nursery:
        dialer = Dialer(net, locate, post, events.append, nursery)
        dialer.connect(Connect(1, "http://m", "link-1"))
        await wait_all_tasks_blocked()
        dialer.close("link-1")
        await wait_all_tasks_blocked()
        assert not nursery.child_tasks
        dialer.connect(Connect(1, "http://m", "link-2"))
        await trio.sleep(LinkLimits().dial_timeout_s + 1)
    assert events == [LinkEnded("link-2")]


# Batches ------------------------------------------------------------------------------------------


@virtually
async def test_a_task_runs_and_its_updates_wait_for_acknowledgement(tmp_path: Path) -> None:
    async with staged(tmp_path, noop=True) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        await link.send(run_task(command_task("t1")))
        running = await link.update("TASK_RUNNING", acknowledge=False)
        assert running.status.source == "SOURCE_EXECUTOR"
        assert running.status.agent_id == (link.heard[0]).agent_id  # type: ignore[union-attr]
        again = await link.update("TASK_RUNNING")
        assert again.latest_state == "TASK_FINISHED"
        assert again.status.uuid == running.status.uuid, "not acknowledged: sent again"
        await link.update("TASK_FINISHED")
        await wait_all_tasks_blocked()
        assert stage.shell._life is not None
        assert list(stage.shell._life.core.view()) == ["agent"], "nothing of it is left"


@virtually
async def test_nothing_is_sent_before_it_is_on_disk(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    async with staged(tmp_path / "w", noop=True, trace=trace) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        await wait_all_tasks_blocked()
        stage.disk.stall()
        await link.send(run_task(command_task("t1"), checkpoint=True))
        with trio.move_on_after(5) as patience:
            await link.expect(protocol.Update)
        assert patience.cancelled_caught, "an update came before the task was kept"
        heard = [record["heard"].get("msg", {}).get("kind") for record in records(trace)[0][1:]]
        assert "RunTask" in heard, "but it is in the trace"
        stage.disk.go_on()
        await link.update("TASK_RUNNING")


@virtually
async def test_a_batch_is_one_sync(tmp_path: Path) -> None:
    async with staged(tmp_path, noop=True) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        await wait_all_tasks_blocked()
        before = stage.disk.appends
        await link.send(*(run_task(command_task(f"t{n}"), checkpoint=True) for n in range(50)))
        for _ in range(50):
            await link.expect(protocol.Update)
        assert stage.disk.appends - before < 10


@virtually
async def test_its_trace_tells_it_all_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    async with staged(tmp_path / "w", noop=True, trace=trace) as (stage, nursery):
        link = await stage.master.linked()
        await link.registered()
        await link.send(run_task(command_task("t1"), checkpoint=True))
        await link.update("TASK_RUNNING")
        stage.shell.stop()
        await link.stream.receive_some()
        await trio.sleep(10)
        assert stage.exit_code == 0
        await begin_life(stage, nursery)
        stage.shell.stop()
        await trio.sleep(10)
    first, second = records(trace)
    assert [first[0]["life"], second[0]["life"]] == [1, 2]
    assert first[0]["incarnation"] != second[0]["incarnation"]
    assert second[0]["recovered"]["agent"]["id"] == first[1]["whole"]["agent"]["id"]
    for path in trace.iterdir():
        lines = path.read_bytes().splitlines()
        assert msgspec.json.decode(lines[-1])["heard"] == {"local": "closed"}
        assert replay(lines) == []


# Beginnings and ends ------------------------------------------------------------------------------


@virtually
async def test_what_lives_on_is_taken_up_and_awaited(tmp_path: Path) -> None:
    config = {"executor_reregistration_timeout_us": 2_000_000}
    async with staged(tmp_path, config=config) as (stage, nursery):
        link = await stage.master.linked()
        await link.registered()
        executor = custom_executor()
        await link.send(run_task(task_for(executor, "t1"), executor=executor, checkpoint=True))
        await link.send(run_task(command_task("t2"), framework_id="fw-2"))
        run = await stage.isolator.run_of("e1")
        await stage.isolator.run_of("t2")
        stage.shell.stop()
        await trio.sleep(10)
        first_port = stage.port
        assert stage.exit_code == 0
        assert len(stage.isolator.running) == 2, "an agent that ends leaves both to themselves"

        await begin_life(stage, nursery, **config)
        stage.leaders.show(1, stage.master.host, stage.master.port)
        assert stage.port == first_port, "where the executor would look for its agent"
        assert list(stage.isolator.running) == [run.container_id], "t2 did not checkpoint"
        register = await (await stage.master.linked()).registered()
        assert [task.task_id for task in register.tasks] == ["t1"]
        assert register.tasks[0].state == "TASK_LOST", "nobody came back within two seconds"
        assert stage.isolator.destroyed == [run.container_id]


@virtually
async def test_an_executor_destroyed_before_it_was_started_never_starts(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        executor = custom_executor()
        shutdown = protocol.ShutdownExecutor(epoch=1, framework_id="fw-1", executor_id="e1")
        await link.send(run_task(task_for(executor, "t1"), executor=executor), shutdown)
        update = await link.update("TASK_FAILED")
        assert update.status.message is not None
        assert "destroyed before" in update.status.message
        assert stage.isolator.running == {}


@virtually
async def test_an_executor_that_cannot_be_started_fails_its_task(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        stage.isolator.refuses = "the disk is full of sand"
        await link.send(run_task(command_task("t1")))
        update = await link.update("TASK_FAILED")
        assert update.status.message == "the disk is full of sand"


@virtually
async def test_a_master_may_shut_it_out(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        await link.send(run_task(command_task("t1"), checkpoint=True))
        await stage.isolator.run_of("t1")
        await link.send(protocol.Shutdown(epoch=1, message="you are not wanted"))
        assert await link.next() is None
        await trio.sleep(30)
        assert stage.exit_code == 1
        assert stage.isolator.running == {}, "what it ran is ended before it goes"


@virtually
async def test_told_to_end_everything_it_leaves_no_run(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        await link.send(run_task(command_task("t1"), checkpoint=True))
        await stage.isolator.run_of("t1")
        stage.shell.stop(end_runs=True)
        await trio.sleep(30)
        assert stage.exit_code == 0
        assert stage.isolator.running == {}


@virtually
async def test_two_agents_do_not_share_a_work_directory(tmp_path: Path) -> None:
    async with staged(tmp_path) as (stage, _):
        with pytest.raises(JournalError, match=r"in use by another agent, pid \d+"):
            await Stage(tmp_path, stage.net).live()
        await (await stage.master.linked()).registered()
    with lock_work_dir(tmp_path):
        pass  # and it is free again


@virtually
async def test_what_can_no_longer_be_read_is_no_start(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    path = tmp_path / "meta" / "agent.journal"
    head = {"journal": journals.FORMAT, "version": journals.VERSION, "life": 3}
    stage.disk.files[path] = msgspec.json.encode(head) + b'\n{"agent":{"id":7,"info":[]}}\n'
    await stage.live()
    assert stage.exit_code == 1
    assert b'"life":4' in stage.disk.files[path], "it was a life all the same"
