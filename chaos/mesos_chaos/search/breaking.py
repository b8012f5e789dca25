"""What a run of a plan broke, in any tier, and under which name two runs broke the same.

A run breaks something when the judge names a violation, when it does not settle after the heal,
when a core holds what it must not or forgets a timer, when it writes what is no record or raises on
what a peer sent, or when it does not come to an end.  A failure of the harness itself is none of
these, and is raised.  The *property* of what broke is its sentence without the names of this run,
so that a smaller plan that breaks the same can be told from one that breaks something else.
"""

from __future__ import annotations

import re
import signal
import threading
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from mesos_chaos.plan import Plan
from mesos_spec.tools.judging.trace import TraceError
from mesos_spec.tools.judging.verdict import Kind, Verdict

if TYPE_CHECKING:
    from mesos_chaos.sim.cluster import SimCluster
    from mesos_chaos.sim.run import Listener, SimResult
    from mesos_chaos.virtual.cluster import VirtualCluster

NAME = re.compile(r"\S*[0-9]\S*")
PATH = re.compile(r"\b([a-z]+)/\S+")


class Catch(StrEnum):
    """What gave it away."""

    VIOLATION = "violation"  #: the judge names a property
    LATE = "late"  #: a timer was forgotten
    LEAK = "leak"  #: a core holds what it must not
    GARBLED = "garbled"  #: a process wrote what is no record
    RAISED = "raised"  #: a core raised on what a peer sent
    UNSETTLED = "unsettled"  #: it does not settle
    ENDLESS = "endless"  #: it used up its CPU time

    @property
    def may_be_the_plan(self) -> bool:
        """Whether the plan itself, and no bug, may be why."""
        return self in (Catch.UNSETTLED, Catch.ENDLESS)


@dataclass(frozen=True, slots=True)
class Broken:
    """What a run broke: of which kind, in a sentence, and the evidence."""

    kind: Catch
    says: str
    evidence: str
    action: str = ""
    exit_code: int = 1  #: of a run that breaks this

    @property
    def property(self) -> str:
        """The same for all runs that break the same: no names of processes, tasks, offers."""
        says = self.says.partition(":")[0] if self.kind.may_be_the_plan else self.says
        plain = NAME.sub("…", PATH.sub(r"\1/…", says))
        return plain if self.action in plain else f"{self.action}: {plain}"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: what it broke, if anything; and all there is to know, unless it did not end."""

    broken: Broken | None
    result: SimResult | None = None
    cluster: SimCluster | VirtualCluster | None = None


class HarnessError(Exception):
    """A run is wrong, and nothing that ran can be: the harness is at fault."""


class TooLongError(Exception):
    """The run used up its CPU time."""


def what_broke(plan: Plan, limit_s: float | None = None, tier: int = 1) -> Broken | None:
    """What a run of `plan` broke; nothing if it went well."""
    return run_plan(plan, limit_s, tier=tier).broken


def run_plan(
    plan: Plan, limit_s: float | None = None, listener: Listener | None = None, tier: int = 1
) -> Ran:
    """Run `plan`; in simulation for at most `limit_s` CPU seconds.  Raises what the harness does.

    On real processes (tier 3) it is the plan that bounds how long it takes.
    """
    if tier == 3:
        from mesos_chaos.search.real import run_really

        return Ran(run_really(plan, listener))
    timer = Timer(limit_s)
    try:
        with timer:
            result, cluster = _simulated(plan, listener, tier)
    except Exception as error:
        if timer.is_over:  # whatever became of that on its way
            says = f"does not come to an end: {limit_s:g} CPU s are not enough"
            return Ran(Broken(Catch.ENDLESS, says, says, exit_code=3))
        if isinstance(error, TraceError):
            says = str(error).partition(": ")[2]
            return Ran(Broken(Catch.GARBLED, f"garbled: {says}", str(error), exit_code=4))
        where = raised_in_product(error)
        if where is None:
            raise
        says = f"a core raised {type(error).__name__} in {where}"
        return Ran(Broken(Catch.RAISED, says, repr(error)))
    crashes = getattr(cluster, "crashes", ())  # of shells, in virtual time
    if crashes:
        return Ran(Broken(Catch.RAISED, crashes[0], "\n".join(crashes)), result, cluster)
    broken = _broken(result)
    if broken is None:
        blame_the_harness(result.verdict)
    return Ran(broken, result, cluster)


def blame_the_harness(verdict: Verdict) -> None:
    """Raise `HarnessError` where a verdict finds that at fault."""
    for violation in verdict.violations:
        if violation.kind is Kind.HARNESS:
            raise HarnessError(violation.text())


def _simulated(plan: Plan, listener: Listener | None, tier: int) -> tuple[SimResult, Any]:
    if tier == 1:
        from mesos_chaos.sim.run import simulate  # not before a mutant is planted

        return simulate(plan, listener=listener)
    from mesos_chaos.virtual.run import run_virtually

    return run_virtually(plan, listener=listener)


def _broken(result: SimResult) -> Broken | None:
    code = result.exit_code
    for violation in result.verdict.violations:
        if violation.kind is not Kind.HARNESS:
            evidence = violation.text()
            return Broken(Catch.VIOLATION, violation.says, evidence, violation.action or "", code)
    for kind, found in ((Catch.LATE, result.late), (Catch.LEAK, result.leaks)):
        if found:
            return Broken(kind, f"{kind}: {found[0]}", "; ".join(found), "", code)
    if not result.settled and not result.verdict.violations:
        pending = result.pending or ["nothing is left to do, and yet it is not quiet"]
        says = f"does not settle: {pending[0]}"
        return Broken(Catch.UNSETTLED, says, "; ".join(pending), "", code)
    return None


def what_is_wrong(verdict: Verdict, pending: list[str], settled: bool) -> Broken | None:
    """What a run on real processes broke."""
    for violation in verdict.violations:
        if violation.kind is not Kind.HARNESS:
            text = violation.text()
            return Broken(Catch.VIOLATION, violation.says, text, violation.action or "")
    if settled:
        return None
    why = pending[0] if pending else "it is not quiet"
    return Broken(Catch.UNSETTLED, f"does not settle: {why}", "; ".join(pending), exit_code=3)


def raised_in_product(error: Exception) -> str | None:
    """The function it was raised in, if that is the implementation's."""
    import mesos_ref

    product = str(Path(mesos_ref.__file__).parent)
    code = list(traceback.walk_tb(error.__traceback__))[-1][0].f_code
    return code.co_name if code.co_filename.startswith(product) else None


class Timer:
    """Raises `TooLongError` in its body when that has used so much CPU time (main thread only).

    It does so again and again: code that turns any error into one of its own may swallow the first.
    """

    AGAIN_S = 0.5

    def __init__(self, limit_s: float | None) -> None:
        self.is_over = False
        mine = threading.current_thread() is threading.main_thread()
        self._limit_s = limit_s if mine else None
        self._within = False
        self._before: Any = None

    def __enter__(self) -> Timer:
        if self._limit_s is not None:
            self._within = True
            self._before = signal.signal(signal.SIGPROF, self._over)
            signal.setitimer(signal.ITIMER_PROF, self._limit_s, self.AGAIN_S)
        return self

    def __exit__(self, *error: object) -> None:
        self._within = False
        if self._limit_s is not None:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, self._before)

    def _over(self, signum: int, frame: FrameType | None) -> None:
        if self._within:
            self.is_over = True
            raise TooLongError
