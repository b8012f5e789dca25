"""A behaviour on paper: as text, as a Mermaid sequence diagram, as JSON.

Each step is shown with what it changed.  In the diagram a message is what a step added to a
channel; the arrow ends where the channel does, which the caller may know better (`ends`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from mesos_spec.kernel import ABSENT, Bag, Cell, Cells, Fifo, Specification, Table, show
from mesos_spec.tools.report import say
from mesos_spec.tools.report.explain import named
from mesos_spec.tools.search.checker import Behaviour, Counterexample, Taken
from mesos_spec.tools.search.verdicts import Lasso
from mesos_spec.tools.search.worlds import delivered

S = TypeVar("S", bound=Cells)

Ends = Callable[[Cell], tuple[str, str]]  #: a channel's cell → who sends into it, who hears from it


# ---- text ----------------------------------------------------------------------------------
def as_text(behaviour: Behaviour[S]) -> str:
    """One line for each step, and below it what each cell held and holds."""
    lines = []
    if isinstance(behaviour, Counterexample):
        after = f", after {len(behaviour.steps)} steps:" if behaviour.steps else ""
        lines.append(f"{behaviour.why}{after}")
    lines += _listed(behaviour.steps, 1)
    if isinstance(behaviour, Lasso):
        again = "and so on for ever:" if behaviour.cycle else "and nothing more has to happen"
        lines += [f"      {again}", *_listed(behaviour.cycle, len(behaviour.steps) + 1)]
    return "\n".join(lines)


def _listed(steps: Iterable[Taken], first: int) -> Iterator[str]:
    for at, step in enumerate(steps, first):
        yield f"{at:4}  {named(step.action, step.bound)}"
        yield from (f"          {difference(cell, *e)}" for cell, e in step.changed.items())


def difference(cell: Cell, old: Any, new: Any) -> str:
    """What became of a cell, in as few words as tell it."""
    gone, come = _parts(old, new)
    if gone is None or come is None:
        return f"{say.cell(cell)}: {say.brief(old)} → {say.brief(new)}"
    words = [f"- {part}" for part in gone] + [f"+ {part}" for part in come]
    return f"{say.cell(cell)}: {', '.join(words) or 'reordered'}"


def _parts(old: Any, new: Any) -> tuple[list[str] | None, list[str] | None]:
    """What a table or a channel lost and got; None for other values."""
    if isinstance(old, Fifo | Bag) and isinstance(new, Fifo | Bag):
        gone, come = _without(old.mail, new.mail), sent(old, new)
        return [*map(say.brief, gone)], [*map(say.brief, come)]
    if isinstance(old, Table) and isinstance(new, Table):
        gone = [k for k in old if k not in new]
        come = [k for k in new if k not in old or old[k] != new[k]]
        return [*map(say.brief, gone)], [f"{say.brief(k)}: {say.brief(new[k])}" for k in come]
    return None, None


def _without(some: tuple[Any, ...], others: tuple[Any, ...]) -> list[Any]:
    """`some`, less one for each equal one in `others`; of equal ones the first go."""
    left, rest = list(others), []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            rest.append(one)
    return rest


def sent(old: Any, new: Any) -> list[Any]:
    """The messages that were put into a channel, oldest first."""
    if isinstance(new, Bag):
        return _without(new.mail, old.mail if isinstance(old, Bag) else ())
    if not isinstance(new, Fifo):
        return []
    before = old.mail if isinstance(old, Fifo) else ()
    kept = next(n for n in range(len(before), -1, -1) if before[len(before) - n :] == new.mail[:n])
    return list(new.mail[kept:])


# ---- Mermaid -------------------------------------------------------------------------------
def as_mermaid(spec: Specification[S], behaviour: Behaviour[S], ends: Ends | None = None) -> str:
    """A sequence diagram: a note for each step, an arrow for each message it sent.

    The arrow ends where `ends` says; else at who takes the message from its channel later on, and
    if nobody does at the channel.
    """
    lines: list[str] = []
    people: dict[str, str] = {}
    hearers = _hearers(spec, behaviour)

    def person(name: str) -> str:
        return people.setdefault(name, f"p{len(people)}")

    for at, step in enumerate(behaviour.steps):
        actor = _actor(spec, step)
        lines.append(f"Note over {person(actor)}: {_safe(named(step.action, step.bound))}")
        for nth, (cell, message) in enumerate(_messages(step)):
            heard_by = hearers.get((at, nth), say.cell(cell))
            sender, hearer = ends(cell) if ends is not None else (actor, heard_by)
            lines.append(f"{person(sender)}->>{person(hearer)}: {_safe(say.brief(message))}")
    if isinstance(behaviour, Counterexample) and people:
        lines.append(f"Note over {next(iter(people.values()))}: {_safe(behaviour.why)}")
    heads = [f"participant {p} as {_safe(name)}" for name, p in people.items()]
    return "\n".join(["sequenceDiagram", *(f"    {line}" for line in heads + lines)])


def _actor(spec: Specification[S], step: Taken) -> str:
    """Whose decision it was: the party, or which of them if a bound name of that name says so."""
    by = spec.action(step.action).by
    return str(step.bound.get(by, by))


def _messages(step: Taken) -> Iterator[tuple[Cell, Any]]:
    for cell, (old, new) in step.changed.items():
        for message in sent(old, new):
            yield cell, message


def _hearers(spec: Specification[S], behaviour: Behaviour[S]) -> dict[tuple[int, int], str]:
    """Who took each message that was sent and taken, by the step that sent it and which it was."""
    heard: dict[tuple[int, int], str] = {}
    waiting: dict[tuple[Cell, Any], list[tuple[int, int]]] = {}
    for at, step in enumerate(behaviour.steps):
        for letter in delivered(step.changed):
            if waiting.get(letter):
                heard[waiting[letter].pop(0)] = _actor(spec, step)
        for nth, letter in enumerate(_messages(step)):
            waiting.setdefault(letter, []).append((at, nth))
    return heard


_MARKS = str.maketrans({"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "\n": " "})


def _safe(text: str) -> str:
    """`text` without what Mermaid would take for its own."""
    return text.translate(_MARKS)


# ---- JSON ----------------------------------------------------------------------------------
def as_json(behaviour: Behaviour[S]) -> str:
    """The behaviour as one JSON object; the last keys only for a counterexample."""
    found: dict[str, Any] = {
        "first": {show(cell): plain(value) for cell, value in behaviour.first.cells()},
        "steps": [_plain_step(step) for step in behaviour.steps],
    }
    if isinstance(behaviour, Counterexample):
        found |= {"claim": behaviour.claim, "bound": _plain_dict(behaviour.bound)}
        found |= {"why": behaviour.why}
    if isinstance(behaviour, Lasso):
        found |= {"cycle": [*map(_plain_step, behaviour.cycle)], "since": behaviour.since}
    return json.dumps(found, indent=1)


def _plain_step(step: Taken) -> dict[str, Any]:
    return {
        "action": step.action,
        "bound": _plain_dict(step.bound),
        "changed": {show(c): [*map(plain, held)] for c, held in step.changed.items()},
    }


def plain(value: Any) -> Any:
    """A value of the specification as JSON has it; what JSON has no words for, as its text."""
    if value is ABSENT:
        return None
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Table):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Fifo | Bag):
        return [plain(message) for message in value.mail]
    if isinstance(value, frozenset):
        return [plain(v) for v in sorted(value, key=repr)]
    names = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if names is not None:
        fields = {name: plain(getattr(value, name)) for name in names}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return str(value)


def _plain_dict(bound: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in bound.items()}
