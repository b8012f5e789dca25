"""`mesos-chaos run`: scenarios on real processes, or in virtual time, each run judged."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.junit import Case, write_junit
from mesos_chaos.plan import PlanError, Scenario, load_scenario, shipped

_ABOUT = """\
Run scenarios and judge them.  Without a name: all that come along for the tier.  Each run has a
directory, runs/SCENARIO/SEED, with trace/, logs/, and report.txt, .json and .html.

  mesos-chaos run deposed_leader
  mesos-chaos run --tier 1 --seeds 0-199
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
    given("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    given("--json", action="store_true", help="print a line of JSON for each run")
    given("--quiet", action="store_true", help="print only what is wrong")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run everything asked for; the worst exit code."""
    try:
        work = list(runs_of(args))
    except PlanError as error:
        print(f"mesos-chaos run: {error}", file=sys.stderr)
        return EXIT_USAGE
    if args.hold and (len(work) != 1 or args.tier != 3):
        print("mesos-chaos run: --hold is for one run of tier 3", file=sys.stderr)
        return EXIT_USAGE
    if args.jobs == 1:
        done = [_one(args, *each) for each in work]
    else:
        done = _at_once(args, work)
    if args.junit is not None:
        write_junit(args.junit, [case for _, case in done])
    return _worst([code for code, _ in done])


def _at_once(args: argparse.Namespace, work: list[tuple[str, Scenario]]) -> list[tuple[int, Case]]:
    """Each run in a process of its own, `--jobs` at a time."""
    with ThreadPoolExecutor(max_workers=args.jobs) as pool:
        given = args.scenario or [name for name, _ in work]
        paths = {load_scenario(each)[0]: each for each in given}
        return list(pool.map(lambda each: _elsewhere(args, paths[each[0]], *each), work))


def _elsewhere(
    args: argparse.Namespace, path: str, name: str, scenario: Scenario
) -> tuple[int, Case]:
    words = ["run", path, "--seed", scenario.seed, "--tier", args.tier, "--dir", args.dir]
    for option in ("framework", "goal"):
        if getattr(args, option) is not None:
            words += [f"--{option}", getattr(args, option)]
    words += [f"--{flag}" for flag in ("json", "quiet") if getattr(args, flag)]
    began = time.monotonic()
    command = [sys.executable, "-m", "mesos_chaos", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, end="", flush=True)
    print(done.stderr, end="", file=sys.stderr, flush=True)
    failure = (done.stdout or done.stderr) if done.returncode else None
    took_s = time.monotonic() - began
    return done.returncode, Case(name, scenario.seed, took_s, failure, unknown=done.returncode == 2)


def _worst(codes: list[int]) -> int:
    """The code that matters most: harness, conformance, safety, liveness, unknown."""
    return next((code for code in (5, 4, 1, 3, 2) if code in codes), 0)


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


def _one(args: argparse.Namespace, name: str, scenario: Scenario) -> tuple[int, Case]:
    began = time.monotonic()
    if args.tier != 3:
        code, headline, text, facts = _simulated(name, scenario, args.tier)
    else:
        code, headline, text, facts = _live(args, name, scenario)
    took_s = time.monotonic() - began
    if args.json:
        print(json.dumps(facts, default=str), flush=True)
    elif code or not args.quiet:
        print(text if code or args.tier == 3 else headline, flush=True)
    failure = text if code else None
    return code, Case(name, scenario.seed, took_s, failure, unknown=code == 2)


def _simulated(name: str, scenario: Scenario, tier: int) -> tuple[int, str, str, dict[str, Any]]:
    from mesos_chaos.sim.run import simulate
    from mesos_chaos.virtual.run import run_virtually

    result, _ = simulate(scenario) if tier == 1 else run_virtually(scenario)
    word = {0: "CONFORMS", 2: "UNKNOWN", 3: "DOES NOT SETTLE"}.get(result.exit_code, "VIOLATES")
    headline = (
        f"{word}  {name} seed={scenario.seed}: {result.verdict.records} records judged, "
        f"{result.simulated_s:.1f} simulated s, {result.events} "
        f"{'events' if tier == 1 else 'pieces sent'}"
    )
    lines = [headline, *(f"  fault {line}" for line in result.faults_done)]
    lines += [f"  pending: {why}" for why in result.pending]
    lines += [f"  leak: {what}" for what in result.leaks]
    lines += [f"  late: {what}" for what in result.late]
    lines.append(result.verdict.text())
    lines.append(f"again: mesos-chaos run {name} --tier {tier} --seed {scenario.seed}")
    facts = {
        "scenario": name,
        "seed": scenario.seed,
        "tier": tier,
        "exit_code": result.exit_code,
        "faults": result.faults_done,
        "pending": result.pending,
        "missed": result.missed,
        "leaks": result.leaks,
        "late": result.late,
        "verdict": result.verdict.json(),
    }
    return result.exit_code, headline, "\n".join(lines), facts


def _live(
    args: argparse.Namespace, name: str, scenario: Scenario
) -> tuple[int, str, str, dict[str, Any]]:
    import trio

    from mesos_chaos.live.control import holding
    from mesos_chaos.live.folder import fresh_folder
    from mesos_chaos.live.run import run_live
    from mesos_ref.cluster.cluster import ClusterError

    folder = fresh_folder(args.dir, name, scenario.seed)
    say = (lambda sentence: None) if args.quiet or args.json else _say

    def announce(world: Any) -> None:
        print(f"held; masters at {world.cluster.master_option}", flush=True)
        print(f"try: mesos-chaos inject {folder} kill leader; end with release", flush=True)

    async def live() -> Any:
        return await run_live(
            name,
            scenario,
            folder,
            tell=say,
            framework=args.framework,
            goal=args.goal,
            hold=holding(announce) if args.hold else None,
        )

    try:
        if not args.quiet and not args.json:
            print(f"{name} seed={scenario.seed}: {scenario.title}", flush=True)
        result = trio.run(live)
    except (ClusterError, OSError) as error:
        text = f"HARNESS FAILED  {name} seed={scenario.seed}: {error}"
        return EXIT_USAGE, text, text, {"scenario": name, "exit_code": 5, "error": str(error)}
    return result.exit_code, result.headline, result.text(), result.json()


def _say(sentence: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')}  {sentence}", flush=True)
