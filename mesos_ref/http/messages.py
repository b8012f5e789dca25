"""What a handler gets and gives: requests, responses, and how much of everything is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import msgspec

#: Shared by all answers that add no header.
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a peer may ask of us, in bytes, seconds and connections."""

    #: Request line and headers; more is answered 431.
    header_bytes: int = 32 * 1024
    #: A body; more is answered 413.
    body_bytes: int = 4 * 1024 * 1024
    #: From a request's first byte to its last; then 408.
    request_timeout_s: float = 30.0
    #: Without any byte, between requests or while a peer does not read; then closed.
    idle_timeout_s: float = 75.0
    #: At once; one more is answered 503.
    connections: int = 10_000
    #: Records and bytes waiting for a subscriber; then it is dropped.  One body can ask for many:
    #: some 60 000 tasks to be reconciled.
    outbox_records: int = 100_000
    outbox_bytes: int = 64 * 1024 * 1024


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whole.  `path` is percent-decoded; `target` is what the client wrote."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    #: Names in lower case; repeated ones joined by a comma.
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""
    connection: str = ""


class Response(msgspec.Struct, frozen=True):
    """One answer, whole.  A body without a content type is plain text."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = NO_HEADERS

    @classmethod
    def text(cls, status: int, sentence: str, headers: Mapping[str, str] = NO_HEADERS) -> Response:
        """An answer for people."""
        return cls(status, sentence.encode(), "text/plain; charset=utf-8", headers)

    @classmethod
    def json(cls, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> Response:
        """An answer for machines; `body` is JSON already."""
        return cls(status, body, "application/json", headers)
