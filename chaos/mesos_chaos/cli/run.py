"""`mesos-chaos run`: scenarios on real processes, or in virtual time, each run judged."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.cli.one import Done, one
from mesos_chaos.plan import PlanError, Scenario, load_scenario, shipped

_ABOUT = """\
Run scenarios and judge them.  Without a name: all that come along for the tier.  A run has a
directory, runs/SCENARIO/SEED, with plan.toml, trace/, logs/, report.txt, .json and .html; in tiers
1 and 2 it is SEED-tier1 or -tier2, and there only if something is wrong, or with --keep.

  mesos-chaos run deposed_leader
  mesos-chaos run --tier 1 --seeds 0-199
  mesos-chaos run --tier 1 --quiet            # a smoke test: silence if all is well
  mesos-chaos run --tier 2 everything_dies    # real shells and HTTP, in virtual time
  mesos-chaos run leader_killed --hold        # then: mesos-chaos inject …
  mesos-chaos run plan.toml --framework 'python mine.py' --goal './all_done.sh'

--framework is run once for each workload, with MESOS_REF_MASTER set; --goal after the heal, and
must end with status 0.
"""


def seeds_of(text: str) -> range:
    """The seeds that `A-B`, or a single `A`, names: the type of an option."""
    first, _, last = text.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no range of seeds, as in 0-99")
    if last and int(last) < int(first):
        raise argparse.ArgumentTypeError(
            f"{text!r} names no seed: the first comes before the last, as in 0-99"
        )
    return range(int(first), int(last or first) + 1)


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("scenario", nargs="*", metavar="SCENARIO", help="a name, or a TOML file")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, help="instead of the plan's own")
    seeds.add_argument("--seeds", type=seeds_of, metavar="A-B", help="each of these")
    given("--jobs", type=int, default=1, metavar="J", help="runs at once (default 1)")
    given(
        "--tier",
        type=int,
        choices=[1, 2, 3],
        default=3,
        help="1: cores, simulated; 2: real shells in virtual time; 3: real processes (default)",
    )
    given("--framework", metavar="CMD", help="run this instead of our own framework")
    given("--goal", metavar="CMD", help="must hold after the heal")
    given("--hold", action="store_true", help="keep the cluster up for `inject`")
    given("--dir", type=Path, default=Path("runs"), help="where run directories go (default runs)")
    given("--keep", action="store_true", help="a directory also for simulated runs that are well")
    given("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    given("--sarif", type=Path, metavar="FILE", help="write a SARIF log")
    given(
        "--github",
        action="store_true",
        help="print GitHub annotations (done anyway in a GitHub workflow)",
    )
    given("--json", action="store_true", help="print a line of JSON for each run")
    given("--quiet", action="store_true", help="print only what is wrong")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run everything asked for; the worst exit code."""
    try:
        work = list(runs_of(args))
    except PlanError as error:
        return _misused(str(error))
    if args.hold and (len(work) != 1 or args.tier != 3):
        return _misused("--hold is for one run of tier 3")
    if args.tier != 3 and (args.framework or args.goal):
        return _misused(f"--framework and --goal are for tier 3, and this is tier {args.tier}")
    if args.jobs < 1:
        return _misused(f"--jobs {args.jobs} runs nothing: it must be 1 or more")
    for option, path in (("--junit", args.junit), ("--sarif", args.sarif)):
        if path is not None and not path.parent.is_dir():
            return _misused(f"{option} {path}: there is no folder {path.parent}")
        if path is not None and path.is_dir():
            return _misused(f"{option} {path}: that is a folder, and it must be a file")
    done: list[Done] = []
    try:
        for each in _carried_out(args, work):
            done.append(each)
            _print(args, each)
    finally:  # also after Ctrl-C: what is done is told
        _tell(args, done)
    return _worst([each.code for each in done])


def _misused(why: str) -> int:
    print(f"mesos-chaos run: {why}", file=sys.stderr)
    return EXIT_USAGE


def runs_of(args: argparse.Namespace) -> Iterator[tuple[str, Scenario]]:
    """Scenario and seed of each run asked for; PlanError for a scenario named in a wrong tier."""
    for given in args.scenario or shipped():
        name, scenario = load_scenario(given)
        if args.tier not in scenario.tiers:
            if args.scenario:
                only = ", ".join(map(str, scenario.tiers))
                raise PlanError(f"{name} is for tier {only} only, not {args.tier}: use --tier")
            continue
        own = [scenario.seed] if args.seed is None else [args.seed]
        for seed in args.seeds or own:
            yield name, scenario.model_copy(update={"seed": seed})


def _carried_out(args: argparse.Namespace, work: list[tuple[str, Scenario]]) -> Iterator[Done]:
    """Each run, here or `--jobs` at a time in processes of their own, in the order asked for."""
    if args.jobs == 1:
        yield from (one(args, *each) for each in work)
        return
    from mesos_chaos.search.workers import processes

    quiet = argparse.Namespace(**vars(args) | {"quiet": True, "run": None})
    with processes(args.jobs) as pool:
        yield from pool.map(partial(one, quiet), *zip(*work))


def _print(args: argparse.Namespace, done: Done) -> None:
    if args.json:
        print(json.dumps(done.facts, default=str), flush=True)
    elif done.code or not args.quiet:
        print(done.text if done.code or args.tier == 3 else done.headline, flush=True)


def _tell(args: argparse.Namespace, done: list[Done]) -> None:
    """The files and annotations that were asked for."""
    from mesos_chaos.junit import write_junit
    from mesos_spec.tools.report import github, sarif

    told = [finding for each in done for finding in each.findings]
    if args.junit is not None:
        write_junit(args.junit, [each.case for each in done])
    if args.sarif is not None:
        failed = any(each.code == EXIT_USAGE for each in done)
        log = sarif.of_runs("mesos-chaos", told, failed)
        args.sarif.write_text(log, encoding="utf-8")
    if args.github or github.is_asked(os.environ):
        for line in github.lines_of(told):
            print(line, file=sys.stderr if args.json else sys.stdout)


def _worst(codes: list[int]) -> int:
    """The code that matters most: harness, conformance, safety, liveness, unknown."""
    return next((code for code in (5, 4, 1, 3, 2) if code in codes), 0)
