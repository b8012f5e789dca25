"""How much of a specification its models reach: actions taken, guards answered both ways.

A guard that never refuses, or never lets anything through, was not tested by any model; an action
that never happens was not tested at all.  Guards that are written and never asked count as never
answered either way.  Counts are of states in which it happened, as far as the search kept them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.kernel import Action, Untold
from mesos_spec.tools.search.checker import Result
from mesos_spec.tools.search.guards import written_guards


@dataclass
class Coverage:
    """What one model, or several, did with actions and guards."""

    models: list[str] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)  #: action → how often
    held: Counter[tuple[str, str]] = field(default_factory=Counter)  #: (action, guard) → how often
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    guards: dict[tuple[str, str], None] = field(default_factory=dict)  #: all there are, in order

    def add(self, result: Result[Any]) -> None:
        """Count what a search did."""
        self.models.append(result.model.name)
        for action in result.model.spec.actions:
            self.taken[action.name] += result.taken[action.name]
            self.guards.update({(action.name, says): None for says in written(action)})
        for (name, says, held), often in sorted(result.guards.items()):
            self.guards.setdefault((name, says))
            (self.held if held else self.refused)[name, says] += often

    @property
    def never_taken(self) -> list[str]:
        """Actions that never happened."""
        return [name for name, often in self.taken.items() if not often]

    @property
    def never(self) -> list[tuple[str, str, str]]:
        """Guards with the answer they never gave: (action, guard, `held` or `refused`)."""
        found = []
        for guard in self.guards:
            found += [(*guard, "held")] * (not self.held[guard])
            found += [(*guard, "refused")] * (not self.refused[guard])
        return found


def written(action: Action[Any, ...]) -> Sequence[str]:
    """The guards in an action's body whose sentences are known before it runs."""
    with suppress(Untold, OSError):  # written inside a function, or where no source is
        return [says for says in written_guards(action) if not says.startswith(("f'", 'f"'))]
    return ()


def coverage(results: Iterable[Result[Any]]) -> Coverage:
    """What all these searches together did."""
    found = Coverage()
    for result in results:
        found.add(result)
    return found


# ---- reports -------------------------------------------------------------------------------
def as_text(found: Coverage, known: Iterable[str] = ()) -> str:
    """What was never reached; and each action with its guards, and how often each answered.

    `known` are all actions there are: those that no model has are named, too.
    """
    absent = [name for name in known if name not in found.taken]
    both = len(found.guards) - len({(action, says) for action, says, _ in found.never})
    lines = [
        f"coverage of {', '.join(found.models)}:",
        f"  {sum(map(bool, found.taken.values()))} of {len(found.taken)} actions were taken, "
        f"{both} of {len(found.guards)} guards answered both ways",
    ]
    lines += [f"  in no model:    {name}" for name in absent]
    lines += [f"  never taken:    {name}" for name in found.never_taken]
    lines += [f"  never {answer + ':':9} {action}: {says}" for action, says, answer in found.never]
    return "\n".join(lines)


def table(found: Coverage) -> str:
    """Every action with its guards, and how often each held and refused."""
    lines = [f"{'taken':>10}  {'held':>10}  {'refused':>10}"]
    for name, often in found.taken.items():
        lines.append(f"{often:>10,}  {'':>10}  {'':>10}  {name}")
        for action, says in found.guards:
            if action == name:
                held, refused = found.held[action, says], found.refused[action, says]
                lines.append(f"{'':>10}  {held:>10,}  {refused:>10,}      {says}")
    return "\n".join(lines)


def as_plain(found: Coverage) -> Mapping[str, Any]:
    """The same as JSON has it."""
    return {
        "models": found.models,
        "actions": {
            name: {
                "taken": often,
                "guards": [
                    {"says": says, "held": found.held[a, says], "refused": found.refused[a, says]}
                    for a, says in found.guards
                    if a == name
                ],
            }
            for name, often in found.taken.items()
        },
        "never_taken": found.never_taken,
        "never": [
            {"action": action, "guard": says, "answer": answer}
            for action, says, answer in found.never
        ],
    }
