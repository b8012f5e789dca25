"""DRF by its definition, a few lines with fractions: the oracle for the fast one.

Everything is computed afresh from the master's tables for each question.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from mesos_ref.master.state import Agent, Executor, Offer, State, Task
from mesos_ref.resources import Resources


def naive_choice(m: State, agent: Agent) -> tuple[str, str] | None:
    """Who (framework, role) is to be offered what is free on `agent`; None: nobody."""
    cpus, mem = agent.free.milli("cpus"), agent.free.milli("mem")
    if cpus < m.config.min_offer_cpus_milli and mem < m.config.min_offer_mem_milli:
        return None
    total = _sum(other.total for other in m.agents.values())
    ranked = []
    for framework_id, framework in m.frameworks.items():
        for role in framework.roles:
            refused = agent.filters.get((framework_id, role), [])
            wants = framework.stream is not None and role not in framework.suppressed
            if wants and not any(one.resources.contains(agent.free) for one in refused):
                role_share = dominant(_sum(_charged(m, None, role)), total)
                share = dominant(_sum(_charged(m, framework_id, role)), total)
                ranked.append((role_share, role, share, framework_id))
    if not ranked:
        return None
    _, role, _, framework_id = min(ranked)
    return framework_id, role


def dominant(used: dict[str, int], total: dict[str, int]) -> Fraction:
    """The largest of the shares of single resources; of what nobody has, there is no share."""
    shares = [Fraction(milli, total[name]) for name, milli in used.items() if total.get(name)]
    return max(shares, default=Fraction(0))


def _charged(m: State, framework_id: str | None, role: str) -> Iterable[Resources]:
    """All that is offered to or used by a framework (None: any) in a role."""
    for agent in m.agents.values():
        tasks = [task for task in agent.tasks.values() if not task.ended]
        held: list[Task | Offer | Executor] = [*tasks, *agent.offers.values()]
        for one in (*held, *agent.executors.values()):
            if one.role == role and framework_id in (None, one.framework_id):
                yield one.resources


def _sum(parts: Iterable[Resources]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, milli in part.scalars.items():
            total[name] = total.get(name, 0) + milli
    return total
