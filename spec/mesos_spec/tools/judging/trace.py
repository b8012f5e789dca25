"""Reading traces: what a process wrote down about itself, checked at the border.

A trace file is NDJSON (`docs/reference/trace.md`): a header, then one record for each call of a
core's `handle`.  This module is the only reader; the implementation's writer is separate code, and
both are held to the same golden files.  A last line that was torn by a kill is tolerated and
reported; anything else that is not a trace is refused with the file, the line and the field.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mesos_spec.tools.judging.filed import Filed

ROLES = ("master", "agent", "scheduler", "executor", "harness")
MessageKey = tuple[str, int]
MUCH = 32 << 20  #: bytes of traces, from which on records stay in their files


class TraceError(Exception):
    """A file that is not a trace, or not one that this reader understands."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: who wrote this, and with which timers."""

    trace: str
    version: int
    role: str
    node: str
    incarnation: str
    life: int = 0
    wall: float = 0.0
    config: dict[str, Any] = {}
    recovered: dict[str, Any] = {}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What reached the core: a message (with its identity), or something local."""

    id: MessageKey | None = None
    msg: dict[str, Any] | None = None
    local: str | None = None
    sender: str | None = msgspec.field(default=None, name="from")
    stream: str | None = None
    new_stream: str | None = None
    link: str | None = None
    connection: str | None = None
    epoch: int | None = None
    container: str | None = None
    framework: str | None = None
    executor: str | None = None
    task: str | None = None
    status: int | None = None
    why: str | None = None
    uuid: str | None = None
    call: dict[str, Any] | None = None
    alive: list[str] | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the core wanted done: a message (with its identity), or a deed that is only shown."""

    id: MessageKey | None = None
    to: str | None = None
    msg: dict[str, Any] | None = None
    do: str | None = None
    link: str | None = None
    connection: str | None = None
    stream: str | None = None
    status: int | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One call of `handle`: what was heard, what was sent, and what the core says it did."""

    seq: int
    now: int = 0
    wall: float | None = None
    heard: Heard | None = None
    sent: list[Sent] = []
    did: list[tuple[str, dict[str, Any]]] = []
    view: dict[str, Any] | None = None
    whole: dict[str, Any] | None = None
    batch: int = 0
    fault: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One process incarnation's trace: its header, its records, and whether its tail was torn."""

    path: str
    header: Header
    records: Sequence[Record] = field(repr=False)
    torn: bool = False

    @property
    def who(self) -> str:
        """The incarnation's name in reports: `agent a1 (life 2)`."""
        header = self.header
        life = f" (life {header.life})" if header.life else ""
        return f"{header.role} {header.node}{life}"

    def place(self, record: Record) -> str:
        """Where a record is: path and line."""
        return f"{self.path}:{record.seq + 2}"


_HEADER = msgspec.json.Decoder(Header)
_RECORD = msgspec.json.Decoder(Record)
_BEGINNING = b'{"trace":"mesos-ref",'
#: Traces that are not for the judge, and what reads them.
_OTHER_KINDS = {
    "mesos-spec": ": it is a behaviour of a model, for `mesos-spec replay`, why, step and show",
}
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def parse_header(line: bytes, path: str) -> Header:
    """The header in `line`.  Raises `TraceError` for a foreign file or an unknown version."""
    try:
        header = _HEADER.decode(line)
    except _UNREADABLE as error:
        raise TraceError(f"{path}:1: not the header of a mesos-ref trace: {error}") from None
    if header.trace != "mesos-ref":
        text = f"{path}:1: `trace` is {header.trace!r}, where 'mesos-ref' is expected"
        raise TraceError(text + _OTHER_KINDS.get(header.trace, ""))
    if header.version != 1:
        raise TraceError(f"{path}:1: `version` is {header.version}; this reader knows version 1")
    if header.role not in ROLES:
        raise TraceError(f"{path}:1: `role` is {header.role!r}; roles are {', '.join(ROLES)}")
    return header


def parse_record(line: bytes, place: str, expected_seq: int) -> Record:
    """The record in `line`.  Raises `TraceError` naming `place` and the field at fault."""
    try:
        record = _RECORD.decode(line)
    except _UNREADABLE as error:
        raise TraceError(f"{place}: not a record: {error}") from None
    if record.seq != expected_seq:
        raise TraceError(
            f"{place}: `seq` is {record.seq}, where {expected_seq} follows: "
            "records are missing, or two writers shared the file"
        )
    return record


def read_trace(path: Path | str, keep: bool = True) -> Trace:
    """The whole trace at `path`; its records are kept in memory, or in the file.

    A last line without its newline, cut short by a kill, is dropped, and `torn` is set.
    Raises `TraceError` for anything else that is not a trace.
    """
    name = str(path)
    begins, torn = array("Q", [0]), False
    header, records = None, []
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    torn = True
                elif header is None:
                    header = parse_header(line[:-1], name)
                    begins[0] = len(line)
                else:
                    record = parse_record(line[:-1], f"{name}:{number + 1}", number - 1)
                    begins.append(begins[-1] + len(line))
                    if keep:
                        records.append(record)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}") from None
    if header is None:
        what = "its first line has no end" if torn else "it is empty"
        raise TraceError(f"{name}:1: not a trace: {what}")
    if keep:
        return Trace(path=name, header=header, records=records, torn=torn)

    def parse(line: bytes, seq: int) -> Record:
        return parse_record(line, f"{name}:{seq + 2}", seq)

    return Trace(path=name, header=header, records=Filed(name, begins, parse), torn=torn)


def _says_nothing(path: Path) -> bool:
    """Whether a process was killed before its header was written: it has done nothing."""
    with path.open("rb") as file:
        header = file.readline()  # as long as what the process recovered
    return not header.endswith(b"\n") and _BEGINNING.startswith(header[: len(_BEGINNING)])


def read_traces(paths: list[Path]) -> list[Trace]:
    """All traces in files and folders `paths`, as `in_order` has them.

    In folders, files of processes that were killed before they wrote anything are left out.  If
    there is much, records stay in their files.  Raises `TraceError` for what cannot be read, and
    where two files claim the same incarnation.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += [f for f in sorted(path.glob("*.ndjson")) if not _says_nothing(f)]
        else:
            files.append(path)
    if not files:
        raise TraceError(f"no trace: {', '.join(map(str, paths))} holds no *.ndjson file")
    keep = sum(file.stat().st_size for file in files if file.is_file()) <= MUCH
    with without_collection():
        return in_order([read_trace(f, keep) for f in dict.fromkeys(files)])


def in_order(traces: list[Trace]) -> list[Trace]:
    """Traces by role, node and life; where headers count no lives, by when they began.

    Raises `TraceError` where two claim the same incarnation.
    """
    seen: dict[tuple[str, str], str] = {}
    for trace in traces:
        key = (trace.header.role, trace.header.incarnation)
        if key in seen:
            raise TraceError(
                f"{trace.path} and {seen[key]} both claim incarnation {key[1]} of a {key[0]}: "
                "an incarnation has one writer"
            )
        seen[key] = trace.path
    return sorted(traces, key=_when)


def _when(trace: Trace) -> tuple[str, str, int, float, str]:
    header = trace.header
    return header.role, header.node, header.life, header.wall, header.incarnation


@contextmanager
def without_collection() -> Iterator[None]:
    """Without the cyclic garbage collector: traces are large, and make no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
