"""Showing what the instances of `mesos-ref run` write, while they do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

import trio

from mesos_ref.cli import showing
from mesos_ref.cli.sandboxes import Reader, Sandbox
from mesos_ref.cluster.asking import Operator, Unanswered
from mesos_ref.http.client import HttpClient
from mesos_ref.scheduler.items import OVER
from mesos_ref.wire.v1 import TaskStatus

#: Between two looks at a file that may grow.
LOOK_AGAIN_S: Final = 0.1


class _Stages:
    """How far one task is."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.shown = trio.Event()


class Followed:
    """Tasks that write, each followed from its first sign of life until it is over."""

    def __init__(
        self, client: HttpClient, operator: Operator, nursery: trio.Nursery, *, prefix: bool
    ) -> None:
        """With `prefix`, each line says whose it is."""
        self._client = client
        self._operator = operator
        self._nursery = nursery
        self._prefix = prefix
        self._tasks: dict[str, _Stages] = {}
        self._agents: dict[str, str] = {}

    def hear(self, framework_id: str, statuses: Sequence[TaskStatus]) -> None:
        """Updates of the tasks (`run_items` calls it)."""
        for status in statuses:
            if status.agent_id is None or status.state == "TASK_STAGING":
                continue
            if status.task_id not in self._tasks:
                self._tasks[status.task_id] = _Stages()
                self._nursery.start_soon(
                    self._follow, framework_id, status.task_id, status.agent_id
                )
            if status.state in OVER:
                self._tasks[status.task_id].over.set()

    async def finish(self) -> None:
        """Wait until everything that was written is shown."""
        for stages in self._tasks.values():
            stages.over.set()
        for stages in self._tasks.values():
            await stages.shown.wait()

    async def _follow(self, framework_id: str, task_id: str, agent_id: str) -> None:
        try:
            address = await self._address(agent_id)
            sandbox = Sandbox(agent=address, framework_id=framework_id, executor_id=task_id)
            item = task_id.rpartition(".")[0] if self._prefix else ""
            streams = ((sys.stdout.buffer, "stdout"), (sys.stderr.buffer, "stderr"))
            copies = [Copy(Reader(self._client, sandbox, name), to, item) for to, name in streams]
            await self._copy(copies, self._tasks[task_id].over)
        except Unanswered as error:
            print(f"mesos-ref run: what {task_id} writes is not shown: {error}", file=sys.stderr)
        finally:
            self._tasks[task_id].shown.set()

    async def _copy(self, copies: Sequence[Copy], over: trio.Event) -> None:
        """Copy until the task is over, and then what is left."""
        while True:
            was_over = over.is_set()
            for copy in copies:
                await copy.go_on(is_last=was_over)
            if was_over:
                return
            with trio.move_on_after(LOOK_AGAIN_S):
                await over.wait()

    async def _address(self, agent_id: str) -> str:
        if agent_id not in self._agents:
            answer = await self._operator.ask("GET_AGENTS")
            self._agents = {
                agent["agent_info"]["id"]["value"]: f"http://{showing.agent_address(agent)}"
                for agent in answer["agents"]
            }
        if agent_id not in self._agents:
            raise Unanswered(f"the master knows no agent {agent_id} any more")
        return self._agents[agent_id]


class Copy:
    """One file of a sandbox, copied to one of our own streams, by whole lines if they are named."""

    def __init__(self, reader: Reader, to: BinaryIO, whose: str = "") -> None:
        self._reader = reader
        self._to = to
        self._whose = whose.encode()
        self._unfinished = b""

    async def go_on(self, *, is_last: bool = False) -> None:
        """Copy what is new.  Raises `Unanswered`."""
        data = await self._reader.more()
        if self._whose:
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            if is_last and self._unfinished:
                lines.append(self._unfinished)
            data = b"".join(b"%s | %s\n" % (self._whose, line) for line in lines)
        if data:
            self._to.write(data)
            self._to.flush()
