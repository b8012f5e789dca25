"""What runs have exercised, merged over runs: the measure of a campaign, and what guides it.

A *mark* is something a run did, as a short text: an action that was taken, two actions that one
process took one after the other, an action while a kind of fault was on, and a *shape* of a state:
what a record shows of the kinds of thing it changed, without names and amounts.  The discovery
curve says how many marks were known after so many runs.  Of shapes, the share that was seen once
estimates how likely the next is new (Good and Turing).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.mesos import ACTIONS
from mesos_spec.tools.judging.trace import Record

KINDS = ("action", "pair", "fault", "shape")
Mark = tuple[str, str]  #: its kind, and its text


class Marking:
    """Listens to the records of one run, as its judge does."""

    def __init__(self) -> None:
        self.marks: Counter[Mark] = Counter()
        self._last: dict[str, str] = {}  #: the last action of each process
        self._on: list[str] = []  #: the kinds of fault that have struck

    def struck(self, kind: str) -> None:
        """A fault of that kind has struck."""
        if kind not in self._on:
            self._on.append(kind)

    def hear(self, incarnation: str, role: str, record: Record) -> None:
        """A process has written a record."""
        for name, _ in record.did:
            site = f"{role}.{name}"
            self.marks["action", site] += 1
            before = self._last.get(incarnation)
            if before is not None:
                self.marks["pair", f"{before} → {site}"] += 1
            self._last[incarnation] = site
            for kind in self._on:
                self.marks["fault", f"{kind} × {site}"] += 1
        if record.view:
            changed = sorted({_shape(key, value) for key, value in record.view.items()})
            self.marks["shape", f"{role}: {', '.join(changed)}"] += 1


def _shape(key: str, value: Any) -> str:
    table = key.partition("/")[0]
    if isinstance(value, dict):
        facts = [f"{k}={_word(v)}" for k, v in sorted(value.items()) if _word(v)]
        return f"{table}({' '.join(facts)})"
    return f"{table}({_word(value)})"


def _word(value: Any) -> str:
    """What of a value is no name and no amount."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value if value.isupper() or (value.islower() and value.isalpha()) else ""
    if isinstance(value, list):
        states = [row[1] for row in value if isinstance(row, list) and len(row) > 1]
        return "+".join(map(str, states)) if states else str(min(len(value), 2))
    return ""


@dataclass(slots=True)
class Coverage:
    """What a number of runs have exercised."""

    runs: int = 0
    marks: Counter[Mark] = field(default_factory=Counter)
    curve: list[tuple[int, int]] = field(default_factory=list)  #: runs, marks known by then

    def add(self, marks: Iterable[Mark]) -> int:
        """Take in the marks of one run; how many of them are new."""
        found = set(marks)
        new = sum(mark not in self.marks for mark in found)
        self.marks.update(found)  # in how many runs each was seen
        self.runs += 1
        if new or not self.curve:
            self.curve.append((self.runs, len(self.marks)))
        return new

    def known(self, kind: str) -> int:
        """How many marks of that kind are known."""
        return sum(mark[0] == kind for mark in self.marks)

    @property
    def chance_of_new(self) -> float:
        """How likely a run that is drawn like these shows a shape that none has shown."""
        once = sum(times == 1 for (kind, _), times in self.marks.items() if kind == "shape")
        seen = sum(times for (kind, _), times in self.marks.items() if kind == "shape")
        return once / seen if seen else 1.0

    def never(self) -> list[str]:
        """Actions of ours that no run has taken."""
        taken = {text.partition(".")[2] for kind, text in self.marks if kind == "action"}
        ours = [name for name, one in ACTIONS.items() if one.by in ("master", "agent", "scheduler")]
        return [name for name in ours if name not in taken]

    def text(self) -> str:
        """For people: what is known, how it came to be known, what was never seen."""
        known = ", ".join(f"{self.known(kind)} {kind}s" for kind in KINDS)
        lines = [f"{self.runs} runs: {known}", f"  curve   {self._curve()}"]
        lines.append(f"  unseen  a record's shape is new with probability {self.chance_of_new:.4f}")
        if never := self.never():
            lines.append(f"  never   {', '.join(never)}")
        return "\n".join(lines)

    def _curve(self) -> str:
        """A few points of the curve: after 1, 2, 4, 8, … runs."""
        points, at = [], 1
        while at < self.runs:
            points.append((at, self.known_after(at)))
            at *= 2
        points.append((self.runs, len(self.marks)))
        return ", ".join(f"{runs}: {marks}" for runs, marks in points)

    def known_after(self, runs: int) -> int:
        """How many marks were known after so many runs."""
        return max((marks for at, marks in self.curve if at <= runs), default=0)

    def json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "runs": self.runs,
            **{f"{kind}s": self.known(kind) for kind in KINDS},
            "curve": [list(point) for point in self.curve],
            "chance_of_new": round(self.chance_of_new, 5),
            "never": self.never(),
        }
