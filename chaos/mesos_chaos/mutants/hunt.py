"""Hunting a mutant: run simulated plans until something notices, or the budget is spent.

Each mutant is hunted in a process of its own.  The hunt tries the scenarios that its file names,
then every shipped one, seed after seed.  A mutant is *caught* when the judge names a violation,
when a run does not settle after the heal, when a core holds what it must not or forgets a timer, or
when it raises on what a peer sent; a failure of the harness itself is no catch.  Not settling is
the mutant's doing only if the clean code settles: the same plan is run once more without it, and
a plan that does not settle either way is *restless*, and no catch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from mesos_chaos.mutants import Mutant, MutantError
from mesos_chaos.plan import Plan, load_scenario, shipped
from mesos_spec.tools.judging.verdict import Kind

SEEDS_WHERE = 5  #: seeds of the scenarios a mutant names, before all others are tried


class Catch(StrEnum):
    """What gave a mutant away."""

    VIOLATION = "violation"  #: the judge names a property
    LATE = "late"  #: a timer was forgotten
    LEAK = "leak"  #: a core holds what it must not
    RAISED = "raised"  #: a core raised on what a peer sent
    UNSETTLED = "unsettled"  #: it does not settle, though the clean code does


@dataclass(frozen=True, slots=True)
class Broken:
    """What a run broke: of which kind, in a sentence, and the evidence."""

    kind: Catch
    says: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Hunt:
    """What came of hunting one mutant; caught by which plan, and by what."""

    id: str
    caught: bool
    property: str
    plans: int
    cpu_s: float
    scenario: str = ""
    seed: int = 0
    evidence: str = ""
    kind: str = ""  #: a `Catch`, if it was caught
    restless: list[str] = field(default_factory=list)  #: plans the clean code does not settle


def hunt(mutant: Mutant, budget_s: float, seeds: int = 20) -> Hunt:
    """Hunt `mutant` in a fresh process for at most `budget_s` CPU seconds."""
    command = [sys.executable, "-m", "mesos_chaos.mutants.hunt", str(budget_s), str(seeds)]
    text = mutant.model_dump_json()
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=budget_s * 10 + 60, check=False
    )
    if done.returncode != 0:
        tail = done.stderr.strip().splitlines()[-1:] or ["no output"]
        return Hunt(mutant.id, False, f"harness failed: {tail[0]}", 0, 0.0)
    return Hunt(**json.loads(done.stdout.splitlines()[-1]))


def _plans(mutant: Mutant, seeds: int) -> Iterator[tuple[str, int]]:
    """Scenario and seed of each plan to try, in order."""
    for seed in range(SEEDS_WHERE):
        for name in mutant.where:
            yield name, seed
    for seed in range(seeds):
        for name in shipped():
            if name not in mutant.where or seed >= SEEDS_WHERE:
                yield name, seed


def _hunt_here(mutant: Mutant, budget_s: float, seeds: int) -> Hunt:
    """Hunt in this process, into which the mutant has been planted."""
    plans = 0
    restless: list[str] = []
    for name, seed in _plans(mutant, seeds):
        if time.process_time() > budget_s:
            break
        plans += 1
        broken = what_broke(_plan(name, seed))
        if broken is None:
            continue
        if broken.kind is Catch.UNSETTLED and not _clean_is_well(name, seed):
            restless.append(f"{name} #{seed}")
            continue
        spent_s = time.process_time()
        return Hunt(
            *(mutant.id, True, broken.says, plans, spent_s, name, seed, broken.evidence),
            kind=broken.kind,
            restless=restless,
        )
    return Hunt(mutant.id, False, "", plans, time.process_time(), restless=restless)


def _plan(name: str, seed: int) -> Plan:
    return load_scenario(name)[1].model_copy(update={"seed": seed})


def _clean_is_well(name: str, seed: int) -> bool:
    """Whether a process without the mutant runs that plan and breaks nothing."""
    command = [sys.executable, "-m", "mesos_chaos.mutants.hunt", "clean", name, str(seed)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def what_broke(plan: Plan) -> Broken | None:
    """What a run of `plan` broke; nothing if it went well.

    Raises what the harness raises.
    """
    from mesos_chaos.sim.run import simulate  # not before the mutant is planted

    try:
        result, _ = simulate(plan)
    except Exception as error:
        if _raised_in_product(error):
            says = f"a core raised {type(error).__name__}"
            return Broken(Catch.RAISED, says, repr(error))
        raise
    for violation in result.verdict.violations:
        if violation.kind is not Kind.HARNESS:
            return Broken(Catch.VIOLATION, violation.says, violation.text())
    if result.late:
        return Broken(Catch.LATE, f"late: {result.late[0]}", "; ".join(result.late))
    if result.leaks:
        return Broken(Catch.LEAK, f"leak: {result.leaks[0]}", "; ".join(result.leaks))
    if not result.settled and not result.verdict.violations:
        says = f"does not settle: {result.pending[0]}"
        return Broken(Catch.UNSETTLED, says, "; ".join(result.pending))
    return None


def _raised_in_product(error: Exception) -> bool:
    """Whether the innermost frame is the implementation's."""
    import mesos_ref

    product = str(Path(mesos_ref.__file__).parent)
    innermost = list(traceback.walk_tb(error.__traceback__))[-1][0]
    return innermost.f_code.co_filename.startswith(product)


def main() -> None:
    """Child process: the mutant comes on standard input, the result goes to standard output.

    As `clean NAME SEED` it takes no mutant; it ends with 0 if nothing was broken, else with 1.
    """
    if sys.argv[1] == "clean":
        sys.exit(0 if what_broke(_plan(sys.argv[2], int(sys.argv[3]))) is None else 1)
    budget_s, seeds = float(sys.argv[1]), int(sys.argv[2])
    mutant = Mutant.model_validate_json(sys.stdin.read())
    from mesos_chaos.mutants.planting import is_planted, plant

    plant(mutant)
    found = _hunt_here(mutant, budget_s, seeds)
    if not is_planted(mutant):
        raise MutantError(f"mutant {mutant.id}: no plan imports {mutant.module}")
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
