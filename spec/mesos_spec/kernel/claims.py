"""What a specification claims: four kinds of property, surprises, and the specification itself.

    ALWAYS      holds in every reachable state
    EACH_STEP   holds of every step, from the state before to the state after
    SOMETIMES   holds in some reachable state, or the model proves nothing
    EVENTUALLY  holds sooner or later, from everywhere or whenever something else holds, if the
                actions named are treated fairly

A *surprise* is what people believe and is false, kept with the shortest behaviour that shows it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from mesos_spec.kernel.cells import Cell, Cells, Effects, show
from mesos_spec.kernel.fairness import Fair
from mesos_spec.kernel.names import Domain, Named, names
from mesos_spec.kernel.values import Untold, check_value

if TYPE_CHECKING:
    from mesos_spec.kernel.actions import Action

S = TypeVar("S", bound=Cells)
P = ParamSpec("P")


@dataclass(frozen=True, eq=False, kw_only=True)
class _OfStates(Named, Generic[S, P]):
    """A property of one state, for each way to bind its names."""

    holds: Callable[Concatenate[S, P], bool]

    def broken(self, s: S, given: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The first names for which it does not hold in `s`, or None if it holds for all."""
        asked = (b for b in self.bindings(s, given) if not self.answer(self.holds, s, **b))
        return next(asked, None)


class Always(_OfStates[S, P]):
    """Every reachable state satisfies it, whatever its names are bound to."""


class Sometimes(_OfStates[S, P]):
    """Some reachable state satisfies it, for some binding of its names."""

    def seen(self, s: S) -> bool:
        """Whether it holds in `s` for some binding."""
        return any(self.answer(self.holds, s, **b) for b in self.bindings(s))


@dataclass(frozen=True, eq=False, kw_only=True)
class Eventually(_OfStates[S, P]):
    """Every fair behaviour that is at a state where `whenever` holds reaches one that satisfies it.

    Without `whenever`: from every state.  Its names range over what no state changes.
    """

    whenever: Callable[..., bool] | None  #: a predicate of the same names
    fair: tuple[Fair, ...]  #: the actions that are not put off for ever


@dataclass(frozen=True, eq=False, kw_only=True)
class EachStep(Named, Generic[S, P]):
    """Every step that writes a field in `watches` satisfies it.  Names range in the state after."""

    holds: Callable[Concatenate[S, S, P], bool]
    watches: frozenset[str]
    at: str = ""  #: the field of whose cells its first name is the key, if it is about one cell

    def broken(
        self, before: S, after: S, given: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The first names for which the step breaks it, or None."""
        every = self.bindings(after, given)
        return next((b for b in every if not self.answer(self.holds, before, after, **b)), None)

    def broken_by(self, before: S, after: S, effects: Effects) -> dict[str, Any] | None:
        """The first names for which a step breaks it that wrote these cells, or None."""
        if self.watches.isdisjoint(name for name, _ in effects):
            return None
        if not self.at:
            return self.broken(before, after)
        first = next(iter(self.over))
        keys = [key for name, key in effects if name == self.at]
        found = (self.broken(before, after, {first: key}) for key in keys)
        return next((bound for bound in found if bound is not None), None)


def always(
    *, cites: tuple[str, ...] = (), **over: Domain
) -> Callable[[Callable[Concatenate[S, P], bool]], Always[S, P]]:
    """Make a predicate a claim about every reachable state."""
    return lambda holds: Always(holds=holds, cites=cites, **names(holds, 1, over))


def sometimes(
    *, cites: tuple[str, ...] = (), **over: Domain
) -> Callable[[Callable[Concatenate[S, P], bool]], Sometimes[S, P]]:
    """Make a predicate a claim that some state satisfies it."""
    return lambda holds: Sometimes(holds=holds, cites=cites, **names(holds, 1, over))


def eventually(
    *,
    whenever: Callable[..., bool] | None = None,
    fair: tuple[Fair, ...] = (),
    cites: tuple[str, ...] = (),
    **over: Domain,
) -> Callable[[Callable[Concatenate[S, P], bool]], Eventually[S, P]]:
    """Make a predicate a claim about every behaviour that is fair to the actions in `fair`.

    It holds in the end from wherever the behaviour is; or, with `whenever` (a predicate of the same
    names), whenever that held: once promised, sooner or later kept.  Raises `Untold` where the two
    do not have the same names.
    """

    def claim(holds: Callable[Concatenate[S, P], bool]) -> Eventually[S, P]:
        parts = names(holds, 1, over)
        mine, theirs = (_parameters(one) for one in (holds, whenever or holds))
        if mine != theirs:
            raise Untold(f"{parts['name']} is of {mine}, and whenever it is owed of {theirs}")
        return Eventually(holds=holds, whenever=whenever, fair=fair, cites=cites, **parts)

    return claim


def _parameters(predicate: Callable[..., bool]) -> list[str]:
    return list(inspect.signature(predicate).parameters)[1:]


def each_step(
    watches: str, *, at: str = "", cites: tuple[str, ...] = (), **over: Domain
) -> Callable[[Callable[Concatenate[S, S, P], bool]], EachStep[S, P]]:
    """Make a predicate of two states a claim about every step that writes one of `watches`.

    A claim about what a step did with one cell, as a channel that something was taken from, says so
    with `at`: it holds wherever the step did not write the cell of that field whose key is its
    first name, and is not asked there.
    """
    return lambda holds: EachStep(
        holds=holds, watches=frozenset(watches.split()), at=at, cites=cites, **names(holds, 2, over)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Surprise(Generic[S]):
    """Something people believe of the system that is not so."""

    believed: Always[S, ...] | EachStep[S, ...]  #: its docstring is the belief, in their words
    because: str  #: why it is not so, in a sentence or two
    instead: str  #: what who relies on the system should do
    model: str  #: where it is seen
    path: tuple[tuple[str, Mapping[str, Any]], ...]  #: shortest behaviour: (action, bound names)

    @property
    def name(self) -> str:
        """The name of the belief."""
        return self.believed.name


@dataclass(frozen=True, eq=False, kw_only=True)
class Specification(Generic[S]):
    """An initial state, actions, and what is claimed of the behaviours they give.

    Raises `Untold` when made of things that are not in order: two of one name, one without a text.
    """

    name: str
    init: Callable[[Any], S]  #: bounds → the initial state
    actions: tuple[Action[S, ...], ...]
    always: tuple[Always[S, ...], ...] = ()
    each_step: tuple[EachStep[S, ...], ...] = ()
    sometimes: tuple[Sometimes[S, ...], ...] = ()
    eventually: tuple[Eventually[S, ...], ...] = ()
    surprises: tuple[Surprise[S], ...] = ()
    channels: tuple[str, ...] = ()  #: fields of channels whose mail some action must consume
    heads: Callable[[S], Iterable[Cell]] | None = None  #: the channels to serve; else all of those

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for one in (
            *self.actions,
            *self.always,
            *self.each_step,
            *self.sometimes,
            *self.eventually,
        ):
            if one.name in seen:
                raise Untold(f"{self.name} has two of the name {one.name}: rename one", one.source)
            if not one.doc:
                says = f"{self.name}: {one.name} has no docstring: say what it means"
                raise Untold(says, one.source)
            seen.add(one.name)
        for claim in self.eventually:
            for fair in claim.fair:
                self._can_be_fair(claim.name, fair)

    def _can_be_fair(self, claim: str, fair: Fair) -> None:
        """Raise `Untold` where a claim is fair to what is no action, or to names it has not."""
        actions = {a.name: a for a in self.actions}
        if fair.action not in actions:
            raise Untold(f"{claim} is fair to {fair.action}, which is no action of {self.name}")
        one = actions[fair.action]
        for name in fair.each:
            if name not in one.over and name not in one.given:
                raise Untold(f"{claim} is fair to {fair.action} for each {name}, a name it has not")

    def action(self, name: str) -> Action[S, ...]:
        """The action called `name`.  Raises `Untold` if there is none."""
        for one in self.actions:
            if one.name == name:
                return one
        raise Untold(f"{self.name} has no action {name}; it has {[a.name for a in self.actions]}")

    def start(self, bounds: Any) -> S:
        """The initial state.

        Raises `Untold` where it holds what a cell may not keep, and where an action or claim names
        a field it has not.
        """
        s = self.init(bounds)
        for cell, value in s.cells():
            try:
                check_value(value)
            except Untold as e:
                says = f"{self.name} begins with {show(cell)} = {value!r}: {e}"
                raise Untold(says, self.init) from e
        changed = [(a, "changes", a.changes) for a in self.actions]
        watched = [(p, "watches", p.watches) for p in self.each_step]
        for one, where, words in (*changed, *watched):
            self._know(s, one.name, where, words, one.source)
        self._know(s, self.name, "channels", frozenset(self.channels), None)
        return s

    def _know(
        self, s: S, name: str, where: str, words: frozenset[str], about: Callable[..., Any] | None
    ) -> None:
        """Raise `Untold` where `words` are not all fields of the state."""
        known = list(s._layout)
        for word in sorted(words - set(known)):
            near = get_close_matches(word, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            text = f"{name}: {where}= names {word}, which is no field of the state: {hint}"
            raise Untold(text, about)
