"""What stands between an HTTP API and a core: requests that wait for an answer, and who listens.

A request is handed to the core under a handle, and waits until the core answers it. A SUBSCRIBE may
be answered with a stream, which lives as long as the core says. Events wait in a bounded outbox for
their subscriber; one who does not keep up loses the stream, and the core is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import trio

from mesos_ref.http.messages import Response
from mesos_ref.http.server import Later
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.step import Answer
from mesos_ref.wire import json
from mesos_ref.wire.shape import Message

Post = Callable[[Any], Awaitable[None]]
PostNowait = Callable[[Any], None]


class _Waiting:
    """A request that the core has not answered, and whose answer may be a stream."""

    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: Response | StreamResponse | None = None

    def settle(self, answer: Response | StreamResponse) -> None:
        self.answer = answer
        self.answered.set()


class Door:
    """Every request that waits for one core, and everybody who listens to it."""

    def __init__(self, post: Post, post_nowait: PostNowait) -> None:
        """Requests go to `post`, and the end of a stream to `post_nowait`."""
        self._post = post
        self._post_nowait = post_nowait
        self._waiting: dict[str, _Waiting | Later] = {}
        self._streams: dict[str, StreamResponse] = {}

    # What clients want --------------------------------------------------------------------------

    async def ask_soon(self, handle: str, event: msgspec.Struct) -> Later:
        """Post an event; its answer will be no stream."""
        later = self._waiting[handle] = Later()
        await self._post(event)
        return later

    async def ask(self, handle: str, event: msgspec.Struct) -> Response | StreamResponse:
        """Post an event, and wait for the core's answer."""
        waiting = self._waiting[handle] = _Waiting()
        try:
            await self._post(event)
            await waiting.answered.wait()
        finally:
            self._waiting.pop(handle, None)
        assert waiting.answer is not None
        return waiting.answer

    def abandon(self, sentence: str) -> None:
        """Nobody will answer what waits, and streams are over: the process ends."""
        for handle in list(self._waiting):
            self._settle(handle, Response.text(503, sentence))
        for stream in self._streams.values():
            stream.close(sentence)

    # What the core wants ------------------------------------------------------------------------

    def answer(self, effect: Answer) -> None:
        """Answer a request; one whose client has gone needs none."""
        if effect.body or effect.status != 202:
            answer = Response.text(effect.status, effect.body, effect.headers)
        else:
            answer = Response(effect.status, headers=effect.headers)
        self._settle(effect.request, answer)

    def _listen(self, handle: str, stream: str, response: StreamResponse) -> None:
        """Answer a SUBSCRIBE with an event stream."""
        self._streams[stream] = response
        if not self._settle(handle, response):
            response.lose("the client went away before it was answered")

    def _on_lost(self, stream: str, ended: msgspec.Struct) -> Callable[[str], None]:
        """What tells the core that a stream has ended, unless it was the core who closed it."""

        def lost(why: str) -> None:
            if self._streams.pop(stream, None) is not None:
                self._post_nowait(ended)

        return lost

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
