"""Symmetry: states that differ only by who is called what are looked at once.

A model may say which names are *alike*: agents with the same resources, say, or frameworks with the
same program, each with its scheduler.  Exchanging such names everywhere in a state gives another
state with the same future, but for the exchange.  The search keeps one of each such *orbit*, the
least as a row, and counts how large the orbit is, so that its counts are those of the full search.

That exchanging changes nothing is not believed.  The initial state must be the same after each
exchange.  And whenever the specification was asked something new, the steps, claims and cuts of the
state are held against those of its images: a rule that prefers one name over another is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import permutations, product
from typing import Any, TypeVar

from mesos_spec.kernel import Bag, Cells, Fifo, Table, Untold, show
from mesos_spec.kernel.model import Alike, Model
from mesos_spec.tools.search.checker import (
    HEADS,
    Counterexample,
    Limits,
    Progress,
    Result,
    Search,
    Taken,
    fault_of,
)
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.questions import Row, trimmed
from mesos_spec.tools.search.worlds import Raised, Step

S = TypeVar("S", bound=Cells)
Renaming = Mapping[str, str]

REMEMBERED = 100_000  #: states whose representatives are kept in mind


# ---- renaming ------------------------------------------------------------------------------
def renamings(alike: Alike) -> list[dict[str, str]]:
    """Every way to exchange names that are alike, but for the one that changes nothing."""
    every = product(*([[*zip(group, order)] for order in permutations(group)] for group in alike))
    found = []
    for chosen in every:
        pairs = [pair for exchange in chosen for pair in exchange]
        renaming = {old: new for olds, news in pairs for old, new in zip(olds, news) if old != new}
        if renaming:
            found.append(renaming)
    return found


def renamed(value: Any, by: Renaming) -> Any:
    """A value with names exchanged wherever they are."""
    kind = type(value)
    if kind is str:
        return by.get(value, value)
    if kind is Table:
        return Table((renamed(k, by), renamed(v, by)) for k, v in value.items())
    if kind is Fifo or kind is Bag:
        return kind(renamed(message, by) for message in value.mail)
    if kind is frozenset:
        return frozenset(renamed(one, by) for one in value)
    if isinstance(value, tuple):
        parts = (renamed(one, by) for one in value)
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
    if is_dataclass(value) and not isinstance(value, type):
        return kind(**{f.name: renamed(getattr(value, f.name), by) for f in fields(value)})
    return value


# ---- the world of representatives ----------------------------------------------------------
class Reduced(Memoised[S]):
    """The remembering world, where a state stands for all that differ by an exchange of names.

    Raises `Untold` where names that should be alike are not.
    """

    def __init__(self, model: Model[S]) -> None:
        if not model.alike:
            raise Untold(f"{model.name} does not say which names are alike: Model(alike=…)")
        super().__init__(model)
        self._by = renamings(model.alike)
        self._images: list[dict[tuple[int, int], tuple[int, int]]] = [{} for _ in self._by]
        self._least: dict[Row, Row] = {}  # some representatives found lately
        self._answers = -1  # how many different answers were known when images were looked at
        begins = dict(self.state(self.first).cells())
        for by in self._by:
            image = {(f, renamed(key, by)): renamed(held, by) for (f, key), held in begins.items()}
            if image != begins:  # what a cell holds at the start is 0 in rows, and has no image
                raise Untold(f"{model.name} is not the same after {_said(by)}: it begins otherwise")

    def image(self, row: Row, at: int) -> Row:
        """The state after an exchange."""
        images, packing = self._images[at], self._packing
        new = [0] * len(row)
        for place, number in enumerate(row):
            if number:
                image = images.get((place, number))
                if image is None:
                    name, key = packing.cells[place]
                    there = packing.place((name, renamed(key, self._by[at])))
                    value = renamed(packing.value(place, number), self._by[at])
                    image = images[place, number] = there, packing.number(there, value)
                if image[0] >= len(new):
                    new.extend([0] * (image[0] + 1 - len(new)))
                new[image[0]] = image[1]
        return trimmed(new)

    def images(self, row: Row) -> list[Row]:
        """The state after each exchange."""
        return [self.image(row, at) for at in range(len(self._by))]

    def least(self, row: Row) -> Row:
        """The representative of a state's orbit."""
        found = self._least.get(row)
        if found is None:
            if len(self._least) >= REMEMBERED:
                self._least.clear()
            found = self._least[row] = min(row, *self.images(row))
        return found

    def orbit(self, row: Row) -> int:
        """How many states a representative stands for."""
        return len({row, *self.images(row)})

    def steps(self, node: Row) -> list[Step[Row] | Raised]:
        """Every action, to the representatives of where it leads."""
        found = super().steps(node)
        if self._count_answers() != self._answers:
            self._hold_against_images(node, found)
            self._answers = self._count_answers()
        return [s if isinstance(s, Raised) else replace(s, to=self.least(s.to)) for s in found]

    def real_steps(self, node: Row) -> list[Step[Row]]:
        """Every action, to where it leads."""
        return [step for step in super().steps(node) if not isinstance(step, Raised)]

    def _count_answers(self) -> int:
        tried = sum(len(question.leaves) for _, question, _ in self._tries)
        held = sum(len(question.leaves) for _, question in self._always)
        return tried + held + self._claims.evaluations

    def _hold_against_images(self, node: Row, found: list[Step[Row] | Raised]) -> None:
        """Raise `Untold` where an image of a state has another future, or is judged otherwise."""
        names = [name for name, _ in self._sometimes]
        mine = self.broken(node) is None, self.is_cut(node), self.seen(node, names)
        for at, by in enumerate(self._by):
            image = self.image(node, at)
            theirs = self.broken(image) is None, self.is_cut(image), self.seen(image, names)
            if mine != theirs:
                raise Untold(f"{_said(by)} changes what is claimed, seen or cut: {mine}, {theirs}")
            here = Counter(_future(found, partial(self.image, at=at)))
            there = Counter(_future(super().steps(image), lambda row: row))
            for action, *_ in (here - there) + (there - here):
                raise Untold(f"{_said(by)} changes what {action} does: the names are not alike")


def _future(
    found: Iterable[Step[Row] | Raised], to: Callable[[Row], Row]
) -> Iterator[tuple[Any, ...]]:
    """Each step, in terms that may be compared."""
    for step in found:
        if isinstance(step, Raised):
            yield step.action, step.error.says
        else:
            broken = None if step.breaks is None else step.breaks[0]
            yield step.action, to(step.to), broken, len(step.delivers)


def _said(by: Renaming) -> str:
    return "exchanging " + ", ".join(f"{old} for {new}" for old, new in by.items())


# ---- the search ----------------------------------------------------------------------------
def check_reduced(
    model: Model[S],
    *,
    max_states: int | None = None,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], str] | None = None,
) -> Result[S]:
    """Search the representatives of `model`; what is counted is all states they stand for.

    What was taken and asked is counted in representatives; limits are in representatives, too.
    Raises `Untold` where names that are said to be alike are not.
    """
    limits = Limits(max_states, max_seconds, progress, stop)
    return _ReducedSearch(model, Reduced(model), limits).run()


class _ReducedSearch(Search[S, Row]):
    """One search.  Ways are laid through real states, next to the representatives found."""

    world: Reduced[S]

    def _expand(self, at: int) -> None:
        before = self.steps, self.cut, self.deadlocks
        super()._expand(at)
        often = self.world.orbit(self.nodes[at])
        self.steps, self.cut, self.deadlocks = (
            old + often * (new - old)
            for old, new in zip(before, (self.steps, self.cut, self.deadlocks))
        )

    def _result(self, stopped: str) -> Result[S]:
        result = super()._result(stopped)
        states = sum(map(self.world.orbit, self.nodes))
        return replace(result, states=states, orbits=len(self.nodes))

    def _way_to(self, number: int) -> tuple[Taken, ...]:
        return self._real_way(number)[0]

    def _real_way(self, number: int) -> tuple[tuple[Taken, ...], Row]:
        """Real steps from the initial state to a state of an orbit, and that state."""
        chain = []
        while self.parents[number] >= 0:
            chain.append(self.nodes[number])
            number = self.parents[number]
        way, real = [], self.world.first
        for least in reversed(chain):
            steps = self.world.real_steps(real)
            step = next(step for step in steps if self.world.least(step.to) == least)
            way.append(self._taken(real, step.action, step.bound))
            real = step.to
        return tuple(way), real

    def _counterexample(self, fault: Any) -> Counterexample[S]:
        """The counterexample in real names: the fault is looked for again where the way leads."""
        way, real = self._real_way(fault.at)
        first = self.world.state(self.world.first)
        if fault.step is not None:
            broken = (s for s in self.world.real_steps(real) if s.breaks is not None)
            step = next(s for s in broken if s.breaks is not None and s.breaks[0] == fault.claim)
            assert step.breaks is not None
            way = (*way, self._taken(real, step.action, step.bound))
            fault = fault_of(step.breaks, fault.at)
        elif fault.claim == HEADS:
            taken = {letter for s in self.world.real_steps(real) for letter in s.delivers}
            cell, message = next(at for at in self.world.mail(real) if at not in taken)
            fault = fault_of((HEADS, {"channel": show(cell), "message": message}), fault.at)
        elif (found := self.world.broken(real)) is not None:
            fault = fault_of(found, fault.at)
        return Counterexample(first, way, fault.claim, fault.bound, fault.why)
