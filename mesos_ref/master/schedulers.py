"""The scheduler API's door: HTTP requests to calls, effects to answers and event streams.

What HTTP itself decides is asked here, in the order of Apache Mesos (method, content type, whether
the body is a call, whether the call is whole, what the client accepts). Everything else is the
core's: a call waits until the core has answered it, and its stream lives as long as the core
says. Events are encoded once, and wait in a bounded outbox for their subscriber; one who does not
keep up loses the stream, and the core is told.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import trio

from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.negotiation import JSON, refuse_accept, refuse_content_type, refuse_method
from mesos_ref.http.server import Later
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.master.events import Call, Event, StreamEnded
from mesos_ref.step import Answer, IdSource, MessageId
from mesos_ref.wire import json, scheduler
from mesos_ref.wire.shape import Message, WireError
from mesos_ref.wire.validate import validate_call

#: What our own library numbers its calls with: ``<connection>:<n>``.
MESSAGE_HEADER: Final = "Mesos-Ref-Message"
STREAM_HEADER: Final = "Mesos-Stream-Id"

#: Calls of other clients are numbered here. Each reign has its own numbers, so that a trace of
#: several masters never has two calls of one number; below 2⁵³, all readers of JSON are exact.
_FOREIGN: Final = "ext"
_CALLS_PER_REIGN: Final = 2**32

_HEARTBEAT: Final = json.encode(scheduler.HEARTBEAT)

Post = Callable[[Event], Awaitable[None]]
PostNowait = Callable[[Event], None]


# What our own library calls its messages ----------------------------------------------------------


def message_id(request: Request) -> MessageId | str | None:
    """What our library calls this message; None if it is not ours, a sentence if malformed."""
    given = request.headers.get(MESSAGE_HEADER.lower())
    if given is None:
        return None
    connection, _, n = given.rpartition(":")
    is_sound = 1 <= len(connection) <= 64 and connection.isascii() and connection.isprintable()
    if not is_sound or connection == _FOREIGN or not (n.isascii() and n.isdigit() and len(n) <= 15):
        return f"Expecting '{MESSAGE_HEADER}' to be <connection>:<number>, but received {given!r}"
    return connection, int(n)


# The door -----------------------------------------------------------------------------------------


class _Waiting:
    """A SUBSCRIBE that the core has not answered: it may become a stream."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: Response | StreamResponse | None = None

    def settle(self, answer: Response | StreamResponse) -> None:
        self.answer = answer
        self.answered.set()


class Schedulers:
    """Every request that waits for the core, and every scheduler that listens."""

    def __init__(
        self,
        post: Post,
        post_nowait: PostNowait,
        ids: IdSource,
        *,
        heartbeat_interval_s: float = 15.0,
        limits: Limits | None = None,
    ) -> None:
        self._post = post
        self._post_nowait = post_nowait
        self._ids = ids
        self._heartbeat_interval_s = heartbeat_interval_s
        self._limits = limits
        self._requests = 0
        self._foreign = 0
        self._waiting: dict[str, _Waiting | Later] = {}
        self._streams: dict[str, StreamResponse] = {}
        #: How many calls of each type have come in.
        self.calls: dict[str, int] = {}

    def begin_reign(self, epoch: int) -> None:
        """Number foreign calls for this epoch."""
        self._foreign = epoch * _CALLS_PER_REIGN

    @property
    def streams(self) -> Mapping[str, StreamResponse]:
        """Who listens."""
        return self._streams

    # What clients do ----------------------------------------------------------------------------

    async def serve_call(self, request: Request) -> Response | StreamResponse | Later:
        """POST /api/v1/scheduler, at a master that leads."""
        refusal = refuse_method(request, "POST") or refuse_content_type(request)
        if refusal is not None:
            return refusal
        try:
            call = scheduler.decode_call(request.body)
        except WireError as error:
            return Response.text(400, f"Failed to parse body into Call: {error}")
        fault = validate_call(call)
        if fault is not None:
            return Response.text(400, fault)
        if call.type in ("SUBSCRIBE", "RECONCILE_OPERATIONS"):
            refusal = refuse_accept(request)
            if refusal is not None:
                return refusal
        name = message_id(request)
        if isinstance(name, str):
            return Response.text(400, name)
        return await self._hand_on(call, name, request.headers.get(STREAM_HEADER.lower()))

    async def _hand_on(
        self, call: scheduler.Call, name: MessageId | None, stream: str | None
    ) -> StreamResponse | Response | Later:
        kind = str(call.type)
        self.calls[kind] = self.calls.get(kind, 0) + 1
        if name is None:
            name = (_FOREIGN, self._foreign)
            self._foreign += 1
        is_subscribe = kind == "SUBSCRIBE"
        event = Call(
            request=self._next_request(),
            id=name,
            stream=stream,
            call=call,
            new_stream=self._ids.uuid() if is_subscribe else "",
        )
        return await (self._subscribe(event) if is_subscribe else self._ask(event.request, event))

    def _next_request(self) -> str:
        handle = str(self._requests)
        self._requests += 1
        return handle

    async def ask(self, event_of: Callable[[str], Event]) -> Later:
        """Post the event made for a fresh request handle; the core will answer it."""
        handle = self._next_request()
        return await self._ask(handle, event_of(handle))

    async def _ask(self, handle: str, event: Event) -> Later:
        later = self._waiting[handle] = Later()
        await self._post(event)
        return later

    async def _subscribe(self, event: Call) -> Response | StreamResponse:
        """Post a SUBSCRIBE, and wait for the core's answer."""
        waiting = self._waiting[event.request] = _Waiting()
        try:
            await self._post(event)
            await waiting.answered.wait()
        finally:
            self._waiting.pop(event.request, None)
        assert waiting.answer is not None
        return waiting.answer

    def abandon(self, sentence: str) -> None:
        """Nobody will answer what waits, and streams are over: the master ends."""
        for handle in list(self._waiting):
            self._settle(handle, Response.text(503, sentence))
        for stream in self._streams.values():
            stream.close(sentence)
        self._streams.clear()

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
                self._post_nowait(StreamEnded(stream))

        response = StreamResponse(
            headers={STREAM_HEADER: stream},
            content_type=JSON,
            heartbeat=_HEARTBEAT,
            heartbeat_interval_s=self._heartbeat_interval_s,
            heartbeat_first=True,
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
        match waiting, answer:
            case _Waiting(), _:
                waiting.settle(answer)
            case Later(), Response():
                waiting.settle(answer)
            case _:
                return False
        return True
