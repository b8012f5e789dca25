"""The executor API's door: HTTP requests to calls, effects to answers and event streams.

What HTTP itself decides is decided here, in the order Apache Mesos checks it: whether the agent can
answer at all yet, method, content type, whether the body is a call and whole, and what the client
accepts. Everything else is the core's: a call waits until the core has answered it, and its stream
lives as long as the core says. A subscriber that does not keep up loses the stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import trio

from mesos_ref.agent.events import Event, ExecutorCall, ExecutorStreamEnded
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.negotiation import JSON, refuse_accept, refuse_content_type, refuse_method
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.step import Answer, IdSource, MessageId
from mesos_ref.wire import executor, json
from mesos_ref.wire.shape import Message, WireError
from mesos_ref.wire.validate import validate_executor_call

#: As in Mesos; both sides may say so every half an hour.
HEARTBEAT_INTERVAL_S: Final = 30 * 60.0

#: Each life numbers its calls in a range of its own; below 2⁵³, all readers of JSON are exact.
_CALLS_PER_LIFE: Final = 2**32

_HEARTBEAT: Final = json.encode(executor.HEARTBEAT)


class _Waiting:
    """A request that the core has not answered."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: Response | StreamResponse | None = None


class ExecutorApi:
    """Every executor's request that waits for the core, and every executor that listens."""

    def __init__(
        self,
        post: Callable[[Event], Awaitable[None]],
        post_nowait: Callable[[Event], None],
        ids: IdSource,
        *,
        life: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._post = post
        self._post_nowait = post_nowait
        self._ids = ids
        self._limits = limits
        self._calls = life * _CALLS_PER_LIFE
        self._waiting: dict[str, _Waiting] = {}
        self._streams: dict[str, StreamResponse] = {}
        #: Set once the core has been started: before, it hears nothing.
        self.is_open = False

    # What executors do --------------------------------------------------------------------------

    async def serve_call(self, request: Request) -> Response | StreamResponse:
        """POST /api/v1/executor."""
        if not self.is_open:
            return Response.text(503, "Agent has not finished recovery")
        refusal = refuse_method(request, "POST") or refuse_content_type(request)
        if refusal is not None:
            return refusal
        try:
            call = executor.decode_call(request.body)
        except WireError as error:
            return Response.text(400, f"Failed to parse body into Call: {error}")
        fault = validate_executor_call(call)
        if fault is not None:
            return Response.text(400, fault)
        if call.type == "SUBSCRIBE":
            refusal = refuse_accept(request)
            if refusal is not None:
                return refusal
        elif call.type == "HEARTBEAT":
            return Response(202)
        return await self._ask(call)

    async def _ask(self, call: executor.Call) -> Response | StreamResponse:
        """Post a call, and wait for the core's answer."""
        handle, call_id = self.next_call()
        waiting = self._waiting[handle] = _Waiting()
        new_stream = self._ids.uuid() if call.type == "SUBSCRIBE" else ""
        try:
            await self._post(
                ExecutorCall(handle, call_id, call.framework_id, call.executor_id, call, new_stream)
            )
            await waiting.answered.wait()
        finally:
            self._waiting.pop(handle, None)
        assert waiting.answer is not None
        return waiting.answer

    def next_call(self) -> tuple[str, MessageId]:
        """The handle and the id of a call that comes in now."""
        number = self._calls
        self._calls += 1
        return str(number), ("ext", number)

    def abandon(self, sentence: str) -> None:
        """Nobody will answer what waits, and streams are over: the agent ends."""
        self.is_open = False
        for handle in list(self._waiting):
            self._settle(handle, Response.text(503, sentence))
        for stream in self._streams.values():
            stream.close(sentence)

    async def listeners_gone(self) -> None:
        """Return once what was sent on abandoned streams has left, or can't."""
        for stream in list(self._streams.values()):
            await stream.ended.wait()

    # What the core wants ------------------------------------------------------------------------

    def answer(self, effect: Answer) -> None:
        """Answer a request; one whose client has gone needs none."""
        if effect.body or effect.status != 202:
            answer = Response.text(effect.status, effect.body, effect.headers)
        else:
            answer = Response(effect.status, headers=effect.headers)
        self._settle(effect.request, answer)

    def open_stream(self, handle: str, stream: str) -> None:
        """Answer a SUBSCRIBE with an event stream."""

        def lost(why: str) -> None:
            if self._streams.pop(stream, None) is not None:
                self._post_nowait(ExecutorStreamEnded(stream))

        response = StreamResponse(
            content_type=JSON,
            heartbeat=_HEARTBEAT,
            heartbeat_interval_s=HEARTBEAT_INTERVAL_S,
            on_lost=lost,
            limits=self._limits,
        )
        self._streams[stream] = response
        if not self._settle(handle, response):
            response.lose("the client went away before it was answered")

    def send_event(self, stream: str, event: msgspec.Struct) -> None:
        """Send an event; a stream that is gone swallows it."""
        response = self._streams.get(stream)
        if response is not None and isinstance(event, Message):
            response.send_nowait(json.encode(event))

    def close_stream(self, stream: str) -> None:
        """End a stream after what was sent on it."""
        response = self._streams.pop(stream, None)
        if response is not None:
            response.close()

    def _settle(self, handle: str, answer: Response | StreamResponse) -> bool:
        waiting = self._waiting.pop(handle, None)
        if waiting is None:
            return False
        waiting.answer = answer
        waiting.answered.set()
        return True
