"""The master's end of the agent links: bytes to frames, frames to bytes, nothing decided.

Each link is two tasks. One reads: it takes the hello within a time, and hands every frame on as an
event. The other writes what the core wants sent (`mesos_ref.link_end`).

Whatever is not the protocol (garbage, a frame out of order, too long, or no hello at all) costs the
sender its connection and a line in the log, and reaches no core.
"""

import errno
from collections.abc import Awaitable, Callable

import msgspec
import trio

from mesos_ref import link as protocol
from mesos_ref.link_end import READ_BYTES, EndLimits, FrameReader, LinkEnd
from mesos_ref.master.events import Event, Frame, LinkEnded
from mesos_ref.ports.net import STREAM_OVER, Listener, Stream
from mesos_ref.turns import Turns

_MAX_HELLO_BYTES = 1024

#: The machine has run out of something that other connections will give back.
_PASSING_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class LinkLimits(EndLimits, frozen=True, kw_only=True):
    """How much an agent may ask of the master."""

    #: How long before its reign a master lets agents wait for it: they may know of it first.
    early_s: float = 0.25
    #: From connecting to a whole hello.
    hello_timeout_s: float = 5.0
    #: From there to a whole Register: whoever says no more than hello does not stay.
    register_timeout_s: float = 30.0
    #: At once; one more is hung up on.
    links: int = 60_000


class Links:
    """All agent links of a master."""

    def __init__(
        self,
        post: Callable[[Event], Awaitable[None]],
        post_nowait: Callable[[Event], None],
        is_leading: Callable[[], bool],
        limits: LinkLimits | None = None,
    ) -> None:
        """Frames go to `post`, the end of a link to `post_nowait`. A master that does not lead, and
        will not in a moment, hangs up on agents, so that they look for the leader.
        """
        self._post = post
        self._post_nowait = post_nowait
        self._is_leading = is_leading
        self._limits = limits or LinkLimits()
        self._links: dict[str, LinkEnd] = {}
        self._connections = 0
        self._turns = Turns()
        self._reign = trio.Event()

    def begin_reign(self) -> None:
        """The master leads from now on."""
        self._reign.set()

    # What the core wants ------------------------------------------------------------------------

    def send(self, name: str, frame: msgspec.Struct) -> None:
        """Send a frame; a link that is gone swallows it."""
        link = self._links.get(name)
        if link is not None and isinstance(frame, protocol.Frame):
            link.send_nowait(frame)

    def close(self, name: str) -> None:
        """Close a link after what was sent on it."""
        link = self._links.pop(name, None)
        if link is not None:
            link.finish()

    # What agents do -----------------------------------------------------------------------------

    async def serve(self, listener: Listener) -> None:
        """Take connections until cancelled, then close the listener."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._turns.deal)
                while True:
                    try:
                        stream = await listener.accept()
                    except OSError as error:
                        if error.errno not in _PASSING_ERRORS:
                            raise
                        await trio.sleep(0.1)
                    else:
                        nursery.start_soon(self._serve_link, stream)
        finally:
            with trio.CancelScope(shield=True):
                await listener.aclose()

    async def _serve_link(self, stream: Stream) -> None:
        """All of one connection's life."""
        if self._connections >= self._limits.links:
            stream.abort()
            return
        link = LinkEnd("", "the agent", self._limits)
        link.stream = stream
        self._connections += 1
        try:
            with trio.move_on_after(self._limits.early_s):
                await self._reign.wait()
            if not self._is_leading():
                stream.abort()
                return
            with link.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(link.write, stream)
                    await self._read(link)
                    nursery.cancel_scope.cancel()
        finally:
            self._connections -= 1
            self._end(link)
            with trio.CancelScope(shield=True):
                await stream.aclose()

    def _end(self, link: LinkEnd) -> None:
        """Tell the core that nothing more comes, unless it was the core who hung up."""
        link.is_over = True
        if self._links.get(link.name) is link:
            del self._links[link.name]
            self._post_nowait(LinkEnded(link.name))

    async def _read(self, link: LinkEnd) -> None:
        """Hand on what the agent says, until it ends or is no protocol."""
        reader = FrameReader(_MAX_HELLO_BYTES)
        try:
            with trio.move_on_after(self._limits.hello_timeout_s) as waiting:
                while not link.name and await self._receive(link, reader):
                    for body in reader.bodies():
                        self._greet(link, protocol.decode_hello(body))
                        break
            if waiting.cancelled_caught:
                limit_s = self._limits.hello_timeout_s
                raise protocol.LinkError(f"no hello came within {limit_s:g} seconds")
            if not link.name:
                return
            reader.limit = protocol.MAX_REGISTER_BYTES
            await self._hear_register(link, reader)
            while await self._receive(link, reader):
                await self._hear(link, reader)
        except protocol.LinkError as error:
            link.cut(str(error))
        except STREAM_OVER:
            await self._turns.take()

    def _greet(self, link: LinkEnd, hello: protocol.Hello) -> None:
        if hello.connection in self._links:
            raise protocol.LinkError(f"another link is already called {hello.connection!r}")
        link.name = hello.connection
        self._links[link.name] = link

    async def _hear_register(self, link: LinkEnd, reader: FrameReader) -> None:
        """Post the first frame, and what comes with it."""
        limit_s = self._limits.register_timeout_s
        with trio.move_on_after(limit_s) as waiting:
            await self._hear(link, reader)
            while not link.heard and await self._receive(link, reader):
                await self._hear(link, reader)
        if waiting.cancelled_caught:
            raise protocol.LinkError(f"no Register came within {limit_s:g} seconds")

    async def _hear(self, link: LinkEnd, reader: FrameReader) -> None:
        """Post the frames that are whole."""
        for body in reader.bodies():
            n, frame = protocol.decode_from_agent(body)
            if n != link.heard:
                raise protocol.LinkError(f"frame {n} came where {link.heard} was due")
            if n == 0 and not isinstance(frame, protocol.Register):
                kind = type(frame).__name__
                raise protocol.LinkError(f"a link begins with a Register, not with {kind}")
            link.heard += 1
            await self._post(Frame(link.name, n, frame))
            if link.is_over:
                return

    async def _receive(self, link: LinkEnd, reader: FrameReader) -> bool:
        """Read some more; False at the end. What comes on a link that is over is dropped."""
        assert link.stream is not None
        while data := await link.stream.receive_some(READ_BYTES):
            if not link.is_over:
                reader.feed(data)
                await self._turns.take(len(data))
                return True
        await self._turns.take()
        return False


def hello_bytes(connection: str) -> bytes:
    """The first bytes an agent sends on a link."""
    return protocol.encode_hello(protocol.Hello(version=protocol.VERSION, connection=connection))
