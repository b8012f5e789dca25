"""Missteps: steps of a model with one cell otherwise than it should be.

What is wrong in the mutants that lack a statement is always that something does not happen.  A
claim may also be there for what must not happen besides.  So steps of a model are taken as they
are, and one cell that a claim looks at is given another value: one that it has elsewhere, or its
own with an entry or a field otherwise.  It is so only after the step, or was so before already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mesos_spec.kernel import Always, Cell, Table, Untold, show
from mesos_spec.tools.mutating.ground import Change, Ground
from mesos_spec.tools.mutating.weakening import Claim
from mesos_spec.tools.mutating.weighing import Scales, Wrong, is_broken

OFTEN = 2  #: steps that change the same cells, and in which a claim looks at the same
VALUES = 48  #: that a cell is given

Cells = tuple[Cell, ...]


def weigh_missteps(ground: Ground, scales: Scales) -> None:
    """Hold missteps of a model against the claims."""
    often: Counter[tuple[Claim, Cells, Cells, Cells]] = Counter()
    for step in _steps(ground):
        for claim in scales.left(ground.model):
            looked_at = _looked_at(claim, step)
            kind = claim, tuple(step[2]), *looked_at
            often[kind] += 1
            if often[kind] > OFTEN:
                continue
            for wrong, says in _wrong(ground, step, *looked_at):
                try:
                    scales.weigh(claim, wrong, says, ground.model.name)
                except Untold:  # no state of this specification
                    continue


def _steps(ground: Ground) -> Iterator[Wrong]:
    """The steps of a model, one of each that changes the same."""
    known: set[Change] = set()
    for node, onward in ground.world.onward.items():
        for to, _ in onward:
            change = ground.world.change(node, to)
            if change and change not in known:
                known.add(change)
                yield ground.world.step(node, to)


def _looked_at(claim: Claim, step: Wrong) -> tuple[Cells, Cells]:
    """The cells of the states before and after a step that a claim reads; none where it is not
    asked."""
    before, after, effects = step
    if not isinstance(claim, Always) and claim.watches.isdisjoint(name for name, _ in effects):
        return (), ()
    (_, later), earlier = before.listen(
        lambda was: after.listen(lambda now: is_broken(claim, was, now, effects))
    )
    return tuple(earlier), tuple(later)


def _wrong(
    ground: Ground, step: Wrong, earlier: Cells, later: Cells
) -> Iterator[tuple[Wrong, str]]:
    """The step with one cell otherwise, and what is wrong with it."""
    before, after, effects = step
    for cell, value in _otherwise(ground, step, later):
        changed = {**effects, cell: (before.look(cell), value)}
        yield (before, after.after(changed), changed), f"{show(cell)} becomes {value!r}"
    for cell, value in _otherwise(ground, step, earlier):
        here = {cell: (None, value)}
        now = after if cell in effects else after.after(here)
        yield (before.after(here), now, effects), f"{show(cell)} was {value!r}"


def _otherwise(ground: Ground, step: Wrong, cells: Cells) -> Iterator[tuple[Cell, Any]]:
    """These cells with other values."""
    before, after, _ = step
    for name, key in cells:
        for cell, held in ground.world.values(name, key):
            is_now = after.look(cell)
            others = dict.fromkeys((before.look(cell), *_variants(is_now, held), *held))
            others.pop(is_now, None)
            for value in islice(others, VALUES):
                yield cell, value


def _variants(value: Any, held: Iterable[Any]) -> Iterator[Any]:
    """A value with one entry or field otherwise."""
    if isinstance(value, Table):
        entries = [entry for table in held for entry in table.values()]
        for key, entry in value.items():
            yield value - key
            for other in _variants(entry, entries):
                yield value + {key: other}
    for n, name in enumerate(getattr(value, "_fields", ())):
        fields = [one[n] for one in held if type(one) is type(value)]
        fields += [not value[n]] if isinstance(value[n], bool) else []
        for other in dict.fromkeys(fields):
            if other != value[n]:
                yield value._replace(**{name: other})
