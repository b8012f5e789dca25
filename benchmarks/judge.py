"""How many steps a second the judge follows, when there is a lot to look at.

The trace is made by the simulation: 50 agents of 20 slots, and enough work for all of them, so that
a thousand tasks live at once. Reading the files is not counted: it is the judge's work that grows
with the cluster.
"""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import Figure
from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import Judge, judge
from mesos_spec.tools.judging.merge import Merger
from mesos_spec.tools.judging.trace import Trace, in_order, read_trace, without_collection
from mesos_spec.tools.judging.whole import WHOLE


def record_traces(agents: int, slots: int, items: int) -> list[Trace]:
    """The traces of one simulated run in which all slots are taken most of the time."""
    return read(written_by(_plan(agents, slots, items)))


def _plan(agents: int, slots: int, items: int) -> Plan:
    work = Workload(name="w", items=items, command="sleep 20", cpus=1.0, mem_mb=32)
    cluster = Cluster(masters=1, agents=agents, cpus=float(slots), mem_mb=slots * 64)
    return Plan(cluster=cluster, workload=[work])


def judge_steps_per_s(quick: bool) -> Figure:
    """Steps of the specification that are bound, checked and compared, by CPU time."""
    agents, slots, items, runs = (2, 2, 8, 1) if quick else (50, 20, 1600, 3)
    traces = record_traces(agents, slots, items)
    rates = []
    steps = records = 0
    for _ in range(runs):
        began_s = time.process_time()
        verdict = judge(traces, WHOLE, Bounds())
        rates.append(verdict.steps / (time.process_time() - began_s))
        steps, records = verdict.steps, verdict.records
        if verdict.violations:
            raise RuntimeError(f"the run does not conform: {verdict.violations[0].text()}")
    return Figure(
        "judge_steps_per_s",
        "steps/s",
        f"{agents} agents, {agents * slots} tasks alive at once, one core, by CPU time",
        rates,
        {"steps": steps, "records": records},
    )


def judge_at_10000_tasks(quick: bool) -> Figure:
    """The pace with 10,000 tasks alive, in relation to the pace with 1,000, on as many agents."""
    agents, slots = (2, 2) if quick else (50, 20)
    few, many = _pace_when_full(agents, slots), _pace_when_full(agents, 10 * slots)
    how = f"{10 * agents * slots} tasks alive and {agents * slots}, {agents} agents, by CPU time"
    facts = {"steps_per_s_few": few, "steps_per_s_many": many}
    return Figure("judge_at_10000_tasks", "×", how, [many / few], facts)


def _pace_when_full(agents: int, slots: int) -> float:
    """Steps a CPU second while nine tenths of all slots are taken; records stay in their files."""
    tasks = agents * slots
    one = Judge(WHOLE, Bounds())
    with TemporaryDirectory() as folder, without_collection():
        for name, data in written_by(_plan(agents, slots, tasks)).items():
            Path(folder, f"{name}.ndjson").write_bytes(data)
        traces = in_order([read_trace(path, keep=False) for path in Path(folder).iterdir()])
        one.foretell(traces)
        steps, spent_s, full = 0, 0.0, False
        order = iter(Merger(traces))
        while some := list(islice(order, 100)):
            steps_then, began_s = one.verdict.steps, time.process_time()
            if any(one.take(placed) is not None for placed in some):
                raise RuntimeError(f"does not conform: {one.verdict.violations[0].text()}")
            if full:
                spent_s += time.process_time() - began_s
                steps += one.verdict.steps - steps_then
            full = sum(len(runs) for _, runs in one.s.runs.items()) > 0.9 * tasks
    return steps / spent_s
