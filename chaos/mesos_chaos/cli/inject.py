"""`mesos-chaos inject`: one fault by hand, to a cluster that `run --hold` holds."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE

_ABOUT = """\
Do one fault by hand to a cluster that `mesos-chaos run --hold` holds.

  mesos-chaos inject runs/leader_killed/0 kill leader
  mesos-chaos inject runs/leader_killed/0 cut agent:1 --direction up --for-s 3
  mesos-chaos inject runs/leader_killed/0 heal
  mesos-chaos inject runs/leader_killed/0 release
"""


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "inject",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", metavar="RUN", type=Path, help="run directory of the held cluster"
    )
    parser.add_argument("kind", help="kill, pause, cut, delay or reset; or heal, or release")
    parser.add_argument("target", nargs="?", help="a role: see `mesos-chaos faults`")
    parser.add_argument("--for-s", type=float, help="undo it after this (default: at heal)")
    parser.add_argument("--direction", choices=["up", "down", "both"], default="both")
    parser.add_argument("--delay-s", type=float, default=0.2, help="of a delay (default 0.2)")
    parser.add_argument("--no-restart", action="store_true", help="what is killed stays away")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send the order; 0 if it was done."""
    from mesos_chaos.live.control import order

    what: Any = args.kind
    if args.kind not in ("heal", "release"):
        what = {
            "kind": args.kind,
            "target": args.target or "",
            "at_s": 0.0,
            "direction": args.direction,
            "delay_s": args.delay_s,
            "restart": not args.no_restart,
        }
        if args.for_s is not None:
            what["for_s"] = args.for_s
    try:
        answer = order(args.folder, what)
    except (OSError, ValueError) as error:
        print(f"mesos-chaos inject: no cluster is held in {args.folder}: {error}", file=sys.stderr)
        return EXIT_USAGE
    if "error" in answer:
        print(f"mesos-chaos inject: {answer['error']}", file=sys.stderr)
        return EXIT_USAGE
    print(json.dumps(answer["done"]) if args.kind == "json" else answer["done"])
    return 0
