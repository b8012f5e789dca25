"""Every fault at every site of a small plan, one by one and in pairs, to the end.

The plan is run once without faults, to see which sites it reaches and how often.  Then each fault
of the vocabulary strikes at each of them, in a run of its own: what is true of all of these is no
sample.  For pairs, each first fault is run once to see which sites are reached because of it.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesos_chaos.plan import Cluster, Expect, Fault, FaultKind, Plan, Workload
from mesos_chaos.search.breaking import Broken, run_plan
from mesos_chaos.search.resuming import Result, Resumed

NAME = "small"
SETTLES_S = 120.0
CHUNK = 25  #: runs that are handed out at once
AHEAD = 8  #: chunks that are under way while one is taken
TELL_S = 5.0

#: Two masters, one agent, one framework with one item; timers that let everything end soon.
SMALL = Plan(
    cluster=Cluster(
        masters=2,
        agents=1,
        timers={
            "agent_ping_timeout_s": 1.0,
            "max_agent_ping_timeouts": 2,
            "agent_reregister_timeout_s": 2.0,
            "offer_timeout_s": 2.0,
        },
    ),
    workload=[Workload(name=NAME, items=1, command="sleep 0.05")],
    expect=Expect(settles_within_s=SETTLES_S),
)
#: The same with an executor of the framework's own, which runs two tasks.
SMALL_CUSTOM = SMALL.model_copy(
    update={"workload": [Workload(name=NAME, items=2, command="sleep 0.05", executor="custom")]}
)

MOMENTS = ("unkept", "unsent", "after")
KILLED = {"master": "leader", "agent": "agent:1", "scheduler": f"scheduler:{NAME}"}

#: All that can be done to the small cluster, but kills of the three whose sites these are.
#: The first four lose something for good: pairs are of those.
OTHERS: tuple[dict[str, Any], ...] = (
    {"kind": "kill", "target": "executor:any"},
    {"kind": "depose", "target": "leader"},
    {"kind": "reset", "target": "agent:1"},
    {"kind": "cut", "target": "agent:1", "for_s": 4.0},
    {"kind": "kill", "target": "standby"},
    {"kind": "kill", "target": "agent:1", "restart_after_s": 3.0},  # it is given up meanwhile
    {"kind": "pause", "target": "leader", "for_s": 0.3},
    {"kind": "pause", "target": "leader", "for_s": 2.0},
    {"kind": "pause", "target": "agent:1", "for_s": 3.0},
    {"kind": "cut", "target": "agent:1", "for_s": 0.3},
    {"kind": "cut", "target": "agent:1", "direction": "up", "for_s": 4.0},
    {"kind": "cut", "target": "agent:1", "direction": "down", "for_s": 4.0},
    {"kind": "delay", "target": "agent:1", "direction": "up", "for_s": 1.0, "delay_s": 0.1},
    {"kind": "delay", "target": "agent:1", "direction": "down", "for_s": 1.0, "delay_s": 0.1},
)
LOSING = 4


def faults_at(site: str, losing: bool = False) -> Iterator[Fault]:
    """Every fault at one site, as `master.accept#1`; or only those that lose something."""
    here = site.partition(".")[0]
    for role, target in KILLED.items():
        for moment in MOMENTS if role == here else ("after",):
            if role == here or not losing:
                yield _fault(site, kind="kill", target=target, moment=moment)
    for other in OTHERS[:LOSING] if losing else OTHERS:
        yield _fault(site, **other)


def _fault(site: str, **given: Any) -> Fault:
    return Fault.model_validate({"after": site, **given, "kind": FaultKind(given["kind"])})


def sites_of(plan: Plan) -> list[str]:
    """The sites that a run of `plan` reaches: `master.accept#1`, `master.accept#2`, …"""
    ran = run_plan(plan)
    if ran.broken is not None or ran.cluster is None:
        raise ValueError(f"the plan breaks something by itself: {ran.broken}")
    seen = {s: n for s, n in ran.cluster.judge.seen.items() if not s.endswith("_acts")}
    return [f"{site}#{n}" for site, most in sorted(seen.items()) for n in range(1, most + 1)]


def singles(plan: Plan) -> list[Plan]:
    """The plan with each fault at each of its sites."""
    return [_with(plan, fault) for site in sites_of(plan) for fault in faults_at(site)]


def pairs(plan: Plan) -> Iterator[Plan]:
    """The plan with any two faults that lose something.

    The first is where the plan reaches a site for the first time; the second is at another such
    place that is no earlier in the list, or at a site that is reached because of the first.
    """
    known = sites_of(plan)
    once = [site for site in known if site.endswith("#1")]
    for site in once:
        for fault in faults_at(site, losing=True):
            first = _with(plan, fault)
            new = [one for one in sites_of(first) if one not in known]
            for other in [one for one in once if one >= site] + new:
                yield from (_with(plan, fault, f) for f in faults_at(other, losing=True))


def _with(plan: Plan, *faults: Fault) -> Plan:
    return plan.model_copy(update={"fault": list(faults)})


@dataclass(slots=True)
class Counts:
    """What an exhaustive run came to."""

    sites: int
    planned: int = 0
    runs: int = 0
    struck: int = 0  #: runs in which every fault found its target
    resumed: int = 0  #: runs of an earlier process
    broken: dict[str, tuple[Plan, Broken, int]] = field(default_factory=dict)
    harness: Counter[str] = field(default_factory=Counter)  #: how the harness itself failed

    def add(self, plan: Plan, struck: bool, broken: Broken | None, harness: str) -> None:
        """Take in a run."""
        self.runs += 1
        self.struck += struck
        if harness:
            self.harness[harness] += 1
        if broken is not None:
            first, first_broken, times = self.broken.get(broken.property, (plan, broken, 0))
            self.broken[broken.property] = (first, first_broken, times + 1)

    @property
    def finished(self) -> bool:
        """Whether all that was planned was run."""
        return self.runs == self.planned

    def text(self) -> str:
        """In a line."""
        end = "all of them run" if self.finished else f"{self.runs} run"
        before = f" ({self.resumed} of them before)" if self.resumed else ""
        return (
            f"{self.sites} sites, {self.planned} plans, {end}{before}; "
            f"in {self.struck} every fault struck; {len(self.broken)} properties broken"
        )


def run_all(plans: list[str]) -> list[Result]:
    """Run each of these plans: whether all its faults found their targets, and what it broke."""
    return [_run(Plan.model_validate_json(text)) for text in plans]


def _run(plan: Plan) -> Result:
    try:
        ran = run_plan(plan, 60.0)
    except Exception as error:
        return False, None, f"{type(error).__name__}: {error}, with {_text(plan)}"
    done = [] if ran.result is None else ran.result.faults_done
    struck = len(done) == len(plan.fault) and not any("nobody" in line for line in done)
    return struck, ran.broken, ""


def _text(plan: Plan) -> str:
    return plan.model_dump_json(exclude_defaults=True)


def exhaust(
    plan: Plan,
    executor: Executor,
    in_pairs: bool = False,
    most: int | None = None,
    tell: Callable[[str], object] = lambda line: None,
    *,
    time_s: float = math.inf,
    kept: Path | None = None,
) -> Counts:
    """Run every single fault of `plan`, or every pair; at most so many runs, or for so long.

    What was run is kept in the file `kept`, and not run again by who is given it, too.  Raises
    `ResumeError` where that is of other plans or other code.
    """
    counts = Counts(sites=len(sites_of(plan)))
    chosen = list(pairs(plan)) if in_pairs else singles(plan)
    counts.planned = len(chosen)
    wanted = chosen[:most]
    chunks = [wanted[at : at + CHUNK] for at in range(0, len(wanted), CHUNK)]
    resumed = Resumed(kept, map(_text, wanted))
    for n, results in sorted(resumed.done.items()):
        _count(counts, chunks[n], results)
    counts.resumed = counts.runs
    began_s = told_s = time.monotonic()
    todo = (n for n in range(len(chunks)) if n not in resumed.done)
    in_time = itertools.takewhile(lambda _: time.monotonic() < began_s + time_s, todo)
    for n, results in _handed_out(chunks, in_time, executor):
        resumed.keep(n, results)
        _count(counts, chunks[n], results)
        if time.monotonic() > told_s + TELL_S:
            told_s = time.monotonic()
            took = f"{told_s - began_s:5.0f} s"
            many = f"{counts.runs} of {counts.planned} run"
            tell(f"  {took}  {many}, {len(counts.broken)} properties broken")
    return counts


def _count(counts: Counts, chunk: list[Plan], results: list[Result]) -> None:
    for plan, result in zip(chunk, results):
        counts.add(plan, *result)


def _handed_out(
    chunks: list[list[Plan]], todo: Iterator[int], executor: Executor
) -> Iterator[tuple[int, list[Result]]]:
    """Chunks with their results, a few chunks ahead of what is taken."""
    futures = ((n, executor.submit(run_all, [_text(one) for one in chunks[n]])) for n in todo)
    ahead = list(itertools.islice(futures, AHEAD))
    while ahead:
        n, future = ahead.pop(0)
        yield n, future.result()
        ahead += itertools.islice(futures, 1)
