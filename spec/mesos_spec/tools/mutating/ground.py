"""A model explored once, for all mutants: where would each of them have gone another way?

While a model is searched it is noted, for each answer of an action, which statements made a
difference to it: a guard that did not hold, an effect that changed something.  A mutant that lacks
a statement does everywhere else what was seen already.  So only where its statement made a
difference is it asked anew, and only from states that are new is it followed further; all that
its statement has no part in, it shares with the model and with every other mutant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any

from mesos_spec.kernel import EVERY_KEY, Action, Cell, Effects
from mesos_spec.kernel.model import Model
from mesos_spec.tools.mutating.calls import may_run
from mesos_spec.tools.mutating.planting import noting
from mesos_spec.tools.mutating.sites import GUARD, Site
from mesos_spec.tools.search.checker import Limits, search
from mesos_spec.tools.search.memo import Memoised, Tried, Way
from mesos_spec.tools.search.questions import Row, trimmed
from mesos_spec.tools.search.remembered import StepClaims
from mesos_spec.tools.search.worlds import Raised, Step

#: Each cell that a step changes, with the numbers of what it held and holds.
Change = tuple[tuple[Cell, int, int], ...]


@dataclass(frozen=True, slots=True)
class Noted(Tried):
    """What an action did in some states, and which sites had a part in it."""

    at: int  #: the number of its question
    marks: int  #: the sites that made a difference, as bits
    of_ways: tuple[int, ...]  #: the same for each way, of effects only
    nodes: list[Row]  #: the states


class Changing(Memoised[Any]):
    """A world that says what steps change."""

    def change(self, node: Row, to: Row) -> Change:
        """The cells that differ, each with the numbers of what they hold."""
        before, after = self._packing.widened(node), self._packing.widened(to)
        both = enumerate(zip(before, after, strict=True))
        cells = self._packing.cells
        return tuple((cells[place], old, new) for place, (old, new) in both if old != new)

    def step(self, node: Row, to: Row) -> tuple[Any, Any, Effects]:
        """The states before and after a step, and what it changes."""
        before, after = self.state(node), self.state(to)
        changed = [cell for cell, _, _ in self.change(node, to)]
        return before, after, {cell: (before.look(cell), after.look(cell)) for cell in changed}

    def values(self, name: str, key: Any) -> Iterator[tuple[Cell, list[Any]]]:
        """A cell, or every cell of a field, with all that cells of the field ever hold."""
        places = {p: cell for p, cell in enumerate(self._packing.cells) if cell[0] == name}
        for place, cell in places.items():
            if key in (EVERY_KEY, cell[1]):
                others = [other for other in places if other != place]
                held = [v for p in (place, *others) for v in self._packing.values(p)]
                yield cell, list(dict.fromkeys(held))


class Noting(Changing):
    """A world that notes, the first time it is asked for the steps of a state, why they are so."""

    def __init__(self, model: Model[Any], sites: Sequence[Site], reached: set[Site]) -> None:
        super().__init__(model)
        self.bits = {site: 1 << n for n, site in enumerate(sites)}
        self.effects = sum(bit for site, bit in self.bits.items() if site.kind != GUARD)
        self.reached = reached
        self.listening = True
        self.at = 0  # the question that is being asked
        self.of_ways: list[int] = []
        self.noted: list[Noted] = []
        self.onward: dict[Row, list[tuple[Row, int]]] = {}  # where a step leads, and its marks
        self.seen_in: dict[str, Row] = {}
        self.idle: set[str] = set()
        self._same: dict[Row, Row] = {}

    def _tried(self, action: Action[Any, ...], given: Mapping[str, Any], s: Any) -> Tried:
        self.of_ways = []
        self.reached.clear()
        tried = super()._tried(action, given, s)
        if not self.listening:
            return tried
        all_of = sum(self.bits[site] for site in self.reached)
        for site in self.reached:
            if site.function not in may_run(_body(action)):
                raise LookupError(f"{action.name} runs {site.name}, and nobody could know")
        noted = Noted(tried.ways, tried.asked, self.at, all_of, tuple(self.of_ways), [])
        self.noted.append(noted)
        return noted

    def _way(self, *given: Any) -> Way:
        so_far = sum(self.bits[site] for site in self.reached)
        self.of_ways.append(so_far & self.effects)
        return super()._way(*given)

    def steps(self, node: Row) -> list[Step[Row] | Raised]:
        """What is possible; the first time it is noted."""
        if node in self.onward:
            return super().steps(node)
        found: list[Step[Row] | Raised] = []
        onward = self.onward[node] = []
        row = self._packing.widened(node)
        for at, (name, question, waits_for) in enumerate(self._tries):
            if waits_for and self._with_mail(row, waits_for):
                continue
            self.at = at
            noted = question.answer(row)
            assert isinstance(noted, Noted)
            noted.nodes.append(node)
            for way, marks in zip(noted.ways, noted.of_ways, strict=False):
                if isinstance(way, Raised):
                    return [way]
                to = _after(row, way)
                to = self._same.setdefault(to, to)
                found.append(Step(name, way.bound, to, way.delivers, self.breaks(node, way)))
                onward.append((to, marks))
                if to == node:
                    self.idle.add(name)
        return found

    def seen(self, node: Row, unseen: Iterable[str]) -> list[str]:
        """Which of the SOMETIMES properties in `unseen` hold here."""
        found = super().seen(node, unseen)
        self.seen_in.update(dict.fromkeys(found, node))
        return found


class Ground:
    """A model, all of it or its nearest states, and where each site made a difference."""

    def __init__(self, model: Model[Any], sites: Sequence[Site], most: int | None = None) -> None:
        """`most`: how many states are enough; all if there are fewer.

        Raises ValueError where the model does not hold as it is.
        """
        self.model = model
        with noting(sites) as reached:
            self.world = Noting(model, sites, reached)
            result = search(model, self.world, Limits(most))
        self.world.listening = False
        self.complete = result.finished
        if result.broken or (self.complete and result.unseen):
            why = result.broken.why if result.broken else f"never seen: {result.unseen}"
            raise ValueError(f"{model.name} does not hold as it is: {why}")
        self.states = result.states
        self.reached = [site for site in sites if self.noted(site)]

    def noted(self, site: Site) -> list[Noted]:
        """The answers that a site had a part in."""
        return self._by_bit.get(self.world.bits[site], [])

    @cached_property
    def _by_bit(self) -> dict[int, list[Noted]]:
        found: dict[int, list[Noted]] = {}
        for noted in self.world.noted:
            left = noted.marks
            while left:
                bit = left & -left
                found.setdefault(bit, []).append(noted)
                left ^= bit
        return found

    @cached_property
    def unavoidable(self) -> dict[Row, int]:
        """The effects without which there is no way to a state, as bits, for each state."""
        marks: dict[Row, int] = {self.world.first: 0}
        left = deque(marks)
        while left:
            node = left.popleft()
            for to, marked in self.world.onward.get(node, ()):
                here = marks[node] | marked
                before = marks.get(to)
                after = here if before is None else before & here
                if after != before:
                    marks[to] = after
                    left.append(to)
        return marks

    def is_reached_without(self, site: Site, node: Row) -> bool:
        """Whether a state is in the model, and some way there does without a site."""
        marks = self.unavoidable.get(node)
        return marks is not None and not marks & self.world.bits[site]

    def mutated(self, site: Site) -> Mutated:
        """The world in which a site is left out: what it has no part in is shared.

        To be asked only while the mutant is planted.
        """
        return Mutated(self.world, site)


class Mutated(Changing):
    """A world without a statement."""

    def __init__(self, world: Noting, site: Site) -> None:
        self.__dict__.update(world.__dict__)
        self._claims = StepClaims(
            world.spec, world._packing
        )  # what it learns is the mutant's alone
        self._tries = [
            (name, question, waits_for)
            if site.function not in may_run(_body(action))
            else (name, self._question(action, given), waits_for)
            for (name, question, waits_for), (action, given, _) in zip(
                world._tries, world._instances, strict=True
            )
        ]

    def name_of(self, at: int) -> str:
        """The action of a question."""
        return self._tries[at][0]

    def answer(self, at: int, node: Row) -> Tried:
        """What the action of a question does in a state."""
        return self._tries[at][1].answer(self._packing.widened(node))

    def after(self, node: Row, way: Way) -> Row:
        """Where a way leads from a state."""
        return _after(self._packing.widened(node), way)


def _after(row: list[int], way: Way) -> Row:
    after = row.copy()
    for place, number in way.writes:
        after[place] = number
    return trimmed(after)


def _body(action: Action[Any, ...]) -> FunctionType:
    body: Any = action.body
    assert isinstance(body, FunctionType)
    return body
