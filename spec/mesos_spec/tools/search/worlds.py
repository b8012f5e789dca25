"""The plain world: what can happen in a state, found by trying everything.

A *world* answers the questions a search asks about a state: its steps, what is broken in it, which
mail waits in it.  `Plain` asks the specification each time, and is the oracle for `memo.Memoised`,
which remembers.  Nodes are a world's own way to write a state; `state(node)` gives the state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mesos_spec.kernel import (
    Action,
    Bag,
    Cell,
    Cells,
    Disabled,
    Effects,
    Fifo,
    Model,
    Specification,
    Untold,
    show,
)
from mesos_spec.kernel.values import check_value
from mesos_spec.tools.search.blame import Wrong, failure

S = TypeVar("S", bound=Cells)
N = TypeVar("N")
A = TypeVar("A")
S_co = TypeVar("S_co", bound=Cells, covariant=True)

Asked = tuple[str, str, bool]  #: action, guard, whether it held
Letter = tuple[Cell, Any]  #: a channel's cell, and a message that may be delivered from it next
Broken = tuple[str, Mapping[str, Any]]  #: a property, and the names it does not hold for


@dataclass(frozen=True, slots=True)
class Step(Generic[N]):
    """One way on from a state."""

    action: str
    bound: Mapping[str, Any]
    to: N
    delivers: tuple[Letter, ...]  #: the messages it takes from channels
    breaks: Broken | None  #: an EACH_STEP property it breaks


@dataclass(frozen=True, slots=True)
class Raised:
    """An action's body failed otherwise than by a guard: the specification is wrong there."""

    action: str
    bound: Mapping[str, Any]
    error: Wrong

    @property
    def says(self) -> str:
        """What happened, with the line behind it."""
        where = f" ({self.error.place})" if self.error.place is not None else ""
        return f"{self.action} fails: {self.error.says}{where}"


class World(Protocol[N, S_co]):
    """What a search needs to know."""

    first: N

    def state(self, node: N) -> S_co: ...
    def steps(self, node: N) -> Iterable[Step[N] | Raised]: ...
    def broken(self, node: N) -> Broken | None: ...
    def is_cut(self, node: N) -> bool: ...
    def seen(self, node: N, unseen: Iterable[str]) -> list[str]: ...
    def mail(self, node: N) -> Iterable[Letter]: ...
    def coverage(self) -> tuple[Counter[str], Counter[Asked]]: ...
    def asking(self, name: str, ask: Callable[[S_co], A]) -> Callable[[N], A]: ...


class Plain(Generic[S]):
    """Every action tried in every state, every property asked anew.  Slow and obvious."""

    def __init__(self, model: Model[S]) -> None:
        self.model, self.spec = model, model.spec
        self.first: S = model.spec.start(model.bounds)
        self._taken: Counter[str] = Counter()
        self._asked: Counter[Asked] = Counter()

    def state(self, node: S) -> S:
        """A node is its state."""
        return node

    def steps(self, node: S) -> Iterator[Step[S] | Raised]:
        """Every action, for every way to bind its names."""
        for action in self.spec.actions:
            for bound in action.bindings(node):
                found = self._try(action, node, bound)
                if found is not None:
                    yield found

    def _try(self, action: Action[S, ...], s: S, bound: dict[str, Any]) -> Step[S] | Raised | None:
        def hear(guard: str, held: bool) -> None:
            self._asked[action.name, guard, held] += 1

        after = s.copy()
        try:
            effects = action.apply(after, bound, hear)
        except Disabled:
            return None
        except Exception as e:
            return Raised(action.name, bound, failure(e))
        _keepable(action, effects)
        self._taken[action.name] += 1
        breaks = broken_by(self.spec, s, after, effects)
        return Step(action.name, bound, after, delivered(effects), breaks)

    def broken(self, node: S) -> Broken | None:
        """The first ALWAYS property that does not hold."""
        for claim in self.spec.always:
            bound = claim.broken(node)
            if bound is not None:
                return claim.name, bound
        return None

    def is_cut(self, node: S) -> bool:
        """Whether the state is beyond the model's bounds."""
        return self.model.cut is not None and self.model.cut(node)

    def seen(self, node: S, unseen: Iterable[str]) -> list[str]:
        """Which of the SOMETIMES properties in `unseen` hold here."""
        return [c.name for c in self.spec.sometimes if c.name in unseen and c.seen(node)]

    def mail(self, node: S) -> list[Letter]:
        """What waits at the head of a channel."""
        return waiting(self.spec, node)

    def coverage(self) -> tuple[Counter[str], Counter[Asked]]:
        """How often each action was taken, and each guard asked with which answer."""
        return self._taken.copy(), self._asked.copy()

    def asking(self, name: str, ask: Callable[[S], A]) -> Callable[[S], A]:
        """A function of the state as a function of the node."""
        return ask


def _keepable(action: Action[S, ...], effects: Effects) -> None:
    """Raise `Untold` where a step writes what no cell may keep."""
    for cell, (_, new) in effects.items():
        try:
            check_value(new)
        except Untold as e:
            text = f"{action.name}: {show(cell)} is given {new!r}: {e}"
            raise Untold(text, action.source) from e


def broken_by(spec: Specification[S], before: S, after: S, effects: Effects) -> Broken | None:
    """The first EACH_STEP property that this step breaks."""
    for claim in spec.each_step:
        bound = claim.broken_by(before, after, effects)
        if bound is not None:
            return claim.name, bound
    return None


def waiting(spec: Specification[S], s: S) -> list[Letter]:
    """Every message that may be delivered next, in the channels that have to be served."""
    cells: Iterable[Cell]
    if spec.heads is not None:
        cells = spec.heads(s)
    else:
        cells = [cell for cell, _ in s.cells(*spec.channels)] if spec.channels else []
    return [letter for cell in cells for letter in letters(cell, s.look(cell))]


def letters(cell: Cell, channel: Any) -> list[Letter]:
    """What may be delivered next from a channel: a `Fifo`'s oldest, anything in a `Bag`."""
    if isinstance(channel, Fifo):
        return [(cell, message) for message in channel.mail[:1]]
    if isinstance(channel, Bag):
        return [(cell, message) for message in channel]
    return []


def delivered(effects: Effects) -> tuple[Letter, ...]:
    """The messages a step took from channels.  Emptying a channel at one blow delivers nothing."""
    return tuple(
        (cell, new.delivered)
        for cell, (old, new) in effects.items()
        if isinstance(new, Fifo | Bag) and new is not old and new.delivered is not None
    )
