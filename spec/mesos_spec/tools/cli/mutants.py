"""Measure what the claims are worth: leave out every guard, effect and part of a claim, one by one.

A mutant of the specification is looked for in the models that reach its statement, smallest first.
It is *caught* if a claim is broken or something that must be seen is not; it *fails* if all that
happens is that some action cannot go on; else it *survives*: nothing that is claimed needs the
statement.  A weakened claim is caught by a mutant that only the whole claim notices.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mesos_spec.tools.cli.common import ExitCode, Misused, Ticker, say_json

if TYPE_CHECKING:
    from mesos_spec.tools.mutating.hunt import Hunt

EXAMPLE = """\
for example:
  mesos-spec mutants                         all of them: some minutes
  mesos-spec mutants --only offers.decline   those of one function, or of one module
  mesos-spec mutants --kind effect --json

exit codes: 0 all were caught, or nothing depends on them; 1 some survive; 5 used wrongly.
"""

KINDS = ("guard", "effect", "claim")


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec mutants`."""
    parser.add_argument("--kind", choices=KINDS, help="only these")
    parser.add_argument("--only", metavar="TEXT", default="", help="whose name begins like this")
    parser.add_argument(
        "--max-states", metavar="N", type=int, default=10_000, help="use models up to this size"
    )
    parser.add_argument(
        "--patience", metavar="S", type=float, default=2.0, help="CPU seconds for each weak claim"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Hunt, and print what became of each."""
    from mesos_spec.models.equivalent import EQUIVALENT

    found = _hunt(args)
    if not found.fates:
        raise Misused(f"no mutant's name begins with {args.only!r}")
    left = [one for one in found.fates if one.fate != "caught" and one.id not in EQUIVALENT]
    if args.json:
        rows = [{**asdict(one), "reason": EQUIVALENT.get(one.id)} for one in found.fates]
        say_json({"cpu_s": round(found.cpu_s, 1), "mutants": rows, "counts": found.counts()})
    else:
        for one in found.fates:
            if one.fate != "caught" or args.only:
                reason = EQUIVALENT.get(one.id, "")
                by = f"by {one.by} in {one.model}" if one.fate == "caught" else reason
                print(f"{one.fate:9} {one.where:28} {one.id}" + (f"  ({by})" if by else ""))
        for kind, row in found.counts().items():
            told = ", ".join(f"{n} {fate}" for fate, n in row.items() if n)
            print(f"{kind}s: {told}")
        print(f"{found.cpu_s:.0f} s of CPU time")
    return ExitCode.SAFETY if left else ExitCode.OK


def _hunt(args: argparse.Namespace) -> Hunt:
    from mesos_spec.mesos import ALWAYS, EACH_STEP, SUBJECTS
    from mesos_spec.models import MODELS
    from mesos_spec.tools.mutating.hunt import Hunter, hunt_all
    from mesos_spec.tools.mutating.sites import sites

    tick = Ticker(quiet=args.json)
    small = [m for m in MODELS if m.expect is not None and m.expect.states <= args.max_states]
    if not small:
        raise Misused(f"--max-states {args.max_states}: no model is so small")
    places = sites(SUBJECTS) if args.kind != "claim" else []
    wanted = [
        one for one in places if one.name.startswith(args.only) and args.kind in (None, one.kind)
    ]
    claims: list[Any] = [] if args.kind in ("guard", "effect") else [*ALWAYS, *EACH_STEP]
    chosen = [claim for claim in claims if claim.name.startswith(args.only)]
    if args.kind == "claim" or chosen:
        wanted = wanted or sites(SUBJECTS)
    found = hunt_all(Hunter(small, tick), wanted, chosen, args.patience)
    tick.clear()
    found.fates = [one for one in found.fates if args.kind in (None, one.kind)]
    return found
