"""Why something can or cannot happen in a state, and what can.

A refusal names the guard that does not hold, the guards that held before it, and what each of them
looked at.  That is all there is to know: a guard is a sentence, and a state is its cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mesos_spec.kernel import Action, Cells, Disabled, Guard, Specification
from mesos_spec.tools.report import say

S = TypeVar("S", bound=Cells)


def named(action: str, bound: Mapping[str, Any]) -> str:
    """A step as people write it: `accept(framework=f1, offer=o1)`."""
    return say.step(action, bound)


@dataclass(frozen=True)
class Why:
    """The guards of one action, asked in one state."""

    action: str
    bound: Mapping[str, Any]
    guards: tuple[Guard, ...]  #: in order; where one does not hold it is the last

    @property
    def happens(self) -> bool:
        """Whether every guard holds."""
        return all(guard.held for guard in self.guards)

    @property
    def refused(self) -> Guard | None:
        """The guard that does not hold, if there is one."""
        return next((guard for guard in self.guards if not guard.held), None)

    def __str__(self) -> str:
        verdict = "can happen" if self.happens else "cannot happen"
        lines = [f"{named(self.action, self.bound)} {verdict}"]
        wide = max((len(guard.says) for guard in self.guards), default=0)
        for guard in self.guards:
            held = "holds   " if guard.held else "DOES NOT"
            read = ", ".join(f"{say.cell(c)} = {say.brief(v)}" for c, v in guard.read.items())
            lines.append(f"    {held}  {guard.says:{wide}}  {read}".rstrip())
        return "\n".join(lines)


def why(s: S, action: Action[S, ...], bound: Mapping[str, Any]) -> Why:
    """Each guard of `action` with these names: whether it held, and what it looked at."""
    return Why(action.name, dict(bound), tuple(action.guards(s, bound)))


def nearest(s: S, action: Action[S, ...], given: Mapping[str, Any] | None = None) -> Why | None:
    """The binding of the names not `given` that gets farthest: it happens, or most guards held.

    None if the names have nothing to range over in `s`.  Ties go to the first.
    """
    tries = [why(s, action, bound) for bound in action.bindings(s, given)]
    return max(tries, key=lambda t: (t.happens, sum(g.held for g in t.guards)), default=None)


@dataclass(frozen=True)
class Choice:
    """A step that can be taken, and its number in the list."""

    number: int
    action: str
    bound: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.number:4}  {named(self.action, self.bound)}"


def enabled(spec: Specification[S], s: S) -> list[Choice]:
    """Every step that can be taken in `s`, numbered from 1, in the order of the specification."""
    found: list[Choice] = []
    draft = s.copy()
    for action in spec.actions:
        for bound in action.bindings(s):
            try:
                action.apply(draft, bound)
            except Disabled:
                continue
            draft = s.copy()
            found.append(Choice(len(found) + 1, action.name, bound))
    return found


def can_happen(spec: Specification[S], s: S) -> str:
    """The steps that can be taken in `s`, a line each; and the actions that cannot, and why not."""
    choices = enabled(spec, s)
    lines = [str(choice) for choice in choices] or ["      nothing can happen"]
    possible = {choice.action for choice in choices}
    for action in spec.actions:
        if action.name not in possible:
            close = nearest(s, action)
            refused = close.refused if close is not None else None
            reason = f"not: {refused.says}" if refused else "nothing to do it with"
            lines.append(f"   -  {action.name}: {reason}")
    return "\n".join(lines)
