"""The values a specification's cells hold: immutable, hashable, cheap to make.

`Table` is a dict, `Fifo` and `Bag` are channels.  `+` and `-` give a new value and leave the old
one alone, so that `s.offers[agent] -= offer` reads like an assignment and is one.  Equal values
must also be of equal kind, or a search would merge states that differ: two named tuples of
different classes are equal, so a channel refuses any message that is not a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)
D = TypeVar("D")


class Untold(Exception):
    """The specification broke a rule of its own language.  The text says which, and what to do.

    `about` is the function that is at fault, where no line of it was running.
    """

    def __init__(self, text: str, about: Callable[..., Any] | None = None) -> None:
        super().__init__(text)
        self.about = about


class WrongDelivery(Untold):
    """A message was taken from a channel that could not have delivered it."""

    def __init__(self, channel: object, text: str) -> None:
        super().__init__(text)
        self.channel = channel


def in_order(keys: Iterable[K]) -> list[K]:
    """`keys`, sorted.  Raises `Untold` if their type has no order."""
    loose: Iterable[Any] = keys
    try:
        return sorted(loose)
    except TypeError as e:
        raise Untold(f"keys must have an order, to be listed the same way every time: {e}") from e


#: The dict that a table was made from by `+` or `-`, the only keys under which it may hold
#: something else, and the same of that table: three at most, so that nothing old stays for ever.
_Past = tuple[dict[Any, Any], tuple[Any, ...], "_Past | None"]

_new = object.__new__


# ---- tables --------------------------------------------------------------------------------
class Table(Generic[K, V]):
    """An immutable dict: `t + {k: v}` is `t` with `k`, `t - k` without (whether or not it had it).

    Iterating, `keys`, `values` and `items` go in the order of the keys.
    """

    __slots__ = ("_d", "_hash", "_past", "_sorted", "_tallies")

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._d: dict[K, V] = dict(items)
        self._sorted = False  # whether `_d` is known to be in the order of its keys
        self._past: _Past | None = None
        self._hash: int | None = None
        self._tallies: dict[Tally, Mapping[Any, int]] | None = None  # those that were asked for

    def __getitem__(self, k: K) -> V:
        return self._d[k]

    def get(self, k: K, default: D) -> V | D:
        """What is under `k`, or `default`."""
        return self._d.get(k, default)

    def __contains__(self, k: object) -> bool:
        return k in self._d

    def __len__(self) -> int:
        return len(self._d)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def _in_order(self) -> dict[K, V]:
        if not self._sorted:
            listed = [(k, self._d[k]) for k in in_order(self._d)]
            self._d.clear()
            self._d.update(listed)
            self._sorted = True
        return self._d

    def keys(self) -> list[K]:
        """The keys, in order."""
        return list(self._in_order())

    def values(self) -> list[V]:
        """The values, in the order of their keys."""
        return list(self._in_order().values())

    def items(self) -> list[tuple[K, V]]:
        """Key and value, in the order of the keys."""
        return list(self._in_order().items())

    def __add__(self, more: Mapping[K, V] | Table[K, V]) -> Table[K, V]:
        others = more._d if isinstance(more, Table) else more
        d = self._d.copy()
        d.update(others)
        return self._made(d, self._sorted and len(d) == len(self._d), tuple(others))

    def __sub__(self, k: K) -> Table[K, V]:
        d = self._d.copy()
        d.pop(k, None)
        return self._made(d, self._sorted, (k,))

    def _made(self, d: dict[K, V], in_order: bool, keys: tuple[K, ...]) -> Table[K, V]:
        """Another table, from this one by one change, of `keys`."""
        new: Table[K, V] = _new(Table)
        new._d, new._sorted, new._hash, new._tallies = d, in_order, None, None
        past = self._past
        if past is not None and past[2] is not None and past[2][2] is not None:
            was, some, _ = past[2]
            past = (past[0], past[1], (was, some, None))
        new._past = (self._d, keys, past)
        tallies = self._tallies
        if tallies is not None:
            was = self._d
            new._tallies = {t: t.after(sums, was, d, keys) for t, sums in tallies.items()}
        return new

    def only(self, keys: Iterable[K]) -> Table[K, V]:
        """The part of this table that is under `keys`."""
        d = self._d
        new: Table[K, V] = _new(Table)
        new._d = few = {k: d[k] for k in keys if k in d}
        new._sorted, new._hash, new._past, new._tallies = len(few) < 2, None, None, None
        return new

    def tally(self, tally: Tally) -> Mapping[Any, int]:
        """What the entries come to by label (not to be written to); no label has 0.

        Added up once; then kept along in the tables made from this one by `+` and `-`.
        """
        if self._tallies is None:
            self._tallies = {}
        sums = self._tallies.get(tally)
        if sums is None:
            sums = self._tallies[tally] = tally.after({}, {}, self._d, self._d)
        return sums

    def differs(self, other: Table[K, V]) -> tuple[K, ...] | list[K]:
        """The keys under which this may hold something else than `other`; all others are the same.

        Cheap where this was made from `other` by a few `+` and `-`.
        """
        if self is other:
            return ()
        mine, theirs = self._d, other._d
        past = self._past
        if past is not None:
            if past[0] is theirs:
                return past[1]
            keys = past[1]
            while (past := past[2]) is not None:
                keys = past[1] + keys
                if past[0] is theirs:
                    return tuple(dict.fromkeys(keys))
        changed = [k for k, v in mine.items() if k not in theirs or theirs[k] is not v]
        return changed + [k for k in theirs if k not in mine]

    def changes(self, old: Table[K, V]) -> list[tuple[K, V | None, V | None]]:
        """What `differs`: each key, what `old` has there, what this has; None for nothing."""
        mine, theirs, past = self._d, old._d, self._past
        keys = past[1] if past is not None and past[0] is theirs else self.differs(old)
        if len(keys) == 1:
            k = keys[0]
            return [(k, theirs.get(k), mine.get(k))]
        return [(k, theirs.get(k), mine.get(k)) for k in keys]

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Table and self._d == other._d)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._d.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Table, (self._d,)  # a hash is good in its process only

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k!r}: {v!r}" for k, v in self.items()) + "}"


class Tally:
    """A sum over the entries of a table: `of(key, value)` is what one adds to each label."""

    __slots__ = ("of",)

    def __init__(self, of: Callable[[Any, Any], Mapping[Any, int]]) -> None:
        self.of = of

    def after(
        self, sums: Mapping[Any, int], old: Mapping[Any, Any], new: Mapping[Any, Any], differs: Any
    ) -> Mapping[Any, int]:
        """The sums over `new`, where `sums` are those over `old` and only `differs` changed."""
        of = self.of
        made: dict[Any, int] | None = None
        for key in differs:
            gone = of(key, old[key]) if key in old else _NOTHING
            come = of(key, new[key]) if key in new else _NOTHING
            if gone == come:
                continue
            if made is None:
                made = dict(sums)
            for label, n in (*come.items(), *((label, -n) for label, n in gone.items())):
                rest = made.get(label, 0) + n
                if rest:
                    made[label] = rest
                else:
                    made.pop(label, None)
        return sums if made is None else made


_NOTHING: Mapping[Any, int] = {}


# ---- channels ------------------------------------------------------------------------------
_messages: set[type] = set()  # kinds of message already found good


def check_message_types(*kinds: type) -> None:
    """Raise `Untold` for the first of `kinds` that may not travel in a channel."""
    for kind in kinds:
        made: Any = getattr(kind, "__dataclass_params__", None)
        if made is None or not (made.frozen and made.eq) or issubclass(kind, tuple):
            raise Untold(
                f"{kind.__name__} may not be a message: write it as @dataclass(frozen=True, "
                f"slots=True), so that it never equals a message of another kind"
            )
        _messages.add(kind)


class Fifo(Generic[V]):
    """A channel that keeps order: `f + m` sends, `f - m` delivers, and only the oldest may be."""

    __slots__ = ("_hash", "delivered", "mail")

    mail: tuple[V, ...]  #: in flight, oldest first
    delivered: V | None  #: what `-` took to make this value; not compared

    def __init__(self, mail: Iterable[V] = ()) -> None:
        self.mail = tuple(mail)
        self.delivered = None
        self._hash: int | None = None

    def __len__(self) -> int:
        return len(self.mail)

    def __add__(self, message: V) -> Fifo[V]:
        if type(message) not in _messages:
            check_message_types(type(message))
        more: Fifo[V] = _new(Fifo)
        more.mail, more.delivered, more._hash = (*self.mail, message), None, None
        return more

    def __sub__(self, message: V) -> Fifo[V]:
        if not self.mail or (self.mail[0] is not message and self.mail[0] != message):
            oldest = f"{self.mail[0]} is" if self.mail else "nothing is there"
            raise WrongDelivery(self, f"{message} is delivered, but is not the oldest: {oldest}")
        rest: Fifo[V] = _new(Fifo)
        rest.mail, rest.delivered, rest._hash = self.mail[1:], message, None
        return rest

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Fifo and self.mail == other.mail)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.mail)
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Fifo, (self.mail,)

    def __repr__(self) -> str:
        return "⟨" + ", ".join(map(repr, self.mail)) + "⟩"


class Bag(Generic[V]):
    """A channel without order: `b + m` sends, `b - m` delivers, and anything in it may be.

    Iterating gives each different message once, in the order of their texts.
    """

    __slots__ = ("_count", "_hash", "delivered")

    delivered: V | None  #: what `-` took to make this value; not compared

    def __init__(self, mail: Iterable[V] = ()) -> None:
        self.delivered = None
        self._count: dict[V, int] = {}
        for message in mail:
            self._count[message] = self._count.get(message, 0) + 1
        self._hash: int | None = None

    @property
    def mail(self) -> tuple[V, ...]:
        """In flight, each as often as it was sent."""
        return tuple(message for message in self for _ in range(self._count[message]))

    def __iter__(self) -> Iterator[V]:
        return iter(sorted(self._count, key=repr))

    def __contains__(self, message: object) -> bool:
        return message in self._count

    def __len__(self) -> int:
        return sum(self._count.values())

    def __add__(self, message: V) -> Bag[V]:
        if type(message) not in _messages:
            check_message_types(type(message))
        return self._with(message, self._count.get(message, 0) + 1)

    def __sub__(self, message: V) -> Bag[V]:
        if message not in self._count:
            raise WrongDelivery(self, f"{message} is delivered, but is not in flight")
        rest = self._with(message, self._count[message] - 1)
        rest.delivered = message
        return rest

    def _with(self, message: V, times: int) -> Bag[V]:
        new: Bag[V] = Bag()
        new._count = {**self._count, message: times}
        if not times:
            del new._count[message]
        return new

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Bag and self._count == other._count)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._count.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Bag, (self.mail,)

    def __repr__(self) -> str:
        return "⟅" + ", ".join(map(repr, self.mail)) + "⟆"


# ---- what may be kept ----------------------------------------------------------------------
_PLAIN = (type(None), bool, int, float, str, bytes, Enum)
_INSTEAD: dict[type, str] = {
    list: "a tuple",
    dict: "a Table",
    set: "a frozenset",
    bytearray: "bytes",
}


def check_value(value: Any) -> None:
    """Raise `Untold` if `value` could change while a cell keeps it, in any of its parts."""
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, Table):
        parts: Iterable[Any] = [part for item in value._d.items() for part in item]
    elif isinstance(value, Fifo | Bag):
        parts = value.mail
    elif isinstance(value, tuple | frozenset):
        parts = value
    else:
        kind = type(value)
        if not _stays_the_same(kind):
            instead = _INSTEAD.get(kind, "a NamedTuple or a @dataclass(frozen=True, slots=True)")
            raise Untold(f"a {kind.__name__} can change while a cell keeps it: write {instead}")
        fields: Iterable[str] = getattr(value, "__dataclass_fields__", ())
        parts = [getattr(value, name) for name in fields]
    for part in parts:
        check_value(part)


def _stays_the_same(kind: type) -> bool:
    """Whether objects of a class are equal by what they are made of, and that can't be changed.

    A class that is no dataclass, and says itself what makes two of it equal, is believed.
    """
    made: Any = getattr(kind, "__dataclass_params__", None)
    if made is not None:
        return bool(made.frozen and made.eq)
    its_own = [getattr(kind, name) for name in ("__hash__", "__eq__")]
    return its_own[0] is not None and its_own != [object.__hash__, object.__eq__]


# ---- equal and alike -----------------------------------------------------------------------
def alike(a: Any, b: Any) -> bool:
    """Whether `a` and `b`, which are equal, are also of one kind, all the way down.

    `1 == True`, and named tuples of two classes may be equal: such values look different.
    """
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, Table):
        return _all_alike(a._d, b._d) and all(alike(a._d[k], b._d[k]) for k in a._d)
    if isinstance(a, Fifo | tuple):
        left, right = (a.mail, b.mail) if isinstance(a, Fifo) else (a, b)
        return all(map(alike, left, right))
    if isinstance(a, Bag):
        return _all_alike(a._count, b._count)
    if isinstance(a, frozenset):
        return _all_alike(a, b)
    fields = getattr(a, "__dataclass_fields__", ())
    return all(alike(getattr(a, name), getattr(b, name)) for name in fields)


def _all_alike(a: Iterable[Any], b: Iterable[Any]) -> bool:
    theirs = {k: k for k in b}
    return all(alike(k, theirs[k]) for k in a)
