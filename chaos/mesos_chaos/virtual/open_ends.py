"""A connection that is gone is told to the core, and soon (AGT-11, FWK-12).

When a connection breaks, the machine at each end tells the process, and its shell has to tell the
core: a master then rescinds an agent's offers and starts its timer, or a framework's; an agent
looks for its leader.  Sooner or later something else would show it, a ping, a call, another
registration; so it is looked for itself.  What cores show is held against the connections that
their processes hold: nobody goes on for long with one of which nothing more can come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mesos_chaos.virtual.streams import Life

if TYPE_CHECKING:
    from mesos_chaos.virtual.cluster import VirtualCluster
    from mesos_chaos.virtual.nodes import VirtualAgent, VirtualMaster

LOOK_S = 0.05
SETTLED_S = 10.0  #: after anything was done to connections, until all ends must have heard of it
TIMES = 4  #: in a row that it is seen, until it counts as not told


class OpenEnds:
    """What the processes of one cluster go on with."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}  #: how often in a row, by sentence
        self._machines: dict[str, str] = {}  #: of each agent id

    def look(self, cluster: VirtualCluster) -> list[str]:
        """A sentence for each connection that was shown so often after its end."""
        found: list[str] = []
        for agent in cluster.agents.values():
            found += self._of_agent(agent, cluster.masters)
        for master in cluster.masters.values():
            found += self._of_master(master, cluster)
        self._seen = {says: self._seen.get(says, 0) + 1 for says in found}
        return [says for says, times in self._seen.items() if times >= TIMES]

    def _of_agent(self, agent: VirtualAgent, masters: Collection[str]) -> Iterator[str]:
        if agent.core is None or agent.paused:
            return
        state = agent.core.state
        if state.agent_id:
            self._machines[state.agent_id] = agent.machine
        if state.link is not None and not _peers(agent.life) & {*masters}:
            yield f"{agent.name}: its link {state.link} has ended, and it was not told"

    def _of_master(self, master: VirtualMaster, cluster: VirtualCluster) -> Iterator[str]:
        if master.core is None or not master.alive or master.paused:
            return
        state, peers = master.core.state, _peers(master.life)
        for link, agent in state.links.items():
            if self._machines.get(agent.agent_id, "") not in peers:
                yield f"{master.name}: the link {link} of an agent has ended, and it was not told"
        theirs = peers - {*cluster.masters, *cluster.agents}
        if len(state.streams) > len(theirs) and not cluster.has_strangers:
            yield f"{master.name}: a framework's stream has ended, and it was not told"


def _peers(life: Life) -> set[str]:
    """The machines from which something may still come."""
    open_ends = (end for end in life.streams if not (end.back.was_reset or end.back.is_ended))
    return {end.peer.partition(":")[0] for end in open_ends}
