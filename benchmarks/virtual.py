"""How fast a cluster of fifty agents is in virtual time: the real shells, HTTP and all, judged.

CPU time of one core, everything counted: shells, cores, network, disks, executors, traces and the
judge.  *Messages* are the calls, events and frames that masters, agents and the framework heard;
answers to calls, and what executors hear, go with them and are not counted.
"""

from __future__ import annotations

import time

from benchmarks.measuring import Figure
from mesos_chaos.plan import Plan
from mesos_chaos.sim.named import busy50, calm50
from mesos_chaos.virtual.run import run_virtually
from mesos_spec.tools.judging.trace import Record


def virtual_messages_per_s(quick: bool) -> Figure:
    """Messages that got over the wire, by CPU second."""
    how = "50 agents, 10 tasks/s, real shells and HTTP on virtual time, one core, judged, CPU time"
    runs = [_run(busy50(2 if quick else 20)) for _ in range(1 if quick else 3)]
    facts = {"messages": runs[0].messages, "pieces": runs[0].pieces}
    rates = [run.messages / run.spent_s for run in runs]
    return Figure("virtual_messages_per_s", "messages/s", how, rates, facts)


def virtual_calm50_times_real(quick: bool) -> Figure:
    """Pings, and a task every two seconds."""
    how = "50 agents, pings and 0.5 tasks/s, real shells and HTTP, one core, judged, CPU time"
    return _times_real("virtual_calm50_times_real", how, calm50(4 if quick else 120), quick)


def virtual_busy50_times_real(quick: bool) -> Figure:
    """Ten tasks a second."""
    how = "50 agents, 10 tasks/s, real shells and HTTP, one core, judged, CPU time"
    return _times_real("virtual_busy50_times_real", how, busy50(2 if quick else 20), quick)


def _times_real(name: str, how: str, plan: Plan, quick: bool) -> Figure:
    runs = [_run(plan) for _ in range(1 if quick else 3)]
    return Figure(name, "×", how, [run.simulated_s / run.spent_s for run in runs])


class _Run:
    """What one run took, and what happened in it."""

    def __init__(self) -> None:
        self.messages = self.pieces = 0
        self.spent_s = self.simulated_s = 0.0

    def hear(self, incarnation: str, role: str, record: Record) -> None:
        """A record was written."""
        self.messages += record.heard is not None and record.heard.msg is not None

    def struck(self, kind: str) -> None:
        """There are no faults."""


def _run(plan: Plan) -> _Run:
    run = _Run()
    began_s = time.process_time()
    result, _ = run_virtually(plan, listener=run)
    run.spent_s = time.process_time() - began_s
    run.simulated_s, run.pieces = result.simulated_s, result.events
    if result.exit_code != 0:
        raise RuntimeError(f"the run is not well: {result.verdict.text()}")
    return run
