"""From effects to runs and back: executors started and destroyed, and their ends told.

The core names a container, says what is to live in it, and hears once that nothing lives there any
more, also if it could not be started. In between, the isolator does the work. After a restart of
the agent, `take_up` says which containers of the last life still run, and ends all the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import trio

from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import ExecutorExited
from mesos_ref.executor.demands import unsupported
from mesos_ref.executor.spawn import SpawnError, argv_of
from mesos_ref.isolation.environment import AgentFacts, executor_environment
from mesos_ref.isolation.interface import Exit, Isolator, LaunchError
from mesos_ref.isolation.messages import RunSpec
from mesos_ref.isolation.rundir import RunDir

Tell = Callable[[ExecutorExited], None]


class Containers(Protocol):
    """What the shell needs of whatever executors live in."""

    def start(self, effect: StartExecutor) -> None:
        """Begin to start an executor; its end is told."""
        ...

    def destroy(self, container: str) -> None:
        """Begin to end all that lives in a container; harmless if nothing does."""
        ...

    async def settled(self) -> None:
        """Return once what was begun is done."""
        ...


class IsolatedContainers:
    """Containers of an isolator."""

    def __init__(
        self,
        isolator: Isolator,
        *,
        work_dir: Path,
        agent_id: Callable[[], str],
        facts: AgentFacts,
        tell: Tell,
        nursery: trio.Nursery,
        switch_user: bool = True,
    ) -> None:
        self._isolator = isolator
        self._work_dir = work_dir
        self._agent_id = agent_id
        self._facts = facts
        self._tell = tell
        self._nursery = nursery
        self._switch_user = switch_user
        #: Not launched yet; True: to be destroyed, and so never launched.
        self._preparing: dict[str, bool] = {}
        self._busy = 0
        self._idle = trio.Event()

    def start(self, effect: StartExecutor) -> None:
        self._preparing[effect.container] = False
        self._begin(self._start, effect)

    def destroy(self, container: str) -> None:
        if container in self._preparing:
            self._preparing[container] = True
        else:
            self._begin(self._isolator.destroy, container)

    async def settled(self) -> None:
        while self._busy:
            await self._idle.wait()

    def _begin(self, do: Callable[..., Any], *arguments: object) -> None:
        self._busy += 1
        self._nursery.start_soon(self._do, do, arguments)

    async def _do(self, do: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        try:
            await do(*arguments)
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
                self._idle = trio.Event()

    async def _start(self, effect: StartExecutor) -> None:
        try:
            run = self._run_of(effect)
            await self._isolator.prepare(run)
            if self._preparing.pop(effect.container):
                raise LaunchError("the executor was destroyed before it was started")
            await self._isolator.launch(run)
        except (LaunchError, SpawnError, ValueError) as error:
            self._preparing.pop(effect.container, None)
            self._tell(ExecutorExited(effect.container, None, str(error)))

    def _run_of(self, effect: StartExecutor) -> RunSpec:
        """Everything about one run. Raises `SpawnError`, or `ValueError` for an unusable id."""
        asked = effect.executor_info or effect.task
        fault = None if asked is None else unsupported(asked.command, asked.container)
        if fault is not None:
            raise SpawnError(fault)
        argv: tuple[str, ...] = ()
        executable = None
        if effect.executor_info is not None:
            if effect.executor_info.command is None:
                raise SpawnError("the executor has no command")
            argv, executable = argv_of(effect.executor_info.command)
        run = RunSpec(
            container_id=effect.container,
            agent_id=self._agent_id(),
            framework_id=effect.framework_id,
            executor_id=effect.executor_id,
            environment={},
            argv=argv,
            executable=executable,
            user=effect.user if self._switch_user else None,
            checkpoint=effect.checkpoint,
            shutdown_grace_us=effect.shutdown_grace_us,
        )
        run.environment.update(self._environment(effect, run))
        return run

    def _environment(self, effect: StartExecutor, run: RunSpec) -> dict[str, str]:
        return executor_environment(
            self._facts,
            agent_id=run.agent_id,
            framework_id=run.framework_id,
            executor_id=run.executor_id,
            container_id=run.container_id,
            sandbox=RunDir.of(self._work_dir, run).sandbox,
            checkpoint=run.checkpoint,
            shutdown_grace_us=run.shutdown_grace_us,
            is_command_executor=effect.executor_info is None,
            inherited=os.environ,
            asked_for=effect.environment,
        )


def exit_of(end: Exit) -> ExecutorExited:
    """The event for the end of a run."""
    return ExecutorExited(end.container_id, end.wait_status)


async def take_up(isolator: Isolator, recovered: Mapping[str, Any]) -> tuple[str, ...]:
    """The containers that live on from an earlier life; whatever else does is ended (RCV-1, RCV-2).

    `recovered` is what the core had kept.
    """
    agent_id = recovered.get("agent", {}).get("id", "")
    runs = [
        RunSpec(
            container_id=value["container"],
            agent_id=agent_id,
            framework_id=value["framework_id"],
            executor_id=value["executor_id"],
            environment={},
        )
        for key, value in sorted(recovered.items())
        if key.startswith("executor/")
    ]
    found = await isolator.recover(runs)
    await isolator.end_others()
    return tuple(each.container_id for each in found if each.pid is not None)
