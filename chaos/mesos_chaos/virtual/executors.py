"""Executors in virtual time: the real core of the command executor over the real HTTP client.

They are processes of their own on their agent's machine, and outlive it.  The command is pretended:
`sleep 0.2` takes as long as it says.  `SimIsolator` is the isolator that agents are given: it
starts these processes, ends them, and finds them again for the next life of the agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from mesos_chaos.sim.executors import length_us
from mesos_chaos.virtual import seam
from mesos_chaos.virtual.processes import Process, World
from mesos_chaos.virtual.streams import Life
from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor.core import ExecutorConfig, ExecutorCore
from mesos_ref.executor.settings import Settings
from mesos_ref.http.client import HttpClient, HttpError
from mesos_ref.isolation.interface import Exit, LaunchError, OnExit, Recovered
from mesos_ref.isolation.messages import RunSpec
from mesos_ref.step import Effect
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import TaskInfo

SIGKILLED = 9
FORK_S = (0.001, 0.01)
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class VirtualExecutor(Process):
    """One executor: a run of its agent's."""

    role = "executor"

    def __init__(self, world: World, machine: Machine, run: RunSpec) -> None:
        super().__init__(world, run.container_id, machine.name)
        self.run = run
        self.of = machine
        self.status: int | None = None  #: raw wait status, once it has ended
        self._core: ExecutorCore
        self._settings: Settings
        self._events: deque[hear.Event] = deque()
        self._news = trio.Event()
        self._client: HttpClient
        self._within: trio.Nursery
        self._subscription = trio.CancelScope()
        self._command = trio.CancelScope()
        self._calls: trio.MemorySendChannel[wire.Call] | None = None
        self._code: int | None = None

    def runs(self, task: str) -> bool:
        """Whether this is the executor of an item's attempt, or of a task."""
        return self.run.executor_id.startswith(task)

    def die(self, status: int | None) -> None:
        """Its process ends, and the command with it."""
        if self.alive:
            self.kill()
            self.of.buried(self, status)

    def ended(self, outcome: Any) -> None:
        self.of.buried(self, outcome)

    # ---- one life ----------------------------------------------------------------------------
    async def main(self, life: Life) -> int:
        """Until the core says exit; its raw wait status."""
        self._settings = settings = Settings.read(self.run.environment)
        self._client = HttpClient(self.net(life))
        clock = self.clock()
        dice = self.world.random(f"executor {self.name}")
        config = ExecutorConfig(
            framework_id=settings.framework_id,
            executor_id=settings.executor_id,
            checkpoint=settings.checkpoint,
            shutdown_grace_us=settings.shutdown_grace_us,
            recovery_timeout_us=settings.recovery_timeout_us,
            subscription_backoff_max_us=settings.subscription_backoff_max_us,
            epoch_offset_us=clock.wall_us() - clock.now_us(),
        )
        self._core = ExecutorCore(config, self.ids(), lambda most: dice.randint(0, most))
        await seam.sleep(dice.uniform(*FORK_S))
        async with trio.open_nursery() as self._within:
            self._say(hear.Started())
            while self._code is None:
                await self._wait()
                now_us = clock.now_us()
                event = self._events.popleft() if self._events else hear.Tick()
                for effect in self._core.handle(event, now_us).effects:
                    self._do(effect)
            self._within.cancel_scope.cancel()
        return self._code << 8

    def _say(self, event: hear.Event) -> None:
        self._events.append(event)
        self._news.set()

    async def _wait(self) -> None:
        """Until there is something to hear, or the core's deadline has come."""
        if self._events:
            return
        self._news = news = trio.Event()
        due_us = self._core.next_deadline
        alarm = None if due_us is None else seam.clock().at((due_us + 0.5) / 1e6, news.set)
        try:
            await news.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    def _do(self, effect: Effect) -> None:
        start = self._within.start_soon
        match effect:
            case do.OpenSubscription(connection=connection, call=call):
                self._hang_up()
                self._subscription = trio.CancelScope()
                start(self._subscribe, connection, call, self._subscription)
            case do.CloseSubscription():
                self._hang_up()
            case do.SendCall(call=call):
                if self._calls is not None:
                    self._calls.send_nowait(call)
            case do.RunCommand(task=task):
                self._say(hear.CommandStarted(1))
                start(self._run_command, task)
            case do.SignalCommand(signal=signal):
                if not self._command.cancel_called:
                    self._command.cancel()
                    self._say(hear.CommandEnded(signal=signal))
            case do.Exit(code=code):
                self._code = code
            case _:
                raise TypeError(f"an executor has no effect like {effect}")

    async def _run_command(self, task: TaskInfo) -> None:
        self._command = trio.CancelScope()
        with self._command:
            command = (task.command.value if task.command else "") or ""
            await seam.sleep(length_us(command) / 1e6)
            self._command.cancel()
            self._say(hear.CommandEnded(exit_code=0))

    # ---- the agent ---------------------------------------------------------------------------
    def _hang_up(self) -> None:
        self._subscription.cancel()
        self._calls = None

    @property
    def _url(self) -> str:
        return f"http://{self._settings.host}:{self._settings.port}/api/v1/executor"

    async def _subscribe(self, connection: int, call: wire.Call, scope: trio.CancelScope) -> None:
        """One connection, from SUBSCRIBE to its end."""
        with scope:
            try:
                stream = await self._client.stream(
                    "POST", self._url, headers=HEADERS, body=json.encode(call), timeout_s=30
                )
            except HttpError:
                self._say(hear.StreamEnded(connection))
                return
            try:
                if stream.status != 200:
                    text = (await stream.body()).decode(errors="replace")
                    self._say(hear.SubscribeFailed(connection, stream.status, text))
                    return
                async with trio.open_nursery() as nursery:
                    self._calls, calls = trio.open_memory_channel[wire.Call](10_000)
                    nursery.start_soon(self._make_calls, connection, calls)
                    self._say(hear.StreamOpened(connection))
                    await self._listen(connection, stream)
                    nursery.cancel_scope.cancel()
                self._say(hear.StreamEnded(connection))
            except HttpError:
                self._say(hear.StreamEnded(connection))
            finally:
                with trio.CancelScope(shield=True):
                    await stream.aclose()

    async def _listen(self, connection: int, stream: Any) -> None:
        n = 0
        try:
            async for record in stream:
                event = wire.decode_event(record)
                if event.type != "HEARTBEAT":
                    self._say(hear.EventHeard(connection, n, event))
                    n += 1
        except (HttpError, WireError):
            return

    async def _make_calls(
        self, connection: int, calls: trio.MemoryReceiveChannel[wire.Call]
    ) -> None:
        """One after the other; after one that failed, none."""
        async for call in calls:
            try:
                answer = await self._client.request(
                    "POST", self._url, headers=HEADERS, body=json.encode(call), timeout_s=30
                )
                status: int | None = answer.status
            except HttpError:
                status = None
            if status != 202:
                self._say(hear.CallFailed(connection, status))
                return


class Machine:
    """Where an agent and its executors live."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.executors: dict[str, VirtualExecutor] = {}
        self.ended: dict[str, int | None] = {}
        self.isolator: SimIsolator | None = None  #: of the agent's life, if it lives

    def buried(self, executor: VirtualExecutor, status: int | None) -> None:
        """An executor's process has ended."""
        container = executor.run.container_id
        self.executors.pop(container, None)
        self.ended[container] = status
        if self.isolator is not None:
            self.isolator.told(container, status)


class SimIsolator:
    """The isolator of one life of an agent."""

    def __init__(self, machine: Machine, life: Life, on_exit: OnExit) -> None:
        self._machine, self._life, self._on_exit = machine, life, on_exit
        self._noted: set[str] = set()

    def told(self, container: str, status: int | None) -> None:
        """A run has ended: who started or took it up hears of it."""
        if container in self._noted and not self._life.dead:
            self._on_exit(Exit(container, status))

    async def prepare(self, run: RunSpec) -> Path:
        await trio.lowlevel.checkpoint()
        return Path("/sandbox") / run.container_id

    async def launch(self, run: RunSpec) -> int:
        await trio.lowlevel.checkpoint()
        if run.argv:
            raise LaunchError("only command tasks run here")
        executor = VirtualExecutor(self._machine.world, self._machine, run)
        self._machine.executors[run.container_id] = executor
        self._noted.add(run.container_id)
        executor.start()
        return 1

    def signal(self, container_id: str, number: int) -> bool:
        return container_id in self._machine.executors

    async def destroy(self, container_id: str) -> None:
        await trio.lowlevel.checkpoint()
        executor = self._machine.executors.get(container_id)
        if executor is not None:
            executor.die(SIGKILLED)

    async def recover(self, runs: Sequence[RunSpec]) -> list[Recovered]:
        """Take up what the agent's last life had started."""
        await trio.lowlevel.checkpoint()
        found = []
        for run in runs:
            container = run.container_id
            self._noted.add(container)
            if container in self._machine.executors:
                found.append(Recovered(container, 1))
            else:
                found.append(Recovered(container, None, self._machine.ended.get(container)))
        return found

    async def end_others(self) -> list[str]:
        await trio.lowlevel.checkpoint()
        others = [c for c in self._machine.executors if c not in self._noted]
        for container in others:
            self._machine.executors[container].die(SIGKILLED)
        return others


def isolation_of(machine: Machine, life: Life) -> Any:
    """The plugin that gives an agent's life its isolator."""

    @asynccontextmanager
    async def plugin(work_dir: Path, on_exit: OnExit) -> AsyncIterator[SimIsolator]:
        machine.isolator = made = SimIsolator(machine, life, on_exit)
        try:
            yield made
        finally:
            if machine.isolator is made:
                machine.isolator = None

    return plugin
