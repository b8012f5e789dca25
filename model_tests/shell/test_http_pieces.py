"""Answers that are read while they are sent: one piece in memory, and every way to end."""

from __future__ import annotations

import trio

from mesos_ref.http.messages import Limits, Request
from mesos_ref.http.pieces import PIECE_BYTES, PiecesResponse
from mesos_ref.http.server import serve
from mesos_ref.ports.net import STREAM_OVER, TrioNet
from model_tests.live.hosting import live

SIZE = 40 * PIECE_BYTES + 7
LONG = 1 << 40


class Zeros:
    """A source of so many zeros, which counts what is read of it."""

    def __init__(self, there: int) -> None:
        self.there = there
        self.reads: list[int] = []
        self.closed = 0
        self.is_closed = trio.Event()

    def read(self, offset: int, length: int) -> bytes:
        assert not self.closed, "closed while it was read"
        self.reads.append(offset)
        return bytes(max(0, min(length, self.there - offset)))

    def close(self) -> None:
        self.closed += 1
        self.is_closed.set()


def request(method: str) -> bytes:
    return f"{method} /x HTTP/1.1\r\nHost: h\r\n\r\n".encode()


async def downloaded(source: Zeros, size: int, method: str = "GET", take: int | None = None) -> int:
    """How many bytes come of an answer, its head included, to who takes so many and goes."""

    async def handler(asked: Request) -> PiecesResponse:
        return PiecesResponse(source, size, "text/plain")

    net, came = TrioNet(), 0
    listener = await net.listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await serve(listener, handler, limits=Limits(idle_timeout_s=0.2))

        nursery.start_soon(run)
        stream = await net.connect("127.0.0.1", listener.port)
        await stream.send_all(request(method))
        try:
            while (take is None or came < take) and (data := await stream.receive_some(1 << 16)):
                came += len(data)
            if take is not None:
                await source.is_closed.wait()
        except STREAM_OVER:
            came = -came
        await stream.aclose()
        await source.is_closed.wait()
        nursery.cancel_scope.cancel()
    assert source.closed == 1
    return came


@live
async def test_all_of_it_comes_piece_by_piece() -> None:
    source = Zeros(SIZE)
    assert await downloaded(source, SIZE) > SIZE
    assert source.reads == list(range(0, SIZE, PIECE_BYTES))


@live
async def test_head_reads_nothing() -> None:
    source = Zeros(SIZE)
    assert 0 < await downloaded(source, SIZE, "HEAD") < 200
    assert source.reads == []


@live
async def test_nothing_is_a_whole_answer_too() -> None:
    source = Zeros(0)
    assert 0 < await downloaded(source, 0) < 200
    assert source.reads == []


@live
async def test_who_does_not_read_is_hung_up_on_and_little_was_read_for_it() -> None:
    source = Zeros(LONG)
    await downloaded(source, LONG, take=1)
    assert len(source.reads) * PIECE_BYTES < 64 << 20, "what the kernel keeps for a connection"


@live
async def test_a_file_that_became_shorter_is_no_whole_answer() -> None:
    source = Zeros(SIZE // 2)
    assert abs(await downloaded(source, SIZE)) < SIZE
