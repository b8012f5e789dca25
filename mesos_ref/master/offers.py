"""Offers and filters: how free resources get to those who may want them, and back.

An offer is all that is free on one agent, made to one claimant (OFR-1, ALC-10). It ends by being
accepted, declined, rescinded or discarded, and its id never comes back (S5).
"""

from mesos_ref.allocator import Refuses
from mesos_ref.master.state import Agent, Framework, Offer, State
from mesos_ref.master.validation import refuse_us
from mesos_ref.resources import Resources
from mesos_ref.wire import scheduler, v1
from mesos_ref.wire.v1 import AllocationInfo


def allocate(m: State, at_most: int) -> None:
    """Offer what is free, agent by agent, each time to whoever is next then (ALC-12).

    So many agents; if there are more, their turn is next, and still now.
    """
    candidates = sorted(m.offerable)[:at_most]
    for agent_id in candidates:
        del m.offerable[agent_id]
        agent = m.agents[agent_id]
        if not _worth_offering(m, agent.free):
            continue
        chosen = m.allocator.choose(agent_id, agent.free, _refusals(agent))
        if chosen is None:
            m.unwanted[agent_id] = None
        else:
            _offer(m, agent, m.frameworks[chosen[0]], chosen[1])
    m.allocation_us = m.now_us if m.offerable else None


def _worth_offering(m: State, free: Resources) -> bool:
    config = m.config
    enough_cpus = free.milli("cpus") >= config.min_offer_cpus_milli
    return enough_cpus or free.milli("mem") >= config.min_offer_mem_milli


def _refusals(agent: Agent) -> Refuses | None:
    """Who has declined, not long ago, at least what is free on `agent` (FLT-2)."""
    filters, free = agent.filters, agent.free
    if not filters:
        return None

    def refuses(framework_id: str, role: str) -> bool:
        declined = filters.get((framework_id, role))
        return declined is not None and any(one.resources.contains(free) for one in declined)

    return refuses


def _offer(m: State, agent: Agent, framework: Framework, role: str) -> None:
    offer = m.add_offer(agent, framework, role)
    m.act(
        "offer",
        agent=agent.agent_id,
        framework=framework.framework_id,
        role=role,
        offer=offer.offer_id,
    )
    event = scheduler.Offers(offers=(wire_offer(agent, framework, offer),))
    m.tell(framework, scheduler.Event(type="OFFERS", offers=event))


def wire_offer(agent: Agent, framework: Framework, offer: Offer) -> v1.Offer:
    """The offer as a framework sees it. Roles are shown to MULTI_ROLE frameworks only (OFR-24)."""
    address = v1.Address(hostname=agent.info.hostname, ip=agent.ip, port=agent.info.port)
    role = offer.role if framework.multi_role else None
    own = (e for f, e in agent.executors if f == framework.framework_id)
    return v1.Offer(
        id=offer.offer_id,
        framework_id=framework.framework_id,
        agent_id=agent.agent_id,
        hostname=agent.info.hostname,
        url=v1.Url(scheme="http", address=address, path="/slave(1)"),
        domain=agent.info.domain,
        resources=offer.resources.to_wire(role),
        attributes=agent.info.attributes,
        executor_ids=tuple(sorted(own)),
        allocation_info=None if role is None else AllocationInfo(role=role),
    )


def rescind(m: State, offer_id: str) -> None:
    """The offer stayed unanswered for `offer_timeout` (OFR-4, F5)."""
    offer = m.offers[offer_id]
    m.act("rescind", agent=offer.agent_id, offer=offer_id)
    withdraw(m, offer)


def withdraw(m: State, offer: Offer) -> None:
    """Take an offer back, and say so."""
    framework = m.frameworks[offer.framework_id]
    m.remove_offer(offer)
    part = scheduler.Rescind(offer_id=offer.offer_id)
    m.tell(framework, scheduler.Event(type="RESCIND", rescind=part))


def discard_all(m: State, framework: Framework) -> None:
    """The framework's offers are void; nobody is told (OFR-6)."""
    for offer in list(framework.offers.values()):
        m.remove_offer(offer)


def decline(
    m: State, framework: Framework, offer_ids: tuple[str, ...], filters: v1.Filters | None
) -> None:
    """Each standing offer of the framework is removed and filtered; others are ignored (OFR-7)."""
    m.act("decline")
    life_us = refuse_us(None if filters is None else filters.refuse_seconds, m.config)
    for offer_id in offer_ids:
        offer = framework.offers.get(offer_id)
        if offer is not None:
            m.remove_offer(offer)
            agent = m.agents[offer.agent_id]
            m.add_filter(agent, framework, offer.role, offer.resources, life_us)


def forget_filter(m: State, number: int) -> None:
    """A filter's `refuse_seconds` are over (FLT-5)."""
    declined = m.filters[number]
    m.act(
        "forget_filter",
        framework=declined.framework_id,
        agent=declined.agent_id,
        role=declined.role,
        resources=declined.resources.quantities(),
    )
    m.remove_filter(declined)


def revive(m: State, framework: Framework, call: scheduler.Revive | None) -> None:
    """The framework wants offers again in these roles; its filters there are void (FLT-7)."""
    m.act("revive")
    roles = _named(framework, () if call is None else call.roles)
    m.set_roles(framework, framework.roles, framework.suppressed - roles)
    m.remove_filters(some for (_, role), some in framework.filters.items() if role in roles)


def suppress(m: State, framework: Framework, call: scheduler.Suppress | None) -> None:
    """The framework wants no offers in these roles; those it has stand (FLT-8)."""
    m.act("suppress")
    roles = _named(framework, () if call is None else call.roles)
    m.set_roles(framework, framework.roles, framework.suppressed | roles)


def _named(framework: Framework, roles: tuple[str, ...]) -> frozenset[str]:
    """The roles a call means: all if it names none, none if it names a foreign one (FLT-9)."""
    if not roles:
        return frozenset(framework.roles)
    named = frozenset(roles)
    return named if named <= set(framework.roles) else frozenset()
