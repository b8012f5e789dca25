"""`mesos-chaos shrink`: the smallest plan that breaks the same, ready to be kept."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.cli.run import seeds_of
from mesos_chaos.mutants import Mutant, MutantError, find_mutant
from mesos_chaos.plan import Plan, PlanError, load_scenario

_ABOUT = """\
Make a plan that breaks something small, as long as it breaks the same property: fewer faults first,
then fewer parties, less work, fewer machines, plainer values.  The plan is simulated (--tier 1, or
2), also where it comes from a run on real processes, unless --tier 3 says otherwise; a corpus entry
knows its tier.  With --seeds, seeds are tried until one breaks.

  mesos-chaos shrink my_plan.toml
  mesos-chaos shrink runs/deposed_leader/7 --seeds 0-99
  mesos-chaos shrink unruly_framework --mutant kill_of_unknown_is_dropped
  mesos-chaos shrink found/violation_1c9d0a3b.json

What is left is written to --dir: a scenario, a test, and a corpus entry.

  exit codes: 0 nothing is broken · 1, 3, 4 what the plan breaks, as `run` has it · 5 wrong use
"""


@dataclass(frozen=True, slots=True)
class Given:
    """A plan, and the mutant and the tier it was found with."""

    plan: Plan
    mutant: str | None = None
    tier: int = 1


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "shrink",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("plan", metavar="RUN_OR_SCENARIO", help="a name, a file, or the directory of a run")
    given("--mutant", metavar="ID|FILE", help="plant this first")
    given("--tier", type=int, choices=[1, 2, 3], help="where to run it (default: as found, or 1)")
    given("--seeds", type=seeds_of, metavar="A-B", help="try these, instead of the plan's own")
    given("--runs", type=int, default=400, metavar="N", help="at most so many runs (400)")
    given("--dir", type=Path, default=Path("found"), help="where it is written (default found)")
    given("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """What the plan breaks, as an exit code."""
    try:
        given = plan_of(args.plan)
        name = args.mutant or given.mutant
        mutant = None if name is None else find_mutant(name)
        if mutant is not None:
            from mesos_chaos.mutants.planting import plant

            plant(mutant)
    except (PlanError, MutantError, OSError) as error:
        print(f"mesos-chaos shrink: {error}", file=sys.stderr)
        return EXIT_USAGE
    tier = args.tier or given.tier
    if tier == 3 and mutant is not None:
        print("mesos-chaos shrink: --mutant is for tiers 1 and 2", file=sys.stderr)
        return EXIT_USAGE
    return _shrink(args, given.plan, tier, name, mutant)


def plan_of(name: str) -> Given:
    """The plan of a scenario, a corpus entry, or a run's directory.  Raises `PlanError`."""
    from mesos_chaos.search.keeping import parse_entry

    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        one = parse_entry(path.read_text(), name)
        return Given(one.plan, one.mutant, one.tier)
    if (path / "plan.toml").is_file():
        return Given(load_scenario(str(path / "plan.toml"))[1].bare())
    return Given(load_scenario(name)[1].bare())


def _shrink(
    args: argparse.Namespace, plan: Plan, tier: int, name: str | None, mutant: Mutant | None
) -> int:
    from mesos_chaos.search.breaking import HarnessError, what_broke
    from mesos_chaos.search.keeping import keep
    from mesos_chaos.search.shrinking import measure, shrink

    seeds = list(args.seeds or [plan.seed])
    for seed in seeds:
        tried = plan.model_copy(update={"seed": seed})
        try:
            broken = what_broke(tried, tier=tier)
        except HarnessError as error:
            print(f"HARNESS FAILED: {error}", file=sys.stderr)
            return 5
        if broken is not None:
            break
    else:
        if args.json:
            print(json.dumps({"broken": False, "seeds": seeds}))
        else:
            many = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds"
            print(f"nothing to shrink: with {many} it breaks nothing")
        return 0
    small = shrink(tried, broken, lambda p: what_broke(p, tier=tier), args.runs)
    files = keep(args.dir, small.plan, small.broken, mutant.id if mutant else None, tier)
    if args.json:
        facts = {
            "broken": True,
            "kind": small.broken.kind,
            "property": small.broken.property,
            "runs": small.runs,
            "finished": small.finished,
            "was": measure(small.first),
            "is": measure(small.plan),
            "plan": small.plan.model_dump(mode="json", exclude_defaults=True),
            "files": {kind: str(path) for kind, path in files.items()},
        }
        print(json.dumps(facts))
    else:
        print(f"{small.broken.kind}: {small.broken.says}\n  {small.text()}")
        for path in files.values():
            print(f"  {path}")
        if mutant is None:
            print(f"again: mesos-chaos run {files['scenario']} --tier {tier}")
        else:
            at = f" --tier {tier}" * (tier > 1)
            print(f"again: mesos-chaos shrink {files['scenario']}{at} --mutant {name}")
    return small.broken.exit_code
