"""RecordIO: whatever the pieces, the same records; whatever the bytes, records or an error."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.http.recordio import Decoder, RecordError, encode

records = st.lists(st.binary(max_size=300), max_size=12)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


def test_the_documents_own_example() -> None:
    assert encode(b'{"type":"HEARTBEAT"}') == b'20\n{"type":"HEARTBEAT"}'


@given(records, st.lists(st.integers(min_value=0), max_size=30))
def test_pieces_do_not_matter(sent: list[bytes], cuts: list[int]) -> None:
    decoder = Decoder()
    stream = b"".join(map(encode, sent))
    heard = [record for piece in pieces_of(stream, cuts) for record in decoder.feed(piece)]
    assert heard == sent
    assert decoder.is_between_records


@given(records.filter(bool))
def test_a_stream_cut_short_is_seen_as_such(sent: list[bytes]) -> None:
    decoder = Decoder()
    stream = b"".join(map(encode, sent))
    heard = decoder.feed(stream[:-1])
    assert heard == sent[:-1]
    assert not decoder.is_between_records


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_records_or_an_error(pieces: list[bytes]) -> None:
    decoder = Decoder(max_record_bytes=50)
    failed = False
    for piece in pieces:
        try:
            for record in decoder.feed(piece):
                assert len(record) <= 50
                assert not failed
        except RecordError:
            failed = True
        else:
            assert not failed, "after a fault, always the fault"


@pytest.mark.parametrize(
    "line", [b"\n", b"-1\n", b"+1\n", b" 1\n", b"1 \n", b"0x1\n", b"1_0\n", b"\r\n"]
)
def test_a_length_is_decimal_digits(line: bytes) -> None:
    with pytest.raises(RecordError, match="decimal length"):
        Decoder().feed(line + b"xxxxxxxxxxxxxxxx")


def test_a_fault_is_for_good() -> None:
    decoder = Decoder()
    with pytest.raises(RecordError):
        decoder.feed(b"no")
    with pytest.raises(RecordError):
        decoder.feed(encode(b"fine"))


def test_records_before_a_fault_are_given_out() -> None:
    decoder = Decoder()
    assert decoder.feed(encode(b"good") + b"bad\n") == [b"good"]
    with pytest.raises(RecordError, match="bad"):
        decoder.feed(b"")


def test_a_record_has_a_longest() -> None:
    decoder = Decoder(max_record_bytes=5)
    assert decoder.feed(b"5\n12345") == [b"12345"]
    with pytest.raises(RecordError, match="6 bytes is longer than 5"):
        decoder.feed(b"6\n")


def test_an_endless_length_is_refused_without_a_newline() -> None:
    with pytest.raises(RecordError):
        Decoder().feed(b"1" * 100)
