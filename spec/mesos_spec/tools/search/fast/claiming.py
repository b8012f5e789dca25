"""EACH_STEP claims, as questions about the two states of a step.

A claim does not care which action made a step.  So it is a question of its own, for each way to
bind its names: a function of the cells it reads *before* and *after*, whose answers are kept in a
decision tree like all others.  Asked along with the action, it would make the action depend on all
it looks at, and an action with a dozen claims on the product of what they look at.

A claim that reads nothing but what the action read is settled with the action's answer.  One that
looks *farther* becomes a *check* of the effect: a tree over the state before alone, since what the
effect wrote is known.  Effects that wrote the same of what a claim looks at share a check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import (
    AFTER,
    BEFORE,
    EVERY_KEY,
    WROTE,
    Cell,
    Cells,
    EachStep,
    Effects,
    Untold,
    redo,
    show,
)
from mesos_spec.tools.search.fast.closely import ClosePacking
from mesos_spec.tools.search.memo import unrolled

S = TypeVar("S", bound=Cells)
TOGETHER = 9  #: places that claims which are checked together may read

Writes = Mapping[int, int]  #: place: number, of what a step wrote


@dataclass(eq=False)
class StepClaim(Generic[S]):
    """A claim with the names bound that are fixed, and its tree.

    A node is (four times the place, and `BEFORE`, `AFTER` or `WROTE`; {number: node}).
    """

    claim: EachStep[S, ...]
    names: Mapping[str, Any]
    tree: Any = None
    every: set[str] = field(default_factory=set)  #: fields of which it reads every key
    befores: set[int] = field(default_factory=set)  #: places it reads of the state before
    afters: set[int] = field(default_factory=set)  #: and of the state after
    effects: list[int] = field(default_factory=list)  #: those that it is a check of


class StepClaims(Generic[S]):
    """All EACH_STEP claims of a specification, by number where their names are bound."""

    def __init__(
        self, claims: Sequence[EachStep[S, ...]], start: S, packing: ClosePacking[S]
    ) -> None:
        self.packing = packing
        self.asked: list[StepClaim[S]] = []
        self._numbers: dict[tuple[int, Any], int] = {}
        self._claims = [
            (
                claim,
                [] if claim.at else [self._number(at, claim, b) for b in unrolled(claim, start)],
            )
            for at, claim in enumerate(claims)
        ]
        self.evaluations = 0
        self.outgrown: set[int] = set()  #: effects whose checks are others than they were
        self._checks: dict[Any, int] = {}
        self._concerned: dict[tuple[Cell, ...], list[int]] = {}
        self._taken_up = len(packing.cells)
        self._void = False

    def _number(self, at: int, claim: EachStep[S, ...], names: Mapping[str, Any]) -> int:
        key = at, tuple(names.values())
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.asked)
            self.asked.append(StepClaim(claim, names))
        return found

    def concerned(self, effects: Effects) -> list[int]:
        """The claims that a step which wrote this concerns."""
        cells = tuple(effects)
        known = self._concerned.get(cells)
        if known is not None:
            return known
        found = self._concerned[cells] = []
        wrote = {name for name, _ in cells}
        for at, (claim, numbers) in enumerate(self._claims):
            if wrote.isdisjoint(claim.watches):
                continue
            found += numbers
            if claim.at:
                first = next(iter(claim.over))
                keys = [key for name, key in cells if name == claim.at]
                found += [self._number(at, claim, {first: key}) for key in keys]
        return found

    # ---- asking ----------------------------------------------------------------------------
    def holds(
        self, number: int, row: list[int], writes: Writes, path: Mapping[int, int] | None = None
    ) -> tuple[bool, list[int]]:
        """What a claim says of a step from a state; and which places it read of that state.

        It may look no farther than at `path`, if that is given: then it is not known to hold.
        """
        one, end = self.asked[number], len(row)
        node, read = one.tree, list[int]()
        while type(node) is tuple:
            code, following = node
            place, of = code >> 2, code & 3
            if of == WROTE:
                node = following.get(place in writes)
            elif of == AFTER and place in writes:
                node = following.get(writes[place])
            elif path is not None and place not in path:
                return False, read
            else:
                read.append(place)
                node = following.get(row[place] if place < end else 0)
        if node is None:
            self._learn(one, row, writes)
            return self.holds(number, row, writes, path)
        return node, read

    def _learn(self, one: StepClaim[S], row: list[int], writes: Writes) -> None:
        self.evaluations += 1
        packing = self.packing
        before = packing.show(packing.widened(tuple(row)))
        after = before.copy()
        values = {
            packing.cells[p]: (None, packing.value(p, n))
            for p, n in writes.items()
            if packing.is_cell(p)
        }
        redo(after, values)
        ask = partial(one.claim.broken, before, after, one.names)
        broken, reads = before.compared(after, values, ask)
        steps: dict[int, int] = {}
        for of, cell in reads:
            for place in self._places(one, cell):
                held = row[place] if place < len(row) else 0
                if of != BEFORE:
                    held = place in writes if of == WROTE else writes.get(place, held)
                steps.setdefault(4 * place + of, held)
        self._keep(one, [*steps.items()], broken is None)
        for code in steps:
            if code & 3 == BEFORE or (code & 3 == AFTER and code >> 2 not in writes):
                one.befores.add(code >> 2)
        afters = {code >> 2 for code in steps if code & 3 != BEFORE}
        if not afters <= one.afters:
            one.afters |= afters
            self.outgrown.update(one.effects)

    def _places(self, one: StepClaim[S], cell: Any) -> list[int]:
        if cell[1] is not EVERY_KEY:
            return [self.packing.place(cell)]
        one.every.add(cell[0])
        return [p for p, known in enumerate(self.packing.cells) if known[0] == cell[0]]

    def _keep(self, one: StepClaim[S], steps: list[tuple[int, int]], holds: bool) -> None:
        if not steps:
            one.tree = holds
            return
        if one.tree is None:
            one.tree = (steps[0][0], {})
        node = one.tree
        for at, (code, number) in enumerate(steps):
            if type(node) is not tuple or node[0] != code:
                cell = show(self.packing.cells[code >> 2])
                name = one.claim.name
                raise Untold(f"{name} reads {cell} or not, and not by the states alone")
            last = at + 1 == len(steps)
            following: Any = holds if last else (steps[at + 1][0], {})
            node = node[1].setdefault(number, following)

    def notice(self) -> bool:
        """Take up cells that were not there before; whether that made any answer void.

        Void is what was asked of every key of a field that has one more now; and with it whether
        a step keeps the claim, also where that was settled with the action's answer.
        """
        self._take_up()
        void, self._void = self._void, False
        return void

    def _take_up(self) -> None:
        cells = self.packing.cells
        for place in range(self._taken_up, len(cells)):
            for one in self.asked:
                if cells[place][0] in one.every:
                    one.tree, one.every, self._void = None, set(), True
        self._taken_up = len(cells)

    # ---- checks ----------------------------------------------------------------------------
    def to_check(
        self, concerned: Sequence[int], row: list[int], writes: Writes, path: Mapping[int, int]
    ) -> tuple[int, ...]:
        """Which claims about a step look farther than at `path`, or are broken by it."""
        self._take_up()  # the step may write what no state had
        return tuple(n for n in concerned if not self.holds(n, row, writes, path)[0])

    def bundled(self, numbers: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Claims in bundles that are checked together: those that read much the same."""
        bundles: list[tuple[set[int], list[int]]] = []
        for number in sorted(numbers, key=lambda n: (-len(self.asked[n].befores), n)):
            reads = self.asked[number].befores
            for whole, bundle in bundles:
                if len(whole | reads) <= max(TOGETHER, len(whole)):
                    whole |= reads
                    bundle.append(number)
                    break
            else:
                bundles.append(({*reads}, [number]))
        return tuple(tuple(sorted(bundle)) for _, bundle in bundles)

    @property
    def checks(self) -> int:
        """How many checks there are."""
        return len(self._checks)

    def check(self, bundle: Sequence[int], writes: Writes) -> int:
        """The number of the check that a bundle of claims is, of an effect that wrote this."""
        afters = set[int]().union(*(self.asked[number].afters for number in bundle))
        key = bundle, tuple((p, n) for p, n in writes.items() if p in afters)
        return self._checks.setdefault(key, len(self._checks))
