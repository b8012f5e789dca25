"""The demo: a real cluster, real tasks, three kinds of death, and a verdict.

Three masters, four agents, two frameworks with 200 items between them.  Meanwhile an executor, an
agent and the leading master are killed.  The terminal shows who lives, who leads and how far the
work is; the last screen says what it came to.
"""

from __future__ import annotations

import json
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


def failover_s(traces: Path) -> float | None:
    """Seconds from the SIGKILL of a leader until every agent and framework was registered again.

    Read off the traces afterwards: the harness notes the wall time just before it kills, and each
    other process' clock is set by the wall time in its header, to within some milliseconds.  Only
    processes that lived through the kill count.  None if no leader was killed.
    """
    kills = [
        (record["wall"], record["fault"]["node"])
        for path in traces.glob("harness-*.ndjson")
        for record in _lines(path)[1:]
        if record["fault"]["kind"] == "kill" and record["fault"]["node"].startswith("master-")
    ]
    if not kills:
        return None
    died_s = kills[-1][0]
    backs = [_back_s(path, died_s) for path in sorted(traces.glob("[as]*.ndjson"))]
    return max((back - died_s for back in backs if back is not None), default=None)


def _back_s(path: Path, died_s: float) -> float | None:
    """The wall time at which one agent or scheduler was registered again, if it lived then."""
    header, *records = _lines(path)
    if header["wall"] > died_s or not records:
        return None
    for record in records:
        at_s: float = header["wall"] + (record["now"] - records[0]["now"]) / 1e6
        did = {name for name, _ in record["did"]}
        if at_s > died_s and did & {"be_registered", "be_subscribed"}:
            return at_s
    return None


def _lines(path: Path) -> list[dict[str, Any]]:
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


class Show:
    """The live view on a terminal; plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.news: deque[str] = deque(maxlen=8)
        self._began_s = time.monotonic()

    def tell(self, sentence: str) -> None:
        """Something notable happened."""
        line = f"{time.monotonic() - self._began_s:6.1f} s  {sentence}"
        self.news.append(line)
        if not self.console.is_terminal:
            self.console.print(line, highlight=False)

    async def watch(self, world: World) -> None:
        """Beside the run: the view, refreshed until it is cancelled."""
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
    return result, failover_s(folder / "trace")
