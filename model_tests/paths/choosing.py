"""Which paths of a model's state graph are worth walking: for each way to do something, a shortest.

All steps of a party are sorted by *way*: the action, the kind of message it takes, and which cells
it fills, empties or changes.  A path leads to the first step of each way that the search found, and
so is one of the shortest; a path that is the beginning of another is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from mesos_spec.kernel import Fifo, Table
from mesos_spec.kernel.model import Model
from mesos_spec.mesos import ACTIONS
from mesos_spec.models.settings import Beginning
from mesos_spec.state import State
from mesos_spec.tools.search.checker import Taken
from mesos_spec.tools.search.graph import Graph

Path = list[tuple[State, Taken]]  #: each step, and the state it is taken in

Way = tuple[Any, ...]


def paths(model: Model[State], by: str, each: int = 1) -> Iterator[Path]:
    """Paths of a finished model that together go every way of a party's, `each` times."""
    graph = _graph(model)
    mine = {one.name for one in model.spec.actions if one.by == by}
    found: dict[Way, int] = {}
    ends: list[int] = []
    for step in range(len(graph.source)):
        if graph.labels[graph.label[step]][0] not in mine:
            continue
        way = way_of(graph.taken(step))
        if found.get(way, 0) < each:
            found[way] = found.get(way, 0) + 1
            ends.append(step)
    script = list(_script(model))
    whole = {(*graph.way_to(graph.source[end]), end) for end in ends}
    beginnings = {way[:n] for way in whole for n in range(len(way))}
    for way in sorted(whole - beginnings):
        yield script + [(graph.state(graph.source[n]), graph.taken(n)) for n in way]


@lru_cache(maxsize=1)
def _graph(model: Model[State]) -> Graph[State]:
    graph = Graph(model)
    assert graph.explore() == ""
    return graph


def _script(model: Model[State]) -> Iterator[tuple[State, Taken]]:
    """How a model's first state came about."""
    begin = model.spec.init
    assert isinstance(begin, Beginning)
    for played, spare in zip(begin.played(model.bounds), begin.played(model.bounds)):
        effects = ACTIONS[played.action].apply(spare.before, played.bound)
        changed = {cell: pair for cell, pair in effects.items() if pair[0] != pair[1]}
        yield played.before, Taken(played.action, played.bound, changed)


def way_of(step: Taken) -> Way:
    """What a step does, without names and amounts: what it hears, and what of each cell changes."""
    heard = [old.mail[0] for old, new in step.changed.values() if _hears(old, new)]
    cells = {(cell[0], shape(old), shape(new)) for cell, (old, new) in step.changed.items()}
    given = {name: value for name, value in step.bound.items() if isinstance(value, bool)}
    return step.action, *map(shape, heard), *given.items(), tuple(sorted(cells, key=repr))


def _hears(old: Any, new: Any) -> bool:
    return isinstance(old, Fifo) and bool(old.mail) and new.mail == old.mail[1:]


def shape(value: Any) -> Any:
    """A value without names and amounts: words, flags, and of many things whether there are any."""
    if value is None or isinstance(value, bool | Enum):
        return value
    if isinstance(value, str):
        return value if value.startswith("TASK_") else "…"
    if isinstance(value, Fifo):
        return "mail" if value.mail else "no mail"
    if is_dataclass(value) and not isinstance(value, Table):
        parts = (getattr(value, field.name) for field in fields(value))
        return type(value).__name__, *map(shape, parts)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value).__name__, *map(shape, value)
    if isinstance(value, Sized):
        return min(len(value), 2)
    return "…"
