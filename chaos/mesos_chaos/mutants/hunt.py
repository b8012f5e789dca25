"""Hunting a mutant: run simulated plans until some property notices, or the budget is spent.

Each mutant is hunted in a process of its own.  The hunt tries every shipped scenario with one seed,
then with the next.  A mutant is *caught* when the judge names a violation, when a run does
not settle after the heal, or when a core raises on what a peer sent; a failure of the harness
itself is no catch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from mesos_chaos.mutants import Mutant, parse_mutant


@dataclass(frozen=True, slots=True)
class Hunt:
    """What came of hunting one mutant."""

    id: str
    caught: bool
    property: str
    plans: int
    cpu_s: float
    evidence: str = ""


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


def _hunt_here(mutant: Mutant, budget_s: float, seeds: int) -> Hunt:
    """Hunt in this process, into which the mutant has been planted."""
    from mesos_chaos.plan import load_scenario, shipped
    from mesos_chaos.sim.run import simulate

    plans = 0
    for seed in range(seeds):
        for name in shipped():
            plan = load_scenario(name)[1].model_copy(update={"seed": seed})
            plans += 1
            found = _try(plan, simulate)
            if found is not None:
                return Hunt(mutant.id, True, found[0], plans, time.process_time(), found[1])
            if time.process_time() > budget_s:
                return Hunt(mutant.id, False, "", plans, time.process_time())
    return Hunt(mutant.id, False, "", plans, time.process_time())


def _try(plan: object, simulate: object) -> tuple[str, str] | None:
    """The property that a run broke, and the evidence; None if it went well."""
    try:
        result, _ = simulate(plan)  # type: ignore[operator]
    except Exception as error:
        if _raised_in_product(error):
            return "a core raised", repr(error)
        raise
    if result.verdict.violations:
        violation = result.verdict.violations[0]
        return violation.says, violation.text()
    if not result.settled:
        return "does not settle after the heal", "; ".join(result.pending)
    return None


def _raised_in_product(error: Exception) -> bool:
    frame = error.__traceback__
    last = ""
    while frame is not None:
        last = frame.tb_frame.f_code.co_filename
        frame = frame.tb_next
    return f"{Path('mesos_ref')}/" in last


def main() -> None:
    """Child process: the mutant comes on standard input, the result goes to standard output."""
    budget_s, seeds = float(sys.argv[1]), int(sys.argv[2])
    mutant = Mutant.model_validate_json(sys.stdin.read())
    from mesos_chaos.mutants.planting import plant

    plant(mutant)
    print(json.dumps(asdict(_hunt_here(mutant, budget_s, seeds))))


if __name__ == "__main__":
    main()

__all__ = ["Hunt", "hunt", "parse_mutant"]
