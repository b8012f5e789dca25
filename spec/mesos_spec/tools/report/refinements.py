"""What a check of a refinement found, for people and for machines.

A step that is none above is shown on both levels: the shortest behaviour that leads there, then
what the specification above has before and after it.
"""

from __future__ import annotations

import json
from textwrap import indent
from typing import Any

from mesos_spec.kernel import show
from mesos_spec.tools.cli.common import ExitCode
from mesos_spec.tools.report.show import as_json, as_text, difference
from mesos_spec.tools.search.refinement import Refined, Unrefined

HEAD = f"{'model':28} {'states':>10} {'above':>10} {'steps':>10} {'time':>8}  result"


def exit_code(found: Refined[Any, Any]) -> ExitCode:
    """Broken, unknown (not finished), or well."""
    if found.broken is not None:
        return ExitCode.SAFETY
    return ExitCode.OK if found.ok else ExitCode.UNKNOWN


def row(found: Refined[Any, Any]) -> str:
    """The check as a line of the table."""
    result = found.result
    return (
        f"{result.model.name:28} {result.states:>10,} {found.above:>10,} {result.steps:>10,} "
        f"{result.seconds:>6.1f} s  {_result(found)}"
    )


def _result(found: Refined[Any, Any]) -> str:
    if found.broken is not None:
        return f"BROKEN: {found.broken.why}"
    if not found.result.finished:
        return f"unknown: {found.result.stopped}; all that was seen is a behaviour above"
    moves = {above for _, above in found.steps if above}
    return f"{found.refinement.name}; {len(moves)} of its actions seen"


def details(found: Refined[Any, Any]) -> str:
    """Both levels of a step that is none above; empty if there is none."""
    if found.broken is None:
        return ""
    lines = [as_text(found.broken.behaviour), "of which above is seen:"]
    return indent("\n".join([*lines, *both(found.broken)]), "  ")


def both(broken: Unrefined[Any, Any]) -> list[str]:
    """What the last step is above: each cell before, and what became of it."""
    before, after = dict(broken.before_above.cells()), dict(broken.after_above.cells())
    kept = [f"          {show(cell)}: {value!r}" for cell, value in before.items()]
    changed = [cell for cell in before | after if before.get(cell) != after.get(cell)]
    look = broken.before_above.look, broken.after_above.look
    return [*kept, *(f"        ⇒ {difference(c, look[0](c), look[1](c))}" for c in changed)]


def plain(found: Refined[Any, Any]) -> dict[str, Any]:
    """The check as JSON has it."""
    broken = found.broken
    return {
        "model": found.result.model.name,
        "refinement": found.refinement.name,
        "exit_code": int(exit_code(found)),
        "result": _result(found),
        "states": found.result.states,
        "states_above": found.above,
        "steps": found.result.steps,
        "seconds": round(found.result.seconds, 3),
        "finished": found.result.finished,
        "steps_above": [[*pair, n] for pair, n in sorted(found.steps.items()) if pair[1]],
        "counterexample": None if broken is None else json.loads(as_json(broken.behaviour)),
        "above": None if broken is None else both(broken),
    }
