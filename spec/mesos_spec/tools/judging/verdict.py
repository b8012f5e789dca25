"""What the judge has to say about a run: conforms, violates, or don't know; and whose fault.

A verdict has three values (D13).  *violates*: some record is no step of the specification, or a
property broke; the first such record is explained, the guilty party is named.  *unknown*: nothing
was seen to be wrong, but the traces do not suffice to say that all was right.  *conforms*: every
record of every process was a step of the specification.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import Enum
from textwrap import wrap
from typing import Any

PROPERTY = re.compile(r"the property (\w+)")  #: how a sentence about a broken one begins
PARTY = {"master": "master", "agent": "agent", "scheduler": "library", "executor": "executor"}


class Outcome(Enum):
    """The three values, and the exit code each gives."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    UNKNOWN = "unknown"


class Kind(Enum):
    """What sort of wrong: a record the specification refuses, or a property that broke."""

    CONFORMANCE = "conformance"
    SAFETY = "safety"
    LIVENESS = "liveness"
    HARNESS = "harness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """One guard as it was asked: its sentence, whether it held, and what it read."""

    says: str
    held: bool
    values: str = ""

    def lines(self, values: bool = False) -> list[str]:
        """The guard for people; what it read if it does not hold, or if `values` are wanted."""
        mark = "holds   " if self.held else "DOES NOT"
        where = [f"              where {self.values}"] if self.values else []
        return [f"    {mark}  {self.says}", *(where if values or not self.held else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One record that is wrong: where, whose fault, and why."""

    kind: Kind
    party: str
    who: str
    place: str
    seq: int
    now_us: int
    says: str
    action: str | None = None
    names: dict[str, Any] = field(default_factory=dict)
    guards: tuple[Guarded, ...] = ()
    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()  #: steps that its node could have taken instead
    changed: tuple[str, ...] = ()  #: what the record's actions changed in the specification's state
    story: tuple[str, ...] = ()  #: where each name it is about was last heard of
    before: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The property that broke, by its name; or what every record owes."""
        named = PROPERTY.match(self.says)
        return named[1] if named else "every_record_is_a_step"

    def text(self) -> str:
        """The violation for people: what and where, whose fault, and the evidence."""
        lines = [f"{self.place}: {self.says}", f"  party     {self.party} ({self.who})"]
        lines += _headed("the records before it", self.before)
        if self.action:
            names = ", ".join(f"{k}={v}" for k, v in self.names.items())
            lines.append(f"  step      {self.action}({names})")
        for guard in self.guards:
            lines += guard.lines()
        lines += [f"  expected  {line}" for line in self.expected]
        lines += [f"  found     {line}" for line in self.found]
        lines += _headed("last heard of", self.story)
        lines += _headed("the specification allows here", self.allowed)
        lines += _headed("what its actions change in the specification's state", self.changed)
        lines.append(f"  look closer: mesos-spec why {self.place}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that a framework did, or left undone, against its contract."""

    framework: str
    clause: str
    says: str  #: what the clause demands
    found: str  #: what the framework did instead
    place: str
    seq: int
    now_us: int
    party: str = "framework"

    def lines(self) -> list[str]:
        """The breach for people."""
        return [
            f"{self.place}: framework {self.framework} breaks {self.clause}",
            f"  demanded  {self.says}",
            f"  found     {self.found}",
        ]


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return wrap(text, width=100, subsequent_indent=indent, break_long_words=False)


def _headed(title: str, lines: tuple[str, ...]) -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in lines)] if lines else []


@dataclass(slots=True, kw_only=True)
class Verdict:
    """The judgement of a whole run."""

    outcome: Outcome
    records: int = 0  #: that were followed
    of: int | None = None  #: how many there are, where that is known
    steps: int = 0
    processes: int = 0
    violations: list[Violation] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)  #: of frameworks: no fault of ours
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)  #: by framework and clause
    doubts: list[str] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    never: list[str] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 conforms, 1 a property broke, 2 unknown, 4 a record is no step."""
        if self.outcome is Outcome.CONFORMS:
            return 0
        if self.outcome is Outcome.UNKNOWN:
            return 2
        kinds = {v.kind for v in self.violations}
        if Kind.CONFORMANCE in kinds or Kind.HARNESS in kinds:
            return 4
        return 1 if Kind.SAFETY in kinds else 3

    def text(self) -> str:
        """The verdict for people, the outcome in the first line."""
        head = {
            Outcome.CONFORMS: "CONFORMS to the specification",
            Outcome.VIOLATES: "VIOLATES the specification",
            Outcome.UNKNOWN: "UNKNOWN: the traces do not suffice",
        }[self.outcome]
        whole = self.of is None or self.of == self.records
        records = f"{self.records}" if whole else f"{self.records} of {self.of}"
        lines = [f"{head}: {records} records, {self.steps} steps, {self.processes} processes"]
        lines += [violation.text() for violation in self.violations]
        lines += [f"  don't know: {doubt}" for doubt in self.doubts]
        lines += self._contract()
        most = ", ".join(f"{name} {n}" for name, n in self.taken.most_common(8))
        lines.append(f"  actions seen: {len(self.taken)} of {len(self.taken) + len(self.never)}")
        if most:
            lines.append(f"    most often: {most}")
        if self.never:
            lines += _wrapped(f"    never: {', '.join(self.never)}")
        if self.ignored:
            out = ", ".join(f"{name} {n}" for name, n in sorted(self.ignored.items()))
            lines += _wrapped(f"  not looked at (outside of the specification): {out}")
        return "\n".join(lines)

    def _contract(self) -> list[str]:
        """What frameworks did against their contract; of each clause the first breach."""
        lines = []
        for (framework, clause), times in self.broken.items():
            first = next(b for b in self.breaches if (b.framework, b.clause) == (framework, clause))
            lines += [f"  FRAMEWORK {framework} breaks its contract ({times} times: {clause})"]
            lines += [f"    {line}" for line in first.lines()]
        return lines

    def json(self) -> dict[str, Any]:
        """The verdict for machines."""
        return {
            "verdict": self.outcome.value,
            "exit_code": self.exit_code,
            "records": self.records,
            "of": self.of,
            "steps": self.steps,
            "processes": self.processes,
            "violations": [
                {**asdict(v), "kind": v.kind.value, "guards": [asdict(g) for g in v.guards]}
                for v in self.violations
            ],
            "breaches": [asdict(breach) for breach in self.breaches],
            "broken": [[*pair, times] for pair, times in self.broken.items()],
            "doubts": self.doubts,
            "actions": dict(sorted(self.taken.items())),
            "never": self.never,
            "not_looked_at": dict(sorted(self.ignored.items())),
        }
