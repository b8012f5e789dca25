"""Saying values of the specification in few words: ids, cells, tables, messages, differences.

A real run has tables of a thousand tasks and ids of 36 characters; a report must still be read.
Long tables show the entries that somebody asked about, and count the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any

from mesos_spec.ids import ExecutorKey, LineId, LinkId, OfferId, StreamId, TaskId
from mesos_spec.kernel import ABSENT, Bag, Cell, Fifo, Table

IDS = (ExecutorKey, LineId, LinkId, OfferId, StreamId, TaskId)
ENTRIES = 4  #: of a table or a channel, before the rest is counted


def brief(value: Any, about: Collection[Any] = ()) -> str:
    """A value in a few words.  Of tables, the entries whose keys are in `about` come first."""
    if value is ABSENT:
        return "nothing"
    if isinstance(value, IDS):
        return "/".join(str(part) for part in value[:2])
    if isinstance(value, Table):
        return "{" + _some(_entries(value, about), len(value)) + "}"
    if isinstance(value, Fifo | Bag):
        return "⟨" + _some([brief(m, about) for m in value.mail[:ENTRIES]], len(value.mail)) + "⟩"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, frozenset | set):
        return "{" + _some(sorted(brief(v) for v in value)[:ENTRIES], len(value)) + "}"
    fields = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        parts = ", ".join(f"{name}={brief(getattr(value, name), about)}" for name in fields)
        return f"{type(value).__name__}({parts})"
    if isinstance(value, tuple):
        return "(" + _some([brief(v, about) for v in value[:ENTRIES]], len(value)) + ")"
    return str(value)


def _entries(table: Table[Any, Any], about: Collection[Any]) -> list[str]:
    keys = [k for k in table if k in about] or table.keys()[:ENTRIES]
    return [f"{brief(k)}: {brief(table[k])}" for k in keys]


def _some(shown: list[str], there_are: int) -> str:
    rest = there_are - len(shown)
    return ", ".join([*shown, f"… {rest} more"] if rest > 0 else shown)


def cell(where: Cell) -> str:
    """A cell as the specification writes it: `newest`, `offers[1, a1]`."""
    name, key = where
    if key is None:
        return name
    plain = isinstance(key, tuple) and not isinstance(key, IDS)
    return f"{name}[{', '.join(map(brief, key)) if plain else brief(key)}]"


def names(bound: Mapping[str, Any]) -> str:
    """Bound names: `framework=f1, offer=a1/o1`."""
    return ", ".join(f"{name}={brief(value)}" for name, value in bound.items())


def step(action: str, bound: Mapping[str, Any]) -> str:
    """A step as people write it."""
    return f"{action}({names(bound)})"


def difference(where: Cell, old: Any, new: Any) -> str:
    """What became of a cell, in as few words as tell it."""
    if isinstance(old, Table) and isinstance(new, Table):
        gone = [f"- {brief(k)}" for k in old if k not in new]
        kept = [k for k in new if k in old and old[k] != new[k]]
        come = [f"+ {brief(k)}: {brief(new[k])}" for k in new if k not in old]
        came = [f"{brief(k)}: {_fields(old[k], new[k])}" for k in kept]
        return f"{cell(where)}: {'; '.join(_first([*gone, *come, *came])) or 'the same'}"
    if isinstance(old, Fifo) and isinstance(new, Fifo):
        left = len(_common(old.mail, new.mail))
        gone = [f"- {brief(m)}" for m in old.mail[: len(old.mail) - left]]
        come = [f"+ {brief(m)}" for m in new.mail[left:]]
        return f"{cell(where)}: {'; '.join(_first([*gone, *come])) or 'the same'}"
    return f"{cell(where)}: {_fields(old, new)}"


def _common(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    """The mail that was there before and still is: the end of `old`, the beginning of `new`."""
    for gone in range(len(old) + 1):
        if new[: len(old) - gone] == old[gone:]:
            return old[gone:]
    return ()


def _fields(old: Any, new: Any) -> str:
    """`old` → `new`; of two records of a kind only the fields that differ."""
    fields: Iterable[str] = getattr(new, "_fields", ())
    if type(old) is not type(new) or not fields:
        return f"{brief(old)} → {brief(new)}"
    changed = [n for n in fields if getattr(old, n) != getattr(new, n)]
    return ", ".join(f"{n}: {brief(getattr(old, n))} → {brief(getattr(new, n))}" for n in changed)


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - 2 * ENTRIES
    return [*lines[: 2 * ENTRIES], f"… {rest} more"] if rest > 0 else lines
