"""Masters, agents and schedulers in virtual time: the shells of production on simulated ports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesos_chaos.plan import Workload
from mesos_chaos.virtual.elections import Elections, SimElection
from mesos_chaos.virtual.executors import Machine, VirtualExecutor, isolation_of
from mesos_chaos.virtual.processes import Process, World
from mesos_chaos.virtual.streams import Life
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.leaders import WatchedLeaders
from mesos_ref.agent.shell import AgentShell
from mesos_ref.agent.shell import Ports as AgentPorts
from mesos_ref.agent.shell import Settings as AgentSettings
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.shell import MasterShell
from mesos_ref.master.shell import Ports as MasterPorts
from mesos_ref.master.shell import Settings as MasterSettings
from mesos_ref.scheduler.items import Item, Progress
from mesos_ref.scheduler.run import Verdict, run_items
from mesos_ref.trace import RecordedIds, TraceWriter, header, target_in

MASTER_PORT, AGENT_PORT = 5050, 5051
JOURNAL = Path("/state/items.journal")


class VirtualMaster(Process):
    """A master.  `stepped_down` is told when it was deposed."""

    role = "master"

    def __init__(
        self,
        world: World,
        name: str,
        config: MasterConfig,
        elections: Elections,
        stepped_down: Callable[[VirtualMaster], None],
    ) -> None:
        super().__init__(world, name)
        self.config = config
        self.core: MasterCore | None = None
        self._elections = elections
        self._stepped_down = stepped_down

    async def main(self, life: Life) -> Any:
        """Serve until deposed; what the shell returns."""
        clock, drawn = self.clock(), RecordedIds(self.ids("core"))
        core = self.core = MasterCore(self.config, drawn, self.ids("node").uuid())
        node_id = core.state.node_id
        first = header(
            role="master",
            node=self.name,
            incarnation=node_id,
            wall_us=clock.wall_us(),
            config=tracing.config_of(self.config, node_id),
        )
        target = target_in(self.trace(life), "master", self.name, node_id)
        shell = MasterShell(
            core,
            MasterSettings(host=self.machine, port=MASTER_PORT),
            MasterPorts(
                net=self.net(life),
                clock=clock,
                ids=self.ids("shell"),
                election=SimElection(self._elections, self, life),
            ),
            recorder=TraceWriter(target, first, core, drawn),
        )
        return await shell.run()

    def ended(self, outcome: Any) -> None:
        self._stepped_down(self)


class VirtualAgent(Process):
    """An agent, and the executors on its machine.  `folder` is a real one, for its lock."""

    role = "agent"

    def __init__(
        self, world: World, name: str, config: AgentConfig, elections: Elections, folder: Path
    ) -> None:
        super().__init__(world, name)
        self.config = config
        self.home = Machine(world, name)
        self._elections = elections
        self._folder = folder / name
        self._shell: AgentShell | None = None

    @property
    def executors(self) -> dict[str, VirtualExecutor]:
        """By container."""
        return self.home.executors

    @property
    def core(self) -> AgentCore | None:
        """The core of its life, once it has begun."""
        life = None if self._shell is None else self._shell._life
        return None if life is None or not self.alive else life.core

    async def main(self, life: Life) -> Any:
        """Serve; the exit code."""
        self._shell = AgentShell(
            self.config,
            AgentSettings(
                work_dir=self._folder,
                name=self.name,
                host=self.machine,
                port=AGENT_PORT,
                trace=self.trace(life),
            ),
            AgentPorts(
                net=self.net(life),
                disk=self.files(life),
                clock=self.clock(),
                ids=self.ids(),
                leaders=WatchedLeaders(SimElection(self._elections, self, life)),
                isolation=isolation_of(self.home, life),
            ),
        )
        return await self._shell.run()


class VirtualScheduler(Process):
    """A framework that wants a workload done: what `mesos-ref run` runs."""

    role = "scheduler"

    def __init__(self, world: World, workload: Workload, masters: list[str]) -> None:
        super().__init__(world, workload.name)
        self.workload = workload
        self.progress: Progress | None = None
        self.verdict: Verdict | None = None
        self._masters = ",".join(f"http://{name}:{MASTER_PORT}" for name in masters)

    async def main(self, life: Life) -> Verdict:
        """Finish the workload, from wherever the journal says it is."""
        workload = self.workload
        items = [
            Item(
                name=f"{workload.name}.{n}",
                command=workload.command,
                cpus=workload.cpus,
                mem_mb=workload.mem_mb,
            )
            for n in range(workload.items)
        ]
        return await run_items(
            self._masters,
            items,
            name=workload.name,
            journal=JOURNAL,
            disk=self.files(life),
            max_running=workload.parallel,
            on_progress=self._progressed,
            roles=(workload.role,),
            user="virtual",
            failover_timeout_s=600.0,
            trace=self.trace(life),
            net=self.net(life),
            clock=self.clock(),
            ids=self.ids(),
        )

    def _progressed(self, progress: Progress) -> None:
        self.progress = progress

    def ended(self, outcome: Any) -> None:
        self.verdict = outcome

    @property
    def is_done(self) -> bool:
        """Whether all is done, and the framework has gone."""
        return self.verdict is not None

    def pending(self) -> list[str]:
        """Why it is not done: a sentence for each thing that is missing."""
        done = 0 if self.progress is None else self.progress.done
        left = 0 if self.is_done else self.workload.items - done
        return [f"{self.name}: {left} items are not done"] if left else []
