"""A simulated network: byte streams between machines, which arrive later, or not for a while.

A machine is a name; a *way* leads from one to another, and has its own random stream of delays.  On
each direction of a connection bytes keep their order.  A way that is cut delivers nothing until it
is mended, and then everything, as TCP does; so both ends of a broken road believe in their
connection until somebody gives up.  A process that is killed says nothing more: its machine ends
its connections, and nobody listens at its ports.
"""

from __future__ import annotations

import errno
import random
from collections import deque
from collections.abc import Callable
from itertools import count
from math import inf

import trio
from trio.lowlevel import ParkingLot, cancel_shielded_checkpoint, checkpoint_if_cancelled

from mesos_chaos.virtual import seam
from mesos_ref.ports.net import Stream

LATENCY_S = (0.000_1, 0.001_5)
UNREAD_BYTES = 256 * 1024  #: that a direction takes before its sender has to wait
_END, _RESET = "end", "reset"


class Life:
    """One life of a process, as its ports see it: once it is dead, they do nothing."""

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self.dead = False
        self.killed = False  #: it did not end by itself
        self.scope = trio.CancelScope()
        self.streams: dict[SimStream, None] = {}
        self.listeners: dict[SimListener, None] = {}

    def end(self, network: Network) -> None:
        """The process is gone: its machine closes what it had open."""
        self.dead = True
        for listener in list(self.listeners):
            listener.close()
        for stream in list(self.streams):
            stream.out.put(_RESET)
            network.forget(stream)
        self.streams.clear()


class Way:
    """What lies between two machines, in one direction."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.cuts = 0
        self.extra_s = 0.0
        self.pipes: dict[Pipe, None] = {}
        self._mended = trio.Event()

    def delay_s(self) -> float:
        """How long the next piece takes."""
        return self.dice.uniform(*LATENCY_S) + self.extra_s

    async def cross(self) -> None:
        """Get over it: at once, or once it is mended."""
        await seam.sleep(self.delay_s())
        while self.cuts:
            await self._mended.wait()

    def mend(self) -> None:
        """One cut less."""
        self.cuts -= 1
        if not self.cuts:
            self._mended.set()
            self._mended = trio.Event()
            for pipe in list(self.pipes):
                pipe.stir()


class Pipe:
    """One direction of a connection.

    Its reader sleeps until something has arrived; an alarm is set for the oldest piece under way.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.unread = 0
        self.is_reset = False  #: its reader has seen the reset
        self.is_ended = False
        self.closed = False  #: nobody reads any more
        self._pieces: deque[tuple[float, bytes | str]] = deque()
        self._last_s = 0.0
        self._clock = seam.clock()
        self._alarm_s = inf  #: when readers are woken next
        self._readers = ParkingLot()
        self._writers = ParkingLot()
        way.pipes[self] = None

    def stir(self) -> None:
        """Have whoever waits look again."""
        self._readers.unpark_all()
        self._writers.unpark_all()

    def put(self, piece: bytes | str) -> None:
        """Send bytes, or the end of them."""
        self._last_s = max(self._last_s, self._clock.current_time() + self.way.delay_s())
        self._pieces.append((self._last_s, piece))
        self.unread += len(piece) if isinstance(piece, bytes) else 0
        if self._readers:
            self._set_alarm()

    def _set_alarm(self) -> None:
        """Wake readers when the oldest piece arrives; over a way that is cut, none does."""
        if self._pieces and not self.way.cuts and self._pieces[0][0] < self._alarm_s:
            self._alarm_s = self._pieces[0][0]
            self._clock.at(self._alarm_s, self._ring)

    def _ring(self) -> None:
        self._alarm_s = inf
        self._readers.unpark_all()

    def drop_unsent(self) -> None:
        """What has not arrived yet, never will."""
        now_s = self._clock.current_time()
        while self._pieces and self._pieces[-1][0] > now_s:
            _, piece = self._pieces.pop()
            self.unread -= len(piece) if isinstance(piece, bytes) else 0

    def break_now(self) -> None:
        """The reader finds the connection broken, whatever was under way."""
        self._pieces.clear()
        self.unread, self.is_reset = 0, True
        self.stir()

    @property
    def was_reset(self) -> bool:
        """Whether a reset has arrived, be it behind bytes that nobody has read."""
        if self.is_reset or not self._pieces or self.way.cuts:
            return self.is_reset
        at_s, piece = self._pieces[-1]
        return piece == _RESET and at_s <= self._clock.current_time()

    async def room(self) -> None:
        """Return once little is unread, or nobody reads."""
        while self.unread > UNREAD_BYTES and not self.closed and not self.is_reset:
            await self._writers.park()

    async def get(self, most: int) -> bytes:
        """The next bytes that have arrived; none at the end.  Raises as `Stream` does."""
        await checkpoint_if_cancelled()
        has_waited = False
        while (piece := self._arrived(most)) is None:
            self._set_alarm()
            await self._readers.park()
            has_waited = True
        if not has_waited:
            await cancel_shielded_checkpoint()
        return piece

    def _arrived(self, most: int) -> bytes | None:
        """What has arrived and was not read: the next bytes, or an end; None: nothing."""
        while True:
            if self.closed:
                raise trio.ClosedResourceError("this side has closed the connection")
            if self.is_reset:
                raise trio.BrokenResourceError("the connection was reset")
            if self.is_ended:
                return b""
            pieces = self._pieces
            if not pieces or self.way.cuts or pieces[0][0] > self._clock.current_time():
                return None
            piece = self._take(most)
            if isinstance(piece, bytes):
                return piece
            self.is_reset, self.is_ended = piece == _RESET, piece == _END

    def _take(self, most: int) -> bytes | str:
        at_s, piece = self._pieces.popleft()
        if isinstance(piece, bytes):
            if len(piece) > most:
                self._pieces.appendleft((at_s, piece[most:]))
                piece = piece[:most]
            self.unread -= len(piece)
            self._writers.unpark_all()
        return piece


class SimStream:
    """One end of a connection, in the hands of a process."""

    def __init__(self, network: Network, life: Life, peer: str, out: Pipe, back: Pipe) -> None:
        self.peer = peer
        self.out, self.back = out, back
        self._network = network
        self._life = life
        self._closed = self._finished = False
        life.streams[self] = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self.back.get(max_bytes or 65_536)

    async def send_all(self, data: bytes) -> None:
        """Send bytes; waits while much is unread.  The dead send nothing.  Raises as `Stream`."""
        await trio.lowlevel.checkpoint()
        if self._life.dead:
            return
        if self._closed or self._finished:
            raise trio.ClosedResourceError("this side has finished the connection")
        if self.back.was_reset or (self.out.closed and self.back.is_ended):
            raise trio.BrokenResourceError("the connection was reset")
        self._network.pieces += 1
        self.out.put(bytes(data))
        await self.out.room()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self._finished and not self._closed and not self._life.dead:
            self._finished = True
            self.out.put(_END)
            self._network.stir()

    async def aclose(self) -> None:
        self._close(_END)
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        if not self._closed and not self._life.dead:
            self.out.drop_unsent()
        self._close(_RESET)

    def _close(self, how: str) -> None:
        if self._closed or self._life.dead:
            return
        self._closed = True
        if how == _RESET or not self._finished:
            self.out.put(how)
        self._life.streams.pop(self, None)
        self._network.forget(self)


class SimListener:
    """A port of a machine."""

    def __init__(self, network: Network, life: Life, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.life = life
        self._network = network
        self._waiting: deque[SimStream] = deque()
        self._news = trio.Event()
        self._names = count(1)
        life.listeners[self] = None

    def knock(self, stream: SimStream) -> None:
        """Somebody has dialled."""
        self._waiting.append(stream)
        self._news.set()

    def name_of(self, machine: str) -> str:
        """What the next one to dial from there is called."""
        return f"{machine}:{next(self._names)}"

    async def accept(self) -> Stream:
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            self._news = trio.Event()
            await self._news.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Nobody is let in any more; who waits at the door is sent away."""
        while self._waiting:
            self._waiting.popleft().abort()
        self._network.listeners.pop((self.host, self.port), None)
        self.life.listeners.pop(self, None)

    async def aclose(self) -> None:
        if not self.life.dead:
            self.close()
        await trio.lowlevel.checkpoint()


class SimNet:
    """The network port of one life of a process."""

    def __init__(self, network: Network, life: Life) -> None:
        self._network, self._life = network, life

    async def listen(self, host: str, port: int) -> SimListener:
        await trio.lowlevel.checkpoint()
        network = self._network
        chosen = port or next(network.ports)
        if (host, chosen) in network.listeners:
            why = f"can't listen on {host}:{chosen}: Address already in use"
            raise OSError(errno.EADDRINUSE, why)
        made = network.listeners[host, chosen] = SimListener(network, self._life, host, chosen)
        return made

    async def connect(self, host: str, port: int) -> Stream:
        """Dial: there and back, over ways that may be cut.  Raises `ConnectionRefusedError`."""
        network, near = self._network, self._life.machine
        there, back = network.way(near, host), network.way(host, near)
        await there.cross()
        if self._life.dead:
            raise ConnectionAbortedError(errno.ECONNABORTED, "who was killed dials nobody")
        listener = network.listeners.get((host, port))
        if listener is None:
            await back.cross()
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens on {host}:{port}")
        up, down = Pipe(there), Pipe(back)
        mine = SimStream(network, self._life, f"{host}:{port}", up, down)
        theirs = SimStream(network, listener.life, listener.name_of(near), down, up)
        network.connected(near, host, mine, theirs)
        listener.knock(theirs)
        try:
            await back.cross()
        except BaseException:
            mine.abort()  # who does not wait for the answer does not keep the connection
            raise
        return mine


class Network:
    """All machines and what lies between them.  `random(name)` gives a named random stream."""

    def __init__(self, random_stream: Callable[[str], random.Random]) -> None:
        self.listeners: dict[tuple[str, int], SimListener] = {}
        self.ports = count(40_000)
        self.pieces = 0  #: how often somebody has sent something
        self.stirred_s = 0.0  #: when a connection between machines has ended, or may be seen to
        self._random = random_stream
        self._ways: dict[tuple[str, str], Way] = {}
        self._open: dict[SimStream, tuple[str, str]] = {}

    def way(self, near: str, far: str) -> Way:
        """From one machine to another."""
        way = self._ways.get((near, far))
        if way is None:
            way = self._ways[near, far] = Way(self._random(f"way {near} {far}"))
        return way

    def connected(self, near: str, far: str, *ends: SimStream) -> None:
        """A connection is there."""
        self._open.update(dict.fromkeys(ends, (near, far)))

    def forget(self, end: SimStream) -> None:
        """One end of a connection is closed: it reads no more."""
        end.back.closed = True
        end.back.stir()
        end.back.way.pipes.pop(end.back, None)
        near, far = self._open.pop(end, ("", ""))
        if near != far:
            self.stir()

    def stir(self) -> None:
        """Something was done to connections, of which somebody is to hear."""
        self.stirred_s = trio.current_time()

    # ---- faults ------------------------------------------------------------------------------
    def cut(self, *ways: tuple[str, str]) -> Callable[[], None]:
        """Nothing gets over these ways, until the result is called."""
        cut = [self.way(*each) for each in ways]
        for way in cut:
            way.cuts += 1

        def mend() -> None:
            for way in cut:
                way.mend()
            self.stir()

        return _once(mend)

    def delay(self, extra_us: int, *ways: tuple[str, str]) -> Callable[[], None]:
        """Everything takes so much longer on these ways, until the result is called."""
        slow = [self.way(*each) for each in ways]

        def add(seconds: float) -> None:
            for way in slow:
                way.extra_s += seconds
            self.stir()

        add(extra_us / 1e6)
        return _once(lambda: add(-extra_us / 1e6))

    def reset(self, one: str, other: str) -> int:
        """Break every connection between two machines; how many ends there were."""
        ends = [end for end, between in self._open.items() if set(between) == {one, other}]
        for end in ends:
            end.back.break_now()
        self.stir()
        return len(ends)


def _once(undo: Callable[[], object]) -> Callable[[], None]:
    """A fault is undone once, however often it is asked for."""
    left = [undo]

    def mend() -> None:
        while left:
            left.pop()()

    return mend
