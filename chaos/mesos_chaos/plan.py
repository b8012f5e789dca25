"""Plans: what runs, what is done to it, and one seed.  Data, so that they can be drawn and shrunk.

A *plan* is a topology, a workload, at most 25 faults and a seed (D11).  A *scenario* is a plan with
a title and a reason that a student can read, kept as a TOML file.  A person writes these files, so
they are validated by pydantic, and a wrong key is answered with the path to it and what would be
right.  Faults name roles (`leader`, `agent:1`, `agent-of:demo.7`), never process ids, and happen at
a time (`at_s`) or at a site (`after = "master.accept#2"`: once some master's trace shows the action
for the second time).  Faults of the same moment happen in the order in which they stand.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MAX_FAULTS = 25
SITE = r"^(master|agent|scheduler)\.[a-z_]+#[1-9][0-9]*$"
TARGET = (
    r"^(leader|standby|master:[0-9]+|agent:([0-9]+|any)|agent-of:\S+"
    r"|executor:any|executor-of:\S+|scheduler:\S+)$"
)


class PlanError(Exception):
    """A scenario file that cannot be used: a line for each wrong key, with its path."""


class Strict(BaseModel):
    """Base of everything a person writes: unknown keys are errors, values are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cluster(Strict):
    """The topology, and the timers that differ from the defaults of `mesos-ref up`."""

    masters: int = Field(default=3, ge=1, le=7)
    agents: int = Field(default=2, ge=1, le=100)
    cpus: float = Field(default=4.0, gt=0)
    mem_mb: int = Field(default=4096, gt=0)
    lease_s: float = Field(default=1.0, ge=0.2, le=30)
    timers: dict[str, float] = Field(default_factory=dict)
    #: Frameworks nobody here wrote, each making so many well-formed calls (in simulation).
    foreign: int = Field(default=0, ge=0, le=8)
    foreign_calls: int = Field(default=150, ge=1, le=10_000)
    #: Agents too old to join (in simulation).
    misfits: int = Field(default=0, ge=0, le=8)
    #: The n-th agent has n times the processors (in simulation).
    uneven: bool = False
    #: So many messages arrive much later than they should (in simulation).
    held_back: int = Field(default=0, ge=0, le=50)
    #: Calls of executors of a framework's own overtake each other, as they do on several
    #: connections (in simulation).
    unordered_calls: bool = False
    #: A process that ends, or is killed, takes up to so long until it is gone (in simulation).
    slow_ends_s: float = Field(default=0.0, ge=0, le=60)
    #: Wall clocks of processes differ by up to so much; timers do not (in simulation).
    clock_skew_s: float = Field(default=0.0, ge=0, le=1e6)


class Workload(Strict):
    """One framework: how many items it wants done, and what an item is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    items: int = Field(default=20, ge=1, le=100_000)
    command: str = "sleep 0.2"
    cpus: float = Field(default=0.5, gt=0)
    mem_mb: int = Field(default=32, gt=0)
    role: str = "*"
    parallel: int | None = Field(default=None, ge=1)
    #: Each task on an executor of its own, or several on one of the framework's (in simulation).
    executor: Literal["command", "custom"] = "command"
    #: Now and then it kills a task, asks for what it knows, suppresses and revives, and leaves an
    #: offer unanswered (in simulation).
    unruly: bool = False
    #: It tries an item again at once, and under the task id of before if that task's end is
    #: acknowledged (in simulation).
    same_ids: bool = False
    #: It declines what it has no use for until it asks again (REVIVE), which it does when it wants
    #: offers and none come; else what it declined comes back within seconds (in simulation).
    patient: bool = False
    #: So many of its own executors start and never subscribe (in simulation).
    stillborn: int = Field(default=0, ge=0, le=8)
    #: How often another scheduler takes its framework over (in simulation).
    rivals: int = Field(default=0, ge=0, le=8)
    #: It has itself removed when all its items are done (in simulation).
    leaves: bool = False


class FaultKind(StrEnum):
    """The vocabulary.  Every one has its undo, done at `for_s`, or when the faults end."""

    KILL = "kill"
    PAUSE = "pause"
    CUT = "cut"
    DELAY = "delay"
    RESET = "reset"
    DEPOSE = "depose"


class Fault(Strict):
    """One fault: what, to whom, when, and for how long."""

    kind: FaultKind
    target: str = Field(pattern=TARGET)
    at_s: float | None = Field(default=None, ge=0)
    after: str | None = Field(default=None, pattern=SITE)
    for_s: float | None = Field(default=None, gt=0)
    restart: bool = True
    restart_after_s: float = Field(default=0.5, ge=0)
    direction: Literal["up", "down", "both"] = "both"
    delay_s: float = Field(default=0.2, gt=0, le=60)
    #: At a site, of whom the fault kills: before it keeps what it did, before it sends anything of
    #: it, or after (in simulation; drawn from the seed unless it is given).
    moment: Literal["unkept", "unsent", "after"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Fault:
        if (self.at_s is None) == (self.after is None):
            raise ValueError(
                "a fault happens at a time or at a site: give exactly one of at_s, after"
            )
        links = self.kind in (FaultKind.CUT, FaultKind.DELAY, FaultKind.RESET)
        if links and not self.target.startswith(("agent", "scheduler")):
            raise ValueError(
                f"{self.kind.value} is a fault of links to masters: target an agent or a "
                f"scheduler, not {self.target!r}"
            )
        if self.kind is FaultKind.PAUSE and self.target.startswith(("executor", "scheduler")):
            raise ValueError(f"pause is for masters and agents, not {self.target!r}")
        if self.moment and (self.kind is not FaultKind.KILL or self.after is None):
            raise ValueError("moment is for kills at a site")
        if self.kind is FaultKind.DEPOSE and self.target != "leader":
            raise ValueError(f"only the leader can be deposed, not {self.target!r}")
        return self


class Expect(Strict):
    """What the run must show to prove anything, and how soon it must settle after the heal."""

    must_see: list[str] = Field(default_factory=list)
    settles_within_s: float = Field(default=30.0, gt=0, le=3600)
    goal: str | None = None


class Plan(Strict):
    """Topology, workload, faults and one seed."""

    cluster: Cluster = Cluster()
    workload: Annotated[list[Workload], Field(min_length=1, max_length=8)]
    fault: Annotated[list[Fault], Field(max_length=MAX_FAULTS)] = []
    expect: Expect = Expect()
    seed: int = Field(default=0, ge=0)

    def bare(self) -> Plan:
        """The plan alone, without what a scenario adds to it."""
        return Plan.model_validate({name: getattr(self, name) for name in Plan.model_fields})


class Scenario(Plan):
    """A plan with a title, and a reason a student can read."""

    title: str = Field(min_length=10)
    why: str = Field(min_length=40)
    #: Where it means something: 1 simulated, 2 real shells in virtual time, 3 on real processes.
    tiers: tuple[Literal[1, 2, 3], ...] = Field(default=(1, 2, 3), min_length=1)


def parse_scenario(text: str, name: str) -> Scenario:
    """The scenario in the TOML `text`.  Raises `PlanError` with the path to each wrong key."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{name}: not TOML: {error}") from None
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise PlanError("\n".join(complaints(name, error))) from None


def complaints(name: str, error: ValidationError) -> list[str]:
    """A line for each thing that is wrong: the file, the path to the key, a sentence."""
    return [f"{name}: {_path(e['loc'])}: {_sentence(e)}" for e in error.errors()]


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "the file"


def _sentence(e: Any) -> str:
    if e["type"] == "extra_forbidden":
        return "no such key"
    said = str(e["msg"]).removeprefix("Value error, ")
    return (
        said if "input" not in e or isinstance(e["input"], dict) else f"{said}, not {e['input']!r}"
    )


def shipped() -> dict[str, str]:
    """The scenarios that come with the package: name → TOML text."""
    folder = resources.files("mesos_chaos") / "scenarios"
    found = sorted(folder.iterdir(), key=lambda f: f.name)
    return {f.name[:-5]: f.read_text() for f in found if f.name.endswith(".toml")}


def load_scenario(name: str) -> tuple[str, Scenario]:
    """The scenario called `name` (shipped) or in the file `name`: its short name, and itself.

    Raises `PlanError` if there is none, or it is wrong.
    """
    known = shipped()
    if name in known:
        return name, parse_scenario(known[name], f"{name}.toml")
    path = Path(name)
    if not path.is_file():
        raise PlanError(f"no scenario {name!r}: a file, or one of {', '.join(known) or '(none)'}")
    return path.stem, parse_scenario(path.read_text(), str(path))
