"""The server, as a client on a raw stream sees it: framing, order, limits, malformed input."""

from __future__ import annotations

import re

import pytest
import trio

from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.streaming import StreamResponse
from model_tests.shell.memory_net import read_all, run_virtually, serving, talk

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(request: Request) -> Response:
    """Say what was asked."""
    said = f"{request.method} {request.path} {sorted(request.query.items())} {request.body!r}"
    return Response.text(200, said)


def statuses(data: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /p HTTP/1.1", b"Host: h", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answer_to(*pieces: bytes, limits: Limits | None = None) -> bytes:
    """All a server says to these pieces, sent one by one on one connection."""
    heard = b""

    async def main() -> None:
        nonlocal heard
        async with serving(echo, limits) as listener:
            heard = await talk(listener, *pieces)

    run_virtually(main)
    return heard


# Requests -------------------------------------------------------------------------------------


def test_a_whole_answer_on_the_wire() -> None:
    assert answer_to(GET) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 13\r\n\r\nGET /x [] b''"
    )


def test_path_and_query() -> None:
    said = answer_to(b"GET /slave%281%29/state?a=1&b=&a=2 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.endswith(b"GET /slave(1)/state [('a', '2'), ('b', '')] b''")


def test_the_absolute_form_is_a_path_too() -> None:
    said = answer_to(b"GET http://h:1/a/b?c=d HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.endswith(b"GET /a/b [('c', 'd')] b''")


def test_bodies_by_length_and_by_chunks() -> None:
    chunked = (
        b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
    )
    said = answer_to(post(b"abcdefg"), chunked)
    assert said.count(b"POST /p [] b'abcdefg'") == 2


def test_bytes_may_come_one_by_one() -> None:
    said = answer_to(*(bytes([byte]) for byte in post(b"slow")))
    assert said.endswith(b"POST /p [] b'slow'")


def test_headers_are_lower_case_and_repeated_ones_joined() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(202)

    async def main() -> None:
        async with serving(handler) as listener:
            await talk(listener, b"GET / HTTP/1.1\r\nMesos-STREAM-Id: s\r\nA: 1\r\na: 2\r\n\r\n")
            await talk(listener, GET, GET)

    run_virtually(main)
    assert seen[0].headers == {"mesos-stream-id": "s", "a": "1, 2"}
    assert [request.connection for request in seen] == ["c0", "c1", "c1"]
    assert [request.peer for request in seen] == ["client:0", "client:1", "client:1"]


def test_pipelined_requests_are_answered_in_order() -> None:
    asked = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(20))
    said = answer_to(asked)
    assert [int(n) for n in re.findall(rb"GET /(\d+) ", said)] == list(range(20))


def test_an_empty_answer() -> None:
    async def handler(request: Request) -> Response:
        return Response(202)

    async def main() -> None:
        async with serving(handler) as listener:
            said = await talk(listener, post(b"{}"))
        assert said == b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

    run_virtually(main)


def test_head_has_a_length_and_no_body() -> None:
    said = answer_to(b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.endswith(b"Content-Length: 14\r\n\r\n")


def test_expect_100_continue() -> None:
    head = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    assert statuses(answer_to(head, b"abc")) == [100, 200]
    assert statuses(answer_to(head + b"abc")) == [200], "nobody waits for leave"
    assert statuses(answer_to(head + b"a", b"bc")) == [200], "nobody waits for leave"


# Closing --------------------------------------------------------------------------------------


def test_connection_close_is_obeyed() -> None:
    async def main() -> None:
        async with serving(echo) as listener:
            stream = listener.dial()
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET)
            said = await read_all(stream)
        assert statuses(said) == [200]
        assert b"Connection: close\r\n" in said

    run_virtually(main)


def test_http_1_0_closes() -> None:
    async def main() -> None:
        async with serving(echo) as listener:
            stream = listener.dial()
            await stream.send_all(b"GET / HTTP/1.0\r\n\r\n")
            assert statuses(await read_all(stream)) == [200]

    run_virtually(main)


def test_a_request_to_upgrade_is_answered_in_http() -> None:
    said = answer_to(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert statuses(said) == [200]
    assert b"Connection: close\r\n" in said


@pytest.mark.parametrize(
    "malformed",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),  # TLS
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    ],
)
def test_malformed_input_is_400_with_a_sentence_and_closed(malformed: bytes) -> None:
    async def main() -> None:
        async with serving(echo) as listener:
            stream = listener.dial()
            await stream.send_all(GET + malformed)
            said = await read_all(stream)
        assert statuses(said) == [200, 400], "what came before is answered"
        assert b"Connection: close\r\n" in said
        assert b"\r\n\r\nMalformed request: " in said

    run_virtually(main)


# Limits ---------------------------------------------------------------------------------------

SMALL = Limits(header_bytes=1000, body_bytes=100, request_timeout_s=30, idle_timeout_s=75)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nA: " + b"a" * 1000,
        b"GET /" + b"a" * 1000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200,
    ],
)
def test_long_headers_are_431(head: bytes) -> None:
    assert statuses(answer_to(head + b"\r\n\r\n", limits=SMALL)) == [431]
    drop_by_drop = [head[i : i + 100] for i in range(0, len(head), 100)]
    assert statuses(answer_to(*drop_by_drop, b"a" * 2000, limits=SMALL))[:1] == [431]


def test_long_trailers_are_431() -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert statuses(answer_to(head + b"a: b\r\n" * 400 + b"\r\n", limits=SMALL)) == [431]


def test_a_long_body_is_413_before_it_is_sent() -> None:
    head = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"
    assert statuses(answer_to(head, limits=SMALL)) == [413]
    assert statuses(answer_to(post(b"a" * 101), limits=SMALL)) == [413]
    assert statuses(answer_to(post(b"a" * 100), limits=SMALL)) == [200]


def test_a_long_chunked_body_is_413() -> None:
    head = b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(answer_to(head, *[b"32\r\n" + b"a" * 50 + b"\r\n"] * 3, limits=SMALL)) == [413]


def closed_after(*pieces: bytes, pause_s: float = 0.0) -> tuple[float, bytes]:
    """When a server closes a connection that sends these pieces and waits, and what it says."""
    result = (0.0, b"")

    async def main() -> None:
        nonlocal result
        async with serving(echo, SMALL) as listener:
            stream = listener.dial()
            began = trio.current_time()
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    for piece in pieces:
                        await stream.send_all(piece)
                        await trio.sleep(pause_s)

                nursery.start_soon(send)
                said = await read_all(stream)
                result = (trio.current_time() - began, said)
                nursery.cancel_scope.cancel()

    run_virtually(main)
    return result


def test_a_silent_connection_is_closed_without_a_word() -> None:
    assert closed_after() == (75.0, b"")


def test_a_connection_idle_after_an_answer_is_closed() -> None:
    seconds, said = closed_after(GET)
    assert (seconds, statuses(said)) == (75.0, [200])


def test_half_a_request_is_408() -> None:
    seconds, said = closed_after(GET[:-3])
    assert (seconds, statuses(said)) == (30.0, [408])


def test_drops_of_a_request_do_not_prolong_it() -> None:
    body = post(b"a" * 99)
    seconds, said = closed_after(*[body[i : i + 1] for i in range(len(body))], pause_s=1)
    assert (seconds, statuses(said)) == (30.0, [408])


def test_a_slow_handler_is_not_hurried() -> None:
    async def handler(request: Request) -> Response:
        await trio.sleep(1000)
        return Response(200)

    async def main() -> None:
        async with serving(handler, SMALL) as listener:
            assert statuses(await talk(listener, GET)) == [200]

    run_virtually(main)


def test_connections_are_bounded() -> None:
    async def main() -> None:
        async with serving(echo, Limits(connections=2)) as listener:
            kept = [listener.dial() for _ in range(2)]
            await trio.testing.wait_all_tasks_blocked()
            assert statuses(await read_all(listener.dial())) == [503]
            await kept[0].aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert statuses(await talk(listener, GET)) == [200]

    run_virtually(main)


# Handlers that fail ---------------------------------------------------------------------------


def test_a_handler_that_raises_is_500_and_heard_of() -> None:
    heard: list[tuple[str, str]] = []

    async def handler(request: Request) -> Response | StreamResponse:
        if request.path == "/bad":
            raise LookupError("oops")
        return Response(200)

    def on_error(error: Exception, request: Request) -> None:
        heard.append((repr(error), request.path))

    async def main() -> None:
        async with serving(handler, on_error=on_error) as listener:
            said = await talk(listener, GET.replace(b"/x", b"/bad"), GET)
        assert statuses(said) == [500, 200], "the connection lives on"
        assert b"oops" not in said

    run_virtually(main)
    assert heard == [("LookupError('oops')", "/bad")]


def test_a_header_value_cannot_end_its_line() -> None:
    async def handler(request: Request) -> Response:
        return Response(200, headers={"X": "a\r\nSet-Cookie: b"})

    async def main() -> None:
        async with serving(handler) as listener:
            assert b"\nSet-Cookie" not in await talk(listener, GET)

    run_virtually(main)
