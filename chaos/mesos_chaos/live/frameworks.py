"""Frameworks as processes: our own runner with a journal, or any command of the user's.

A workload is run by `mesos-ref run`, whose wanted work lives in a journal outside of Mesos: killed
and started again it goes on where it was (D17).  With a command given, that is run instead, with
the cluster's address in `MESOS_REF_MASTER`; it is the environment (D13), and its exit status is its
verdict.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_chaos.plan import Workload
from mesos_ref.cluster.process import ChildProcess
from mesos_ref.isolation.environment import CLUSTER_VARIABLE
from mesos_ref.scheduler.items import Items
from mesos_ref.scheduler.journal import read


def argv_of(command: str) -> list[str]:
    """A command's words.  Raises `ValueError` where there is no such program."""
    words = shlex.split(command)
    if not words or shutil.which(words[0]) is None:
        program = words[0] if words else ""
        raise ValueError(f"there is no program {program!r}, in the command {command!r}")
    return words


class LiveFramework:
    """One framework of a run, through all its lives."""

    def __init__(
        self, workload: Workload, folder: Path, master: str, mark: str, command: str | None
    ) -> None:
        self.workload = workload
        self.journal = folder / f"{workload.name}.journal"
        self.lives = 0
        self.outcome: dict[str, Any] = {}
        self.done = trio.Event()
        self._folder = folder
        self._master = master
        self._mark = mark
        self._command = command
        self._process: ChildProcess | None = None

    @property
    def name(self) -> str:
        """As faults name it."""
        return self.workload.name

    @property
    def pid(self) -> int | None:
        """Of its process, if it runs."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    @property
    def finished(self) -> bool:
        """Whether it has ended and says that all its work is done."""
        return bool(self.outcome.get("complete"))

    def items(self) -> Items:
        """Its wanted work as the journal has it now."""
        entries = read(self.journal.read_bytes())[0] if self.journal.exists() else []
        items = Items()
        for entry in entries:
            items.apply(entry)
        return items

    def start(self, nursery: trio.Nursery) -> None:
        """Start it, or start it again."""
        self.lives += 1
        log = self._folder / "logs" / f"{self.name}.log"
        environment = {
            **os.environ,
            CLUSTER_VARIABLE: self._mark,
            "MESOS_REF_MASTER": self._master,
        }
        self._process = ChildProcess(self._argv(), environment, log)
        nursery.start_soon(self._attend, self._process)

    def _argv(self) -> list[str]:
        if self._command is not None:
            return argv_of(self._command)
        want = self.workload
        options = {
            "master": self._master,
            "name": want.name,
            "instances": want.items,
            "cpus": want.cpus,
            "mem": want.mem_mb,
            "role": want.role,
            "journal": self.journal,
            "attempts": 50,
            "trace": self._folder / "trace",
            **({} if want.parallel is None else {"parallel": want.parallel}),
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return [sys.executable, "-m", "mesos_ref", "run", "--json", *words, "--", want.command]

    async def _attend(self, process: ChildProcess) -> None:
        """One life, to its end; also while everything is cancelled, for then it must end."""
        with trio.CancelScope(shield=True):
            returncode = await process.live(self._hear)
        if process is not self._process or returncode == -signal.SIGKILL:
            return
        if self._command is not None:
            self.outcome = {"complete": returncode == 0}
        self.outcome["exit"] = returncode
        self.done.set()

    def _hear(self, line: bytes) -> None:
        if self._command is None and line.startswith(b"{"):
            self.outcome = msgspec.json.decode(line)

    async def kill(self) -> bool:
        """SIGKILL; False if it does not run."""
        if self._process is None or not self._process.signal(signal.SIGKILL):
            return False
        await self._process.ended()
        return True

    async def stop(self) -> None:
        """End it: in order if it will, else by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.signal(signal.SIGTERM)
        with trio.move_on_after(3.0):
            await process.ended()
        process.signal(signal.SIGKILL)
        await process.ended()
