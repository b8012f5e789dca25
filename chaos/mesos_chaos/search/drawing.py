"""Plans that are drawn: small clusters, little work, up to eight faults, one seed.

What is drawn is data (D11), a few dozen choices a plan, so that a plan that fails can be made small
and kept.  Everything a drawn plan does is survivable: each fault has its undo, so the plan must
conform and settle.  A `Taste` says what may occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mesos_chaos.plan import Cluster, Expect, Fault, FaultKind, Plan, Workload
from mesos_chaos.search.dice import Dice

MOST_FAULTS = 8
SETTLES_S = 240.0

#: Where a node may be struck: right after, or in the middle of, one of these.
SITES = (
    "agent.be_registered",
    "agent.executor_ends",
    "agent.executor_subscribes",
    "agent.executor_updates",
    "agent.hear_ack",
    "agent.register",
    "agent.run",
    "agent.start_agent",
    "master.accept",
    "master.acknowledge",
    "master.admit",
    "master.forward",
    "master.lead",
    "master.mark_unreachable",
    "master.offer",
    "master.subscribe",
    "scheduler.ack",
    "scheduler.be_subscribed",
    "scheduler.call",
    "scheduler.hear_offers",
    "scheduler.hear_update",
)
#: Those at which what is lost is missed most; some more often.
LOSING = (
    "agent.be_registered",
    "agent.executor_updates",
    "agent.register",
    "agent.run",
    "master.accept",
    "master.accept",
    "master.admit",
    "master.lead",
    "master.mark_unreachable",
    "master.mark_unreachable",
    "scheduler.call",
    "scheduler.call",
)
#: Timers that are hasty together; each group is drawn by itself.
TIMERS: dict[str, dict[str, float]] = {
    "hasty-offers": {"offer_timeout_s": 1.0, "status_update_retry_s": 0.3},
    "hasty-agents": {
        "agent_ping_timeout_s": 0.3,
        "max_agent_ping_timeouts": 2,
        "agent_reregister_timeout_s": 1.0,
    },
    "hasty-executors": {
        "executor_registration_timeout_s": 0.5,
        "executor_reregistration_timeout_s": 0.5,
    },
    "hasty-ends": {"executor_shutdown_grace_s": 0.5},
}
IMPATIENT = {"ping_timeout_s": 0.5}  #: of agents, where masters ping as often
COMMANDS = ("sleep 0.05", "sleep 0.4", "sleep 1.5")
FEATURES = (
    "custom",
    "foreign",
    "rivals",
    "scarce",
    "slow-ends",
    "stillborn",
    "two",
    "uneven",
    "unruly",
    *TIMERS,
)
SLOW_ENDS_S = (0.5, 3.0)  #: until executors are gone
SCARCE_MB = 64  #: memory for two tasks, while there are processors for more


@dataclass(frozen=True, slots=True)
class Taste:
    """What may occur in a drawn plan."""

    kinds: tuple[FaultKind, ...] = tuple(FaultKind)
    sites: tuple[str, ...] = SITES
    features: tuple[str, ...] = FEATURES
    sure: tuple[str, ...] = ()  #: features that each plan has
    most_faults: int = MOST_FAULTS
    most_items: int = 8  #: of each framework
    most_foreign_calls: int = 160
    most_nodes: int = 3  #: masters, and agents
    most_foreign: int = 1
    most_times: int = 12  #: that a site is reached before a fault
    targets: tuple[str, ...] = ()  #: whom faults strike, if they can; nobody: anybody
    lasts_s: tuple[float, ...] = (0.2, 1.5, 4.0)
    restarts_s: tuple[float, ...] = (0.3, 0.0, 1.5, 4.0)
    least_agents: int = 1
    impatient: bool = True  #: hasty agents do not wait long for a master either

    def has(self, dice: Dice, feature: str, share: float = 0.5) -> bool:
        """Whether a plan has that feature; if it may, for about that share of them."""
        return feature in self.sure or (feature in self.features and dice.maybe(share))


EVERYTHING = Taste()
#: Plans that take a third of the time: where they see what others do, more of them see more.
BRIEF = Taste(most_faults=4, most_items=3, most_foreign_calls=40)
#: Plans of some two hundred records, a dozen in a CPU second.
LITTLE = Taste(most_faults=2, most_items=1, most_nodes=2, features=("custom", *TIMERS))

#: Of each tier, what it has: custom executors, rivals and foreign schedulers are simulated in the
#: first alone.  Runs on real processes take seconds each, so what is drawn for them is brief.
OF_TIERS: dict[int, Taste] = {
    1: EVERYTHING,
    2: Taste(features=(*TIMERS, "two"), impatient=False),
    3: Taste(features=(*TIMERS, "two"), impatient=False, most_faults=3, most_items=3),
}
#: Plans in which frameworks that nobody here wrote have a cluster nearly to themselves.
STRANGERS = Taste(
    features=("custom", "scarce", "slow-ends", "uneven", *TIMERS),
    sure=("foreign",),
    most_faults=2,
    most_items=1,
    most_foreign=2,
    most_foreign_calls=120,
)
#: Plans in which agents and masters come and go so often, that agents are given up.
LOSSES = Taste(
    kinds=(FaultKind.KILL, FaultKind.CUT, FaultKind.PAUSE, FaultKind.DEPOSE),
    sites=LOSING,
    sure=("foreign", "hasty-agents"),
    most_times=3,
    most_items=3,
    targets=("agent:any", "agent:1", "leader"),
    lasts_s=(1.5, 4.0),
    restarts_s=(2.5, 0.3, 4.0),
    most_foreign_calls=80,
    least_agents=2,
)


def draw_plan(dice: Dice, taste: Taste = EVERYTHING) -> Plan:
    """A whole plan; it must conform, and settle after the heal."""
    two = taste.has(dice, "two", 0.4)
    names = ("alpha", "beta") if two else ("alpha",)
    many = dice.between(0, taste.most_faults)
    plan = Plan(
        cluster=draw_cluster(dice, taste),
        workload=[draw_workload(dice, taste, name) for name in names],
        fault=draw_faults(dice, taste, names, many),
        expect=Expect(settles_within_s=SETTLES_S),
        seed=dice.between(0, 9_999),
    )
    if not taste.has(dice, "slow-ends", 0.2):
        return plan
    late = {"slow_ends_s": dice.pick(SLOW_ENDS_S)}
    return plan.model_copy(update={"cluster": plan.cluster.model_copy(update=late)})


def draw_cluster(dice: Dice, taste: Taste = EVERYTHING) -> Cluster:
    """Up to three masters and three agents, perhaps with hasty timers and a foreign framework."""
    foreign = taste.has(dice, "foreign") * dice.between(1, taste.most_foreign)
    return Cluster(
        masters=dice.between(1, taste.most_nodes),
        agents=dice.between(taste.least_agents, taste.most_nodes),
        mem_mb=SCARCE_MB if taste.has(dice, "scarce", 0.2) else 4096,
        uneven=taste.has(dice, "uneven", 0.4),
        foreign=foreign,
        foreign_calls=dice.between(20, taste.most_foreign_calls) if foreign else 20,
        timers=draw_timers(dice, taste),
    )


def draw_timers(dice: Dice, taste: Taste = EVERYTHING) -> dict[str, float]:
    """Some of the groups."""
    groups = {name: group for name, group in TIMERS.items() if taste.has(dice, name)}
    if taste.impatient and "hasty-agents" in groups:
        groups["impatient"] = IMPATIENT
    return {name: value for group in groups.values() for name, value in group.items()}


def draw_workload(dice: Dice, taste: Taste, name: str) -> Workload:
    """A framework called `name` with a little work."""
    custom = taste.has(dice, "custom", 0.4)
    return Workload(
        name=name,
        items=dice.between(1, taste.most_items),
        command=dice.pick(COMMANDS),
        cpus=dice.pick((0.5, 0.2, 2.0)),
        executor="custom" if custom else "command",
        stillborn=int(custom and taste.has(dice, "stillborn", 0.2)),
        unruly=taste.has(dice, "unruly", 0.3),
        rivals=int(taste.has(dice, "rivals", 0.2)),
    )


def draw_faults(dice: Dice, taste: Taste, schedulers: Sequence[str], many: int) -> list[Fault]:
    """So many; in half of the plans those at a time come within a second of each other."""
    found = [draw_fault(dice, taste, schedulers) for _ in range(many)]
    if not dice.maybe():
        return found
    first = dice.between(0, 40)
    return [
        one
        if one.at_s is None
        else one.model_copy(update={"at_s": (first + dice.between(0, 10)) / 10})
        for one in found
    ]


def draw_fault(dice: Dice, taste: Taste, schedulers: Sequence[str]) -> Fault:
    """One fault that makes sense, at a time or at a site."""
    kind = dice.pick(taste.kinds)
    at_site = dice.maybe()
    moment: dict[str, Any] = (
        {"after": f"{dice.pick(taste.sites)}#{dice.between(1, taste.most_times)}"}
        if at_site
        else {"at_s": dice.between(0, 60) / 10}
    )
    among = targets(kind, schedulers)
    target = dice.pick([one for one in among if one in taste.targets] or among)
    return Fault(kind=kind, target=target, **moment, **_details(dice, taste, kind))


def targets(kind: FaultKind, schedulers: Sequence[str]) -> list[str]:
    """Whom a fault of that kind may strike."""
    agents, masters = ["agent:any", "agent:1"], ["leader", "standby"]
    match kind:
        case FaultKind.KILL:
            return agents + masters + ["executor:any", *(f"scheduler:{s}" for s in schedulers)]
        case FaultKind.PAUSE:
            return agents + masters
        case FaultKind.DEPOSE:
            return ["leader"]
        case _:
            return agents + [f"scheduler:{s}" for s in schedulers]


def _details(dice: Dice, taste: Taste, kind: FaultKind) -> dict[str, Any]:
    """What belongs to a fault of that kind, and nothing else."""
    lasts = {"for_s": dice.pick(taste.lasts_s)}
    match kind:
        case FaultKind.KILL:
            return {"restart_after_s": dice.pick(taste.restarts_s)}
        case FaultKind.CUT:
            return {**lasts, "direction": dice.pick(("both", "up", "down"))}
        case FaultKind.DELAY:
            way = dice.pick(("both", "up", "down"))
            return {**lasts, "direction": way, "delay_s": dice.pick((0.05, 0.5))}
        case FaultKind.PAUSE:
            return lasts
        case _:
            return {}
