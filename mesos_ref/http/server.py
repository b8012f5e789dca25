"""An HTTP/1.1 server for a few endpoints: requests in order, answers whole or streaming.

Each connection is one task: it reads a request, awaits the handler, writes the answer in one piece,
and goes on.  A handler that has handed a request on may return `Later` instead of waiting; then the
requests that came in the same piece are handled meanwhile, and all their answers are written, in
order, in one piece.

Time limits cost one deadline per connection, moved as it goes, rather than a scope per request.  A
request that is malformed or too large is answered with a sentence and the connection closed; a
handler that raises is answered 500, and `on_error` hears of it.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import NamedTuple

import trio

from mesos_ref.http.codec import CONTINUE, Incoming, RequestParser, render_response
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.pieces import PiecesResponse
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.ports.net import STREAM_OVER, Listener, Stream
from mesos_ref.turns import Turns

_READ_BYTES = 64 * 1024

#: How long, and how much, a client that was refused may go on sending before the connection is cut.
#: Closing at once would reset the connection, and it might never read why: many clients read only
#: after they have sent everything.  What comes is dropped, so it costs no memory.
_DRAIN_S = 1.0
_DRAIN_BYTES = 64 * 1024 * 1024

#: Connections beyond the limit that are told so at once; any more are cut.
_REFUSED_AT_ONCE = 100

#: The machine has run out of something that other connections will give back.
_PASSING_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger("mesos_ref.http")


class Later:
    """An answer that somebody will `settle`."""

    __slots__ = ("_answer", "_settled")

    def __init__(self) -> None:
        self._answer: Response | None = None
        self._settled: trio.Event | None = None

    def settle(self, answer: Response) -> None:
        """This is the answer."""
        self._answer = answer
        if self._settled is not None:
            self._settled.set()

    async def wait(self) -> Response:
        """The answer, once it is there."""
        if self._answer is None:
            self._settled = trio.Event()
            await self._settled.wait()
        assert self._answer is not None
        return self._answer


Answer = Response | StreamResponse | PiecesResponse | Later
Handler = Callable[[Request], Awaitable[Answer]]
OnError = Callable[[Exception, Request], None]


def log_error(error: Exception, request: Request) -> None:
    """The usual `on_error`: log the traceback."""
    _log.error("handler failed: %s %s", request.method, request.target, exc_info=error)


class _Due(NamedTuple):
    """An answer to be written, perhaps not there yet, and what it answers."""

    answer: Response | Later
    incoming: Incoming

    async def render(self) -> bytes:
        answer, incoming = self.answer, self.incoming
        whole = await answer.wait() if isinstance(answer, Later) else answer
        is_head = incoming.request.method == "HEAD"
        return render_response(whole, incoming.keep_alive, is_head)


async def serve(
    listener: Listener,
    handler: Handler,
    *,
    limits: Limits | None = None,
    connection_ids: Callable[[], str] | None = None,
    on_error: OnError = log_error,
) -> None:
    """Serve connections until cancelled, then close the listener.

    `connection_ids` mints a name for each connection (``c0``, ``c1``, … by default).  `handler`
    may wait as long as it likes: only peers are timed.
    """
    numbers = count()
    server = _Server(
        handler,
        limits or Limits(),
        connection_ids or (lambda: f"c{next(numbers)}"),
        on_error,
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.turns.deal)
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _PASSING_ERRORS:
                        raise
                    await trio.sleep(0.1)
                else:
                    nursery.start_soon(server.serve_connection, stream)
    finally:
        with trio.CancelScope(shield=True):
            await listener.aclose()


class _Server:
    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        connection_ids: Callable[[], str],
        on_error: OnError,
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._connection_ids = connection_ids
        self._on_error = on_error
        self.turns = Turns()
        self._serving = 0
        self._refusing = 0

    async def serve_connection(self, stream: Stream) -> None:
        """All of one connection's life."""
        try:
            with suppress(*STREAM_OVER):
                if self._serving < self._limits.connections:
                    self._serving += 1
                    try:
                        await self._serve_requests(stream)
                    finally:
                        self._serving -= 1
                else:
                    await self._turn_away(stream)
        finally:
            await _close(stream)

    async def _turn_away(self, stream: Stream) -> None:
        """One connection too many."""
        if self._refusing >= _REFUSED_AT_ONCE:
            stream.abort()
            return
        self._refusing += 1
        try:
            bound = self._limits.connections
            await self._refuse(stream, Response.text(503, f"More than {bound} connections"))
        finally:
            self._refusing -= 1

    async def _serve_requests(self, stream: Stream) -> None:
        parser = RequestParser(self._limits, stream.peer, self._connection_ids())
        with trio.CancelScope() as scope:
            refusal = await self._serve_until_refused(stream, parser, scope)
        if scope.cancelled_caught:
            if not parser.is_under_way:
                return
            limit_s = self._limits.request_timeout_s
            refusal = Response.text(408, f"The request did not come within {limit_s:g} seconds")
        if refusal is not None:
            await self._refuse(stream, refusal)

    async def _serve_until_refused(
        self, stream: Stream, parser: RequestParser, scope: trio.CancelScope
    ) -> Response | None:
        """Answer requests; returns the answer to one that can't be taken."""
        scope.deadline = trio.current_time() + self._limits.idle_timeout_s
        was_under_way = False
        #: Requests that were handed on, and those behind them.
        due: list[_Due] = []
        while True:
            incoming = parser.next_request()
            if incoming is None:
                await self._write(due, stream, scope)
                if parser.fault is not None:
                    return parser.fault
                if parser.is_under_way and not was_under_way:
                    was_under_way = True
                    scope.deadline = trio.current_time() + self._limits.request_timeout_s
                if parser.wants_continue():
                    await stream.send_all(CONTINUE)
                data = await stream.receive_some(_READ_BYTES)
                await self.turns.take(len(data))
                if not data:
                    return None
                parser.feed(data)
                continue
            was_under_way = False
            scope.deadline = float("inf")
            answer = await self._answer(incoming.request)
            if isinstance(answer, StreamResponse | PiecesResponse):
                await self._run(answer, incoming, due, stream, scope)
                return None
            due.append(_Due(answer, incoming))
            if not isinstance(answer, Later) or not incoming.keep_alive:
                await self._write(due, stream, scope)
                if not incoming.keep_alive:
                    return None

    async def _write(self, due: list[_Due], stream: Stream, scope: trio.CancelScope) -> None:
        """Wait for these answers, for any time, and write them, in one piece."""
        if due:
            pieces = [await each.render() for each in due]
            due.clear()
            scope.deadline = trio.current_time() + self._limits.idle_timeout_s
            await stream.send_all(b"".join(pieces))

    async def _run(
        self,
        answer: StreamResponse | PiecesResponse,
        incoming: Incoming,
        due: list[_Due],
        stream: Stream,
        scope: trio.CancelScope,
    ) -> None:
        """Write these answers, and then one that times itself."""
        is_head = incoming.request.method == "HEAD"
        try:
            await self._write(due, stream, scope)
            scope.deadline = float("inf")
            if isinstance(answer, StreamResponse):
                await answer.run(stream, self.turns)
            else:
                await answer.run(stream, is_head, self._limits.idle_timeout_s)
        finally:
            if isinstance(answer, PiecesResponse):
                answer.close()
            else:  # no matter if it was run, and is over
                answer.lose("the client went away before it was answered")

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._handler(request)
        except Exception as error:
            self._on_error(error, request)
            return Response.text(500, "Internal server error")

    async def _refuse(self, stream: Stream, refusal: Response) -> None:
        """Say why, and leave the client a moment to read it."""
        with trio.move_on_after(_DRAIN_S):
            await stream.send_all(render_response(refusal, keep_alive=False))
            await stream.send_eof()
            drained = 0
            while drained < _DRAIN_BYTES and (data := await stream.receive_some(_READ_BYTES)):
                drained += len(data)


async def _close(stream: Stream) -> None:
    """Close, whatever happens around us."""
    with trio.CancelScope(shield=True):
        await stream.aclose()
