"""A whole agent in the test's own process, among a fake master, fake executors and a fake disk.

The network is memory under a clock that jumps, or the machine's loopback; executors are names in a
`FakeIsolator`, or ended before they began inside the agent (`noop`). The master is whatever the
test says on the link; it acknowledges nothing by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import trio

from mesos_ref import link as protocol
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.events import LeaderSeen
from mesos_ref.agent.shell import AgentShell, Ports, Settings
from mesos_ref.isolation.interface import Exit, LaunchError, OnExit, Recovered
from mesos_ref.isolation.messages import RunSpec
from mesos_ref.isolation.rundir import RunDir
from mesos_ref.link_end import FrameReader
from mesos_ref.ports.clock import TrioClock
from mesos_ref.ports.disk import AppendFile
from mesos_ref.ports.net import Net, Stream
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import CommandInfo, ExecutorInfo, FrameworkInfo, TaskInfo, TaskState
from model_tests.shell.memory_net import MemoryNet

FW = "fw-1"
F = TypeVar("F", bound=protocol.Frame)


class HashedIds:
    """The same ids each time, that look like chance: the core takes its jitter from them."""

    def __init__(self, life: int) -> None:
        self._names = (f"{life}:{number}" for number in count())

    def uuid(self) -> str:
        return str(UUID(bytes=self.uuid_bytes()))

    def uuid_bytes(self) -> bytes:
        return sha256(next(self._names).encode()).digest()[:16]


# The disk -----------------------------------------------------------------------------------------


class MemoryDisk:
    """Files in memory, as they would be after a power cut. `stall` keeps appends from ending."""

    def __init__(self) -> None:
        self.files: dict[Path, bytes] = {}
        self.appends = 0
        self._may_go_on = trio.Event()
        self._may_go_on.set()

    def stall(self) -> None:
        self._may_go_on = trio.Event()

    def go_on(self) -> None:
        self._may_go_on.set()

    async def read(self, path: Path) -> bytes | None:
        return self.files.get(path)

    async def write_durable(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        await self._may_go_on.wait()
        self.files[path] = data

    async def open_append(self, path: Path, mode: int = 0o600) -> AppendFile:
        return _MemoryFile(self, path)

    async def listdir(self, path: Path) -> list[str]:
        return sorted(file.name for file in self.files if file.parent == path)

    async def remove_tree(self, path: Path) -> None:
        self.files.pop(path, None)

    async def append(self, path: Path, data: bytes) -> None:
        await self._may_go_on.wait()
        self.appends += 1
        self.files[path] += data


class _MemoryFile:
    def __init__(self, disk: MemoryDisk, path: Path) -> None:
        self._disk = disk
        self._path = path

    async def append(self, data: bytes) -> None:
        await self._disk.append(self._path, data)

    async def aclose(self) -> None:
        return


# Executors ----------------------------------------------------------------------------------------


class FakeIsolator:
    """Runs that are only written down. They outlive the agent unless the test ends them."""

    def __init__(self) -> None:
        self.running: dict[str, RunSpec] = {}
        self.destroyed: list[str] = []
        self.refuses: str | None = None
        self._on_exit: OnExit | None = None
        self._changed = trio.Event()

    @asynccontextmanager
    async def open(self, work_dir: Path, on_exit: OnExit) -> AsyncIterator[FakeIsolator]:
        """The plug-in."""
        self.work_dir = work_dir
        self._on_exit = on_exit
        yield self
        self._on_exit = None

    async def prepare(self, run: RunSpec) -> Path:
        if self.refuses is not None:
            raise LaunchError(self.refuses)
        return RunDir.of(self.work_dir, run).sandbox

    async def launch(self, run: RunSpec) -> int:
        self.running[run.container_id] = run
        self._changed.set()
        self._changed = trio.Event()
        return 1

    def signal(self, container_id: str, number: int) -> bool:
        return container_id in self.running

    async def destroy(self, container_id: str) -> None:
        self.destroyed.append(container_id)
        self.end(container_id, 9)

    async def recover(self, runs: Sequence[RunSpec]) -> list[Recovered]:
        return [
            Recovered(run.container_id, 1 if run.container_id in self.running else None)
            for run in runs
        ]

    async def end_others(self) -> list[str]:
        others = [name for name, run in self.running.items() if not run.checkpoint]
        for name in others:
            del self.running[name]
        return others

    def end(self, container_id: str, status: int) -> None:
        """The run ends by itself."""
        if self.running.pop(container_id, None) is not None and self._on_exit is not None:
            self._on_exit(Exit(container_id, status))

    async def run_of(self, executor_id: str) -> RunSpec:
        """The run of an executor, once it was launched."""
        while True:
            for run in self.running.values():
                if run.executor_id == executor_id:
                    return run
            await self._changed.wait()


# The master ---------------------------------------------------------------------------------------


class ChosenLeaders:
    """The test says who leads."""

    def __init__(self) -> None:
        self._news, self._heard = trio.open_memory_channel[LeaderSeen](100)
        self._links: dict[str, tuple[str, int]] = {}

    def show(self, epoch: int, host: str, port: int) -> None:
        url = f"http://{host}:{port}"
        self._links[url] = (host, port)
        self._news.send_nowait(LeaderSeen(epoch, url))

    async def watch(self, post: Callable[[LeaderSeen], Awaitable[None]]) -> None:
        while True:
            await post(await self._heard.receive())

    async def locate(self, url: str) -> tuple[str, int]:
        return self._links[url]


class MasterLink:
    """The master's end of one link, and all it has heard there."""

    def __init__(self, stream: Stream, epoch: int) -> None:
        self.stream = stream
        self.epoch = epoch
        self.hello: protocol.Hello | None = None
        self.heard: list[protocol.FromAgent] = []
        self.sent = 0
        self._reader = FrameReader()
        self._bodies: list[bytes] = []

    async def send(self, *frames: protocol.Frame) -> None:
        """Send frames, numbered."""
        data = b""
        for frame in frames:
            data += protocol.encode(frame, self.sent)
            self.sent += 1
        await self.stream.send_all(data)

    async def next(self) -> protocol.FromAgent | None:
        """The next frame, its number checked; None once the agent has hung up."""
        body = await self._body()
        if body is None:
            return None
        n, frame = protocol.decode_from_agent(body)
        assert n == len(self.heard), f"frame {n} came where {len(self.heard)} was due"
        self.heard.append(frame)
        return frame

    async def greet(self) -> protocol.Hello:
        body = await self._body()
        assert body is not None, "the agent hung up without a hello"
        self.hello = protocol.decode_hello(body)
        return self.hello

    async def _body(self) -> bytes | None:
        while not self._bodies:
            data = await self.stream.receive_some(1 << 16)
            if not data:
                return None
            self._reader.feed(data)
            self._bodies += self._reader.bodies()
        return self._bodies.pop(0)

    async def expect(self, kind: type[F]) -> F:
        """The next frame of a kind; others before it are passed over."""
        while True:
            frame = await self.next()
            assert frame is not None, f"the agent hung up before a {kind.__name__}"
            if isinstance(frame, kind):
                return frame

    async def registered(self, *reconcile: protocol.TaskKey) -> protocol.Register:
        """Hear its Register, and admit it."""
        register = await self.expect(protocol.Register)
        await self.send(
            protocol.Registered(epoch=self.epoch, agent_id=register.agent_id, reconcile=reconcile)
        )
        return register

    async def update(self, state: TaskState, acknowledge: bool = True) -> protocol.Update:
        """The next update, which is of this state; acknowledged."""
        update = await self.expect(protocol.Update)
        assert update.status.state == state, f"{update.status.state} came, not {state}"
        if acknowledge:
            await self.acknowledge(update)
        return update

    async def acknowledge(self, update: protocol.Update) -> None:
        ack = protocol.Ack(
            epoch=self.epoch,
            framework_id=update.framework_id,
            task_id=update.status.task_id,
            uuid=update.status.uuid or b"",
        )
        await self.send(ack)


class FakeMaster:
    """Takes links one by one."""

    def __init__(self, net: Net, host: str, port: int) -> None:
        self.net = net
        self.host, self.port = host, port
        self._links, self._taken = trio.open_memory_channel[Stream](100)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listener = await self.net.listen(self.host, self.port)
        self.port = listener.port
        task_status.started()
        taken: list[Stream] = []
        try:
            while True:
                taken.append(await listener.accept())
                self._links.send_nowait(taken[-1])
        finally:
            with trio.CancelScope(shield=True):
                await listener.aclose()
                for each in taken:
                    await each.aclose()

    async def linked(self, epoch: int = 1) -> MasterLink:
        """The next link, its hello heard."""
        link = MasterLink(await self._taken.receive(), epoch)
        await link.greet()
        return link


# Messages -----------------------------------------------------------------------------------------


def framework(checkpoint: bool = False, name: str = FW) -> FrameworkInfo:
    return FrameworkInfo(user="", name="f", id=name, checkpoint=checkpoint, roles=("*",))


def command_task(task_id: str, command: str = "true", **more: Any) -> TaskInfo:
    return TaskInfo(
        name=task_id,
        task_id=task_id,
        agent_id="a",
        resources=Resources.of(cpus=0.1).to_wire("*"),
        command=CommandInfo(value=command, **more),
    )


def run_task(
    task: TaskInfo,
    *,
    checkpoint: bool = False,
    executor: ExecutorInfo | None = None,
    launch_executor: bool = True,
    epoch: int = 1,
    framework_id: str = FW,
) -> protocol.RunTask:
    return protocol.RunTask(
        epoch=epoch,
        framework=framework(checkpoint, framework_id),
        task=task,
        role="*",
        executor=executor,
        launch_executor=launch_executor,
    )


def custom_executor(executor_id: str = "e1", command: str = "./executor") -> ExecutorInfo:
    return ExecutorInfo(
        executor_id=executor_id, framework_id=FW, command=CommandInfo(value=command), type="CUSTOM"
    )


def task_for(executor: ExecutorInfo, task_id: str) -> TaskInfo:
    return TaskInfo(
        name=task_id,
        task_id=task_id,
        agent_id="a",
        resources=Resources.of(cpus=0.1).to_wire("*"),
        executor=executor,
    )


# All together -------------------------------------------------------------------------------------


class Stage:
    """A place for one agent, life after life."""

    def __init__(self, work_dir: Path, net: Net | None = None, **settings: Any) -> None:
        self.net = net or MemoryNet()
        self.disk = MemoryDisk()
        self.isolator = FakeIsolator()
        self.leaders = ChosenLeaders()
        self.master = FakeMaster(self.net, "memory" if net is None else "127.0.0.1", 0)
        self.settings = Settings(
            work_dir=work_dir, host=self.master.host, **{"port": 0, **settings}
        )
        self.shell: AgentShell
        self.port = 0
        self.lives = 0
        self.exit_code: int | None = None

    def announced(self, what: str, facts: dict[str, Any]) -> None:
        if what == "serving":
            self.port = facts["port"]

    async def live(
        self,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        **config: Any,
    ) -> None:
        """One life of the agent, begun when it serves."""
        self.lives += 1

        def announce(what: str, facts: dict[str, Any]) -> None:
            self.announced(what, facts)
            if what == "serving":
                task_status.started()

        self.shell = AgentShell(
            AgentConfig(
                hostname="h",
                resources=Resources.of(cpus=4, mem=1024).to_wire(),
                **{"registration_backoff_us": 10_000, **config},
            ),
            self.settings,
            Ports(
                net=self.net,
                disk=self.disk,
                clock=TrioClock(1_700_000_000_000_000),
                ids=HashedIds(self.lives),
                leaders=self.leaders,
                isolation=self.isolator.open,
            ),
            announce=announce,
        )
        self.exit_code = await self.shell.run()


@asynccontextmanager
async def staged(
    work_dir: Path, net: Net | None = None, config: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[Stage, trio.Nursery]]:
    """An agent that lives, a master of epoch 1 it has been shown, and a nursery around them."""
    stage = Stage(work_dir, net, **settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(stage.master.run)
        await begin_life(stage, nursery, **(config or {}))
        stage.leaders.show(1, stage.master.host, stage.master.port)
        yield stage, nursery
        nursery.cancel_scope.cancel()


async def begin_life(stage: Stage, nursery: trio.Nursery, **config: Any) -> None:
    """Start the agent (again)."""

    async def live(task_status: trio.TaskStatus[None]) -> None:
        await stage.live(task_status, **config)

    await nursery.start(live)
