"""Agent links at the master: framing, hellos, broken and slow agents; in memory, virtual time."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref.link_end import FrameReader
from mesos_ref.master.links import LinkLimits
from mesos_ref.ports.net import Stream
from model_tests.shell.master_bench import accept, hangs_up, mastering, run_one_task, task
from model_tests.shell.memory_net import MemoryListener, MemoryNet, MemoryStream, run_virtually


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
    assert len([r for r in caplog.records if r.name == "mesos_ref.link"]) == 1


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
