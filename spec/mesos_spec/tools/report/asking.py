"""Questions to one state of a model: a step guard by guard, another action, what can happen.

Every guard is shown with the values it read and whether it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from mesos_spec.kernel import Action, Cells, Model
from mesos_spec.tools.cli.common import Misused
from mesos_spec.tools.report.behaviours import Written
from mesos_spec.tools.report.explain import can_happen, nearest, why
from mesos_spec.tools.report.show import difference
from mesos_spec.tools.search.checker import Taken

S = TypeVar("S", bound=Cells)


def where(written: Written, model: Model[S], step: int) -> str:
    """Which step of which behaviour is looked at."""
    of = len(written.steps)
    at = f"step {step} of {of}" if step <= of else f"the end, after {of} steps"
    return f"{model.name}, {at} ({written.header.why or written.header.claim or written.path})"


def a_step(s: S, model: Model[S], step: Taken) -> str:
    """A step that was taken in `s`: its guards, and what it changed."""
    lines = [str(why(s, model.spec.action(step.action), step.bound))]
    lines += [f"    changes   {difference(cell, *e)}" for cell, e in step.changed.items()]
    return "\n".join(lines)


def another(s: S, action: Action[S, ...], words: Mapping[str, str]) -> str:
    """Whether an action is possible in `s`, with names as in `words`, and which guard refuses.

    Raises `Misused` for a name that the action has not, or that ranges over nothing like it.
    """
    given = meant(s, action, words)
    close = nearest(s, action, given)
    if close is None:
        return f"{action.name}: there is nothing to do it with"
    return str(close)


def meant(s: S, action: Action[S, ...], words: Mapping[str, str]) -> dict[str, Any]:
    """The values that words stand for: of those a name can be bound to, the one written so."""
    unknown = [word for word in words if word not in action.over]
    if unknown:
        has = ", ".join(action.over) or "none at all"
        raise Misused(f"{action.name} has no name {unknown[0]!r}; it has {has}")
    given: dict[str, Any] = {}
    for name, word in words.items():
        values = list(dict.fromkeys(bound[name] for bound in action.bindings(s, given)))
        like = [value for value in values if word in (str(value), repr(value))]
        if not like:
            some = ", ".join(map(str, values[:8])) or "nothing"
            raise Misused(f"{action.name}: {name} cannot be {word!r} here; it ranges over {some}")
        given[name] = like[0]
    return given


def what_can_happen(s: S, model: Model[S]) -> str:
    """The steps that can be taken in `s`, and why the other actions cannot."""
    return can_happen(model.spec, s)
