"""A campaign: many plans, drawn by a portfolio, run wherever an executor runs things.

The coordinator hands out *batches* of a few CPU seconds to any `concurrent.futures` executor, one
strategy after the other, and merges what comes back.  A plan that shows something new joins the
pool that `novelty` draws from.  The first plan that breaks a property is made small, by a batch of
its own, and kept; others that break the same are counted.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import Broken, run_plan, what_broke
from mesos_chaos.search.coverage import Coverage, Mark, Marking
from mesos_chaos.search.drawing import OF_TIERS
from mesos_chaos.search.portfolio import Strategy, draw
from mesos_chaos.search.shrinking import Shrunk, measure, shrink

BATCH_S = 3.0
BATCH_RUNS = 10
PLAN_S = 60.0
POOL = 60
#: Of each tier, how many runs shrinking may take: those on real processes take seconds each.
SHRINK_RUNS = {1: 300, 2: 300, 3: 20}
PROGRESS_S = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Work for one process: plans `first`, `first + 1`, … of a strategy, until time is up."""

    strategy: Strategy
    seed: str
    first: int
    most: int
    pool: tuple[str, ...] = ()
    limit_s: float = BATCH_S  #: CPU time (tier 3: time) after which no other plan is begun
    tier: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What one plan did."""

    plan: str
    marks: frozenset[Mark]
    broken: Broken | None
    cpu_s: float
    harness: str = ""  #: how the harness itself failed


def work(batch: Batch) -> list[Run]:
    """Do a batch; in whatever process this is."""
    pool = [Plan.model_validate_json(text) for text in batch.pool]
    runs: list[Run] = []
    clock = time.process_time if batch.tier < 3 else time.monotonic  # where others do the work
    until_s = clock() + batch.limit_s
    for number in range(batch.first, batch.first + batch.most):
        seed = f"{batch.seed}/{number}"
        plan = draw(batch.strategy, seed, pool, OF_TIERS[batch.tier])
        runs.append(_run(plan, batch.tier))
        if clock() > until_s:
            break
    return runs


def _run(plan: Plan, tier: int) -> Run:
    marking, began_s = Marking(), time.process_time()
    broken, harness = None, ""
    try:
        broken = run_plan(plan, PLAN_S, marking, tier).broken
    except Exception as error:
        harness = f"{type(error).__name__}: {error}"
    spent_s = time.process_time() - began_s
    text = plan.model_dump_json(exclude_defaults=True)
    return Run(text, frozenset(marking.marks), broken, spent_s, harness)


def make_small(plan: str, broken: Broken, tier: int = 1) -> Shrunk:
    """Shrink in the tier it was found in, in whatever process this is."""
    whole = Plan.model_validate_json(plan)
    return shrink(whole, broken, lambda p: what_broke(p, PLAN_S, tier), SHRINK_RUNS[tier])


@dataclass(slots=True)
class Found:
    """A property that was broken: by which strategy first, how often, and the smallest plan."""

    broken: Broken
    strategy: Strategy
    times: int = 1
    small: Shrunk | None = None
    files: dict[str, str] = field(default_factory=dict)  #: where it is kept

    def text(self) -> str:
        """For people."""
        lines = [f"BROKEN  {self.broken.kind} ({self.times} times): {self.broken.says}"]
        lines.append(
            f"  found by {self.strategy}" + (f"; {self.small.text()}" if self.small else "")
        )
        return "\n".join([*lines, *(f"  {path}" for path in self.files.values())])

    def json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "property": self.broken.property,
            "kind": self.broken.kind,
            "says": self.broken.says,
            "strategy": self.strategy,
            "times": self.times,
            "size": measure(self.small.plan) if self.small else {},
            "files": self.files,
        }


@dataclass(slots=True)
class Tally:
    """What one strategy has come to."""

    runs: int = 0
    cpu_s: float = 0.0
    new: int = 0  #: marks it was the first to show
    broke: int = 0

    def text(self) -> str:
        """For people."""
        rate = self.new / self.cpu_s if self.cpu_s else 0.0
        return (
            f"{self.runs:>6} runs {self.cpu_s:8.1f} CPU s {self.new:>6} new marks "
            f"({rate:.1f} a CPU s) {self.broke:>4} broken"
        )


@dataclass(slots=True)
class Report:
    """What a campaign came to."""

    coverage: Coverage = field(default_factory=Coverage)
    tallies: dict[Strategy, Tally] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)  #: by property
    harness: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0

    @property
    def exit_code(self) -> int:
        """That of the worst run, as of `mesos-chaos run`."""
        codes = {found.broken.exit_code for found in self.found.values()}
        return 5 if self.harness else next((code for code in (4, 1, 3, 2) if code in codes), 0)

    def json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "exit_code": self.exit_code,
            "took_s": round(self.took_s, 2),
            "found": [found.json() for found in self.found.values()],
            "harness": dict(self.harness),
            "strategies": {
                strategy: {
                    "runs": tally.runs,
                    "cpu_s": round(tally.cpu_s, 2),
                    "new": tally.new,
                    "broken": tally.broke,
                }
                for strategy, tally in self.tallies.items()
            },
            "coverage": self.coverage.json(),
        }


Tell = Callable[[str], object]


class Campaign:
    """Runs batches until the time, or the number of runs, is up."""

    def __init__(
        self,
        executor: Executor,
        *,
        jobs: int = 1,
        seed: str = "0",
        strategies: Sequence[Strategy] = tuple(Strategy),
        tier: int = 1,
        tell: Tell = lambda line: None,
        kept: Callable[[Found], object] = lambda found: None,
    ) -> None:
        """`jobs` batches at once; `tell` hears of progress, `kept` of each plan made small.

        In tier 3 a job has the machine for itself: one at a time.
        """
        self.report = Report(tallies={strategy: Tally() for strategy in strategies})
        self._executor, self._jobs, self._seed = executor, jobs, seed
        self._strategies, self._tell, self._kept = list(strategies), tell, kept
        self._tier = tier
        self._pool: list[str] = []
        self._batches: dict[Future[list[Run]], Batch] = {}
        self._shrinking: dict[Future[Shrunk], str] = {}
        self._next = dict.fromkeys(strategies, 0)
        self._turn = 0

    def run(self, time_s: float = math.inf, runs: float = math.inf) -> Report:
        """Go on for `time_s` by the clock, or for so many `runs`; then finish what was begun."""
        began_s = time.monotonic()
        tell_s, left = began_s + PROGRESS_S, runs
        while True:
            while left > 0 and self._is_idle and time.monotonic() < began_s + time_s:
                left -= self._hand_out(int(min(BATCH_RUNS, left)), exact=runs < math.inf)
            pending: list[Future[Any]] = [*self._batches, *self._shrinking]
            if not pending:
                break
            for future in wait(pending, PROGRESS_S, FIRST_COMPLETED).done:
                self._take(future)
            if time.monotonic() >= tell_s:
                tell_s += PROGRESS_S
                self._tell(self.progress(time.monotonic() - began_s))
        self.report.took_s = time.monotonic() - began_s
        return self.report

    @property
    def _is_idle(self) -> bool:
        """Whether there is room for another batch."""
        return len(self._batches) + len(self._shrinking) < self._jobs

    def _hand_out(self, most: int, exact: bool) -> int:
        """Begin a batch of `most` plans; of exactly so many, or of fewer if they take long."""
        strategy = self._strategies[self._turn % len(self._strategies)]
        self._turn += 1
        first = self._next[strategy]
        self._next[strategy] += most
        pool = tuple(self._pool) if strategy is Strategy.NOVELTY else ()
        limit_s = math.inf if exact else BATCH_S
        batch = Batch(strategy, self._seed, first, most, pool, limit_s, self._tier)
        self._batches[self._executor.submit(work, batch)] = batch
        return most

    def _take(self, future: Future[Any]) -> None:
        if future in self._shrinking:
            found = self.report.found[self._shrinking.pop(future)]
            found.small = future.result()
            self._kept(found)
            return
        strategy = self._batches.pop(future).strategy
        for run in future.result():
            self._count(strategy, run)

    def _count(self, strategy: Strategy, run: Run) -> None:
        tally = self.report.tallies[strategy]
        tally.runs += 1
        tally.cpu_s += run.cpu_s
        if run.harness:
            self.report.harness[f"{run.harness}, with {run.plan}"] += 1
            return
        new = self.report.coverage.add(run.marks)
        tally.new += new
        if new:
            self._pool = [*self._pool, run.plan][-POOL:]
        if run.broken is not None:
            tally.broke += 1
            self._break(strategy, run.plan, run.broken)

    def _break(self, strategy: Strategy, plan: str, broken: Broken) -> None:
        known = self.report.found.get(broken.property)
        if known is not None:
            known.times += 1
            return
        self.report.found[broken.property] = Found(broken, strategy)
        self._tell(f"  broken  {broken.kind}: {broken.says}")
        small = self._executor.submit(make_small, plan, broken, self._tier)
        self._shrinking[small] = broken.property

    def progress(self, took_s: float) -> str:
        """A line: how long, how many runs and marks, what is broken, who ran how many."""
        report = self.report
        who = ", ".join(f"{strategy} {tally.runs}" for strategy, tally in report.tallies.items())
        cover = report.coverage
        return (
            f"  {took_s:5.0f} s  {cover.runs} runs, {len(cover.marks)} marks, "
            f"{len(report.found)} broken  ({who})"
        )
