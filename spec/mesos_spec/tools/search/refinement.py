"""Does one specification refine another?  Asked of every step that a model can take.

Each state that the search meets is looked at through the refinement mapping.  The first must be an
initial state above; each step must be a step above, or change nothing there.  The search is the
checker's own, breadth first, so what it finds is a shortest behaviour below that is none above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from mesos_spec.kernel import Cells, Disabled, Move, Refinement, show
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import Counterexample, Limits, Result, search
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.worlds import Asked, Broken, Letter, Plain, Raised, Step, World

S = TypeVar("S", bound=Cells)
A = TypeVar("A", bound=Cells)
N = TypeVar("N")
B = TypeVar("B")


@dataclass(frozen=True)
class Unrefined(Generic[S, A]):
    """A shortest behaviour below that is none above, and both levels at its last step."""

    behaviour: Counterexample[S]
    before: S
    after: S
    before_above: A
    after_above: A
    why: str


@dataclass(frozen=True)
class Refined(Generic[S, A]):
    """What a check of a refinement found."""

    refinement: Refinement[S, A]
    result: Result[S]
    above: int  #: distinct states above
    steps: Counter[tuple[str, str]]  #: how often a step below was which step above, or "" (none)
    broken: Unrefined[S, A] | None

    @property
    def ok(self) -> bool:
        """Whether every state was looked at, and every step is one above."""
        return self.broken is None and self.result.finished


def check_refinement(
    model: Model[S],
    refinement: Refinement[S, A],
    *,
    plain: bool = False,
    limits: Limits | None = None,
) -> Refined[S, A]:
    """Look at every step of `model` through `refinement`, to the first that is none above."""
    bare = replace(
        model,
        spec=replace(model.spec, always=(), each_step=(), sometimes=(), channels=(), heads=None),
        quiescent=None,
    )
    steps: Counter[tuple[str, str]] = Counter()
    if plain:
        return _run(bare, refinement, Plain(bare), steps, limits)
    return _run(bare, refinement, Memoised(bare), steps, limits)


def _run(
    model: Model[S],
    refinement: Refinement[S, A],
    world: World[N, S],
    steps: Counter[tuple[str, str]],
    limits: Limits | None,
) -> Refined[S, A]:
    looking = _Looking(model, refinement, world)
    result = search(model, looking, limits or Limits())
    broken = None if result.broken is None else looking.both_levels(result.broken)
    return Refined(refinement, result, len(looking.above), looking.taken, broken)


class _Looking(Generic[N, S, A]):
    """A world whose steps are also asked whether they are steps above."""

    def __init__(self, model: Model[S], refinement: Refinement[S, A], world: World[N, S]) -> None:
        self.model, self.refinement, self.world = model, refinement, world
        self.first = world.first
        self.above: dict[A, A] = {}  # each state above, once
        self.taken: Counter[tuple[str, str]] = Counter()
        self._at = self._looker()
        self._ways: dict[A, dict[A, str]] = {}
        self._answers: dict[tuple[str, A, A], tuple[str, str]] = {}

    def _looker(self) -> Callable[[N], A]:
        """How a node looks above.

        The world remembers that by the cells the mapping reads.  One within one kind of state may
        hand states on unread, as a whole; so it is asked of each node by itself.
        """
        first = self.world.state(self.first)
        if type(self.refinement.seen(first)) is not type(first):
            return self.world.asking(self.refinement.name, self._look)
        seen: dict[N, A] = {}

        def look(node: N) -> A:
            if node not in seen:
                seen[node] = self._look(self.world.state(node))
            return seen[node]

        return look

    # ---- the question ----------------------------------------------------------------------
    def begins_wrong(self) -> str:
        """Why the model does not begin as one may above; empty if it does."""
        first, before = self.world.state(self.first), list(self.refinement.before(self.model))
        start = before[0].before if before else first
        if self.refinement.above.start(self.refinement.bounds(start)) != self._look(start):
            return f"{self.refinement.above.name} does not start like this"
        for step in before:
            answer, why = self.asked(step.action, self._look(step.before), self._look(step.after))
            self.taken[step.action, answer] += 1
            if why:
                return f"on the way to the first state: {step.action}: {why}"
        return ""

    def asked(self, action: str, before: A, after: A) -> tuple[str, str]:
        """Which step above a step is, "" for none; and why it is not what it must be."""
        if before is after:
            return "", ""
        key = action, before, after
        if key not in self._answers:
            self._answers[key] = self._ask(action, before, after)
        return self._answers[key]

    def _ask(self, action: str, before: A, after: A) -> tuple[str, str]:
        above, moves = self.refinement.above, self.refinement.moves
        if moves is None:
            return self._any_step(before, after)
        move = moves(action, before, after)
        if move is None:
            return "", f"{action} changes what is seen in {above.name}, and no step there does that"
        try:
            found = above.action(move[0])(before, **move[1])
        except Disabled as refused:
            return move[0], f"{_named(move)} is not possible: it must be that {refused}"
        if found != after:
            return move[0], f"{_named(move)} leads elsewhere: {_differs(found, after)}"
        return move[0], ""

    def _any_step(self, before: A, after: A) -> tuple[str, str]:
        if before not in self._ways:
            self._ways[before] = self._ways_from(before)
        name = self._ways[before].get(after, "")
        return name, "" if name else f"no step of {self.refinement.above.name} does that"

    def _ways_from(self, before: A) -> dict[A, str]:
        """Where the steps above lead from a state, and which does."""
        ways: dict[A, str] = {}
        for action in self.refinement.above.actions:
            for bound in action.bindings(before):
                with suppress(Disabled):
                    ways.setdefault(action(before, **bound), action.name)
        return ways

    def _look(self, s: S) -> A:
        found = self.refinement.seen(s)
        return self.above.setdefault(found, found)

    def both_levels(self, found: Counterexample[S]) -> Unrefined[S, A]:
        """The last step of a counterexample, on both levels."""
        at = before = found.first
        for step in found.steps:
            before, at = at, self.model.spec.action(step.action)(at, **step.bound)
        levels = self._look(before), self._look(at)
        why = str(found.bound.get("why", found.why))
        return Unrefined(found, before, at, *levels, why)

    # ---- as a world ------------------------------------------------------------------------
    def state(self, node: N) -> S:
        """The state below."""
        return self.world.state(node)

    def steps(self, node: N) -> Iterator[Step[N] | Raised]:
        """The steps below; one that is none above is broken."""
        before = self._at(node)
        for step in self.world.steps(node):
            if isinstance(step, Raised):
                yield step
                continue
            answer, why = self.asked(step.action, before, self._at(step.to))
            self.taken[step.action, answer] += 1
            yield replace(step, breaks=(self.refinement.name, {"why": why})) if why else step

    def broken(self, node: N) -> Broken | None:
        """Whether the model begins wrong."""
        why = self.begins_wrong() if node == self.first else ""
        return (self.refinement.name, {"why": why}) if why else None

    def is_cut(self, node: N) -> bool:
        """Whether the state is beyond the model's bounds."""
        return self.world.is_cut(node)

    def seen(self, node: N, unseen: Iterable[str]) -> list[str]:
        """Nothing is sought."""
        return []

    def mail(self, node: N) -> Iterable[Letter]:
        """Nothing is asked of the mail."""
        return ()

    def coverage(self) -> tuple[Counter[str], Counter[Asked]]:
        """What the world below has."""
        return self.world.coverage()

    def asking(self, name: str, ask: Callable[[S], B]) -> Callable[[N], B]:
        """As the world below asks it."""
        return self.world.asking(name, ask)


def _named(move: Move) -> str:
    return f"{move[0]}({', '.join(f'{name}={value}' for name, value in move[1].items())})"


def _differs(found: A, wanted: A) -> str:
    """Where two states differ, as a text."""
    ours, theirs = dict(found.cells()), dict(wanted.cells())
    cells = [cell for cell in (ours | theirs) if ours.get(cell) != theirs.get(cell)]
    return "; ".join(
        f"{show(cell)} would be {ours.get(cell)!r}, and is {theirs.get(cell)!r}" for cell in cells
    )
