"""Real cores, played along paths of a model: what the others do is done to them.

Each step of a path that is such a core's becomes an event: the message it takes, the connection it
loses, or time, until the timer it is about has run out.  The other parties are the model's; their
messages are said in real words.  The core must then do what the path says is done.  Time brings
more than what it is let pass for.  After something that the path does not have the two may part:
that is no failure, but the path is *left*, with the reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mesos_ref import trace
from mesos_spec.kernel import Fifo
from mesos_spec.kernel.cells import Cell
from mesos_spec.state import State
from mesos_spec.tools.judging.trace import Trace, parse_header, parse_record
from mesos_spec.tools.search.checker import Taken
from model_tests.paths.wording import Names

#: A timer has run out by then, so many ticks; and what is done as soon as it can be is done.
TICKS, SOON = 400, 20

Done = tuple[str, Mapping[str, Any]]  #: what a core says it did: an action, and names of it


class Left(Exception):
    """A path cannot be followed any further: why."""


class Parted(AssertionError):
    """A core did something else than the path, and had no reason to."""


class Counting:
    """Ids that count."""

    def __init__(self, name: str) -> None:
        self._name, self._drawn = name, 0

    def uuid(self) -> str:
        """The next id."""
        self._drawn += 1
        return f"{self._name}-{self._drawn}"

    def uuid_bytes(self) -> bytes:
        """The next uuid of an update."""
        self._drawn += 1
        return self._drawn.to_bytes(16, "big")


@dataclass
class Process:
    """One core, and the trace it writes."""

    core: Any
    writer: trace.TraceWriter
    lines: list[bytes]
    name: str
    violations: Callable[[Any], list[str]]
    batch: int = 0


def process(
    role: str, name: str, life: int, core: Any, ids: trace.RecordedIds, given: Mapping[str, Any]
) -> tuple[trace.TraceWriter, list[bytes]]:
    """The trace of a core that has heard nothing yet, and where it goes."""
    lines: list[bytes] = []
    incarnation = f"{name}.{life}"
    header = trace.header(role=role, node=name, incarnation=incarnation, wall_us=0, **given)
    header["life"] = life
    return trace.TraceWriter(lines.append, header, core, ids), lines


@dataclass
class Players(ABC):
    """The cores of one party along one path."""

    names: Names = field(default_factory=Names)
    now_us: int = 0
    followed: int = 0  #: steps that were as the path has them
    extra: str = ""  #: the first thing that was done and is not in the path, or not yet
    #: What was done that the path may have later: by whom, action, names.
    ahead: list[tuple[Any, str, Mapping[str, Any]]] = field(default_factory=list)
    all: list[Process] = field(default_factory=list)
    events: list[tuple[Process, Any]] = field(default_factory=list)  #: all events, by whom
    now: dict[Any, Process] = field(default_factory=dict)  #: who plays whom

    tick: ClassVar[Any] = None
    prompt: ClassVar[frozenset[str]] = frozenset()  #: what no timer is needed for

    # ---- what a party knows by itself ---------------------------------------------------------
    @abstractmethod
    def follow(self, s: State, step: Taken) -> None:
        """Take the next step of a path, which is taken in `s`.  Raises `Left` and `Parted`."""

    def learn(self, step: Taken, real: Mapping[str, Any]) -> None:
        """The real names of what the path has named."""
        return

    @abstractmethod
    def is_meant(self, step: Taken, real: Mapping[str, Any]) -> bool:
        """Whether the names of what was done are the path's, as far as those are known."""

    def unasked(self, by: Any, did: Done, step: Taken) -> None:
        """Something was done while time passed for `step`."""
        return

    def unborn(self) -> Any:
        """A core that has not begun, where there is such a thing."""
        return None

    def refusals(self, by: Any) -> tuple[Any, ...]:
        """What a core hears when others have enough of it, at the end of a path."""
        return ()

    def consequences(self, by: Any) -> tuple[Any, ...]:
        """What a core hears because of what it has wanted, while nobody else says a word."""
        return ()

    def performed(self, by: Any, effect: Any) -> None:
        """What a core wants done."""
        return

    # ---- hearing -------------------------------------------------------------------------------
    def begin(self, by: Any, one: Process) -> None:
        """A process takes a part."""
        self.all.append(one)
        self.now[by] = one

    def hear(self, by: Any, event: Any) -> list[Done]:
        """One event: the core takes it, its record is written, nothing may be violated."""
        if by not in self.now:
            raise Left(f"{by} is not there")
        one = self.now[by]
        self.events.append((one, event))
        one.batch += 1
        step = one.core.handle(event, self.now_us)
        one.writer.record(event, self.now_us, step, one.batch)
        one.writer.write()
        assert one.violations(one.core) == []
        for effect in step.effects:
            self.performed(by, effect)
        return [(name, dict(names)) for name, names in step.did]

    def overhear(self, by: Any, event: Any) -> None:
        """An event that the specification has no step for: nothing is done."""
        if by in self.now:
            assert self.now[by].core.handle(event, self.now_us).did == (), event

    def compare(self, by: Any, step: Taken, did: list[Done]) -> None:
        """The first thing that was done is the path's; more than that is more than it has."""
        name, names = did[0] if did else ("nothing", {})
        if name != step.action or not self.is_meant(step, names):
            if self.extra:
                raise Left(f"after {self.extra}: {name} instead of {step.action}")
            raise Parted(f"{name}({names}) instead of {step.action}({dict(step.bound)})")
        self.took(step, names)
        for name, names in did[1:]:
            self.beside(by, name, names)

    def took(self, step: Taken, names: Mapping[str, Any]) -> None:
        """A step was as the path has it."""
        self.learn(step, names)
        self.followed += 1

    def beside(self, by: Any, name: str, names: Mapping[str, Any]) -> None:
        """Something was done that the path has not, or has later."""
        self.extra = self.extra or name
        self.ahead.append((by, name, names))

    def is_done(self, by: Any, step: Taken) -> bool:
        """Whether a step was done before the path had it; then it is taken now."""
        for n, (who, name, names) in enumerate(self.ahead):
            if who == by and name == step.action and self.is_meant(step, names):
                del self.ahead[n]
                self.took(step, names)
                return True
        return False

    # ---- time ----------------------------------------------------------------------------------
    def wait(self, by: Any, step: Taken) -> None:
        """Let time pass until the core does what the path has next."""
        if by not in self.now:
            raise Left(f"{by} is not there")
        for _ in range(SOON if step.action in self.prompt else TICKS):
            if self.is_done(by, step):
                return
            due_us = self.now[by].core.next_deadline
            if due_us is None:
                break
            self.now_us = max(self.now_us, due_us)
            self.time_passed(by, step)
        if not self.is_done(by, step):
            raise Left(f"no timer leads there: {step.action}")

    def wait_until(self, by: Any, until_us: int, step: Taken) -> None:
        """Let time pass, ticking whenever the core wants to."""
        while (due_us := self.now[by].core.next_deadline) is not None and due_us < until_us:
            self.now_us = max(self.now_us, due_us)
            self.time_passed(by, step)
        self.now_us = max(self.now_us, until_us)
        self.extra = self.extra or "time"

    def time_passed(self, by: Any, step: Taken) -> None:
        """One tick."""
        for name, names in self.hear(by, self.tick):
            if name == step.action and self.is_meant(step, names):
                self.ahead.insert(0, (by, name, names))
            else:
                self.beside(by, name, names)
                self.unasked(by, (name, names), step)

    # ---- the end -------------------------------------------------------------------------------
    def traces(self) -> list[Trace]:
        """What the cores have written, for the judge."""
        found = []
        for one in self.all:
            header, *lines = b"".join(one.lines).splitlines()
            records = [parse_record(line, one.name, seq) for seq, line in enumerate(lines)]
            read = Trace(path=one.name, header=parse_header(header, one.name), records=records)
            found.append(read)
        return found


def message_of(step: Taken, *channels: str) -> tuple[Cell, Any] | None:
    """The channel of `channels` a step takes its message from, and the message."""
    for cell, (old, new) in step.changed.items():
        if cell[0] in channels and isinstance(old, Fifo) and old.mail and new.mail == old.mail[1:]:
            return cell, old.mail[0]
    return None
