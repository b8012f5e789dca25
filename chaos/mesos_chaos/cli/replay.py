"""`mesos-chaos replay`: the same core, fed what it heard, must do the same again (D4)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE

_ABOUT = """\
Feed a fresh core what a trace says it heard, record by record, and compare what it does.

  mesos-chaos replay runs/latest/trace/master-master-1-….ndjson

  exit codes: 0 the same · 4 another · 5 not a trace
"""


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "replay",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", nargs="+", type=Path, metavar="FILE", help="traces to replay")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 if every core does the same again."""
    from mesos_ref.replay import replay

    worst = 0
    for path in args.trace:
        try:
            lines = path.read_bytes().splitlines()
            differences = replay(lines)
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"mesos-chaos replay: {path}: cannot be replayed: {error}", file=sys.stderr)
            return EXIT_USAGE
        worst = max(worst, 4 if differences else 0)
        if args.json:
            shown = [str(each) for each in differences[:20]]
            print(json.dumps({"trace": str(path), "same": not differences, "differences": shown}))
        elif not differences:
            print(f"{path}: {max(0, len(lines) - 1)} records, the same again")
        else:
            print(f"{path}: {len(differences)} differences")
            for each in differences[:20]:
                print(f"  {each}")
    return worst
