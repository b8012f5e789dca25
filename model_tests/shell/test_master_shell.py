"""The master's shell: connections, leadership, order of deeds; in memory, on a clock that jumps."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref import replay, runtime
from mesos_ref.election.interface import Candidate, Leader
from mesos_ref.http.messages import Limits
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore, violations
from mesos_ref.master.events import Event
from mesos_ref.master.links import FrameReader, LinkLimits
from mesos_ref.ports.net import STREAM_OVER, Stream
from mesos_ref.step import Step
from mesos_ref.trace import TraceWriter, header
from mesos_ref.wire.v1 import MasterInfo
from model_tests.shell.master_bench import (
    NODE,
    Bench,
    ChosenElection,
    accept,
    make,
    mastering,
    subscribe_call,
    task,
)
from model_tests.shell.memory_net import MemoryListener, MemoryNet, MemoryStream, run_virtually

# --- one task's life ------------------------------------------------------------------------------


async def run_one_task(bench: Bench) -> None:
    """From registration to the last acknowledgement."""
    agent = await bench.agent()
    framework = await bench.subscribe()
    offers = (await framework.expect("OFFERS"))["offers"]["offers"]
    assert [offer["agent_id"]["value"] for offer in offers] == ["a1"]
    assert (await framework.call("ACCEPT", accept(offers, task("t1")))).status == 202
    run = await agent.expect(frames.RunTask)
    assert run.task.task_id == "t1"
    await agent.update(framework.framework_id, "t1", "TASK_FINISHED", b"u" * 16)
    status = (await framework.expect("UPDATE"))["update"]["status"]
    assert status["state"] == "TASK_FINISHED"
    part = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
    answer = await framework.call("ACKNOWLEDGE", part)
    assert (answer.status, answer.body) == (202, b"")
    assert (await agent.expect(frames.Ack)).uuid == b"u" * 16
    await framework.leave()


def test_a_task_runs_through_all_of_it() -> None:
    async def main() -> None:
        async with mastering() as bench:
            await run_one_task(bench)
            assert violations(bench.core) == []
        assert bench.outcome == "stopped"
        assert [what for what, _ in bench.said] == ["serving", "leading"]

    run_virtually(main)


def test_what_the_shell_traces_replays_to_the_same_effects() -> None:
    lines: list[bytes] = []

    def recorder(core: MasterCore, config: MasterConfig) -> TraceWriter:
        first = header(
            role="master",
            node="m",
            incarnation=NODE,
            wall_us=0,
            config=tracing.config_of(config, NODE),
        )
        return TraceWriter(lines.append, first, core)

    async def main() -> None:
        async with mastering(recorder_of=recorder) as bench:
            await run_one_task(bench)

    run_virtually(main)
    said = [json.loads(line) for line in b"".join(lines).splitlines()]
    heard = [record["heard"] for record in said[1:]]
    assert heard[0]["local"] == "elected"
    assert [one["local"] for one in heard[-2:]] == ["deposed", "closed"]
    foreign = [one["id"] for one in heard if one.get("from") == "scheduler"]
    assert foreign == [["ext", 2**32], ["ext", 2**32 + 1], ["ext", 2**32 + 2]]
    assert replay.replay(b"".join(lines).splitlines()) == []


# --- links ----------------------------------------------------------------------------------------


def test_frames_are_found_in_any_pieces() -> None:
    @given(st.lists(st.binary(min_size=2, max_size=300), max_size=8), st.data())
    def check(bodies: list[bytes], data: st.DataObject) -> None:
        stream = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
        reader, found = FrameReader(), []
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            reader.feed(stream[start:end])
            found += list(reader.bodies())
        assert found == bodies

    check()


async def hangs_up(stream: Stream) -> bool:
    """Whether the master ends a connection, without a frame."""
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">I", 0),
        struct.pack(">I", 2) + b"{}",
        struct.pack(">I", 2**31),
        struct.pack(">I", 31) + b'{"version":2,"connection":"c1"}',
        struct.pack(">I", 30) + b'{"version":1,"connection": ""}',
    ],
    ids=["http", "empty", "no hello", "huge", "other version", "no name"],
)
def test_what_is_no_hello_costs_the_connection_and_nothing_else(
    first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with mastering() as bench:
            await wait_all_tasks_blocked()
            before = bench.core.view()
            stream = await bench.net.connect("memory", bench.link_port)
            await stream.send_all(first)
            assert await hangs_up(stream)
            assert bench.core.view() == before
            await run_one_task(bench)

    run_virtually(main)
    assert len([r for r in caplog.records if r.name == "mesos_ref.links"]) == 1


def test_a_silent_connection_is_hung_up_on_after_the_hello_timeout() -> None:
    async def main() -> None:
        async with mastering(link_limits=LinkLimits(hello_timeout_s=5)) as bench:
            start = trio.current_time()
            stream = await bench.net.connect("memory", bench.link_port)
            await stream.send_all(b"\0\0")
            assert await hangs_up(stream)
            assert trio.current_time() - start == pytest.approx(5)

    run_virtually(main)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (frames.encode(frames.Pong(epoch=1), 7), "frame 7 came where 1 was due"),
        (frames.encode(frames.Pong(epoch=1), 0), "frame 0 came where 1 was due"),
        (struct.pack(">I", 8) + b"not json", "not a frame"),
        (struct.pack(">I", 17 << 20), "expected 2 to"),
        (struct.pack(">I", 28) + b'{"kind":"Ping","n":1,"e":{}}', "an agent sends no 'Ping'"),
    ],
    ids=["ahead", "again", "garbage", "too long", "a master's"],
)
def test_a_broken_link_disconnects_its_agent(
    said: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with mastering() as bench:
            agent = await bench.agent("a1")
            await bench.agent("a2")
            await agent.stream.send_all(said)
            assert await hangs_up(agent.stream)
            await wait_all_tasks_blocked()
            view = bench.core.view()
            standings = [view[f"agents/{name}"]["standing"] for name in ("a1", "a2")]
            assert standings == ["disconnected", "registered"]

    run_virtually(main)
    assert why in caplog.text


def test_two_links_can_not_have_one_name() -> None:
    async def main() -> None:
        async with mastering() as bench:
            first = await bench.dial("a1", link="same")
            await first.register()
            await first.expect(frames.Registered)
            second = await bench.dial("a2", link="same")
            assert await hangs_up(second.stream)
            await first.update("nobody", "t", "TASK_RUNNING")
            await wait_all_tasks_blocked()
            assert bench.core.view()["agents/a1"]["standing"] == "registered"

    run_virtually(main)


def test_an_agent_that_is_shut_out_hears_why_before_the_link_ends() -> None:
    async def main() -> None:
        async with mastering() as bench:
            agent = await bench.dial()
            await agent.register(version="0.28.0")
            shutdown = await agent.next_frame()
            assert isinstance(shutdown, frames.Shutdown)
            assert "older than 1.0.0" in shutdown.message
            assert await agent.next_frame() is None

    run_virtually(main)


def test_an_agent_that_does_not_hang_up_is_cut_after_the_farewell() -> None:
    async def main() -> None:
        async with mastering(link_limits=LinkLimits(farewell_s=3)) as bench:
            agent = await bench.dial()
            await agent.register(version="0.28.0")
            assert await agent.expect(frames.Shutdown)
            start = trio.current_time()
            await agent.register()  # too late: not heard
            while True:
                try:
                    await agent.stream.send_all(b"\0")
                except trio.BrokenResourceError:
                    break
                await trio.sleep(0.5)
            assert trio.current_time() - start == pytest.approx(3, abs=0.6)
            assert "agents/a1" not in bench.core.view()

    run_virtually(main)


class StuckStream(MemoryStream):
    """A connection whose other side does not read: sending waits until it is aborted."""

    aborted: trio.Event

    async def send_all(self, data: bytes) -> None:
        await self.aborted.wait()
        raise trio.ClosedResourceError

    def abort(self) -> None:
        super().abort()
        self.aborted.set()


class CountingStream(MemoryStream):
    """Knows what was sent in one piece."""

    pieces: list[bytes]

    async def send_all(self, data: bytes) -> None:
        self.pieces.append(data)
        await super().send_all(data)


class ShapedNet(MemoryNet):
    """A network where the master's end of links is of another class."""

    def __init__(self, kind: type[MemoryStream]) -> None:
        super().__init__()
        self.kind = kind
        self.pieces: list[bytes] = []

    async def listen(self, host: str, port: int) -> MemoryListener:
        listener = await super().listen(host, port)
        if len(self.listeners) == 2:  # HTTP comes first
            accept = listener.accept

            async def accept_shaped() -> Stream:
                stream: Any = await accept()
                stream.__class__ = self.kind
                stream.pieces, stream.aborted = self.pieces, trio.Event()
                return stream  # type: ignore[no-any-return]

            listener.accept = accept_shaped  # type: ignore[method-assign]
        return listener


def test_an_agent_that_does_not_read_is_cut_and_holds_nobody_up() -> None:
    async def main() -> None:
        limits = LinkLimits(outbox_frames=20)
        async with mastering(net=ShapedNet(StuckStream), link_limits=limits) as bench:
            agent = await bench.dial()
            await agent.register(cpus=30)
            framework = await bench.subscribe()
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            tasks = [task(f"t{n}") for n in range(30)]
            assert (await framework.call("ACCEPT", accept(offers, *tasks))).status == 202
            await wait_all_tasks_blocked()
            assert bench.core.view()["agents/a1"]["standing"] == "disconnected"

    run_virtually(main)


def test_the_frames_of_a_batch_leave_in_one_piece() -> None:
    net = ShapedNet(CountingStream)

    async def main() -> None:
        async with mastering(net=net) as bench:
            agent = await bench.agent(cpus=30)
            framework = await bench.subscribe()
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            net.pieces.clear()
            await framework.call("ACCEPT", accept(offers, *[task(f"t{n}") for n in range(30)]))
            for _ in range(30):
                await agent.expect(frames.RunTask)
            assert len(net.pieces) == 1

    run_virtually(main)


def test_links_beyond_the_limit_are_hung_up_on() -> None:
    async def main() -> None:
        async with mastering(link_limits=LinkLimits(links=2)) as bench:
            first = await bench.agent("a1")
            await bench.agent("a2")
            third = await bench.net.connect("memory", bench.link_port)
            assert await hangs_up(third)
            await first.stream.aclose()
            await wait_all_tasks_blocked()
            await bench.agent("a3")

    run_virtually(main)


# --- streams --------------------------------------------------------------------------------------


def test_a_heartbeat_follows_subscribed_at_once_and_then_every_interval() -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()
            assert framework.subscribed["heartbeat_interval_seconds"] == 15.0
            start, times = trio.current_time(), []
            for _ in range(4):
                assert await framework.next_event() == {"type": "HEARTBEAT"}
                times.append(round(trio.current_time() - start))
            assert times == [0, 15, 30, 45]

    run_virtually(main)


def test_a_scheduler_that_goes_away_is_noticed_at_once() -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()
            await framework.leave()
            await wait_all_tasks_blocked()
            view = bench.core.view()
            assert view[f"frameworks/{framework.framework_id}"]["standing"] == "disconnected"
            answer = await framework.call("REVIVE")
            assert (answer.status, answer.body) == (403, b"Framework is not subscribed")

    run_virtually(main)


def test_a_scheduler_that_does_not_keep_up_loses_its_stream() -> None:
    async def main() -> None:
        async with mastering(http_limits=Limits(outbox_records=5)) as bench:
            await bench.agent()
            framework = await bench.subscribe()
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            bad = [task(f"t{n}", cpus=100) for n in range(10)]  # ten updates at once
            assert (await framework.call("ACCEPT", accept(offers, *bad))).status == 202
            await wait_all_tasks_blocked()
            view = bench.core.view()
            assert view[f"frameworks/{framework.framework_id}"]["standing"] == "disconnected"
            again = await bench.subscribe(framework.framework_id)
            assert again.framework_id == framework.framework_id

    run_virtually(main)


def test_a_scheduler_that_hangs_up_before_it_is_answered_is_disconnected() -> None:
    async def main() -> None:
        async with mastering() as bench:
            stream = await bench.net.connect("memory", bench.port)
            body = json.dumps(subscribe_call("fw")).encode()
            head = (
                b"POST /api/v1/scheduler HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
            )
            await stream.send_all(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            await stream.aclose()
            await wait_all_tasks_blocked()
            assert bench.core.view()["frameworks/fw"]["standing"] == "disconnected"

    run_virtually(main)


# --- leadership -----------------------------------------------------------------------------------


def test_a_master_that_does_not_lead_hears_neither_agents_nor_schedulers() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            agent = await bench.net.connect("memory", bench.link_port)
            assert await hangs_up(agent)
            answer = await bench.post(subscribe_call())
            assert (answer.status, answer.body) == (503, b"No leader elected")
            assert bench.core.view() == {}
            election.elect(3)
            await wait_all_tasks_blocked()
            assert bench.said[-1] == ("leading", {"epoch": 3})
            agent2 = await bench.dial(epoch=3)
            await agent2.register()
            assert (await agent2.expect(frames.Registered)).epoch == 3

    run_virtually(main)


def test_a_deposed_master_tells_its_core_closes_everything_and_ends() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            framework = await bench.subscribe()
            election.depose(1)
            while (event := await framework.next_event()) is not None:
                assert event["type"] == "HEARTBEAT"  # then it ends in order
            await wait_all_tasks_blocked()
            assert bench.outcome == "deposed"
            assert election.has_resigned
            assert bench.core.view() == {}
            with pytest.raises(STREAM_OVER):
                await bench.net.connect("memory", bench.port)

    run_virtually(main)


def test_an_agent_that_knows_a_newer_leader_deposes_this_one() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            agent = await bench.dial()
            await agent.register(newest_epoch=2)
            await wait_all_tasks_blocked()
            assert bench.outcome == "deposed"
            assert bench.said[-1] == ("deposed", {"why": "epoch 2 has begun, this is 1"})
            assert election.has_resigned

    run_virtually(main)


def test_calls_that_nobody_will_answer_are_answered_503() -> None:
    answers: list[int] = []

    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            framework = await bench.subscribe()
            owner = bench.shell._owner
            post = owner.post

            async def post_and_fall(event: Event) -> None:
                await post(event)
                bench.shell._fall("the test said so")

            bench.shell.schedulers._post = post_and_fall
            answers.append((await framework.call("REVIVE")).status)

    run_virtually(main)
    assert answers == [503]


def test_a_core_that_raises_ends_the_master_with_nothing_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()

            def broken(event: Event, now_us: int) -> Step:
                raise KeyError("planted")

            bench.core.handle = broken  # type: ignore[method-assign]
            answer = await framework.call("REVIVE")
            assert answer.status == 503
            await wait_all_tasks_blocked()
            assert isinstance(bench.outcome, runtime.CoreFailed)

    run_virtually(main)
    assert "planted" in caplog.text


def test_a_port_that_is_taken_is_said_and_the_other_is_let_go() -> None:
    class OnePortNet(MemoryNet):
        closed = 0

        async def listen(self, host: str, port: int) -> MemoryListener:
            if self.listeners:
                raise OSError("address already in use")
            listener = await super().listen(host, port)
            aclose = listener.aclose

            async def counted() -> None:
                self.closed += 1
                await aclose()

            listener.aclose = counted  # type: ignore[method-assign]
            return listener

    net = OnePortNet()

    async def main() -> None:
        bench = make(net=net)
        await bench.run()
        assert isinstance(bench.outcome, OSError)

    run_virtually(main)
    assert net.closed == 1


def test_the_newest_leader_known_is_shown() -> None:
    def leader(epoch: int, port: int) -> Leader:
        return Leader(epoch, Candidate(MasterInfo(id="x", ip=0, port=port, hostname="h")))

    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            places: list[Sequence[str | None]] = []
            for shown in (leader(1, 1), leader(2, 2), None):
                election.show(shown)
                await wait_all_tasks_blocked()
                answer = await bench.request("GET", "/redirect")
                said = answer.headers.get("location"), answer.headers.get("mesos-ref-epoch")
                places.append(said)
            election.show(leader(2, 2))
            election.elect(3)
            await wait_all_tasks_blocked()
            answer = await bench.request("GET", "/redirect")
            places.append((answer.headers.get("location"), answer.headers.get("mesos-ref-epoch")))
            assert places == [
                ("//h:1", "1"),
                ("//h:2", "2"),
                (None, None),
                (f"//memory:{bench.port}", "3"),
            ]

    run_virtually(main)
