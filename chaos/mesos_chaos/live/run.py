"""One run on real processes: faults, then heal and demand progress, then judge all traces."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import trio

from mesos_chaos.folder import write_reports
from mesos_chaos.live.faults import LiveFaults
from mesos_chaos.live.frameworks import argv_of
from mesos_chaos.live.world import Tell, World, open_world
from mesos_chaos.plan import Plan, Scenario, shipped
from mesos_chaos.writing import scenario_text
from mesos_ref.cluster.cluster import ClusterError
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import TraceError, read_traces
from mesos_spec.tools.judging.verdict import Outcome, Verdict
from mesos_spec.tools.judging.whole import WHOLE

FAULTS_END_S = 120.0
LAST_LOOK_S = 5.0
#: In `must_see`: a leader decided something after a later epoch had begun.
DEPOSED_ACTS = "a_deposed_leader_acts"


@dataclass(slots=True, kw_only=True)
class LiveResult:
    """What a live run came to."""

    name: str
    seed: int
    folder: Path
    verdict: Verdict
    settled: bool
    took_s: float
    items: dict[str, dict[str, int]]
    faults: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    goal: str | None = None

    @property
    def exit_code(self) -> int:
        """0 ok · 1 safety · 2 unknown · 3 liveness · 4 non-conformance."""
        if self.verdict.exit_code not in (0, 2):
            return self.verdict.exit_code
        if not self.settled or self.goal is not None:
            return 3
        return 2 if self.missed or self.verdict.exit_code == 2 else 0

    @property
    def again(self) -> str:
        """The command that does it again: by its name, or by the plan that is kept."""
        plan = self.name if self.name in shipped() else self.folder / "plan.toml"
        return f"mesos-chaos run {plan} --seed {self.seed}"

    @property
    def headline(self) -> str:
        """The outcome in a line."""
        word = {0: "CONFORMS", 1: "VIOLATES", 2: "UNKNOWN", 3: "DOES NOT SETTLE", 4: "VIOLATES"}
        done = sum(each["done"] for each in self.items.values())
        wanted = sum(each["wanted"] for each in self.items.values())
        return (
            f"{word[self.exit_code]}  {self.name} seed={self.seed}: {done} of {wanted} items, "
            f"{self.verdict.records} records judged, {self.took_s:.1f} s"
        )

    def text(self) -> str:
        """The report for people."""
        lines = [self.headline, f"seed {self.seed}", f"run directory {self.folder}", "", "faults"]
        lines += [f"  {line}" for line in self.faults] or ["  none"]
        lines += ["", "items"]
        for name, each in self.items.items():
            lines.append(
                f"  {name}: {each['done']} of {each['wanted']} done in {each['attempts']} "
                f"attempts, {each['lost']} of them lost and tried again"
            )
        lines += [f"  pending: {why}" for why in self.pending]
        lines += [f"  never seen: {name}" for name in self.missed]
        if self.goal is not None:
            lines.append(f"  the goal does not hold: {self.goal}")
        lines += ["", self.verdict.text(), ""]
        lines.append(f"again: {self.again}")
        lines.append(f"judge again: mesos-spec trace {self.folder / 'trace'}")
        lines.append(f"seed {self.seed}")
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """The report for machines."""
        plain = {k: v for k, v in asdict(self).items() if k not in ("verdict", "folder")}
        return {
            **plain,
            "folder": str(self.folder),
            "exit_code": self.exit_code,
            "verdict": self.verdict.json(),
        }


async def run_live(
    name: str,
    plan: Plan,
    folder: Path,
    *,
    tell: Tell = lambda sentence: None,
    framework: str | None = None,
    goal: str | None = None,
    watch: Callable[[World], Any] | None = None,
    hold: Callable[[World], Any] | None = None,
) -> LiveResult:
    """Run `plan` in `folder` on real processes, and judge it.

    `framework` and `goal` are commands of the user's; `watch(world)` is an async function that runs
    beside (a live view), `hold(world)` one that is awaited before the cluster is taken down.
    Raises `ClusterError` where the harness itself fails.
    """
    if framework is not None:
        try:
            argv_of(framework)
        except ValueError as error:
            raise ClusterError(f"the framework cannot be started: {error}") from None
    began = time.monotonic()
    if isinstance(plan, Scenario):
        (folder / "plan.toml").write_text(scenario_text(plan))
    async with open_world(plan, folder, tell, framework) as world:
        faults = LiveFaults(world)
        async with trio.open_nursery() as nursery:
            if watch is not None:
                nursery.start_soon(watch, world)
            await _hurt(world, faults)
            with trio.move_on_after(FAULTS_END_S):
                await faults.over()
            await faults.heal()
            settled = await _settle(world, plan.expect.settles_within_s)
            await _see(world, [name for name in plan.expect.must_see if name != DEPOSED_ACTS])
            failed = await _failed_goal(world, goal or plan.expect.goal) if settled else None
            pending = world.pending()
            if hold is not None:
                await hold(world)
            nursery.cancel_scope.cancel()
        items = {n: _progress(f) for n, f in world.frameworks.items()}
        world.sites.look()
        seen = {site.partition(".")[2] for site in world.sites.seen}
        deeds = faults.deposed_deeds()
        if deeds:
            seen.add(DEPOSED_ACTS)
            faults.done.append(f"the deposed leader, not knowing: {', '.join(deeds)}")
    result = LiveResult(
        name=name,
        seed=plan.seed,
        folder=folder,
        verdict=judged(folder / "trace"),
        settled=settled,
        took_s=time.monotonic() - began,
        items=items,
        faults=faults.done,
        pending=pending,
        missed=[action for action in plan.expect.must_see if action not in seen],
        goal=failed,
    )
    write_reports(folder, plan, result.text(), result.json(), result.verdict, [result.again])
    return result


async def _hurt(world: World, faults: LiveFaults) -> None:
    """Start the work, and do every fault at its time; those that never come due are left.

    What is on stays on until all work is done, or time is up.
    """
    for framework in world.frameworks.values():
        framework.start(world.nursery)
    if not world.plan.fault:
        return
    with trio.move_on_after(FAULTS_END_S):
        async with trio.open_nursery() as nursery:
            for at_s, after in dict.fromkeys((f.at_s, f.after) for f in world.plan.fault):
                nursery.start_soon(faults.at_their_time, at_s, after)
            nursery.start_soon(_stop_when_done, world, nursery.cancel_scope)


async def _stop_when_done(world: World, faults: trio.CancelScope) -> None:
    """A fault that waits for a site will wait in vain once all work is done."""
    for framework in world.frameworks.values():
        await framework.done.wait()
    await trio.sleep(1.0)
    faults.cancel()


async def _settle(world: World, within_s: float) -> bool:
    with trio.move_on_after(within_s):
        for framework in world.frameworks.values():
            await framework.done.wait()
    return all(framework.finished for framework in world.frameworks.values())


async def _see(world: World, wanted: list[str]) -> None:
    """Give what must be seen a moment more to be seen."""
    with trio.move_on_after(LAST_LOOK_S):
        while set(wanted) - {site.partition(".")[2] for site in world.sites.seen}:
            await trio.sleep(0.05)
            world.sites.look()


async def _failed_goal(world: World, goal: str | None) -> str | None:
    """Run the user's goal; a sentence if it does not hold."""
    if goal is None:
        return None
    done = await trio.run_process(
        ["/bin/sh", "-c", goal],
        check=False,
        capture_stdout=True,
        capture_stderr=True,
        env={"MESOS_REF_MASTER": world.cluster.master_option, "PATH": "/usr/bin:/bin"},
    )
    if done.returncode == 0:
        return None
    last = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
    return f"`{goal}` ended with status {done.returncode}{': ' if last else ''}{''.join(last)}"


def _progress(framework: Any) -> dict[str, int]:
    progress = framework.items().progress()
    return {
        "wanted": framework.workload.items,
        "done": progress.done,
        "attempts": progress.attempts,
        "lost": progress.lost,
    }


def judged(traces: Path) -> Verdict:
    """The verdict on the traces in a folder; what cannot be read is a doubt."""
    try:
        return judge(read_traces([traces]), WHOLE, Bounds())
    except TraceError as error:
        return Verdict(outcome=Outcome.UNKNOWN, doubts=[str(error)])
