"""Requests that don't wait for each other: order, what is said together, and every way to end."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.http.client import HttpError
from mesos_ref.http.codec import AnswerParser
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.pipeline import Pipeline, open_pipeline
from mesos_ref.http.server import Later
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.ports.net import Stream
from model_tests.shell.memory_net import MemoryNet, run_virtually, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


class Desk:
    """A server whose answers are given by the test."""

    def __init__(self) -> None:
        self.handed_on: list[tuple[bytes, Later]] = []

    async def handle(self, request: Request) -> Response | StreamResponse | Later:
        """`now` is answered at once, `stream` as one, the rest handed on."""
        if request.body == b"now":
            return Response.text(200, "at once")
        if request.body == b"stream":
            stream = StreamResponse()
            stream.close()
            return stream
        later = Later()
        self.handed_on.append((request.body, later))
        return later

    def settle(self) -> None:
        """Answer what waits, the newest first."""
        while self.handed_on:
            body, later = self.handed_on.pop()
            later.settle(Response(200, b"to " + body))

    @property
    def waiting(self) -> list[bytes]:
        return [body for body, _ in self.handed_on]


def at_a_desk(use: Callable[[Desk, Pipeline], Awaitable[None]]) -> None:
    async def main() -> None:
        desk, net = Desk(), MemoryNet()
        async with serving(desk.handle, net=net) as listener:
            pipeline = await open_pipeline(net, f"http://memory:{listener.port}/x")
            await use(desk, pipeline)
            await pipeline.aclose()

    run_virtually(main)


async def send(pipeline: Pipeline, *bodies: bytes) -> None:
    await pipeline.send([({"A": "b"}, body) for body in bodies])
    await trio.testing.wait_all_tasks_blocked()


async def answers(pipeline: Pipeline, count: int) -> list[bytes]:
    return [(await pipeline.next_answer()).body for _ in range(count)]


# The server ---------------------------------------------------------------------------------------


def test_what_came_together_is_heard_before_any_of_it_is_answered() -> None:
    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await send(pipeline, b"1", b"2", b"3")
        assert (desk.waiting, pipeline.outstanding) == ([b"1", b"2", b"3"], 3)
        desk.settle()
        assert await answers(pipeline, 3) == [b"to 1", b"to 2", b"to 3"]
        assert pipeline.outstanding == 0

    at_a_desk(use)


def test_what_came_afterwards_waits() -> None:
    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await send(pipeline, b"1")
        await send(pipeline, b"2")
        assert desk.waiting == [b"1"]
        desk.settle()
        assert await answers(pipeline, 1) == [b"to 1"]
        await trio.testing.wait_all_tasks_blocked()
        assert desk.waiting == [b"2"]

    at_a_desk(use)


def test_an_answer_at_once_waits_for_those_before_it() -> None:
    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await send(pipeline, b"1", b"now", b"2")
        assert desk.waiting == [b"1"]
        desk.settle()
        assert await answers(pipeline, 2) == [b"to 1", b"at once"]
        await trio.testing.wait_all_tasks_blocked()
        assert desk.waiting == [b"2"]

    at_a_desk(use)


def test_a_stream_comes_after_the_answers_before_it_and_is_the_last() -> None:
    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await send(pipeline, b"1", b"stream", b"2")
        desk.settle()
        assert await answers(pipeline, 2) == [b"to 1", b""]
        with pytest.raises(HttpError, match=r"takes no more requests|closed"):
            await pipeline.next_answer()
        assert desk.waiting == []

    at_a_desk(use)


def test_the_last_request_of_a_connection_is_answered_too() -> None:
    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await pipeline.send([({}, b"1"), ({"Connection": "close"}, b"2"), ({}, b"3")])
        await trio.testing.wait_all_tasks_blocked()
        assert desk.waiting == [b"1", b"2"]
        desk.settle()
        assert await answers(pipeline, 2) == [b"to 1", b"to 2"]
        with pytest.raises(HttpError, match="takes no more requests here"):
            await pipeline.next_answer()
        assert pipeline.outstanding == 1

    at_a_desk(use)


def test_answers_already_there_need_no_waiting() -> None:
    async def handle(request: Request) -> Later:
        later = Later()
        later.settle(Response(202))
        return later

    async def main() -> None:
        net = MemoryNet()
        async with serving(handle, net=net) as listener:
            pipeline = await open_pipeline(net, f"http://memory:{listener.port}/x")
            await send(pipeline, *itertools.repeat(b"", 100))
            assert {(await pipeline.next_answer()).status for _ in range(100)} == {202}

    run_virtually(main)


def test_a_client_may_think_as_long_as_the_server_may() -> None:
    """Waiting for the handler is not idling: no time limit of the server runs meanwhile."""

    async def use(desk: Desk, pipeline: Pipeline) -> None:
        await send(pipeline, b"1", b"2")
        await trio.sleep(1_000)
        desk.settle()
        assert await answers(pipeline, 2) == [b"to 1", b"to 2"]

    at_a_desk(use)


# The client ---------------------------------------------------------------------------------------


def scripted(*script: bytes, ends: bool = True, count: int = 1) -> list[bytes]:
    """Bodies of the `count` answers, when these pieces are said. May raise `HttpError`."""
    got: list[bytes] = []
    failed: list[HttpError] = []

    async def main() -> None:
        net = MemoryNet()
        listener = await net.listen("memory", 1)

        async def answer() -> None:
            stream: Stream = await listener.accept()
            await stream.receive_some()
            for piece in script:
                await stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()
            if ends:
                await stream.send_eof()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            pipeline = await open_pipeline(net, "http://memory:1/", timeout_s=10, limits=Limits())
            await send(pipeline, *itertools.repeat(b"", count))
            try:
                got.extend(await answers(pipeline, count))
            except HttpError as error:
                failed.append(error)

    run_virtually(main)
    if failed:
        raise failed[0]
    return got


def test_answers_in_any_pieces() -> None:
    said = b"".join(OK + b"%d" % n for n in range(10))
    wanted = [b"%d" % n for n in range(10)]
    assert scripted(said, count=10) == wanted
    assert scripted(*(bytes([byte]) for byte in said), count=10) == wanted


def test_many_answers_in_one_piece_are_not_long_headers() -> None:
    assert scripted(b"".join([OK + b"a"] * 2_000), count=2_000) == [b"a"] * 2_000


def test_continue_is_no_answer() -> None:
    assert scripted(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"a") == [b"a"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (OK + b"a", "closed the connection"),
        (OK, "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "takes no more"),
        (OK + b"aSSH-2.0-OpenSSH\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", "headers are longer"),
        (OK + b"aHTTP/1.1 200 OK\r\n\r\n" + b"a" * 5_000_000, "body is longer"),
        (b"HTTP/1.1 200 OK\r\n\r\nall of it", "closed the connection"),
    ],
)
def test_what_is_no_answer_is_an_error(script: bytes, why: str) -> None:
    with pytest.raises(HttpError, match=why):
        scripted(script, count=2)


def test_an_answer_may_come_too_late() -> None:
    with pytest.raises(HttpError, match="no answer within 10 seconds"):
        scripted(OK + b"a", ends=False, count=2)


def test_a_pipeline_may_idle() -> None:
    """Only what is due is waited for in vain; the time counts from when it was asked for."""

    async def use(desk: Desk, pipeline: Pipeline) -> None:
        got: list[bytes] = []

        async def hear() -> None:
            got.append((await pipeline.next_answer()).body)
            with pytest.raises(HttpError, match="no answer within 10 seconds"):
                await pipeline.next_answer()
            assert trio.current_time() - asked_s == pytest.approx(10)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await trio.sleep(40)
            await send(pipeline, b"1")
            desk.settle()
            await trio.sleep(20)
            assert got == [b"to 1"]
            asked_s = trio.current_time()
            await send(pipeline, b"2")

    at_a_desk(use)


def test_an_answer_nobody_asked_for() -> None:
    async def main() -> None:
        net = MemoryNet()
        listener = await net.listen("memory", 1)
        pipeline = await open_pipeline(net, "http://memory:1/")
        server = await listener.accept()
        await server.send_all(OK + b"a")
        with pytest.raises(HttpError, match="nobody asked for"):
            await pipeline.next_answer()

    run_virtually(main)


def test_nobody_there() -> None:
    async def main() -> None:
        with pytest.raises(HttpError, match="can't connect to memory:1: nobody") as caught:
            await open_pipeline(MemoryNet(), "http://memory:1/")
        assert not caught.value.may_have_been_heard

    run_virtually(main)


def test_that_it_broke_is_heard_where_answers_are() -> None:
    async def main() -> None:
        net = MemoryNet()
        listener = await net.listen("memory", 1)
        pipeline = await open_pipeline(net, "http://memory:1/")
        server = await listener.accept()
        server.abort()
        await send(pipeline, b"1")
        with pytest.raises(HttpError, match=r"broke|closed"):
            await pipeline.next_answer()

    run_virtually(main)


@given(st.lists(st.binary(max_size=40)), st.booleans())
def test_no_noise_raises_in_the_parser(noise: list[bytes], with_head: bool) -> None:
    parser = AnswerParser(Limits())
    if with_head:
        parser.feed(OK)
    for piece in noise:
        parser.feed(piece)
    while parser.next_answer() is not None:
        pass
