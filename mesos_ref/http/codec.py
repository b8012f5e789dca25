"""HTTP/1.1 to bytes and back, without any I/O.

The parsing is llhttp's (through `httptools`): framing, chunks, keep-alive, and the rules against
request smuggling.  What it leaves to its users is done here: a bound on headers and bodies, and
assembling whole messages.  A request that can't be taken becomes `RequestParser.fault`, the answer
to give before closing; nothing a peer sends raises.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

from mesos_ref.http.messages import NO_HEADERS, REASONS, Limits, Request, Response

#: What a header costs beyond its text: colon, space, line end.
_HEADER_OVERHEAD = 4


class _Assembly:
    """What requests and responses have in common while they come in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reset()

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        #: Bytes fed while the headers were incomplete: a lower bound on what the parser hoards.
        self._unfinished_bytes = 0
        self._headers_done = False
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + _HEADER_OVERHEAD
        if self._headers_done or self._header_bytes > self._limits.header_bytes:
            return  # a trailer, or too much of it: counted, not kept
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        self._headers_done = True
        self._unfinished_bytes = 0

    def on_body(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes <= self._limits.body_bytes:
            self._body.append(data)
        else:
            self._body.clear()

    def _take_body(self) -> bytes:
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    @property
    def _has_long_headers(self) -> bool:
        bound = self._limits.header_bytes
        return self._header_bytes > bound or self._unfinished_bytes > bound

    @property
    def _has_long_body(self) -> bool:
        return self._body_bytes > self._limits.body_bytes


class Incoming(msgspec.Struct, frozen=True):
    """A request, and whether its connection may serve another one."""

    request: Request
    keep_alive: bool


class RequestParser(_Assembly):
    """Turns a connection's bytes into requests.  Feed it, then ask `next_request`."""

    def __init__(self, limits: Limits, peer: str = "", connection: str = "") -> None:
        super().__init__(limits)
        self._peer = peer
        self._connection = connection
        self._parser = httptools.HttpRequestParser(self)
        self._ready: deque[Incoming] = deque()
        self._target = b""
        self._is_under_way = False
        #: The answer to give, once `next_request` has nothing left, before closing.
        self.fault: Response | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether part of a request has come."""
        return self._is_under_way

    def next_request(self) -> Incoming | None:
        """The oldest request that is whole."""
        return self._ready.popleft() if self._ready else None

    def wants_continue(self) -> bool:
        """Whether the client waits for leave to send a body.  True once per request."""
        if self._headers_done and self._is_under_way and "expect" in self._headers:
            return self._headers.pop("expect").lower() == "100-continue" and not self._body_bytes
        return False

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self.fault is not None:
            return
        if not self._headers_done:
            self._unfinished_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse_upgrade()
        except httptools.HttpParserError as error:
            self._set_fault(400, f"Malformed request: {error}")
        self._check_limits()

    def _refuse_upgrade(self) -> None:
        """The request itself is answered, in HTTP/1.1; nothing after it can be read."""
        if self._ready:
            self._ready[-1] = Incoming(self._ready[-1].request, False)
        self._set_fault(400, "Malformed request: no protocol but HTTP/1.1 is spoken here")

    def _check_limits(self) -> None:
        if self._has_long_headers:
            self._set_fault(431, f"Headers are longer than {self._limits.header_bytes} bytes")
        elif self._has_long_body:
            self._set_fault(413, f"The body is longer than {self._limits.body_bytes} bytes")

    def _set_fault(self, status: int, sentence: str) -> None:
        if self.fault is None:
            self.fault = Response.text(status, sentence)

    # Called by the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._reset()
        self._target = b""
        self._is_under_way = True

    def on_url(self, url: bytes) -> None:
        self._header_bytes += len(url)
        if self._header_bytes <= self._limits.header_bytes:
            self._target += url

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        length = self._headers.get("content-length", "0")
        if length.isdigit() and len(length) < 20 and int(length) > self._limits.body_bytes:
            self._body_bytes = int(length)  # refused before it is sent

    def on_message_complete(self) -> None:
        """A request is whole: it is kept, unless it broke a limit."""
        self._is_under_way = False
        self._check_limits()
        if self.fault is not None:
            return
        path, query = split_target(self._target)
        self._headers.pop("expect", None)
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            path=path,
            query=query,
            headers=self._headers,
            body=self._take_body(),
            peer=self._peer,
            connection=self._connection,
        )
        self._ready.append(Incoming(request, self._parser.should_keep_alive()))


def split_target(target: bytes) -> tuple[str, dict[str, str]]:
    """Path, percent-decoded, and query of a request's target; the last of equal names wins."""
    text = target.decode("latin-1")
    if not text.startswith("/") and "://" in text:  # absolute form, as proxies are sent
        text = "/" + text.partition("://")[2].partition("/")[2]
    path, _, query = text.partition("?")
    return (
        unquote(path) if "%" in path else path,
        dict(parse_qsl(query, keep_blank_values=True)) if query else {},
    )


class ResponseParser(_Assembly):
    """Turns a connection's bytes into one response: head first, then body.

    `take_body` gives what has come of the body so far, for streams.
    """

    def __init__(self, limits: Limits, is_head: bool = False) -> None:
        super().__init__(limits)
        self._parser = httptools.HttpResponseParser(self)
        self._is_head = is_head
        self.status = 0
        self.is_head_done = False
        self.is_complete = False
        self.keep_alive = False
        #: What is wrong with the response; it can't be used then.
        self.fault: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self.fault is not None:
            return
        if not self._headers_done:
            self._unfinished_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not (self._is_head and self.is_head_done):
                self.fault = f"malformed response: {error}"
        if self._has_long_headers:
            self.fault = f"headers are longer than {self._limits.header_bytes} bytes"
        elif self._has_long_body:
            self.fault = f"the body is longer than {self._limits.body_bytes} bytes"

    def feed_eof(self) -> None:
        """The connection has ended; that may complete a body of unsaid length."""
        if self.is_complete:
            return
        is_delimited = "content-length" in self._headers or "chunked" in self._headers.get(
            "transfer-encoding", ""
        )
        if self.is_head_done and not is_delimited:
            self.is_complete = True
        elif self.fault is None:
            self.fault = "the connection ended before the response did"

    def take_body(self) -> bytes:
        """The body's bytes that have come since last asked."""
        data = self._take_body()
        self._body = []
        self._body_bytes = 0
        return data

    # Called by the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.fault = "a response nobody asked for"
            return
        self._reset()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return  # 100 Continue; the answer is still to come
        self.is_head_done = True
        self.keep_alive = self._parser.should_keep_alive()
        if self._is_head:
            self.is_complete = True
            self.keep_alive = False  # the parser waits for a body that never comes

    def on_message_complete(self) -> None:
        if self.is_head_done:
            self.is_complete = True


class Answer(msgspec.Struct, frozen=True):
    """A whole response.  Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerParser(_Assembly):
    """Turns a connection's bytes into whole responses, one after the other.

    For requests that were sent without waiting (none of them a HEAD).  A response whose body only
    ends with the connection can't be followed by another, so it is none here.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._parser = httptools.HttpResponseParser(self)
        self._ready: deque[Answer] = deque()
        #: Whether the server takes more requests on this connection.
        self.keep_alive = True
        #: What is wrong with what came; nothing after it can be read.
        self.fault: str | None = None

    def next_answer(self) -> Answer | None:
        """The oldest response that is whole."""
        return self._ready.popleft() if self._ready else None

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self.fault is not None:
            return
        if not self._headers_done:
            self._unfinished_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fault = f"malformed response: {error}"
        self._check_limits()

    def _check_limits(self) -> None:
        if self._has_long_headers:
            self.fault = f"headers are longer than {self._limits.header_bytes} bytes"
        elif self._has_long_body:
            self.fault = f"the body is longer than {self._limits.body_bytes} bytes"

    # Called by the parser ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._reset()

    def on_message_complete(self) -> None:
        self._check_limits()
        status = self._parser.get_status_code()
        if status >= 200 and self.fault is None:  # else 100 Continue; the answer is still to come
            self._ready.append(Answer(status, self._headers, self._take_body()))
            self.keep_alive = self._parser.should_keep_alive()
        self._headers_done = False


# Writing --------------------------------------------------------------------------------------


def render_response(response: Response, keep_alive: bool, is_head: bool = False) -> bytes:
    """One response as bytes; for a HEAD request without its body."""
    body, content_type = response.body, response.content_type
    if body and content_type is None:
        content_type = "text/plain; charset=utf-8"
    head = render_head(response.status, content_type, response.headers, len(body), keep_alive)
    return head if is_head else head + body


def render_head(
    status: int,
    content_type: str | None,
    headers: Mapping[str, str],
    length: int,
    keep_alive: bool,
) -> bytes:
    """The head of an answer whose body has `length` bytes."""
    head = _status_line(status)
    if content_type is not None:
        head += f"Content-Type: {content_type}\r\n"
    head += _header_lines(headers)
    head += f"Content-Length: {length}\r\n"
    head += "\r\n" if keep_alive else "Connection: close\r\n\r\n"
    return head.encode("latin-1")


def render_stream_head(content_type: str, headers: Mapping[str, str]) -> bytes:
    """The head of a streaming answer: always ``200 OK``, always chunked."""
    return (
        f"{_status_line(200)}Content-Type: {content_type}\r\n"
        f"{_header_lines(headers)}Transfer-Encoding: chunked\r\n\r\n"
    ).encode("latin-1")


def render_record(record: bytes) -> bytes:
    """One record as exactly one chunk, length line and body together."""
    line = b"%d\n" % len(record)
    return b"%x\r\n%b%b\r\n" % (len(line) + len(record), line, record)


#: The chunk that ends a chunked body.
LAST_CHUNK = b"0\r\n\r\n"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def render_request(
    method: str, target: str, host: str, headers: Mapping[str, str] = NO_HEADERS, body: bytes = b""
) -> bytes:
    """One request as bytes."""
    head = f"{method} {_line_safe(target)} HTTP/1.1\r\nHost: {_line_safe(host)}\r\n"
    head += _header_lines(headers)
    if body or method in ("POST", "PUT", "PATCH"):
        head += f"Content-Length: {len(body)}\r\n"
    return (head + "\r\n").encode("latin-1") + body


def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n"


def _header_lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {_line_safe(value)}\r\n" for name, value in headers.items()])


def _line_safe(text: str) -> str:
    """`text` as it may stand in a header: no line ends, no characters beyond latin-1."""
    if text.isascii() and text.isprintable():
        return text
    kept = "".join(c if c.isprintable() else " " for c in text)
    return kept.encode("latin-1", "replace").decode("latin-1")
