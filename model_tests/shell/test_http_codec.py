"""The parsers alone: cuts between bytes mean nothing, and no bytes raise."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.http.codec import (
    Incoming,
    RequestParser,
    ResponseParser,
    render_request,
    render_response,
)
from mesos_ref.http.messages import Limits, Response

LIMITS = Limits(header_bytes=2000, body_bytes=500)

tokens = st.text("abcdefXYZ-", min_size=1, max_size=8).filter(
    lambda name: name.lower() not in ("host", "expect", "te")
)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
bodies = st.binary(max_size=400)
asked = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    st.text("abc/%20?=&", max_size=20).map(lambda path: "/" + path),
    st.dictionaries(tokens, values, max_size=4),
    bodies,
)


def take(parser: RequestParser) -> list[Incoming]:
    found = []
    while (incoming := parser.next_request()) is not None:
        found.append(incoming)
    return found


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


@given(st.lists(asked, min_size=1, max_size=4), st.lists(st.integers(min_value=0), max_size=20))
def test_requests_survive_any_cutting(
    requests: list[tuple[str, str, dict[str, str], bytes]], cuts: list[int]
) -> None:
    data = b"".join(render_request(m, t, "h:1", headers, body) for m, t, headers, body in requests)
    parser = RequestParser(LIMITS)
    heard: list[Incoming] = []
    for piece in cut(data, cuts):
        parser.feed(piece)
        heard += take(parser)
    assert parser.fault is None
    assert not parser.is_under_way
    for incoming, (method, target, headers, body) in zip(heard, requests, strict=True):
        request = incoming.request
        assert incoming.keep_alive
        assert (request.method, request.target, request.body) == (method, target, body)
        for name in {name.lower() for name in headers}:
            same = [value for key, value in headers.items() if key.lower() == name]
            assert request.headers[name] == ", ".join(same)


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(min_value=0), max_size=5))
def test_no_bytes_raise_in_the_server(noise: bytes, is_after_head: bool, cuts: list[int]) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" if is_after_head else b""
    parser = RequestParser(LIMITS)
    for piece in cut(head + noise, cuts):
        parser.feed(piece)
        take(parser)
    assert parser.fault is None or parser.fault.status in (400, 413, 431)


@given(
    st.integers(50, 800),
    st.integers(0, 800),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.lists(st.integers(min_value=0), max_size=8),
)
def test_what_is_within_the_limits_is_taken_and_nothing_else(
    header_limit: int, body_limit: int, header_bytes: int, body_bytes: int, cuts: list[int]
) -> None:
    """However it is cut, and whichever limit is the larger."""
    head = {"A": "a" * header_bytes}
    data = render_request("POST", "/", "h", head, b"x" * body_bytes)
    parser = RequestParser(Limits(header_bytes=header_limit, body_bytes=body_limit))
    heard: list[Incoming] = []
    for piece in cut(data, cuts):
        parser.feed(piece)
        heard += take(parser)
    counted = len("/") + sum(
        len(name) + len(value) + 4
        for name, value in {"Host": "h", "Content-Length": str(body_bytes), **head}.items()
    )
    if counted <= header_limit and body_bytes <= body_limit:
        assert [incoming.request.body for incoming in heard] == [b"x" * body_bytes]
        assert parser.fault is None
    else:
        assert not heard
        assert parser.fault is not None
        assert parser.fault.status in {
            *([431] if counted > header_limit else []),
            *([413] if body_bytes > body_limit else []),
        }


@given(
    st.sampled_from([200, 202, 307, 400, 404, 500]),
    st.dictionaries(tokens, values, max_size=4),
    bodies,
    st.lists(st.integers(min_value=0), max_size=20),
)
def test_responses_survive_any_cutting(
    status: int, headers: dict[str, str], body: bytes, cuts: list[int]
) -> None:
    parser = ResponseParser(Limits(header_bytes=300, body_bytes=400))
    data = render_response(Response(status, body, None, headers), keep_alive=True)
    for piece in cut(data, cuts):
        assert not parser.is_complete or not piece
        parser.feed(piece)
    assert parser.fault is None
    assert parser.is_complete
    assert parser.keep_alive
    assert (parser.status, parser.take_body()) == (status, body)
    assert {name.lower() for name in headers} <= set(parser.headers)
