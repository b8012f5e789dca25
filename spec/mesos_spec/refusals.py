"""A filter is a refusal that the master makes for a framework (F2), on a page of its own.

The offer process twice.  In one, what a framework will refuse is filtered: the master does not
offer it.  In the other the master offers anything, and the framework rejects at once what it will
refuse.  Each refines the other, so they are the same but for offers that come to nothing: a filter
saves messages, and changes nothing that a framework can get (F3, A7).

    free ──offer──▶ offered ──accept──▶ held ──finish──▶ free
      ◀──reject, decline──┘

*At once* is needed: while a refused offer stands, its resources count for who will not use them
(F4), and others wait.  So is one memory: both forget a refusal when its time is over.  A refusal is
of one agent, and of what fits in an amount (FLT-2); that is both of the paper's filters (F1), an
agent that is not on a list being refused whatever it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mesos_spec.ids import AgentId, FrameworkId
from mesos_spec.kernel import (
    Cells,
    Const,
    Per,
    Refinement,
    Specification,
    Table,
    action,
    always,
    per,
    require,
    sometimes,
)
from mesos_spec.resources import NOTHING, Resources, total


class Sizes(NamedTuple):
    """How much there is."""

    agents: Table[AgentId, Resources]
    frameworks: tuple[FrameworkId, ...]
    portions: tuple[Resources, ...]  #: what a framework may use of an offer


class State(Cells):
    """What is offered and held, and what will be refused."""

    sizes: Const[Sizes]
    offered: Per[AgentId, Table[FrameworkId, Resources]] = per(Table())
    held: Per[AgentId, Table[FrameworkId, Resources]] = per(Table())
    refused: Per[tuple[FrameworkId, AgentId], Resources] = per(NOTHING)

    def free(self, agent: AgentId) -> Resources:
        """What of an agent is neither offered nor held."""
        taken = total(*self.offered[agent].values(), *self.held[agent].values())
        return self.sizes.agents[agent] - taken


def agents(s: State) -> Iterable[AgentId]:
    """Every agent."""
    return s.sizes.agents.keys()


def frameworks(s: State) -> Iterable[FrameworkId]:
    """Every framework."""
    return s.sizes.frameworks


def portions(s: State) -> Iterable[Resources]:
    """What may be used of an offer."""
    return s.sizes.portions


def refuses(s: State, framework: FrameworkId, agent: AgentId, resources: Resources) -> bool:
    """Whether a framework will refuse these resources: it refused them, or more (FLT-2)."""
    return bool(s.refused[framework, agent]) and resources <= s.refused[framework, agent]


def all_is_rejected(s: State) -> bool:
    """Whether no offer stands that its framework refuses."""
    standing = ((one, agent, n) for agent in agents(s) for one, n in s.offered[agent].items())
    return not any(refuses(s, *offer) for offer in standing)


# ---- offering, in two ways -------------------------------------------------------------------
@action("offered", by="master", cites=("F2", "FLT-2"), agent=agents, framework=frameworks)
def offer_what_passes(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """All that is free of an agent is offered to a framework, unless a filter refuses it."""
    free = s.free(agent)
    require(bool(free), "something is free")
    require(framework not in s.offered[agent], "the framework has no offer of the agent")
    require(not refuses(s, framework, agent, free), "no filter refuses it")

    s.offered[agent] += {framework: free}


@action("offered", by="master", cites=("F2", "A7"), agent=agents, framework=frameworks)
def offer_anything(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """All that is free of an agent is offered to a framework, whatever it thinks of it."""
    free = s.free(agent)
    require(bool(free), "something is free")
    require(framework not in s.offered[agent], "the framework has no offer of the agent")
    require(all_is_rejected(s), "what is refused was rejected at once")

    s.offered[agent] += {framework: free}


@action("offered", by="framework", cites=("F2", "A7"), agent=agents, framework=frameworks)
def reject(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """A framework rejects what it said that it would refuse."""
    made = s.offered[agent].get(framework, NOTHING)
    require(bool(made), "the framework has an offer of the agent")
    require(refuses(s, framework, agent, made), "the framework refuses it")

    s.offered[agent] -= framework


# ---- the rest, in one ------------------------------------------------------------------------
@action(
    "offered held",
    by="framework",
    cites=("A3", "A4", "F3"),
    agent=agents,
    framework=frameworks,
    portion=portions,
)
def accept(s: State, agent: AgentId, framework: FrameworkId, portion: Resources) -> None:
    """A framework uses some of an offer; the rest is free again."""
    made = s.offered[agent].get(framework, NOTHING)
    require(bool(made), "the framework has an offer of the agent")
    require(portion <= made, "the offer has that much")
    require(all_is_rejected(s), "what is refused was rejected at once")

    s.offered[agent] -= framework
    s.held[agent] += {framework: s.held[agent].get(framework, NOTHING) + portion}


@action(
    "offered refused", by="framework", cites=("OFR-7", "FLT-1"), agent=agents, framework=frameworks
)
def decline(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """A framework does not want an offer, and will refuse as much for a while."""
    made = s.offered[agent].get(framework, NOTHING)
    require(bool(made), "the framework has an offer of the agent")
    require(all_is_rejected(s), "what is refused was rejected at once")

    s.offered[agent] -= framework
    s.refused[framework, agent] = made


@action("refused", by="framework", cites=("FLT-5",), agent=agents, framework=frameworks)
def relent(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """A refusal has had its time, or its framework has changed its mind."""
    require(bool(s.refused[framework, agent]), "the framework refuses something of the agent")
    require(all_is_rejected(s), "what is refused was rejected at once")

    s.refused[framework, agent] = NOTHING


@action("held", by="framework", cites=("A5",), agent=agents, framework=frameworks)
def finish(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """What a framework runs on an agent ends."""
    require(framework in s.held[agent], "the framework holds something of the agent")
    require(all_is_rejected(s), "what is refused was rejected at once")

    s.held[agent] -= framework


# ---- what is claimed -------------------------------------------------------------------------
@always(cites=("S1", "S3"), agent=agents)
def nothing_is_given_twice(s: State, agent: AgentId) -> bool:
    """What is offered and held of an agent is no more than it has."""
    return s.free(agent) >= NOTHING


@always(cites=("F2", "FLT-2"))
def nobody_has_what_he_refuses(s: State) -> bool:
    """No offer stands that its framework refuses."""
    return all_is_rejected(s)


@sometimes(cites=("FLT-2",), agent=agents, framework=frameworks)
def more_than_was_refused_is_offered(s: State, agent: AgentId, framework: FrameworkId) -> bool:
    """A framework is offered more of an agent than it has refused there."""
    return bool(s.refused[framework, agent]) and framework in s.offered[agent]


@sometimes(cites=("F2",), agent=agents, framework=frameworks)
def an_offer_is_in_vain(s: State, agent: AgentId, framework: FrameworkId) -> bool:
    """A framework is offered what it refuses."""
    made = s.offered[agent].get(framework, NOTHING)
    return bool(made) and refuses(s, framework, agent, made)


FILTERING = Specification(
    name="filtering",
    init=lambda sizes: State(sizes=sizes),
    actions=(offer_what_passes, accept, decline, relent, finish),
    always=(nothing_is_given_twice, nobody_has_what_he_refuses),
    sometimes=(more_than_was_refused_is_offered,),
)

REJECTING = Specification(
    name="rejecting",
    init=lambda sizes: State(sizes=sizes),
    actions=(offer_anything, reject, accept, decline, relent, finish),
    always=(nothing_is_given_twice,),
    sometimes=(more_than_was_refused_is_offered, an_offer_is_in_vain),
)


# ---- the same, both ways ---------------------------------------------------------------------
def without_vain_offers(s: State) -> State:
    """A state as if what is refused had not been offered."""
    offered = {
        agent: Table(
            (one, n) for one, n in s.offered[agent].items() if not refuses(s, one, agent, n)
        )
        for agent in agents(s)
    }
    held = {agent: s.held[agent] for agent in agents(s)}
    return State(
        sizes=s.sizes,
        offered=Per(offered),
        held=Per(held),
        refused=Per(
            ((one, agent), s.refused[one, agent]) for one in frameworks(s) for agent in held
        ),
    )


#: A master that filters does what it would if its frameworks rejected.
FILTERING_IS_REJECTING: Refinement[State, State] = Refinement(
    name="filtering is rejecting at once",
    doc="Nothing is hidden: what is not offered is as good as rejected.",
    above=REJECTING,
    bounds=lambda s: s.sizes,
    seen=lambda s: s,
)

#: Frameworks that reject at once get what a master that filters would give them.
REJECTING_IS_FILTERING: Refinement[State, State] = Refinement(
    name="rejecting at once is filtering",
    doc="Offers in vain are not seen, nor are their rejections.",
    above=FILTERING,
    bounds=lambda s: s.sizes,
    seen=without_vain_offers,
)
