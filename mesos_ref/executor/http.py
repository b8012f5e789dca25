"""Just enough HTTP for an executor: two connections to its agent, driven by one selector.

One connection carries the event stream, the other the calls, one at a time.  Nothing here blocks
and nothing is decided; what happens is handed to the owner's callbacks.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable

import httptools

from mesos_ref.http import recordio

EXECUTOR_PATH = b"/api/v1/executor"
MAX_RECORD = 16 << 20
MAX_REFUSAL_TEXT = 1024


class Connection:
    """One TCP connection to the agent.  It is over once `on_lost` was called or `close` is."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        owner: Stream | Calls,
    ) -> None:
        self.selector = selector
        self.owner = owner
        self.parser = httptools.HttpResponseParser(owner)
        self.unsent = bytearray()
        self.is_open = True
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.error = self.socket.connect_ex(address)
        if self.error == errno.EINPROGRESS:
            self.error = 0
        selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self.ready)

    def send(self, data: bytes) -> None:
        self.unsent += data
        if self.is_open:
            self.selector.modify(
                self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self.ready
            )

    def ready(self, mask: int) -> None:
        """The selector says the socket is."""
        try:
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            if mask & selectors.EVENT_WRITE:
                self._write()
            if mask & selectors.EVENT_READ:
                self._read()
        except BlockingIOError:
            return
        except (OSError, httptools.HttpParserError):
            self._lose()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.selector.unregister(self.socket)
            self.socket.close()

    def _write(self) -> None:
        if self.unsent:
            del self.unsent[: self.socket.send(self.unsent)]
        if not self.unsent:
            self.selector.modify(self.socket, selectors.EVENT_READ, self.ready)

    def _read(self) -> None:
        data = self.socket.recv(1 << 16)
        if data:
            self.parser.feed_data(data)
        else:
            self._lose()

    def _lose(self) -> None:
        if self.is_open:
            self.close()
            self.owner.on_lost()


class Stream:
    """A subscription: one POST whose answer never ends, cut into RecordIO records."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        request: bytes,
        *,
        on_open: Callable[[], None],
        on_record: Callable[[bytes], None],
        on_refused: Callable[[int, str], None],
        on_end: Callable[[], None],
    ) -> None:
        self.on_open = on_open
        self.on_record = on_record
        self.on_refused = on_refused
        self.on_end = on_end
        self.records = recordio.Decoder(MAX_RECORD)
        self.refusal = b""
        self.status = 0
        self.connection = Connection(selector, address, self)
        self.connection.send(request)

    def close(self) -> None:
        self.connection.close()

    def on_headers_complete(self) -> None:
        self.status = self.connection.parser.get_status_code()
        if self.status == 200:
            self.on_open()

    def on_body(self, data: bytes) -> None:
        if self.status != 200:
            self.refusal = (self.refusal + data)[:MAX_REFUSAL_TEXT]
            return
        for record in self.records.feed(data):  # its error spoils the stream, as it should
            if self.connection.is_open:
                self.on_record(record)

    def on_message_complete(self) -> None:
        self.connection.close()
        if self.status == 200:
            self.on_end()
        else:
            self.on_refused(self.status, self.refusal.decode(errors="replace"))

    def on_lost(self) -> None:
        self.on_end()


class Calls:
    """Calls in order, each after the one before was answered; reconnects where it must."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        on_failed: Callable[[int | None], None],
    ) -> None:
        self.selector = selector
        self.address = address
        self.on_failed = on_failed
        self.waiting: deque[bytes] = deque()
        self.in_flight = False
        self.connection: Connection | None = None

    def make(self, request: bytes) -> None:
        self.waiting.append(request)
        if not self.in_flight:
            self._send_next()

    def close(self) -> None:
        self.waiting.clear()
        self.in_flight = False
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _send_next(self) -> None:
        if not self.waiting:
            return
        if self.connection is None:
            self.connection = Connection(self.selector, self.address, self)
        self.in_flight = True
        self.connection.send(self.waiting.popleft())

    def on_message_complete(self) -> None:
        """An answer: 202, or the call has failed and those behind it are dropped."""
        assert self.connection is not None
        status = self.connection.parser.get_status_code()
        self.in_flight = False
        if not self.connection.parser.should_keep_alive():
            self.connection.close()
            self.connection = None
        if status == 202:
            self._send_next()
        else:
            self.close()
            self.on_failed(status)

    def on_lost(self) -> None:
        """An agent may close an idle connection; one that owes us an answer is a failure."""
        self.connection = None
        if self.in_flight:
            self.close()
            self.on_failed(None)


def post(host: str, port: int, body: bytes, token: str | None) -> bytes:
    """One request of the executor API, whole."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    authorization = "" if token is None else f"Authorization: Bearer {token}\r\n"
    head = (
        f"POST {EXECUTOR_PATH.decode()} HTTP/1.1\r\nHost: {authority}\r\n{authorization}"
        "Content-Type: application/json\r\nAccept: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
