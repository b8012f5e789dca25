"""A cluster in memory: real masters and agents, no process, no socket, no file, no waiting.

Masters come and go as the test says; agents' tasks do nothing, at once. Everybody finds the leader
by asking every master there ever was. The clock jumps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from uuid import UUID

import trio

from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.leaders import AskedLeaders
from mesos_ref.agent.shell import AgentShell
from mesos_ref.agent.shell import Ports as AgentPorts
from mesos_ref.agent.shell import Settings as AgentSettings
from mesos_ref.election.single import SingleElection
from mesos_ref.http.client import HttpClient
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.shell import MasterShell
from mesos_ref.master.shell import Ports as MasterPorts
from mesos_ref.master.shell import Settings as MasterSettings
from mesos_ref.ports.clock import TrioClock
from mesos_ref.ports.disk import AppendFile
from mesos_ref.ports.net import Stream
from mesos_ref.resources import Resources
from model_tests.shell.memory_net import MemoryNet

#: Where masters are; as many as a test may start.
PORTS = range(5050, 5056)
MASTERS = ",".join(f"http://memory:{port}" for port in PORTS)


class Ids:
    """Uuids from a seed; all their bytes vary, since waiting times are drawn from them."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def uuid(self) -> str:
        """The next, as text."""
        return str(UUID(bytes=self.uuid_bytes()))

    def uuid_bytes(self) -> bytes:
        """The next, as bytes."""
        return self._random.randbytes(16)


class Net(MemoryNet):
    """A machine whose listeners may be gone."""

    async def connect(self, host: str, port: int) -> Stream:
        """As on a real one: refused."""
        try:
            return await super().connect(host, port)
        except trio.ClosedResourceError:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port} any more") from None


class MemoryDisk:
    """Files in a dictionary. What was appended or written is there."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}

    async def read(self, path: Path) -> bytes | None:
        """The whole file; None if there is none."""
        return self.files.get(path)

    async def write_durable(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Replace the file."""
        self.files[path] = data

    async def open_append(self, path: Path, mode: int = 0o600) -> AppendFile:
        """Open for appending."""
        self.files.setdefault(path, b"")
        return MemoryAppendFile(self, path)

    async def listdir(self, path: Path) -> list[str]:
        """Sorted names."""
        return sorted({p.relative_to(path).parts[0] for p in self.files if path in p.parents})

    async def remove_tree(self, path: Path) -> None:
        """Remove a file or folder."""
        self.files = {p: d for p, d in self.files.items() if p != path and path not in p.parents}


class MemoryAppendFile:
    """A file of a `MemoryDisk` that grows."""

    def __init__(self, disk: MemoryDisk, path: Path) -> None:
        self._disk = disk
        self._path = path

    async def append(self, data: bytes) -> None:
        """Append."""
        await trio.lowlevel.checkpoint()
        self._disk.files[self._path] += data

    async def aclose(self) -> None:
        """Nothing to do."""


class Cluster:
    """The cluster while it runs."""

    def __init__(self, nursery: trio.Nursery, folder: Path) -> None:
        self.net = Net()
        self.masters: list[MasterShell] = []
        self._folder = folder
        self._nursery = nursery
        self._scopes: list[trio.CancelScope] = []
        self._agents = count(1)

    async def start_master(self) -> MasterShell:
        """Start the next leader; returns when it leads."""
        epoch = len(self.masters) + 1
        leads = trio.Event()

        def announce(what: str, facts: dict[str, object]) -> None:
            if what == "leading":
                leads.set()

        core = MasterCore(MasterConfig(), Ids(100 + epoch), f"00000000-0000-4000-8000-{epoch:012}")
        shell = MasterShell(
            core,
            MasterSettings(host="memory", port=PORTS[epoch - 1]),
            MasterPorts(
                net=self.net,
                clock=TrioClock(),
                ids=Ids(200 + epoch),
                election=SingleElection(epoch=epoch),
            ),
            announce=announce,
        )
        scope = trio.CancelScope()

        async def run() -> None:
            with scope:
                await shell.run()

        self._nursery.start_soon(run)
        self.masters.append(shell)
        self._scopes.append(scope)
        await leads.wait()
        return shell

    @property
    def is_led(self) -> bool:
        """Whether the newest master lives and leads."""
        is_dead = self._scopes[-1].cancel_called
        return not is_dead and self.masters[-1].core.state.epoch is not None

    def kill_master(self) -> None:
        """The newest master is gone, without a word."""
        self._scopes[-1].cancel()
        self.net.listeners.pop(PORTS[len(self.masters) - 1])

    async def fail_over(self) -> None:
        """The leader dies, and another one is there at once."""
        self.kill_master()
        await self.start_master()

    def start_agent(self, cpus: float = 4, mem_mb: float = 1024) -> AgentShell:
        """Start an agent whose tasks finish at once."""
        number = next(self._agents)
        config = AgentConfig(
            hostname="memory", resources=Resources.of(cpus=cpus, mem=mem_mb).to_wire()
        )
        work_dir = self._folder / f"agent{number}"
        shell = AgentShell(
            config,
            AgentSettings(work_dir=work_dir, host="memory", port=0, noop=True),
            AgentPorts(
                net=self.net,
                disk=MemoryDisk(),
                clock=TrioClock(),
                ids=Ids(300 + number),
                leaders=AskedLeaders(HttpClient(self.net), MASTERS.split(",")),
            ),
        )
        self._nursery.start_soon(shell.run)
        return shell


@asynccontextmanager
async def cluster(folder: Path, agents: int = 1) -> AsyncIterator[Cluster]:
    """A cluster with one master, while the block runs. `folder` is for agents' locks."""
    async with trio.open_nursery() as nursery:
        made = Cluster(nursery, folder)
        await made.start_master()
        for _ in range(agents):
            made.start_agent()
        yield made
        nursery.cancel_scope.cancel()
