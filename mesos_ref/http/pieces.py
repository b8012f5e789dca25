"""An answer of known length that is too long to be held: it is read and sent piece by piece.

However long it is and however slowly it is taken, one piece is in memory. A client that takes none
for too long is hung up on; so is one whose file has become shorter than was announced, for there is
no other way to say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import trio

from mesos_ref.http.codec import render_head
from mesos_ref.http.messages import NO_HEADERS
from mesos_ref.ports.net import Stream

PIECE_BYTES: Final = 256 * 1024


class Source(Protocol):
    """What is read."""

    def read(self, offset: int, length: int) -> bytes:
        """Some bytes from there on, in a thread; none: there are no more."""
        ...

    def close(self) -> None:
        """Nothing more will be read. Called once."""
        ...


class PiecesResponse:
    """``200 OK`` with so many bytes of a source. Whoever has one closes it."""

    def __init__(
        self, source: Source, size: int, content_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        self.size = size
        self.content_type = content_type
        self.headers = headers
        self._source = source

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()

    async def run(self, connection: Stream, is_head: bool, idle_timeout_s: float) -> None:
        """Send it all. The connection takes no further request, and is the caller's to close."""
        data = render_head(200, self.content_type, self.headers, self.size, keep_alive=False)
        sent = 0
        while True:
            with trio.move_on_after(idle_timeout_s) as patience:
                await connection.send_all(data)
            if patience.cancelled_caught:
                connection.abort()
                return
            if is_head or sent == self.size:
                return
            wanted = min(PIECE_BYTES, self.size - sent)
            data = await trio.to_thread.run_sync(self._source.read, sent, wanted)
            if not data:
                connection.abort()
                return
            sent += len(data)
