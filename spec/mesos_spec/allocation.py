"""Whom to offer to: dominant resource fairness, as a relation.

A *claimant* is a framework in one of its roles.  The *share* of a role, or of a framework in it, is
its dominant one: of all resources, the greatest part of the cluster that is promised to it (offers
count, F4; the cluster is all registered agents, ALC-15).  The next offer of an agent goes to the
role with the smallest share, and in it to the framework with the smallest; ties by name (D21).

`next_claimant` says who that is.  A base model may offer to anyone; the judge asks this of every
offer that was really made, and `fair_offer` has it as a guard in a model of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

from mesos_spec import offers
from mesos_spec.domains import agents, amounts, epochs, fresh_offers
from mesos_spec.ids import AgentId, Epoch, FrameworkId, OfferId, Role
from mesos_spec.kernel import action, each_step, require
from mesos_spec.resources import NOTHING, Resources
from mesos_spec.state import FrameworkRecord, Standing, State

Claimant = tuple[FrameworkId, Role]

LEAST_CPUS, LEAST_MEM = 10, 32_000  #: an offer has 0.01 cpus or 32 MB, or is none (ALC-13)


@lru_cache(maxsize=64)
def _weights(capacity: Resources) -> dict[str, int]:
    """For each resource, what one of it adds to a share; shares of one cluster are integers."""
    whole = 1
    for _, amount in capacity.items():
        whole *= max(amount, 1)
    return {name: whole // amount for name, amount in capacity.items() if amount > 0}


def share(promised: Resources, capacity: Resources) -> int:
    """The dominant share of who was promised that much: greater is more, 0 is nothing (ALC-15).

    An integer that may be compared with other shares of the same capacity, and with nothing else.
    """
    weights = _weights(capacity)
    return max((n * weights.get(name, 0) for name, n in promised.items()), default=0)


def is_worth_offering(resources: Resources) -> bool:
    """Whether there is enough for an offer (ALC-13)."""
    return resources["cpus"] >= LEAST_CPUS or resources["mem"] >= LEAST_MEM


def may_claim(
    s: State,
    epoch: Epoch,
    framework: FrameworkId,
    record: FrameworkRecord,
    role: Role,
    agent: AgentId,
    resources: Resources,
) -> bool:
    """Whether a framework may be offered this in a role: it wants it, and has not refused it."""
    return role not in record.suppressed and not offers.is_filtered(
        s, epoch, framework, agent, role, resources
    )


def next_claimant(
    s: State, epoch: Epoch, agent: AgentId, resources: Resources | None = None
) -> Claimant | None:
    """Who is next to be offered what is free on an agent (or `resources` of it), if anybody."""
    candidate = s.free(epoch, agent) if resources is None else resources
    capacity = s.capacity[epoch]
    promised: dict[Role, Resources] = {}
    claims: list[tuple[Role, FrameworkId, int]] = []
    for framework in s.met_frameworks[epoch]:
        record, charged = s.frameworks[epoch, framework], s.charged[epoch, framework]
        for role, amount in charged.items():
            promised[role] = promised.get(role, NOTHING) + amount
        if record.standing == Standing.CONNECTED:
            for role in record.roles:
                if may_claim(s, epoch, framework, record, role, agent, candidate):
                    its = share(charged.get(role, NOTHING), capacity)
                    claims.append((role, framework, its))
    if not claims:
        return None
    shares = {role: share(amount, capacity) for role, amount in promised.items()}
    best = min(claims, key=lambda claim: (shares.get(claim[0], 0), claim[0], claim[2], claim[1]))
    return best[1], best[0]


@action(
    "offers charged events",
    by="master",
    cites=("ALC-13", "ALC-15", "ALC-17", "F4", "F6", "L4", "A2", "A3"),
    epoch=epochs,
    agent=agents,
    offer=fresh_offers,
    resources=amounts,
)
def fair_offer(
    s: State, epoch: Epoch, agent: AgentId, offer: OfferId, resources: Resources
) -> None:
    """What is free on an agent is promised to whom the cluster owes most (ALC-15, F4)."""
    require(s.agents[epoch, agent].standing == Standing.REGISTERED, "the agent is connected")
    require(is_worth_offering(resources), "there is enough to offer")
    claimant = next_claimant(s, epoch, agent, resources)
    require(claimant is not None, "somebody may be offered it")
    assert claimant is not None

    framework, role = claimant
    offers.promise(s, epoch, agent, framework, role, offer, resources)


# ---- what fairness means -------------------------------------------------------------------
def dominant(promised: Iterable[Resources], capacity: Resources) -> Fraction:
    """The greatest part of any resource of the cluster that is promised."""
    whole = list(promised)
    parts = (Fraction(sum(one[name] for one in whole), amount) for name, amount in capacity.items())
    return max(parts, default=Fraction(0))


@each_step(
    "offers",
    cites=("ALC-12", "ALC-15", "ALC-16", "ALC-22", "ALC-23", "F4", "F6", "L4"),
    epoch=epochs,
    agent=agents,
)
def the_poorest_is_served(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """Who is made an offer has no greater share than anybody who might have had it: his role has
    none among the roles, and he has none among his role's frameworks (ALC-15)."""
    capacity = before.capacity[epoch]
    charged = {f: before.charged[epoch, f] for f in before.met_frameworks[epoch]}

    def share_of(role: Role, framework: FrameworkId | None = None) -> Fraction:
        whose = [framework] if framework is not None else [*charged]
        return dominant((charged[f].get(role, NOTHING) for f in whose), capacity)

    for offer, made in after.offers[epoch, agent].items():
        if offer in before.offers[epoch, agent]:
            continue
        for framework in charged:
            record = before.frameworks[epoch, framework]
            for role in record.roles if record.standing == Standing.CONNECTED else ():
                if not may_claim(before, epoch, framework, record, role, agent, made.resources):
                    continue
                if share_of(role) < share_of(made.role):
                    return False
                mine, theirs = share_of(made.role, made.framework), share_of(role, framework)
                if role == made.role and theirs < mine:
                    return False
    return True


@each_step("offers", cites=("ALC-10", "ALC-13"), epoch=epochs, agent=agents)
def the_first_gets_all(before: State, after: State, epoch: Epoch, agent: AgentId) -> bool:
    """An offer is of all that is free of an agent, and of enough to be worth it (ALC-10)."""
    made = after.offers[epoch, agent]
    new = [made[offer].resources for offer in made if offer not in before.offers[epoch, agent]]
    return all(is_worth_offering(one) and one == before.free(epoch, agent) for one in new)
