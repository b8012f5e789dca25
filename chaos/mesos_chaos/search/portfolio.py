"""The portfolio: ways to draw plans that find different things.

* `random` draws anything, evenly.
* `swarm` first draws a taste, a part of the faults, sites and features, and then within it: what is
  left out cannot mask what is there.
* `hold-back` has few faults and a few messages that arrive much later than they should, which
  brings about orders that even delays do not.
* `novelty` takes a plan that showed something new, and changes one thing in it.

Each plan follows from the campaign's seed, the strategy and a number; `novelty` also from its pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from mesos_chaos.plan import MAX_FAULTS, Plan
from mesos_chaos.search.dice import Dice, Seeded
from mesos_chaos.search.drawing import (
    EVERYTHING,
    Taste,
    draw_cluster,
    draw_fault,
    draw_plan,
    draw_workload,
)


class Strategy(StrEnum):
    """The ways, by name."""

    RANDOM = "random"
    SWARM = "swarm"
    HOLD_BACK = "hold-back"
    NOVELTY = "novelty"


#: Of each tier, the ways to draw for it.  Only simulated networks can be told to be late with few
#: messages; in virtual time it is the turns of tasks that are put off, in every run.
OF_TIERS: dict[int, tuple[Strategy, ...]] = {
    1: tuple(Strategy),
    2: (Strategy.RANDOM, Strategy.SWARM, Strategy.NOVELTY),
    3: (Strategy.RANDOM, Strategy.SWARM, Strategy.NOVELTY),
}


def draw(
    strategy: Strategy, seed: str, pool: Sequence[Plan] = (), taste: Taste = EVERYTHING
) -> Plan:
    """One plan within a taste, from a seed (and, for novelty, from plans that showed something)."""
    dice = Seeded(f"{strategy}/{seed}")
    match strategy:
        case Strategy.SWARM:
            return draw_plan(dice, swarm(dice, taste))
        case Strategy.HOLD_BACK:
            return hold_back(dice)
        case Strategy.NOVELTY if pool:
            return edited(dice, dice.pick(pool), taste)
        case _:
            return draw_plan(dice, taste)


def swarm(dice: Dice, taste: Taste = EVERYTHING) -> Taste:
    """A taste that leaves out much of a taste."""
    return replace(
        taste,
        kinds=tuple(dice.some(taste.kinds, 0.4)),
        sites=tuple(dice.some(taste.sites, 0.3)),
        features=tuple(name for name in taste.features if dice.maybe(0.5)),
    )


#: By how much wall clocks may differ.
SKEWS_S = (0.0, 1.0, 86_400.0)


def hold_back(dice: Dice) -> Plan:
    """A plan of which a few messages are held back; strangers' calls may overtake each other, and
    clocks disagree."""
    plan = draw_plan(dice, Taste(most_faults=2))
    late = {
        "held_back": dice.between(1, 12),
        "unordered_calls": dice.maybe(0.5),
        "clock_skew_s": dice.pick(SKEWS_S),
    }
    cluster = plan.cluster.model_copy(update=late)
    return plan.model_copy(update={"cluster": cluster})


def edited(dice: Dice, plan: Plan, taste: Taste = EVERYTHING) -> Plan:
    """The plan with one thing changed: its seed, a fault more, less or other, work, cluster."""
    names = [workload.name for workload in plan.workload]
    change = dice.pick(("seed", "more", "less", "other", "other", "work", "cluster"))
    faults = list(plan.fault)
    match change:
        case "more" if len(faults) < MAX_FAULTS:
            faults.append(draw_fault(dice, taste, names))
        case "less" if faults:
            faults.pop(dice.between(0, len(faults) - 1))
        case "other" if faults:
            faults[dice.between(0, len(faults) - 1)] = draw_fault(dice, taste, names)
        case "work":
            work = [draw_workload(dice, taste, name) for name in names]
            return plan.model_copy(update={"workload": work})
        case "cluster":
            cluster = draw_cluster(dice, taste)
            return plan.model_copy(update={"cluster": cluster})
        case _:
            return plan.model_copy(update={"seed": dice.between(0, 999_999)})
    return plan.model_copy(update={"fault": faults})
