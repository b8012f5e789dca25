"""Offers: how resources travel from a master to a framework and back.

    free ──offer──▶ offered ──accept──▶ in use
      ◀──decline, rescind──┘

An offer is a promise of some of one agent's resources to one framework in one of its roles.  It
ends in exactly one way and never comes back (S5).  A framework that declines says so for a while:
a *filter* keeps the same resources, or less of them, from being offered to it again (FLT-2).
"""

from __future__ import annotations

from mesos_spec.domains import (
    agents,
    amounts,
    epochs,
    filtered_amounts,
    filtered_roles,
    frameworks,
    fresh_offers,
    lines_to,
    outstanding,
    roles_of,
)
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, OfferId, Role
from mesos_spec.kernel import action, receive, require
from mesos_spec.masters import charge, is_subscribed, release
from mesos_spec.messages import Accept, AnyCall, Decline, Offers, Rescind, Revive, Suppress
from mesos_spec.network import tell_framework
from mesos_spec.resources import Resources
from mesos_spec.state import Offer, Standing, State


@action(
    "offers charged events",
    by="master",
    cites=(
        *("OFR-1", "OFR-2", "FLT-2", "FLT-8", "F4", "S1", "S2", "S5", "S6"),
        *("A5", "ALC-1", "FWK-10"),
    ),
    epoch=epochs,
    agent=agents,
    framework=frameworks,
    role=roles_of,
    offer=fresh_offers,
    resources=amounts,
)
def offer(
    s: State,
    epoch: Epoch,
    agent: AgentId,
    framework: FrameworkId,
    role: Role,
    offer: OfferId,
    resources: Resources,
) -> None:
    """Free resources of an agent are promised to a framework in one of its roles (OFR-1).

    They count in its share until it answers (F4).
    """
    record = s.frameworks[epoch, framework]
    require(record.standing == Standing.CONNECTED, "the framework is connected")
    require(role in record.roles, "the framework has the role")
    require(role not in record.suppressed, "the framework wants offers in the role")
    require(s.agents[epoch, agent].standing == Standing.REGISTERED, "the agent is connected")
    require(bool(resources), "something is offered")
    require(resources <= s.free(epoch, agent), "all of it is free")
    require(not is_filtered(s, epoch, framework, agent, role, resources), "no filter refuses it")
    require(offer not in s.offers[epoch, agent], "the offer id is new")

    promise(s, epoch, agent, framework, role, offer, resources)


@action(
    "offers charged events",
    by="master",
    after="offer_timeout",
    cites=("OFR-4", "OFR-5", "F5"),
    epoch=epochs,
    agent=agents,
    offer=outstanding,
)
def rescind(s: State, epoch: Epoch, agent: AgentId, offer: OfferId) -> None:
    """An offer that nobody has answered for too long is withdrawn (OFR-4, F5)."""
    require(offer in s.offers[epoch, agent], "the offer stands")

    withdraw(s, epoch, offer)


@action(
    "calls offers charged filters",
    by="master",
    cites=("OFR-7", "OFR-8", "FLT-1", "S13", "A4", "F3"),
    epoch=epochs,
    line=lines_to,
)
def decline(s: State, epoch: Epoch, line: LineId) -> None:
    """Offers that a framework does not want end; what it does not know to have ended is ignored.

    An ACCEPT that launches nothing is a decline (OFR-7, OFR-8).
    """
    call = next_call(s, line)
    require(isinstance(call, Decline) or is_empty(call), "the next call declines offers")
    assert isinstance(call, Accept | Decline)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    for named in call.offers:
        if is_of(s, epoch, named, call.framework):
            made = take(s, epoch, named)
            if call.filtered:
                refuse(s, epoch, call.framework, named.agent, made.role, made.resources)


@action(
    "filters",
    by="master",
    after="refuse_seconds",
    cites=("FLT-4", "FLT-5"),
    epoch=epochs,
    framework=frameworks,
    agent=agents,
    role=filtered_roles,
    resources=filtered_amounts,
)
def forget_filter(
    s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId, role: Role, resources: Resources
) -> None:
    """A filter has had its time: the oldest of that amount goes (FLT-5)."""
    refused = s.filters[epoch, framework].get((agent, role), ())
    require(resources in refused, "the framework has refused this")

    at = refused.index(resources)
    rest = refused[:at] + refused[at + 1 :]
    s.filters[epoch, framework] -= (agent, role)
    if rest:
        s.filters[epoch, framework] += {(agent, role): rest}


@action(
    "calls filters frameworks",
    by="master",
    cites=("FLT-5", "FLT-7", "FLT-9", "FLT-13"),
    epoch=epochs,
    line=lines_to,
)
def revive(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework wants offers again in some roles, or all: what it refused there is forgotten.

    A call that names a role the framework does not have is ignored (FLT-7, FLT-9).
    """
    call = receive(s.calls[line], Revive)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    record = s.frameworks[epoch, call.framework]
    named = call.roles or record.roles
    if set(named) <= set(record.roles):
        kept = tuple(role for role in record.suppressed if role not in named)
        s.frameworks[epoch, call.framework] = record._replace(suppressed=kept)
        for agent, role in s.filters[epoch, call.framework]:
            if role in named:
                s.filters[epoch, call.framework] -= (agent, role)


@action(
    "calls frameworks",
    by="master",
    cites=("FLT-8", "FLT-9"),
    epoch=epochs,
    line=lines_to,
)
def suppress(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework wants no more offers in some roles, or all; those it has still stand (FLT-8)."""
    call = receive(s.calls[line], Suppress)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    record = s.frameworks[epoch, call.framework]
    named = call.roles or record.roles
    if set(named) <= set(record.roles):
        both = tuple(sorted({*record.suppressed, *named}))
        s.frameworks[epoch, call.framework] = record._replace(suppressed=both)


# ---- what they use -------------------------------------------------------------------------
def next_call(s: State, line: LineId) -> AnyCall | None:
    """The oldest call on a line."""
    return s.calls[line].mail[0] if s.calls[line].mail else None


def is_empty(call: AnyCall | None) -> bool:
    """Whether a call is an ACCEPT that launches nothing."""
    return isinstance(call, Accept) and not call.tasks


def is_of(s: State, epoch: Epoch, offer: OfferId, framework: FrameworkId) -> bool:
    """Whether an offer stands, and was made to that framework."""
    standing = s.offers[epoch, offer.agent]
    return offer in standing and standing[offer].framework == framework


def is_filtered(
    s: State,
    epoch: Epoch,
    framework: FrameworkId,
    agent: AgentId,
    role: Role,
    resources: Resources,
) -> bool:
    """Whether a framework has refused these resources, or more, of the agent (FLT-2)."""
    refused = s.filters[epoch, framework].get((agent, role), ())
    return any(resources <= amount for amount in refused)


def promise(
    s: State,
    epoch: Epoch,
    agent: AgentId,
    framework: FrameworkId,
    role: Role,
    offer: OfferId,
    resources: Resources,
) -> None:
    """Resources are a framework's to use, and it is told."""
    s.offers[epoch, agent] += {offer: Offer(framework, role, resources)}
    charge(s, epoch, framework, role, resources)
    tell_framework(s, epoch, framework, Offers(offer, role, resources))


def take(s: State, epoch: Epoch, offer: OfferId) -> Offer:
    """An offer ends, and what was promised is free."""
    made = s.offers[epoch, offer.agent][offer]
    s.offers[epoch, offer.agent] -= offer
    release(s, epoch, made.framework, made.role, made.resources)
    return made


def withdraw(s: State, epoch: Epoch, offer: OfferId) -> None:
    """An offer ends, and its framework is told."""
    made = take(s, epoch, offer)
    tell_framework(s, epoch, made.framework, Rescind(offer))


def refuse(
    s: State,
    epoch: Epoch,
    framework: FrameworkId,
    agent: AgentId,
    role: Role,
    resources: Resources,
) -> None:
    """A framework gets a filter."""
    refused = s.filters[epoch, framework].get((agent, role), ())
    s.filters[epoch, framework] += {(agent, role): (*refused, resources)}


def discard_offers(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """All offers of a framework end; nobody is told (OFR-6)."""
    for agent in sorted(s.met_agents[epoch]):
        for offer, made in s.offers[epoch, agent].items():
            if made.framework == framework:
                take(s, epoch, offer)
