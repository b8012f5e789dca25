"""Hunting a mutant: run plans until something notices, or the budget is spent.

Each mutant is hunted in a scratch process of its own.  The hunt tries the plans of the corpus that
have caught it before and the scenarios that its file names (its *hints*), two tiny plans, and then
drawn plans and shipped scenarios in turn, seed after seed.
A failure of the harness itself is no catch.  Not settling, or not ending, is the mutant's doing
only if the clean code does: the same plan is run once more without it, and a plan that does not
settle either way is *restless*, and no catch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from mesos_chaos.mutants import Mutant, MutantError
from mesos_chaos.mutants.planting import is_planted
from mesos_chaos.mutants.scratch import ScratchError, in_scratch
from mesos_chaos.plan import Plan, load_scenario, shipped
from mesos_chaos.search.breaking import Catch, what_broke
from mesos_chaos.search.dice import Seeded
from mesos_chaos.search.drawing import draw_plan
from mesos_chaos.search.exhaustive import SMALL, SMALL_CUSTOM
from mesos_chaos.search.keeping import shipped_corpus
from mesos_chaos.search.shrinking import measure, shrink

SEEDS_WHERE = 5  #: seeds of the scenarios a mutant names, before all others are tried
#: Scenarios that are tried before the others: much happens in little time.
RICH = ("strangers_on_lost_agents", "everything_dies", "unruly_framework", "deposed_leader")
DRAWN_EACH = 3  #: drawn plans before each scenario
PLAN_S = 30.0  #: CPU time of one plan, at most
CLEAN_S = 60.0
FAILED = "harness failed: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How to hunt."""

    budget_s: float = 60.0  #: CPU seconds
    seeds: int = 40  #: of each scenario, and so of drawn plans
    hints: bool = True  #: whether what the mutant's file names is tried first
    drawn: bool = True  #: whether plans are drawn
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


@dataclass(frozen=True, slots=True)
class Try:
    """One plan to try, and where it comes from."""

    strategy: str
    name: str
    seed: int

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        if self.strategy == "small":
            return SMALL if self.name == "command" else SMALL_CUSTOM
        if self.strategy == "corpus":
            return shipped_corpus()[self.name].plan
        if self.strategy == "drawn":
            return draw_plan(Seeded(f"hunt/{self.seed}"))
        return load_scenario(self.name)[1].bare().model_copy(update={"seed": self.seed})


def tries(mutant: Mutant, rules: Rules) -> Iterator[Try]:
    """All plans to try, in order."""
    hinted = mutant.where if rules.hints else ()
    for one in shipped_corpus().values() if rules.hints else ():
        if one.mutant == mutant.id:
            yield Try("corpus", one.id, one.plan.seed)
    for seed in range(SEEDS_WHERE):
        for name in hinted:
            yield Try("hint", name, seed)
    simulated = [n for n in shipped() if 1 in load_scenario(n)[1].tiers]
    names = sorted(simulated, key=lambda name: (name not in RICH, name))
    if rules.seeds:
        yield Try("small", "command", 0)
        yield Try("small", "custom", 0)
    drawn = 0
    for seed in range(rules.seeds):
        for name in names:
            for _ in range(DRAWN_EACH if rules.drawn else 0):
                yield Try("drawn", "drawn", drawn)
                drawn += 1
            if name not in hinted or seed >= SEEDS_WHERE:
                yield Try("scenario", name, seed)


def hunt(mutant: Mutant, rules: Rules) -> Hunt:
    """Hunt `mutant` in a scratch process.  Call it in a warm process, with one thread."""
    restless: list[str] = []
    skip, plans, spent_s = 0, 0, 0.0
    while True:
        left_s = rules.budget_s - spent_s
        try:
            at, found, took_s = in_scratch(
                mutant, _hunt_here, mutant, rules, skip, left_s, cpu_s=left_s + PLAN_S
            )
        except ScratchError as error:
            return Hunt(id=mutant.id, caught=False, property=f"{FAILED}{error}")
        plans, spent_s = plans + at - skip, spent_s + took_s
        if found is None or not Catch(found.kind).may_be_the_plan or _clean_breaks(found) is None:
            break
        restless.append(f"{found.scenario} #{found.seed}")
        skip = at
    if found is None:
        found = Hunt(id=mutant.id, caught=False)
    return _with(found, plans=plans, cpu_s=spent_s, restless=restless)


def _with(found: Hunt, **changes: object) -> Hunt:
    return Hunt(**{**{n: getattr(found, n) for n in Hunt.__slots__}, **changes})


def _clean_breaks(found: Hunt) -> object:
    """What this process, which is clean, breaks with that plan."""
    return what_broke(Plan.model_validate_json(found.plan), CLEAN_S)


def _hunt_here(
    mutant: Mutant, rules: Rules, skip: int, budget_s: float
) -> tuple[int, Hunt | None, float]:
    """Hunt in this process, into which the mutant has been planted, from a try on."""
    began_s = time.process_time()
    at = 0
    for at, one in enumerate(tries(mutant, rules), start=1):
        if at <= skip:
            continue
        if time.process_time() - began_s > budget_s:
            return at - 1, None, time.process_time() - began_s
        plan = one.plan
        broken = what_broke(plan, PLAN_S)
        if not is_planted(mutant):
            raise MutantError(f"mutant {mutant.id}: no plan imports {mutant.module}")
        if broken is None:
            continue
        took_s = time.process_time() - began_s
        if rules.shrinks and not broken.kind.may_be_the_plan:
            small = shrink(plan, broken, lambda p: what_broke(p, PLAN_S), rules.shrinks)
            plan = small.plan
        return at, Hunt(
            id=mutant.id, caught=True, property=broken.says, strategy=one.strategy,
            scenario=one.name, seed=one.seed, evidence=broken.evidence, kind=broken.kind,
            breaks=broken.property,
            size=measure(plan), plan=plan.model_dump_json(exclude_defaults=True),
        ), took_s  # fmt: skip
    return at, None, time.process_time() - began_s
