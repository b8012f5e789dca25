"""Independent peers: the standard library's client against our server, its server against ours.

Real sockets, real threads; nothing here waits on the clock.
"""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from mesos_ref.http.client import HttpClient
from mesos_ref.http.messages import Request, Response
from mesos_ref.http.server import serve
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.ports.net import TrioNet
from model_tests.shell.memory_net import never


async def handler(request: Request) -> Response | StreamResponse:
    """Echo; or a stream of three records, then its end."""
    if request.path != "/stream":
        return Response(200, request.body, "application/octet-stream")
    stream = StreamResponse(heartbeat=b"beat", heartbeat_first=True)
    for record in (b"one", b"two", b"three"):
        stream.send_nowait(record)
    stream.close()
    return stream


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    """A client of the standard library, closed at the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def with_server(use: Callable[[int], None]) -> None:
    """Run `use(port)` in a thread against our server."""

    async def main() -> None:
        listener = await TrioNet().listen("127.0.0.1", 0)
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                await serve(listener, handler, on_error=never)

            nursery.start_soon(run)
            await trio.to_thread.run_sync(use, listener.port)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_http_client_keeps_a_connection_and_reads_bodies() -> None:
    def use(port: int) -> None:
        with connected(port) as connection:
            for body in (b"", b"a", b"x" * 3_000_000):
                connection.request("POST", "/", body)
                assert connection.getresponse().read() == body
            chunks = [b"abc", b"defg"]
            connection.request("POST", "/", iter(chunks), encode_chunked=True)
            assert connection.getresponse().read() == b"abcdefg"
            connection.request("HEAD", "/")
            assert connection.getresponse().read() == b""

    with_server(use)


def test_http_client_reads_a_stream() -> None:
    def use(port: int) -> None:
        with connected(port) as connection:
            connection.request("POST", "/stream", headers={"Connection": "close"})
            response = connection.getresponse()
            assert (response.status, response.reason) == (200, "OK")
            assert response.chunked, "also to a client that wants to close"
            assert response.read() == b"3\none3\ntwo5\nthree"

    with_server(use)


def test_http_client_reads_why_it_was_refused() -> None:
    def use(port: int) -> None:
        with connected(port) as connection:
            connection.request("POST", "/", b"x" * (4 * 1024 * 1024 + 1))
            response = connection.getresponse()
            assert response.status == 413
            assert b"longer than 4194304 bytes" in response.read()

    with_server(use)


def test_a_socket_that_is_reset_mid_request_harms_nobody() -> None:
    def use(port: int) -> None:
        for cut in (b"", b"POST / HTT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"):
            raw = socket.create_connection(("127.0.0.1", port))
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.sendall(cut)
            raw.close()
        with connected(port) as connection:
            connection.request("POST", "/", b"fine")
            assert connection.getresponse().read() == b"fine"

    with_server(use)


class Standard(http.server.BaseHTTPRequestHandler):
    """The standard library's server, echoing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(body), 1000):
                piece = body[i : i + 1000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_our_client_against_the_standard_server() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Standard)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.server_address[1]

    async def main() -> None:
        client = HttpClient(TrioNet())
        for path in ("/", "/chunked"):
            for body in (b"", b"a", b"x" * 1_000_000):
                url = f"http://127.0.0.1:{port}{path}"
                answer = await client.request("POST", url, body=body)
                assert (answer.status, answer.body) == (200, body)
        await client.aclose()

    try:
        trio.run(main)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
