"""Reads of queues in parts: whether anything is there, what comes next, and the rest.

Who notes a look at a channel as having read it all believes that its whole content matters, and
asks again for each.  But a domain asks only whether it is empty, and most guards for the oldest
message.  Where reads are `Partly`, a queue notes how far it is looked into, in this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesos_spec.kernel.values import Fifo


@dataclass(frozen=True, slots=True)
class Some:
    """The key under which it is noted that somebody asked whether anything is in a queue."""

    key: Any


@dataclass(frozen=True, slots=True)
class Head:
    """The same of its oldest message; the queue's own key is for the rest."""

    key: Any


class Partly(dict[Any, Any]):
    """Reads, as `Cells.listen` notes them, of which queues are in two parts."""


class Watched(Fifo[Any]):
    """A queue that notes what is asked of it, and is otherwise the queue it was made of."""

    __slots__ = ("_cell", "_reads", "_whole")

    def __init__(self, whole: Fifo[Any], cell: tuple[str, Any], reads: Partly) -> None:
        self._whole, self._cell, self._reads = whole, cell, reads
        self.delivered = whole.delivered
        mail: Any = _Mail(self)
        self.mail = mail

    def some(self) -> tuple[Any, ...]:
        """All messages, of which only whether there are any is looked at."""
        name, key = self._cell
        self._reads.setdefault((name, Some(key)), None)
        return self._whole.mail

    def head(self) -> tuple[Any, ...]:
        """All messages, of which no more than the first is looked at."""
        name, key = self._cell
        if self.some():
            self._reads.setdefault((name, Head(key)), None)
        return self._whole.mail

    def whole(self) -> Fifo[Any]:
        """The queue itself: all of it is looked at."""
        if self.head():
            self._reads.setdefault(self._cell, None)
        return self._whole

    def __bool__(self) -> bool:
        return bool(self.some())

    def __len__(self) -> int:
        return len(self.whole())

    def __add__(self, message: Any) -> Fifo[Any]:
        more: Fifo[Any] = self.whole() + message
        return more

    def __sub__(self, message: Any) -> Fifo[Any]:
        rest: Fifo[Any] = self.whole() - message
        return rest

    def __eq__(self, other: object) -> bool:
        return self.whole() == (other.whole() if isinstance(other, Watched) else other)

    def __hash__(self) -> int:
        return hash(self.whole())

    def __reduce__(self) -> tuple[Any, ...]:
        return self.whole().__reduce__()

    def __repr__(self) -> str:
        return repr(self.whole())


class _Mail(Sequence[Any]):
    """The messages of a queue, like a tuple."""

    __slots__ = ("_of",)

    def __init__(self, of: Watched) -> None:
        self._of = of

    def __bool__(self) -> bool:
        return bool(self._of.some())

    def __len__(self) -> int:
        return len(self._of.whole().mail)

    def __getitem__(self, at: Any) -> Any:
        first = at == 0 or at in (slice(1), slice(0, 1))
        return self._of.head()[at] if first else self._of.whole().mail[at]

    def __iter__(self) -> Iterator[Any]:
        for at, message in enumerate(self._of.head()):
            if at:
                self._of.whole()
            yield message
        self._of.whole()

    def __add__(self, more: Any) -> tuple[Any, ...]:
        return self._of.whole().mail + tuple(more)

    def __radd__(self, before: tuple[Any, ...]) -> tuple[Any, ...]:
        return before + self._of.whole().mail

    def __eq__(self, other: object) -> bool:
        return self._of.whole().mail == (tuple(other) if isinstance(other, _Mail) else other)

    def __hash__(self) -> int:
        return hash(self._of.whole().mail)

    def __repr__(self) -> str:
        return repr(self._of.whole().mail)
