"""The demo: a real cluster, real tasks, three kinds of death, and a verdict.

Three masters, four agents, two frameworks with 200 items between them.  Meanwhile an executor, an
agent and the leading master are killed.  The terminal shows who lives, who leads and how far the
work is; the last screen says what it came to.
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mesos_chaos.live.run import LiveResult, run_live
from mesos_chaos.live.world import World
from mesos_chaos.plan import Cluster, Expect, Fault, FaultKind, Plan, Workload

ITEMS = 120
LOOK_S = 0.15


def demo_plan() -> Plan:
    """Topology, work and faults of the demo."""
    return Plan(
        cluster=Cluster(masters=3, agents=4, cpus=4.0, mem_mb=2048, lease_s=1.0),
        workload=[
            Workload(name="alpha", items=ITEMS, command="sleep 0.4", cpus=0.4, mem_mb=32),
            Workload(name="beta", items=ITEMS, command="sleep 0.2", cpus=0.2, mem_mb=16),
        ],
        fault=[
            Fault(kind=FaultKind.KILL, target="executor:any", after="agent.executor_updates#40"),
            Fault(kind=FaultKind.KILL, target="agent:2", after="agent.executor_updates#110"),
            Fault(kind=FaultKind.KILL, target="leader", after="agent.executor_updates#220"),
        ],
        expect=Expect(must_see=["lead", "start_agent", "executor_ends"], settles_within_s=60),
    )


class Failover:
    """Notes when the leader died, and when its successor had everybody back."""

    def __init__(self) -> None:
        self.died_s: float | None = None
        self.back_s: float | None = None

    async def watch(self, world: World) -> None:
        """Measure from the kill of the leader until every agent and framework is registered."""
        first = world.cluster.epoch
        while world.cluster.epoch == first or not self._has_died(world):
            await trio.sleep(0.002)
        want = len(world.cluster.agents) - sum(not a.is_running for a in world.cluster.agents)
        before = (
            world.sites.seen["agent.be_registered"],
            world.sites.seen["scheduler.be_subscribed"],
        )
        base = self._base or before
        while True:
            world.sites.look()
            agents = world.sites.seen["agent.be_registered"] - base[0]
            schedulers = world.sites.seen["scheduler.be_subscribed"] - base[1]
            if agents >= want and schedulers >= len(world.frameworks):
                break
            await trio.sleep(0.005)
        self.back_s = time.monotonic()

    _base: tuple[int, int] | None = None

    def _has_died(self, world: World) -> bool:
        if self.died_s is None and any(not m.is_running for m in world.cluster.masters):
            self.died_s = time.monotonic()
            world.sites.look()
            seen = world.sites.seen
            self._base = seen["agent.be_registered"], seen["scheduler.be_subscribed"]
        return self.died_s is not None

    @property
    def took_s(self) -> float | None:
        """Seconds from the leader's death until all were back; None if it was not seen."""
        if self.died_s is None or self.back_s is None:
            return None
        return self.back_s - self.died_s


class Show:
    """The live view on a terminal; plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.news: deque[str] = deque(maxlen=8)
        self.failover = Failover()
        self._began_s = time.monotonic()

    def tell(self, sentence: str) -> None:
        """Something notable happened."""
        line = f"{time.monotonic() - self._began_s:6.1f} s  {sentence}"
        self.news.append(line)
        if not self.console.is_terminal:
            self.console.print(line, highlight=False)

    async def watch(self, world: World) -> None:
        """Beside the run: the view, and the stopwatch of the fail-over."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.failover.watch, world)
            if not self.console.is_terminal:
                return
            with Live(console=self.console, transient=True, auto_refresh=False) as live:
                while True:
                    live.update(self._screen(world), refresh=True)
                    await trio.sleep(LOOK_S)

    def _screen(self, world: World) -> Panel:
        members = Table.grid(padding=(0, 2))
        leader = world.cluster.leader()
        for row in (world.cluster.masters, world.cluster.agents):
            members.add_row(*(_member(m, m is leader) for m in row))
        work = Table.grid(padding=(0, 2))
        for name, framework in world.frameworks.items():
            progress = framework.items().progress()
            total = framework.workload.items
            bar = ProgressBar(total=total, completed=progress.done, width=40)
            work.add_row(name, bar, f"{progress.done}/{total} items, {progress.lost} lost attempts")
        news = Text("\n".join(self.news))
        return Panel(Group(members, Text(), work, Text(), news), title="mesos-ref", width=96)


def _member(member: Any, leads: bool) -> Text:
    if not member.is_running:
        return Text(f"✗ {member.name}", style="red")
    return Text(f"{'★' if leads else '●'} {member.name}", style="bold green" if leads else "green")


def last_screen(result: LiveResult, failover_s: float | None) -> str:
    """What the demo came to, for people."""
    done = sum(each["done"] for each in result.items.values())
    wanted = sum(each["wanted"] for each in result.items.values())
    lost = sum(each["lost"] for each in result.items.values())
    took = "not seen" if failover_s is None else f"{failover_s:.2f} s"
    verdict = "conforms" if result.verdict.exit_code == 0 else result.verdict.outcome.value
    lines = [
        "",
        f"  items finished    {done} of {wanted}, over {len(result.items)} frameworks",
        f"  attempts lost     {lost}, to the kills; each was tried again",
        f"  items lost        {wanted - done if wanted != done else 'none'}",
        f"  killed            {'; '.join(result.faults)}",
        f"  fail-over         {took}, from the leader's SIGKILL until all were registered again",
        f"  judged            {result.verdict.records} records of {result.verdict.processes} "
        f"processes, {result.verdict.steps} steps of the specification",
        f"  verdict           {verdict}",
        f"  trace             {result.folder / 'trace'}",
        "",
    ]
    if result.exit_code:
        lines.append(result.text())
    return "\n".join(lines)


def run_demo(folder: Path, console: Console) -> tuple[LiveResult, float | None]:
    """Run the demo in `folder`.  Raises `KeyboardInterrupt` after taking everything down."""
    show = Show(console)

    async def main() -> LiveResult:
        plan = demo_plan()
        return await run_live("demo", plan, folder, tell=show.tell, watch=show.watch)

    result = trio.run(main)
    return result, show.failover.took_s
