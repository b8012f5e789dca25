"""`mesos-chaos demo`: the whole system in one minute."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from mesos_chaos.cli import EXIT_USAGE

_ABOUT = """\
Start three masters and four agents as real processes, run two frameworks of real tasks, kill an
executor, an agent and the leading master meanwhile, and judge what happened against the
specification.  Takes about twenty seconds.  Ctrl-C takes everything down.
"""


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help=help_text,
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dir", type=Path, default=Path("runs"), help="for the run (default runs)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; the verdict's exit code."""
    from rich.console import Console

    from mesos_chaos.demo import last_screen, run_demo
    from mesos_ref.cluster.cluster import ClusterError

    args.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"demo-{os.getpid()}-", dir=args.dir)).absolute()
    console = Console(stderr=args.json)
    try:
        result, failover_s = run_demo(folder, console)
    except (ClusterError, OSError) as error:
        print(f"mesos-chaos demo: {error}", file=sys.stderr)
        return EXIT_USAGE
    if args.json:
        print(json.dumps({**result.json(), "failover_s": failover_s}, default=str))
    else:
        print(last_screen(result, failover_s))
    return result.exit_code
