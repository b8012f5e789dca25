"""One order for the records of many processes, without comparing clocks.

Two records are ordered by what must be so: records of one process follow its own sequence, a
message is sent before it is heard, a reign begins after the one before it and before anyone can
know of it, and an agent's or master's second life begins after its first.  Everything else is
concurrent; it is put in a fixed order, so that merging twice gives the same sequence.

A process may have left no trace.  Then nobody can wait for what it sent, and its messages are
marked, for the judge to take them as they were heard.  A record that waits in vain for a process
that did leave a trace is let through in the end, and marked too.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from mesos_spec.tools.judging.trace import Heard, Record, Trace

Token = tuple[Any, ...]  #: a message: direction, connection, ordinal; or ("epoch", n)
Way = tuple[str, str]  #: one direction of one connection

#: Why what was heard is not to be found in any trace.
UNTRACED, TORN = "there is no trace of", "the end is torn off the trace of"


class Placed(NamedTuple):
    """A record in the merged order, and what is odd about it.

    `orphan` names what it waited for in vain; `untold` says, of what it heard, how it comes that no
    trace shows it sent, where that proves nothing.
    """

    trace: Trace
    record: Record
    orphan: Token | None = None
    untold: str = ""


def heard_way(role: str, connection: str) -> Way:
    """The direction in which a process in `role` hears on a connection."""
    return ("up" if role == "master" else "down", connection)


def sent_way(to: str | None, connection: str) -> Way:
    """The direction of what is sent to somebody in the role `to`."""
    return ("up" if to == "master" else "down", connection)


def is_foreign(heard: Heard, role: str, speakers: Mapping[Way, Trace]) -> bool:
    """Whether a message came from a scheduler or executor that left no trace."""
    if heard.id is None or heard.sender not in ("scheduler", "executor"):
        return False
    return heard.id[0] == "ext" or heard_way(role, heard.id[0]) not in speakers


def speakers_of(traces: Iterable[Trace]) -> dict[Way, Trace]:
    """For each direction of each connection on which a trace shows something sent: that trace."""
    return {
        sent_way(sent.to, sent.id[0]): trace
        for trace in traces
        for record in trace.records
        for sent in record.sent
        if sent.id is not None
    }


def epochs_of(traces: Iterable[Trace]) -> dict[int, int]:
    """Each reign that some trace shows the beginning of → the one before it, 0 for the first."""
    began = sorted(
        {
            record.heard.epoch
            for trace in traces
            if trace.header.role == "master"
            for record in trace.records
            if record.heard is not None and record.heard.local == "elected" and record.heard.epoch
        }
    )
    return dict(zip(began, [0, *began]))


class Happened:
    """A set of tokens, small as long as the messages on each way come in order."""

    def __init__(self) -> None:
        self._until: dict[Token, int] = {}  #: for each way, how many messages were sent in order
        self._others: set[Token] = set()

    def add(self, token: Token) -> None:
        """This has happened."""
        if token in self:
            return
        way, n = token[:2], token[-1]
        if len(token) != 3 or n != self._until.get(way, 0):
            self._others.add(token)
            return
        n += 1
        while self._others and (*way, n) in self._others:
            self._others.discard((*way, n))
            n += 1
        self._until[way] = n

    def __contains__(self, token: Token) -> bool:
        if len(token) == 3 and token[2] < self._until.get(token[:2], 0):
            return True
        return token in self._others


class Merger:
    """Puts traces in order.  `orphans` counts the records let through unexplained."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = [t for t in traces if t.header.role != "harness"]
        self.speakers = speakers_of(self._traces)
        self.orphans = 0
        self._epochs = epochs_of(self._traces)
        self._at = [0] * len(self._traces)
        self._had = Happened()
        self._had.add(("epoch", 0))
        self._waiting: dict[Token, list[int]] = defaultdict(list)
        self._ready = deque(range(len(self._traces)))
        self._after = self._lives()
        self._ever: set[Token] | None = None

    def _lives(self) -> dict[int, Token]:
        """For each life of an agent or master but the first: the end of the one before.

        Schedulers of one name may live at once: each is somebody by itself.
        """
        last: dict[tuple[str, str], int] = {}
        after: dict[int, Token] = {}
        for index, trace in enumerate(self._traces):
            if not trace.records:
                continue  # killed before it did anything: nobody waits for its end
            key = (trace.header.role, trace.header.node)
            if key in last and trace.header.role in ("agent", "master"):
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

    # ---- what a record waits for ---------------------------------------------------------------
    def _missing(self, index: int) -> Token | None:
        """What must have happened before the next record of a trace, and has not."""
        at = self._at[index]
        if at == 0 and index in self._after and self._after[index] not in self._had:
            return self._after[index]
        trace = self._traces[index]
        heard = trace.records[at].heard
        if heard is None:
            return None
        if heard.id is not None:
            way = heard_way(trace.header.role, heard.id[0])
            token: Token = (*way, heard.id[1])
            return token if way in self.speakers and token not in self._had else None
        if heard.local == "elected":
            before: Token = ("epoch", self._epochs.get(heard.epoch or 0, 0))
            return before if before not in self._had else None
        if heard.local == "leader" and heard.epoch in self._epochs:
            leads: Token = ("epoch", heard.epoch)
            return leads if leads not in self._had else None
        return None

    def _untold(self, trace: Trace, heard: Heard) -> str:
        """Why nobody shows to have sent a message, or to lead: its process left no trace."""
        if heard.local == "leader":
            return UNTRACED if heard.epoch and heard.epoch not in self._epochs else ""
        if heard.id is None or heard.sender not in ("agent", "master"):
            return ""
        known = heard_way(trace.header.role, heard.id[0]) in self.speakers
        return "" if known else UNTRACED

    def _is_torn(self, orphan: Token) -> bool:
        """Whether a message may have been on the line that is torn off its sender's trace."""
        sender = self.speakers.get((str(orphan[0]), str(orphan[1]))) if len(orphan) == 3 else None
        return sender is not None and sender.torn

    # ---- going on ------------------------------------------------------------------------------
    def _run(self, index: int) -> Iterator[Placed]:
        trace = self._traces[index]
        while self._at[index] < len(trace.records):
            missing = self._missing(index)
            if missing is not None:
                self._waiting[missing].append(index)
                return
            yield self._take(index, None)
        self._have(("life", index))

    def _take(self, index: int, orphan: Token | None) -> Placed:
        trace = self._traces[index]
        record = trace.records[self._at[index]]
        self._at[index] += 1
        had, waiting = self._had, self._waiting
        for token in provides(record):
            had.add(token)
            if token in waiting:
                self._ready.extend(waiting.pop(token))
        if orphan is not None and self._is_torn(orphan):
            return Placed(trace, record, untold=TORN)
        untold = "" if record.heard is None else self._untold(trace, record.heard)
        return Placed(trace, record, orphan, untold)

    def _have(self, token: Token) -> None:
        self._had.add(token)
        if token in self._waiting:
            self._ready.extend(self._waiting.pop(token))

    def _least_wrong(self, stuck: list[int]) -> int:
        """Of the stuck traces, one that waits for what nobody ever does; else the first."""
        if self._ever is None:
            self._ever = {token for t in self._traces for r in t.records for token in provides(r)}
        for index in stuck:
            missing = self._missing(index)
            if missing not in self._ever and (missing or ("",))[0] != "life":
                return index
        return stuck[0]

    def _force(self, index: int) -> Placed:
        missing = self._missing(index)
        assert missing is not None
        self._waiting[missing] = [i for i in self._waiting[missing] if i != index]
        self._had.add(missing)
        self._ready.append(index)
        self.orphans += 1
        return self._take(index, missing)


def provides(record: Record) -> list[Token]:
    """What exists once this record has happened."""
    found: list[Token] = [
        ("up" if sent.to == "master" else "down", *sent.id)
        for sent in record.sent
        if sent.id is not None
    ]
    if record.heard is not None and record.heard.local == "elected":
        found.append(("epoch", record.heard.epoch or 0))
    return found


class Order(Sequence[Placed]):
    """Records in the order in which they were taken; what is kept is only which they are."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self._traces = traces
        self._number = {id(trace): n for n, trace in enumerate(traces)}
        self._taken = [0] * len(traces)
        self._which = array("L")
        self._at = array("Q")

    def add(self, placed: Placed) -> None:
        """The next."""
        number = self._number[id(placed.trace)]
        self._which.append(number)
        self._at.append(self._taken[number])
        self._taken[number] += 1

    def __len__(self) -> int:
        return len(self._at)

    @overload
    def __getitem__(self, index: int) -> Placed: ...

    @overload
    def __getitem__(self, index: slice) -> list[Placed]: ...

    def __getitem__(self, index: int | slice) -> Placed | list[Placed]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        trace = self._traces[self._which[index]]
        return Placed(trace, trace.records[self._at[index]])
