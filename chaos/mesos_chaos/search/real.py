"""A plan of a search on real processes: the same question, asked of this machine.

Such runs take seconds, and the same plan may go another way the next time.  So they are few, one at
a time, and what is shrunk is what broke the same again.  The cluster's folder goes with the run:
what lasts is the plan.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from mesos_chaos.live.run import LiveResult, run_live
from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Broken, Catch, blame_the_harness, what_is_wrong
from mesos_spec.tools.judging.trace import TraceError, read_traces

if TYPE_CHECKING:
    from mesos_chaos.sim.run import Listener


def run_really(plan: Plan, listener: Listener | None = None) -> Broken | None:
    """What a run of `plan` on real processes broke.  Raises `ClusterError`, `OSError`.

    `listener` hears of all records when the run is over, one process after the other.
    """
    with tempfile.TemporaryDirectory(prefix="mesos-chaos-") as name:
        folder = Path(name)
        result = trio.run(_live, plan, folder)
        try:
            traces = read_traces([folder / "trace"])
        except TraceError as error:
            says = str(error).partition(": ")[2]
            return Broken(Catch.GARBLED, f"garbled: {says}", str(error), exit_code=4)
    if listener is not None:
        for trace in traces:
            for record in trace.records:
                listener.hear(trace.header.incarnation, trace.header.role, record)
    broken = what_is_wrong(result.verdict, result.pending, result.settled)
    if broken is None:
        blame_the_harness(result.verdict)
    return broken


async def _live(plan: Plan, folder: Path) -> LiveResult:
    return await run_live("search", plan, folder)
