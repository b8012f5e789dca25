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


@given(st.integers(0, 400), st.integers(0, 3000), st.lists(st.integers(min_value=0), max_size=8))
def test_what_is_within_the_limits_is_taken_and_nothing_else(
    body_bytes: int, header_bytes: int, cuts: list[int]
) -> None:
    """A request hoards no more than the limits, however it is cut."""
    body_bytes *= 2
    data = render_request("POST", "/", "h", {"A": "a" * header_bytes}, b"x" * body_bytes)
    parser = RequestParser(LIMITS)
    heard = []
    for piece in cut(data, cuts):
        parser.feed(piece)
        heard += take(parser)
    if heard:
        assert header_bytes <= 2000
        assert body_bytes <= 500
        assert parser.fault is None
    else:
        assert parser.fault is not None
        assert parser.fault.status in ((431,) if header_bytes > 2000 else (413, 431))
        assert header_bytes > 1900 or body_bytes > 500


@given(
    st.sampled_from([200, 202, 307, 400, 404, 500]),
    st.dictionaries(tokens, values, max_size=4),
    bodies,
    st.lists(st.integers(min_value=0), max_size=20),
)
def test_responses_survive_any_cutting(
    status: int, headers: dict[str, str], body: bytes, cuts: list[int]
) -> None:
    parser = ResponseParser(LIMITS)
    data = render_response(Response(status, body, None, headers), keep_alive=True)
    for piece in cut(data, cuts):
        assert not parser.is_complete or not piece
        parser.feed(piece)
    assert parser.fault is None
    assert parser.is_complete
    assert parser.keep_alive
    assert (parser.status, parser.take_body()) == (status, body)
    assert {name.lower() for name in headers} <= set(parser.headers)
