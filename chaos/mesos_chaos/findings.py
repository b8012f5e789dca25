"""What is not well with a run, as findings: what SARIF and GitHub's annotations are made from.

To what the judge says (`mesos_spec.tools.report.judged`) comes what only the harness knows: whether
the work was done, what a core holds though it must not, what it forgot to do, what was to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesos_spec.tools.judging.verdict import Verdict
from mesos_spec.tools.report.findings import Finding
from mesos_spec.tools.report.judged import judged

SETTLES = "the_work_gets_done"
GOAL = "the_goal_holds"
CLEAN = "nothing_is_left_behind"
PUNCTUAL = "no_timer_is_forgotten"
SEEN = "the_run_shows_what_it_must"
CARRIED_OUT = "the_run_is_carried_out"

DEMANDS = {
    SETTLES: "After the heal all wanted work is done within `settles_within_s`.",
    GOAL: "The goal of the user holds after the heal.",
    CLEAN: "A core that is at rest holds nothing of what is over.",
    PUNCTUAL: "What has its time is done when its time has come.",
    SEEN: "Without the actions that a scenario names in `must_see`, a run proves nothing.",
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
) -> list[Finding]:
    """Everything that is not well with a run, the judge's findings first.

    `unsettled` says what is pending, if the run did not settle; the others are as in its result.
    """
    wrong = [(SETTLES, says) for says in unsettled]
    wrong += [(GOAL, goal)] if goal is not None else []
    wrong += [(CLEAN, says) for says in leaks] + [(PUNCTUAL, says) for says in late]
    doubts = [(SEEN, f"never seen: {name}") for name in missed]
    return [
        *judged(verdict, run),
        *_told(run, "error", wrong),
        *_told(run, "warning", doubts),
    ]


def failed(run: str, why: str) -> list[Finding]:
    """The one finding of a run that could not be carried out."""
    return list(_told(run, "error", [(CARRIED_OUT, why)]))


def _told(run: str, level: str, said: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for rule, says in said:
        text = f"{run}: {says}"
        yield Finding(rule, level, run, text, text, None, demands=DEMANDS[rule])
