"""The agent's end of the link: it dials, says hello, and carries frames; nothing is decided here.

The core names a link before it is dialled (`Connect`), so what comes on a link it has given up is
known for that. Each link is two tasks: one reads frames and posts them as events, the other writes
what the core wants sent (`mesos_ref.link_end`).

Whatever is no protocol ends the link, with a line in the log, and reaches no core.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import msgspec
import trio

from mesos_ref import link as protocol
from mesos_ref.agent.effects import Connect
from mesos_ref.agent.events import Event, Frame, Linked, LinkEnded
from mesos_ref.link_end import READ_BYTES, EndLimits, FrameReader, LinkEnd
from mesos_ref.ports.net import STREAM_OVER, Net, Stream

_log = logging.getLogger("mesos_ref.agent.link")

Locate = Callable[[str], Awaitable[tuple[str, int]]]
"""`await locate(url)`: where the leader known by `url` takes agent links. Raises `OSError`."""


class LinkLimits(EndLimits, frozen=True, kw_only=True):
    """How much the agent puts up with from a master."""

    dial_timeout_s: float = 10.0
    outbox_bytes: int = 64 * 1024 * 1024


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
        self._links: dict[str, LinkEnd] = {}

    # What the core wants ------------------------------------------------------------------------

    def connect(self, effect: Connect) -> None:
        """Begin to dial; `Linked` or `LinkEnded` follows, unless the core closes the link."""
        link = self._links[effect.link] = LinkEnd(effect.link, "the master", self._limits)
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

    async def _live(self, link: LinkEnd, url: str) -> None:
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

    async def _dial(self, link: LinkEnd, url: str) -> Stream | None:
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

    async def _serve(self, link: LinkEnd, stream: Stream) -> None:
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

    async def _read(self, link: LinkEnd, stream: Stream) -> None:
        """Post what the master says, until it ends. What comes on a link that is over is lost."""
        reader = FrameReader()
        while data := await stream.receive_some(READ_BYTES):
            if link.is_over:
                continue
            reader.feed(data)
            for body in reader.bodies():
                n, frame = protocol.decode_from_master(body)
                if n != link.heard:
                    raise protocol.LinkError(f"frame {n} came where {link.heard} was due")
                link.heard += 1
                await self._post(Frame(link.name, n, frame))
                if link.is_over:
                    break
