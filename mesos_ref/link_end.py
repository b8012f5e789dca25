"""What both ends of a link share: an outbox towards the peer, and frames cut out of its bytes.

Between the core and the task that writes stands a bounded outbox, so a peer that does not read
costs its link and holds nobody up. All that is waiting is sent in one piece.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

import msgspec
import trio

from mesos_ref import link as protocol
from mesos_ref.ports.net import STREAM_OVER, Stream

READ_BYTES = 256 * 1024

_log = logging.getLogger("mesos_ref.link")


class EndLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one end puts up with from the other."""

    #: After the core has closed a link: for the peer to read the rest and hang up.
    farewell_s: float = 5.0
    #: Waiting for the peer to read; then the link is cut.
    outbox_frames: int = 20_000
    outbox_bytes: int = 32 * 1024 * 1024


class LinkEnd:
    """One connection between a master and an agent, and what waits to be sent on it."""

    def __init__(self, name: str, peer: str, limits: EndLimits) -> None:
        """`peer` is who should read what is sent, as in "the master"."""
        self.name = name
        #: None while it is being dialled.
        self.stream: Stream | None = None
        #: The next ordinal each way.
        self.sent = self.heard = 0
        #: Whether the core wants nothing more of it, or nothing more can come.
        self.is_over = False
        #: Everything about this link ends with it.
        self.scope = trio.CancelScope()
        self._peer = peer
        self._limits = limits
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._news = trio.Event()

    def send_nowait(self, frame: protocol.Frame) -> None:
        """Queue a frame; cut the link if it can't be. A link that is over swallows it."""
        if self.is_over:
            return
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
            self.cut(f"{self._peer} does not read: {count} frames were waiting")
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
        where = "" if self.stream is None else f" with {self.stream.peer}"
        _log.warning("link %s%s is cut: %s", self.name or "without a name", where, why)
        self.is_over = True
        self._outbox.clear()
        if self.stream is None:
            self.scope.cancel()
        else:
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


class FrameReader:
    """Cuts a stream of bytes, in whatever pieces it comes, into the bodies of frames."""

    def __init__(self, limit: int = protocol.MAX_REGISTER_BYTES) -> None:
        """`limit` is the longest body, in bytes."""
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._buffer += data

    def bodies(self) -> Iterator[bytes]:
        """The frames that are whole by now. Raises `LinkError` on a length that can't be."""
        buffer, at, head = self._buffer, 0, protocol.PREFIX_BYTES
        try:
            while len(buffer) >= at + head:
                length = protocol.body_length(bytes(buffer[at : at + head]), self.limit)
                if len(buffer) < at + head + length:
                    return
                body = bytes(buffer[at + head : at + head + length])
                at += head + length
                yield body
        finally:
            del buffer[:at]
