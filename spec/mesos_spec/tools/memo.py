"""The world remembered: a question is asked once for each thing it could depend on.

A `Question` is a function of the state.  While it is answered, the cells it reads are noted, and
the answer is kept at the end of a path in a decision tree: the first cell read, its value, the
next cell read, its value, …  A function of the state reads the same next cell wherever it has read
the same values so far, so a walk down the tree gives exactly the answer the function would give.
States are *rows*: tuples of small numbers, one per cell, where 0 is the cell's default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import (
    EVERY_KEY,
    Action,
    Cell,
    Cells,
    Disabled,
    Domain,
    Effects,
    Named,
    Untold,
    redo,
    show,
    undo,
)
from mesos_spec.tools.models import Model
from mesos_spec.tools.worlds import (
    Asked,
    Broken,
    Letter,
    Raised,
    Step,
    broken_by,
    delivered,
    letters,
)
from mesos_spec.values import alike

S = TypeVar("S", bound=Cells)
A = TypeVar("A")

Row = tuple[int, ...]  #: a state; trailing zeros are left out


class Packing(Generic[S]):
    """The numbers that stand for values, cell by cell, and one state to show rows in."""

    def __init__(self, first: S) -> None:
        self._live = first.copy()
        self._shown: list[int] = []  # the row that `_live` shows
        self.cells: list[Cell] = []
        self._places: dict[Cell, int] = {}
        self._values: list[list[Any]] = []  # per place, by number
        self._numbers: list[dict[Any, int]] = []
        for cell, value in first.cells():
            self._shown.append(0)
            self._shown[self.place(cell)] = self.number(self.place(cell), value)
        self.first = trimmed(self._shown)

    def place(self, cell: Cell) -> int:
        """Where `cell` is in a row."""
        place = self._places.get(cell)
        if place is None:
            place = self._places[cell] = len(self.cells)
            self.cells.append(cell)
            empty = self._live.default(cell)
            self._values.append([empty])
            self._numbers.append({empty: 0})
        return place

    def number(self, place: int, value: Any) -> int:
        """The number of `value` in the cell at `place`."""
        numbers = self._numbers[place]
        number = numbers.setdefault(value, len(numbers))
        if number == len(self._values[place]):
            self._values[place].append(value)
        else:
            known = self._values[place][number]
            if not alike(known, value):
                raise Untold(
                    f"{self.cells[place]} holds {known!r} and {value!r}, which are equal and not "
                    f"the same: a search would merge states that differ"
                )
        return number

    def show(self, row: list[int]) -> S:
        """The state that `row` stands for; good until the next call."""
        shown, live = self._shown, self._live
        shown.extend([0] * (len(row) - len(shown)))
        for place, number in enumerate(row):
            if shown[place] != number:
                redo(live, {self.cells[place]: (None, self._values[place][number])})
                shown[place] = number
        return live

    def value(self, place: int, number: int) -> Any:
        """What `number` stands for in the cell at `place`."""
        return self._values[place][number]

    def widened(self, row: Row) -> list[int]:
        """`row` with every cell known so far in its place."""
        return [*row, *[0] * (len(self.cells) - len(row))]


def trimmed(row: list[int]) -> Row:
    """`row` without the zeros at its end: one state is one row, however many cells are known."""
    end = len(row)
    while end and not row[end - 1]:
        end -= 1
    return tuple(row[:end])


class Branch:
    """After the same reads so far, this cell is read next."""

    __slots__ = ("next", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self.next: dict[int, Any] = {}  # by the number of what the cell holds: Branch or Leaf


class Leaf(Generic[A]):
    """Nothing more is read: this is the answer, and it was given so many times."""

    __slots__ = ("answer", "times")

    def __init__(self, answer: A) -> None:
        self.answer = answer
        self.times = 0


class Question(Generic[S, A]):
    """A function of the state that is asked only where it might give a new answer."""

    def __init__(self, name: str, packing: Packing[S], ask: Callable[[S], A]) -> None:
        self._name, self._packing, self._ask = name, packing, ask
        self._root = Branch(-1)  # its only child is under 0
        self.leaves: list[Leaf[A]] = []

    def answer(self, row: list[int]) -> A:
        """What `ask` would say of the state that `row` stands for; `row` may grow."""
        node = self._root.next.get(0)
        while type(node) is Branch:
            node = node.next.get(row[node.place])
        if node is None or node is _AGAIN:
            node = self._learn(row)
        node.times += 1
        return node.answer

    def _learn(self, row: list[int]) -> Leaf[A]:
        state = self._packing.show(row)
        answer, reads = state.listen(self._ask)
        leaf = Leaf(answer)
        self.leaves.append(leaf)
        at, key, end = self._root, 0, leaf
        for cell, value in reads.items():
            if cell[1] is EVERY_KEY:
                end = _AGAIN
                break
            place = self._packing.place(cell)
            branch = at.next.setdefault(key, Branch(place))
            if type(branch) is not Branch or branch.place != place:
                raise Untold(f"{self._name} reads {show(cell)} or not, and not by the state alone")
            at, key = branch, self._packing.number(place, value)
        at.next[key] = end
        row.extend([0] * (len(self._packing.cells) - len(row)))
        return leaf


_AGAIN: Leaf[Any] = Leaf(None)  # what is read here has no place in a row: ask every time


# ---- the world -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Way:
    """One way an action goes on from every state on its leaf."""

    bound: Mapping[str, Any]
    writes: tuple[tuple[int, int], ...]  # place, number
    delivers: tuple[Letter, ...]
    breaks: Broken | None


@dataclass(frozen=True, slots=True)
class _Tried:
    """All an action did, and what its guards said, in every state on its leaf."""

    ways: tuple[_Way | Raised, ...]
    asked: Counter[tuple[str, bool]]


class Memoised(Generic[S]):
    """The same answers as `Plain`, in the same order, from questions that are remembered."""

    def __init__(self, model: Model[S]) -> None:
        self.spec = spec = model.spec
        start = spec.start(model.bounds)
        self._packing = packing = Packing(start)
        self.first: Row = packing.first
        self._tries = [
            (action.name, Question(action.name, packing, self._trying(action, given)))
            for action in spec.actions
            for given in unrolled(action, start)
        ]
        self._always = [
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
        self._letters: dict[tuple[int, int], list[Letter]] = {}

    def _trying(self, action: Action[S, ...], given: Mapping[str, Any]) -> Callable[[S], _Tried]:
        """The question what `action` does, with some names bound already."""

        def ask(s: S) -> _Tried:
            ways: list[_Way | Raised] = []
            asked: Counter[tuple[str, bool]] = Counter()
            for bound in action.bindings(s, given):
                try:
                    effects = action.apply(s, bound, lambda *guard: asked.update([guard]))
                except Disabled:
                    continue
                except Exception as e:
                    ways.append(Raised(action.name, bound, f"{type(e).__name__}: {e}"))
                    continue
                undo(s, effects)
                ways.append(self._way(s, bound, effects))
            return _Tried(tuple(ways), asked)

        return ask

    def _way(self, s: S, bound: Mapping[str, Any], effects: Effects) -> _Way:
        place, number = self._packing.place, self._packing.number
        writes = tuple((place(cell), number(place(cell), e[1])) for cell, e in effects.items())
        breaks = broken_by(self.spec, s, s.after(effects), effects)
        return _Way(bound, writes, delivered(effects), breaks)

    def state(self, node: Row) -> S:
        """The state that a row stands for."""
        return self._packing.show(self._packing.widened(node)).copy()

    def steps(self, node: Row) -> list[Step[Row] | Raised]:
        """Every action, for every way to bind its names."""
        found: list[Step[Row] | Raised] = []
        row = self._packing.widened(node)
        for name, question in self._tries:
            for way in question.answer(row).ways:
                if isinstance(way, Raised):
                    found.append(way)
                    continue
                after = row.copy()
                for place, number in way.writes:
                    after[place] = number
                found.append(Step(name, way.bound, trimmed(after), way.delivers, way.breaks))
        return found

    def broken(self, node: Row) -> Broken | None:
        """The first ALWAYS property that does not hold."""
        row = self._packing.widened(node)
        for name, question in self._always:
            bound = question.answer(row)
            if bound is not None:
                return name, bound
        return None

    def is_cut(self, node: Row) -> bool:
        """Whether the state is beyond the model's bounds."""
        return self._cut is not None and self._cut.answer(self._packing.widened(node))

    def seen(self, node: Row, unseen: Iterable[str]) -> list[str]:
        """Which of the SOMETIMES properties in `unseen` hold here."""
        row = self._packing.widened(node)
        return [name for name, ask in self._sometimes if name in unseen and ask.answer(row)]

    def mail(self, node: Row) -> list[Letter]:
        """What waits at the head of a channel."""
        row = self._packing.widened(node)
        cells = self._packing.cells
        if self._heads is not None:
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

    def coverage(self) -> tuple[Counter[str], Counter[Asked]]:
        """How often each action was taken, and each guard asked with which answer."""
        taken: Counter[str] = Counter()
        every: Counter[Asked] = Counter()
        for name, question in self._tries:
            for leaf in question.leaves:
                steps = sum(isinstance(way, _Way) for way in leaf.answer.ways)
                taken[name] += steps * leaf.times
                for (guard, held), times in leaf.answer.asked.items():
                    every[name, guard, held] += times * leaf.times
        return +taken, +every


def unrolled(named: Named, s: Cells) -> list[dict[str, Any]]:
    """The ways to bind the leading names of `named` whose domains read nothing of the state."""
    found: list[dict[str, Any]] = [{}]
    for name, domain in named.over.items():
        more = []
        for bound in found:
            earlier = [bound[n] for n in named.takes[name]]
            values, reads = s.listen(partial(_listed, domain, earlier))
            if reads:
                return found
            more += [{**bound, name: value} for value in values]
        found = more
    return found


def _listed(domain: Domain, earlier: list[Any], s: Cells) -> list[Any]:
    return list(domain(s, *earlier))
