"""A TCP proxy in user space: the network between an agent and a master, with a hand on it.

One `Proxy` stands on one direction of dialling (an agent's way to one master) and carries any
number of connections.  It can be cut in either direction or both, delayed, and made to reset
what it carries; every fault has its undo, and `heal` undoes them all.  A cut direction loses
nothing: TCP would retransmit, so what is held back is delivered when the cut ends, unless
the connection was reset or given up meanwhile.  It needs no root and no kernel feature.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from socket import SO_LINGER, SOL_SOCKET

import trio

CHUNK_BYTES = 65_536


class Direction(Enum):
    """Which way bytes travel: `UP` from the dialler (agent) to the target (master)."""

    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class _Pair:
    """One carried connection: both sockets."""

    near: trio.SocketStream
    far: trio.SocketStream


class Proxy:
    """Listens on a free loopback port and carries connections to `target`.

    Start it with `await nursery.start(proxy.serve)`; `port` is known from then on.
    """

    def __init__(self, name: str, target: tuple[str, int]) -> None:
        self.name = name
        self.target = target
        self.port = 0
        self.carried = 0
        self._delay_s = {Direction.UP: 0.0, Direction.DOWN: 0.0}
        self._cut = {Direction.UP: False, Direction.DOWN: False}
        self._changed = trio.Event()
        self._pairs: list[_Pair] = []

    async def serve(self, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and carry, until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            task_status.started(self.port)
            await trio.serve_listeners(self._carry, listeners, handler_nursery=nursery)

    async def _carry(self, near: trio.SocketStream) -> None:
        self.carried += 1
        while all(self._cut.values()):
            await self._changed.wait()
        try:
            far = await trio.open_tcp_stream(*self.target)
        except OSError:
            _reset(near)
            return
        pair = _Pair(near, far)
        self._pairs.append(pair)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, near, far, Direction.UP, nursery.cancel_scope.cancel)
                nursery.start_soon(
                    self._pump, far, near, Direction.DOWN, nursery.cancel_scope.cancel
                )
        finally:
            self._pairs.remove(pair)
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(near)
                await trio.aclose_forcefully(far)

    async def _pump(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        direction: Direction,
        give_up: Callable[[], None],
    ) -> None:
        """Move bytes one way, as late as the delay says, and not at all while cut."""
        send, receive = trio.open_memory_channel[tuple[float, bytes]](1024)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deliver, receive, sink, direction, give_up)
            async with send:
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    while data := await source.receive_some(CHUNK_BYTES):
                        await send.send((trio.current_time() + self._delay_s[direction], data))

    async def _deliver(
        self,
        receive: trio.MemoryReceiveChannel[tuple[float, bytes]],
        sink: trio.SocketStream,
        direction: Direction,
        give_up: Callable[[], None],
    ) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for due, data in receive:
                await trio.sleep_until(due)
                await self._while_cut(direction)
                await sink.send_all(data)
            await self._while_cut(direction)
        give_up()

    async def _while_cut(self, direction: Direction) -> None:
        while self._cut[direction]:
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def cut(self, *directions: Direction) -> Callable[[], None]:
        """Let nothing through in `directions` (both if none is named).  Returns the undo."""
        chosen = directions or (Direction.UP, Direction.DOWN)
        for direction in chosen:
            self._cut[direction] = True
        self._change()

        def mend() -> None:
            for direction in chosen:
                self._cut[direction] = False
            self._change()

        return mend

    def delay(self, delay_s: float, *directions: Direction) -> Callable[[], None]:
        """Deliver `delay_s` s late in `directions` (both if none is named).  Returns the undo."""
        chosen = directions or (Direction.UP, Direction.DOWN)
        for direction in chosen:
            self._delay_s[direction] = delay_s

        def mend() -> None:
            for direction in chosen:
                self._delay_s[direction] = 0.0

        return mend

    @property
    def carries(self) -> int:
        """How many connections it carries now."""
        return len(self._pairs)

    def reset(self) -> int:
        """Reset what is carried, as a router that lost its table would.  Returns how many."""
        pairs = list(self._pairs)
        for pair in pairs:
            _reset(pair.near)
            _reset(pair.far)
        return len(pairs)

    def heal(self) -> None:
        """Undo every fault that is still on."""
        self._delay_s = {Direction.UP: 0.0, Direction.DOWN: 0.0}
        self._cut = {Direction.UP: False, Direction.DOWN: False}
        self._change()


def _reset(stream: trio.SocketStream) -> None:
    """Close so that the peer sees a reset, not an orderly end."""
    with contextlib.suppress(OSError):
        stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


class Proxies:
    """All proxies of a cluster: one for each way an agent may dial a master."""

    def __init__(self, start: Callable[[Proxy], Awaitable[int]]) -> None:
        self._start = start
        self._by_way: dict[tuple[str, str], Proxy] = {}

    async def between(self, agent: str, master: str, target: tuple[str, int]) -> Proxy:
        """The proxy that `agent` dials to reach `master`, started on first use."""
        key = (agent, master)
        if key not in self._by_way:
            proxy = Proxy(f"{agent}→{master}", target)
            await self._start(proxy)
            self._by_way[key] = proxy
        return self._by_way[key]

    def of(self, agent: str) -> list[Proxy]:
        """Every way `agent` has to a master."""
        return [p for (a, _), p in sorted(self._by_way.items()) if a == agent]

    def all(self) -> list[Proxy]:
        """Every proxy, by agent and master."""
        return [p for _, p in sorted(self._by_way.items())]
