"""The executor API's door: HTTP requests to calls, effects to answers and event streams.

What HTTP itself decides is decided here, in the order Apache Mesos checks it: whether the agent can
answer at all yet, method, content type, whether the body is a call and whole, and what the client
accepts. Everything else is the core's (`mesos_ref.door`).
"""

from __future__ import annotations

from typing import Final

from mesos_ref.agent.events import ExecutorCall, ExecutorStreamEnded
from mesos_ref.door import Door, Post, PostNowait
from mesos_ref.http.messages import Limits, Request, Response
from mesos_ref.http.negotiation import JSON, refuse_accept, refuse_content_type, refuse_method
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.step import IdSource, MessageId
from mesos_ref.wire import executor, json
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.validate import validate_executor_call

#: As in Mesos; both sides may say so every half an hour.
HEARTBEAT_INTERVAL_S: Final = 30 * 60.0

#: Each life numbers its calls in a range of its own; below 2⁵³, all readers of JSON are exact.
_CALLS_PER_LIFE: Final = 2**32

_HEARTBEAT: Final = json.encode(executor.HEARTBEAT)


class ExecutorApi(Door):
    """Every executor's request that waits for the core, and every executor that listens."""

    def __init__(
        self,
        post: Post,
        post_nowait: PostNowait,
        ids: IdSource,
        *,
        life: int = 0,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(post, post_nowait)
        self._ids = ids
        self._limits = limits
        self._calls = life * _CALLS_PER_LIFE
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
        handle, call_id = self.next_call()
        new_stream = self._ids.uuid() if call.type == "SUBSCRIBE" else ""
        return await self.ask(
            handle,
            ExecutorCall(handle, call_id, call.framework_id, call.executor_id, call, new_stream),
        )

    def next_call(self) -> tuple[str, MessageId]:
        """The handle and the id of a call that comes in now."""
        number = self._calls
        self._calls += 1
        return str(number), ("ext", number)

    def abandon(self, sentence: str) -> None:
        """As every door; and no call is heard any more."""
        self.is_open = False
        super().abandon(sentence)

    async def listeners_gone(self) -> None:
        """Return once what was sent on abandoned streams has left, or can't."""
        for stream in list(self._streams.values()):
            await stream.ended.wait()

    # What the core wants ------------------------------------------------------------------------

    def open_stream(self, handle: str, stream: str) -> None:
        """Answer a SUBSCRIBE with an event stream."""
        response = StreamResponse(
            content_type=JSON,
            heartbeat=_HEARTBEAT,
            heartbeat_interval_s=HEARTBEAT_INTERVAL_S,
            on_lost=self._on_lost(stream, ExecutorStreamEnded(stream)),
            limits=self._limits,
        )
        self._listen(handle, stream, response)
