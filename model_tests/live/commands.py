"""`mesos-ref` as a user runs it: a process of its own, and what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trio

from mesos_ref.cluster.asking import MASTER_VARIABLE, Masters, Operator
from mesos_ref.cluster.home import read_note
from mesos_ref.cluster.leftovers import marked
from mesos_ref.http.client import HttpClient
from mesos_ref.ports.net import TrioNet

MESOS_REF = (sys.executable, "-m", "mesos_ref")


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def environment(master: str | None = None) -> dict[str, str]:
    """What a command is to find around it: perhaps which master to ask."""
    mine = {name: value for name, value in os.environ.items() if name != MASTER_VARIABLE}
    return mine if master is None else {**mine, MASTER_VARIABLE: master}


async def mesos_ref(*words: str, master: str | None = None) -> Done:
    """Run a command to its end."""
    done = await trio.run_process(
        [*MESOS_REF, *words],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=environment(master),
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Up:
    """A cluster that `mesos-ref up --json` has brought up."""

    def __init__(self, process: trio.Process, work_dir: Path, facts: dict[str, Any]) -> None:
        self.process = process
        self.work_dir = work_dir
        self.facts = facts
        note = read_note(work_dir)
        assert note is not None
        self.mark = note.mark
        #: For ``--master``.
        self.master: str = facts["master"]

    def pid_of(self, url: str) -> int:
        """The member that serves there."""
        [pid] = [each["pid"] for each in self.facts["processes"] if each["url"] == url]
        assert isinstance(pid, int)
        return pid

    def left(self) -> list[str]:
        """The commands of all processes that belong to this cluster."""
        return [each.command for each in marked(self.mark)]

    async def end(self, number: int = signal.SIGINT) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(number)
        return await self.process.wait()


@asynccontextmanager
async def up(work_dir: Path, *options: str) -> AsyncIterator[Up]:
    """A cluster on free ports, ended with the block if it still runs."""
    words = [*MESOS_REF, "up", "--json", "--port", "0", "--work-dir", str(work_dir), *options]
    process = await trio.lowlevel.open_process(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = b""
        while not line.endswith(b"\n"):
            data = await process.stdout.receive_some()
            assert data, f"`up` ended with {await process.wait()} before it was ready"
            line += data
        cluster = Up(process, work_dir, msgspec.json.decode(line))
        yield cluster
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            with trio.move_on_after(10):
                await process.wait()
            process.kill()
            await process.wait()
            await trio.aclose_forcefully(process.stdout)


@asynccontextmanager
async def asking(master: str) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """The operator API of whoever leads there."""
    client = HttpClient(TrioNet())
    try:
        yield Operator(client, Masters.named(master), patience_s=10).ask
    finally:
        await client.aclose()


async def tasks_in(
    ask: Callable[[str], Awaitable[dict[str, Any]]], state: str, least: int
) -> list[str]:
    """Wait for so many tasks in a state; their ids."""
    while True:
        tasks = (await ask("GET_TASKS"))["tasks"]
        found = [task["task_id"]["value"] for task in tasks if task["state"] == state]
        if len(found) >= least:
            return found
        await trio.sleep(0.02)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells of."""
    while not holds():  # noqa: ASYNC110
        await trio.sleep(0.02)
