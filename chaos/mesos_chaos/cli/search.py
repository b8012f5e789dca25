"""`mesos-chaos search`: plans nobody thought of, drawn, run and judged for as long as you like."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos_chaos.cli import EXIT_USAGE

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mesos_chaos.mutants import Mutant
    from mesos_chaos.search.campaign import Found, Report

_ABOUT = """\
Draw plans, run and judge them, until the time is up.  What breaks a property is made small in the
tier it was found in, and written to --dir: a scenario, a test, and a corpus entry.

  mesos-chaos search --time 60s --jobs 2
  mesos-chaos search --runs 1000 --seed 7 --strategy swarm --strategy hold-back
  mesos-chaos search --time 1m --mutant old_leader_is_obeyed
  mesos-chaos search --time 10m --tier 2 --jobs 2      # real shells and HTTP, in virtual time
  mesos-chaos search --runs 5 --tier 3                 # real processes, one run at a time
  mesos-chaos search --time 8h --jobs 64 --dask tcp://scheduler:8786

Strategies, in turns: random, swarm (each plan without a part of the faults, sites and features),
hold-back (few faults, some messages very late; only in tier 1), novelty (changes plans that showed
something new).

  exit codes: 0 nothing is broken · 1, 3, 4 the worst that is, as of `run` · 5 wrong use, or the
              harness failed
"""


def seconds(text: str) -> float:
    """The seconds that `90`, `90s`, `15m` or `8h` names: the type of an option."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        found = float(number) * units[unit]
    except ValueError:
        found = -1.0
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, as in 60s, 15m or 8h")
    return found


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "search",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    tiers = "1: cores, simulated (default); 2: shells, in virtual time; 3: processes"
    given("--tier", type=int, choices=[1, 2, 3], default=1, help=tiers)
    given("--time", type=seconds, metavar="T", help="how long, as 60s, 15m, 8h (default 60s)")
    given("--runs", type=int, metavar="N", help="so many plans instead")
    given("--jobs", type=int, default=1, metavar="J", help="at once (default 1)")
    given("--seed", default="0", help="of all that is drawn (default 0)")
    names = ["random", "swarm", "hold-back", "novelty"]
    given("--strategy", action="append", choices=names, help="only this (may be repeated)")
    given("--mutant", metavar="ID|FILE", help="plant this first: what does a search see of it?")
    given("--dask", metavar="ADDRESS", help="run on the Dask cluster of this scheduler")
    given("--dir", type=Path, default=Path("found"), help="where plans are kept (default found)")
    given("--json", action="store_true", help="print JSON, no progress")
    given("--quiet", action="store_true", help="print only what is broken")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The worst of what was found, as an exit code."""
    from mesos_chaos.mutants import MutantError, find_mutant

    wrong = _misuse(args)
    if wrong:
        print(f"mesos-chaos search: {wrong}", file=sys.stderr)
        return EXIT_USAGE
    try:
        mutant = None if args.mutant is None else find_mutant(args.mutant)
        executor = _executor(args, mutant)
    except (MutantError, ImportError, OSError) as error:
        print(f"mesos-chaos search: {error}", file=sys.stderr)
        return EXIT_USAGE
    with executor:
        report = _search(args, executor, mutant)
    _print(args, report)
    return report.exit_code


def _misuse(args: argparse.Namespace) -> str:
    """What does not go together, in a sentence."""
    if args.tier > 1 and "hold-back" in (args.strategy or ()):
        return "--strategy hold-back is for --tier 1: no other network holds single messages back"
    if args.tier == 3 and (args.jobs != 1 or args.dask):
        return "--tier 3 runs one plan at a time on this machine: without --jobs and --dask"
    if args.tier == 3 and args.mutant:
        return "--tier 3 runs what is installed: `mesos-chaos mutants` hunts mutants there"
    return ""


def _executor(args: argparse.Namespace, mutant: Mutant | None) -> Executor:
    from mesos_chaos.search import workers

    if args.dask is None and args.jobs == 1:
        workers.begin(mutant)
        return workers.Here()
    if args.dask is None:
        return workers.processes(args.jobs, mutant)
    if mutant is not None:
        raise OSError("--mutant is for processes of this machine, not for --dask")
    return workers.dask(args.dask)


def _search(args: argparse.Namespace, executor: Executor, mutant: Mutant | None) -> Report:
    from mesos_chaos.search.campaign import Campaign
    from mesos_chaos.search.keeping import keep
    from mesos_chaos.search.portfolio import OF_TIERS, Strategy

    quiet = args.json or args.quiet

    def kept(found: Found) -> None:
        if found.small is not None:
            small = found.small
            files = keep(
                args.dir, small.plan, small.broken, mutant.id if mutant else None, args.tier
            )
            found.files = {kind: str(path) for kind, path in files.items()}

    campaign = Campaign(
        executor,
        jobs=args.jobs,
        seed=args.seed,
        strategies=[Strategy(name) for name in args.strategy or OF_TIERS[args.tier]],
        tier=args.tier,
        tell=(lambda line: None) if quiet else (lambda line: print(line, flush=True)),
        kept=kept,
    )
    default_s = math.inf if args.runs is not None else 60.0
    runs = math.inf if args.runs is None else args.runs
    return campaign.run(default_s if args.time is None else args.time, runs)


def _print(args: argparse.Namespace, report: Report) -> None:
    if args.json:
        print(json.dumps(report.json()))
        return
    for found in report.found.values():
        print(found.text())
    for line, times in report.harness.items():
        print(f"HARNESS FAILED ({times} times): {line}")
    if not args.quiet:
        for strategy, tally in report.tallies.items():
            print(f"  {strategy:<10} {tally.text()}")
        print(report.coverage.text())
