"""`mesos-chaos exhaust`: every fault at every site of a small plan, to the end."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.cli.search import seconds
from mesos_chaos.plan import PlanError, load_scenario

if TYPE_CHECKING:
    from mesos_chaos.plan import Plan
    from mesos_chaos.search.exhaustive import Counts

_ABOUT = """\
Run a small plan without faults to see which sites it reaches, and then with each fault at each of
them (a kill: before it is kept, before it is sent, and after), or with all pairs of those that lose
something.  The counts that are printed say whether all was run.

  mesos-chaos exhaust                      one task of a command: about a CPU minute
  mesos-chaos exhaust --small custom       two tasks on an executor of the framework's own
  mesos-chaos exhaust --pairs --jobs 2     an hour or so
  mesos-chaos exhaust --pairs --time 20m --resume pairs.ndjson      some of it, until all is run

  exit codes: 0 nothing is broken · 1, 3, 4 the worst that is, as of `run` · 2 not all was run ·
              5 wrong use, or the harness failed
"""


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "exhaust",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("--small", choices=["command", "custom"], default="command", help="which small plan")
    given("--plan", metavar="SCENARIO", help="this plan instead; its own faults are left out")
    given("--pairs", action="store_true", help="two faults in each run")
    given("--runs", type=int, metavar="N", help="only the first N")
    given("--time", type=seconds, metavar="T", help="begin nothing after so long, as 20m")
    given("--resume", type=Path, metavar="FILE", help="keep there what was run, and go on from it")
    given("--jobs", type=int, default=1, metavar="J", help="at once (default 1)")
    given("--dir", type=Path, default=Path("found"), help="where plans are kept (default found)")
    given("--json", action="store_true", help="print JSON, no progress")
    given("--quiet", action="store_true", help="print the counts, and what is broken")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The worst of what was found, as an exit code."""
    from mesos_chaos.search.keeping import keep
    from mesos_chaos.search.resuming import ResumeError

    try:
        counts = _exhaust(args)
    except (PlanError, ResumeError, OSError) as error:
        print(f"mesos-chaos exhaust: {error}", file=sys.stderr)
        return EXIT_USAGE
    files = [keep(args.dir, plan, broken) for plan, broken, _ in counts.broken.values()]
    _print(args, counts, [str(kept["scenario"]) for kept in files])
    codes = {broken.exit_code for _, broken, _ in counts.broken.values()}
    worst = next((code for code in (4, 1, 3) if code in codes), 0)
    if counts.harness:
        return EXIT_USAGE
    return worst or (0 if counts.finished else 2)


def _exhaust(args: argparse.Namespace) -> Counts:
    from mesos_chaos.search import exhaustive, workers

    plan = _plan(args)
    quiet = args.json or args.quiet
    executor = workers.Here() if args.jobs == 1 else workers.processes(args.jobs)
    with executor:
        return exhaustive.exhaust(
            plan,
            executor,
            args.pairs,
            args.runs,
            (lambda line: None) if quiet else (lambda line: print(line, flush=True)),
            time_s=math.inf if args.time is None else args.time,
            kept=args.resume,
        )


def _plan(args: argparse.Namespace) -> Plan:
    from mesos_chaos.search import exhaustive

    if args.plan is not None:
        return load_scenario(args.plan)[1].bare().model_copy(update={"fault": []})
    return exhaustive.SMALL if args.small == "command" else exhaustive.SMALL_CUSTOM


def _print(args: argparse.Namespace, counts: Counts, files: list[str]) -> None:
    if args.json:
        listed = [
            {"property": name, "says": broken.says, "times": times, "scenario": file}
            for (name, (_, broken, times)), file in zip(counts.broken.items(), files)
        ]
        facts = {"sites": counts.sites, "planned": counts.planned, "runs": counts.runs}
        told = {"struck": counts.struck, "broken": listed, "harness": dict(counts.harness)}
        print(json.dumps({**facts, **told}))
        return
    for line, times in counts.harness.items():
        print(f"HARNESS FAILED ({times} times): {line}")
    for (_, broken, times), file in zip(counts.broken.values(), files):
        print(f"BROKEN  {broken.kind} ({times} times): {broken.says}\n  {file}")
    print(counts.text())
