"""The tables of a model and the kernel that looks at them, kept true to what is known.

What a kernel did not find in the tables, the `Asker` is asked, and the tables are told.  Where a
value gets too large for its bits, or questions come into being, the tables are made anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesos_spec.kernel import Model
from mesos_spec.tools.search.blame import blame
from mesos_spec.tools.search.fast.asking import CALM, HURRY, WATCH, Asker, wrong
from mesos_spec.tools.search.fast.grouping import ALONE, Group, grouped
from mesos_spec.tools.search.fast.layout import MARK, Layout
from mesos_spec.tools.search.fast.stepping import Answer
from mesos_spec.tools.search.fast.store import BLOCK, Store
from mesos_spec.tools.search.fast.tables import CUT, Tables
from mesos_spec.tools.search.fast.trees import Paths, Trees

Array = NDArray[Any]
Told = Callable[[int, str, Answer], None]  #: a state, who was asked, and what the answer is

FIRST, WARM = 100, 600  #: states looked at in Python first, to know what is asked, and to group it
SAMPLE = 300  #: states to group by
MISSES = 1 << 17  #: rows that may be missed before somebody must look


class Machine:
    """Tables, store and kernel of one search."""

    def __init__(self, model: Model[Any], kernel: ModuleType) -> None:
        self.kernel = kernel
        self.asker: Asker[Any] = Asker(model)
        self.missed = np.zeros((MISSES, 3), np.int64)
        self.moved = 0  #: how often states were given another layout
        self._warm_up(min(FIRST, WARM))
        if self.asker.asks_emptiness_of:
            self.asker = Asker(model, frozenset(self.asker.asks_emptiness_of))
        sample = self._warm_up(WARM)
        self.groups: list[Group] = grouped(self.asker, sample)
        self.layout = self._layout()
        self.store = Store(self.layout.words)
        self.trees = Trees(kernel, self.layout, len(self.groups))
        self.passed = Trees(kernel, self.layout)  # of checks: their one leaf is that they pass
        self._make_tables()
        first = self.layout.pack(self.asker.packing.first)
        if self.asker.crowded is not None and self.asker.crowded(self.asker.start):
            first[0] |= 1
        self.store.states[0] = first
        self.store.n = 1
        self.store.index(kernel)

    # ---- first states, in Python -----------------------------------------------------------
    def _warm_up(self, most: int) -> list[list[int]]:
        """Some states with all answers known: the nearest ones."""
        asker = self.asker
        first = [*asker.packing.first]
        found, seen = [first], {tuple(first)}
        sample: list[list[int]] = []
        for row in found:
            try:
                answers = [asker.answer(ask, row)[0] for ask in self._asked_in(row)]
            except Exception:  # the search comes here too, and says what it is
                continue
            sample.append(row)
            for effect in {e for answer in answers for e in answer.effects}:
                after = row + [0] * (len(asker.packing.cells) - len(row))
                for place, number in asker.effects[effect][0]:
                    after[place] = number
                while after and not after[-1]:
                    after.pop()
                if len(found) < most and tuple(after) not in seen:
                    seen.add(tuple(after))
                    found.append(after)
        return random.Random(1).sample(sample, min(SAMPLE, len(sample)))

    def _asked_in(self, row: list[int]) -> list[Any]:
        """The questions that are asked in a state."""
        asker = self.asker
        if self._is_cut(row):
            kinds: set[int] = {WATCH}
        else:
            waits = any(p < len(row) and row[p] for p in asker.places_of(asker.prompt))
            kinds = {WATCH, HURRY} if waits else {WATCH, HURRY, CALM}
        return [ask for ask in asker.asks if ask.kind in kinds]

    def _is_cut(self, row: list[int]) -> bool:
        asker = self.asker
        if asker.crowded is not None:
            places = asker.places_of(asker.crowded.fields)
            return any(self._is_full(p, row[p]) for p in places if p < len(row))
        first = asker.asks[0] if asker.asks else None
        return first is not None and first.name == ALONE and asker.answer(first, row)[0].cut

    def _is_full(self, place: int, number: int) -> bool:
        crowded, packing = self.asker.crowded, self.asker.packing
        if crowded is None or not number or packing.cells[place][0] not in crowded.fields:
            return False
        return crowded.is_full(packing.value(place, number))

    # ---- tables ----------------------------------------------------------------------------
    def _layout(self) -> Layout:
        values = [len(found) for found in self.asker.packing._values]
        return Layout(values, self.asker.crowded is not None)

    def _make_tables(self) -> None:
        """Tables for the groups and the layout there are now, without a row."""
        asker = self.asker
        asker.grown = False
        self._letters = max(len(asker.letters), 1)
        self.tables = Tables(self.layout, len(self.groups), self._letters)
        self.prompt = np.array(self.layout.masks(asker.places_of(asker.prompt)), np.uint64)
        kinds = [group.kind for group in self.groups]
        alone = bool(self.groups) and asker.asks[self.groups[0].asks[0]].name == ALONE
        self.plan = (
            sum(kind == WATCH for kind in kinds),
            sum(kind <= HURRY for kind in kinds),
            len(kinds),
            asker.crowded is not None,
            alone,
        )
        self._known_effects = 0
        self._refresh()

    def _refresh(self) -> None:
        """Let the kernel see what the tables have become."""
        t = self.tables
        self._effects_known()
        self.passed.plant(self.asker.claims.checks)
        for trees in (self.trees, self.passed):
            trees.grow(self.store.states, len(self.asker.packing.cells))
        t.touch(self.trees.reads.held[: len(self.groups)])
        self.look = self.plan, self.prompt, self.trees.look, t.row_flag.held
        rows = t.row_start.held, t.row_effect.held, t.row_need.held, t.row_got.held
        checks = t.check_from.held, t.check_many.held, t.check_of.held, self.passed.look
        self.know = rows, (t.keep.held, t.value.held, t.touches.held), checks
        n = t.row_start.n
        longest = int(np.diff(t.row_start.held[:n]).max()) if n > 1 else 0
        self.most = max(longest * max(len(self.groups), 1), 1)

    def _effects_known(self) -> None:
        """Add effects that are new."""
        tables, effects = self.tables, self.asker.effects
        for number in range(self._known_effects, len(effects)):
            writes, bundles = effects[number]
            full = any(self._is_full(place, to) for place, to in writes)
            tables.effect(writes, full)
            if bundles:
                tables.checks(number, self._checks(number))
        for number in sorted(self.asker.claims.outgrown):
            if number < self._known_effects:
                tables.checks(number, self._checks(number))
        self.asker.claims.outgrown.clear()
        self._known_effects = len(effects)

    def _checks(self, effect: int) -> list[int]:
        """The checks of an effect, in the order of its bundles."""
        writes, bundles = self.asker.effects[effect]
        return [self.asker.claims.check(bundle, dict(writes)) for bundle in bundles]

    # ---- what is not known yet ---------------------------------------------------------------
    def _blame(self, t: int, error: Exception, tell: Told) -> None:
        """Tell that the specification is wrong, or raise what is no fault of its own."""
        found = blame(error)
        if found is None:
            raise error
        tell(t, "", Answer(flaw=wrong(found)))

    def teach(self, pairs: Array, tell: Told) -> bool:
        """Ask what (state, group) pairs lack; whether the tables had to be made anew.

        If so, every row that anybody holds is void.
        """
        asker = self.asker
        rows = self.layout.unpack(self.store.states[pairs[:, 0]])
        for (t, group, _), row in zip(pairs.tolist(), rows):
            try:
                self._learn(t, group, row, tell)
            except Exception as error:
                self._blame(t, error, tell)
        if asker.grown or len(asker.letters) > 64 * self.tables.letter_words:
            self._regroup_all()
            return True
        if self._overflows():
            self._repack()
        self._refresh()
        return False

    def check(self, steps: Array, tell: Told) -> tuple[list[int], bool]:
        """Check steps that were not before: (state, effect, which of its checks, …).

        Which states have a step that breaks a claim; and whether all rows are void.
        """
        asker, broken = self.asker, list[int]()
        rows = self.layout.unpack(self.store.states[steps[:, 0]])
        for (t, effect, at, _), row in zip(steps.tolist(), rows):
            try:
                holds = self._check(t, effect, at, row)
            except Exception as error:
                self._blame(t, error, tell)
                break
            if not holds:
                broken.append(t)
        asker.notice()
        if asker.grown:
            self._regroup_all()
            return broken, True
        self._refresh()
        return broken, False

    def _check(self, t: int, effect: int, at: int, row: list[int]) -> bool:
        """Whether a step passes one of its checks; noted, so that it is not asked again."""
        claims, (written, bundles) = self.asker.claims, self.asker.effects[effect]
        writes = dict(written)
        found = [claims.holds(claim, row, writes) for claim in bundles[at]]
        if claims.outgrown:
            self._effects_known()
        check = int(self.tables.check_of.held[self.tables.check_from.held[effect] + at])
        self.passed.add(check, tuple(tuple(read) for _, read in found), t, 0)
        return all(holds for holds, _ in found)

    def _learn(self, t: int, group: int, row: list[int], tell: Told) -> None:
        asker = self.asker
        whole, paths = Answer(), []
        for number in self.groups[group].asks:
            answer, path = asker.answer(asker.asks[number], row)
            if not answer.told:
                answer.told = True
                tell(t, asker.asks[number].name, answer)
            paths.append(tuple(path))
            whole.effects += answer.effects
            whole.got |= answer.got
            whole.need |= answer.need
            whole.cut |= answer.cut
        self._enter(t, group, tuple(paths), whole)

    def _enter(self, t: int, group: int, paths: Paths, answer: Answer) -> None:
        """Note a leaf of a group's tree."""
        flag = CUT if answer.cut else 0
        leaf = self.tables.row(answer.effects, answer.got, answer.need, flag)
        self.trees.add(group, paths, t, leaf)

    def _overflows(self) -> bool:
        """Whether some value has got a number too large for its bits."""
        bits = self.layout.bits
        for place, found in enumerate(self.asker.packing._values):
            if len(found) > 1 << (bits[place] if place < len(bits) else 0):
                return True
        return False

    def _repack(self) -> None:
        """Give every state a layout in which all values fit, and grow the trees again."""
        rows_of = {number: key for key, number in self.tables._rows.items()}
        self._move()
        self._make_tables()
        for number in range(len(rows_of)):
            self.tables.row(*rows_of[number])

    def _move(self) -> None:
        """Give every state a layout in which all values fit; no tree has a leaf then."""
        old, self.layout = self.layout, self._layout()
        self.store.move(self.kernel, self.layout, old)
        self.trees.move(self.layout)
        self.passed.move(self.layout)
        self.moved += 1

    def _regroup_all(self) -> None:
        """Make groups of all questions there are now; all rows are void then."""
        grouped_now = {k for group in self.groups for k in group.asks}
        new = [k for k in range(len(self.asker.asks)) if k not in grouped_now]
        kinds = self.asker.asks
        self.groups += [Group(kinds[k].kind, [k]) for k in new]
        self.groups.sort(key=lambda g: (kinds[g.asks[0]].name != ALONE, g.kind, g.asks))
        self.passed = Trees(self.kernel, self.layout)
        self._start_over()

    def take_up(
        self, states: Array, old: Layout, cells: Sequence[Any], known: Sequence[Sequence[Any]]
    ) -> None:
        """Hold these states instead: of another layout, with other numbers for values."""
        packing = self.asker.packing
        to = []
        for cell, values in zip(cells, known):
            place = packing.place(cell)
            numbers = [0, *(packing.number(place, value) for value in values)]
            columns = [(place, numbers)]
            apart = packing.apart(place)
            if apart is not None:
                columns.append((apart, [packing.emptiness(place, n) for n in numbers]))
            to.append([(place, np.array(found, np.uint64)) for place, found in columns])
        self.asker.notice()
        self.layout = layout = self._layout()
        self.store = Store(layout.words)
        self.store.make_room(self.kernel, len(states))
        moved = self.store.states
        for lo in range(0, len(states), BLOCK):
            part = states[lo : lo + BLOCK]
            new = moved[lo : lo + len(part)]
            new[:] = 0
            for at, columns_ in enumerate(to):
                held = old.column(part, at).astype(np.int64)
                for place, numbers_ in columns_:
                    moved_to = numbers_[held] << np.uint64(layout.shift[place])
                    new[:, layout.word[place]] |= moved_to
            if layout.marked:
                new[:, 0] |= part[:, 0] & np.uint64(MARK)
        self.store.n = len(states)
        self.store.index(self.kernel)
        self._regroup_all()

    def regroup(self, sample: Array) -> None:
        """Group all questions by a sample of states; all rows are void then."""
        rows = self.layout.unpack(self.store.states[sample])
        self.groups = grouped(self.asker, rows)
        self._start_over()

    def _start_over(self) -> None:
        if self._overflows():
            self._move()
        self.trees = Trees(self.kernel, self.layout, len(self.groups))
        self._make_tables()
