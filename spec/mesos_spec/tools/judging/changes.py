"""What a step changed, part by part: each difference is found once, for all who want to know.

The properties to ask, the tasks that were touched, what was sent and what a node must show
afterwards all follow from the same few differences: entries of tables that came, went or are
others now; messages that were taken from a channel or put into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mesos_spec.kernel import Fifo, Table
from mesos_spec.kernel.cells import Cell, Effects

Entry = tuple[Any, Any, Any]  #: a key of a table, what was under it, what is now; None for nothing


class Mail(NamedTuple):
    """What became of a channel: what is gone from its head, and what came at its end."""

    taken: tuple[Any, ...]
    sent: tuple[Any, ...]


class Change(NamedTuple):
    """A cell that holds something else than before."""

    cell: Cell
    old: Any
    new: Any
    entries: Sequence[Entry] = ()  #: of a table: those that may differ
    mail: Mail | None = None  #: of a channel


_change = tuple.__new__  #: past the defaults of a named tuple


def changes(effects: Effects) -> list[Change]:
    """The cells that a step, or several, left otherwise than they were, in order."""
    found = []
    for cell, (old, new) in effects.items():
        if old is new:
            continue
        kind = type(new)
        if kind is Table:
            found.append(_change(Change, (cell, old, new, new.changes(old), None)))
        elif kind is Fifo:
            found.append(_change(Change, (cell, old, new, (), _mail(old.mail, new.mail))))
        else:
            found.append(_change(Change, (cell, old, new, (), None)))
    return found


def _mail(old: tuple[Any, ...], new: tuple[Any, ...]) -> Mail:
    """The fewest messages that may have been taken, and the rest is what was sent."""
    if not old:
        return Mail((), new)
    if not new:
        return Mail(old, ())
    for gone in range(len(old)):
        kept = len(old) - gone
        if kept > len(new) or (new[0] is not old[gone] and new[0] != old[gone]):
            continue
        if new[:kept] == old[gone:]:
            return Mail(old[:gone], new[kept:])
    return Mail(old, new)


def put_in(changed: Sequence[Change]) -> dict[Cell, tuple[Any, ...]]:
    """What was put into each channel."""
    return {one.cell: one.mail.sent for one in changed if one.mail is not None and one.mail.sent}
