"""What a cluster is to be: how many masters and agents, with what, where, and how patient.

The defaults make a cluster that gets over the death of its leader within a blink: a short lease,
and agents that hardly wait before they dial the next leader.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

#: Where the members of one cluster compete, below its work directory.
ELECTION = Path("election", "leader")

#: Options of every agent, unless others are given.
QUICK_AGENTS: Mapping[str, str | bool] = {"registration-backoff-s": "0.05"}


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster of one machine.  Times in seconds.  Raises `ValueError` for what can't be."""

    work_dir: Path
    masters: int = 3
    agents: int = 2
    #: Of each agent, as `mesos-ref agent --resources` takes it.
    resources: str = "cpus:2;mem:1024"
    #: A leader that is silent for longer is replaced; a dead one at once.
    lease_s: float = 1.0
    host: str = "127.0.0.1"
    #: Of the first master; the others follow.  0: any free ones.
    port: int = 0
    trace_dir: Path | None = None
    #: Start again whatever ends by itself or is killed from outside; else only deposed masters.
    revive: bool = False
    #: Further options of each master and each agent: name without dashes, and value; True for none.
    master_options: Mapping[str, str | bool] = {}
    agent_options: Mapping[str, str | bool] = msgspec.field(default_factory=lambda: QUICK_AGENTS)

    def __post_init__(self) -> None:
        for name, least in (("masters", 1), ("agents", 0)):
            if not least <= getattr(self, name) <= 99:
                raise ValueError(f"{name} must be {least} to 99, but is {getattr(self, name)}")
        if not 0 <= self.port <= 65536 - self.masters:
            raise ValueError(f"{self.masters} masters don't fit above port {self.port}")

    @property
    def election(self) -> Path:
        """Path of the election's files."""
        return self.work_dir / ELECTION

    @property
    def logs(self) -> Path:
        """The folder with a log of each member."""
        return self.work_dir / "logs"

    def names(self, kind: str) -> list[str]:
        """``master-1`` and so on."""
        count = self.masters if kind == "master" else self.agents
        return [f"{kind}-{number}" for number in range(1, count + 1)]

    def work_dir_of(self, agent: str) -> Path:
        """Where an agent keeps what it must remember, and its sandboxes."""
        return self.work_dir / agent

    def options_of(self, name: str) -> dict[str, Any]:
        """Everything that is said to one member on its command line, but its ports."""
        own: dict[str, Any] = {"name": name, "host": self.host}
        if self.trace_dir is not None:
            own["trace"] = self.trace_dir
        if name.startswith("master-"):
            election = {"election": f"file:{self.election}", "lease-s": self.lease_s}
            return own | election | dict(self.master_options)
        place: dict[str, Any] = {"work-dir": self.work_dir_of(name), "resources": self.resources}
        # Nothing of an earlier cluster runs here any more: this one may have other resources.
        place["reconfiguration-policy"] = "any"
        return own | {"master": f"file:{self.election}"} | place | dict(self.agent_options)
