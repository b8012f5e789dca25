"""What is not well with a run, as findings: what SARIF and GitHub's annotations are made from.

To what the judge says (`mesos_spec.tools.report.judged`) comes what only the harness knows: whether
the work was done, what a core holds though it must not, what it forgot to do, what was to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mesos_spec.tools.judging.verdict import Verdict
from mesos_spec.tools.report.findings import Finding
from mesos_spec.tools.report.judged import judged
from mesos_spec.tools.search.blame import Place

SETTLES = "the_work_gets_done"
GOAL = "the_goal_holds"
CLEAN = "nothing_is_left_behind"
PUNCTUAL = "no_timer_is_forgotten"
SEEN = "the_run_shows_what_it_must"
RAISES_NOTHING = "no_core_raises"
CARRIED_OUT = "the_run_is_carried_out"

DEMANDS = {
    SETTLES: "After the heal all wanted work is done within `settles_within_s`.",
    GOAL: "The goal of the user holds after the heal.",
    CLEAN: "A core that is at rest holds nothing of what is over.",
    PUNCTUAL: "What has its time is done when its time has come.",
    SEEN: "Without the actions that a scenario names in `must_see`, a run proves nothing.",
    RAISES_NOTHING: "A core never raises on what a peer sends.",
    CARRIED_OUT: "The harness itself does not fail.",
}


def findings(
    run: str,
    verdict: Verdict,
    *,
    unsettled: Sequence[str] = (),
    goal: str | None = None,
    leaks: Sequence[str] = (),
    late: Sequence[str] = (),
    missed: Sequence[str] = (),
    plan: Path | None = None,
) -> list[Finding]:
    """Everything that is not well with a run, the judge's findings first.

    What is at no record's line is at `plan`, a file: GitHub takes no SARIF without a place.
    `unsettled` says what is pending, if the run did not settle; the others are as in its result.
    """
    wrong = [(SETTLES, says) for says in unsettled]
    wrong += [(GOAL, goal)] if goal is not None else []
    wrong += [(CLEAN, says) for says in leaks] + [(PUNCTUAL, says) for says in late]
    doubts = [(SEEN, f"never seen: {name}") for name in missed]
    place = None if plan is None else Place(str(plan), 1)
    return [
        *judged(verdict, run, place=place),
        *_told(run, "error", wrong, place),
        *_told(run, "warning", doubts, place),
    ]


def failed(run: str, rule: str, why: str, plan: Path) -> list[Finding]:
    """The one finding of a run that came to no verdict: `CARRIED_OUT` or `RAISES_NOTHING`."""
    return list(_told(run, "error", [(rule, why)], Place(str(plan), 1)))


def _told(
    run: str, level: str, said: Sequence[tuple[str, str]], place: Place | None
) -> Iterator[Finding]:
    for rule, says in said:
        text = f"{run}: {says}"
        yield Finding(rule, level, run, text, text, place, demands=DEMANDS[rule])
