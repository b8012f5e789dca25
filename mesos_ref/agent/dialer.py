"""The agent's end of the link: it dials, says hello, and carries frames; nothing is decided here.

The core names a link before it is dialled (`Connect`), so what comes on a link it has given up is
known for that. Each link is two tasks: one reads frames and posts them as events, the other writes
what the core wants sent, all that is waiting in one piece. Between core and writer stands a bounded
outbox: a master that does not read costs the link, never the agent.

Whatever is no protocol ends the link, with a line in the log, and reaches no core.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import trio

from mesos_ref import link as protocol
from mesos_ref.agent.effects import Connect
from mesos_ref.agent.events import Event, Frame, Linked, LinkEnded
from mesos_ref.ports.net import STREAM_OVER, Net, Stream

_READ_BYTES = 256 * 1024

_log = logging.getLogger("mesos_ref.agent.link")

Locate = Callable[[str], Awaitable[tuple[str, int]]]
"""`await locate(url)`: where the leader known by `url` takes agent links. Raises `OSError`."""


class LinkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the agent puts up with from a master."""

    dial_timeout_s: float = 10.0
    #: After the core has closed a link: for the master to read the rest and hang up.
    farewell_s: float = 5.0
    #: Waiting for the master to read; then the link is cut.
    outbox_frames: int = 20_000
    outbox_bytes: int = 64 * 1024 * 1024


class Link:
    """One connection to a master, and what waits to be sent on it."""

    def __init__(self, name: str, limits: LinkLimits) -> None:
        self.name = name
        self.stream: Stream | None = None
        #: The next ordinal each way.
        self.sent = self.heard = 0
        #: Whether the core wants nothing more of it.
        self.is_over = False
        #: Everything about this link ends with it.
        self.scope = trio.CancelScope()
        self._limits = limits
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._news = trio.Event()

    def send_nowait(self, frame: protocol.Frame) -> None:
        """Queue a frame; cut the link if it can't be."""
        try:
            data = protocol.encode(frame, self.sent)
        except protocol.LinkError as error:
            self.cut(str(error))
            return
        self.sent += 1
        self._outbox.append(data)
        self._outbox_bytes += len(data)
        count, limits = len(self._outbox), self._limits
        if count > limits.outbox_frames or self._outbox_bytes > limits.outbox_bytes:
            self.cut(f"the master does not read: {count} frames were waiting")
        else:
            self._news.set()

    def finish(self) -> None:
        """End the link after what was sent on it; at once if it is still being dialled."""
        self.is_over = True
        if self.stream is None:
            self.scope.cancel()
        else:
            self.scope.deadline = trio.current_time() + self._limits.farewell_s
            self._news.set()

    def cut(self, why: str) -> None:
        """End the link now. Whoever reads it finds it broken."""
        _log.warning("link %s is cut: %s", self.name, why)
        self._outbox.clear()
        if self.stream is not None:
            self.stream.abort()

    async def write(self, stream: Stream) -> None:
        """Send what is queued, until the link is over."""
        try:
            while True:
                if self._outbox:
                    data = b"".join(self._outbox)
                    self._outbox.clear()
                    self._outbox_bytes = 0
                    await stream.send_all(data)
                elif self.is_over:
                    await stream.send_eof()
                    return
                else:
                    self._news = trio.Event()
                    await self._news.wait()
        except STREAM_OVER:
            return  # the reading side sees it too, and tells


class Dialer:
    """The links of one agent: the one in use, and perhaps older ones that say farewell."""

    def __init__(
        self,
        net: Net,
        locate: Locate,
        post: Callable[[Event], Awaitable[None]],
        post_nowait: Callable[[Event], None],
        nursery: trio.Nursery,
        limits: LinkLimits | None = None,
    ) -> None:
        """Frames go to `post`, beginning and end of a link to `post_nowait`."""
        self._net = net
        self._locate = locate
        self._post = post
        self._post_nowait = post_nowait
        self._nursery = nursery
        self._limits = limits or LinkLimits()
        self._links: dict[str, Link] = {}

    # What the core wants ------------------------------------------------------------------------

    def connect(self, effect: Connect) -> None:
        """Begin to dial; `Linked` or `LinkEnded` follows, unless the core closes the link."""
        link = self._links[effect.link] = Link(effect.link, self._limits)
        self._nursery.start_soon(self._live, link, effect.url)

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

    # One link -----------------------------------------------------------------------------------

    async def _live(self, link: Link, url: str) -> None:
        """All of one link's life."""
        try:
            with link.scope:
                stream = await self._dial(link, url)
                if stream is not None:
                    try:
                        await self._serve(link, stream)
                    finally:
                        with trio.CancelScope(shield=True):
                            await stream.aclose()
        finally:
            if self._links.get(link.name) is link:
                del self._links[link.name]
                self._post_nowait(LinkEnded(link.name))

    async def _dial(self, link: Link, url: str) -> Stream | None:
        hello = protocol.Hello(version=protocol.VERSION, connection=link.name)
        timeout_s = self._limits.dial_timeout_s
        try:
            with trio.move_on_after(timeout_s):
                stream = await self._net.connect(*await self._locate(url))
                try:
                    await stream.send_all(protocol.encode_hello(hello))
                except BaseException:
                    stream.abort()
                    raise
                return stream
            _log.info("no link to %s within %g seconds", url, timeout_s)
        except (OSError, *STREAM_OVER) as error:
            _log.info("no link to %s: %s", url, error)
        return None

    async def _serve(self, link: Link, stream: Stream) -> None:
        link.stream = stream
        self._post_nowait(Linked(link.name))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.write, stream)
            try:
                await self._read(link, stream)
            except protocol.LinkError as error:
                link.cut(str(error))
            except STREAM_OVER as error:
                _log.info("link %s broke: %s", link.name, error)
            nursery.cancel_scope.cancel()

    async def _read(self, link: Link, stream: Stream) -> None:
        """Post what the master says, until it ends. What comes on a link that is over is lost."""
        unread = bytearray()
        while data := await stream.receive_some(_READ_BYTES):
            if link.is_over:
                continue
            unread += data
            for body in bodies(unread):
                n, frame = protocol.decode_from_master(body)
                if n != link.heard:
                    raise protocol.LinkError(f"frame {n} came where {link.heard} was due")
                link.heard += 1
                await self._post(Frame(link.name, n, frame))
                if link.is_over:
                    break


def bodies(unread: bytearray) -> Iterator[bytes]:
    """Take the frames that are whole off the front. Raises `LinkError` for a length too long."""
    at, head = 0, protocol.PREFIX_BYTES
    try:
        while len(unread) >= at + head:
            length = protocol.body_length(bytes(unread[at : at + head]))
            if len(unread) < at + head + length:
                return
            at += head + length
            yield bytes(unread[at - length : at])
    finally:
        del unread[:at]
