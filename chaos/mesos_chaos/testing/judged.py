"""What the `mesos` fixture does: each plan of a test in turn, until something is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from mesos_chaos.plan import (
    Cluster,
    Fault,
    FaultKind,
    Plan,
    PlanError,
    Scenario,
    Workload,
    load_scenario,
)
from mesos_chaos.testing.finding import Finding, Goal, Run, examine, shrunk
from mesos_chaos.testing.site import Main
from mesos_chaos.writing import scenario_text

#: What happens where a test names no scenario: each party dies once, and a leader oversleeps.
USUAL = Plan(
    cluster=Cluster(masters=3, agents=3),
    workload=[Workload(name="mine")],
    fault=[
        Fault(kind=FaultKind.KILL, target="leader", at_s=2.0),
        Fault(kind=FaultKind.RESET, target="agent:1", at_s=3.0),
        Fault(kind=FaultKind.KILL, target="agent:any", at_s=4.0),
        Fault(kind=FaultKind.KILL, target="scheduler:mine", at_s=6.0),
        Fault(kind=FaultKind.PAUSE, target="leader", at_s=8.0, for_s=3.0),
    ],
)

GUILTY = {
    "framework": "the framework under test",
    "library": "mesos-ref's scheduler library",
    "master": "a master of mesos-ref",
    "agent": "an agent of mesos-ref",
    "executor": "an executor of mesos-ref",
    "plan": "the plan",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a test asks for."""

    test: str  #: its node id
    plans: list[tuple[str, Plan]]  #: each with what it is called
    findings: Path  #: where to keep plans that something is wrong under
    folder: Path  #: of this test alone
    shrink_runs: int


def seeds_of(options: Mapping[str, Any]) -> int:
    """How many seeds a marker asks for.  Raises `PlanError`."""
    odd = sorted(options.keys() - {"seeds"})
    if odd:
        raise PlanError(f"the mark `mesos` knows no {odd[0]!r}: it takes scenarios, and seeds=N")
    seeds = options.get("seeds", 1)
    if type(seeds) is not int or seeds < 1:
        raise PlanError(f"seeds={seeds!r} is no number of runs: it must be 1 or more")
    return seeds


def plans_of(scenarios: tuple[Any, ...], seeds: int, seed: int | None) -> list[tuple[str, Plan]]:
    """The plans that a marker names.  Raises `PlanError`."""
    found = []
    for given in scenarios or (USUAL,):
        name, plan = ("the plan", given) if isinstance(given, Plan) else load_scenario(str(given))
        chosen = [seed] if seed is not None else [plan.seed + n for n in range(seeds)]
        found += [(name, plan.model_copy(update={"seed": each})) for each in chosen]
    return found


class Mesos:
    """Clusters to run a framework on, each faulty in another way, and judged."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        #: The runs so far in which all was well.
        self.runs: list[Run] = []

    def run(self, framework: Main, goal: Goal | None = None) -> list[Run]:
        """Run a framework under each plan, in virtual time; the runs, if all is well in them.

        It takes the place of the framework of each workload of the plan.  `goal` is asked of each
        run when all is over: it returns False, or fails an assertion, where what was wanted is not
        there.  Fails the test at the first plan under which something is wrong.
        """
        for name, plan in self.asked.plans:
            found = examine(framework, plan, goal)
            if isinstance(found, Finding):
                pytest.fail(self._told(name, framework, found, goal), pytrace=False)
            self.runs.append(found)
        return self.runs

    def run_command(self, command: str, goal: str | None = None) -> None:
        """Run a framework, in any language, under each plan, on real processes.

        `command` finds the masters in the variable MESOS_REF_MASTER; it is run once for each
        workload, and is done when it ends with status 0.  `goal` is a command that must end with 0
        after the heal.  Fails the test at the first plan under which something is wrong.
        """
        from mesos_chaos.folder import fresh_folder
        from mesos_chaos.live.run import run_live
        from mesos_ref.cluster.cluster import ClusterError

        for name, plan in self.asked.plans:
            folder = fresh_folder(self.asked.folder, name.replace(" ", "-"), plan.seed)

            async def live(plan: Plan = plan, folder: Path = folder, name: str = name) -> Any:
                return await run_live(name, plan, folder, framework=command, goal=goal)

            try:
                result = trio.run(live)
            except ClusterError as error:
                pytest.fail(str(error), pytrace=False)
            if result.exit_code:
                told = f"{result.text()}\n\nsee {folder}\nagain: {self._again(self._kept(plan))}"
                pytest.fail(told, pytrace=False)

    # ---- telling -----------------------------------------------------------------------------
    def _told(self, name: str, main: Main, found: Finding, goal: Goal | None) -> str:
        """What is wrong, whose fault it is, the smallest plan, and how to see it again."""
        party, plan, broken, how = found.party, found.run.plan, found.broken, ""
        if self.asked.shrink_runs and party != "plan":
            done, party = shrunk(main, found, goal, self.asked.shrink_runs)
            plan, broken, how = done.plan, done.broken, f", made small: {done.text()}"
        kept = self._kept(plan)
        faults = [f"  {f.kind} {f.target} {_when(f)}" for f in plan.fault] or ["  no fault at all"]
        lines = [
            f"under {name}, seed {found.run.plan.seed}: {broken.says}",
            f"at fault: {GUILTY.get(party, party)}",
            "",
            *([] if broken.evidence in broken.says else [broken.evidence, ""]),
            f"the plan{how}:",
            *faults,
            "",
            f"again: {self._again(kept)}",
        ]
        return "\n".join(lines)

    def _kept(self, plan: Plan) -> Path:
        """The plan, written to a file."""
        word = re.sub(r"\W+", "_", self.asked.test).strip("_")
        path = self.asked.findings / f"{word[-120:]}.toml"
        title, why = f"Found by {word}", "Something is wrong under this plan: the test says what."
        bare = plan.bare().model_dump()
        scenario = Scenario.model_validate({**bare, "title": title, "why": why})
        path.write_text(scenario_text(scenario))
        return path

    def _again(self, plan: Path) -> str:
        return f"pytest '{self.asked.test}' --mesos-plan {plan}"


def _when(fault: Any) -> str:
    return f"after {fault.after}" if fault.after is not None else f"at {fault.at_s:g} s"
