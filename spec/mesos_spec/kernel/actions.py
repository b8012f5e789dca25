"""Actions: named transitions, guards first and then effects.

A body runs on a draft of the state.  While it runs, the kernel listens: which guards it asks, what
it writes.  So one function can be taken as a step, taken back, and asked why it is not possible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from mesos_spec.kernel.cells import Cells, Effects, Reads, Turn, show, undo
from mesos_spec.kernel.names import Domain, Named, names
from mesos_spec.kernel.values import Bag, Fifo, Untold, WrongDelivery

S = TypeVar("S", bound=Cells)
T = TypeVar("T")
P = ParamSpec("P")


# ---- guards --------------------------------------------------------------------------------
class Disabled(Exception):
    """The action cannot happen here.  The text is the guard that does not hold."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that was asked: its sentence, whether it held, what was read to know it."""

    says: str
    held: bool
    read: Reads


Hear = Callable[[str, bool], None]
_now: ContextVar[Turn | None] = ContextVar("_now", default=None)


def require(holds: bool, guard: str) -> None:
    """State a guard.  The text is a sentence, true when the guard holds.

    Raises `Disabled` if it does not, and `Untold` if the action has already written something.
    """
    turn = _now.get()
    if turn is not None:
        if turn.effects:
            wrote = ", ".join(map(show, turn.effects))
            raise Untold(
                f"{turn.name} asks {guard!r} after it has written {wrote}: "
                f"move every require and receive above the first assignment"
            )
        if turn.hear is not None:
            turn.hear(guard, holds)
    if not holds:
        raise Disabled(guard)


def receive(channel: Fifo[Any], kind: type[T]) -> T:
    """The oldest message in `channel`, which must be a `kind`.  (`require` cannot narrow it.)"""
    oldest = channel.mail[0] if channel.mail else None
    require(isinstance(oldest, kind), "the next message is " + kind.__name__)
    return _narrowed(oldest, kind)


def receive_any(bag: Bag[Any], message: object, kind: type[T]) -> T:
    """`message`, which must be a `kind` and in flight in `bag`."""
    require(isinstance(message, kind), "the message is " + kind.__name__)
    require(message in bag, "the message is in flight")
    return _narrowed(message, kind)


def _narrowed(message: object, kind: type[T]) -> T:
    assert isinstance(message, kind)
    return message


# ---- actions -------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False, kw_only=True)
class Action(Named, Generic[S, P]):
    """A named transition: guards, then effects, and what it may change."""

    body: Callable[Concatenate[S, P], None]
    changes: frozenset[str]
    after: str | None  #: the timer that arms it, for who knows the time
    by: str  #: the party whose decision it is

    def __call__(self, s: S, *args: P.args, **kwargs: P.kwargs) -> S:
        """The state after; `s` is left alone.  Raises `Disabled` where a guard does not hold."""
        after = s.copy()
        self._run(Turn(self.name, self.changes), after, args, kwargs)
        return after

    def apply(self, s: S, bound: Mapping[str, Any], hear: Hear | None = None) -> Effects:
        """Take the step in place, and say which cells it wrote, in order, with old and new value.

        For who owns `s`; `undo(s, effects)` takes it back.  `hear` is told each guard and whether
        it held.  Where this raises (`Disabled`, `Untold`, or what the body raised) nothing is
        changed.
        """
        return self._run(Turn(self.name, self.changes, hear), s, (), bound)

    def _run(self, turn: Turn, s: S, args: tuple[Any, ...], bound: Mapping[str, Any]) -> Effects:
        inside = s.__dict__
        outer = s._now, s._written
        inside["_now"], inside["_written"] = turn, turn.effects
        token = _now.set(turn)
        body: Callable[..., None] = self.body
        try:
            body(s, *args, **bound)
        except BaseException as e:
            undo(s, turn.effects)
            if isinstance(e, WrongDelivery):
                raise Untold(f"{self.name}: {_field_of(s, e.channel)}: {e}") from e
            raise
        finally:
            _now.reset(token)
            inside["_now"], inside["_written"] = outer
        inside["_hash"] = None
        return turn.effects

    def guards(self, s: S, bound: Mapping[str, Any]) -> list[Guard]:
        """Each guard asked in `s`, in order, with what it read; only the last may not hold."""
        heard: list[Guard] = []
        draft = s.copy()
        reads: Reads = {}

        def hear(says: str, held: bool) -> None:
            heard.append(Guard(says, bool(held), reads.copy()))
            reads.clear()

        draft.__dict__["_reads"] = reads
        with suppress(Disabled):
            self.apply(draft, bound, hear)
        return heard

    def explain(self, s: S, bound: Mapping[str, Any]) -> list[tuple[str, bool]]:
        """Each guard asked in `s`, in order, and whether it held; the last may not have."""
        return [(guard.says, guard.held) for guard in self.guards(s, bound)]


def _field_of(s: Cells, channel: object) -> str:
    """Which cell of `s` holds `channel`, as a text."""
    return next((show(cell) for cell, value in s.cells() if value is channel), "a channel")


def action(
    changes: str,
    *,
    after: str | None = None,
    by: str = "environment",
    cites: tuple[str, ...] = (),
    **over: Domain,
) -> Callable[[Callable[Concatenate[S, P], None]], Action[S, P]]:
    """Make a function an action.

    `changes` names the only fields it may write; `after` the timer that arms it, if one does; `by`
    the party that decides; `cites` its requirements; the rest is where its names range.  Raises
    `Untold` where a domain is for no parameter, or needs a name that is not bound before it.
    """
    return lambda body: Action(
        body=body,
        changes=frozenset(changes.split()),
        after=after,
        by=by,
        cites=cites,
        **names(body, 1, over),
    )
