"""Streams: one record a chunk, heartbeats, and every way to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from mesos_ref.http import recordio
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.server import Later, serve
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.ports.net import TrioNet
from mesos_ref.turns import Turns
from model_tests.shell.memory_net import (
    MemoryListener,
    MemoryStream,
    read_all,
    run_virtually,
    serving,
)

ASK = b"POST /s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
BEAT = b'{"type":"HEARTBEAT"}'


class Subscriptions:
    """A handler that opens a stream for each request and keeps it."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.streams: list[StreamResponse] = []
        self.lost: list[str] = []

    async def __call__(self, request: Request) -> Response | StreamResponse:
        stream = StreamResponse(
            headers={"Mesos-Stream-Id": "s-1"},
            on_lost=self.lost.append,
            **self.options,  # type: ignore[arg-type]
        )
        self.streams.append(stream)
        return stream


async def subscribe(listener: MemoryListener) -> MemoryStream:
    stream = listener.dial()
    await stream.send_all(ASK)
    await trio.testing.wait_all_tasks_blocked()
    return stream


def chunks_of(data: bytes) -> list[bytes]:
    """The chunks after a head, the last one included."""
    body = data.partition(b"\r\n\r\n")[2]
    chunks = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return chunks


def test_a_stream_on_the_wire() -> None:
    async def main() -> None:
        subscriptions = Subscriptions()
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
            (stream,) = subscriptions.streams
            assert stream.send_nowait(b'{"a":1}')
            assert stream.send_nowait(b"x" * 300)
            stream.close()
            assert not stream.send_nowait(b"too late")
            assert await read_all(client) == (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMesos-Stream-Id: s-1\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
                b'9\r\n7\n{"a":1}\r\n' + b"130\r\n300\n" + b"x" * 300 + b"\r\n0\r\n\r\n"
            )
            await stream.ended.wait()
        assert subscriptions.lost == [], "we closed it ourselves"
        assert stream.reason == "closed"

    run_virtually(main)


def test_one_record_is_one_chunk_however_they_are_sent() -> None:
    async def main() -> None:
        subscriptions = Subscriptions()
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
            (stream,) = subscriptions.streams
            sent = [b"%d" % n * n for n in range(1, 60)]
            for n, record in enumerate(sent):
                stream.send_nowait(record)
                if n % 7 == 0:
                    await trio.testing.wait_all_tasks_blocked()
            stream.close()
            chunks = chunks_of(await read_all(client))
        assert chunks == [*map(recordio.encode, sent), b""]

    run_virtually(main)


def beats(records: list[bytes], first: bool, wait_s: float) -> list[bytes]:
    """The chunks of a stream with a heartbeat every 15 s, `records` sent at once."""
    chunks: list[bytes] = []

    async def main() -> None:
        nonlocal chunks
        subscriptions = Subscriptions(heartbeat=BEAT, heartbeat_first=first)
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
            (stream,) = subscriptions.streams
            for record in records:
                stream.send_nowait(record)
            if wait_s:
                await trio.sleep(wait_s)
            stream.close()
            chunks = [chunk.partition(b"\n")[2] for chunk in chunks_of(await read_all(client))]

    run_virtually(main)
    assert chunks.pop() == b""
    return chunks


def test_heartbeats_come_by_the_clock() -> None:
    assert beats([b"A", b"B"], first=False, wait_s=31) == [b"A", b"B", BEAT, BEAT]


def test_the_first_heartbeat_follows_the_first_record() -> None:
    assert beats([b"A", b"B"], first=True, wait_s=16) == [b"A", BEAT, b"B", BEAT]


def test_a_stream_of_one_last_record_has_no_heartbeat() -> None:
    assert beats([b"ERROR"], first=True, wait_s=0) == [b"ERROR"]


def test_heartbeats_do_not_wait_for_silence() -> None:
    async def main() -> None:
        subscriptions = Subscriptions(heartbeat=BEAT)
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
            (stream,) = subscriptions.streams
            for _ in range(100):
                stream.send_nowait(b"event")
                await trio.sleep(1)
            stream.close()
            chunks = chunks_of(await read_all(client))
        assert chunks.count(recordio.encode(BEAT)) == 6

    run_virtually(main)


def lost_by(provoke: Callable[[MemoryStream, StreamResponse], object], limits: Limits) -> list[str]:
    """Why a stream was lost after `provoke`, with every time it was said."""
    subscriptions = Subscriptions(limits=limits)

    async def main() -> None:
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
            (stream,) = subscriptions.streams
            provoke(client, stream)
            began = trio.current_time()
            await stream.ended.wait()
            assert trio.current_time() == began, "noticed at once"
            assert not stream.is_open
            assert not stream.send_nowait(b"more")
            stream.close()
            stream.lose("again")

    run_virtually(main)
    return subscriptions.lost


def test_a_client_that_goes_away_is_noticed_at_once() -> None:
    assert lost_by(lambda client, _: client.abort(), Limits()) == ["the client went away"]


def test_too_many_records_lose_the_stream() -> None:
    def provoke(client: MemoryStream, stream: StreamResponse) -> None:
        assert [stream.send_nowait(b"x") for _ in range(5)] == [True] * 3 + [False] * 2

    (reason,) = lost_by(provoke, Limits(outbox_records=3))
    assert reason == "the subscriber does not keep up: 4 records of 4 bytes were waiting"


def test_too_many_bytes_lose_the_stream() -> None:
    def provoke(client: MemoryStream, stream: StreamResponse) -> None:
        assert [stream.send_nowait(b"x" * 60) for _ in range(3)] == [True, False, False]

    (reason,) = lost_by(provoke, Limits(outbox_bytes=100))
    assert reason == "the subscriber does not keep up: 2 records of 120 bytes were waiting"


def test_a_stream_that_overflows_before_it_begins_never_begins() -> None:
    async def handler(request: Request) -> StreamResponse:
        stream = StreamResponse(limits=Limits(outbox_records=1), on_lost=lost.append)
        stream.send_nowait(b"1")
        stream.send_nowait(b"2")
        return stream

    lost: list[str] = []

    async def main() -> None:
        async with serving(handler) as listener:
            client = listener.dial()
            await client.send_all(ASK)
            assert await read_all(client) == b""

    run_virtually(main)
    assert len(lost) == 1


class Clogged(MemoryStream):
    """A connection whose other side has stopped reading."""

    async def send_all(self, data: bytes) -> None:
        await trio.sleep_forever()


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_client_that_does_not_read_is_cut(is_closed: bool) -> None:
    async def main() -> None:
        lost: list[str] = []
        near, _far = trio.testing.memory_stream_pair()
        connection = Clogged(near, "peer")
        stream = StreamResponse(limits=Limits(idle_timeout_s=75), on_lost=lost.append)
        if is_closed:
            stream.close()
        began = trio.current_time()
        await stream.run(connection, Turns())
        assert trio.current_time() - began == 75.0
        assert connection.was_aborted
        assert lost == ([] if is_closed else ["the client does not read"])

    run_virtually(main)


def test_a_server_that_stops_ends_its_streams() -> None:
    async def main() -> None:
        subscriptions = Subscriptions()
        async with serving(subscriptions) as listener:
            client = await subscribe(listener)
        (stream,) = subscriptions.streams
        assert stream.reason == "the server was stopped"
        assert subscriptions.lost == [], "who stops the server knows"
        assert b"0\r\n\r\n" not in await read_all(client)

    run_virtually(main)


def test_a_real_socket_that_stops_reading_overflows_and_is_reset() -> None:
    """The kernel's buffers fill, the outbox fills, the stream is lost; nobody waits."""

    async def main() -> None:
        subscriptions = Subscriptions(limits=Limits(outbox_bytes=1_000_000))
        net = TrioNet()
        listener = await net.listen("127.0.0.1", 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, listener, subscriptions)
            client = await net.connect("127.0.0.1", listener.port)
            await client.send_all(ASK)
            await client.receive_some(10)
            (stream,) = subscriptions.streams
            while stream.send_nowait(b"x" * 100_000):
                await trio.lowlevel.checkpoint()
            await stream.ended.wait()
            with pytest.raises(trio.BrokenResourceError):
                await read_all(client)
            await client.aclose()
            nursery.cancel_scope.cancel()
        assert len(subscriptions.lost) == 1

    trio.run(main)


# Behind other answers ---------------------------------------------------------------------------

FIRST = b"POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"


class Behind(Subscriptions):
    """One request is answered later; the next opens a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.later = Later()

    async def __call__(self, request: Request) -> Response | StreamResponse | Later:  # type: ignore[override]
        return self.later if request.path == "/first" else await super().__call__(request)


def test_a_stream_behind_another_answer_lives_as_long_as_any() -> None:
    async def main() -> None:
        subscriptions = Behind()
        async with serving(subscriptions) as listener:
            client = listener.dial()
            await client.send_all(FIRST + ASK)
            await trio.testing.wait_all_tasks_blocked()
            subscriptions.later.settle(Response(202))
            await trio.sleep(1000)
            (stream,) = subscriptions.streams
            assert stream.is_open
            assert subscriptions.lost == []
            await client.aclose()
            await stream.ended.wait()
        assert subscriptions.lost == ["the client went away"]

    run_virtually(main)


def test_a_client_that_goes_before_its_stream_begins_is_noticed() -> None:
    async def main() -> None:
        subscriptions = Behind()
        async with serving(subscriptions) as listener:
            client = listener.dial()
            await client.send_all(FIRST + ASK)
            await trio.testing.wait_all_tasks_blocked()
            client.abort()
            subscriptions.later.settle(Response(202))
            await trio.testing.wait_all_tasks_blocked()
            (stream,) = subscriptions.streams
            assert not stream.is_open
        assert subscriptions.lost == ["the client went away before it was answered"]

    run_virtually(main)
