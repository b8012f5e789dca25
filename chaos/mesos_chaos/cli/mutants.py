"""`mesos-chaos mutants`: plant known bugs one by one, and see which are caught, and by what."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.mutants import Mutant, MutantError, mutants_in, shipped_mutants

if TYPE_CHECKING:
    from mesos_chaos.mutants.hunt import Hunt

_ABOUT = """\
Plant each mutant in a process of its own, run simulated scenarios there, and report which were
caught, by which property, after how many plans.

  mesos-chaos mutants
  mesos-chaos mutants --only old_leader_is_obeyed
  mesos-chaos mutants --from my_mutants/ --json
"""


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "mutants",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", metavar="ID", action="append", help="this one (may be repeated)")
    parser.add_argument("--from", dest="folder", type=Path, metavar="DIR", help="other mutants")
    parser.add_argument("--budget-s", type=float, default=60.0, help="CPU seconds each (60)")
    parser.add_argument("--seeds", type=int, default=40, help="seeds to try each (40)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 if every mutant was caught, 1 if one survived."""
    from mesos_chaos.mutants.hunt import Rules
    from mesos_chaos.mutants.hunter import Hunter

    try:
        mutants = shipped_mutants() if args.folder is None else mutants_in(args.folder)
        chosen = {name: mutants[name] for name in args.only or mutants}
    except (MutantError, KeyError) as error:
        print(f"mesos-chaos mutants: {error}", file=sys.stderr)
        return EXIT_USAGE
    rules = Rules(budget_s=args.budget_s, seeds=args.seeds)
    with Hunter() as hunter:
        rows = [_row(mutant, hunter.hunt(mutant, rules), args.json) for mutant in chosen.values()]
    caught = sum(bool(row["caught"]) for row in rows)
    if args.json:
        print(json.dumps({"mutants": rows, "caught": caught}))
    else:
        print(f"{caught} of {len(rows)} mutants caught")
    return 0 if caught == len(rows) else 1


def _row(mutant: Mutant, found: Hunt, quiet: bool) -> dict[str, Any]:
    """What is reported of one hunt; it is also printed, unless `quiet`."""
    if not quiet:
        word = "caught  " if found.caught else "SURVIVED"
        effort = f"{found.plans:>4} plans {found.cpu_s:6.1f} s"
        where = f"  {found.scenario} #{found.seed} {found.kind}" if found.caught else ""
        print(f"{word} {found.id:<31} {effort}{where}", flush=True)
        if found.property:
            print(f"{'':9}{found.property[:110]}", flush=True)
        for plan in found.restless:
            print(f"{'':9}no catch: {plan} does not settle without it either", flush=True)
    return {
        "id": found.id,
        "tiers": list(mutant.tiers),
        "breaks": mutant.breaks,
        "caught": found.caught,
        "kind": found.kind,
        "property": found.property,
        "strategy": found.strategy,
        "plans": found.plans,
        "cpu_s": round(found.cpu_s, 2),
        "scenario": found.scenario,
        "seed": found.seed,
        "size": found.size,
        "restless": found.restless,
    }
