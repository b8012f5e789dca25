"""How fast a simulated cluster of fifty agents is: the real cores alone, and judged.

CPU time of one core, everything counted: cores, network, users, and if it is judged, traces and the
judge reading along.  *Events* are what the loop does: a message arrives, a timer is due.
"""

from __future__ import annotations

import gc
import time
import tracemalloc

from benchmarks.measuring import Figure
from mesos_chaos.plan import Plan
from mesos_chaos.sim.named import busy50, calm50
from mesos_chaos.sim.run import simulate
from mesos_spec.tools.judging.trace import Record


def core_events_per_s(quick: bool) -> Figure:
    """Nobody judges."""
    how = "50 agents, 10 tasks/s, one core, without traces, by CPU time"
    rates = _rates(busy50(2 if quick else 60), 1 if quick else 5, judged=False)
    return Figure("core_events_per_s", "events/s", how, [events for events, _ in rates])


def judged_events_per_s(quick: bool) -> Figure:
    """The same, judged."""
    how = "50 agents, 10 tasks/s, one core, traces written, read and judged, by CPU time"
    rates = _rates(busy50(2 if quick else 20), 1 if quick else 5)
    return Figure("judged_events_per_s", "events/s", how, [events for events, _ in rates])


def calm50_times_real(quick: bool) -> Figure:
    """Pings, and a task every two seconds."""
    how = "50 agents, pings and 0.5 tasks/s, one core, judged, by CPU time"
    return _measure("calm50_times_real", how, calm50(4 if quick else 600), 1 if quick else 3)


def busy50_times_real(quick: bool) -> Figure:
    """Ten tasks a second."""
    how = "50 agents, 10 tasks/s, one core, judged, by CPU time"
    return _measure("busy50_times_real", how, busy50(2 if quick else 40), 1 if quick else 3)


def judged_bytes_a_step(quick: bool) -> Figure:
    """What a judged step leaves behind in memory: times a million, it is what a long run needs."""
    plan = busy50(2 if quick else 60)
    seen: list[tuple[int, int]] = []

    class Watch:
        heard = 0

        def hear(self, incarnation: str, role: str, record: Record) -> None:
            self.heard += 1
            if self.heard in (300, 6_000):
                seen.append((self.heard, _in_use()))

        def struck(self, kind: str) -> None: ...

    tracemalloc.start()
    try:
        result, cluster = simulate(plan, listener=Watch())
        began, bytes_then = seen[-1]
        grown = (_in_use() - bytes_then) / (result.verdict.records - began)
        assert cluster.judge.violation is None  # it is still there, and so is what it keeps
    finally:
        tracemalloc.stop()
    how = f"simulation and judge, from record {began} to {result.verdict.records} of busy50"
    return Figure("judged_bytes_a_step", "bytes", how, [grown], {"steps": result.verdict.steps})


def _in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _rates(plan: Plan, runs: int, judged: bool = True) -> list[tuple[float, float]]:
    """For each run, events and simulated seconds by CPU second."""
    found = []
    for _ in range(runs):
        began_s = time.process_time()
        result, _ = simulate(plan, judged=judged)
        spent_s = time.process_time() - began_s
        if judged and result.exit_code != 0:
            raise RuntimeError(f"the run is not well: {result.verdict.text()}")
        if not result.settled:
            raise RuntimeError("the run did not come to its end")
        found.append((result.events / spent_s, result.simulated_s / spent_s))
    return found


def _measure(name: str, how: str, plan: Plan, runs: int) -> Figure:
    rates = _rates(plan, runs)
    events = sorted(events for events, _ in rates)[len(rates) // 2]
    return Figure(name, "×", how, [times for _, times in rates], {"events_per_s": events})
