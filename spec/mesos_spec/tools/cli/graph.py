"""Write the state graph of a small model: for Graphviz, for graph tools, for programs.

Every state is a node, every step an edge with its action and names.  A graph that is too large is
left unfinished (exit code 2): states where it goes on are marked `open`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesos_spec.tools.cli.common import ExitCode, say_unfinished

EXAMPLE = """\
for example:
  mesos-spec graph mesos_spec.examples.die_hard:MODEL --format dot | dot -Tsvg > jugs.svg
  mesos-spec graph offers --format graphml --out offers.graphml
  mesos-spec graph offers --format json --max-states 500
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec graph`."""
    parser.add_argument("model", metavar="MODEL", help="a model, or FILE.py:MODEL")
    parser.add_argument("--format", choices=("dot", "graphml", "json"), default="dot")
    parser.add_argument(
        "--max-states",
        metavar="N",
        type=int,
        default=5000,
        help="leave it unfinished after so many",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="there, and not to the terminal")


def run(args: argparse.Namespace) -> int:
    """Explore the model, and write its graph."""
    from mesos_spec.tools.cli.export import explored, put
    from mesos_spec.tools.report.graphs import FORMATS

    graph, stopped = explored(args.model, args.max_states)
    text = FORMATS[args.format](graph, not stopped)
    if args.out is None:
        print(text, end="")
    else:
        put(args.out, text)
    return say_unfinished(stopped) if stopped else ExitCode.OK
