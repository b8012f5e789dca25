"""A run on real processes that went wrong, again in simulation: there it can be had at will.

A machine has its own mind, so the same plan on it may go well the next time.  In simulation the
seed decides everything: once a seed breaks the same property there, the failure can be replayed,
made small and kept.  Tier 1 is tried first, then tier 2, where the bug may be one of the shells.
What only breaks on real processes says so much: it is in what both tiers simulate.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Broken, Catch, HarnessError, run_plan

SEEDS = 20  #: of each tier
LIMIT_S = 30.0  #: CPU seconds, for each tier


@dataclass(frozen=True, slots=True)
class Lifted:
    """What a simulated run of the same plan broke: in which tier, with which seed."""

    tier: int
    seed: int
    broken: Broken
    same: bool  #: the very property that the real run broke


def lift(
    plan: Plan,
    wanted: Broken,
    seeds: int = SEEDS,
    limit_s: float = LIMIT_S,
    tiers: Sequence[int] = (1, 2),
) -> tuple[Lifted | None, int]:
    """The first seed that breaks the same in simulation, else the first that breaks anything.

    And how many runs came to their end.
    """
    other: Lifted | None = None
    runs = 0
    for tier in tiers:
        until_s = time.process_time() + limit_s
        for seed in range(plan.seed, plan.seed + seeds):
            left_s = until_s - time.process_time()
            if left_s <= 0:
                break
            tried = plan.model_copy(update={"seed": seed})
            try:
                broken = run_plan(tried, left_s, tier=tier).broken
            except HarnessError:
                continue
            runs += broken is None or broken.kind is not Catch.ENDLESS
            if broken is None or broken.kind is Catch.ENDLESS:
                continue
            found = Lifted(tier, seed, broken, broken.property == wanted.property)
            if found.same:
                return found, runs
            other = other or found
    return other, runs


def told(lifted: Lifted | None, runs: int, folder: str) -> list[str]:
    """What a report says of it; `folder` is the directory of the real run."""
    if lifted is None:
        return [f"in simulation, {runs} runs of the plan break nothing"]
    what = "the same" if lifted.same else f"another thing: {lifted.broken.says}"
    plan = f"{folder}/plan.toml"
    lines = [
        f"in simulation, seed {lifted.seed} of tier {lifted.tier} breaks {what}",
        f"  replay: mesos-chaos run {plan} --tier {lifted.tier} --seed {lifted.seed}",
    ]
    tier = "" if lifted.tier == 1 else f" --tier {lifted.tier}"
    lines.append(f"  shrink: mesos-chaos shrink {folder}{tier} --seeds {lifted.seed}")
    return lines
