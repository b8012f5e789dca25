"""`mesos-chaos mutants`: plant known bugs one by one, and see which are caught, and by what."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from mesos_chaos.cli import EXIT_USAGE
from mesos_chaos.mutants import Mutant, MutantError, mutants_in, shipped_mutants
from mesos_chaos.mutants.ledger import Ledger

if TYPE_CHECKING:
    from mesos_chaos.mutants.hunt import Hunt

_ABOUT = """\
Plant each mutant in a process of its own, run plans there, and report which were caught, by which
property, after how many plans and CPU seconds.

  mesos-chaos mutants
  mesos-chaos mutants --only old_leader_is_obeyed --shrink
  mesos-chaos mutants --no-hints --jobs 2
  mesos-chaos mutants --generic 300 --seed 1 --survey runs/survey.json
  mesos-chaos mutants --from my_mutants/ --json

A mutant is a TOML file: id, module, old (a text that occurs once in it), new, story, breaks (what
it must break), tiers (1 simulated, 2 shells in virtual time, 3 real processes), and where
(scenarios that should catch it: hints, tried first).

With a survey, a few hundred plans are run without any mutant first, to see which reach which lines:
a mutant is hunted with those that reach its own, and a generic one that none reaches is not hunted.
With --into, rows are written as they come; what is there already, of the same text, is not hunted
again, unless it survived a smaller budget.

One that fits nothing (its old text is not there once, a scenario it names is none) is told as
UNFIT, and is neither caught nor a survivor.

  exit codes: 0 all were caught · 1 one survived · 5 wrong use, or one was not hunted
"""
MANY_GENERIC = 300
WIDE = 119  #: columns of what is told of a hunt
SURVEYED = 240  #: plans of a survey


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "mutants",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    given = parser.add_argument
    given("--tier", type=int, choices=[1, 2, 3], help="only those of this tier, hunted there")
    given("--only", metavar="ID", action="append", help="this one (may be repeated)")
    given("--from", dest="folder", type=Path, metavar="DIR", help="other mutants")
    given(
        "--generic",
        type=int,
        nargs="?",
        const=MANY_GENERIC,
        metavar="N",
        help=f"edits of the cores instead, drawn from the seed ({MANY_GENERIC})",
    )
    given("--seed", type=int, default=0, help="of the generic ones (0)")
    given("--no-hints", action="store_true", help="do not try first what a mutant's file names")
    given("--survey", type=Path, metavar="FILE", help="which plans reach what; made if need be")
    given("--into", type=Path, metavar="FILE", help="rows are kept there, and not hunted again")
    given("--budget-s", type=float, default=60.0, help="CPU seconds each (60)")
    given("--seeds", type=int, default=40, help="seeds to try each (40)")
    given("--shrink", action="store_true", help="make the plan that caught it small")
    given("--keep", type=Path, metavar="DIR", help="write the plans that caught one as a corpus")
    given("--jobs", type=int, default=1, metavar="J", help="mutants at once (default 1)")
    given("--json", action="store_true", help="print JSON")
    given("--quiet", action="store_true", help="print only survivors, and the count")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 if every mutant was caught, 1 if one survived, 5 if one could not be hunted."""
    from mesos_chaos.mutants.hunt import FAILED

    try:
        chosen = _chosen(args)
    except MutantError as error:
        print(f"mesos-chaos mutants: {error}", file=sys.stderr)
        return EXIT_USAGE
    ledger = Ledger(args.into, args.budget_s)
    left = [mutant for mutant in chosen if ledger.row(mutant) is None]
    for mutant, found in _hunts(args, left):
        ledger.add(mutant, _row(mutant, found))
        if args.keep is not None and found.plan:
            _keep(args.keep, found)
        if not args.json and not (args.quiet and found.caught):
            print(_text(found), flush=True)
    rows = [row for row in map(ledger.row, chosen) if row is not None]
    caught = sum(bool(row["caught"]) for row in rows)
    unfit = sum(row.get("property", "").startswith(FAILED) for row in rows)
    if args.json:
        print(json.dumps({"mutants": rows, "caught": caught, "unfit": unfit}))
    else:
        besides = f"; {unfit} could not be hunted" if unfit else ""
        print(f"{caught} of {len(rows)} mutants caught{besides}")
    return EXIT_USAGE if unfit else 0 if caught == len(rows) else 1


def _chosen(args: argparse.Namespace) -> list[Mutant]:
    """The mutants asked for.  Raises `MutantError`."""
    if args.generic is not None:
        from mesos_chaos.mutants.generic import generic_mutants

        known = generic_mutants(args.generic, args.seed)
    else:
        known = shipped_mutants() if args.folder is None else mutants_in(args.folder)
    absent = [name for name in args.only or () if name not in known]
    if absent:
        raise MutantError(f"no mutant {absent[0]!r}; there are {', '.join(known) or 'none'}")
    mutants = [known[name] for name in args.only or known]
    return [one for one in mutants if args.tier is None or args.tier in one.tiers]


def _hunts(args: argparse.Namespace, mutants: list[Mutant]) -> Iterator[tuple[Mutant, Hunt]]:
    """Hunt them all, some at once, in their order."""
    from mesos_chaos.mutants.hunt import FAILED, Hunt, Rules
    from mesos_chaos.mutants.hunter import Hunter
    from mesos_chaos.mutants.live import hunt_live
    from mesos_chaos.mutants.usable import why_unusable

    rules = Rules(
        budget_s=args.budget_s,
        seeds=args.seeds,
        hints=not args.no_hints,
        shrinks=200 if args.shrink else 0,
        survey=str(args.survey or ""),
        reached_only=args.generic is not None,
    )
    shells = args.tier in (2, 3)
    free: SimpleQueue[Hunter] = SimpleQueue()
    with ExitStack() as stack, ThreadPoolExecutor(args.jobs) as pool:
        for _ in range(0 if shells else args.jobs):
            free.put(stack.enter_context(Hunter()))
        if args.survey is not None and not shells and mutants:
            one = free.get()
            for says in one.survey(args.survey, SURVEYED):
                print(f"BROKEN without a mutant: {says}", file=sys.stderr)
            free.put(one)

        def hunted(mutant: Mutant) -> Hunt:
            if (why := why_unusable(mutant)) is not None:
                return Hunt(id=mutant.id, caught=False, property=f"{FAILED}{why}")
            if shells or 1 not in mutant.tiers:
                return hunt_live(mutant, rules, args.tier or min(mutant.tiers))
            hunter = free.get()
            try:
                return hunter.hunt(mutant, rules)
            finally:
                free.put(hunter)

        yield from zip(mutants, pool.map(hunted, mutants))


def _keep(folder: Path, found: Hunt) -> None:
    """Write the plan that caught it as a corpus entry."""
    from mesos_chaos.plan import Plan
    from mesos_chaos.search.keeping import Entry, entry_text

    plan = Plan.model_validate_json(found.plan)
    one = Entry(id=found.id, plan=plan, breaks=found.breaks, kind=found.kind, mutant=found.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{found.id}.json").write_text(entry_text(one))


def _text(found: Hunt) -> str:
    """What came of one hunt, for people."""
    from mesos_chaos.mutants.hunt import FAILED

    unfit = found.property.startswith(FAILED)
    word = "caught  " if found.caught else "UNFIT   " if unfit else "SURVIVED"
    effort = f"{found.plans:>4} plans {found.cpu_s:6.1f} s"
    plan = f"  {found.strategy} {found.scenario} #{found.seed} {found.kind}" if found.caught else ""
    lines = [f"{word} {found.id:<34} {effort}{plan}"]
    if found.property:
        says = found.property.removeprefix(FAILED)
        lines += textwrap.wrap(says, WIDE, initial_indent=f"{'':9}", subsequent_indent=f"{'':9}")
    lines += [f"{'':9}no catch: {p} does not settle without it either" for p in found.restless]
    return "\n".join(lines)


def _row(mutant: Mutant, found: Hunt) -> dict[str, Any]:
    """What came of one hunt, for machines."""
    return {
        "id": found.id,
        "tiers": list(mutant.tiers),
        "module": mutant.module,
        "breaks": mutant.breaks,
        "story": mutant.story,
        "caught": found.caught,
        "kind": found.kind,
        "property": found.property,
        "strategy": found.strategy,
        "plans": found.plans,
        "cpu_s": round(found.cpu_s, 2),
        "scenario": found.scenario,
        "seed": found.seed,
        "size": found.size,
        "plan": found.plan,
        "restless": found.restless,
        "reaching": found.reaching,
    }
