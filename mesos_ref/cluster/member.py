"""A member of a cluster: a master or an agent, through all its lives.

What it announces on its stdout (`{"event": "serving", "port": …}`, `{"event": "leading", …}`) is
kept; a later life is started on the ports of the first, so that whoever knew it finds it again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import trio

from mesos_ref.cluster.process import ChildProcess, how, tail

Kind = Literal["master", "agent"]


class Member:
    """One master or agent.  Read what you like; only its cluster changes it."""

    def __init__(self, kind: Kind, name: str, host: str, log: Path) -> None:
        self.kind: Kind = kind
        self.name = name
        self.host = host
        #: Its stderr, of all lives.
        self.log = log
        #: What it was told on its command line, but its ports.
        self.options: Mapping[str, Any] = {}
        #: How many lives it has begun.
        self.lives = 0
        #: Its HTTP port; 0 until it has served for the first time, unless it was chosen.
        self.port = 0
        #: Where a master takes agents.
        self.link_port = 0
        #: What it said when it began to serve in this life.
        self.facts: Mapping[str, Any] = {}
        self.is_paused = False
        self.process: ChildProcess | None = None
        #: Set once it serves, and when it ends; anew in each life.
        self.is_settled = trio.Event()

    @property
    def url(self) -> str:
        """Where it is found, ``http://host:port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the process of this life, while there is one."""
        return self.process.pid if self.is_running and self.process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether it has a process (which may be paused)."""
        return self.process is not None and self.process.returncode is None

    @property
    def is_serving(self) -> bool:
        """Whether it has said that it serves, and has not ended since."""
        return self.is_running and bool(self.facts)

    @property
    def incarnation(self) -> str:
        """Its name and the number of its life: ``agent-2.1``."""
        return f"{self.name}.{self.lives}"

    @property
    def fate(self) -> str:
        """How it is, in words."""
        if self.process is None:
            return "was never started"
        return "is paused" if self.is_paused else how(self.process.returncode)

    def start(self, python: Sequence[str], environment: Mapping[str, str]) -> ChildProcess:
        """Begin a life.  Raises `OSError`."""
        ports = {"port": self.port}
        if self.kind == "master":
            ports["link-port"] = self.link_port
        words = _words({**ports, **self.options})
        self.facts, self.is_paused, self.is_settled = {}, False, trio.Event()
        argv = [*python, self.kind, "--json", *words]
        self.process = ChildProcess(argv, environment, self.log)
        self.lives += 1
        return self.process

    def hear(self, announced: bytes) -> dict[str, Any]:
        """Take in a line it has printed; empty for one that says nothing."""
        try:
            said = msgspec.json.decode(announced)
        except msgspec.DecodeError:
            return {}
        if not isinstance(said, dict):
            return {}
        if said.get("event") == "serving":
            self.facts = said
            self.port = said["port"]
            self.link_port = said.get("link_port", 0)
            self.is_settled.set()
        return said

    def epitaph(self) -> str:
        """How it ended, with the end of its log: for an error message."""
        last = tail(self.log)
        said = f"; its log ({self.log}) ends so:\n{last}" if last else f"; {self.log} is empty"
        return f"{self.name} {self.fate}{said}"


def _words(options: Mapping[str, Any]) -> list[str]:
    """``{"port": 0, "connect-to": (a, b), "verbose": True}`` as a command line has it."""
    words = []
    for name, value in options.items():
        for each in value if isinstance(value, tuple) else (value,):
            words.append(f"--{name}" if each is True else f"--{name}={each}")
    return words


def python_for(launcher: int) -> list[str]:
    """What runs a member that is to die with process `launcher`."""
    return [sys.executable, "-m", "mesos_ref.cluster.child", str(launcher)]
