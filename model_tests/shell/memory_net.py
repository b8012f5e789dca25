"""A network in memory for tests: streams that deliver at once and reset never.

Under `trio.testing.MockClock` nothing here waits for the kernel, so timeouts can be tested without
waiting for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import trio
from trio.testing import MockClock, memory_stream_pair

from mesos_ref.http.messages import Limits, Request
from mesos_ref.http.server import Handler, serve
from mesos_ref.ports.net import Stream

Pair = trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]


class MemoryStream:
    """One end of a connection."""

    def __init__(self, pair: Pair, peer: str) -> None:
        self._pair = pair
        self.peer = peer
        self.was_aborted = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._pair.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        await self._pair.send_all(data)

    async def send_eof(self) -> None:
        await self._pair.send_eof()

    async def aclose(self) -> None:
        await self._pair.aclose()

    def abort(self) -> None:
        self.was_aborted = True
        self._pair.send_stream.close()
        self._pair.receive_stream.close()


class MemoryListener:
    """What `MemoryNet.listen` gives."""

    host = "memory"

    def __init__(self, port: int) -> None:
        self.port = port
        self._names = count()
        self._queue, self._incoming = trio.open_memory_channel[MemoryStream](1000)

    async def accept(self) -> Stream:
        return await self._incoming.receive()

    async def aclose(self) -> None:
        await self._queue.aclose()

    def dial(self) -> MemoryStream:
        near, far = memory_stream_pair()
        self._queue.send_nowait(MemoryStream(far, f"client:{next(self._names)}"))
        return MemoryStream(near, f"memory:{self.port}")


class MemoryNet:
    """Listeners by port."""

    def __init__(self) -> None:
        self.listeners: dict[int, MemoryListener] = {}
        self.connections_made = 0

    async def listen(self, host: str, port: int) -> MemoryListener:
        port = port or 40_000 + len(self.listeners)
        self.listeners[port] = MemoryListener(port)
        return self.listeners[port]

    async def connect(self, host: str, port: int) -> Stream:
        if port not in self.listeners:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        self.connections_made += 1
        return self.listeners[port].dial()


def run_virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run an async function on a clock that jumps over all waiting."""
    trio.run(main, clock=MockClock(autojump_threshold=0))


def never(error: Exception, request: Request) -> None:
    """An `on_error` for handlers that must not fail."""
    raise AssertionError(f"the handler of {request.target} failed") from error


@asynccontextmanager
async def serving(
    handler: Handler,
    limits: Limits | None = None,
    on_error: Callable[[Exception, Request], None] = never,
    net: MemoryNet | None = None,
) -> AsyncIterator[MemoryListener]:
    """A server in memory, while the block runs."""
    listener = await (net or MemoryNet()).listen("memory", 0)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await serve(listener, handler, limits=limits, on_error=on_error)

        nursery.start_soon(run)
        yield listener
        nursery.cancel_scope.cancel()


async def read_all(stream: Stream) -> bytes:
    """Everything until the other side ends."""
    data = b""
    while piece := await stream.receive_some():
        data += piece
    return data


async def talk(listener: MemoryListener, *pieces: bytes) -> bytes:
    """Dial, send the pieces one by one, finish, and return all that comes back."""
    stream = listener.dial()
    for piece in pieces:
        await stream.send_all(piece)
        await trio.testing.wait_all_tasks_blocked()
    await stream.send_eof()
    return await read_all(stream)
