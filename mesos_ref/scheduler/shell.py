"""The scheduler's end of the wire: it dials, subscribes, calls, and posts what it hears.

Nothing is decided here. The core names a connection before it is dialled (`Connect`); each is one
task, and others inside it make the calls, all on one connection and none waiting for the answer to
the one before, so that the master hears them in the order they were asked for. When the core gives
the connection up, its task is cancelled, and nothing more is heard of it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

import trio

from mesos_ref.http.client import KEEP_S, HttpClient, HttpError, RecordStream, parse_url
from mesos_ref.http.pipeline import Pipeline, Post, open_pipeline
from mesos_ref.ports.clock import Clock
from mesos_ref.ports.net import Listener, Net, Stream
from mesos_ref.runtime import Keep, Owner, Recorder
from mesos_ref.scheduler.core import SchedulerCore
from mesos_ref.scheduler.effects import (
    CloseSubscription,
    Connect,
    OpenSubscription,
    SendCall,
)
from mesos_ref.scheduler.events import (
    CallAnswered,
    Connected,
    Event,
    EventHeard,
    Heartbeat,
    LeaderSeen,
    StreamEnded,
    StreamOpened,
    SubscribeFailed,
    Tick,
)
from mesos_ref.step import Effect
from mesos_ref.wire import json
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.shape import WireError

PATH = "/api/v1/scheduler"
#: A call that is not answered by then is taken for lost, and its connection with it.
CALL_TIMEOUT_S = 30.0
#: The core gives a silent master up on its own clock; this is only so that nothing waits for ever.
STREAM_TIMEOUT_S = 3_600.0
#: Calls that may wait to be made.
OUTBOX_CALLS = 100_000
#: Calls sent in one piece.
BATCH_CALLS = 256
#: An answer's text is told so far.
TEXT_BYTES = 2_000

_log = logging.getLogger("mesos_ref.scheduler")


class SchedulerShell:
    """Runs one core. What is for the user's code goes to `tell`: Deliver, NotSent and Stop."""

    def __init__(
        self,
        core: SchedulerCore,
        *,
        net: Net,
        clock: Clock,
        tell: Callable[[Effect], None],
        keep: Keep | None = None,
        recorder: Recorder[Event] | None = None,
        authorization: str | None = None,
    ) -> None:
        """`authorization` is the header of that name, for masters that ask for it."""
        self.owner: Owner[Event] = Owner(
            core, clock=clock, tick=Tick(), perform=self._perform, keep=keep, recorder=recorder
        )
        self._net = net
        self._tell = tell
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._attempts: dict[str, _Attempt] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, leaders: AsyncIterator[LeaderSeen]) -> None:
        """Run until `owner.stop()`, and then drop what is left of the connection."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._follow, leaders)
            await self.owner.run()
            nursery.cancel_scope.cancel()

    async def _follow(self, leaders: AsyncIterator[LeaderSeen]) -> None:
        async for leader in leaders:
            await self.owner.post(leader)

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Connect():
                    self._start(effect)
                case OpenSubscription():
                    self._attempts[effect.connection].subscribe(effect.call)
                case SendCall():
                    self._attempts[effect.connection].send(effect)
                case CloseSubscription():
                    self._attempts[effect.connection].scope.cancel()
                case _:
                    self._tell(effect)

    def _start(self, effect: Connect) -> None:
        assert self._nursery is not None
        # Whatever the core wants now, an earlier attempt is over.
        self._attempts.clear()
        attempt = _Attempt(effect, self._net, self._headers, self.owner)
        self._attempts[effect.connection] = attempt
        self._nursery.start_soon(attempt.run)


class _Attempt:
    """One connection, from dialling it to its end."""

    def __init__(
        self, wanted: Connect, net: Net, headers: dict[str, str], owner: Owner[Event]
    ) -> None:
        self.connection = wanted.connection
        self.scope = trio.CancelScope()
        self._url = wanted.url + PATH
        self._net = net
        self._headers = headers
        self._owner = owner
        self._ask: wire.Call | None = None
        self._outbox: deque[SendCall] = deque()
        #: Numbers of the calls that were sent and have no answer.
        self._unanswered: deque[int] = deque()
        #: Whether calls were lost: then no more are made, for they would overtake the lost ones.
        self._is_lost = False
        self._news = trio.Event()

    def subscribe(self, call: wire.Call) -> None:
        """The core wants this SUBSCRIBE made."""
        self._ask = call
        self._news.set()

    def send(self, effect: SendCall) -> None:
        """The core wants this call made, after those before it."""
        if len(self._outbox) < OUTBOX_CALLS:
            self._outbox.append(effect)
            self._news.set()
        else:
            self._lose_call(effect.n, f"{OUTBOX_CALLS} calls were waiting")

    async def run(self) -> None:
        """Dial, subscribe, listen. Every end but the core's own wish is posted."""
        with self.scope:
            try:
                stream = await self._open()
            except (HttpError, OSError, ValueError) as error:
                self._fail(0, str(error))
                return
            if stream is None:
                return
            try:
                await self._listen(stream)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await stream.aclose()

    def _fail(self, status: int, text: str) -> None:
        self._owner.post_nowait(SubscribeFailed(self.connection, status, text[:TEXT_BYTES]))

    def _lose_call(self, n: int, why: str) -> None:
        self._owner.post_nowait(CallAnswered(self.connection, n, 0, why))

    async def _open(self) -> RecordStream | None:
        """The answer to SUBSCRIBE; None if it was a refusal, which is posted then."""
        target = parse_url(self._url)
        dialled = await self._net.connect(target.host, target.port)
        try:
            await self._owner.post(Connected(self.connection))
            while self._ask is None:
                await self._news.wait()
            client = HttpClient(_Dialled(dialled))
            stream = await client.stream(
                "POST",
                self._url,
                headers={**self._headers, "Mesos-Ref-Message": f"{self.connection}:0"},
                body=json.encode(self._ask),
                timeout_s=STREAM_TIMEOUT_S,
            )
        except BaseException:
            dialled.abort()
            raise
        if stream.status == 200 and "mesos-stream-id" in stream.headers:
            return stream
        text = (await stream.body()).decode(errors="replace")
        await stream.aclose()
        status = 0 if stream.status == 200 else stream.status
        self._fail(status, text if status else "the answer has no Mesos-Stream-Id")
        return None

    async def _listen(self, stream: RecordStream) -> None:
        """Post events, and make calls meanwhile, until the stream ends."""
        name = stream.headers["mesos-stream-id"]
        await self._owner.post(StreamOpened(self.connection, name))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._make_calls)
            try:
                await self._read(stream, name)
            except (HttpError, WireError) as error:
                _log.info("the stream broke: %s", error)
            nursery.cancel_scope.cancel()
        self._owner.post_nowait(StreamEnded(name))

    async def _read(self, stream: RecordStream, name: str) -> None:
        n = 0
        async for record in stream:
            event = wire.decode_event(record)
            if event.type == "HEARTBEAT":
                await self._owner.post(Heartbeat(name))
            else:
                await self._owner.post(EventHeard(name, n, event))
                n += 1

    async def _make_calls(self) -> None:
        """Make calls, each once, in order, on a connection of their own; until one is lost."""
        while not self._is_lost:
            await self._until_calls()
            try:
                pipeline = await open_pipeline(self._net, self._url, timeout_s=CALL_TIMEOUT_S)
            except HttpError as error:
                self._lose_call(self._outbox[0].n, str(error))
                return
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._hear_answers, pipeline, nursery.cancel_scope)
                    await self._send_calls(pipeline)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await pipeline.aclose()

    async def _until_calls(self) -> None:
        while not self._outbox:
            self._news = trio.Event()
            await self._news.wait()

    async def _send_calls(self, pipeline: Pipeline) -> None:
        """Send what is queued, together; until nothing has been for long, and all is answered."""
        while True:
            with trio.move_on_after(KEEP_S) as idle:
                await self._until_calls()
            if not idle.cancelled_caught:
                calls = [self._outbox.popleft() for _ in range(min(len(self._outbox), BATCH_CALLS))]
                self._unanswered.extend(call.n for call in calls)
                await pipeline.send([self._post_of(call) for call in calls])
            elif not pipeline.outstanding:
                return

    def _post_of(self, effect: SendCall) -> Post:
        headers = {
            **self._headers,
            "Mesos-Stream-Id": effect.stream,
            "Mesos-Ref-Message": f"{effect.connection}:{effect.n}",
        }
        return headers, json.encode(effect.call)

    async def _hear_answers(self, pipeline: Pipeline, scope: trio.CancelScope) -> None:
        """Post answers. When no more can come, either none is missing, or calls are lost."""
        try:
            while True:
                answer = await pipeline.next_answer()
                n = self._unanswered.popleft()
                text = answer.body[:TEXT_BYTES].decode(errors="replace")
                await self._owner.post(CallAnswered(self.connection, n, answer.status, text))
        except HttpError as error:
            if self._unanswered:
                self._is_lost = True
                self._lose_call(self._unanswered[0], str(error))
            scope.cancel()


class _Dialled:
    """A network on which there is one connection, made already."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def connect(self, host: str, port: int) -> Stream:
        """That connection."""
        return self._stream

    async def listen(self, host: str, port: int) -> Listener:
        """Never."""
        raise OSError("this network is one connection")
