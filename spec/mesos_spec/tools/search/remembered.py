"""What is claimed of a step, remembered: a claim is asked as often as what it reads differs.

A claim of a step reads cells of the state before and of the state after.  What it read, in order,
is the way to its answer in a tree, as in `questions`; only that there are two sides.  A cell of the
state after holds what the step wrote there, else what it held before.  So what was asked of one
action is not asked again of another that leaves the same in the cells that are looked at; and an
action does not seem to depend on all that is claimed of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import EVERY_KEY, Cell, Cells, EachStep, Effects, Specification, Untold, show
from mesos_spec.tools.search.questions import Packing
from mesos_spec.tools.search.worlds import Broken

S = TypeVar("S", bound=Cells)

Read = tuple[bool, int]  #: whether the state after was looked at, and the place of a cell
Names = Mapping[str, Any] | None  #: those a claim is broken for; None if it holds

ALL = -1  #: every place, as bits


class Written:
    """What a step writes, by place and number, and what has to be asked of it."""

    __slots__ = ("claims", "held", "look", "numbers", "places")

    def __init__(self, numbers: Iterable[tuple[int, int]], claims: list[tuple[int, Any]]) -> None:
        self.numbers = dict(numbers)
        self.claims = claims  #: by number, with the key of the cell each is about
        self.places = 0  #: those that any of them was seen to read, as bits
        self.look: Callable[[list[int]], Any] = len  #: what a row holds in these places
        self.held: dict[Any, int] = {}  #: where all held: what was read, by what is held there

    def keep(self, row: list[int], read: int) -> None:
        """In all states that hold the same as `row` in the places of `read` all claims hold."""
        if read <= 0:
            return
        if read & ~self.places:
            self.places |= read
            self.look = itemgetter(*places_in(self.places))
            self.held.clear()
        self.held[self.look(row)] = read


class StepClaims(Generic[S]):
    """The EACH_STEP properties of a specification, with their answers in trees."""

    def __init__(self, spec: Specification[S], packing: Packing[S]) -> None:
        self._claims = spec.each_step
        self._packing = packing
        self._trees = [dict[Any, Any]() for _ in self._claims]  # per key of the cell it is about
        self._watching: dict[frozenset[str], list[int]] = {}
        self.evaluations = 0

    def of(self, effects: Effects, numbers: Iterable[tuple[int, int]]) -> Written:
        """What is claimed of a step with these effects, which are also given as numbers."""
        watched = self._watched(effects)
        claims = [(at, key) for at in watched for key in _keys(self._claims[at], effects)]
        return Written(numbers, claims)

    def _watched(self, effects: Effects) -> list[int]:
        """The claims of what a step wrote."""
        wrote = frozenset(name for name, _ in effects)
        watching = self._watching.get(wrote)
        if watching is None:
            every = enumerate(self._claims)
            watching = [at for at, claim in every if not claim.watches.isdisjoint(wrote)]
            self._watching[wrote] = watching
        return watching

    def broken_by(self, row: list[int], step: Written, known: int) -> tuple[Broken | None, int]:
        """The first property that a step from `row` breaks, and the places that this depends on.

        `row` may grow.  `known` are places, as bits, that hold the same wherever this very step is
        possible: what reads no others holds once and for all, and is not asked again.
        """
        if not step.claims:
            return None, 0
        read = step.held.get(step.look(row)) if step.held else None
        if read is not None:
            return None, read
        found, read = self._ask(row, step, known)
        if found is None:
            step.keep(row, read)
        return found, read

    def _ask(self, row: list[int], step: Written, known: int) -> tuple[Broken | None, int]:
        asking: _Asking[S] | None = None
        read, left = 0, []
        for one in step.claims:
            at, key = one
            node, here = self._known(self._trees[at].get(key), row, step.numbers)
            if node is None or node is _AGAIN:
                asking = asking or self._asking(row, step)
                found = self._learn(at, key, asking, keep=node is None)
                row.extend([0] * (len(self._packing.cells) - len(row)))
                here = ALL
            else:
                found = node[0]
            if found is not None:
                return (self._claims[at].name, found), ALL
            if here & ~known:
                left.append(one)
                read |= here
        step.claims = left
        return None, read

    def _known(self, node: Any, row: list[int], numbers: dict[int, int]) -> tuple[Any, int]:
        """The end of the way in a tree, and the places on it that the step left alone, as bits."""
        read, end = 0, len(row)
        while type(node) is _Branch:
            place = node.place
            number = numbers.get(place) if node.after else None
            if number is None:
                read |= node.bit
                number = row[place] if place < end else 0
            node = node.next.get(number)
        return node, read

    def _asking(self, row: list[int], step: Written) -> _Asking[S]:
        packing = self._packing
        wide = packing.widened(tuple(row))
        effects = {
            packing.cells[place]: (packing.value(place, wide[place]), packing.value(place, number))
            for place, number in step.numbers.items()
        }
        return _Asking(packing.show(wide), effects)

    def _learn(self, at: int, key: Any, asking: _Asking[S], *, keep: bool) -> Names:
        """Ask a claim, and keep the answer if what it read has places."""
        self.evaluations += 1
        claim = self._claims[at]
        found, reads = asking.ask(claim, {} if key is _WHOLE else {next(iter(claim.over)): key})
        if not keep:
            return found
        steps: list[tuple[Read, int]] = []
        end: Any = (found,)
        for (after, cell), value in reads.items():
            if cell[1] is EVERY_KEY:
                end = _AGAIN
                break
            place = self._packing.place(cell)
            steps.append(((after, place), self._packing.number(place, value)))
        self._keep(at, key, steps, end)
        return found

    def _keep(self, at: int, key: Any, steps: list[tuple[Read, int]], end: Any) -> None:
        following = [_Branch(*read) for read, _ in steps]
        node = self._trees[at].setdefault(key, following[0] if steps else end)
        for n, ((after, place), number) in enumerate(steps):
            if type(node) is not _Branch or (node.after, node.place) != (after, place):
                cell = show(self._packing.cells[place])
                raise Untold(
                    f"{self._claims[at].name} reads {cell} or not, and not by the step alone"
                )
            last = n + 1 == len(steps)
            node = node.next.setdefault(number, end if last else following[n + 1])


def places_in(bits: int) -> list[int]:
    """The places that are written as bits."""
    return [place for place in range(bits.bit_length()) if bits >> place & 1]


class _Branch:
    """After the same reads so far, this cell is read next, on this side of the step."""

    __slots__ = ("after", "bit", "next", "place")

    def __init__(self, after: bool, place: int) -> None:
        self.after, self.place, self.bit = after, place, 1 << place
        self.next: dict[int, Any] = {}


_WHOLE = object()  #: the key of a claim that is not about one cell
_AGAIN = ("again",)  #: what is read here has no place: the claim is asked every time


def _keys(claim: EachStep[S, ...], effects: Effects) -> list[Any]:
    """The cells a claim is about that were written, by key; or the one whole."""
    return [key for name, key in effects if name == claim.at] if claim.at else [_WHOLE]


class _Side:
    """Where one of two states notes what is read of it."""

    def __init__(self, after: bool, log: dict[tuple[bool, Cell], Any]) -> None:
        self._after, self._log = after, log

    def setdefault(self, cell: Cell, value: Any) -> None:
        """A cell was read."""
        self._log.setdefault((self._after, cell), value)

    __setitem__ = setdefault


class _Asking(Generic[S]):
    """One step, while claims are asked of it."""

    def __init__(self, s: S, effects: Effects) -> None:
        self._before, self._after = s, s.after(effects)
        self._after.__dict__["_written"] = {}

    def ask(
        self, claim: EachStep[S, ...], given: Mapping[str, Any]
    ) -> tuple[Names, dict[tuple[bool, Cell], Any]]:
        """The first names a claim is broken for, and all it read, in order."""
        log: dict[tuple[bool, Cell], Any] = {}
        before, after = self._before.__dict__, self._after.__dict__
        outer = before["_reads"]
        before["_reads"], after["_reads"] = _Side(False, log), _Side(True, log)
        try:
            return claim.broken(self._before, self._after, given), log
        finally:
            before["_reads"] = outer
