"""A streaming answer: records pushed from anywhere, one RecordIO record per HTTP chunk.

A handler makes a `StreamResponse`, keeps it, and returns it; from then on anyone may push records
with `send_nowait`, which never waits.  Between the pusher and a slow subscriber stands a bounded
outbox: if it overflows, the stream is lost, with the reason recorded, and nobody else is held up.

A stream ends once, in one of two ways.  `close` ends it in order: what is queued is still sent.
Anything else (the client went away, does not read, or overflowed) *loses* it: `on_lost` is called
with the reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import trio

from mesos_ref.http.codec import LAST_CHUNK, render_record, render_stream_head
from mesos_ref.http.messages import NO_HEADERS, Limits
from mesos_ref.ports.net import STREAM_OVER, Stream
from mesos_ref.turns import Turns

#: How much one write may take from the outbox.
_WRITE_BYTES = 256 * 1024


class StreamResponse:
    """An answer that goes on: ``200 OK``, chunked, until closed or lost."""

    def __init__(
        self,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        content_type: str = "application/json",
        heartbeat: bytes | None = None,
        heartbeat_interval_s: float = 15.0,
        heartbeat_first: bool = False,
        on_lost: Callable[[str], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`heartbeat` is a record to send each `heartbeat_interval_s`, whatever else is sent.

        With `heartbeat_first`, another one directly follows the first record, unless that is also
        the last (Mesos-1.4: some stock clients see a record only when the next one comes).
        """
        self.headers = headers
        self.content_type = content_type
        self.heartbeat = heartbeat
        self.heartbeat_interval_s = heartbeat_interval_s
        #: Why the stream is over; None while it is open.
        self.reason: str | None = None
        self.ended = trio.Event()
        self._on_lost = on_lost
        self._limits = limits or Limits()
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._owes_first_heartbeat = heartbeat is not None and heartbeat_first
        self._wakeup = trio.Event()
        self._is_lost = False
        self._connection: Stream | None = None

    @property
    def is_open(self) -> bool:
        return self.reason is None

    def send_nowait(self, record: bytes) -> bool:
        """Queue one record.  False if the stream is over, or is now because it overflowed."""
        if self.reason is not None:
            return False
        self._outbox.append(record)
        self._outbox_bytes += len(record)
        limits = self._limits
        if len(self._outbox) > limits.outbox_records or self._outbox_bytes > limits.outbox_bytes:
            self.lose(
                f"the subscriber does not keep up: {len(self._outbox)} records of "
                f"{self._outbox_bytes} bytes were waiting"
            )
            return False
        self._wakeup.set()
        return True

    def close(self, reason: str = "closed") -> None:
        """End the stream after what is queued.  `on_lost` is not called."""
        if self.reason is None:
            self.reason = reason
            self._wakeup.set()

    def lose(self, reason: str) -> None:
        """End the stream now; what is queued is dropped."""
        if self.reason is not None:
            return
        self.reason = reason
        self._is_lost = True
        self._drop_outbox()
        self._wakeup.set()
        if self._connection is not None:
            self._connection.abort()
        if self._on_lost is not None:
            self._on_lost(reason)

    def _drop_outbox(self) -> None:
        self._outbox.clear()
        self._outbox_bytes = 0
        self._owes_first_heartbeat = False

    # The server's side --------------------------------------------------------------------------

    async def run(self, connection: Stream, turns: Turns) -> None:
        """Serve the stream until it is over.  The connection is the caller's to close."""
        if self._is_lost:
            connection.abort()
            self.ended.set()
            return
        self._connection = connection
        try:
            async with trio.open_nursery() as nursery:
                cancel = nursery.cancel_scope.cancel
                nursery.start_soon(self._watch, connection, cancel, turns)
                if self.heartbeat is not None:
                    nursery.start_soon(self._beat, self.heartbeat)
                await self._write(connection)
                cancel()
        finally:
            if self.reason is None:
                self.reason = "the server was stopped"
            self._drop_outbox()
            self.ended.set()

    async def _write(self, connection: Stream) -> None:
        data = render_stream_head(self.content_type, self.headers) + self._take_chunks()
        with trio.CancelScope() as scope:
            try:
                while True:
                    scope.deadline = trio.current_time() + self._limits.idle_timeout_s
                    await connection.send_all(data)
                    scope.deadline = float("inf")
                    while not self._outbox and self.reason is None:
                        await self._wakeup.wait()
                        self._wakeup = trio.Event()
                    if not self._outbox:
                        break
                    data = self._take_chunks()
                if not self._is_lost:
                    scope.deadline = trio.current_time() + self._limits.idle_timeout_s
                    await connection.send_all(LAST_CHUNK)
            except STREAM_OVER:
                self.lose("the client went away")
        if scope.cancelled_caught:
            self.lose("the client does not read")
            connection.abort()  # also if it was closed, and only the rest could not be sent

    def _take_chunks(self) -> bytes:
        """Some of the outbox, each record a chunk of its own, in one piece."""
        chunks: list[bytes] = []
        taken = 0
        while self._outbox and taken < _WRITE_BYTES:
            record = self._outbox.popleft()
            self._outbox_bytes -= len(record)
            taken += len(record)
            chunks.append(render_record(record))
            if self._owes_first_heartbeat and self.heartbeat is not None and self.is_open:
                chunks.append(render_record(self.heartbeat))
            self._owes_first_heartbeat = False
        return b"".join(chunks)

    async def _beat(self, heartbeat: bytes) -> None:
        due = trio.current_time()
        while self.is_open:
            due += self.heartbeat_interval_s
            await trio.sleep_until(due)
            self.send_nowait(heartbeat)

    async def _watch(self, connection: Stream, cancel: Callable[[], None], turns: Turns) -> None:
        """Read, so that a client that goes away is noticed at once.  What it says is dropped."""
        with suppress(*STREAM_OVER):
            while await connection.receive_some(4096):
                pass
        await turns.take()
        self.lose("the client went away")
        cancel()
