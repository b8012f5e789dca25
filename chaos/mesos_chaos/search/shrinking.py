"""Making a plan that breaks something small, as long as it breaks the same.

Hypothesis shrinks what it drew itself; this shrinks any plan, also one that a person wrote, that a
run on real processes left, or that was drawn elsewhere.  It goes through a list of simplifications
in order of what they are worth to a reader (fewer faults, then fewer parties, less work, fewer
machines, plainer timers, earlier and shorter faults) and keeps each that leaves the property
broken; when one was kept it begins again.  Every simplification makes the plan's *size* smaller, so
this ends; the budget of runs ends it sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mesos_chaos.plan import Cluster, Fault, Plan, Workload
from mesos_chaos.search.breaking import Broken, HarnessError

PLAIN_CLUSTER = Cluster()
#: The fields of a fault that make it harder to read when they are not what they usually are.
PLAIN_FAULT = ("moment", "restart", "restart_after_s", "direction", "delay_s")
TIMES_S = (0.0, 0.5, 1.0, 2.0)


@dataclass(slots=True)
class Shrunk:
    """What became of a plan: the smallest that breaks the same, and how many runs it took."""

    first: Plan
    plan: Plan
    broken: Broken
    runs: int = 0
    finished: bool = True  #: whether nothing simpler is left to try
    kept: list[str] = field(default_factory=list)  #: the simplifications that were kept, in order

    def text(self) -> str:
        """In a line: what it was, and what it is."""
        was, now = measure(self.first), measure(self.plan)
        end = "" if self.finished else "; the budget ended it"
        return (
            f"{was['faults']} faults, {was['items']} items, {was['processes']} processes → "
            f"{now['faults']}, {now['items']}, {now['processes']} in {self.runs} runs{end}"
        )


def measure(plan: Plan) -> dict[str, int]:
    """How big a plan is, in what a reader counts."""
    cluster = plan.cluster
    return {
        "faults": len(plan.fault),
        "items": sum(w.items for w in plan.workload) + cluster.foreign * cluster.foreign_calls,
        "processes": cluster.masters + cluster.agents + cluster.misfits + cluster.foreign
        + len(plan.workload),
    }  # fmt: skip


def shrink(
    plan: Plan, broken: Broken, test: Callable[[Plan], Broken | None], most_runs: int = 400
) -> Shrunk:
    """The smallest plan found that breaks what `plan` does, as `test` says."""
    expect = plan.expect.model_copy(update={"must_see": []})
    done = Shrunk(plan, plan.model_copy(update={"expect": expect}), broken)
    tried = {done.plan.model_dump_json()}
    again = True
    while again:
        again = False
        for says, smaller in simpler(done.plan):
            text = smaller.model_dump_json()
            if text in tried:
                continue
            if done.runs >= most_runs:
                done.finished = False
                return done
            tried.add(text)
            done.runs += 1
            try:
                found = test(smaller)
            except HarnessError:
                continue
            if found is not None and found.property == broken.property:
                done.plan, done.broken, again = smaller, found, True
                done.kept.append(says)
                break
    return done


# ---- simplifications ---------------------------------------------------------------------------
def simpler(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Plans that are simpler than this one in one respect, the greatest gain first."""
    yield from _fewer_faults(plan)
    yield from _fewer_frameworks(plan)
    yield from _less_work(plan)
    yield from _smaller_cluster(plan)
    yield from _plainer_faults(plan)
    for seed in range(min(plan.seed, 3)):
        yield f"seed {seed}", plan.model_copy(update={"seed": seed})


def _fewer_faults(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """None, each half, each quarter, all but one."""
    faults, size = plan.fault, len(plan.fault)
    while size >= 1:
        for at in range(0, len(faults), size):
            left = faults[:at] + faults[at + size :]
            yield f"{len(left)} faults", plan.model_copy(update={"fault": left})
        size //= 2


def _fewer_frameworks(plan: Plan) -> Iterator[tuple[str, Plan]]:
    for name in ("foreign", "misfits", "held_back", "unordered_calls", "clock_skew_s"):
        if getattr(plan.cluster, name, 0):
            yield f"no {name}", _cluster(plan, **{name: 0})
    if len(plan.workload) > 1:
        for at in range(len(plan.workload)):
            left = plan.workload[:at] + plan.workload[at + 1 :]
            yield "a workload less", plan.model_copy(update={"workload": left})
    plain = {"unruly": False, "rivals": 0, "stillborn": 0, "executor": "command"}
    for at, workload in enumerate(plan.workload):
        for name, value in plain.items():
            if getattr(workload, name) != value:
                yield f"{name} {value}", _workload(plan, at, **{name: value})


def _less_work(plan: Plan) -> Iterator[tuple[str, Plan]]:
    for at, workload in enumerate(plan.workload):
        for items in _smaller(workload.items, 1):
            yield f"{items} items", _workload(plan, at, items=items)
        for name in ("command", "cpus", "mem_mb", "parallel"):
            plain = Workload.model_fields[name].default
            if getattr(workload, name) != plain:
                yield f"plain {name}", _workload(plan, at, **{name: plain})
    if plan.cluster.foreign:
        for calls in _smaller(plan.cluster.foreign_calls, 1):
            yield f"{calls} foreign calls", _cluster(plan, foreign_calls=calls)


def _smaller_cluster(plan: Plan) -> Iterator[tuple[str, Plan]]:
    for name in ("masters", "agents"):
        for fewer in range(1, getattr(plan.cluster, name)):
            yield f"{fewer} {name}", _cluster(plan, **{name: fewer})
    if plan.cluster.timers:
        yield "no timers", _cluster(plan, timers={})
    for timer in plan.cluster.timers if len(plan.cluster.timers) > 1 else ():
        left = {name: value for name, value in plan.cluster.timers.items() if name != timer}
        yield f"no {timer}", _cluster(plan, timers=left)
    for name in ("uneven", "cpus", "mem_mb", "lease_s"):
        plain = getattr(PLAIN_CLUSTER, name)
        if getattr(plan.cluster, name) != plain:
            yield f"plain {name}", _cluster(plan, **{name: plain})


def _plainer_faults(plan: Plan) -> Iterator[tuple[str, Plan]]:
    for at, fault in enumerate(plan.fault):
        for changes in _plainer(fault):
            plainer = fault.model_copy(update=changes)
            faults = [*plan.fault[:at], plainer, *plan.fault[at + 1 :]]
            says = f"fault {at + 1}: " + ", ".join(f"{k}={v}" for k, v in changes.items())
            yield says, plan.model_copy(update={"fault": faults})


def _plainer(fault: Fault) -> Iterator[dict[str, Any]]:
    if fault.after is not None:
        site, times = fault.after.split("#")
        for fewer in _smaller(int(times), 1):
            yield {"after": f"{site}#{fewer}"}
    elif fault.at_s is not None:
        for earlier in TIMES_S:
            if earlier < fault.at_s:
                yield {"at_s": earlier}
    for name in PLAIN_FAULT:
        plain = Fault.model_fields[name].default
        if getattr(fault, name) != plain:
            yield {name: plain}
    if fault.target == "agent:any":
        yield {"target": "agent:1"}


def _smaller(number: int, least: int) -> Iterator[int]:
    """Numbers below `number`: the least, then by halves of what is left, then one less."""
    step = number - least
    while step >= 1:
        yield number - step
        step //= 2


def _cluster(plan: Plan, **changes: Any) -> Plan:
    return plan.model_copy(update={"cluster": plan.cluster.model_copy(update=changes)})


def _workload(plan: Plan, at: int, **changes: Any) -> Plan:
    changed = plan.workload[at].model_copy(update=changes)
    work = [*plan.workload[:at], changed, *plan.workload[at + 1 :]]
    return plan.model_copy(update={"workload": work})
