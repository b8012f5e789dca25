"""Look at every state a model can reach, breadth first, and say what is wrong with the nearest.

A search ends at the first state or step that breaks a claim, so the way there is as short as any.
It counts what it did: a claim that was checked in a model where half the actions never happen is
worth half.  What a search was not allowed to finish, it does not call checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mesos_spec.kernel import Cells, Effects, show
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.tools.search.blame import Wrong, blame
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.worlds import Asked, Broken, Plain, Raised, World

if TYPE_CHECKING:
    from mesos_spec.tools.search.verdicts import Verdict

S = TypeVar("S", bound=Cells)
N = TypeVar("N")

HEADS = "every_head_is_consumed"  #: the claim that `Specification.channels` stands for
DEADLOCK = "something_is_possible"  #: the claim that `Model.quiescent` qualifies
WRONG = "the_specification_can_be_run"  #: the claim that a property that raises breaks, say
ENDLESS = "the_model_has_an_end"  #: the claim that a model breaks which seems to grow for ever
ENGINES = ("auto", "plain", "memo", "numpy", "numba")  #: plain is the oracle of all others
FAST_FROM = 60_000  #: states; `auto` leaves models below it to `memo`
EVERY = 4096  #: expanded states between two reports of progress


@dataclass(frozen=True)
class Taken:
    """A step of a counterexample: what happened, and which cells it changed."""

    action: str
    bound: Mapping[str, Any]
    changed: Effects  #: only cells that differ


@dataclass(frozen=True)
class Behaviour(Generic[S]):
    """A behaviour from the initial state on."""

    first: S
    steps: tuple[Taken, ...]


@dataclass(frozen=True)
class Counterexample(Behaviour[S]):
    """A shortest behaviour that breaks a claim."""

    claim: str  #: the property; or the action whose body raised
    bound: Mapping[str, Any]  #: the names it is broken for
    why: str  #: the same as a sentence
    #: Set where the specification itself is at fault, and not a claim broken.
    wrong: Wrong | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    states: int
    steps: int
    depth: int
    waiting: int  #: states found but not yet expanded
    seconds: float


@dataclass(frozen=True)
class Result(Generic[S]):
    """What a search found, and how much it looked at."""

    model: Model[S]
    states: int
    steps: int
    depth: int
    cut: int
    finished: bool
    stopped: str  #: why it did not finish; empty if it did
    seconds: float
    taken: Counter[str]  #: how often each action was taken
    guards: Counter[Asked]  #: how often (action, guard) was asked and answered so
    witnesses: dict[str, Behaviour[S]]  #: for each SOMETIMES property that was seen: a shortest way
    deadlocks: (
        int  #: states where nothing is possible, though the model does not call them quiescent
    )
    deadlock: Behaviour[S] | None  #: a shortest way to one
    broken: Counterexample[S] | None
    orbits: int = 0  #: states that were looked at, if each stood for all that are like it
    eventually: tuple[Verdict[S], ...] = ()  #: what `liveness` found; empty if it was not asked

    @property
    def counts(self) -> Counts:
        """The numbers a model pins."""
        return Counts(states=self.states, steps=self.steps, depth=self.depth, cut=self.cut)

    @property
    def unseen(self) -> tuple[str, ...]:
        """SOMETIMES properties that no state satisfied."""
        return tuple(c.name for c in self.model.spec.sometimes if c.name not in self.witnesses)

    @property
    def never_taken(self) -> tuple[str, ...]:
        """Actions that never happened."""
        return tuple(a.name for a in self.model.spec.actions if not self.taken[a.name])

    @property
    def one_sided(self) -> tuple[Asked, ...]:
        """Answers that a guard which was asked never gave."""
        asked = sorted({(action, guard) for action, guard, _ in self.guards})
        both = [(*pair, held) for pair in asked for held in (True, False)]
        return tuple(answer for answer in both if not self.guards[answer])

    @property
    def ok(self) -> bool:
        """Whether the model is checked and everything claimed of it holds."""
        live = all(verdict.ok for verdict in self.eventually)
        return self.finished and self.broken is None and not self.unseen and live


def check(
    model: Model[S],
    *,
    plain: bool = False,
    engine: str = "",
    max_states: int | None = None,
    max_seconds: float | None = None,
    max_depth: int | None = None,
    max_memory_mb: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], str] | None = None,
    resume: Path | None = None,
    keep: Path | None = None,
    jobs: int = 1,
) -> Result[S]:
    """Search `model`, to the end, to the first thing broken, or to a limit.

    `engine` is one of `ENGINES`; `plain` is the same as the engine of that name, and without
    either it is `memo`.  `stop` is asked now and then; the search ends when it gives a reason.
    A search of numpy or numba that reached a limit is written to the file `keep`, and one in the
    file `resume` is taken up again (`fast.saved.Unfit` if it cannot be).
    With two `jobs`, numba uses two cores.
    Raises ValueError for an engine there is not, ImportError where numba is not installed.
    """
    limits = Limits(max_states, max_seconds, progress, stop, max_depth, max_memory_mb)
    engine = engine or ("plain" if plain else "memo")
    if engine not in ENGINES:
        raise ValueError(f"no engine is called {engine!r}; there are {', '.join(ENGINES)}")
    if engine == "auto":
        first = None if resume or keep else _if_small(model, limits)
        if first is not None:
            return first
        engine = "numba" if find_spec("numba") is not None else "numpy"
    if engine in ("numpy", "numba"):
        from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named

        return FastSearch(model, limits, kernel_named(engine), resume, jobs).run(keep)
    if resume or keep:
        raise ValueError(f"only a search of numpy or numba can be resumed, not one of {engine}")
    if engine == "plain":
        return search(model, Plain(model), limits)
    return search(model, Memoised(model), limits)


def search(model: Model[S], world: World[N, S], limits: Limits) -> Result[S]:
    """Search `model` in a world that says what its steps are, and which are broken."""
    return Search(model, world, limits).run()


def _if_small(model: Model[S], limits: Limits) -> Result[S] | None:
    """What `memo` finds, if the model is small: then it is through before others have started."""
    if model.expect is not None and model.expect.states >= FAST_FROM:
        return None
    most = limits.max_states
    here = most if most is not None and most <= FAST_FROM else FAST_FROM
    found = search(model, Memoised(model), replace(limits, max_states=here))
    return None if found.stopped and found.states >= here != most else found


@dataclass
class Limits:
    """When a search gives up, and whom it tells how far it is."""

    max_states: int | None = None
    max_seconds: float | None = None
    progress: Callable[[Progress], None] | None = None
    stop: Callable[[], str] | None = None
    max_depth: int | None = None
    max_memory_mb: int | None = None
    started: float = field(default_factory=monotonic)

    def reached(self, states: int) -> str:
        """Which limit is reached; empty if none."""
        if self.max_states is not None and states >= self.max_states:
            return f"{self.max_states} states are enough"
        if self.max_seconds is not None and self.seconds() >= self.max_seconds:
            return f"{self.max_seconds} seconds are over"
        if self.max_memory_mb is not None and held_mb() > self.max_memory_mb:
            return f"{self.max_memory_mb} MB are enough"
        return self.stop() if self.stop is not None else ""

    def seconds(self) -> float:
        """How long it has taken so far."""
        return monotonic() - self.started


def held_mb() -> float:
    """What memory this process holds, in MB; the most it ever held where that is not known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return getrusage(RUSAGE_SELF).ru_maxrss / 1024
    return pages * getpagesize() / 2**20


@dataclass(frozen=True)
class Fault:
    """What is broken, and where: in a state, or by a step from it."""

    claim: str
    bound: Mapping[str, Any]
    why: str
    at: int
    wrong: Wrong | None = None
    step: tuple[str, Mapping[str, Any]] | None = None


def fault_of(broken: Broken, at: int, step: tuple[str, Mapping[str, Any]] | None = None) -> Fault:
    """A claim that is broken in a state, or by a step from it."""
    claim, bound = broken
    names = ", ".join(f"{name}={value}" for name, value in bound.items())
    why = f"{claim} does not hold" + (f" for {names}" if names else "")
    return Fault(claim, bound, why, at, step=step)


class Search(Generic[S, N]):
    """One search.  States are numbered in the order they are found; a parent is found first."""

    def __init__(self, model: Model[S], world: World[N, S], limits: Limits) -> None:
        self.model, self.world, self.limits = model, world, limits
        self.nodes: list[N] = []
        self.parents: list[int] = []
        self.found: dict[N, int] = {}
        self.level_ends = [1]  # how many states there were when each depth was complete
        self.steps = self.cut = self.deadlocks = 0
        self.deadlock: int | None = None
        self.unseen = {claim.name for claim in model.spec.sometimes}
        self.witnesses: dict[str, int] = {}
        self.fault: Fault | None = None
        self.looking_at = 0  # the state that is being asked

    def run(self) -> Result[S]:
        """Expand every state in the order they were found."""
        stopped = ""
        try:
            stopped = self._run()
        except Exception as error:  # of the specification's functions, or it goes on
            found = blame(error)
            if found is None:
                raise
            self.fault = Fault(WRONG, {}, str(found), self.looking_at, wrong=found)
        return self._result(stopped)

    def _run(self) -> str:
        """Why the search ended before it was through; empty if it did not."""
        self._visit(self.world.first, -1)
        stopped, at = "", 0
        while at < len(self.nodes) and self.fault is None and not stopped:
            if at == self.level_ends[-1]:
                if len(self.level_ends) == self.limits.max_depth:
                    return f"depth {self.limits.max_depth} is enough"
                self.level_ends.append(len(self.nodes))
            self._expand(at)
            at += 1
            if at % 256 == 0 or self.limits.max_states is not None:
                stopped = self.limits.reached(len(self.nodes))
            if at % EVERY == 0 and self.limits.progress is not None:
                self.limits.progress(self._progress(at))
        return "" if at == len(self.nodes) else stopped

    def _visit(self, node: N, parent: int) -> None:
        """Take up a state: number it if it is new, and check what must hold in it."""
        if node in self.found:
            return
        number = self.found[node] = self.looking_at = len(self.nodes)
        self.nodes.append(node)
        self.parents.append(parent)
        broken = self.world.broken(node)
        if broken is not None:
            self.fault = fault_of(broken, number)
        if self.unseen:
            for name in self.world.seen(node, self.unseen):
                self.witnesses[name] = number
                self.unseen.discard(name)

    def _expand(self, at: int) -> None:
        """Try everything in a state."""
        node, self.looking_at = self.nodes[at], at
        if self.world.is_cut(node):
            self.cut += 1
            return
        steps = 0
        delivered: set[Any] = set()
        for step in self.world.steps(node):
            if isinstance(step, Raised):
                self.fault = Fault(step.action, step.bound, step.says, at, wrong=step.error)
                return
            steps += 1
            if step.breaks is not None:
                self.fault = fault_of(step.breaks, at, (step.action, step.bound))
                return
            delivered.update(step.delivers)
            self._visit(step.to, at)
            self.looking_at = at
            if self.fault is not None:
                return
        self.steps += steps
        if not steps:
            self._stuck(at)
        for cell, message in self.world.mail(node):
            if (cell, message) not in delivered:
                self.fault = fault_of((HEADS, {"channel": show(cell), "message": message}), at)
                return

    def _stuck(self, at: int) -> None:
        """Nothing is possible: note it, unless the model says that this is an end."""
        quiescent = self.model.quiescent
        if quiescent is not None and quiescent(self.world.state(self.nodes[at])):
            return
        self.deadlocks += 1
        if self.deadlock is None:
            self.deadlock = at
        if quiescent is not None:
            self.fault = fault_of((DEADLOCK, {}), at)

    # ---- ways back -------------------------------------------------------------------------
    def _way_to(self, number: int) -> tuple[Taken, ...]:
        """The steps from the first state to a state, found again by trying."""
        way: list[Taken] = []
        while (parent := self.parents[number]) >= 0:
            before, after = self.nodes[parent], self.nodes[number]
            for step in self.world.steps(before):
                if not isinstance(step, Raised) and step.to == after:
                    way.append(self._taken(before, step.action, step.bound))
                    break
            number = parent
        return tuple(reversed(way))

    def _taken(self, node: N, action: str, bound: Mapping[str, Any]) -> Taken:
        """A step with what it changed."""
        effects = self.model.spec.action(action).apply(self.world.state(node).copy(), bound)
        changed = {cell: (old, new) for cell, (old, new) in effects.items() if old != new}
        return Taken(action, bound, changed)

    def _behaviour(self, number: int) -> Behaviour[S]:
        return Behaviour(self.world.state(self.world.first), self._way_to(number))

    def _counterexample(self, fault: Fault) -> Counterexample[S]:
        way = self._way_to(fault.at)
        if fault.step is not None:
            way = (*way, self._taken(self.nodes[fault.at], *fault.step))
        first = self.world.state(self.world.first)
        return Counterexample(first, way, fault.claim, fault.bound, fault.why, wrong=fault.wrong)

    # ---- reports ---------------------------------------------------------------------------
    def _progress(self, at: int) -> Progress:
        states = len(self.nodes)
        depth = len(self.level_ends) - 1
        return Progress(states, self.steps, depth, states - at, self.limits.seconds())

    def _result(self, stopped: str) -> Result[S]:
        taken, guards = self.world.coverage()
        deepest = len(self.nodes) - 1
        depth = 0
        while (deepest := self.parents[deepest]) >= 0:
            depth += 1
        return Result(
            model=self.model,
            states=len(self.nodes),
            steps=self.steps,
            depth=depth,
            cut=self.cut,
            finished=not stopped and self.fault is None,
            stopped=stopped,
            seconds=self.limits.seconds(),
            taken=taken,
            guards=guards,
            witnesses={name: self._behaviour(n) for name, n in self.witnesses.items()},
            deadlocks=self.deadlocks,
            deadlock=None if self.deadlock is None else self._behaviour(self.deadlock),
            broken=None if self.fault is None else self._counterexample(self.fault),
        )
