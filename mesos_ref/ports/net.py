"""The network port: byte streams between a host and a port.

A stream behaves as a TCP connection does.  `receive_some` gives ``b""`` once the other side has
finished.  If the connection is broken, operations raise `trio.BrokenResourceError`; if this side
has closed it, `trio.ClosedResourceError`.  `abort` ends it at once: what is unsent is lost, and the
other side sees a broken connection rather than an orderly end.
"""

from __future__ import annotations

import socket
import struct
from typing import Protocol

import trio


class Stream(Protocol):
    """One connection, seen from one side."""

    @property
    def peer(self) -> str:
        """Who is at the other end, ``host:port``; for people."""
        ...

    async def receive_some(self, max_bytes: int | None = None) -> bytes: ...

    async def send_all(self, data: bytes) -> None: ...

    async def send_eof(self) -> None:
        """Finish this direction; the other one stays open."""
        ...

    async def aclose(self) -> None:
        """Close in order.  Closing twice is fine."""
        ...

    def abort(self) -> None:
        """Close at once, by a reset.  Never blocks, never raises."""
        ...


class Listener(Protocol):
    """A port that takes connections."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int:
        """The port that was bound, also when 0 was asked for."""
        ...

    async def accept(self) -> Stream:
        """The next connection.  Raises `OSError` if the machine has run out of something."""
        ...

    async def aclose(self) -> None: ...


class Net(Protocol):
    """Opens and takes connections."""

    async def listen(self, host: str, port: int) -> Listener:
        """Raises `OSError` if the port can't be had."""
        ...

    async def connect(self, host: str, port: int) -> Stream:
        """Raises `OSError` if nobody answers."""
        ...


#: What a stream's operations raise once the connection is over.
STREAM_OVER = (trio.BrokenResourceError, trio.ClosedResourceError)


class TrioStream:
    """A TCP connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.peer = _name(stream.socket.getpeername())

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self) -> None:
        sock = self._stream.socket
        if sock.fileno() < 0:
            return
        # Linger on, for zero seconds: closing sends a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


class TrioListener:
    """A listening TCP socket."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self.host, self.port = listener.socket.getsockname()[:2]

    async def accept(self) -> Stream:
        while True:
            stream = await self._listener.accept()
            try:
                return TrioStream(stream)
            except OSError:  # it is gone already
                await stream.aclose()

    async def aclose(self) -> None:
        await self._listener.aclose()


class TrioNet:
    """The real network."""

    async def listen(self, host: str, port: int) -> Listener:
        try:
            first, *rest = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            why = f"can't listen on {host}:{port}: {error.strerror or error}"
            raise OSError(error.errno, why) from error
        for other in rest:  # a name may stand for an IPv6 address too
            await other.aclose()
        return TrioListener(first)

    async def connect(self, host: str, port: int) -> Stream:
        try:
            return TrioStream(await trio.open_tcp_stream(host, port))
        except OSError as error:
            tried = error.__cause__
            if isinstance(tried, ExceptionGroup) and isinstance(tried.exceptions[0], OSError):
                raise tried.exceptions[0] from None  # says why, not only that
            raise


def _name(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
