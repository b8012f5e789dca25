"""Judge traces: is what these processes did a behaviour of the specification?

The traces of one run, files or whole folders, are merged (a message is sent before it is heard;
clocks are never compared) and followed record by record.  The verdict is one of three: it CONFORMS;
it VIOLATES, with the first record that is wrong, the party at fault and the evidence; or it is
UNKNOWN, because a trace is missing.  What frameworks do against their contract is told beside it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from mesos_spec.tools.cli.common import Misused, Ticker, say_json

EXAMPLE = """\
for example:
  mesos-ref up --trace runs/today --agents 2 &
  mesos-ref run --trace runs/today --instances 5 -- sleep 1
  mesos-spec trace runs/today
  mesos-spec trace runs/today --blind     what the processes claim to have done is not read
  mesos-spec trace runs/today --contract  frameworks are to keep their contract
  mesos-spec trace runs/today --html run.html   the run as a picture, in a browser
  mesos-spec trace runs/today --sarif wrong.sarif   for code hosts and editors; --junit for CI
  mesos-spec trace runs/today --coverage  which of its actions, guards and properties were reached

exit codes: 0 conforms; 1 a property is broken, or with --contract a framework's contract;
2 unknown; 4 a record is no step of the specification; 5 a file cannot be read (it says which, the
line and the field).
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec trace`."""
    parser.add_argument("paths", metavar="FILE|DIR", nargs="+", type=Path, help="traces of one run")
    parser.add_argument("--json", action="store_true", help="the verdict as JSON")
    parser.add_argument("--blind", action="store_true", help="do not read what was claimed")
    parser.add_argument(
        "--contract", action="store_true", help="exit with 1 if a framework breaks its contract"
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="list what the run exercised of the specification, and what it never reached",
    )
    parser.add_argument(
        "--html",
        type=Path,
        metavar="PAGE",
        help="draw the run as a page that needs nothing but itself",
    )
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a JUnit report there")
    parser.add_argument("--sarif", metavar="FILE", type=Path, help="write a SARIF log there")
    parser.add_argument(
        "--github",
        action="store_true",
        help="print GitHub annotations (done anyway in a GitHub workflow)",
    )


def run(args: argparse.Namespace) -> int:
    """Judge, and print the verdict."""
    traces = read(args.paths)
    verdict, overheard = _judged(traces, args, Ticker(quiet=args.json))
    if args.html is not None:
        _draw(args, traces, verdict)
    if args.json:
        say_json(verdict.json() | _covered(overheard, args))
    else:
        print(verdict.text(), *_covered(overheard, args).values(), sep="\n")
    _tell(args, traces, verdict)
    code: int = verdict.exit_code
    return 1 if args.contract and code == 0 and verdict.breaches else code


def read(paths: list[Path]) -> Any:
    """The traces at `paths`.  Raises `Misused` for what is none."""
    from mesos_spec.tools.judging.trace import TraceError, read_traces

    try:
        return read_traces(paths)
    except TraceError as error:
        raise Misused(str(error)) from None


def _tell(args: argparse.Namespace, traces: Any, verdict: Any) -> None:
    """The verdict for who reads code or JUnit.  Raises `Misused` where it cannot be written."""
    from mesos_spec.tools.report import github, judged, sarif
    from mesos_spec.tools.search.blame import Place

    run = shlex.join(map(str, args.paths))
    place = Place(str(traces[0].path), 1) if traces else None
    told = judged.judged(verdict, run, contract=args.contract, place=place)
    if args.junit is not None:
        _write(args.junit, judged.junit("mesos-spec trace", told, run))
    if args.sarif is not None:
        _write(args.sarif, sarif.of_runs("mesos-spec", told))
    if args.github or github.is_asked(os.environ):
        for line in github.lines_of(told):
            print(line, file=sys.stderr if args.json else sys.stdout)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misused(f"{path}: cannot be written: {error.strerror}") from None


def _draw(args: argparse.Namespace, traces: Any, verdict: Any) -> None:
    """Write the page.  Raises `Misused` where that cannot be."""
    from mesos_spec.tools.report.page import page

    paths = shlex.join(map(str, args.paths))
    text = page(traces, verdict, title=paths, commands=[f"mesos-spec trace {paths}"])
    _write(args.html, text)


def _covered(overheard: Any, args: argparse.Namespace) -> dict[str, Any]:
    """What was exercised, as JSON or as text; nothing if nobody listened."""
    if overheard is None:
        return {}
    from mesos_spec.tools.judging.whole import WHOLE
    from mesos_spec.tools.report import exercised

    if args.json:
        return {"coverage": exercised.as_json(overheard, WHOLE)}
    return {"coverage": exercised.as_text(overheard, WHOLE, args.blind)}


def _judged(traces: Any, args: argparse.Namespace, tick: Ticker) -> Any:
    from mesos_spec.bounds import Bounds
    from mesos_spec.tools.judging.blind import BlindJudge
    from mesos_spec.tools.judging.judge import Judge, follow
    from mesos_spec.tools.judging.overheard import listen
    from mesos_spec.tools.judging.whole import WHOLE

    of = sum(len(trace.records) for trace in traces)
    one = (BlindJudge if args.blind else Judge)(WHOLE, Bounds())
    overheard = listen(one) if args.coverage else None
    verdict = follow(one, traces, lambda n: tick(f"{n:,} of {of:,} records"))
    tick.clear()
    for trace in traces:
        if trace.torn:
            verdict.ignored["torn last lines"] += 1
    return verdict, overheard
