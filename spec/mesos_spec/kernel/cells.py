"""States: sets of cells, and views of them.

The cells of one field are one dict.  A state copied from another shares these dicts until one of
the two writes, so a copy is cheap and a step costs what it changes.  A cell that holds its field's
default is not kept: states that differ only by such cells are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Self,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)  # fmt: skip

from mesos_spec.kernel.values import Untold, in_order

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)
T = TypeVar("T")
S = TypeVar("S", bound="Cells")

Cell = tuple[str, Any]  #: a field's name and a key; the key of a scalar field is None
Effects = dict[Cell, tuple[Any, Any]]  #: each cell a step wrote, with what it held and holds
Reads = dict[Cell, Any]  #: each cell that was read, in reading order, with what it held


class _Word:
    """A value that is nothing but its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


ABSENT = _Word("ABSENT")  #: what a cell without a default holds before it is first written
EVERY_KEY = _Word("EVERY_KEY")  #: the key under which `Reads` notes that `keys()` was asked


def absent(name: str, key: Any) -> Untold:
    """What to say of a cell that was never written and has no default."""
    return Untold(
        f"{name} has no cell for {key!r}, and no default: give it one "
        f"({name}: Per[...] = per(...)), or ask for a key it has"
    )


BEFORE, AFTER, WROTE = 0, 1, 2  #: what was read of a step
StepReads = dict[tuple[int, Cell], Any]  #: what was read of a step, in reading order


class _Side(dict[Cell, Any]):
    """Notes what is read of one of two states, in the order in which both are read."""

    def __init__(self, both: StepReads, which: int, written: Container[Cell]) -> None:
        self.both, self.which, self.written = both, which, written

    def setdefault(self, cell: Cell, value: Any = None) -> Any:
        return self.both.setdefault((self.which, cell), value)

    def __setitem__(self, cell: Cell, value: Any) -> None:
        self.both[self.which, cell] = value

    def wrote(self, cell: Cell) -> bool:
        """Whether the step wrote a cell; that this was asked is noted."""
        wrote: bool = self.both.setdefault((WROTE, cell), cell in self.written)
        return wrote


class Closely(dict[Cell, Any]):
    """Notes what is read, and where of a cell was read no more than whether it `is_empty`.

    That stands as a cell of its own, `whether_empty`, for `fields`; of others the whole cell does.
    """

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__()
        self.fields = fields
        self.asked: set[str] = set()  #: the fields of which it was asked

    def note_emptiness(self, cell: Cell, value: Any) -> None:
        """Of this cell, which holds `value`, was asked whether it is empty."""
        self.asked.add(cell[0])
        if cell in self or cell[0] not in self.fields:
            self.setdefault(cell, value)
        else:
            self.setdefault(whether_empty(cell), emptiness(value))


def emptiness(value: Any) -> Any:
    """Whether a value is empty; `ABSENT` is neither."""
    return value if value is ABSENT else not value


def whether_empty(cell: Cell) -> Cell:
    """What stands for no more than whether a cell is empty."""
    return f"{cell[0]} is empty", cell[1]


class Turn:
    """One evaluation of one action: what it may write, what it wrote, who hears its guards."""

    __slots__ = ("changes", "effects", "hear", "name")

    def __init__(
        self,
        name: str,
        changes: frozenset[str],
        hear: Callable[[str, bool], None] | None = None,
    ) -> None:
        self.name = name
        self.changes = changes
        self.effects: Effects = {}
        self.hear = hear


# ---- states --------------------------------------------------------------------------------
class Per(Generic[K, V]):
    """A field with one cell per key.  Reading and writing name the key.

    In a `State` it is a view of the state's cells; on its own it is what a state is made from.
    """

    __slots__ = ("_cells", "_default", "_name", "_owner")

    def __init__(self, cells: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._cells: dict[K, V] = dict(cells)
        self._default: Any = ABSENT
        self._name = ""
        self._owner: Any = None

    def __getitem__(self, k: K) -> V:
        value: V = self._cells.get(k, self._default)
        if self._owner._reads is not None:
            self._owner._note((self._name, k), value)
        if value is ABSENT:
            raise absent(self._name, k)
        return value

    def __setitem__(self, k: K, v: V) -> None:
        self._owner._write(self._name, k, v)

    def is_empty(self, k: K) -> bool:
        """Whether cell `k` holds nothing: a queue without mail, say.

        The same as `not cells[k]`; but who listens `Closely` is told that no more was asked.
        """
        value = self._cells.get(k, self._default)
        if self._owner._reads is not None:
            self._owner._note((self._name, k), value, emptiness=True)
        if value is ABSENT:
            raise absent(self._name, k)
        return not value

    def differs(self, after: Per[K, V], k: K) -> bool:
        """Whether cell `k` holds something else `after` a step, of which these are cells before.

        The same as `before[k] != after[k]`; but of a cell that the step did not write, nothing is
        read to know.
        """
        reads = self._owner._reads
        if isinstance(reads, _Side) and not reads.wrote((self._name, k)):
            return False
        return self[k] != after[k]

    def keys(self) -> list[K]:
        """The keys whose cells differ from the default, in order.

        For properties and tools: an action that asks reads every cell of the field at once.
        """
        if self._owner is not None and self._owner._reads is not None:
            self._owner._reads[self._name, EVERY_KEY] = None
        return in_order(self._cells)

    def items(self) -> list[tuple[K, V]]:
        """Key and value of each cell that differs from the default, in the order of the keys."""
        return [(k, self._cells[k]) for k in self.keys()]

    __contains__: ClassVar[None] = None  # else `in` would ask for the cells 0, 1, 2, … for ever
    __iter__: ClassVar[None] = None


def per(default: V) -> Per[Any, V]:
    """A `Per` field whose cells hold `default` until written.

    Written `mail: Per[Id, Fifo[Mail]] = per(Fifo())`.  Writing the default back removes the cell:
    states that differ only by such cells are equal.
    """
    made: Per[Any, V] = Per()
    made._default = default
    return made


class _Const: ...


Const = Annotated[T, _Const]  #: a field that is not state: the sizes of a model, say


class _Field:
    """A field of the class: gives a scalar's value, or the (kept) view of a `Per` field."""

    __slots__ = ("default", "name", "scalar")

    def __init__(self, name: str, scalar: bool, default: Any) -> None:
        self.name, self.scalar, self.default = name, scalar, default

    def __get__(self, s: Cells | None, owner: object) -> Any:
        if s is None:
            return self
        if self.scalar:
            value = s._fields[self.name][None]
            if s._reads is not None:
                s._note((self.name, None), value)
            return value
        view = s.__dict__[self.name] = Per[Any, Any].__new__(Per)
        view._cells, view._default = s._fields[self.name], self.default
        view._name, view._owner = self.name, s
        return view


_keep = dict.__setitem__  #: past what a live field does for an action

_FRESH: dict[str, Any] = {
    "_reads": None,
    "_now": None,
    "_written": {},
    "_hash": None,
    "_alone": False,
}


@dataclass_transform(kw_only_default=True)
class Cells:
    """Base of a specification's one `State` class; its annotations are the fields.

    The cells of a field are one dict.  Copies share these dicts until one of them writes.
    """

    _layout: ClassVar[dict[str, _Field]]
    _consts: ClassVar[dict[str, Any]]
    _fields: dict[str, dict[Any, Any]]
    _mine: set[str]  # fields whose dict no other state shares
    _reads: Reads | None  # where reads are noted, if anybody wants to know
    _now: Turn | None  # the action that is writing
    _written: Effects  # what is not the state's own: reading it is not noted
    _hash: int | None
    _alone: bool  # whether this is the only state with these dicts, for good (`live.alone`)

    def __init__(self, **given: Any) -> None:
        cls = type(self)
        if "_layout" not in cls.__dict__:
            cls._lay_out()
        unknown = given.keys() - cls._layout.keys() - cls._consts.keys()
        if unknown:
            raise Untold(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
        consts = {name: given.get(name, default) for name, default in cls._consts.items()}
        fields = {name: _cells_of(f, given.get(name, f.default)) for name, f in cls._layout.items()}
        missing = [name for name, value in (consts | fields).items() if value is ABSENT]
        if missing:
            raise Untold(f"{cls.__name__} is made without a value for {', '.join(missing)}")
        self.__dict__.update(consts, _fields=fields, _mine=set(fields), **_FRESH)

    @classmethod
    def _lay_out(cls) -> None:
        """Find the fields.  Late, so that their types may be written in any order."""
        cls._layout, cls._consts = {}, {}
        for name, hint in get_type_hints(cls, include_extras=True).items():
            if name in Cells.__annotations__:
                continue
            if hasattr(Cells, name):
                raise Untold(f"a field may not be called {name}: every state has a method of it")
            default = getattr(cls, name, ABSENT)
            default = default.default if isinstance(default, _Field) else default
            if get_origin(hint) is Annotated and _Const in get_args(hint):
                cls._consts[name] = default
                continue
            scalar = get_origin(hint) is not Per
            if isinstance(default, Per):
                default = default._default
            cls._layout[name] = _Field(name, scalar, default)
            setattr(cls, name, cls._layout[name])

    def copy(self) -> Self:
        """The same state, to be written independently."""
        new = object.__new__(type(self))
        inside = new.__dict__
        for name in self._consts:
            inside[name] = self.__dict__[name]
        if self._alone:  # its fields are not to be shared
            fields = {name: dict.copy(cells) for name, cells in self._fields.items()}
            inside.update(_fields=fields, _mine=set(fields), **_FRESH)
            return new
        inside.update(_fields=self._fields.copy(), _mine=set(), **_FRESH)
        self._mine.clear()
        return new

    def before(self, effects: Effects) -> Self:
        """The state before the step `apply` took last; good until this state is next written."""
        mine = self._mine.copy()
        new = self.copy()
        self._mine.update(mine)
        undo(new, effects)
        return new

    def after(self, effects: Effects) -> Self:
        """The state `effects` lead to, for looking at.

        What a listener to this state would like to know is noted: the cells it reads, but for
        those that `effects` wrote.
        """
        new = self.copy()
        redo(new, effects)
        new.__dict__.update(_reads=self._reads, _written=effects)
        return new

    def listen(self, ask: Callable[[Self], T], closely: Closely | None = None) -> tuple[T, Reads]:
        """What `ask` answers here, and the cells it read to know.

        Who listens `closely` does so alone: what it hears of are no cells to others.
        """
        assert closely is None or self._reads is None, "somebody else listens"
        reads: Reads = {} if closely is None else closely
        outer, self.__dict__["_reads"] = self._reads, reads
        try:
            return ask(self), reads
        finally:
            self.__dict__["_reads"] = outer
            if outer is not None:
                outer.update((cell, value) for cell, value in reads.items() if cell not in outer)

    def compared(
        self, after: Self, written: Container[Cell], ask: Callable[[], T]
    ) -> tuple[T, StepReads]:
        """What `ask` answers of this state and the one `after` a step, and what it read to know.

        The step wrote nothing but `written`.  Who listens to this state is not told.
        """
        reads: StepReads = {}
        outer = self._reads
        self.__dict__["_reads"] = _Side(reads, BEFORE, written)
        after.__dict__["_reads"] = _Side(reads, AFTER, written)
        try:
            return ask(), reads
        finally:
            self.__dict__["_reads"], after.__dict__["_reads"] = outer, None

    def cells(self, *fields: str) -> Iterator[tuple[Cell, Any]]:
        """Every cell (of `fields`, if given) that does not hold its default, in order."""
        for name in fields or self._fields:
            cells = self._fields[name]
            if self._reads is not None:
                self._reads[name, EVERY_KEY] = None
            for key in in_order(cells):
                yield (name, key), cells[key]

    def look(self, cell: Cell) -> Any:
        """What `cell` holds (unrecorded); `ABSENT` if it was never written and has no default."""
        return self._fields[cell[0]].get(cell[1], self._layout[cell[0]].default)

    def default(self, cell: Cell) -> Any:
        """What `cell` holds until it is written, or `ABSENT`."""
        return self._layout[cell[0]].default

    def _note(self, cell: Cell, value: Any, emptiness: bool = False) -> None:
        """A cell was read.  What an action reads of its own writes is no read of the state."""
        reads = self._reads
        if reads is None or cell in self._written:
            return
        if emptiness and isinstance(reads, Closely):
            reads.note_emptiness(cell, value)
        else:
            reads.setdefault(cell, value)

    def _put(self, name: str, key: Any, value: Any) -> None:
        """Write a cell, no questions asked."""
        cells = self._fields[name]
        if name not in self._mine:
            cells = self._fields[name] = cells.copy()
            self._mine.add(name)
            if name in self.__dict__:
                self.__dict__[name]._cells = cells
        if key is not None and value == self._layout[name].default:
            cells.pop(key, None)
        else:
            _keep(cells, key, value)

    def _write(self, name: str, key: Any, value: Any) -> None:
        """Write a cell on behalf of the action that is running, and note it."""
        turn = self._now
        if turn is None:
            raise Untold(f"{name} of a finished state is written: only an action may, on its draft")
        if name not in turn.changes:
            raise Untold(f"{turn.name} changes {name} without saying so: add it to changes=")
        cell = (name, key)
        if cell in turn.effects:
            old = turn.effects[cell][0]
        else:
            old = self._fields[name].get(key, self._layout[name].default)
        turn.effects[cell] = (old, value)
        self._put(name, key, value)

    if not TYPE_CHECKING:  # a type checker that saw this would let any name be set

        def __setattr__(self, name: str, value: Any) -> None:
            """Write a scalar field."""
            field = self._layout.get(name)
            if field is None:
                known = ", ".join(self._layout)
                what = "is a constant" if name in self._consts else f"is no field; they are {known}"
                raise Untold(
                    f"{self._now.name if self._now else 'somebody'} sets {name}, which {what}"
                )
            if not field.scalar:
                raise Untold(f"{name} is written as a whole: name a key, s.{name}[key] = …")
            self._write(name, None, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._fields == other._fields

    def __hash__(self) -> int:
        if self._hash is None:
            every = ((n, frozenset(cells.items())) for n, cells in self._fields.items())
            self.__dict__["_hash"] = hash(frozenset(every))
        found: int = self.__dict__["_hash"]
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{show(c)}={v!r}' for c, v in self.cells())})"


def _cells_of(field: _Field, given: Any) -> Any:
    """The dict of a new state's field, made from what the constructor was given."""
    if field.scalar:
        return ABSENT if given is ABSENT else {None: given}
    if isinstance(given, Per):
        return {k: v for k, v in given._cells.items() if v != field.default}
    if given is field.default and given is not ABSENT:
        return {}
    if given is ABSENT:
        return ABSENT
    raise Untold(f"{field.name} has a cell per key: make it from Per({{…}}), not from {given!r}")


def show(cell: Cell) -> str:
    """A cell as the specification writes it: `leader`, `offers[a1]`."""
    name, key = cell
    return name if key is None else f"{name}[{key}]"


def undo(s: Cells, effects: Effects) -> None:
    """Take back, in place, a step that `apply` took: the last one not yet taken back."""
    s.__dict__["_hash"] = None
    for (name, key), (old, _) in effects.items():
        s._put(name, key, old)


def redo(s: Cells, effects: Effects) -> None:
    """Take again, in place, a step that was taken back."""
    s.__dict__["_hash"] = None
    for (name, key), (_, new) in effects.items():
        s._put(name, key, new)
