"""What a trace exercised, and what of the specification it never reached."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import Any

from mesos_spec.kernel import Specification
from mesos_spec.tools.judging.asking import MODELS_ONLY
from mesos_spec.tools.judging.overheard import Overheard
from mesos_spec.tools.report.coverage import Coverage, as_plain, written


def of_trace(overheard: Overheard, spec: Specification[Any]) -> Coverage:
    """Actions and guards, as they are told of models."""
    found = Coverage()
    for action in spec.actions:
        found.taken[action.name] = overheard.taken[action.name]
        found.guards.update({(action.name, says): None for says in written(action)})
    for answers in (overheard.held, overheard.refused):
        found.guards.update(dict.fromkeys(sorted(answers.keys() - found.guards.keys())))
    found.held, found.refused = overheard.held, overheard.refused
    return found


def properties(overheard: Overheard, spec: Specification[Any]) -> dict[str, dict[str, int]]:
    """How often each property was asked, and how often its answer said something."""
    names = [one.name for one in (*spec.always, *spec.each_step) if one.name not in MODELS_ONLY]
    return {
        name: {"asked": overheard.asked[name], "tested": overheard.tested[name]} for name in names
    }


def as_json(overheard: Overheard, spec: Specification[Any]) -> dict[str, Any]:
    """Everything that was counted, and what was never reached."""
    plain = as_plain(of_trace(overheard, spec))
    counts = properties(overheard, spec)
    return {
        "actions": plain["actions"],
        "never_taken": plain["never_taken"],
        "never": plain["never"],
        "properties": counts,
        "never_asked": [name for name, n in counts.items() if not n["asked"]],
        "never_tested": [name for name, n in counts.items() if not n["tested"]],
        "of_models_only": sorted(MODELS_ONLY),
    }


def as_text(overheard: Overheard, spec: Specification[Any], blind: bool = False) -> str:
    """A line of how much was reached, then what was not.

    Of guards that never refused it is told only where something else was tried: if `blind`.
    """
    found, counts = of_trace(overheard, spec), properties(overheard, spec)
    held = {guard for guard in found.guards if found.held[guard]}
    refused = {guard for guard in found.guards if found.refused[guard]}
    open_ = [guard for guard in found.guards if found.taken[guard[0]]]
    taken = sum(map(bool, found.taken.values()))
    tested = sum(bool(n["tested"]) for n in counts.values())
    both = f", {len(held & refused)} of them answered both ways" if blind else ""
    unasked = [name for name, n in counts.items() if not n["asked"]]
    untested = [name for name, n in counts.items() if n["asked"] and not n["tested"]]
    lines = [
        f"coverage: {taken} of {len(found.taken)} actions were taken, "
        f"{len(held | refused)} of {len(found.guards)} guards asked{both}, "
        f"{tested} of {len(counts)} properties tested",
        *_listed("actions never taken", found.never_taken),
        *_each("guards never asked, of actions that were taken", set(open_) - held - refused),
        *_each("guards that never refused", set(open_) & held - refused if blind else ()),
        *_listed("properties never asked", unasked),
        *_listed("properties asked only where they could not be broken", untested),
        *_listed("properties that only models are asked for", sorted(MODELS_ONLY)),
    ]
    return "\n".join(lines)


def _listed(title: str, names: Iterable[str]) -> list[str]:
    listed = ", ".join(names)
    if not listed:
        return []
    return wrap(f"  {title}: {listed}", 100, subsequent_indent="    ", break_long_words=False)


def _each(title: str, guards: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"    {action}: {says}" for action, says in sorted(guards)]
    return [f"  {title}:", *lines] if lines else []
