"""An isolator under test: start runs, wait for their ends, look at processes."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ParamSpec

import trio

from mesos_ref.isolation import processes
from mesos_ref.isolation.environment import AgentFacts, executor_environment
from mesos_ref.isolation.interface import Exit
from mesos_ref.isolation.messages import RunSpec
from mesos_ref.isolation.posix import PosixIsolator, open_posix_isolator
from mesos_ref.isolation.rundir import RunDir

#: Of a test that hangs; one that shares two cores with others may take a while.
PATIENCE_S = 120.0

P = ParamSpec("P")


def live(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on the real clock; one that hangs fails."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            with trio.fail_after(PATIENCE_S):
                await test(*args, **kwargs)

        trio.run(main)

    return run


class Host:
    """Starts runs in one work directory and keeps their ends."""

    def __init__(self, work_dir: Path, port: int = 0) -> None:
        self.work_dir = work_dir
        self.facts = AgentFacts(
            ip="127.0.0.1",
            port=port,
            recovery_timeout_us=20_000_000,
            subscription_backoff_max_us=20_000,
        )
        self.exits: dict[str, Exit] = {}
        self.isolator: PosixIsolator
        self._changed = trio.Event()

    def on_exit(self, end: Exit) -> None:
        assert end.container_id not in self.exits, "a run ends once"
        self.exits[end.container_id] = end
        self._changed.set()
        self._changed = trio.Event()

    async def exit_of(self, name: str) -> int | None:
        """The wait status of a run, once it has ended."""
        while f"c-{name}" not in self.exits:
            await self._changed.wait()
        return self.exits[f"c-{name}"].wait_status

    def spec(self, name: str, argv: tuple[str, ...] = (), **more: object) -> RunSpec:
        """Run `name` of executor `name`: the command executor, or a program."""
        run = RunSpec(
            container_id=f"c-{name}",
            agent_id="a1",
            framework_id="f1",
            executor_id=name,
            environment={},
            argv=argv,
            **more,  # type: ignore[arg-type]
        )
        environment = executor_environment(
            self.facts,
            agent_id="a1",
            framework_id="f1",
            executor_id=name,
            container_id=run.container_id,
            sandbox=RunDir.of(self.work_dir, run).sandbox,
            checkpoint=run.checkpoint,
            shutdown_grace_us=run.shutdown_grace_us,
            is_command_executor=not argv,
            inherited=os.environ,
        )
        session = {"MESOS_REF_TEST_SESSION": os.environ.get("MESOS_REF_TEST_SESSION", "")}
        run.environment.update(environment | session)
        return run

    def dir(self, name: str) -> RunDir:
        return RunDir.of(self.work_dir, self.spec(name))

    async def start(self, name: str, argv: tuple[str, ...] = (), **more: object) -> int:
        """Prepare and launch; the first process' pid."""
        run = self.spec(name, argv, **more)
        await self.isolator.prepare(run)
        return await self.isolator.launch(run)

    async def shell(self, name: str, script: str, **more: object) -> int:
        """A program run: `/bin/sh -c script`."""
        return await self.start(name, ("/bin/sh", "-c", script), **more)

    async def tree(self, name: str) -> list[int]:
        """A run's first process and all below it, once the first has noted itself."""
        while (who := self.dir(name).read_pid()) is None:  # noqa: ASYNC110
            await trio.sleep(0.005)
        return [who.pid, *processes.descendants(who.pid)]

    async def written(self, name: str, file: str = "stdout") -> str:
        """What a file of the sandbox says, once it has a whole line."""
        path = self.dir(name).sandbox / file
        while not (path.exists() and path.read_text().endswith("\n")):  # noqa: ASYNC110
            await trio.sleep(0.005)
        return path.read_text().strip()


@asynccontextmanager
async def hosted(work_dir: Path, port: int = 0) -> AsyncIterator[Host]:
    """A host with its isolator open."""
    host = Host(work_dir, port)
    async with open_posix_isolator(work_dir, host.on_exit) as host.isolator:
        yield host


lives = processes.runs


async def until_gone(*pids: int) -> None:
    """Wait for processes nobody here is the parent of."""
    while any(map(lives, pids)):  # noqa: ASYNC110
        await trio.sleep(0.005)


async def until_reaped(pid: int) -> None:
    """Wait until the parent knows that its child has ended."""
    while processes.stat(pid) is not None:  # noqa: ASYNC110
        await trio.sleep(0.005)
