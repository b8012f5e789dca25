"""What a search found, for people and for machines: a line of a table, details, JSON.

A model is checked when its search was finished, nothing claimed of it was broken, everything it
must reach was reached, and the counts are the ones that were reviewed and pinned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from textwrap import indent
from typing import Any

from mesos_spec.tools.cli.common import ExitCode
from mesos_spec.tools.report.explain import named
from mesos_spec.tools.report.show import as_json, as_text
from mesos_spec.tools.search.checker import Result
from mesos_spec.tools.search.verdicts import Verdict

HEAD = f"{'model':28} {'states':>10} {'steps':>10} {'depth':>5} {'cut':>7} {'time':>8}  result"


def changed(result: Result[Any]) -> list[str]:
    """Each pinned count that the search did not find again, as a sentence.

    Only a finished search can be held against its pinned counts.
    """
    pinned = result.model.expect
    if pinned is None or not result.finished:
        return []
    was, now = asdict(pinned), asdict(result.counts)
    return [
        f"{name}: {was[name]:,} pinned, {now[name]:,} found"
        for name in was
        if was[name] != now[name]
    ]


def exit_code(result: Result[Any]) -> ExitCode:
    """What a search says: broken, not live, in doubt (unfinished, unseen, not as pinned), well."""
    if result.broken is not None:
        return ExitCode.USAGE if result.broken.wrong else ExitCode.SAFETY
    if any(verdict.lasso is not None for verdict in result.eventually):
        return ExitCode.LIVENESS
    if not result.ok or changed(result):
        return ExitCode.UNKNOWN
    return ExitCode.OK


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of several searches: the worst thing that is known of one."""
    ranked = (ExitCode.OK, ExitCode.UNKNOWN, ExitCode.LIVENESS, ExitCode.SAFETY, ExitCode.USAGE)
    return max(codes, key=ranked.index, default=ExitCode.OK)


# ---- for people ----------------------------------------------------------------------------
def row(result: Result[Any]) -> str:
    """The search as a line of the table."""
    return (
        f"{result.model.name:28} {result.states:>10,} {result.steps:>10,} {result.depth:>5} "
        f"{result.cut:>7,} {result.seconds:>6.1f} s  {said(result)}"
    )


def said(result: Result[Any]) -> str:
    """What was found, in the words of the table."""
    if result.broken is not None and result.broken.wrong:
        where = f" at {result.broken.wrong.place}" if result.broken.wrong.place else ""
        return f"WRONG{where}: no property is broken, the specification is"
    if result.broken is not None:
        return f"BROKEN: {named(result.broken.claim, result.broken.bound)}"
    if not result.finished:
        return f"unknown: {result.stopped}; all that was seen holds"
    if result.unseen:
        return f"unknown: never seen: {', '.join(result.unseen)}"
    for verdict in result.eventually:
        if not verdict.ok:
            return f"{'BROKEN' if verdict.lasso is not None else 'unknown'}: {verdict.says}"
    if changed(result):
        return "unknown: the counts are not the pinned ones"
    spec = result.model.spec
    held = len(spec.always) + len(spec.each_step)
    pinned = "" if result.model.expect is not None else ", no counts are pinned"
    seen = f", {len(spec.sometimes)} SOMETIMES seen" if spec.sometimes else ""
    hold = "1 property holds" if held == 1 else f"{held} properties hold"
    live = f", {len(result.eventually)} EVENTUALLY" if result.eventually else ""
    return f"{hold}{seen}{live}{pinned}"


def details(result: Result[Any]) -> str:
    """What the line has no room for; empty if there is nothing to say."""
    lines = [f"  {sentence}" for sentence in changed(result)]
    if result.broken is not None:
        lines.append(indent(as_text(result.broken), "  "))
    for verdict in result.eventually:
        if verdict.lasso is not None:
            lines.append(indent(as_text(verdict.lasso), "  "))
    return "\n".join(lines)


def summary(results: Sequence[Result[Any]], asked: int) -> str:
    """The last line: how many models are checked, and how much was looked at."""
    well = sum(exit_code(r) is ExitCode.OK for r in results)
    states = sum(r.states for r in results)
    return f"{well} of {asked} models are checked; {states:,} states"


# ---- for machines --------------------------------------------------------------------------
def plain(result: Result[Any]) -> dict[str, Any]:
    """The search as JSON has it."""
    expect = result.model.expect
    return {
        "model": result.model.name,
        "title": result.model.title,
        "exit_code": int(exit_code(result)),
        "result": said(result),
        **asdict(result.counts),
        "seconds": round(result.seconds, 3),
        "finished": result.finished,
        "stopped": result.stopped,
        "pinned": None if expect is None else asdict(expect),
        "changed": changed(result),
        "unseen": list(result.unseen),
        "never_taken": list(result.never_taken),
        "one_sided": [list(answer) for answer in result.one_sided],
        "deadlocks": result.deadlocks,
        "properties": [
            claim.name for claim in (*result.model.spec.always, *result.model.spec.each_step)
        ],
        "eventually": [_live(verdict) for verdict in result.eventually],
        "counterexample": None if result.broken is None else json.loads(as_json(result.broken)),
    }


def _live(verdict: Verdict[Any]) -> dict[str, Any]:
    """What became of an EVENTUALLY claim, as JSON has it."""
    return {
        "claim": verdict.claim,
        "holds": verdict.ok,
        "says": verdict.says,
        "owed": verdict.owed,
        "open": verdict.open,
        "lasso": None if verdict.lasso is None else json.loads(as_json(verdict.lasso)),
    }
