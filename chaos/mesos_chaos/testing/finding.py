"""One judged run of a framework under test, and what it brought to light: what, and whose fault.

Three judges speak.  The specification: did the cluster and the library do what Mesos does?  The
framework contract: did the framework do what it owes?  And the goal, which the user states: was
what was wanted done?  Who forgets what he launched breaks no rule of Mesos; it takes a goal to say
that this is wrong.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Broken, Catch
from mesos_chaos.search.shrinking import Shrunk, shrink
from mesos_chaos.sim.run import SimResult
from mesos_chaos.testing.site import FrameworkUnderTest, Main, Misuse
from mesos_chaos.virtual.cluster import VirtualCluster
from mesos_chaos.virtual.run import run_virtually


@dataclass(frozen=True, slots=True)
class Task:
    """A task that the leading master still has, when all is over."""

    framework: str
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what a goal is asked of."""

    plan: Plan
    result: SimResult
    cluster: VirtualCluster

    @property
    def returned(self) -> dict[str, Any]:
        """By name: what each framework that is done returned."""
        frameworks = self.cluster.schedulers.values()
        return {f.name: getattr(f, "outcome", None) for f in frameworks if f.is_done}

    @property
    def tasks(self) -> list[Task]:
        """What the leading master still has of tasks.  None, where everybody cleaned up."""
        leader = self.cluster.final_view
        found = []
        for key, shown in sorted(leader.items()):
            if key.startswith(("tasks/", "unreachable/")):
                _, framework, task = key.split("/", 2)
                found.append(Task(framework, task, shown["state"]))
        return found


Goal = Callable[[Run], object]  #: False, or an AssertionError, where it is not reached


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, and whose fault it is: `framework`, `library`, `master`, `agent`."""

    party: str
    broken: Broken
    run: Run


def examine(main: Main, plan: Plan, goal: Goal | None = None) -> Finding | Run:
    """Run a framework under `plan` in virtual time: what is wrong, or the run if nothing is."""
    result, cluster = run_virtually(plan, frameworks=partial(FrameworkUnderTest, main=main))
    run = Run(plan, result, cluster)
    found = _wrong(run) or _missed(run, goal) or _proves_nothing(run)
    return run if found is None else Finding(found[0], found[1], run)


def _wrong(run: Run) -> tuple[str, Broken] | None:
    """What the specification, the contract, or the end of a process say."""
    result, crashes = run.result, run.cluster.crashes
    for violation in result.verdict.violations:
        broken = Broken(Catch.VIOLATION, violation.says, violation.text(), violation.action or "")
        return violation.party, broken
    if crashes:
        errors = (getattr(each, "error", None) for each in run.cluster.schedulers.values())
        error = next((e for e in errors if isinstance(e, Exception)), None)
        party = "library" if error is None or not _is_theirs(error) else "framework"
        told = crashes if error is None else traceback.format_exception(error)
        return party, Broken(Catch.RAISED, crashes[0], "\n".join(line.rstrip() for line in told))
    for breach in result.verdict.breaches:
        says = f"contract: {breach.clause}: {breach.says}"
        return "framework", Broken(Catch.VIOLATION, says, "\n".join(breach.lines()))
    if not result.settled:
        away = [says for says in result.pending if "not registered" in says]
        why = "; ".join(result.pending)
        party = "library" if away else "framework"
        return party, Broken(Catch.UNSETTLED, f"does not settle: {why}", why)
    if result.leaks:
        return "library", Broken(Catch.LEAK, f"leak: {result.leaks[0]}", "; ".join(result.leaks))
    return None


def _is_theirs(error: BaseException) -> bool:
    """Whether code of the framework was at work when this was raised, and not the judge's."""
    ours = {"mesos_ref", "mesos_chaos", "trio", "outcome", "h11", *sys.stdlib_module_names}
    for leaf in _leaves(error):
        frames = [frame for frame, _ in traceback.walk_tb(leaf.__traceback__)]
        rooms = [frame.f_globals.get("__name__", "").partition(".")[0] for frame in frames]
        theirs = "mesos_spec" not in rooms and any(room not in ours for room in rooms)
        if theirs or isinstance(leaf, Misuse):
            return True
    return False


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What a group is made of."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _missed(run: Run, goal: Goal | None) -> tuple[str, Broken] | None:
    """What the goal says."""
    if goal is None:
        return None
    try:
        if goal(run) is not False:
            return None
        says = getattr(goal, "__name__", "it")
    except AssertionError as error:
        says = str(error).partition("\n")[0] or getattr(goal, "__name__", "it")
    return "framework", Broken(Catch.VIOLATION, f"the goal is not reached: {says}", says)


def _proves_nothing(run: Run) -> tuple[str, Broken] | None:
    """Faults that were to strike, and did not: all of them; or a verdict that is none."""
    doubts = run.result.verdict.doubts
    if run.result.exit_code == 2 and doubts:
        return "plan", Broken(Catch.UNSETTLED, f"the verdict is unknown: {doubts[0]}", doubts[0])
    faults, done = run.plan.fault, run.result.faults_done
    if not faults or any("nobody there" not in struck for struck in done):
        return None
    sites = ", ".join(fault.after or f"{fault.kind} {fault.target}" for fault in faults)
    says = f"nothing is proved: no fault of the plan struck anybody ({sites})"
    hint = f"{says}; give it more work to do, or faults that strike at a time (at_s)"
    return "plan", Broken(Catch.UNSETTLED, says, hint)


def shrunk(main: Main, finding: Finding, goal: Goal | None, most_runs: int) -> tuple[Shrunk, str]:
    """The smallest plan found under which the same is wrong, and whose fault it is there."""
    parties = {finding.broken.property: finding.party}

    def test(plan: Plan) -> Broken | None:
        found = examine(main, plan, goal)
        if isinstance(found, Run):
            return None
        parties[found.broken.property] = found.party
        return found.broken

    done = shrink(finding.run.plan, finding.broken, test, most_runs)
    return done, parties[done.broken.property]
