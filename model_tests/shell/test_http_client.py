"""The client: against our server in memory, against scripted answers, and against lies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.http.client import KEEP_S, Answer, HttpClient, HttpError, parse_url
from mesos_ref.http.codec import ResponseParser
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.streaming import StreamResponse
from model_tests.shell.memory_net import MemoryNet, run_virtually, serving


async def echo(request: Request) -> Response:
    said = f"{request.method} {request.target} {request.headers.get('a')} {request.body!r}"
    return Response.text(200, said, {"X-Connection": request.connection})


def asking(use: Callable[[HttpClient, str], Awaitable[None]]) -> None:
    """Run `use(client, url)` against an echoing server."""

    async def main() -> None:
        net = MemoryNet()
        async with serving(echo, net=net) as listener:
            await use(HttpClient(net), f"http://memory:{listener.port}")

    run_virtually(main)


def test_requests_of_all_kinds() -> None:
    async def use(client: HttpClient, url: str) -> None:
        got = await client.request("POST", f"{url}/p?q=1", headers={"A": "b"}, body=b"body")
        assert (got.status, got.body) == (200, b"POST /p?q=1 b b'body'")
        got = await client.request("GET", url)
        assert got.body == b"GET / None b''"
        got = await client.request("HEAD", url)
        assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "15")
        got = await client.request("POST", url, body=b"x" * 1_000_000)
        assert len(got.body) > 1_000_000

    asking(use)


def test_a_connection_is_kept_and_one_request_uses_it_at_a_time() -> None:
    async def use(client: HttpClient, url: str) -> None:
        seen: list[str] = []

        async def ask() -> None:
            seen.append((await client.request("GET", url)).headers["x-connection"])

        await ask()
        await ask()
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert seen[:2] == ["c0", "c0"]
        assert sorted(seen[2:]) == ["c0", "c1", "c2"]
        await trio.sleep(KEEP_S)
        await ask()
        assert seen[-1] == "c3", "an old connection is not trusted"
        await client.aclose()
        await ask()
        assert seen[-1] == "c4"

    asking(use)


def test_a_redirect_is_the_callers_business() -> None:
    async def handler(request: Request) -> Response:
        return Response(307, headers={"Location": f"//memory:5050{request.target}"})

    async def main() -> None:
        net = MemoryNet()
        async with serving(handler, net=net) as listener:
            got = await HttpClient(net).request("POST", f"//memory:{listener.port}/api?x=1")
        assert got.status == 307
        target = parse_url(got.headers["location"])
        assert (target.host, target.port, target.path) == ("memory", 5050, "/api?x=1")

    run_virtually(main)


def test_nobody_there() -> None:
    async def main() -> None:
        with pytest.raises(HttpError, match="can't connect to memory:1: nobody") as caught:
            await HttpClient(MemoryNet()).request("GET", "http://memory:1/")
        assert not caught.value.may_have_been_heard

    run_virtually(main)


@pytest.mark.parametrize("url", ["https://h/", "h:5050", "/path", "http://:1/", "http://h:x/"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected http|Port could not"):
        parse_url(url)


def test_ipv6_hosts_are_bracketed() -> None:
    assert parse_url("http://[::1]:5050").authority == "[::1]:5050"


# Scripted answers -----------------------------------------------------------------------------


def answer_read_from(script: bytes, ends: bool = True, limits: Limits | None = None) -> Answer:
    """What the client makes of these very bytes.  May raise `HttpError`."""
    got: list[Answer] = []
    failed: list[HttpError] = []

    async def main() -> None:
        net = MemoryNet()
        listener = await net.listen("memory", 1)

        async def answer() -> None:
            stream = await listener.accept()
            await stream.receive_some()
            await stream.send_all(script)
            if ends:
                await stream.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            client = HttpClient(net, limits or Limits())
            try:
                got.append(await client.request("GET", "http://memory:1/", timeout_s=10))
            except HttpError as error:
                failed.append(error)

    run_virtually(main)
    if failed:
        raise failed[0]
    return got[0]


def test_a_body_of_unsaid_length_ends_with_the_connection() -> None:
    assert answer_read_from(b"HTTP/1.1 200 OK\r\n\r\nall of it").body == b"all of it"


def test_continue_is_not_the_answer() -> None:
    script = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    assert answer_read_from(script).status == 202


def test_no_content_and_not_modified_have_no_body() -> None:
    assert answer_read_from(b"HTTP/1.1 204 No Content\r\n\r\n", ends=False).status == 204
    assert answer_read_from(b"HTTP/1.1 304 Not Modified\r\n\r\n", ends=False).status == 304


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (b"", "ended before"),
        (b"SSH-2.0-OpenSSH\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "ended before"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "ended before"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2, "nobody asked for"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", "headers are longer"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 5_000_000, "body is longer"),
    ],
)
def test_what_is_no_answer_is_an_error(script: bytes, why: str) -> None:
    with pytest.raises(HttpError, match=why):
        answer_read_from(script)


def test_an_answer_may_come_too_late() -> None:
    with pytest.raises(HttpError, match="no answer within 10 seconds"):
        answer_read_from(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", ends=False)


@given(st.binary(max_size=200), st.booleans())
def test_no_answer_raises_in_the_parser(noise: bytes, with_head: bool) -> None:
    parser = ResponseParser(Limits())
    parser.feed(
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if with_head else b"") + noise
    )
    parser.feed_eof()
    assert parser.is_complete or parser.fault is not None


# Streams --------------------------------------------------------------------------------------


def test_a_stream_of_records() -> None:
    streams: list[StreamResponse] = []

    async def handler(request: Request) -> StreamResponse:
        streams.append(StreamResponse(headers={"Mesos-Stream-Id": "s"}))
        return streams[0]

    async def main() -> None:
        net = MemoryNet()
        async with serving(handler, net=net) as listener:
            heard = await HttpClient(net).stream("POST", f"http://memory:{listener.port}/")
            assert (heard.status, heard.headers["mesos-stream-id"]) == (200, "s")
            sent = [b"%d" % n for n in range(100)]
            for record in sent[:50]:
                streams[0].send_nowait(record)
            assert [await heard.next_record() for _ in range(50)] == sent[:50]
            for record in sent[50:]:
                streams[0].send_nowait(record)
            streams[0].close()
            assert [record async for record in heard] == sent[50:]
            assert await heard.next_record() is None
            await heard.aclose()

    run_virtually(main)


def test_closing_a_stream_is_noticed_by_the_server() -> None:
    streams: list[StreamResponse] = []

    async def handler(request: Request) -> StreamResponse:
        streams.append(StreamResponse())
        return streams[0]

    async def main() -> None:
        net = MemoryNet()
        async with serving(handler, net=net) as listener:
            heard = await HttpClient(net).stream("POST", f"http://memory:{listener.port}/")
            await heard.aclose()
            await streams[0].ended.wait()
            assert streams[0].reason == "the client went away"

    run_virtually(main)


def test_a_refused_stream_has_a_body() -> None:
    async def handler(request: Request) -> Response:
        return Response.text(400, "no such thing")

    async def main() -> None:
        net = MemoryNet()
        async with serving(handler, net=net) as listener:
            heard = await HttpClient(net).stream("POST", f"http://memory:{listener.port}/")
            assert (heard.status, await heard.body()) == (400, b"no such thing")
            await heard.aclose()

    run_virtually(main)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"3\r\n5\nh\r\n0\r\n\r\n", "ended within a record"),
        (b"3\r\n5\nh\r\n", "ended before"),
        (b"3\r\nx\nh\r\n", "not a stream of records"),
        (b"5\r\n99999\r\n", "ended before"),
        (b"7\r\n999999\n\r\n", "longer than 1000"),
    ],
)
def test_what_is_no_stream_is_an_error(body: bytes, why: str) -> None:
    async def main() -> None:
        net = MemoryNet()
        listener = await net.listen("memory", 1)

        async def answer() -> None:
            stream = await listener.accept()
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
            await stream.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            heard = await HttpClient(net).stream("GET", "//memory:1/", max_record_bytes=1000)
            with pytest.raises(HttpError, match=why):
                await heard.next_record()
            await heard.aclose()

    run_virtually(main)
