"""Hunting a mutant: run plans until something notices, or the budget is spent.

Each mutant is hunted in a scratch process of its own, with one plan after the other (`tries`).
A failure of the harness itself is no catch.  Not settling, or not ending, is the mutant's doing
only if the clean code does: the same plan is run once more without it, and a plan that does not
settle either way is *restless*, and no catch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from mesos_chaos.mutants import Mutant, MutantError
from mesos_chaos.mutants.generic import MODULES
from mesos_chaos.mutants.planting import is_planted
from mesos_chaos.mutants.scratch import ScratchError, in_scratch
from mesos_chaos.mutants.survey import Seen, Survey
from mesos_chaos.mutants.tries import Try, tries
from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Broken, Catch, HarnessError, what_broke
from mesos_chaos.search.shrinking import measure, shrink

PLAN_S = 30.0  #: CPU time of one plan, at most
CLEAN_S = 60.0
SLOWER = 6  #: a plan may take so many times what it takes the clean code, and `LEAST_S`
LEAST_S = 3.0
FAILED = "harness failed: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to hunt."""

    budget_s: float = 60.0  #: CPU seconds
    seeds: int = 40  #: of each scenario, and so of drawn plans
    hints: bool = True  #: whether what the mutant's file names is tried first
    survey: str = ""  #: the file of a survey, whose plans are tried first
    reached_only: bool = False  #: whether a mutant that no plan of the survey reaches is left alone
    shrinks: int = 0  #: runs to make the plan that caught it small


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What came of hunting one mutant; caught by which plan, and by what."""

    id: str
    caught: bool
    property: str = ""
    plans: int = 0
    cpu_s: float = 0.0
    strategy: str = ""  #: where the plan came from: corpus, hint, small, drawn, scenario, live
    scenario: str = ""
    seed: int = 0
    evidence: str = ""
    kind: str = ""  #: a `Catch`, if it was caught
    breaks: str = ""  #: the property, without the names of this run
    size: dict[str, int] = field(default_factory=dict)  #: of the plan that caught it, shrunk
    plan: str = ""  #: that plan, as JSON
    restless: list[str] = field(default_factory=list)  #: plans the clean code does not settle
    reaching: int | None = None  #: how many plans of the survey reach its lines


def hunt(mutant: Mutant, rules: Rules, survey: Survey | None = None) -> Hunt:
    """Hunt `mutant` in a scratch process.  Call it in a warm process, with one thread."""
    is_surveyed = survey is not None and mutant.module in MODULES
    first = survey.reaching(mutant) if survey is not None and is_surveyed else []
    reaching = len(first) if is_surveyed else None
    if reaching == 0 and rules.reached_only:
        return Hunt(id=mutant.id, caught=False, reaching=0)
    restless: list[str] = []
    skip, plans, spent_s = 0, 0, 0.0
    while True:
        left_s = rules.budget_s - spent_s
        try:
            at, found, took_s = in_scratch(
                mutant, _hunt_here, mutant, rules, skip, left_s, first, cpu_s=left_s + PLAN_S
            )
        except ScratchError as error:
            return Hunt(id=mutant.id, caught=False, property=f"{FAILED}{error}", reaching=reaching)
        plans, spent_s = plans + at - skip, spent_s + took_s
        if found is None or not Catch(found.kind).may_be_the_plan or _clean_breaks(found) is None:
            break
        restless.append(f"{found.scenario} #{found.seed}")
        skip = at
    if found is None:
        found = Hunt(id=mutant.id, caught=False)
    return _with(found, plans=plans, cpu_s=spent_s, restless=restless, reaching=reaching)


def _with(found: Hunt, **changes: object) -> Hunt:
    return Hunt(**{**{n: getattr(found, n) for n in Hunt.__slots__}, **changes})


def _clean_breaks(found: Hunt) -> object:
    """What this process, which is clean, breaks with that plan."""
    return what_broke(Plan.model_validate_json(found.plan), CLEAN_S)


def _hunt_here(
    mutant: Mutant, rules: Rules, skip: int, budget_s: float, first: Sequence[Seen]
) -> tuple[int, Hunt | None, float]:
    """Hunt in this process, into which the mutant has been planted, from a try on."""
    began_s = time.process_time()
    costs = {seen.one: seen.cpu_s for seen in first}
    at = 0
    for at, one in enumerate(tries(mutant, rules.hints, rules.seeds, [*costs]), start=1):
        if at <= skip:
            continue
        if time.process_time() - began_s > budget_s:
            return at - 1, None, time.process_time() - began_s
        limit_s = min(PLAN_S, LEAST_S + SLOWER * costs[one]) if one in costs else PLAN_S
        try:
            broken = what_broke(one.plan, limit_s)
        except HarnessError:  # what the mutant does looks impossible, and nobody says by whom
            broken = None
        if not is_planted(mutant):
            raise MutantError(f"mutant {mutant.id}: no plan imports {mutant.module}")
        if broken is not None:
            took_s = time.process_time() - began_s
            return at, _caught(mutant, rules, one, broken), took_s
    return at, None, time.process_time() - began_s


def _caught(mutant: Mutant, rules: Rules, one: Try, broken: Broken) -> Hunt:
    plan = one.plan
    if rules.shrinks and not broken.kind.may_be_the_plan:
        plan = shrink(plan, broken, lambda p: what_broke(p, PLAN_S), rules.shrinks).plan
    return Hunt(
        id=mutant.id, caught=True, property=broken.says, strategy=one.strategy,
        scenario=one.name, seed=one.seed, evidence=broken.evidence, kind=broken.kind,
        breaks=broken.property,
        size=measure(plan), plan=plan.model_dump_json(exclude_defaults=True),
    )  # fmt: skip
