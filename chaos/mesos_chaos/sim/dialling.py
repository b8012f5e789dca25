"""Who has lost its leader dials again in time (AGT-4, L6).

Waits are random and double with each failure, and a new leader begins with the shortest: so it is
known how long an agent or a scheduler may be without a connection and not ask for one.  Records
alone show it: that a leader came, that the connection ended, that a dial was asked for.  An agent
that has yet to hear of executors of before dials when it has, so its first dial has no limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesos_spec.tools.judging.trace import Record

TURNS = frozenset({"turn_to", "turn_scheduler_to"})
SUCCESSES = frozenset({"be_registered", "be_subscribed"})
CLOSES = ("close_link", "close_connection")
#: The shortest wait and the longest, as each role is told them at start.
WAITS = {
    "agent": ("registration_backoff_us", "registration_backoff_max_us"),
    "scheduler": ("backoff_us", "backoff_max_us"),
}


@dataclass(slots=True)
class Dialler:
    """One process incarnation, and by when it must have dialled."""

    role: str
    config: dict[str, Any]
    due_us: int | None = None
    _failures: int = 0
    _dialled: str | None = None  #: the connection that it asked for last
    _stream: str | None = None  #: what it was opened as

    def hear(self, record: Record) -> None:
        """Take in one record."""
        did = {name for name, _ in record.did}
        if did & (TURNS | SUCCESSES):
            self._failures = 0
        if did & TURNS or self._has_ended(record):
            if self._dialled is not None:
                base, most = (int(self.config[name]) for name in WAITS[self.role])
                self.due_us = record.now + min(base << min(self._failures, 20), max(base, most))
            self._failures += 1
        for sent in record.sent:
            if sent.do == "connect":
                self.due_us, self._stream = None, None
                if self.role == "agent":  # after a wait, though a leader it knew is no turn
                    self._failures = max(1, self._failures)
                self._dialled = sent.link or sent.connection
            elif sent.do == "stop":
                self.due_us = self._dialled = None

    def _has_ended(self, record: Record) -> bool:
        heard = record.heard
        if heard is not None and heard.local == "opened" and heard.connection == self._dialled:
            self._stream = heard.stream
        if heard is not None and heard.local == "ended":
            what = heard.link or heard.connection
            name, mine = (heard.stream, self._stream) if what is None else (what, self._dialled)
            return name is not None and name == mine
        closed = [sent.link or sent.connection for sent in record.sent if sent.do in CLOSES]
        return self._dialled is not None and self._dialled in closed

    def overdue_us(self, now_us: int) -> int:
        """For how long it should have dialled already."""
        return 0 if self.due_us is None else max(0, now_us - self.due_us)

    def excuse(self, now_us: int) -> None:
        """The process could not act until now."""
        if self.due_us is not None:
            self.due_us = max(self.due_us, now_us)
