"""The world remembered: the same answers as `worlds.Plain`, in the same order, sooner.

Each action, with the names bound whose domains are fixed, is one `Question`: in which ways does it
go on from here?  So is each property.  An action that looks at three cells is run as often as
these three differ, not as often as the state does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import (
    Action,
    Among,
    Cell,
    Cells,
    Crowded,
    Disabled,
    Effects,
    Heads,
    Named,
    Untold,
    undo,
)
from mesos_spec.kernel.mail import without_quiet
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.blame import failure
from mesos_spec.tools.search.questions import Leaf, Packing, Question, Row, differing, trimmed
from mesos_spec.tools.search.remembered import ALL, Names, StepClaims, Written
from mesos_spec.tools.search.worlds import (
    Asked,
    Broken,
    Letter,
    Raised,
    Step,
    delivered,
    letters,
)

S = TypeVar("S", bound=Cells)
A = TypeVar("A")

MET = 50_000  #: states that were met and not yet expanded, of which is kept whom they are near


@dataclass(frozen=True, slots=True)
class Way:
    """One way an action goes on from every state on its leaf."""

    bound: Mapping[str, Any]
    writes: tuple[tuple[int, int], ...]  # place, number
    delivers: tuple[Letter, ...]
    written: Written  #: the same, with what is claimed of it


@dataclass(frozen=True, slots=True)
class Tried:
    """All an action did, and what its guards said, in every state on its leaf."""

    ways: tuple[Way | Raised, ...]
    asked: Counter[tuple[str, bool]]

    def count(self, action: str, times: int, taken: Counter[str], asked: Counter[Asked]) -> None:
        """Add what happened here, so many times, to the counts."""
        taken[action] += times * sum(isinstance(way, Way) for way in self.ways)
        for (guard, held), often in self.asked.items():
            asked[action, guard, held] += times * often


@dataclass(frozen=True, slots=True)
class _Near:
    """A state that was expanded, and all answers of it.

    Whatever is asked of another state has the same answer, if it reads nothing that differs.
    """

    row: list[int]
    asked: object  #: the actions that were asked; others may have other answers
    #: None where it was not asked; and the places that what is claimed of its ways depends on.
    tries: list[tuple[Leaf[Tried] | None, int]]
    always: list[Leaf[Names] | None]


_UNTRIED: tuple[None, int] = None, ALL


class Memoised(Generic[S]):
    """The same answers as `Plain`, in the same order, from questions that are remembered."""

    def __init__(self, model: Model[S]) -> None:
        self.model = model
        self.spec = spec = model.spec
        start = spec.start(model.bounds)
        self._packing = packing = Packing(start)
        self.first: Row = packing.first
        self._taken: Counter[str] = Counter()  # by answers that were not kept
        self._asked: Counter[Asked] = Counter()
        self._instances = [
            (action, given, fields)
            for action, fields in map(without_quiet, spec.actions)
            for given in unrolled(action, start)
        ]
        self._tries = [
            (action.name, self._question(action, given), fields)
            for action, given, fields in self._instances
        ]
        self._claims = StepClaims(spec, packing)
        self._always: list[tuple[str, Question[S, Names]]] = [
            (claim.name, Question(claim.name, packing, partial(claim.broken, given=given)))
            for claim in spec.always
            for given in unrolled(claim, start)
        ]
        self._sometimes = [
            (claim.name, Question(claim.name, packing, claim.seen)) for claim in spec.sometimes
        ]
        self._cut = Question("the cut", packing, model.cut) if model.cut else None
        heads = spec.heads
        self._heads = Question("heads", packing, lambda s: [*heads(s)]) if heads else None
        self._near = _Near(
            [], self._tries, [_UNTRIED] * len(self._tries), [None] * len(self._always)
        )
        self._met: dict[Row, tuple[_Near, int, list[Leaf[Names] | None]]] = {}
        self._letters: dict[tuple[int, int], list[Letter]] = {}
        self._heard: dict[int, Question[S, bool]] = {}
        self._full: dict[tuple[int, int], bool] = {}
        self._places: dict[tuple[str, ...], tuple[int, list[int]]] = {}

    def _question(self, action: Action[S, ...], given: Mapping[str, Any]) -> Question[S, Tried]:
        """In which ways `action` goes on, with some names bound already."""

        def forget(answer: Tried) -> None:
            answer.count(action.name, 1, self._taken, self._asked)

        ask = partial(self._tried, action, given)
        return Question(action.name, self._packing, ask, forget)

    def _tried(self, action: Action[S, ...], given: Mapping[str, Any], s: S) -> Tried:
        ways: list[Way | Raised] = []
        asked: Counter[tuple[str, bool]] = Counter()
        for bound in action.bindings(s, given) if action.allows(s, given) else ():
            try:
                effects = action.apply(s, bound, lambda *guard: asked.update([guard]))
            except Disabled:
                continue
            except Exception as e:
                ways.append(Raised(action.name, bound, failure(e)))
                continue
            undo(s, effects)
            ways.append(self._way(action, s, bound, effects))
        return Tried(tuple(ways), asked)

    def _way(self, action: Action[S, ...], s: S, bound: Mapping[str, Any], effects: Effects) -> Way:
        place, number = self._packing.place, self._packing.number
        try:
            writes = tuple((place(cell), number(place(cell), e[1])) for cell, e in effects.items())
        except Untold as e:
            raise Untold(f"{action.name}: {e}", action.source) from e
        return Way(bound, writes, delivered(effects), self._claims.of(effects, writes))

    def asker(self, name: str, ask: Callable[[S], A]) -> Callable[[Row], A]:
        """A question of one's own, remembered like those of the specification."""
        question = Question(name, self._packing, ask)
        return lambda node: question.answer(self._packing.widened(node))

    def state(self, node: Row) -> S:
        """The state that a row stands for."""
        return self._packing.show(self._packing.widened(node)).copy()

    def steps(self, node: Row) -> list[Step[Row] | Raised]:
        """Every action, for every way to bind its names."""
        found: list[Step[Row] | Raised] = []
        row = self._packing.widened(node)
        near, changed, always = self._met.pop(node) if node in self._met else self._meet(row)
        waits: dict[tuple[str, ...], bool] = {(): False}
        tries: list[tuple[Leaf[Tried] | None, int]] = []
        for (name, question, waits_for), (leaf, claimed) in zip(self._tries, self._tried_at(near)):
            if waits_for not in waits:
                waits[waits_for] = bool(self._with_mail(row, waits_for))
            if waits[waits_for]:
                tries.append(_UNTRIED)
                continue
            if leaf is None or leaf.read & changed:
                leaf, claimed = question.leaf(row), ALL
            leaf.times += 1
            tries.append((leaf, self._follow(name, leaf, row, claimed, changed, found)))
        self._near = _Near(row, self._tries, tries, always)
        return found

    def _follow(
        self,
        action: str,
        leaf: Leaf[Tried],
        row: list[int],
        claimed: int,
        changed: int,
        found: list[Step[Row] | Raised],
    ) -> int:
        """Add the ways on to what was found; the places that what is claimed of them depends on.

        Where none of those places has `changed`, it holds as it did.
        """
        asks = claimed < 0 or claimed & changed
        claimed = 0 if asks else claimed
        for way in leaf.answer.ways:
            if isinstance(way, Raised):
                found.append(way)
                continue
            breaks = None
            if asks:
                breaks, read = self._claims.broken_by(row, way.written, leaf.read)
                claimed |= read
            after = row.copy()
            for place, number in way.writes:
                after[place] = number
            found.append(Step(action, way.bound, trimmed(after), way.delivers, breaks))
        return claimed

    def broken(self, node: Row) -> Broken | None:
        """The first ALWAYS property that does not hold."""
        row = self._packing.widened(node)
        near, changed, _ = self._meet(row)
        always: list[Leaf[Names] | None] = []
        for (name, question), known in zip(self._always, near.always):
            leaf = question.leaf(row) if known is None or known.read & changed else known
            if leaf.answer is not None:
                return name, leaf.answer
            always.append(leaf)
        if len(self._met) >= MET:
            self._met.clear()
        self._met[node] = near, changed, always
        return None

    def breaks(self, node: Row, way: Way) -> Broken | None:
        """The first property of steps that one way on from a state breaks."""
        return self._claims.broken_by(self._packing.widened(node), way.written, 0)[0]

    def _meet(self, row: list[int]) -> tuple[_Near, int, list[Leaf[Names] | None]]:
        """A state that was expanded lately, where a state differs from it, and no answers yet."""
        near = self._near
        return near, differing(row, near.row), [None] * len(self._always)

    def _tried_at(self, near: _Near) -> list[tuple[Leaf[Tried] | None, int]]:
        """What actions did there, if they are those that are asked here."""
        return near.tries if near.asked is self._tries else [_UNTRIED] * len(self._tries)

    def is_cut(self, node: Row) -> bool:
        """Whether the state is beyond the model's bounds."""
        cut = self.model.cut
        if not isinstance(cut, Crowded):
            return self._cut is not None and self._cut.answer(self._packing.widened(node))
        row = self._packing.widened(node)
        for place in self._with_mail(row, cut.fields):
            key = place, row[place]
            if key not in self._full:
                self._full[key] = cut.is_full(self._packing.value(*key))
            if self._full[key]:
                return True
        return False

    def seen(self, node: Row, unseen: Iterable[str]) -> list[str]:
        """Which of the SOMETIMES properties in `unseen` hold here."""
        row = self._packing.widened(node)
        return [name for name, ask in self._sometimes if name in unseen and ask.answer(row)]

    def mail(self, node: Row) -> list[Letter]:
        """What waits at the head of a channel."""
        row = self._packing.widened(node)
        cells = self._packing.cells
        if isinstance(self.spec.heads, Heads):
            places = self._served(row, self.spec.heads)
        elif self._heads is not None:
            places = [self._packing.place(cell) for cell in self._heads.answer(row)]
        else:
            places = [p for p, cell in enumerate(cells) if cell[0] in self.spec.channels]
        found = []
        for place in places:
            key = place, row[place] if place < len(row) else 0
            if key not in self._letters:
                self._letters[key] = letters(cells[place], self._packing.value(*key))
            found += self._letters[key]
        return found

    def _with_mail(self, row: list[int], fields: tuple[str, ...]) -> list[int]:
        """The places of channels of `fields` that are not empty."""
        cells = self._packing.cells
        known, places = self._places.get(fields, (-1, []))
        if known != len(cells):
            places = [place for place, cell in enumerate(cells) if cell[0] in fields]
            self._places[fields] = len(cells), places
        return [place for place in places if place < len(row) and row[place]]

    def _served(self, row: list[int], heads: Heads[S]) -> list[int]:
        """The places of the channels that must be served."""
        full = self._with_mail(row, heads.prompt) or self._with_mail(row, heads.fields)
        for place in full:
            if place not in self._heard:
                cell = self._packing.cells[place]
                ask = partial(_is_heard, heads, cell)
                self._heard[place] = Question(f"heads, {cell}", self._packing, ask)
        return [place for place in full if self._heard[place].answer(row)]

    def coverage(self) -> tuple[Counter[str], Counter[Asked]]:
        """How often each action was taken, and each guard asked with which answer."""
        taken, asked = self._taken.copy(), self._asked.copy()
        for name, question, _ in self._tries:
            for leaf in question.leaves:
                leaf.answer.count(name, leaf.times, taken, asked)
        return +taken, +asked

    def asking(self, name: str, ask: Callable[[S], A]) -> Callable[[Row], A]:
        """A function of the state as a function of the node; it too is remembered."""
        question = Question(name, self._packing, ask)
        return lambda node: question.answer(self._packing.widened(node))


def unrolled(named: Named, s: Cells) -> list[dict[str, Any]]:
    """The ways to bind the leading names of `named` whose domains read nothing of the state.

    Of an action's `Among`, `every` counts: whether the state `allows` a way is asked later.
    """
    found: list[dict[str, Any]] = [{}]
    for name in named.over:
        more = []
        for bound in found:
            values, reads = s.listen(partial(_listed, named, name, bound))
            if reads:
                return found
            more += [{**bound, name: value} for value in values]
        found = more
    return found


def _is_heard(heads: Heads[S], cell: Cell, s: S) -> bool:
    return heads.is_heard(s, *cell)


def _listed(named: Named, name: str, bound: Mapping[str, Any], s: Cells) -> list[Any]:
    domain = named.over[name]
    if isinstance(domain, Among) and isinstance(named, Action):
        return list(domain.every(s))
    return list(named.values(s, name, bound))
