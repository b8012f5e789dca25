"""How much faster than real time a judged simulation of fifty agents runs.

CPU time of one core, everything counted: cores, network, trace, and the judge reading along.
"""

from __future__ import annotations

import time

from benchmarks.measuring import Figure
from mesos_chaos.plan import Plan
from mesos_chaos.sim.named import busy50, calm50
from mesos_chaos.sim.run import simulate


def calm50_times_real(quick: bool) -> Figure:
    """Pings, and a task every two seconds."""
    how = "50 agents, pings and 0.5 tasks/s, one core, judged, by CPU time"
    return _measure("calm50_times_real", how, calm50(4 if quick else 40), 1 if quick else 3)


def busy50_times_real(quick: bool) -> Figure:
    """Ten tasks a second."""
    how = "50 agents, 10 tasks/s, one core, judged, by CPU time"
    return _measure("busy50_times_real", how, busy50(2 if quick else 10), 1 if quick else 3)


def _measure(name: str, how: str, plan: Plan, runs: int) -> Figure:
    factors, rates, records = [], [], 0
    for _ in range(runs):
        began_s = time.process_time()
        result, _ = simulate(plan)
        spent_s = time.process_time() - began_s
        if result.exit_code != 0:
            raise RuntimeError(f"the run is not well: {result.verdict.text()}")
        factors.append(result.simulated_s / spent_s)
        rates.append(result.events / spent_s)
        records = result.verdict.records
    rate = sorted(rates)[len(rates) // 2]
    return Figure(name, "×", how, factors, {"events_per_s": rate, "records": records})
