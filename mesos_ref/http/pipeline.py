"""Requests that follow each other on one connection, without waiting for each other's answers.

The server hears them in the order they were sent, and answers in that order (RFC 9112, 9.3.2), so
many small calls cost one round trip and a few packets.  The price: if the connection breaks, all
that is not answered yet may have been heard or not.  That is for callers who give up all of it
then, as a scheduler gives up its subscription.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import trio

from mesos_ref.http.client import CLIENT_LIMITS, HttpError, Target, parse_url
from mesos_ref.http.codec import Answer, AnswerParser, render_request
from mesos_ref.http.messages import Limits
from mesos_ref.ports.net import STREAM_OVER, Net, Stream

Post = tuple[Mapping[str, str], bytes]
"""A request: its headers and its body."""

_READ_BYTES = 64 * 1024


class Pipeline:
    """A connection for POSTs to one URL: one task sends, another takes the answers."""

    def __init__(
        self, connection: Stream, target: Target, limits: Limits, timeout_s: float
    ) -> None:
        """Use `open_pipeline`."""
        self._connection = connection
        self._target = target
        self._timeout_s = timeout_s
        self._parser = AnswerParser(limits)
        self._patience = trio.CancelScope()
        #: How many requests have no answer yet.
        self.outstanding = 0

    async def send(self, posts: Iterable[Post]) -> None:
        """Send these, in one piece.  That they can't be sent shows where answers are taken."""
        target = self._target
        requests = [
            render_request("POST", target.path, target.authority, headers, body)
            for headers, body in posts
        ]
        if not self.outstanding:
            self._patience.deadline = trio.current_time() + self._timeout_s
        self.outstanding += len(requests)
        try:
            await self._connection.send_all(b"".join(requests))
        except STREAM_OVER:
            return

    async def next_answer(self) -> Answer:
        """The answer to the oldest request that has none.

        Raises `HttpError` once there can't be one: the connection has ended, what came was no
        response, or nothing has come for `timeout_s` while answers were due.
        """
        parser = self._parser
        while True:
            answer = parser.next_answer()
            if answer is not None:
                if not self.outstanding:
                    raise HttpError(f"{self._connection.peer}: a response nobody asked for")
                self.outstanding -= 1
                return answer
            if parser.fault is not None:
                raise HttpError(f"{self._connection.peer}: {parser.fault}")
            if not parser.keep_alive:
                raise HttpError(f"{self._connection.peer} takes no more requests here")
            parser.feed(await self._receive())

    async def _receive(self) -> bytes:
        peer = self._connection.peer
        due_s = trio.current_time() + self._timeout_s if self.outstanding else float("inf")
        with trio.CancelScope(deadline=due_s) as self._patience:
            try:
                data = await self._connection.receive_some(_READ_BYTES)
            except STREAM_OVER as error:
                raise HttpError(f"{peer} broke the connection") from error
            if not data:
                raise HttpError(f"{peer} closed the connection")
            return data
        raise HttpError(f"{peer}: no answer within {self._timeout_s:g} seconds")

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.aclose()


async def open_pipeline(
    net: Net, url: str, *, timeout_s: float = 10.0, limits: Limits = CLIENT_LIMITS
) -> Pipeline:
    """Connect to where `url` points.  Raises `HttpError`, or `ValueError` for a bad URL."""
    target = parse_url(url)
    try:
        connection = await net.connect(target.host, target.port)
    except OSError as error:
        raise HttpError(f"can't connect to {target.authority}: {error}", False) from error
    return Pipeline(connection, target, limits, timeout_s)
