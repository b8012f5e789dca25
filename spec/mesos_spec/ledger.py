"""The ledger: who holds which resources, atomically.  This page is what Mesos does, without how.

Each leader keeps a book.  In it every agent it counts has an account: what it has, what of that is
offered, and what is held by tasks and executors.  What is neither is free.

    free ──offer──▶ offered ──use──▶ held          in a leader's book
      ◀────────────── let_go ─────────┘
    (use) ──▶ granted ──start──▶ running ──stop──▶ (nothing)     on the agent

A book is what a leader believes; what runs is what is so.  They meet where a leader *grants* what
it has written down: an agent starts nothing that was not granted to it, and out of offers that
ended for it.  Two leaders may both count an agent, and promise more of it together than it has; yet
no more ever runs there than fits, for an agent that turns to another leader voids what it was
granted before.  So S1, S3 and S7 hold in each book, and on each agent, and not across books.

That the protocol with all its messages, crashes and delays does just this is in `refinement`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mesos_spec.ids import AgentId, Epoch, FrameworkId, OfferId
from mesos_spec.kernel import (
    Cells,
    Const,
    Per,
    Sometimes,
    Specification,
    Table,
    action,
    always,
    each_step,
    per,
    require,
    sometimes,
)
from mesos_spec.resources import NOTHING, Resources, total


class Holder(NamedTuple):
    """A task or an executor: what holds resources."""

    framework: FrameworkId
    sort: str  #: task or executor
    name: str


class Share(NamedTuple):
    """Resources, and whose they are to use."""

    framework: FrameworkId
    resources: Resources


Holdings = Table[Holder, Resources]


class Parties(NamedTuple):
    """Who there is; in a model of the ledger alone, also what may be offered and held."""

    epochs: tuple[Epoch, ...]
    agents: Table[AgentId, Resources]  #: with what each has
    frameworks: tuple[FrameworkId, ...] = ()
    portions: tuple[Resources, ...] = ()
    tasks: Holdings = Table()
    offers: int = 1  #: per agent


class Ledger(Cells):
    """All accounts of all leaders, and what runs."""

    parties: Const[Parties]
    counted: Per[tuple[Epoch, AgentId], Resources] = per(NOTHING)
    offered: Per[tuple[Epoch, AgentId], Table[OfferId, Share]] = per(Table())
    held: Per[tuple[Epoch, AgentId], Holdings] = per(Table())
    granted: Per[AgentId, Holdings] = per(Table())
    running: Per[AgentId, Holdings] = per(Table())

    def free(self, epoch: Epoch, agent: AgentId) -> Resources:
        """What of an agent is neither offered nor held, to a leader."""
        offered = (share.resources for share in self.offered[epoch, agent].values())
        held = self.held[epoch, agent].values()
        return self.counted[epoch, agent] - total(*offered) - total(*held)


# ---- where names range, in a model of the ledger alone ---------------------------------------
def epochs(s: Ledger) -> Iterable[Epoch]:
    """Every leader there may be."""
    return s.parties.epochs


def agents(s: Ledger) -> Iterable[AgentId]:
    """Every agent."""
    return s.parties.agents.keys()


def frameworks(s: Ledger) -> Iterable[FrameworkId]:
    """Every framework."""
    return s.parties.frameworks


def portions(s: Ledger) -> Iterable[Resources]:
    """What may be offered."""
    return s.parties.portions


def fresh_offers(s: Ledger, agent: AgentId) -> list[OfferId]:
    """The first offer id of an agent that stands in no book."""
    taken = {offer for epoch in s.parties.epochs for offer in s.offered[epoch, agent]}
    pool = (OfferId(agent, str(n)) for n in range(1, s.parties.offers + 1))
    return [offer for offer in pool if offer not in taken][:1]


def one_or_all(things: Iterable[Any]) -> list[frozenset[Any]]:
    """Each of some things alone, and all together."""
    every = list(things)
    return list(dict.fromkeys(map(frozenset, (*([one] for one in every), every))))


def counted_agents(s: Ledger, epoch: Epoch) -> list[frozenset[AgentId]]:
    """One or all of the agents in a book."""
    return one_or_all(agent for agent in s.parties.agents if s.counted[epoch, agent])


def offers_of(s: Ledger, epoch: Epoch, agent: AgentId) -> list[frozenset[OfferId]]:
    """One or all of the offers of an agent."""
    return one_or_all(s.offered[epoch, agent])


def offers_in(s: Ledger, epoch: Epoch) -> list[frozenset[OfferId]]:
    """No offer in a book, one, or all."""
    return one_or_all(offer for agent in s.parties.agents for offer in s.offered[epoch, agent])


def holders_in(s: Ledger, epoch: Epoch) -> list[frozenset[tuple[AgentId, Holder]]]:
    """No holder in a book, or one."""
    each = ((agent, one) for agent in s.parties.agents for one in s.held[epoch, agent])
    return [frozenset(), *(frozenset({one}) for one in each)]


def wishes(s: Ledger) -> list[Holdings]:
    """What may be launched: nothing, or one task."""
    return [Table(), *(Table({one: amount}) for one, amount in s.parties.tasks.items())]


def granted_to(s: Ledger, agent: AgentId) -> list[frozenset[Holder]]:
    """One or all of what is granted to an agent."""
    return one_or_all(s.granted[agent])


def running_on(s: Ledger, agent: AgentId) -> list[frozenset[Holder]]:
    """One or all of what runs on an agent."""
    return one_or_all(s.running[agent])


# ---- a leader's book -------------------------------------------------------------------------
@action(
    "counted held",
    by="leader",
    cites=("R1", "S1", "AGT-9"),
    epoch=epochs,
    agent=agents,
    has=lambda s, agent: [s.parties.agents[agent]],
    holds=lambda s, agent: [s.running[agent]],
)
def count(s: Ledger, epoch: Epoch, agent: AgentId, has: Resources, holds: Holdings) -> None:
    """An agent has an account, anew or again: what it has, and who holds what of it (R1)."""
    offered = total(*(share.resources for share in s.offered[epoch, agent].values()))
    require(bool(has), "the agent has something")
    require(total(*holds.values()) + offered <= has, "what is held and offered is no more")

    s.counted[epoch, agent] = has
    s.held[epoch, agent] = holds


@action(
    "counted offered held",
    by="leader",
    cites=("R1", "PRT-1", "MFO-6"),
    epoch=epochs,
    gone=counted_agents,
)
def discount(s: Ledger, epoch: Epoch, gone: frozenset[AgentId]) -> None:
    """Agents have no account any more: all that was offered and held of them is written off."""
    for agent in sorted(gone):
        s.counted[epoch, agent] = NOTHING
        s.offered[epoch, agent] = Table()
        s.held[epoch, agent] = Table()


@action(
    "offered",
    by="leader",
    cites=("A2", "OFR-1", "S1", "S2", "S5"),
    epoch=epochs,
    agent=agents,
    framework=frameworks,
    offer=fresh_offers,
    resources=portions,
)
def offer(
    s: Ledger,
    epoch: Epoch,
    agent: AgentId,
    framework: FrameworkId,
    offer: OfferId,
    resources: Resources,
) -> None:
    """Free resources of an agent are a framework's to use, and nobody else's (A2)."""
    require(bool(resources), "something is offered")
    require(resources <= s.free(epoch, agent), "all of it is free")
    require(offer not in s.offered[epoch, agent], "the offer is new")

    s.offered[epoch, agent] += {offer: Share(framework, resources)}


@action(
    "offered held granted",
    by="leader",
    cites=("A3", "A4", "OFR-12", "OFR-21", "S20", "S7"),
    epoch=epochs,
    agent=agents,
    offers=offers_of,
    holds=wishes,
    reaches=lambda s: (True, False),
)
def use(
    s: Ledger,
    epoch: Epoch,
    agent: AgentId,
    offers: frozenset[OfferId],
    holds: Holdings,
    reaches: bool,
) -> None:
    """Offers of an agent end; what was in them is held, as much as is wanted, and else free (A4).

    `reaches`: the agent obeys this leader, so that it is granted what is held now.
    """
    standing = s.offered[epoch, agent]
    require(all(one in standing for one in offers), "the offers stand")
    owners = {standing[one].framework for one in offers} | {holder.framework for holder in holds}
    require(len(owners) == 1, "the offers are of one framework, and what it launches is its own")
    pool = total(*(standing[one].resources for one in offers))
    require(total(*holds.values()) <= pool, "the offers have what is to be held")
    require(not any(one in s.held[epoch, agent] for one in holds), "who holds it is new there")

    for one in sorted(offers):
        s.offered[epoch, agent] -= one
    s.held[epoch, agent] += holds
    if reaches:
        s.granted[agent] += holds


@action(
    "offered held",
    by="leader",
    cites=("A4", "F5", "OFR-5", "OFR-7", "OFR-10", "UPD-8", "FWK-15"),
    epoch=epochs,
    offers=lambda s, epoch: [frozenset(), *offers_in(s, epoch)],
    holders=holders_in,
)
def let_go(
    s: Ledger,
    epoch: Epoch,
    offers: frozenset[OfferId],
    holders: frozenset[tuple[AgentId, Holder]],
) -> None:
    """Offers end, and tasks and executors hold nothing any more; what that was is free again."""
    require(all(one in s.offered[epoch, one.agent] for one in offers), "the offers stand")
    require(all(one in s.held[epoch, agent] for agent, one in holders), "they hold something")

    for offer in sorted(offers):
        s.offered[epoch, offer.agent] -= offer
    for agent, one in sorted(holders):
        s.held[epoch, agent] -= one


# ---- what is so on an agent ------------------------------------------------------------------
@action("granted running", by="agent", cites=("A1", "S1", "S19"), agent=agents, holders=granted_to)
def start(s: Ledger, agent: AgentId, holders: frozenset[Holder]) -> None:
    """An agent starts what it was granted; it fits beside what runs there, whoever granted that."""
    granted, running = s.granted[agent], s.running[agent]
    require(all(one in granted for one in holders), "it was granted")
    require(not any(one in running for one in holders), "it does not run already")
    new = {one: granted[one] for one in holders}
    all_of_it = total(*new.values(), *running.values())
    require(all_of_it <= s.parties.agents[agent], "it fits beside what runs")

    s.running[agent] += new
    for one in sorted(holders):
        s.granted[agent] -= one


@action("granted", by="agent", cites=("S19", "AGT-14"), agent=agents, holders=granted_to)
def void(s: Ledger, agent: AgentId, holders: frozenset[Holder]) -> None:
    """An agent will not start what it was granted: it has left that leader, or it refuses."""
    for one in sorted(holders):
        s.granted[agent] -= one


@action("running", by="agent", cites=("A5", "S8"), agent=agents, holders=running_on)
def stop(s: Ledger, agent: AgentId, holders: frozenset[Holder]) -> None:
    """What ran on an agent is over."""
    for one in sorted(holders):
        s.running[agent] -= one


# ---- what is claimed -------------------------------------------------------------------------
@always(cites=("S1", "S2", "S3", "A2"), epoch=epochs, agent=agents)
def nothing_has_two_owners(s: Ledger, epoch: Epoch, agent: AgentId) -> bool:
    """In a leader's book no more is offered and held of an agent than it has (S1, S2, S3)."""
    return s.free(epoch, agent) >= NOTHING


@always(cites=("S1",), agent=agents)
def what_runs_fits(s: Ledger, agent: AgentId) -> bool:
    """No more runs on an agent than it has, under however many leaders it came there (S1)."""
    return total(*s.running[agent].values()) <= s.parties.agents[agent]


@each_step("running", cites=("A1", "A3", "S20"), agent=agents)
def nothing_runs_that_was_not_granted(before: Ledger, after: Ledger, agent: AgentId) -> bool:
    """Whatever starts was granted by a leader, with those resources (A3, S20)."""
    new = {h: n for h, n in after.running[agent].items() if h not in before.running[agent]}
    return all(before.granted[agent].get(one, None) == n for one, n in new.items())


@each_step("held", cites=("A3", "F5", "S20"), epoch=epochs, agent=agents)
def nothing_is_held_that_was_not_offered(
    before: Ledger, after: Ledger, epoch: Epoch, agent: AgentId
) -> bool:
    """What a framework comes to hold was offered to it; or the agent says that it runs (A3, R1)."""
    ended = before.offered[epoch, agent].items()
    gone = [share for one, share in ended if one not in after.offered[epoch, agent]]
    new = {h: n for h, n in after.held[epoch, agent].items() if h not in before.held[epoch, agent]}
    owners = {holder.framework for holder in new}
    paid = all(
        total(*(n for holder, n in new.items() if holder.framework == owner))
        <= total(*(share.resources for share in gone if share.framework == owner))
        for owner in owners
    )
    return paid or after.held[epoch, agent] == after.running[agent]


@sometimes(cites=("S19", "R2"), agent=agents)
def leaders_promise_more_than_there_is(s: Ledger, agent: AgentId) -> bool:
    """What all books together say is held of an agent is more than it has."""
    books = (n for epoch in s.parties.epochs for n in s.held[epoch, agent].values())
    return not total(*books) <= s.parties.agents[agent]


@sometimes(cites=("S7", "R1"), epoch=epochs, agent=agents)
def a_task_runs_that_its_leader_wrote_off(s: Ledger, epoch: Epoch, agent: AgentId) -> bool:
    """A task runs, and no book says so."""
    books = {one for e in s.parties.epochs for one in s.held[e, agent]}
    return any(one not in books for one in s.running[agent])


def specification(sometimes: tuple[Sometimes[Ledger, ...], ...] = ()) -> Specification[Ledger]:
    """The ledger with all that is claimed of it; `sometimes` are what a model must see."""
    return Specification(
        name="ledger",
        init=lambda parties: Ledger(parties=parties),
        actions=(count, discount, offer, use, let_go, start, void, stop),
        always=(nothing_has_two_owners, what_runs_fits),
        each_step=(nothing_runs_that_was_not_granted, nothing_is_held_that_was_not_offered),
        sometimes=sometimes,
    )


SPEC = specification()
