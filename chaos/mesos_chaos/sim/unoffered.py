"""What is free and wanted is offered (ALC-1, ALC-13): a master does not sit on it.

The specification lets a master take its time, so the judge never misses an offer.  Ours offers at
once, and whoever waits for work must not wait for ever.  So now and then its view is asked: what is
free on a registered agent is worth offering, and some connected framework neither suppresses its
role nor has declined as much there.  If that is so several times in a row, it was forgotten.  A
framework that is offered nothing for a while could not tell that from a busy cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mesos_ref.master.config import MasterConfig
from mesos_ref.master.state import State
from mesos_ref.wire.v1 import TERMINAL_STATES

TIMES = 3  #: in a row that something is seen lying, until it counts as forgotten

Amounts = dict[str, int]


class Unoffered:
    """What one cluster's masters sit on."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}  #: how often in a row, by sentence

    def look(self, masters: dict[str, tuple[MasterConfig, dict[str, Any]]]) -> list[str]:
        """What was seen lying too often, given the views of masters that lead, by incarnation."""
        lying = [
            f"{name}: {says}"
            for name, (config, view) in masters.items()
            for says in _of(config, view)
        ]
        self._seen = {says: self._seen.get(says, 0) + 1 for says in lying}
        return [says for says, times in self._seen.items() if times >= TIMES]


def may_lie(m: State) -> bool:
    """Whether anything is free that a claimant has not declined: else no view need be made.

    Here the master's own account of what is free will do, since it is audited at each such look.
    """
    claims = [
        (framework.framework_id, role)
        for framework in m.frameworks.values()
        if framework.stream is not None
        for role in framework.roles
        if role not in framework.suppressed
    ]
    for agent in m.agents.values():
        if agent.link is not None and agent.free:
            for claim in claims:
                for declined in agent.filters.get(claim, ()):
                    if declined.resources.contains(agent.free):
                        break
                else:
                    return True
    return False


def _of(config: MasterConfig, view: dict[str, Any]) -> Iterator[str]:
    """A sentence for each agent that has something free which somebody wants."""
    claims = [
        (key.partition("/")[2], role)
        for key, value in view.items()
        if key.startswith("frameworks/") and value["standing"] == "connected"
        for role in sorted({*value["roles"]} - {*value["suppressed"]})
    ]
    if not claims:
        return
    for agent, free in sorted(_free(view).items()):
        worth = (
            free["cpus"] >= config.min_offer_cpus_milli or free["mem"] >= config.min_offer_mem_milli
        )
        if worth and (claim := _wants(view, claims, agent, free)):
            framework, role = claim
            yield f"{agent} has something free, and {framework} is not offered it as {role}"


def _free(view: dict[str, Any]) -> dict[str, Counter[str]]:
    """What neither a task, an executor nor an offer has, of each registered agent."""
    free = {
        key.partition("/")[2]: Counter(value["total"])
        for key, value in view.items()
        if key.startswith("agents/") and value["standing"] == "registered"
    }
    for key, value in view.items():
        table, _, rest = key.partition("/")
        match table:
            case "tasks" if value["state"] not in TERMINAL_STATES:
                agent = value["agent"]
            case "offers":
                agent = value["agent"]
            case "executors":
                agent = rest.partition("/")[0]
            case _:
                continue
        if agent in free:
            free[agent].subtract(value["resources"])
    return free


def _wants(
    view: dict[str, Any], claims: list[tuple[str, str]], agent: str, free: Amounts
) -> tuple[str, str] | None:
    """The first claimant that has not declined as much, if there is one."""
    for framework, role in claims:
        declined = view.get(f"filters/{framework}/{agent}/{role}") or ()
        if not any(_covers(one, free) for one in declined):
            return framework, role
    return None


def _covers(declined: Amounts, free: Amounts) -> bool:
    return all(declined.get(name, 0) >= milli for name, milli in free.items())
