"""An HTTP/1.1 client on the same codec: calls over kept connections, and record streams.

It does what it is told once.  It follows no redirect (a 307 and its ``Location``, which Mesos
leaves without a scheme, are the caller's business) and repeats no request: whether a call whose
answer was lost has been heard is for the caller to think about.  Connections are kept per host and
used by one request at a time; one that has been idle for long is not trusted any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
import trio

from mesos_ref.http import recordio
from mesos_ref.http.codec import Answer, ResponseParser, render_request
from mesos_ref.http.messages import NO_HEADERS, Limits
from mesos_ref.ports.net import STREAM_OVER, Net, Stream

__all__ = ["Answer", "HttpClient", "HttpError", "RecordStream", "parse_url"]

#: A kept connection is used again within this time; servers usually wait longer before closing.
KEEP_S = 15.0
#: Connections kept per host.
KEEP_CONNECTIONS = 8

_READ_BYTES = 64 * 1024

#: What a client takes of a whole response.  Answers about a large cluster are large.
CLIENT_LIMITS = Limits(body_bytes=256 * 1024 * 1024)


class HttpError(Exception):
    """No usable answer: nobody there, connection lost, too late, or not HTTP.

    `may_have_been_heard` is false if the request was certainly not taken.
    """

    def __init__(self, sentence: str, may_have_been_heard: bool = True) -> None:
        super().__init__(sentence)
        self.may_have_been_heard = may_have_been_heard


class Target(msgspec.Struct, frozen=True):
    """Where a URL points."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(url: str, default_port: int = 80) -> Target:
    """Read ``http://host:port/path?query`` or, as Mesos writes it, ``//host:port/path``.

    Raises `ValueError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("", "http") or not parts.hostname:
        raise ValueError(f"expected http://host:port/path or //host:port/path, got {url!r}")
    port = default_port if parts.port is None else parts.port
    path = parts.path or "/"
    return Target(parts.hostname, port, f"{path}?{parts.query}" if parts.query else path)


class HttpClient:
    """Makes requests.  One client serves many tasks."""

    def __init__(self, net: Net, limits: Limits = CLIENT_LIMITS) -> None:
        self._net = net
        self._limits = limits
        #: Idle connections by (host, port), with the time they were last used; newest last.
        self._idle: dict[tuple[str, int], list[tuple[Stream, float]]] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes = b"",
        timeout_s: float = 10.0,
    ) -> Answer:
        """Make one request, once.  Raises `HttpError`, or `ValueError` for a bad URL."""
        target = parse_url(url)
        with trio.move_on_after(timeout_s):
            return await self._request(target, method, headers, body)
        raise HttpError(f"{method} {url}: no answer within {timeout_s:g} seconds")

    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes = b"",
        timeout_s: float = 10.0,
        max_record_bytes: int = recordio.MAX_RECORD_BYTES,
    ) -> RecordStream:
        """Make a request whose answer goes on.  `timeout_s` bounds the wait for its head.

        Whoever gets the `RecordStream` closes it.  Raises `HttpError`, or `ValueError` for a bad
        URL.
        """
        target = parse_url(url)
        with trio.move_on_after(timeout_s):
            parser = ResponseParser(self._limits)
            connection = await self._connect(target)
            try:
                await _send(connection, target, method, headers, body)
                await _read_until_head(connection, parser)
            except BaseException:
                connection.abort()
                raise
            return RecordStream(connection, parser, max_record_bytes)
        raise HttpError(f"{method} {url}: no answer within {timeout_s:g} seconds")

    async def aclose(self) -> None:
        """Close the kept connections."""
        kept = [stream for streams in self._idle.values() for stream, _ in streams]
        self._idle.clear()
        for stream in kept:
            await stream.aclose()

    async def _request(
        self, target: Target, method: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        parser = ResponseParser(self._limits, is_head=method == "HEAD")
        connection = self._take_idle(target) or await self._connect(target)
        try:
            await _send(connection, target, method, headers, body)
            while not parser.is_complete:
                await _read_some(connection, parser)
        except BaseException:
            connection.abort()
            raise
        if parser.keep_alive:
            await self._keep(target, connection)
        else:
            await connection.aclose()
        return Answer(parser.status, parser.headers, parser.take_body())

    async def _connect(self, target: Target) -> Stream:
        try:
            return await self._net.connect(target.host, target.port)
        except OSError as error:
            raise HttpError(f"can't connect to {target.authority}: {error}", False) from error

    def _take_idle(self, target: Target) -> Stream | None:
        kept = self._idle.get((target.host, target.port), [])
        while kept:
            stream, since = kept.pop()
            if trio.current_time() - since < KEEP_S:
                return stream
            stream.abort()
        return None

    async def _keep(self, target: Target, connection: Stream) -> None:
        kept = self._idle.setdefault((target.host, target.port), [])
        kept.append((connection, trio.current_time()))
        if len(kept) > KEEP_CONNECTIONS:
            stale, _ = kept.pop(0)
            await stale.aclose()


class RecordStream:
    """A response under way: status and headers at once, then records, or a whole body."""

    def __init__(self, connection: Stream, parser: ResponseParser, max_record_bytes: int) -> None:
        self.status = parser.status
        self.headers = parser.headers
        self._connection = connection
        self._parser = parser
        self._decoder = recordio.Decoder(max_record_bytes)
        self._records: list[bytes] = []

    async def next_record(self) -> bytes | None:
        """The next record; None once the stream has ended in order.  Raises `HttpError`."""
        while not self._records:
            self._feed_decoder()
            if self._records:
                break
            if self._parser.is_complete:
                self._check_end()
                return None
            await _read_some(self._connection, self._parser)
        return self._records.pop()

    async def body(self, max_bytes: int = 1024 * 1024) -> bytes:
        """The rest of the body, for an answer that is no stream.  Raises `HttpError`."""
        body = self._parser.take_body()
        while not self._parser.is_complete:
            await _read_some(self._connection, self._parser)
            body += self._parser.take_body()
            if len(body) > max_bytes:
                raise HttpError(f"the body is longer than {max_bytes} bytes")
        return body

    def __aiter__(self) -> RecordStream:
        return self

    async def __anext__(self) -> bytes:
        record = await self.next_record()
        if record is None:
            raise StopAsyncIteration
        return record

    async def aclose(self) -> None:
        """Close the connection; the server notices at once."""
        await self._connection.aclose()

    def _feed_decoder(self) -> None:
        data = self._parser.take_body()
        try:
            self._records = self._decoder.feed(data)[::-1]
        except recordio.RecordError as error:
            raise HttpError(f"not a stream of records: {error}") from error

    def _check_end(self) -> None:
        if not self._decoder.is_between_records:
            raise HttpError("the stream ended within a record")


async def _send(
    connection: Stream, target: Target, method: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Send a request.  A server may answer, and close, before it has heard all of it."""
    with suppress(*STREAM_OVER):
        await connection.send_all(
            render_request(method, target.path, target.authority, headers, body)
        )


async def _read_until_head(connection: Stream, parser: ResponseParser) -> None:
    while not parser.is_head_done:
        await _read_some(connection, parser)


async def _read_some(connection: Stream, parser: ResponseParser) -> None:
    """Feed the parser what comes next.  Raises `HttpError` if that is no response."""
    try:
        data = await connection.receive_some(_READ_BYTES)
    except STREAM_OVER as error:
        raise HttpError(f"{connection.peer} broke the connection") from error
    if data:
        parser.feed(data)
    else:
        parser.feed_eof()
    if parser.fault is not None:
        raise HttpError(f"{connection.peer}: {parser.fault}")
