"""A state with one owner, for who follows one long behaviour: read like a dict, kept in place.

A checker copies states all the time, so theirs share what they have not written.  Whoever follows a
single behaviour never copies: `alone` lets a state's fields *be* the dicts they are kept in.  What
an action may write, and that it is noted, is as ever.

A `Window` shows such a state otherwise in a few cells: as it was before a step, say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from mesos_spec.kernel.cells import _FRESH, ABSENT, Cell, Cells, _keep, absent
from mesos_spec.kernel.values import Fifo, Table, in_order

S = TypeVar("S", bound=Cells)

_NO_TABLE: Table[Any, Any] = Table()
_NO_MAIL: Fifo[Any] = Fifo()


class _Live(dict[Any, Any]):
    """The cells of one field of a state with one owner, in the place of its `Per`."""

    __slots__ = ("_default", "_kind", "_name", "_state")

    def __init__(self, state: Cells, name: str, cells: Mapping[Any, Any], default: Any) -> None:
        super().__init__(cells)
        self._state, self._name, self._default = state, name, default
        #: Of a default that holds nothing; then only a value that holds nothing equals it.
        self._kind = type(default) if default in (_NO_TABLE, _NO_MAIL) else None

    def __missing__(self, key: Any) -> Any:
        if self._default is ABSENT:
            raise absent(self._name, key)
        return self._default

    def __setitem__(self, key: Any, value: Any) -> None:
        turn = self._state._now
        if turn is None or self._name not in turn.changes:
            self._state._write(self._name, key, value)  # which says what is wrong
        assert turn is not None
        cell, effects = (self._name, key), turn.effects
        if cell in effects:
            effects[cell] = (effects[cell][0], value)
        else:
            effects[cell] = (self.get(key, self._default), value)
        kind = type(value)
        if kind is self._kind:
            is_default = not (value.mail if kind is Fifo else value._d)
        else:
            is_default = value == self._default
        if is_default:
            self.pop(key, None)
        else:
            _keep(self, key, value)

    def is_empty(self, key: Any) -> bool:
        """Whether a cell holds nothing."""
        return not self[key]

    def differs(self, after: Any, key: Any) -> bool:
        """Whether a cell holds something else `after` a step."""
        was, now = self[key], after[key]
        return was is not now and was != now

    def keys(self) -> Any:
        """The keys whose cells differ from the default, in order."""
        return in_order(self)

    def items(self) -> Any:
        """Key and value of each cell that differs from the default, in the order of the keys."""
        return [(key, self[key]) for key in in_order(self)]


def alone(s: S) -> S:
    """`s`, which nobody shares, from now on kept in place.

    Copies of it are states as ever, each made in full; what *it* reads cannot be listened to.
    """
    for name, field in s._layout.items():
        if not field.scalar:
            live = _Live(s, name, s._fields[name], field.default)
            s._fields[name] = s.__dict__[name] = live
    s.__dict__.update(_alone=True, _mine=set(s._fields))
    return s


class _Pane(dict[Any, Any]):
    """The cells of one field that a window shows otherwise; for all others, what is behind it."""

    __slots__ = ("_behind",)

    def __init__(self, behind: _Live) -> None:
        super().__init__()
        self._behind = behind

    def __missing__(self, key: Any) -> Any:
        return self._behind[key]

    def is_empty(self, key: Any) -> bool:
        """Whether a cell holds nothing."""
        return not self[key]

    def differs(self, after: Any, key: Any) -> bool:
        """Whether a cell holds something else `after` a step."""
        was, now = self[key], after[key]
        return was is not now and was != now

    def keys(self) -> Any:
        """The keys whose cells differ from the default, in order."""
        default = self._behind._default
        mine = [key for key in self if self[key] != default]
        return in_order([*mine, *(key for key in self._behind if key not in self)])

    def items(self) -> Any:
        """Key and value of each cell that differs from the default, in the order of the keys."""
        return [(key, self[key]) for key in self.keys()]


class Window(Generic[S]):
    """A state with one owner seen through glass: as it is at any time, but for some cells.

    For who looks often: it costs nothing to open again.  What it shows cannot be written, copied
    or compared, and is good until the state is next written or the window shows something else.
    """

    def __init__(self, s: S) -> None:
        self._behind: dict[str, Any] = {
            name: s.__dict__[name] for name, field in s._layout.items() if not field.scalar
        }
        self._panes = {name: _Pane(live) for name, live in self._behind.items()}
        self._open: dict[str, None] = {}
        self._shown = object.__new__(type(s))
        inside = self._shown.__dict__
        inside.update({name: s.__dict__[name] for name in s._consts})
        inside.update(_FRESH, _fields=s._fields, _mine=set())
        inside.update(self._behind)

    def showing(self, instead: Iterable[tuple[Cell, Any]]) -> S:
        """The state with these cells otherwise."""
        inside, panes, opened = self._shown.__dict__, self._panes, self._open
        for name in opened:
            if name in panes:
                inside[name] = self._behind[name]
            else:
                del inside[name]
        opened.clear()
        for (name, key), value in instead:
            if name not in panes:  # a scalar, which is its own only cell
                inside[name] = value
                opened[name] = None
                continue
            pane = panes[name]
            if name not in opened:
                opened[name] = None
                pane.clear()
                inside[name] = pane
            pane[key] = value
        return self._shown
