"""The living cluster of one run: processes, the network between them, frameworks, and the log.

`open_world` starts everything a plan's topology and workload ask for, with a proxy on every way an
agent may dial a master, and leaves no process behind, whatever happens.  The harness writes a trace
of its own: every fault is on disk before it is done.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_chaos.live.frameworks import LiveFramework
from mesos_chaos.live.proxy import Proxies, Proxy
from mesos_chaos.live.watching import Sites
from mesos_chaos.plan import Plan
from mesos_ref.cli import timers
from mesos_ref.cluster.cluster import Cluster, ClusterError, open_cluster
from mesos_ref.cluster.member import Member
from mesos_ref.cluster.spec import QUICK_AGENTS, ClusterSpec

Tell = Callable[[str], None]


class HarnessTrace:
    """What the harness does to others, written and synced before it is done (D4)."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        incarnation = uuid.uuid4().hex
        path = folder / f"harness-{incarnation}.ndjson"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._seq = 0
        header = {
            "trace": "mesos-ref",
            "version": 1,
            "role": "harness",
            "node": "harness",
            "incarnation": incarnation,
            "wall": time.time(),
            "config": {"seed": plan.seed},
        }
        self._put(header)

    def fault(self, **what: Any) -> None:
        """Note that something is about to be done."""
        self._put({"seq": self._seq, "wall": time.time(), "fault": what})
        self._seq += 1

    def _put(self, line: dict[str, Any]) -> None:
        os.write(self._file, msgspec.json.encode(line) + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        """No more."""
        os.close(self._file)


@contextmanager
def harness_errors() -> Iterator[None]:
    """Raise `ClusterError` bare where a nursery has wrapped it, and nothing else went wrong."""
    try:
        yield
    except BaseExceptionGroup as group:
        matched, rest = group.split(ClusterError)
        if matched is None or rest is not None:
            raise
        first: BaseException = matched
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


@dataclass(slots=True)
class World:
    """Everything that runs, and what can be done to it."""

    plan: Plan
    folder: Path
    cluster: Cluster
    proxies: Proxies
    sites: Sites
    trace: HarnessTrace
    tell: Tell
    nursery: trio.Nursery
    frameworks: dict[str, LiveFramework] = field(default_factory=dict)

    @property
    def traces(self) -> Path:
        """The folder of all traces."""
        return self.folder / "trace"

    def agent_names(self) -> list[str]:
        """`agent-1` and so on."""
        return [agent.name for agent in self.cluster.agents]

    def pending(self) -> list[str]:
        """Why the run is not finished: a sentence for each thing that is missing."""
        why = []
        for name, framework in self.frameworks.items():
            if not framework.finished:
                progress = framework.items().progress()
                left = framework.workload.items - progress.done
                how = (
                    f"it ended with status {framework.outcome['exit']}" if framework.outcome else ""
                )
                why.append(f"{name}: {left} items are not done{'; ' if how else ''}{how}")
        return why


def _spec(plan: Plan, folder: Path) -> ClusterSpec:
    want = plan.cluster
    chosen = {name.replace("_", "-"): f"{value:g}" for name, value in want.timers.items()}
    return ClusterSpec(
        work_dir=folder / "cluster",
        masters=want.masters,
        agents=want.agents,
        resources=f"cpus:{want.cpus:g};mem:{want.mem_mb}",
        lease_s=want.lease_s,
        trace_dir=folder / "trace",
        master_options={"offer-timeout-s": "10", **_for(timers.MASTER, chosen)},
        agent_options={**QUICK_AGENTS, "status-update-retry-s": "2", **_for(timers.AGENT, chosen)},
    )


def _for(rows: Sequence[timers.Row], chosen: dict[str, str]) -> dict[str, str]:
    """The timers that a member with these rows has an option for."""
    known = {row.option.removeprefix("--") for row in rows}
    return {name: value for name, value in chosen.items() if name in known}


@asynccontextmanager
async def open_world(
    plan: Plan, folder: Path, tell: Tell, framework_command: str | None = None
) -> AsyncIterator[World]:
    """The cluster and frameworks of `plan`, ready; all of it is ended when the block is left.

    Raises `ClusterError` if a member cannot be started, or would not end.
    """
    with harness_errors():
        async with _world(plan, folder, tell, framework_command) as world:
            yield world


@asynccontextmanager
async def _world(
    plan: Plan, folder: Path, tell: Tell, framework_command: str | None = None
) -> AsyncIterator[World]:
    (folder / "trace").mkdir(parents=True, exist_ok=True)
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    harness = HarnessTrace(folder / "trace", plan)
    async with trio.open_nursery() as network:

        async def start(proxy: Proxy) -> int:
            return int(await network.start(proxy.serve))

        proxies = Proxies(start)

        async def detours(agent: Member, masters: Sequence[Member]) -> list[str]:
            texts = []
            for master in masters:
                target = (master.host, master.link_port)
                proxy = await proxies.between(agent.name, master.name, target)
                texts.append(f"{master.host}:{master.link_port}:127.0.0.1:{proxy.port}")
            return texts

        try:
            async with open_cluster(_spec(plan, folder), tell=tell, detours=detours) as cluster:
                await cluster.wait_ready(30)
                async with trio.open_nursery() as nursery:
                    sites = Sites(folder / "trace")
                    world = World(plan, folder, cluster, proxies, sites, harness, tell, nursery)
                    for workload in plan.workload:
                        world.frameworks[workload.name] = LiveFramework(
                            workload, folder, cluster.master_option, cluster.mark, framework_command
                        )
                    nursery.start_soon(sites.keep_looking)
                    try:
                        yield world
                    finally:
                        with trio.CancelScope(shield=True):
                            for framework in world.frameworks.values():
                                await framework.stop()
                        nursery.cancel_scope.cancel()
        finally:
            harness.close()
            network.cancel_scope.cancel()
