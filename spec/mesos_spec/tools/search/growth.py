"""What grows without end in a model that no search finishes.

Walks are taken at random, the same ones every time.  A field whose size is larger at each quarter
of a long walk than at the one before is what makes the model endless, as far as one can see: no
proof, but the place to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice, pairwise
from random import Random
from typing import Any, TypeVar

from mesos_spec.kernel import ABSENT, Action, Bag, Cell, Cells, Fifo, Model, Table, show
from mesos_spec.tools.search.worlds import Plain, Raised

S = TypeVar("S", bound=Cells)

WALKS, STEPS, QUARTERS = 2, 240, 4
WAYS_ON = 100  #: how many steps are looked at in a state, before one is chosen


@dataclass(frozen=True)
class Growth:
    """A field that grew all along a walk."""

    field: str
    cell: Cell  #: the cell of it that grew most
    sizes: tuple[int, ...]  #: of the field, at each quarter
    action: Action[Any, ...]  #: what made it grow most often

    @property
    def says(self) -> str:
        """What grows, and what would bound it."""
        sizes = " → ".join(map(str, self.sizes))
        return (
            f"the model seems to have no end: {show(self.cell)} grows all along a walk of {STEPS} "
            f"steps (the size of {self.field}: {sizes}), by {self.action.name}. Bound it: a guard "
            f"there, a domain that ends, or Model(cut=…) for the states beyond"
        )


def growing(model: Model[S]) -> Growth | None:
    """The first field found to grow without end; None if all walks end or stay as large."""
    for seed in range(WALKS):
        found = _walk(model, Random(seed))
        if found is not None:
            return found
    return None


def _walk(model: Model[S], random: Random) -> Growth | None:
    world = Plain(model)
    s, marks = world.first, [_sizes(world.first)]
    by: dict[str, Counter[str]] = {}
    for at in range(1, STEPS + 1):
        steps = [] if world.is_cut(s) else list(islice(world.steps(s), WAYS_ON))
        if not steps:
            return None
        step = random.choice(steps)
        if isinstance(step, Raised):
            return None
        for (name, _), _ in step.to.cells():
            if size(_cells(step.to, name)) > size(_cells(s, name)):
                by.setdefault(name, Counter())[step.action] += 1
        s = step.to
        if at % (STEPS // QUARTERS) == 0:
            marks.append(_sizes(s))
    return _grown(model, s, marks, by)


def _grown(
    model: Model[S], s: S, marks: list[dict[str, int]], by: Mapping[str, Counter[str]]
) -> Growth | None:
    for name in s._layout:
        sizes = tuple(mark[name] for mark in marks)
        if all(before < after for before, after in pairwise(sizes)):
            cell = max((cell for cell, _ in s.cells(name)), key=lambda c: size(s.look(c)))
            action = model.spec.action(by[name].most_common(1)[0][0])
            return Growth(name, cell, sizes, action)
    return None


def _cells(s: Cells, name: str) -> list[Any]:
    return [value for _, value in s.cells(name)]


def _sizes(s: Cells) -> dict[str, int]:
    return {name: size(_cells(s, name)) for name in s._layout}


def size(value: Any) -> int:
    """How much there is in a value: numbers by how large they are, the rest by its parts."""
    if value is None or value is ABSENT or isinstance(value, bool | Enum):
        return 0
    if isinstance(value, int):
        return abs(value)
    if isinstance(value, str | bytes):
        return len(value)
    parts: Iterable[Any]
    if isinstance(value, Table):
        parts = [part for item in value.items() for part in item]
    elif isinstance(value, Fifo | Bag):
        parts = value.mail
    elif isinstance(value, tuple | frozenset | list):
        parts = value
    else:
        fields: Iterable[str] = getattr(value, "__dataclass_fields__", ())
        parts = [getattr(value, name) for name in fields]
    return sum(1 + size(part) for part in parts)
