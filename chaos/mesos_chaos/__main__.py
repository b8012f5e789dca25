"""`mesos-chaos`: run scenarios, inject faults by hand, hunt mutants, show the demo.

Each command is a module of `mesos_chaos.cli`, imported when it is asked for, so that `--help` is
quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "run": "run scenarios on real processes (or in simulation) and judge them",
    "list": "list the scenarios that come along, each with its reason",
    "faults": "list the kinds of fault, the targets, and the sites",
    "inject": "do one fault by hand to a cluster that is held",
    "replay": "feed a core what its trace says it heard, and compare",
    "search": "draw plans and run them, for as long as you like; keep what breaks something",
    "exhaust": "run every fault at every site of a small plan, to the end",
    "shrink": "make a plan that breaks something as small as it can be",
    "mutants": "plant known bugs, and see which are caught",
    "demo": "three masters, four agents, two frameworks; things die; nothing is lost",
}

_ABOUT = """\
Experiments on Mesos: a cluster is run, hurt on purpose, healed, and judged against its
specification.

  mesos-chaos list
  mesos-chaos run leader_killed
  mesos-chaos run leader_killed --tier 1 --seeds 0-99
  mesos-chaos run my_plan.toml --framework 'python my_framework.py' --goal ./check.sh

  exit codes: 0 ok · 1 a property is broken · 2 unknown · 3 it does not settle
              4 a record is no step of the specification · 5 wrong use, or the harness failed
"""


def parser() -> argparse.ArgumentParser:
    """The command line, with every command's options."""
    made = argparse.ArgumentParser(
        prog="mesos-chaos",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name in COMMANDS:
        import_module(f"mesos_chaos.cli.{name}").add(commands, COMMANDS[name])
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        args = parser().parse_args(argv)
    except SystemExit as ended:
        return 5 if ended.code not in (0, None) else 0
    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        return _interrupted()
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return _interrupted()
    return code


def _interrupted() -> int:
    """Ctrl-C: every process was ended on the way here."""
    print("taken down; nothing is left", file=sys.stderr)
    return 130


if __name__ == "__main__":
    sys.exit(main())
