"""Whether frameworks keep their contract, as their masters' records show it.

For each framework an account is kept of what it was told and what it has called, over all its
masters; each call is held against the clauses of `mesos_spec.framework`, and each duty against the
time it has.  A breach is the framework's, and is reported apart from what is wrong with us: a trace
conforms whatever frameworks do.

Time is a master's own clock.  A duty is late when that clock is, or when its last record is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mesos_spec.framework import ACKNOWLEDGING, ANSWERING, ASKING, CLAUSES, DUTIES, Duty
from mesos_spec.ids import FrameworkId, OfferId, Role, StreamId, TaskId, Uuid
from mesos_spec.messages import (
    Accept,
    AnyCall,
    Call,
    Error,
    Event,
    Offers,
    Rescind,
    TaskUpdate,
    Teardown,
)
from mesos_spec.state import is_terminal
from mesos_spec.tools.judging.changes import Change
from mesos_spec.tools.judging.merge import Placed
from mesos_spec.tools.judging.verdict import Breach

SECOND_US = 1_000_000
_AT_THE_BORDER = frozenset(("calls", "frameworks", "events"))

SHOWN = 1_000  #: breaches that are kept; of more, the first of each kind

#: The time that frameworks have for their duties, in microseconds.
PATIENCE = {
    ACKNOWLEDGING.within: 60 * SECOND_US,
    ANSWERING.within: 300 * SECOND_US,
    ASKING.within: 60 * SECOND_US,
}


class Owed(NamedTuple):
    """A duty that was laid on a framework: when, and what for."""

    since_us: int
    place: str
    seq: int


@dataclass(slots=True)
class Account:
    """A framework, as its masters have seen it: a `mesos_spec.framework.Border`."""

    framework: FrameworkId
    stream: StreamId | None = None
    streams: set[StreamId] = field(default_factory=set)
    roles: tuple[Role, ...] = ()
    offers: dict[OfferId, None] = field(default_factory=dict)
    told: set[tuple[TaskId, Uuid]] = field(default_factory=set)
    used: set[TaskId] = field(default_factory=set)
    alive: dict[TaskId, None] = field(default_factory=dict)  #: launched, with no end that was told
    left: bool = False
    refused: bool = False  #: whether it has heard an ERROR
    owes: dict[str, dict[Any, Owed]] = field(default_factory=lambda: {d.name: {} for d in DUTIES})
    master: int = 0  #: which master's trace has its stream

    def has_offer(self, offer: OfferId) -> bool:
        """Whether it was given an offer on its stream, and has not answered."""
        return offer in self.offers

    def was_told(self, task: TaskId, uuid: Uuid) -> bool:
        """Whether it was ever sent a reliable update."""
        return (task, uuid) in self.told

    def has_used(self, task: TaskId) -> bool:
        """Whether it has launched a task of that name."""
        return task in self.used

    def has_had(self, stream: StreamId) -> bool:
        """Whether it listens on a stream, or did."""
        return stream in self.streams

    def has_role(self, role: Role) -> bool:
        """Whether it subscribed in a role."""
        return role in self.roles

    def has_left(self, framework: FrameworkId) -> bool:
        """Whether it has torn a framework down, and heard that it is gone."""
        return self.left and self.refused and framework == self.framework

    # ---- what it hears and says ----------------------------------------------------------
    def hears(self, event: Event, owed: Owed) -> None:
        """It is sent an event, which may lay duties on it."""
        self.refused = self.refused or isinstance(event, Error)
        for duty in DUTIES:
            key = duty.laid_by(event)
            if key is not None and (duty is not ASKING or self.alive):
                self.owes[duty.name].setdefault(key, owed)
        if isinstance(event, Offers):
            self.offers[event.offer] = None
        elif isinstance(event, Rescind):
            self.owes[ANSWERING.name].pop(event.offer, None)
        elif isinstance(event, TaskUpdate):
            if event.uuid is not None:
                self.told.add((event.task, event.uuid))
            if is_terminal(event.state):
                self.alive.pop(event.task, None)

    def says(self, call: AnyCall) -> None:
        """It calls, which may be what it owed."""
        for duty in DUTIES:
            done = duty.done_by(call)
            for key in self.owes[duty.name].copy() if done is None else done:
                self.owes[duty.name].pop(key, None)
        if isinstance(call, Accept):
            self.used.update(ask.task for ask in call.tasks)
            self.alive.update(dict.fromkeys(ask.task for ask in call.tasks))
        for offer in getattr(call, "offers", ()):
            self.offers.pop(offer, None)

    def listens(self, stream: StreamId | None) -> None:
        """It has another stream, or none: offers and duties of the old one are void."""
        self.stream = stream
        self.offers.clear()
        for owed in self.owes.values():
            owed.clear()
        if stream is not None:
            self.streams.add(stream)

    def late(self, now_us: int, patience: dict[str, int]) -> Iterator[tuple[Duty, Any, Owed]]:
        """What it owes and has had time for; each is told of once."""
        for duty in DUTIES:
            open_ = self.owes[duty.name]
            while open_:
                key, owed = next(iter(open_.items()))
                if now_us - owed.since_us <= patience[duty.within]:
                    break  # what comes after it was laid on it later
                del open_[key]
                yield duty, key, owed


class Contracts:
    """Follows all frameworks, record by record of their masters."""

    def __init__(self, patience: dict[str, int] | None = None) -> None:
        self.patience = {**PATIENCE, **(patience or {})}
        self.breaches: list[Breach] = []
        self.counts: Counter[tuple[str, str]] = Counter()  #: by framework and clause
        self._accounts: dict[FrameworkId, Account] = {}
        self._listening: dict[StreamId, Account] = {}
        self._clocks: dict[int, int] = {}  #: the last time of each master's trace

    def account(self, framework: FrameworkId) -> Account:
        """What is known of a framework."""
        return self._accounts.setdefault(framework, Account(framework))

    # ---- one record ----------------------------------------------------------------------
    def saw(self, placed: Placed, changed: Sequence[Change]) -> None:
        """A master's record was a step: its call, if it heard one, and the events it sent."""
        record, master = placed.record, id(placed.trace)
        self._clocks[master] = record.now
        about = [one for one in changed if one.cell[0] in _AT_THE_BORDER]
        if not about:
            return
        now = Owed(record.now, placed.trace.place(record), record.seq)
        for (name, _), _, _, _, mail in about:
            if name == "calls" and mail is not None and mail.taken:
                self._called(mail.taken[0], now)
        for (name, key), old, new, _, _ in about:
            if name == "frameworks":
                self._changed(key[1], old, new, now, master)
        for (name, stream), _, _, _, mail in about:
            account = self._listening.get(stream) if name == "events" else None
            if mail is not None and account is not None and account.stream == stream:
                if mail.sent:
                    self._late(account, now.since_us)
                for event in mail.sent:
                    account.hears(event, now)

    def _called(self, call: AnyCall, now: Owed) -> None:
        framework = getattr(call, "framework", None)
        if framework is None:
            return
        account = self.account(framework)
        for one in CLAUSES:
            if not one.kept(account, call):
                self._breach(account, one.name, one.doc, str(call), now)
        if isinstance(call, Call) and call.stream == account.stream:  # others do nothing
            self._late(account, now.since_us)
            account.says(call)
            account.left = account.left or isinstance(call, Teardown)

    def _changed(self, framework: FrameworkId, old: Any, new: Any, now: Owed, master: int) -> None:
        """What a master thinks of a framework: who listens where.

        A new stream takes the place of any; that an older one ends is no news.
        """
        account = self.account(framework)
        if old.stream == account.stream:
            self._late(account, now.since_us)
        if new.stream is not None and new.stream != old.stream:
            account.roles, account.master = new.roles, master
            account.listens(new.stream)
            self._listening[new.stream] = account
        elif new.stream is None and old.stream == account.stream:
            account.listens(None)

    # ---- breaches ------------------------------------------------------------------------
    def _late(self, account: Account, now_us: int) -> None:
        for duty, key, since in account.late(now_us, self.patience):
            found = f"{_brief(key)} was owed for {(now_us - since.since_us) / SECOND_US:.0f} s"
            self._breach(account, duty.name, duty.doc, found, since)

    def _breach(self, account: Account, name: str, says: str, found: str, at: Owed) -> None:
        self.counts[account.framework, name] += 1
        if self.counts[account.framework, name] == 1 or len(self.breaches) < SHOWN:
            self.breaches.append(
                Breach(
                    framework=account.framework,
                    clause=name,
                    says=says,
                    found=found,
                    place=at.place,
                    seq=at.seq,
                    now_us=at.since_us,
                )
            )

    def finish(self) -> None:
        """There is no more: what is late by its master's last record is late."""
        for account in self._accounts.values():
            if account.stream is not None:
                self._late(account, self._clocks[account.master])


def _brief(key: Any) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
