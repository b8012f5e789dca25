"""What holds for every network port.  A second implementation joins by being listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio

from mesos_chaos.virtual import seam
from mesos_chaos.virtual.streams import Life, Network, SimNet
from mesos_ref.ports.net import STREAM_OVER, Net, Stream, TrioNet


def simulated_net() -> Net:
    """The second tier's."""
    return SimNet(Network(lambda name: Random(name)), Life(HOST))


IMPLEMENTATIONS: list[Callable[[], Net]] = [TrioNet, simulated_net]

HOST = "127.0.0.1"

every_net = pytest.mark.parametrize("make_net", IMPLEMENTATIONS)


def run_with(make_net: Callable[[], Net], main: Callable[[], Awaitable[None]]) -> None:
    """Run on the clock that the network lives on."""
    if make_net is simulated_net:
        seam.run(lambda whims: main(), 0)
    else:
        trio.run(main)


def with_pair(
    make_net: Callable[[], Net], use: Callable[[Stream, Stream], Awaitable[None]]
) -> None:
    """Run `use(near, far)` on the two ends of a connection."""

    async def main() -> None:
        net = make_net()
        listener = await net.listen(HOST, 0)
        near = await net.connect(HOST, listener.port)
        far = await listener.accept()
        with trio.fail_after(10):
            await use(near, far)
        await near.aclose()
        await far.aclose()
        await listener.aclose()

    run_with(make_net, main)


async def receive_exactly(stream: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.receive_some()
        assert piece, "ended too early"
        data += piece
    return data


@every_net
def test_bytes_arrive_in_order_both_ways(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        await near.send_all(b"there")
        await near.send_all(b" and")
        assert await receive_exactly(far, 9) == b"there and"
        await far.send_all(b"back")
        assert await receive_exactly(near, 4) == b"back"

    with_pair(make_net, use)


@every_net
def test_much_is_sent_while_it_is_received(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        data = bytes(range(256)) * 20_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.send_all, data)
            assert await receive_exactly(far, len(data)) == data

    with_pair(make_net, use)


@every_net
def test_no_more_is_received_than_asked_for(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        await near.send_all(b"abcdef")
        assert len(await far.receive_some(2)) <= 2

    with_pair(make_net, use)


@every_net
def test_half_a_connection_can_end(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        await near.send_all(b"last")
        await near.send_eof()
        assert await receive_exactly(far, 4) == b"last"
        assert await far.receive_some() == b""
        await far.send_all(b"still here")
        assert await receive_exactly(near, 10) == b"still here"

    with_pair(make_net, use)


@every_net
def test_closing_ends_in_order(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        await near.send_all(b"last")
        await near.aclose()
        await near.aclose()
        near.abort()
        assert await receive_exactly(far, 4) == b"last"
        assert await far.receive_some() == b""
        with pytest.raises(trio.ClosedResourceError):
            await near.receive_some()
        with pytest.raises(trio.ClosedResourceError):
            await near.send_all(b"more")

    with_pair(make_net, use)


@every_net
def test_aborting_breaks_the_other_side(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        near.abort()
        near.abort()
        with pytest.raises(trio.BrokenResourceError):
            await far.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await far.send_all(b"anyone?")

    with_pair(make_net, use)


@every_net
def test_aborting_wakes_who_waits_on_this_side(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        async def wait() -> None:
            with pytest.raises(STREAM_OVER):
                await near.receive_some()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            for _ in range(10):  # whoever was started waits by then
                await trio.lowlevel.checkpoint()
            near.abort()

    with_pair(make_net, use)


@every_net
def test_nobody_listens(make_net: Callable[[], Net]) -> None:
    async def main() -> None:
        net = make_net()
        listener = await net.listen(HOST, 0)
        port = listener.port
        await listener.aclose()
        with pytest.raises(ConnectionRefusedError):
            await net.connect(HOST, port)

    run_with(make_net, main)


@every_net
def test_a_port_is_had_once_and_again_after_closing(make_net: Callable[[], Net]) -> None:
    async def main() -> None:
        net = make_net()
        listener = await net.listen(HOST, 0)
        assert (listener.host, listener.port > 0) == (HOST, True)
        with pytest.raises(OSError, match="in use"):
            await net.listen(HOST, listener.port)
        await listener.aclose()
        again = await net.listen(HOST, listener.port)
        assert again.port == listener.port
        await again.aclose()

    run_with(make_net, main)


@every_net
def test_a_peer_has_a_name(make_net: Callable[[], Net]) -> None:
    async def use(near: Stream, far: Stream) -> None:
        assert near.peer.startswith(f"{HOST}:")
        assert far.peer.startswith(f"{HOST}:")
        assert near.peer != far.peer

    with_pair(make_net, use)


@every_net
def test_a_port_that_can_not_be_had_is_named(make_net: Callable[[], Net]) -> None:
    async def main() -> None:
        net = make_net()
        first = await net.listen(HOST, 0)
        where = f"can't listen on {HOST}:{first.port}: Address already in use"
        with pytest.raises(OSError, match=where):
            await net.listen(HOST, first.port)
        await first.aclose()

    run_with(make_net, main)
