"""One run of a plan in virtual time: faults, then heal and demand progress; a verdict (D10, T2)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import trio

from mesos_chaos.plan import Plan
from mesos_chaos.sim.run import AFTERMATH_US, FAULTS_END_US, Faults, Listener, SimResult
from mesos_chaos.virtual import seam
from mesos_chaos.virtual.cluster import Frameworks, VirtualCluster
from mesos_chaos.virtual.nodes import VirtualScheduler
from mesos_spec.tools.judging.verdict import Outcome

LOOK_S = 0.05
HOLD_BACK = 0.1  #: the share of turns that are put off


def run_virtually(
    plan: Plan,
    *,
    keep_lines: bool = False,
    hold_back: float = HOLD_BACK,
    listener: Listener | None = None,
    frameworks: Frameworks = VirtualScheduler,
) -> tuple[SimResult, VirtualCluster]:
    """Run `plan` with the real shells, judged; faults first, then heal and demand progress.

    `events` of the result are pieces of bytes that were sent.  `frameworks` makes the framework of
    each workload: by default one that finishes its items.  Raises `SeamError` where this trio
    cannot be made deterministic.
    """
    with tempfile.TemporaryDirectory(prefix="mesos-chaos-") as folder:

        async def main(whims: seam.Whims) -> tuple[SimResult, VirtualCluster]:
            async with trio.open_nursery() as nursery:
                cluster = VirtualCluster(
                    plan, nursery, whims, Path(folder), keep_lines=keep_lines, frameworks=frameworks
                )
                try:
                    result = await _follow(cluster, listener)
                finally:
                    cluster.close()  # whoever is stopped goes on, or the nursery waits for ever
                nursery.cancel_scope.cancel()
            return result, cluster

        return seam.run(main, plan.seed, hold_back)


async def _follow(cluster: VirtualCluster, listener: Listener | None) -> SimResult:
    plan, faults = cluster.plan, Faults(cluster)
    if listener is not None:
        cluster.judge.on_record = listener.hear
        faults.struck = listener.struck
    faults.arm(plan.fault)

    def broken() -> bool:
        return cluster.judge.violation is not None or bool(cluster.crashes or cluster.lost)

    def quiet() -> bool:
        return broken() or (cluster.finished and faults.left == 0)

    def calm() -> bool:
        return broken() or (cluster.finished and not cluster.away())

    await _until(quiet, FAULTS_END_US)
    faults.heal()
    settled = await _until(calm, round(plan.expect.settles_within_s * 1e6)) and not broken()
    if settled:
        settled = not await _until(broken, AFTERMATH_US)
    verdict = cluster.judge.finish()
    seen = {site.partition(".")[2] for site in cluster.judge.seen}
    missed = [name for name in plan.expect.must_see if name not in seen]
    if missed and verdict.outcome is Outcome.CONFORMS:
        verdict.doubts.append(f"never seen, so nothing is proved of: {', '.join(missed)}")
    return SimResult(
        verdict=verdict,
        settled=settled,
        pending=cluster.pending(),
        simulated_s=trio.current_time(),
        events=cluster.network.pieces,
        faults_done=faults.done,
        struck=faults.met,
        missed=missed,
        leaks=cluster.lost if broken() else cluster.leaks(),
    )


async def _until(holds: Callable[[], bool], within_us: int) -> bool:
    """Wait until something holds, at most so long; whether it does."""
    return await seam.until(holds, LOOK_S, within_us / 1e6)
