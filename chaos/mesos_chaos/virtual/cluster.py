"""A whole cluster in virtual time: topology and workload of a plan, judged while it runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import trio

from mesos_chaos.plan import Plan, Workload
from mesos_chaos.sim.cluster import JUDGED_AT_ONCE, STANDBY_AGAIN_US, OnlineJudge, configured
from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.virtual import seam
from mesos_chaos.virtual.elections import Elections
from mesos_chaos.virtual.nodes import VirtualAgent, VirtualMaster, VirtualScheduler
from mesos_chaos.virtual.open_ends import LOOK_S, SETTLED_S, OpenEnds
from mesos_chaos.virtual.processes import WALL_START_US, Process
from mesos_chaos.virtual.seam import Whims, start_as
from mesos_chaos.virtual.streams import Network
from mesos_ref.agent import core as agent_core
from mesos_ref.agent.config import AgentConfig
from mesos_ref.master import core as master_core
from mesos_ref.master.config import MasterConfig
from mesos_ref.resources import Resources


class Alarms:
    """Things to do later, as a discrete-event loop has them, and named random streams."""

    def __init__(self, nursery: trio.Nursery, seed: int) -> None:
        self._nursery = nursery
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return round(trio.current_time() * 1e6)

    def random(self, stream: str) -> random.Random:
        """The random stream of that name; the same for the same seed and name."""
        if stream not in self._streams:
            self._streams[stream] = random.Random(f"{self._seed}/{stream}")
        return self._streams[stream]

    def at(self, due_us: int, do: Callable[[], object]) -> None:
        """Do something at `due_us`, or now if that is past; even if who asks for it is stopped."""

        async def later() -> None:
            await trio.sleep_until(due_us / 1e6)
            do()

        start_as("", self._nursery, later)

    def after(self, delay_us: int, do: Callable[[], object]) -> None:
        """Do something `delay_us` from now."""
        self.at(self.now_us + delay_us, do)


class Framework(Protocol):
    """A scheduler's process, as the cluster sees it."""

    name: str

    @property
    def is_done(self) -> bool:
        """Whether it has done all it wanted, and has gone."""
        ...

    def pending(self) -> list[str]:
        """Why it is not done."""
        ...

    def start(self) -> None:
        """Begin its next life."""
        ...

    def kill(self) -> None:
        """End its life."""
        ...


#: Makes the framework of a workload, from the world, the workload and the masters' names.
Frameworks = Callable[[Any, Workload, list[str]], Framework]


class VirtualCluster:
    """Masters, agents and schedulers of a plan.  `folder` is a real one, for agents' locks.

    It is a stage for `mesos_chaos.sim.run.Faults`, as the simulated cluster is.
    """

    def __init__(
        self,
        plan: Plan,
        nursery: trio.Nursery,
        whims: Whims,
        folder: Path,
        *,
        keep_lines: bool = False,
        frameworks: Frameworks = VirtualScheduler,
    ) -> None:
        self.plan = plan
        self.nursery = nursery
        self.whims = whims
        self.crashes: list[str] = []
        self.lost: list[str] = []  #: connections that somebody goes on with, and that are gone
        self.has_strangers = frameworks is not VirtualScheduler
        self._open_ends = OpenEnds()
        self.final_view: dict[str, Any] = {}  #: what the leader showed in the end
        self.loop = Alarms(nursery, plan.seed)
        self.random = self.loop.random
        self.network = Network(self.random)
        self.judge = OnlineJudge(keep_lines, at_once=JUDGED_AT_ONCE)
        self.election = Elections(
            self.random("election"),
            plan.cluster.lease_s,
            lambda seconds, do: self.loop.after(round(seconds * SECOND_US), do),
        )
        self.masters = {m.name: m for m in self._masters()}
        self.agents = {a.name: a for a in self._agents(folder)}
        names = list(self.masters)
        self.schedulers = {w.name: frameworks(self, w, names) for w in plan.workload}
        for process in self.processes:
            process.start()
        seam.after(LOOK_S, self._look)

    @property
    def processes(self) -> list[Process | Framework]:
        """Every process that writes a trace."""
        return [*self.masters.values(), *self.agents.values(), *self.schedulers.values()]

    def wrote(self, trace: str, data: bytes) -> None:
        """A process has written to its trace: the judge reads it at once."""
        self.judge(trace, data)

    # ---- making --------------------------------------------------------------------------------
    def _masters(self) -> list[VirtualMaster]:
        config = MasterConfig(
            offer_timeout_us=30 * SECOND_US,
            agent_ping_timeout_us=2 * SECOND_US,
            epoch_wall_us=WALL_START_US,
        )
        config = configured(config, self.plan)
        names = [f"m{i}" for i in range(1, self.plan.cluster.masters + 1)]
        return [VirtualMaster(self, n, config, self.election, self._stepped_down) for n in names]

    def _agents(self, folder: Path) -> list[VirtualAgent]:
        want = self.plan.cluster
        config = AgentConfig(
            hostname="",
            resources=Resources.parse(f"cpus:{want.cpus};mem:{want.mem_mb}").to_wire(),
            registration_backoff_us=100_000,
            registration_backoff_max_us=2 * SECOND_US,
            ping_timeout_us=10 * SECOND_US,
            status_update_retry_us=2 * SECOND_US,
        )
        config = configured(config, self.plan)
        names = [f"a{i}" for i in range(1, want.agents + 1)]
        return [VirtualAgent(self, n, config, self.election, folder) for n in names]

    def _stepped_down(self, master: VirtualMaster) -> None:
        self.loop.after(STANDBY_AGAIN_US, master.start)

    def tell_leader(self, node: Process) -> None:
        """A node that has just started finds the leader by itself."""

    def close(self) -> None:
        """Every process is killed, so that nothing is said while the nursery ends."""
        leader = self.election.leader
        if leader is not None and leader.core is not None:
            self.final_view = leader.core.view()
        executors = [e for a in self.agents.values() for e in a.executors.values()]
        for process in [*self.processes, *executors]:
            process.kill()

    # ---- asking --------------------------------------------------------------------------------
    @property
    def finished(self) -> bool:
        """Whether all wanted work is done, and every framework has gone."""
        return all(each.is_done for each in self.schedulers.values())

    def away(self) -> list[str]:
        """Agents that run and are not registered with the leader."""
        found = []
        for name, agent in self.agents.items():
            state = None if agent.core is None else agent.core.state
            here = state is not None and state.registered and state.epoch == self.election.epoch
            if agent.alive and not here:
                found.append(name)
        return found

    def _look(self) -> None:
        """Where nothing has happened to a connection for long, whoever was to hear of it has."""
        if trio.current_time() - self.network.stirred_s < SETTLED_S:
            self.lost = self.lost or self._open_ends.look(self)
        seam.after(LOOK_S, self._look)

    def leaks(self) -> list[str]:
        """What the cores hold though they must not: connections, or by their own account (D12)."""
        found = [*self.lost]
        for master in self.masters.values():
            if master.alive and master.core is not None:
                found += [f"{master.name}: {says}" for says in master_core.violations(master.core)]
        for agent in self.agents.values():
            if agent.core is not None:
                found += [f"{agent.name}: {says}" for says in agent_core.violations(agent.core)]
        return found

    def pending(self) -> list[str]:
        """Why it is not settled: a sentence for each thing that is missing."""
        why = [f"{name} is not registered with the leader" for name in self.away()]
        why += [says for each in self.schedulers.values() for says in each.pending()]
        return [*why, *self.crashes]
