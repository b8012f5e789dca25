"""One order for the records of many processes, without comparing clocks.

Two records are ordered by what must be so: records of one process follow its own sequence, a
message is sent before it is heard, an epoch begins after the one before it and before anyone can
know of it, and a node's second life begins after its first.  Everything else is concurrent; it is
put in a fixed order, so that merging twice gives the same sequence.  A record that waits for
something no trace contains is let through in the end and marked, for the judge to say whose fault
it is.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mesos_spec.tools.trace import Heard, Record, Trace

Token = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A record in the merged order.  `orphan` names what it waited for in vain, if anything."""

    trace: Trace
    record: Record
    orphan: Token | None = None


def provides(record: Record) -> Iterator[Token]:
    """What exists once this record has happened."""
    for sent in record.sent:
        if sent.id is not None:
            yield (_direction(sent.to), *sent.id)
    if record.heard is not None and record.heard.local == "elected":
        yield ("epoch", record.heard.epoch or 0)


def _direction(to: str | None) -> str:
    return "up" if to == "master" else "down"


def is_foreign(heard: Heard, traced: frozenset[str]) -> bool:
    """Whether a message came from a scheduler or executor that left no trace."""
    if heard.id is None or heard.sender not in ("scheduler", "executor"):
        return False
    return heard.id[0] == "ext" or heard.id[0] not in traced


def requires(trace: Trace, record: Record, traced: frozenset[str]) -> Iterator[Token]:
    """What must have happened before this record; `traced` are the connections traces send on."""
    heard = record.heard
    if heard is None:
        return
    if heard.id is not None and not is_foreign(heard, traced):
        towards_master = trace.header.role == "master"
        yield ("up" if towards_master else "down", *heard.id)
    if heard.local == "elected" and (heard.epoch or 0) > 1:
        yield ("epoch", (heard.epoch or 0) - 1)
    if heard.local == "leader" and heard.epoch:
        yield ("epoch", heard.epoch)


def connections(traces: Iterable[Trace]) -> frozenset[str]:
    """Every connection on which some trace shows a message to have been sent."""
    return frozenset(s.id[0] for t in traces for r in t.records for s in r.sent if s.id is not None)


class Merger:
    """Puts traces in order.  `orphans` counts the records let through unexplained."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = [t for t in traces if t.header.role != "harness"]
        self._at = [0] * len(self._traces)
        self._had: set[Token] = set()
        self._waiting: dict[Token, list[int]] = defaultdict(list)
        self._ready = deque(range(len(self._traces)))
        self._after = self._lives()
        self.orphans = 0
        self.traced = connections(self._traces)
        self._ever: set[Token] | None = None

    def _lives(self) -> dict[int, Token]:
        """For each trace that is not its node's first life: the end of the one before."""
        last: dict[tuple[str, str], int] = {}
        after: dict[int, Token] = {}
        for index, trace in enumerate(self._traces):
            key = (trace.header.role, trace.header.node)
            if key in last:
                after[index] = ("life", last[key])
            last[key] = index
        return after

    def __iter__(self) -> Iterator[Placed]:
        while True:
            while self._ready:
                yield from self._run(self._ready.popleft())
            stuck = [i for i, at in enumerate(self._at) if at < len(self._traces[i].records)]
            if not stuck:
                return
            yield self._force(self._least_wrong(stuck))

    def _missing(self, index: int) -> Iterator[Token]:
        at = self._at[index]
        if at == 0 and index in self._after and self._after[index] not in self._had:
            yield self._after[index]
        trace = self._traces[index]
        needed = requires(trace, trace.records[at], self.traced)
        yield from (token for token in needed if token not in self._had)

    def _run(self, index: int) -> Iterator[Placed]:
        trace = self._traces[index]
        while self._at[index] < len(trace.records):
            missing = next(self._missing(index), None)
            if missing is not None:
                self._waiting[missing].append(index)
                return
            yield self._take(index, None)
        self._have([("life", index)])

    def _take(self, index: int, orphan: Token | None) -> Placed:
        trace = self._traces[index]
        record = trace.records[self._at[index]]
        self._at[index] += 1
        self._have(provides(record))
        return Placed(trace, record, orphan)

    def _have(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            self._had.add(token)
            self._ready.extend(self._waiting.pop(token, ()))

    def _least_wrong(self, stuck: list[int]) -> int:
        """Of the stuck traces, one that waits for what nobody ever does; else the first."""
        if self._ever is None:
            self._ever = {token for t in self._traces for r in t.records for token in provides(r)}
        for index in stuck:
            if all(token not in self._ever for token in self._missing(index)):
                return index
        return stuck[0]

    def _force(self, index: int) -> Placed:
        missing = next(self._missing(index))
        self._waiting[missing] = [i for i in self._waiting[missing] if i != index]
        self._had.add(missing)
        self._ready.append(index)
        self.orphans += 1
        return self._take(index, missing)
