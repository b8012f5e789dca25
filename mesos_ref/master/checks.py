"""What must hold in a master between any two events: safety (S1, S2, S3, S6, S7) and no leaks.

For tests and simulation; it walks all tables. Every finding is a sentence.
"""

from collections.abc import Iterator
from typing import Any

from mesos_ref.master.state import Agent, State
from mesos_ref.resources import ResourceError, Resources


def violations(m: State) -> list[str]:
    """Everything that is wrong, in a fixed order."""
    if m.epoch is None:
        return []
    found: list[str] = []
    for _, agent in sorted(m.agents.items()):
        if agent.offers or agent.tasks or agent.executors or agent.free != agent.total:
            found.extend(_accounts_of(agent))
    found.extend(_charges(m))
    found.extend(_offers(m))
    found.extend(_tasks(m))
    found.extend(_executors(m))
    found.extend(_filters(m))
    found.extend(_connections(m))
    found.extend(_timers(m))
    found.extend(_candidates(m))
    return found


# Amounts ------------------------------------------------------------------------------------------


def _accounts_of(agent: Agent) -> Iterator[str]:
    """S1, S2, S3: free, offered and used are disjoint, and make up the total."""
    rest = agent.total
    parts = [(f"offer {o}", offer.resources) for o, offer in agent.offers.items()]
    parts += [(f"task {k}", t.resources) for k, t in agent.tasks.items() if not t.ended]
    parts += [(f"executor {k}", e.resources) for k, e in agent.executors.items()]
    for what, amount in parts:
        try:
            rest = rest - amount
        except ResourceError:
            yield f"{agent.agent_id}: {what} has {amount}, of which {rest} is left (S1)"
    if rest != agent.free:
        yield f"{agent.agent_id}: {agent.free} counts as free, but {rest} is (S3)"


def _charges(m: State) -> Iterator[str]:
    """S4: the allocator charges what the tables say, and shares are of what there is (ALC-28)."""
    due: dict[tuple[str, str], dict[str, int]] = {}

    def charge(framework_id: str, role: str, amount: Resources) -> None:
        mine = due.setdefault((framework_id, role), {})
        for name, milli in amount.scalars.items():
            mine[name] = mine.get(name, 0) + milli

    for offer in m.offers.values():
        charge(offer.framework_id, offer.role, offer.resources)
    for agent in m.agents.values():
        for task in agent.tasks.values():
            if not task.ended:
                charge(task.framework_id, task.role, task.resources)
        for executor in agent.executors.values():
            charge(executor.framework_id, executor.role, executor.resources)
    wanted = {claimant: amounts for claimant, amounts in due.items() if amounts}
    if m.allocator.charged() != wanted:
        yield f"charged {m.allocator.charged()}, but due is {wanted} (S4)"
    roles: dict[str, dict[str, int]] = {}
    for (_, role), amounts in wanted.items():
        for name, milli in amounts.items():
            mine = roles.setdefault(role, {})
            mine[name] = mine.get(name, 0) + milli
    if m.allocator.role_charged() != roles:
        yield f"charged {m.allocator.role_charged()} by role, but due is {roles} (S4)"
    total: dict[str, int] = {}
    for agent in m.agents.values():
        for name, milli in agent.total.scalars.items():
            total[name] = total.get(name, 0) + milli
    if m.allocator.total() != total:
        yield f"shares are of {m.allocator.total()}, but there is {total} (ALC-28)"


# Tables and their indexes -------------------------------------------------------------------------


def _differ(what: str, home: dict[Any, Any], index: dict[Any, Any]) -> Iterator[str]:
    if home != index:
        yield f"{what}: {sorted(map(str, home))} but indexed {sorted(map(str, index))}"


def _offers(m: State) -> Iterator[str]:
    """S6: an offer's agent and framework are connected, and the framework has the role."""
    yield from _differ("offers", m.offers, _joined(a.offers for a in m.agents.values()))
    yield from _differ("offers", m.offers, _joined(f.offers for f in m.frameworks.values()))
    for offer_id, offer in m.offers.items():
        agent, framework = m.agents.get(offer.agent_id), m.frameworks.get(offer.framework_id)
        if agent is None or agent.link is None:
            yield f"offer {offer_id}: its agent {offer.agent_id} is not connected (S6)"
        if framework is None or framework.stream is None:
            yield f"offer {offer_id}: its framework {offer.framework_id} is not connected (S6)"
        elif offer.role not in framework.roles:
            yield f"offer {offer_id}: {framework.framework_id} has no role {offer.role} (S6)"


def _tasks(m: State) -> Iterator[str]:
    """S7: a task id is used once among a framework's active and unreachable tasks."""
    active = {t.key: t for f in m.frameworks.values() for t in f.tasks.values()}
    missed = {t.key: t for f in m.frameworks.values() for t in f.unreachable.values()}
    for key in sorted(active.keys() & missed.keys()):
        yield f"task {key} is both active and unreachable (S7)"
    yield from _differ("tasks", _joined(a.tasks for a in m.agents.values()), active)
    yield from _differ("unreachable", _joined(a.tasks for a in m.lost_agents.values()), missed)
    for task in active.values():
        if task.key not in m.agents[task.agent_id].tasks:
            yield f"task {task.key} is not where it says, on {task.agent_id}"
    for agent_id in sorted(m.agents.keys() & m.lost_agents.keys()):
        yield f"agent {agent_id} is both registered and unreachable (S11)"
    for framework_id in sorted(m.frameworks.keys() & m.removed.keys()):
        yield f"framework {framework_id} is removed, and there (S14)"


def _executors(m: State) -> Iterator[str]:
    home = {(a, e.key): e for a, g in m.agents.items() for e in g.executors.values()}
    index = {
        (a, (f, e)): executor
        for f, framework in m.frameworks.items()
        for (a, e), executor in framework.executors.items()
    }
    yield from _differ("executors", home, index)


def _filters(m: State) -> Iterator[str]:
    """Filters live in three tables, none of them empty inside (MESOS-9852, MESOS-4975)."""
    numbers = {one.number: one for a in m.agents.values() for s in a.filters.values() for one in s}
    yield from _differ("filters", m.filters, numbers)
    home = {(f, a, r): s for a, g in m.agents.items() for (f, r), s in g.filters.items()}
    index = {(f, a, r): s for f, g in m.frameworks.items() for (a, r), s in g.filters.items()}
    yield from _differ("filter keys", home, index)
    yield from (f"no filter is left under {key}" for key, some in home.items() if not some)


def _joined(tables: Any) -> dict[Any, Any]:
    return {key: value for table in tables for key, value in table.items()}


# Connections, timers, candidates ------------------------------------------------------------------


def _connections(m: State) -> Iterator[str]:
    """S13: one live stream a framework, one link an agent, both ways."""
    links = {agent.link: agent for agent in m.agents.values() if agent.link is not None}
    yield from _differ("links", links, m.links)
    streams = {f.stream: f for f in m.frameworks.values() if f.stream is not None}
    yield from _differ("streams", streams, m.streams)
    for framework_id, framework in m.frameworks.items():
        if (framework.stream is not None) != (framework.standing == "connected"):
            yield f"{framework_id} is {framework.standing} with stream {framework.stream} (S13)"


def _timers(m: State) -> Iterator[str]:
    """Who is waited for is there, and nobody who must be waited for is missing."""
    away = {a for a, agent in m.agents.items() if agent.link is None}
    gone = {f for f, framework in m.frameworks.items() if framework.standing == "disconnected"}
    offers = set(m.offers) if m.config.offer_timeout_us is not None else set()
    yield from _waits("forget_filter", m.filter_timers.keys(), set(m.filters))
    yield from _waits("rescind", m.offer_timers.keys(), offers)
    yield from _waits("ping", m.ping_timers.keys(), set(m.agents) - away)
    yield from _waits("mark_unreachable", m.unreachable_timers.keys(), away)
    yield from _waits("give_up_framework", m.give_up_timers.keys(), gone)


def _waits(what: str, waiting: Any, wanted: set[Any]) -> Iterator[str]:
    if set(waiting) != wanted:
        yield f"timers of {what} are {sorted(waiting)}, but should be {sorted(wanted)}"


def _candidates(m: State) -> Iterator[str]:
    connected = {a: g for a, g in m.agents.items() if g.link is not None}
    for name, some in (("offerable", m.offerable), ("unwanted", m.unwanted)):
        if strangers := sorted(some.keys() - connected.keys()):
            yield f"{name} has agents that are not connected: {strangers}"
    if m.offerable and m.allocation_us is None:
        yield f"nobody will offer {sorted(m.offerable)}"
