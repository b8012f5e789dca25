"""Amounts of resources, exact: what offers, tasks and shares are counted in.

A `Resources` is a bag of scalars (cpus, mem, …), ranges (ports) and sets.  Scalars are integers of
thousandths, as Mesos compares them (three decimals), so nothing is ever lost in a sum.  Zero
amounts are not kept, ranges are merged and sorted: equal amounts are equal objects, in whatever
order they were given.

Roles, reservations and volumes are not amounts.  Reading from the wire drops the allocation role
and refuses the rest with a sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from mesos_ref.wire import v1

T = TypeVar("T")
Interval = tuple[int, int]

#: Thousandths in one unit.
MILLI = 1000
#: The largest scalar taken, so that three decimals survive the trip through a double.
MAX_SCALAR = 10**12
#: The largest end of a range: uint64.
MAX_RANGE_END = 2**64 - 1


class ResourceError(ValueError):
    """An amount that can't be: no number, negative, of an unknown kind, or more than there is."""


class Resources:
    """An immutable amount of resources.  Hashable; `<=` and `contains` compare by inclusion."""

    __slots__ = ("_hash", "_quantities", "_ranges", "_scalars", "_sets")

    _scalars: dict[str, int]
    _ranges: dict[str, tuple[Interval, ...]]
    _sets: dict[str, tuple[str, ...]]
    _hash: int | None
    _quantities: dict[str, int] | None

    def __init__(
        self,
        scalars: Mapping[str, int] | None = None,
        ranges: Mapping[str, Iterable[Interval]] | None = None,
        sets: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Scalars in thousandths, ranges as inclusive intervals.  Raises `ResourceError`."""
        self._scalars = {}
        self._ranges = {}
        self._sets = {}
        self._hash = self._quantities = None
        for name, milli in (scalars or {}).items():
            if milli < 0:
                raise ResourceError(f"{name} must not be negative, but is {_decimal(milli)}")
            if milli:
                self._scalars[name] = milli
        for name, intervals in (ranges or {}).items():
            if merged := _merged(name, intervals):
                self._ranges[name] = merged
        for name, items in (sets or {}).items():
            if kept := tuple(sorted(set(items))):
                self._sets[name] = kept

    @classmethod
    def of(cls, **amounts: float) -> Resources:
        """Scalars in units: ``Resources.of(cpus=0.5, mem=64)``.  Raises `ResourceError`."""
        return cls({name: to_milli(name, amount) for name, amount in amounts.items()})

    @classmethod
    def total(cls, parts: Iterable[Resources]) -> Resources:
        """The sum of `parts`."""
        total = EMPTY
        for part in parts:
            total = total + part
        return total

    @classmethod
    def parse(cls, text: str) -> Resources:
        """Mesos' flag syntax: ``cpus:8;mem:4096;ports:[31000-32000];disks:{a,b}``.

        Raises `ResourceError`, also for a role: ``cpus(role):8`` is a static reservation.
        """
        return cls.total(_parse_item(item) for item in text.split(";") if item.strip())

    @classmethod
    def from_wire(cls, resources: Iterable[v1.Resource]) -> Resources:
        """What a list of wire resources adds up to.  Raises `ResourceError`."""
        scalars: dict[str, int] = {}
        ranges: dict[str, list[Interval]] = {}
        sets: dict[str, list[str]] = {}
        for resource in resources:
            _refuse_reserved(resource)
            name = resource.name
            if resource.type == "SCALAR" and resource.scalar is not None:
                milli = to_milli(name, resource.scalar.value)
                scalars[name] = scalars.get(name, 0) + milli
            elif resource.type == "RANGES" and resource.ranges is not None:
                intervals = [(r.begin, r.end) for r in resource.ranges.range]
                ranges.setdefault(name, []).extend(intervals)
            elif resource.type == "SET" and resource.set is not None:
                sets.setdefault(name, []).extend(resource.set.item)
            else:
                raise _no_amount(resource)
        return cls(scalars, ranges, sets)

    # Asking ---------------------------------------------------------------------------------

    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self._scalars or self._ranges or self._sets)

    def __bool__(self) -> bool:
        return not self.is_empty()

    def milli(self, name: str) -> int:
        """How many thousandths of the scalar `name`; 0 if none."""
        return self._scalars.get(name, 0)

    @property
    def scalars(self) -> Mapping[str, int]:
        """Scalars in thousandths, by name."""
        return MappingProxyType(self._scalars)

    @property
    def ranges(self) -> Mapping[str, tuple[Interval, ...]]:
        """Sorted, disjoint, inclusive intervals, by name."""
        return MappingProxyType(self._ranges)

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Sorted items, by name."""
        return MappingProxyType(self._sets)

    def quantities(self) -> dict[str, int]:
        """How much of each name, in thousandths: the length of a range or a set counts."""
        if self._quantities is None:  # asked for at each look at a table that has this
            self._quantities = dict(sorted(self._added_up().items()))
        return self._quantities.copy()

    def _added_up(self) -> dict[str, int]:
        amounts = dict(self._scalars)
        for name, intervals in self._ranges.items():
            length = sum(end - begin + 1 for begin, end in intervals)
            amounts[name] = amounts.get(name, 0) + length * MILLI
        for name, items in self._sets.items():
            amounts[name] = amounts.get(name, 0) + len(items) * MILLI
        return amounts

    def contains(self, other: Resources) -> bool:
        """Whether `other` could be taken from this."""
        mine = self._scalars
        for name, milli in other._scalars.items():
            if mine.get(name, 0) < milli:
                return False
        for name, intervals in other._ranges.items():
            if not _covers(self._ranges.get(name, ()), intervals):
                return False
        return all(
            set(self._sets.get(name, ())).issuperset(items) for name, items in other._sets.items()
        )

    def __le__(self, other: Resources) -> bool:
        return other.contains(self)

    def __ge__(self, other: Resources) -> bool:
        return self.contains(other)

    # Reckoning ------------------------------------------------------------------------------

    def __add__(self, other: Resources) -> Resources:
        """Scalars add up; ranges and sets unite."""
        if not (other._ranges or other._sets):
            return self._with_scalars(_sum(self._scalars, other._scalars))
        if not (self._ranges or self._sets):
            return other._with_scalars(_sum(other._scalars, self._scalars))
        return Resources(
            _sum(self._scalars, other._scalars),
            {n: _both(self._ranges, other._ranges, n) for n in {**self._ranges, **other._ranges}},
            {n: _both(self._sets, other._sets, n) for n in {**self._sets, **other._sets}},
        )

    def __sub__(self, other: Resources) -> Resources:
        """What is left.  Raises `ResourceError` unless this contains `other`."""
        if not self.contains(other):
            raise ResourceError(f"can't take {other} from {self}")
        rest = dict(self._scalars)
        for name, milli in other._scalars.items():
            rest[name] -= milli
            if not rest[name]:
                del rest[name]
        if not (other._ranges or other._sets):
            return self._with_scalars(rest)
        return Resources(
            rest,
            {n: _difference(i, other._ranges.get(n, ())) for n, i in self._ranges.items()},
            {n: set(i).difference(other._sets.get(n, ())) for n, i in self._sets.items()},
        )

    def _with_scalars(self, scalars: dict[str, int]) -> Resources:
        """This, with other scalars, which are known to be good."""
        copy = object.__new__(Resources)
        copy._scalars = scalars
        copy._ranges = self._ranges
        copy._sets = self._sets
        copy._hash = copy._quantities = None
        return copy

    # Comparing and showing ------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resources):
            return NotImplemented
        return (
            self._scalars == other._scalars
            and self._ranges == other._ranges
            and self._sets == other._sets
        )

    def __hash__(self) -> int:
        if self._hash is None:
            parts = (self._scalars, self._ranges, self._sets)
            self._hash = hash(tuple(tuple(sorted(part.items())) for part in parts))
        return self._hash

    def __str__(self) -> str:
        """Mesos' flag syntax, sorted by name; `parse` reads it back."""
        items = [(name, _decimal(milli)) for name, milli in self._scalars.items()]
        items += [
            (name, "[" + ",".join(f"{begin}-{end}" for begin, end in intervals) + "]")
            for name, intervals in self._ranges.items()
        ]
        items += [(name, "{" + ",".join(texts) + "}") for name, texts in self._sets.items()]
        return ";".join(f"{name}:{value}" for name, value in sorted(items))

    def __repr__(self) -> str:
        return f"Resources({str(self)!r})"

    def to_wire(self, role: str | None = None) -> tuple[v1.Resource, ...]:
        """Wire resources, sorted by name; allocated to `role`, if given."""
        info = None if role is None else v1.AllocationInfo(role=role)
        found = [
            v1.Resource(
                name=name,
                type="SCALAR",
                scalar=v1.Scalar(value=milli / MILLI),
                allocation_info=info,
            )
            for name, milli in self._scalars.items()
        ]
        for name, intervals in self._ranges.items():
            ranges = v1.Ranges(range=tuple(v1.Range(begin=b, end=e) for b, e in intervals))
            found.append(v1.Resource(name=name, type="RANGES", ranges=ranges, allocation_info=info))
        for name, items in self._sets.items():
            found.append(
                v1.Resource(name=name, type="SET", set=v1.Set(item=items), allocation_info=info)
            )
        return tuple(sorted(found, key=lambda resource: (resource.name, resource.type)))


# Numbers --------------------------------------------------------------------------------------


def to_milli(name: str, amount: float) -> int:
    """`amount` of `name` in thousandths, rounded half up.  Raises `ResourceError`."""
    if not math.isfinite(amount):
        raise ResourceError(f"{name} must be a finite number, but is {amount}")
    if amount < 0:
        raise ResourceError(f"{name} must not be negative, but is {amount}")
    if amount > MAX_SCALAR:
        raise ResourceError(f"{name} must be at most {MAX_SCALAR}, but is {amount}")
    return math.floor(amount * MILLI + 0.5)


def _decimal(milli: int) -> str:
    """Thousandths as a short decimal number: 500 → ``0.5``, 2000 → ``2``."""
    sign = "-" if milli < 0 else ""
    units, rest = divmod(abs(milli), MILLI)
    return f"{sign}{units}.{rest:03}".rstrip("0").rstrip(".")


def _sum(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    total = dict(left)
    for name, milli in right.items():
        total[name] = total.get(name, 0) + milli
    return total


# Ranges and sets ------------------------------------------------------------------------------


def _both(
    left: Mapping[str, tuple[T, ...]], right: Mapping[str, tuple[T, ...]], name: str
) -> tuple[T, ...]:
    return left.get(name, ()) + right.get(name, ())


def _merged(name: str, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Sorted and disjoint, with neighbours joined.  Raises `ResourceError`."""
    merged: list[Interval] = []
    for begin, end in sorted(intervals):
        if not 0 <= begin <= end <= MAX_RANGE_END:
            raise ResourceError(f"{name} must be ranges within 0-{MAX_RANGE_END}: {begin}-{end}")
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return tuple(merged)


def _covers(outer: tuple[Interval, ...], inner: tuple[Interval, ...]) -> bool:
    """Whether each of the sorted `inner` lies in one of the sorted, merged `outer`."""
    candidates = iter(outer)
    low, high = 0, -1
    for begin, end in inner:
        while high < begin:
            found = next(candidates, None)
            if found is None:
                return False
            low, high = found
        if not low <= begin <= end <= high:
            return False
    return True


def _difference(outer: Iterable[Interval], taken: tuple[Interval, ...]) -> list[Interval]:
    """`outer` without `taken`; both sorted and merged."""
    rest: list[Interval] = []
    at = 0
    for begin, end in outer:
        while at < len(taken) and taken[at][0] <= end:
            low, high = taken[at]
            if low > begin:
                rest.append((begin, low - 1))
            begin = max(begin, high + 1)
            if high > end:
                break
            at += 1
        if begin <= end:
            rest.append((begin, end))
    return rest


# Reading --------------------------------------------------------------------------------------

_ITEM = re.compile(r"\s*([^\s:;()]+)\s*(\([^)]*\))?\s*:\s*(.*?)\s*", re.DOTALL)
_INTERVAL = re.compile(r"\s*(\d{1,20})\s*-\s*(\d{1,20})\s*")


def _parse_item(item: str) -> Resources:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ResourceError(f"expected name:value, as in cpus:8, but got {item.strip()!r}")
    name, role, value = match.groups()
    if role not in (None, "(*)"):
        raise ResourceError(f"{item.strip()!r}: static reservations are not supported")
    if value.startswith("[") and value.endswith("]"):
        return Resources(ranges={name: _parse_intervals(name, value[1:-1])})
    if value.startswith("{") and value.endswith("}"):
        texts = [text.strip() for text in value[1:-1].split(",")]
        return Resources(sets={name: [text for text in texts if text]})
    try:
        amount = float(value)
    except ValueError:
        raise ResourceError(f"{name} must be a number, [a-b] or {{a,b}}: {value!r}") from None
    return Resources({name: to_milli(name, amount)})


def _parse_intervals(name: str, text: str) -> list[Interval]:
    intervals: list[Interval] = []
    for part in text.split(","):
        if not part.strip():
            continue
        match = _INTERVAL.fullmatch(part)
        if match is None:
            raise ResourceError(f"{name} must be ranges, as in [31000-32000], but has {part!r}")
        intervals.append((int(match[1]), int(match[2])))
    return intervals


def _refuse_reserved(resource: v1.Resource) -> None:
    if (
        resource.role not in (None, "*")
        or resource.reservation is not None
        or resource.reservations
    ):
        raise ResourceError(f"{resource.name} is reserved, which is not supported")
    for what in ("disk", "revocable", "shared", "provider_id"):
        if getattr(resource, what) is not None:
            raise ResourceError(f"{resource.name} has '{what}', which is not supported")


def _no_amount(resource: v1.Resource) -> ResourceError:
    name, kind = resource.name, resource.type
    if kind == "TEXT":
        return ResourceError(f"{name} is a text, which can't be a resource")
    return ResourceError(f"{name} is of type {kind}, but has no '{kind.lower()}'")


#: Nothing.
EMPTY = Resources()
