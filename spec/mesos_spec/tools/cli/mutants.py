"""Measure what the claims are worth: leave out every guard, effect and part of a claim, one by one.

A mutant of the specification is followed in the models that reach its statement, smallest first.
It is *caught* if a claim is broken, something that must be seen is not, or an action does nothing;
it *fails* if all that happens is that some action cannot go on; it *survives* if nothing that is
claimed needs the statement; *unreached* is a guard that always holds in the models, or an effect
that changes nothing there.  A weaker claim is caught by a wrong step that only the whole refuses:
of a mutant, or a step of a model with one cell otherwise.  So is a weaker clause of the framework
contract, by a call.  What happens in the end is asked with one promise of fairness less, and that
is caught by whoever waits for ever then.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from mesos_spec.tools.cli.common import ExitCode, Misused, Ticker, say_json

EXAMPLE = """\
for example:
  mesos-spec mutants                         all of them: some minutes
  mesos-spec mutants --only offers.decline   those of one function, or of one module
  mesos-spec mutants --kind effect --json

exit codes: 0 all were caught, or it is said why not; 1 some survive; 5 used wrongly.
"""

KINDS = ("guard", "effect", "claim", "clause", "promise")


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec mutants`."""
    parser.add_argument("--kind", choices=KINDS, help="only these")
    parser.add_argument("--only", metavar="TEXT", default="", help="whose name begins like this")
    parser.add_argument(
        "--max-states", metavar="N", type=int, default=6_000, help="look at so many of each model"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Hunt, and print what became of each."""
    from mesos_spec.models.equivalent import EXPLAINED
    from mesos_spec.tools.mutating.whole import whole_hunt

    tick = Ticker(quiet=args.json)
    kinds = (args.kind,) if args.kind else KINDS
    found = whole_hunt(kinds, args.only, args.max_states, tick)
    tick.clear()
    if not found.fates:
        raise Misused(f"no mutant's name begins with {args.only!r}")
    left = [one for one in found.fates if one.fate != "caught" and one.id not in EXPLAINED]
    if args.json:
        rows = [{**asdict(one), "reason": EXPLAINED.get(one.id)} for one in found.fates]
        say_json({"cpu_s": round(found.cpu_s, 1), "mutants": rows, "counts": found.counts()})
    else:
        for one in found.fates:
            if one.fate != "caught" or args.only:
                reason = EXPLAINED.get(one.id, "")
                by = f"by {one.by} in {one.model}" if one.fate == "caught" else reason
                print(f"{one.fate:9} {one.where:28} {one.id}" + (f"  ({by})" if by else ""))
        for kind, row in found.counts().items():
            told = ", ".join(f"{n} {fate}" for fate, n in row.items() if n)
            print(f"{kind}s: {told}")
        print(f"{found.cpu_s:.0f} s of CPU time")
    return ExitCode.SAFETY if left else ExitCode.OK
