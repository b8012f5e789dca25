"""State diagrams, drawn from what the actions do in finished models.

Every step of these models is looked at; where it changes how far something is (the standing of an
agent, the phase of a task, …), there is an arrow with the action's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from docs.pages.text import page
from mesos_spec.kernel import Action, Effects, Table
from mesos_spec.models import named
from mesos_spec.state import State
from mesos_spec.tools.search.checker import Limits, search
from mesos_spec.tools.search.memo import Memoised

Arrow = tuple[str, str]  #: from, to

#: Field of the state → whose diagram it is, and what of the field's value counts.
FIELDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "reign": ("A reign", lambda reign: str(reign.name)),
    "agents": ("An agent, to a master", lambda record: str(record.standing.name)),
    "frameworks": ("A framework, to a master", lambda record: str(record.standing.name)),
    "tasks": ("A task, to a master", lambda record: str(record.state).removeprefix("TASK_")),
    "runners": ("An executor, to its agent", lambda runner: str(runner.phase.name)),
    "runs": ("A task, to its agent", lambda run: str(run.phase.name)),
    "scheduler": ("A scheduler on our library", lambda me: str(me.mood.name)),
}

#: Models that together take every arrow there is in the quick ones; and those a test redraws.
DRAWN = (
    *("kills", "offers", "late-answers", "restarts", "restarts-without-checkpoints"),
    *("reconciliation", "replacements", "election", "burials", "executors"),
)
REDRAWN = ("kills", "offers", "restarts-without-checkpoints")


class Watching(Memoised[State]):
    """A world that notes how steps change how far things are."""

    def __init__(self, name: str) -> None:
        self.arrows: dict[str, dict[Arrow, set[str]]] = {}
        super().__init__(named(name))

    def _way(
        self, action: Action[State, ...], s: State, bound: Mapping[str, Any], effects: Effects
    ) -> Any:
        for (field, _), (old, new) in effects.items():
            if field in FIELDS:
                for arrow in arrows(FIELDS[field][1], old, new):
                    mine = self.arrows.setdefault(field, {})
                    mine.setdefault(arrow, set()).add(action.name)
        return super()._way(action, s, bound, effects)


def arrows(label: Callable[[Any], str], old: Any, new: Any) -> Iterator[Arrow]:
    """The arrows from one value of a cell to another; `[*]` is where there is nothing."""
    if isinstance(old, Table):
        for key in {**old, **new}:
            was, now = old.get(key, None), new.get(key, None)
            pair = ("[*]" if was is None else label(was), "[*]" if now is None else label(now))
            if pair[0] != pair[1]:
                yield pair
    elif label(old) != label(new):
        yield label(old), label(new)


def seen_in(names: tuple[str, ...]) -> dict[str, dict[Arrow, set[str]]]:
    """All arrows of some models, with the actions that go along them, by field."""
    found: dict[str, dict[Arrow, set[str]]] = {field: {} for field in FIELDS}
    for name in names:
        world = Watching(name)
        search(named(name), world, Limits())
        for field, theirs in world.arrows.items():
            for arrow, actions in theirs.items():
                found[field].setdefault(arrow, set()).update(actions)
    return found


def diagrams() -> str:
    """docs/reference/state-diagrams.md."""
    blocks = [
        "How far things are, and which action takes them on: drawn from every step of the models "
        + ", ".join(f"`{name}`" for name in DRAWN)
        + ". An arrow of which a model would have to be larger is missing.",
    ]
    for field, theirs in seen_in(DRAWN).items():
        lines = ["stateDiagram-v2"]
        for (old, new), actions in sorted(theirs.items()):
            lines.append(f"    {old} --> {new}: {', '.join(sorted(actions))}")
        blocks += [f"## {FIELDS[field][0]}", "```mermaid\n" + "\n".join(lines) + "\n```"]
    return page("State diagrams", *blocks)
