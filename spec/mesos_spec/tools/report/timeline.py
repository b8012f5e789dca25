"""A run as a picture sees it: lanes, lives, records, messages, what was held, and faults.

Each process has a lane, each of its lives a stretch of it.  A message is an arrow from the record
that sent it to the one that heard it; one that nobody heard is a stub.  Offers and tasks are
stretches of time for which some node showed them.  Times are seconds since the run began: each
process' own clock, set by the date in its header, so arrows may lean backwards where clocks differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.tools.judging.merge import heard_way, sent_way
from mesos_spec.tools.judging.trace import Record, Trace

ROLES = ("master", "agent", "scheduler", "executor")
HELD = ("offers/", "tasks/")


@dataclass(slots=True)
class Mark:
    """One record, where the picture has it."""

    lane: int
    at_s: float
    trace: Trace
    record: Record

    @property
    def says(self) -> str:
        """In a line: what was heard, and what was done."""
        heard = self.record.heard
        what = "" if heard is None else heard.local or _kind(heard.msg)
        return f"{what} → {', '.join(name for name, _ in self.record.did) or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message: who sent it, and who heard it, by the index of their marks; None if nobody did."""

    sender: int
    hearer: int | None
    says: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A lane had something from one time to another: a life, an offer, a task."""

    lane: int
    name: str
    from_s: float
    to_s: float


@dataclass(slots=True)
class Timeline:
    """All that is drawn."""

    lanes: list[str] = field(default_factory=list)
    lives: list[Stretch] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    held: list[Stretch] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    ends_s: float = 0.0
    left_out: int = 0  #: records after the last one that is drawn


def timeline(traces: Iterable[Trace], most: int) -> Timeline:
    """The picture of a run, of its first `most` records."""
    traces = list(traces)
    processes = [t for t in traces if t.header.role in ROLES and t.records]
    processes.sort(key=lambda t: (ROLES.index(t.header.role), t.header.node, _began_s(t)))
    made = Timeline()
    zero_s = min((_began_s(t) for t in processes), default=0.0)
    lane_of: dict[tuple[str, str], int] = {}
    for trace in processes:
        key = (trace.header.role, trace.header.node)
        if key not in lane_of:
            lane_of[key] = len(made.lanes)
            made.lanes.append(f"{key[0]} {key[1]}")
        _add_life(made, trace, lane_of[key], zero_s)
    made.marks.sort(key=lambda mark: mark.at_s)
    made.left_out = max(0, len(made.marks) - most)
    del made.marks[most:]
    made.ends_s = max((mark.at_s for mark in made.marks), default=0.0)
    made.lives = [_cut(one, made.ends_s) for one in made.lives if one.from_s <= made.ends_s]
    made.arrows = _arrows(made.marks)
    made.held = _held(made.marks)
    made.faults = [
        (record.wall - zero_s, " ".join(map(str, record.fault.values())))
        for trace in traces
        if trace.header.role == "harness"
        for record in trace.records
        if record.fault is not None and record.wall is not None
    ]
    return made


def _began_s(trace: Trace) -> float:
    return trace.header.wall or 0.0


def _add_life(made: Timeline, trace: Trace, lane: int, zero_s: float) -> None:
    first_us, offset_s = trace.records[0].now, _began_s(trace) - zero_s
    marks = [Mark(lane, offset_s + (r.now - first_us) / 1e6, trace, r) for r in trace.records]
    made.marks += marks
    made.lives.append(Stretch(lane, trace.who, marks[0].at_s, marks[-1].at_s))


def _cut(one: Stretch, ends_s: float) -> Stretch:
    return Stretch(one.lane, one.name, one.from_s, min(one.to_s, ends_s))


def _arrows(marks: list[Mark]) -> list[Arrow]:
    """Messages that were sent, each with who heard it, if anybody that left a trace did."""
    heard: dict[tuple[str, str, int], int] = {}
    for at, mark in enumerate(marks):
        one = mark.record.heard
        if one is not None and one.id is not None:
            heard.setdefault((*heard_way(mark.trace.header.role, one.id[0]), one.id[1]), at)
    found = []
    for at, mark in enumerate(marks):
        for sent in mark.record.sent:
            if sent.id is not None:
                key = (*sent_way(sent.to, sent.id[0]), sent.id[1])
                found.append(Arrow(at, heard.get(key), _kind(sent.msg)))
    return found


def _held(marks: list[Mark]) -> list[Stretch]:
    """From when to when a lane showed each offer and task."""
    begun: dict[tuple[int, str], float] = {}
    found = []

    def ended(lane: int, key: str, at_s: float) -> None:
        found.append(Stretch(lane, key, begun.pop((lane, key)), at_s))

    for mark in marks:
        lane, record = mark.lane, mark.record
        shown = record.whole if record.whole is not None else record.view or {}
        if record.whole is not None:  # what it names no more, it has no more
            for _, key in [each for each in begun if each[0] == lane and each[1] not in shown]:
                ended(lane, key, mark.at_s)
        for key, value in shown.items():
            if not key.startswith(HELD):
                continue
            if value is None and (lane, key) in begun:
                ended(lane, key, mark.at_s)
            elif value is not None:
                begun.setdefault((lane, key), mark.at_s)
    last_s = marks[-1].at_s if marks else 0.0
    for lane, key in list(begun):
        ended(lane, key, last_s)
    return sorted(found, key=lambda one: (one.lane, one.from_s, one.name))


def _kind(msg: dict[str, Any] | None) -> str:
    """What sort of message it is."""
    return "" if msg is None else str(msg.get("type") or msg.get("kind") or "message")
