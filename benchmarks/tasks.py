"""How fast tasks go through a cluster of real processes, and how soon one runs.

One master, agents and a framework of our library, each a process of its own on this machine, every
one of them writing its trace; offers, calls, updates and acknowledgements all travel as they do in
earnest. A *command task* is ``true`` under an executor of its own. A *no-op task* has an executor
inside its agent, so that what is left is the cluster itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import trio

from benchmarks.measuring import Figure, cpu_s, percentile, rss_mb
from mesos_ref.cluster.cluster import Cluster, open_cluster
from mesos_ref.cluster.spec import QUICK_AGENTS, ClusterSpec
from mesos_ref.scheduler import Item, Progress, connect, run_items

AGENTS: Final = 2
SLOT_MB: Final = 64


class Size(NamedTuple):
    """How much work, and how much of it at once on each agent."""

    tasks: int
    slots: int
    runs: int = 3


class Rush(NamedTuple):
    """What one run of tasks took."""

    seconds: float
    #: CPU time of each process, by name; the framework is this process.
    cpu_s: dict[str, float]
    #: How much each process has grown.
    grown_mb: dict[str, float]
    trace_bytes: int


@asynccontextmanager
async def traced_cluster(slots: int, *, noop: bool, agents: int = AGENTS) -> AsyncIterator[Cluster]:
    """One master and some agents, each with so many slots, that write traces."""
    with tempfile.TemporaryDirectory(prefix="mesos-ref-bench-") as folder:
        spec = ClusterSpec(
            work_dir=Path(folder, "cluster"),
            masters=1,
            agents=agents,
            resources=f"cpus:{slots};mem:{slots * SLOT_MB}",
            trace_dir=_new_folder(folder, "trace"),
            agent_options={**QUICK_AGENTS, **({"noop-executor": True} if noop else {})},
        )
        async with open_cluster(spec) as cluster:
            await cluster.wait_ready(60)
            yield cluster


def _new_folder(*parts: str) -> Path:
    path = Path(*parts)
    path.mkdir()
    return path


async def rush(cluster: Cluster, tasks: int) -> Rush:
    """Finish so many tasks: from the first ACCEPT until the last TASK_FINISHED is heard."""
    trace = cluster.spec.trace_dir
    assert trace is not None
    times_s: list[float] = []

    def note(progress: Progress) -> None:
        times_s.append(trio.current_time())

    pids = {member.name: pid for member in cluster.members if (pid := member.pid) is not None}
    pids["framework"] = os.getpid()
    cpu_before = {name: cpu_s(pid) for name, pid in pids.items()}
    rss_before = {name: rss_mb(pid) for name, pid in pids.items()}
    items = [Item(name=f"t{n}", command="true", cpus=1, mem_mb=SLOT_MB) for n in range(tasks)]
    verdict = await run_items(
        cluster.master_option, items, name="rush", trace=trace, on_progress=note
    )
    if not verdict.is_complete:
        raise RuntimeError(f"{verdict.progress} is no measurement")
    return Rush(
        times_s[-1] - times_s[0],
        {name: cpu_s(pid) - cpu_before[name] for name, pid in pids.items()},
        {name: rss_mb(pid) - rss_before[name] for name, pid in pids.items()},
        sum(path.stat().st_size for path in trace.iterdir()),
    )


def command_tasks_per_s(quick: bool) -> Figure:
    """Command tasks that one cluster finishes in a second."""
    size = Size(20, 4, 1) if quick else Size(600, 16)
    return _throughput("command_tasks_per_s", size, noop=False)


def noop_tasks_per_s(quick: bool) -> Figure:
    """No-op tasks that one cluster finishes in a second."""
    size = Size(60, 10, 1) if quick else Size(6_000, 100)
    return _throughput("noop_tasks_per_s", size, noop=True)


def _throughput(name: str, size: Size, *, noop: bool) -> Figure:
    async def measure() -> Rush:
        async with traced_cluster(size.slots, noop=noop) as cluster:
            return await rush(cluster, size.tasks)

    rushes = [trio.run(measure) for _ in range(size.runs)]
    kind = "no-op" if noop else "command"
    trace_bytes = percentile([one.trace_bytes for one in rushes], 50)
    return Figure(
        name,
        "tasks/s",
        f"{size.tasks} {kind} tasks on {AGENTS} agents of {size.slots} slots, all traced",
        [size.tasks / one.seconds for one in rushes],
        {
            **_cpu_per_task(rushes, size.tasks),
            "trace_kb_per_task": trace_bytes / size.tasks / 1000,
            "master_grew_mb": max(one.grown_mb["master-1"] for one in rushes),
        },
    )


def _cpu_per_task(rushes: Sequence[Rush], tasks: int) -> dict[str, float]:
    """CPU time of a task, in ms: in the master, all agents, the framework."""
    totals: dict[str, list[float]] = {"master": [], "agents": [], "framework": []}
    for one in rushes:
        for kind, values in totals.items():
            stem = kind.removesuffix("s")
            values.append(sum(s for name, s in one.cpu_s.items() if name.startswith(stem)))
    return {
        f"cpu_ms_per_task_{kind}": percentile(values, 50) / tasks * 1000
        for kind, values in totals.items()
    }


def accept_to_running_ms(quick: bool) -> Figure:
    """From sending ACCEPT until TASK_RUNNING is heard, in a cluster that does nothing else."""
    tasks = 3 if quick else 200
    times_ms = trio.run(_latencies, tasks)
    return Figure(
        "accept_to_running_ms",
        "ms",
        f"{tasks} command tasks, one after the other; `p99` beside the median",
        times_ms,
        {"p99": percentile(times_ms, 99), "max": max(times_ms)},
    )


async def _latencies(tasks: int) -> list[float]:
    times_ms = []
    async with (
        traced_cluster(1, noop=False, agents=1) as cluster,
        connect(cluster.master_option, name="one", trace=cluster.spec.trace_dir) as framework,
    ):
        for _ in range(tasks):
            offer = await framework.next_offer()
            asked_s = trio.current_time()
            task = await framework.launch(offer, "true", cpus=1, mem_mb=SLOT_MB)
            await task.running()
            times_ms.append((trio.current_time() - asked_s) * 1000)
            await task.finished()
    return times_ms
