"""RecordIO: a stream of records, each with its length before it.

    record := <length in bytes, decimal ASCII> "\\n" <that many bytes>

Records are concatenated.  Where HTTP chunks or packets begin and end means nothing to a reader, so
the decoder takes bytes in any pieces.  A length that is no decimal number, or beyond the limit,
spoils the stream for good.
"""

from __future__ import annotations

#: Longest record a decoder takes unless told otherwise.
MAX_RECORD_BYTES = 64 * 1024 * 1024

#: A length has at most this many digits (2⁶⁴ has 20).
MAX_DIGITS = 20


class RecordError(ValueError):
    """What came in is not RecordIO.  Nothing after it can be understood."""


def encode(record: bytes) -> bytes:
    """One record, length line and body together."""
    return b"%d\n%s" % (len(record), record)


class Decoder:
    """Turns pieces of a byte stream into records."""

    def __init__(self, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max_record_bytes = max_record_bytes
        self._buffer = bytearray()
        #: The length of the record under way; None while its length line is.
        self._length: int | None = None
        self._fault: RecordError | None = None

    @property
    def is_between_records(self) -> bool:
        """Whether the stream might end here without losing part of a record."""
        return not self._buffer and self._length is None

    def feed(self, data: bytes) -> list[bytes]:
        """The records that `data` completes.

        Raises `RecordError`; from then on always.  Records before the fault are given out first:
        the error comes with the next call.
        """
        if self._fault is not None:
            raise self._fault
        self._buffer += data
        records: list[bytes] = []
        try:
            self._take(records)
        except RecordError as fault:
            self._fault = fault
            if not records:
                raise
        return records

    def _take(self, records: list[bytes]) -> None:
        """Move every complete record out of the buffer."""
        buffer, at = self._buffer, 0
        try:
            while True:
                if self._length is None:
                    newline = buffer.find(b"\n", at)
                    if newline < 0:
                        self._check_digits(bytes(buffer[at : at + MAX_DIGITS + 1]))
                        return
                    self._length = self._read_length(bytes(buffer[at:newline][: MAX_DIGITS + 1]))
                    at = newline + 1
                if len(buffer) < at + self._length:
                    return
                records.append(bytes(buffer[at : at + self._length]))
                at += self._length
                self._length = None
        finally:
            del buffer[:at]

    def _read_length(self, line: bytes) -> int:
        self._check_digits(line)
        if not line:
            raise RecordError("expected the decimal length of a record, got an empty line")
        length = int(line)
        if length > self._max_record_bytes:
            raise RecordError(
                f"a record of {length} bytes is longer than {self._max_record_bytes}, the limit"
            )
        return length

    def _check_digits(self, line: bytes) -> None:
        if len(line) > MAX_DIGITS or (line and not line.isdigit()):
            raise RecordError(f"expected the decimal length of a record, got {line!r}")
