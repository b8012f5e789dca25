"""Hunting a mutant with real shells: for bugs in shells and ports, which tier 1 does not run.

The implementation is copied, the copy is edited, and scenarios are run with it in front of the real
one on Python's path, so that every process of the cluster has the bug: in virtual time (tier 2), or
on real processes (tier 3).  A scenario catches it as in simulation: the judge names a violation, or
the run does not settle.  On real processes times are drawn by the machine, so each scenario may be
tried with several seeds.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mesos_chaos.mutants import Mutant
from mesos_chaos.mutants.hunt import FAILED, Hunt, Rules
from mesos_chaos.search.breaking import Catch

PRODUCT = "mesos_ref"
#: What is tried when a mutant names nothing: everything dies once, a link breaks, a leader hangs.
SCENARIOS = ("everything_dies", "agent_killed", "deposed_leader", "slow_link")
SEEDS = 2
#: Of one run, by the clock.  In virtual time a run waits for nothing but the processor, which may
#: be busy; one that goes round in circles is long until it has not settled.
RUN_S = {2: 900, 3: 180}


def hunt_live(mutant: Mutant, rules: Rules, tier: int = 3) -> Hunt:
    """Hunt `mutant` with scenarios of a tier that runs shells."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        scratch = Path(folder)
        try:
            _edited_copy(mutant, scratch)
        except OSError as error:
            return Hunt(id=mutant.id, caught=False, property=f"{FAILED}{error}")
        began_s, plans, last = _children_s(), 0, ""
        for name, seed in _tries(mutant, rules):
            if _children_s() - began_s > rules.budget_s:
                break
            plans += 1
            code, facts = _run(name, seed, scratch, tier)
            spent_s = _children_s() - began_s
            if code in (1, 3, 4):
                kind, says = _caught(code, facts)
                return Hunt(
                    id=mutant.id, caught=True, plans=plans, cpu_s=spent_s,
                    strategy="virtual" if tier == 2 else "live",
                    scenario=name, seed=seed, kind=kind, property=says,
                )  # fmt: skip
            last = "" if code in (0, 2) else f"{FAILED}{facts.get('error', f'exit code {code}')}"
    return Hunt(
        id=mutant.id, caught=False, property=last, plans=plans, cpu_s=_children_s() - began_s
    )


def _edited_copy(mutant: Mutant, scratch: Path) -> None:
    spec = find_spec(PRODUCT)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"there is no package {PRODUCT}")
    shutil.copytree(
        Path(spec.origin).parent, scratch / PRODUCT, ignore=shutil.ignore_patterns("__pycache__")
    )
    path = scratch.joinpath(*mutant.module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    file.write_text(mutant.edited(file.read_text()))


def _tries(mutant: Mutant, rules: Rules) -> Iterator[tuple[str, int]]:
    names = mutant.where if rules.hints and mutant.where else SCENARIOS
    for seed in range(SEEDS):
        yield from ((name, seed) for name in names)


def _run(name: str, seed: int, scratch: Path, tier: int) -> tuple[int, dict[str, Any]]:
    """One run: its exit code, and what it said."""
    words = ["run", name, "--tier", tier, "--seed", seed, "--json", "--dir", scratch / "runs"]
    environment = {**os.environ, "PYTHONPATH": str(scratch)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mesos_chaos", *map(str, words)],
            capture_output=True, text=True, check=False, timeout=RUN_S[tier],
            env=environment, cwd=scratch,  # which comes before all else on Python's path
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 5, {"error": f"the run took more than {RUN_S[tier]} s"}
    lines = done.stdout.strip().splitlines()
    try:
        return done.returncode, json.loads(lines[-1])
    except (IndexError, ValueError):
        return 5, {"error": (done.stderr.strip().splitlines() or ["no output"])[-1]}


def _caught(code: int, facts: Mapping[str, Any]) -> tuple[Catch, str]:
    violations = facts.get("verdict", {}).get("violations", [])
    if code in (1, 4) and violations:
        return Catch.VIOLATION, violations[0]["says"]
    for kind, found in ((Catch.LATE, facts.get("late")), (Catch.LEAK, facts.get("leaks"))):
        if found:
            return kind, f"{kind}: {found[0]}"
    pending = facts.get("pending") or ["the goal was not reached"]
    return Catch.UNSETTLED, f"does not settle: {pending[0]}"


def _children_s() -> float:
    """CPU time of all processes that ended under this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
