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
from enum import StrEnum

from mesos_chaos.plan import MAX_FAULTS, FaultKind, Plan
from mesos_chaos.search.dice import Dice, Seeded
from mesos_chaos.search.drawing import (
    EVERYTHING,
    FEATURES,
    SITES,
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


def draw(strategy: Strategy, seed: str, pool: Sequence[Plan] = ()) -> Plan:
    """One plan, from a seed (and, for novelty, from plans that showed something new)."""
    dice = Seeded(f"{strategy}/{seed}")
    match strategy:
        case Strategy.SWARM:
            return draw_plan(dice, swarm(dice))
        case Strategy.HOLD_BACK:
            return hold_back(dice)
        case Strategy.NOVELTY if pool:
            return edited(dice, dice.pick(pool))
        case _:
            return draw_plan(dice)


def swarm(dice: Dice) -> Taste:
    """A taste that leaves out much."""
    return Taste(
        kinds=tuple(dice.some(tuple(FaultKind), 0.4)),
        sites=tuple(dice.some(SITES, 0.3)),
        features=tuple(name for name in FEATURES if dice.maybe(0.5)),
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


def edited(dice: Dice, plan: Plan) -> Plan:
    """The plan with one thing changed: its seed, a fault more, less or other, work, cluster."""
    names = [workload.name for workload in plan.workload]
    change = dice.pick(("seed", "more", "less", "other", "other", "work", "cluster"))
    faults = list(plan.fault)
    match change:
        case "more" if len(faults) < MAX_FAULTS:
            faults.append(draw_fault(dice, EVERYTHING, names))
        case "less" if faults:
            faults.pop(dice.between(0, len(faults) - 1))
        case "other" if faults:
            faults[dice.between(0, len(faults) - 1)] = draw_fault(dice, EVERYTHING, names)
        case "work":
            work = [draw_workload(dice, EVERYTHING, name) for name in names]
            return plan.model_copy(update={"workload": work})
        case "cluster":
            cluster = draw_cluster(dice)
            return plan.model_copy(update={"cluster": cluster})
        case _:
            return plan.model_copy(update={"seed": dice.between(0, 999_999)})
    return plan.model_copy(update={"fault": faults})
