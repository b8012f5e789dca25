"""How many steps a second the judge follows, when there is a lot to look at.

The trace is made by the simulation: 50 agents of 20 slots, and enough work for all of them, so that
a thousand tasks live at once. Reading the files is not counted: it is the judge's work that grows
with the cluster.
"""

from __future__ import annotations

import time

from benchmarks.measuring import Figure
from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.whole import WHOLE


def record_traces(agents: int, slots: int, items: int) -> list[Trace]:
    """The traces of one simulated run in which all slots are taken most of the time."""
    work = Workload(name="w", items=items, command="sleep 20", cpus=1.0, mem_mb=32)
    cluster = Cluster(masters=1, agents=agents, cpus=float(slots), mem_mb=slots * 64)
    return read(written_by(Plan(cluster=cluster, workload=[work])))


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
