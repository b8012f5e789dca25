"""`mesos-ref agent` as a process, under a master made of a link and a redirect, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from mesos_ref import link as protocol
from mesos_ref.http.messages import Request, Response
from mesos_ref.http.server import serve
from mesos_ref.isolation import processes
from mesos_ref.isolation.sweep import end_runs
from mesos_ref.ports.net import TrioNet
from mesos_ref.wire.v1 import Environment, TaskInfo, TaskState, Variable
from model_tests.shell.agent_stage import FakeMaster, MasterLink, command_task

#: So that the session's orphan check finds what only the command itself started.
SESSION = "MESOS_REF_TEST_SESSION"


class AgentProcess:
    """One life of an agent, as a process of its own."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.port = 0
        self.life = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    async def until_serving(self) -> None:
        """Wait for the line it prints."""
        assert self.process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            data = await self.process.stdout.receive_some()
            assert data, f"the agent ended with {await self.process.wait()} before it served"
            line += data
        facts = json.loads(line)
        self.port, self.life = facts["port"], facts["life"]

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it; its exit code."""
        self.process.send_signal(number)
        return await self.process.wait()


class Post:
    """A master's two doors, and agents that are started to find them."""

    def __init__(self, tmp_path: Path, nursery: trio.Nursery) -> None:
        self.work_dir = tmp_path / "w"
        self.nursery = nursery
        self.master = FakeMaster(TrioNet(), "127.0.0.1", 0)
        self.epoch = 1
        self.http_port = 0
        #: Where it says that it takes links, if that is not where it does.
        self.link_port = 0
        self.started: list[trio.Process] = []

    async def open(self) -> None:
        """Listen at both doors."""
        await self.nursery.start(self.master.run)
        listener = await TrioNet().listen("127.0.0.1", 0)
        self.http_port = listener.port
        self.nursery.start_soon(serve, listener, self._redirect)

    async def _redirect(self, request: Request) -> Response:
        headers = {
            "Location": f"//127.0.0.1:{self.http_port}",
            "Mesos-Ref-Epoch": str(self.epoch),
            "Mesos-Ref-Link": f"127.0.0.1:{self.link_port or self.master.port}",
        }
        return Response(307, headers=headers)

    async def start(self, *more: str, **process: Any) -> AgentProcess:
        """Start an agent; whoever wants it to serve waits for that."""
        argv = [sys.executable, "-m", "mesos_ref", "agent", "--json", "--port", "0"]
        argv += ["--master", f"127.0.0.1:{self.http_port}", "--work-dir", str(self.work_dir)]
        argv += ["--resources", "cpus:100;mem:10000", "--registration-backoff-s", "0.01"]
        agent = AgentProcess(
            await trio.lowlevel.open_process(
                [*argv, *more], stdout=subprocess.PIPE, **{"stderr": None, **process}
            )
        )
        self.started.append(agent.process)
        return agent

    async def serving(self, *more: str) -> AgentProcess:
        """Start an agent that serves."""
        agent = await self.start(*more)
        await agent.until_serving()
        return agent

    async def linked(self) -> tuple[MasterLink, protocol.Register]:
        """The next link, registered."""
        link = await self.master.linked(self.epoch)
        return link, await link.registered()

    def stdout(self, task_id: str) -> str:
        """What a task's command has written."""
        below = f"slaves/*/frameworks/*/executors/{task_id}/runs/latest/stdout"
        [path] = self.work_dir.glob(below)
        return path.read_text()


@asynccontextmanager
async def posted(tmp_path: Path) -> AsyncIterator[Post]:
    """A master, and whatever agents the block starts; they, and all they run, are killed then."""
    async with trio.open_nursery() as nursery:
        post = Post(tmp_path, nursery)
        await post.open()
        try:
            yield post
        finally:
            with trio.CancelScope(shield=True):
                for process in post.started:
                    if process.returncode is None:
                        process.kill()
                    await process.wait()
                    if process.stdout is not None:
                        await process.stdout.aclose()
                swept = await end_runs(post.work_dir)
                assert swept.left == (), "processes that would not end"
        nursery.cancel_scope.cancel()


def marked(task_id: str, command: str) -> TaskInfo:
    """A command task whose processes are found by this session's orphan check."""
    variable = Variable(name=SESSION, value=os.environ.get(SESSION, ""))
    return command_task(task_id, command, environment=Environment(variables=(variable,)))


async def states(link: MasterLink, task_id: str, last: TaskState) -> list[TaskState]:
    """The states reported of a task up to `last`, every update acknowledged."""
    found: list[TaskState] = []
    while last not in found:
        update = await link.expect(protocol.Update)
        await link.acknowledge(update)
        if update.status.task_id == task_id and update.status.state not in found[-1:]:
            found.append(update.status.state)
    return found


def that_run(mark: str) -> list[int]:
    """Every process whose command line has this in it."""
    found = []
    for pid in processes.all_pids():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line.split(b"\0") and processes.runs(pid):
            found.append(pid)
    return found


async def until(condition: Any) -> None:
    """Wait until something outside has become true."""
    while not condition():  # noqa: ASYNC110
        await trio.sleep(0.01)
