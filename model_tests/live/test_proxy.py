"""The network with a hand on it: what a cut, a delay and a reset do to a carried connection."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import pytest
import trio

from mesos_chaos.live.proxy import Direction, Proxies, Proxy


async def _echo(stream: trio.SocketStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        while data := await stream.receive_some(1024):
            await stream.send_all(data.upper())


async def _with_proxy(body: Callable[[Proxy, trio.SocketStream], Awaitable[None]]) -> None:
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, _echo, listeners)
            target = ("127.0.0.1", listeners[0].socket.getsockname()[1])

            async def start(proxy: Proxy) -> int:
                return int(await nursery.start(proxy.serve))

            proxies = Proxies(start)
            proxy = await proxies.between("a1", "m1", target)
            assert await proxies.between("a1", "m1", target) is proxy
            assert proxies.of("a1") == proxies.all() == [proxy]
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
                await body(proxy, stream)
            nursery.cancel_scope.cancel()


def test_carries_both_ways() -> None:
    async def body(proxy: Proxy, stream: trio.SocketStream) -> None:
        await stream.send_all(b"hello")
        assert await stream.receive_some(10) == b"HELLO"
        assert proxy.carried == 1

    trio.run(_with_proxy, body)


@pytest.mark.parametrize("directions", [(Direction.UP,), (Direction.DOWN,), ()])
def test_a_cut_holds_back_and_its_undo_delivers(directions: tuple[Direction, ...]) -> None:
    async def body(proxy: Proxy, stream: trio.SocketStream) -> None:
        await stream.send_all(b"a")
        assert await stream.receive_some(1) == b"A"
        mend = proxy.cut(*directions)
        await stream.send_all(b"b")
        with trio.move_on_after(0.2) as waited:
            await stream.receive_some(1)
        assert waited.cancelled_caught, "something came through a cut"
        mend()
        assert await stream.receive_some(1) == b"B"

    trio.run(_with_proxy, body)


def test_a_delay_is_kept_and_undone() -> None:
    async def body(proxy: Proxy, stream: trio.SocketStream) -> None:
        mend = proxy.delay(0.15)
        began = trio.current_time()
        await stream.send_all(b"a")
        await stream.receive_some(1)
        assert trio.current_time() - began >= 0.3, "0.15 s each way"
        mend()
        proxy.heal()
        await stream.send_all(b"b")
        assert await stream.receive_some(1) == b"B"

    trio.run(_with_proxy, body)


def test_a_reset_breaks_what_is_carried() -> None:
    async def body(proxy: Proxy, stream: trio.SocketStream) -> None:
        await stream.send_all(b"a")
        await stream.receive_some(1)
        assert proxy.reset() == 1
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some(1)
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as again:
            await again.send_all(b"c")
            assert await again.receive_some(1) == b"C"

    trio.run(_with_proxy, body)


def test_a_target_that_is_down_is_a_reset() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            gone = await trio.open_tcp_listeners(0, host="127.0.0.1")
            target = ("127.0.0.1", gone[0].socket.getsockname()[1])
            await gone[0].aclose()
            proxy = Proxy("a1→m1", target)
            await nursery.start(proxy.serve)
            async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some(1)
            nursery.cancel_scope.cancel()

    trio.run(main)
