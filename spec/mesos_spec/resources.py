"""Resources: exact vectors of amounts by name.

An amount is an integer, in thousandths: `cpus 1.5` is 1500, so that sums are exact (the wire has
three decimals).  Ranges and sets, ports say, are counted: each member is 1000.  A vector has no
order, only `<=`: *fits in*, in every amount.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Resources:
    """An immutable vector; a name it does not have counts as 0.

    Amounts may become negative, so that a specification which gives away too much says so in a
    property rather than by failing.
    """

    __slots__ = ("_amounts", "_hash")

    def __init__(self, amounts: Mapping[str, int] | None = None) -> None:
        self._amounts = {name: n for name, n in (amounts or {}).items() if n}
        self._hash: int | None = None

    def __getitem__(self, name: str) -> int:
        return self._amounts.get(name, 0)

    def __bool__(self) -> bool:
        return bool(self._amounts)

    def __add__(self, other: Resources) -> Resources:
        if not other._amounts:
            return self
        amounts = self._amounts.copy()
        for name, n in other._amounts.items():
            amounts[name] = amounts.get(name, 0) + n
        return _made(amounts)

    def __sub__(self, other: Resources) -> Resources:
        if not other._amounts:
            return self
        amounts = self._amounts.copy()
        for name, n in other._amounts.items():
            amounts[name] = amounts.get(name, 0) - n
        return _made(amounts)

    def __le__(self, other: Resources) -> bool:
        """Whether this fits in `other`."""
        mine, theirs = self._amounts, other._amounts
        for name, n in mine.items():
            if n > theirs.get(name, 0):
                return False
        if mine.keys() >= theirs.keys():
            return True
        return all(n >= 0 for name, n in theirs.items() if name not in mine)

    def items(self) -> list[tuple[str, int]]:
        """Names and amounts that are not 0, by name."""
        return sorted(self._amounts.items())

    def names(self) -> list[str]:
        """The names of which there is something."""
        return sorted(self._amounts)

    def __eq__(self, other: object) -> bool:
        return type(other) is Resources and self._amounts == other._amounts

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._amounts.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return Resources, (self._amounts,)  # a hash is good in its process only

    def __repr__(self) -> str:
        return "⟨" + ", ".join(f"{name} {n / 1000:g}" for name, n in self.items()) + "⟩"


def _made(amounts: dict[str, int]) -> Resources:
    """The vector of amounts that nobody else has."""
    new = _new(Resources)
    new._amounts = amounts if all(amounts.values()) else {k: n for k, n in amounts.items() if n}
    new._hash = None
    return new


_new = object.__new__
NOTHING = Resources()


def total(*parts: Resources) -> Resources:
    """The sum of `parts`."""
    amounts: dict[str, int] = {}
    for part in parts:
        for name, n in part._amounts.items():
            amounts[name] = amounts.get(name, 0) + n
    return _made(amounts)
