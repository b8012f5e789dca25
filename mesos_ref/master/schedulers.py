"""The scheduler API's door: HTTP requests to calls, effects to answers and event streams.

What HTTP itself decides is asked here, in the order of Apache Mesos (method, content type, whether
the body is a call, whether the call is whole, what the client accepts). Everything else is the
core's (`mesos_ref.door`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from mesos_ref.door import Door, Post, PostNowait
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.negotiation import JSON, refuse_accept, refuse_content_type, refuse_method
from mesos_ref.http.server import Later
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.master.events import Call, Event, StreamEnded
from mesos_ref.step import IdSource, MessageId
from mesos_ref.wire import json, scheduler
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.validate import validate_call

#: What our own library numbers its calls with: ``<connection>:<n>``.
MESSAGE_HEADER: Final = "Mesos-Ref-Message"
STREAM_HEADER: Final = "Mesos-Stream-Id"

#: Calls of other clients are numbered here. Each reign has its own numbers, so that a trace of
#: several masters never has two calls of one number; below 2⁵³, all readers of JSON are exact.
_FOREIGN: Final = "ext"
_CALLS_PER_REIGN: Final = 2**32

_HEARTBEAT: Final = json.encode(scheduler.HEARTBEAT)


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


class Schedulers(Door):
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
        super().__init__(post, post_nowait)
        self._ids = ids
        self._heartbeat_interval_s = heartbeat_interval_s
        self._limits = limits
        self._requests = 0
        self._foreign = 0
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
        return await (self.ask if is_subscribe else self.ask_soon)(event.request, event)

    def _next_request(self) -> str:
        handle = str(self._requests)
        self._requests += 1
        return handle

    async def ask_for_operator(self, event_of: Callable[[str], Event]) -> Later:
        """Post the event made for a fresh request handle; the core will answer it."""
        handle = self._next_request()
        return await self.ask_soon(handle, event_of(handle))

    def abandon(self, sentence: str) -> None:
        """As every door; who listened is not waited for."""
        super().abandon(sentence)
        self._streams.clear()

    # What the core wants ------------------------------------------------------------------------

    def open_stream(self, handle: str, stream: str) -> None:
        """Answer a SUBSCRIBE with an event stream."""
        response = StreamResponse(
            headers={STREAM_HEADER: stream},
            content_type=JSON,
            heartbeat=_HEARTBEAT,
            heartbeat_interval_s=self._heartbeat_interval_s,
            heartbeat_first=True,
            on_lost=self._on_lost(stream, StreamEnded(stream)),
            limits=self._limits,
        )
        self._listen(handle, stream, response)
