"""The command line of `mesos-ref`: one module a subcommand, and only the one that is asked for.

A module `mesos_ref.cli.<name>` has `add(subparsers)`, which adds its parser and sets `run`, a
function from the parsed arguments to an exit code. Exit codes: 0 done, 5 used wrongly or the
machine refused; the daemons add 70 (the core failed, a bug) and 75 (leadership lost: start anew).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NoReturn

EXIT_OK: Final = 0
#: Used wrongly, or the machine refused: a port that is taken, a folder that can't be written.
EXIT_USAGE: Final = 5
#: Interrupted before it was done.
EXIT_INTERRUPTED: Final = 2
#: A master that lost leadership (EX_TEMPFAIL of sysexits.h): its supervisor starts a new one.
EXIT_DEPOSED: Final = 75

#: Subcommands and what they are for, in the order `--help` shows them.
COMMANDS: Final[Mapping[str, str]] = {
    "up": "start a whole cluster on this machine",
    "master": "run a master",
    "agent": "run an agent",
    "run": "run a command as tasks on a cluster",
    "ps": "list tasks",
    "agents": "list agents",
    "frameworks": "list frameworks",
    "logs": "show what a task wrote",
}

#: What runs until it is told to end.
TOLD_TO_END: Final = ("up", "master", "agent")

_ABOUT = """\
mesos-ref runs clusters in the manner of Mesos: a master offers what agents have,
frameworks choose, and their tasks run.

A cluster by hand, each line in a terminal of its own:
  mesos-ref master --port 5050 --election file:/tmp/cluster/leader
  mesos-ref agent --master file:/tmp/cluster/leader --work-dir /tmp/cluster/agent1
"""


class Parser(argparse.ArgumentParser):
    """Exits with our code for wrong use, and says where help is."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n  see: {self.prog} --help\n")


def main(argv: Sequence[str]) -> int:
    """Parse and run one subcommand."""
    try:
        args = parser_for(argv).parse_args(argv)
        code: int = args.run(args)
    except KeyboardInterrupt:  # before it could see to that itself
        return _interrupted(argv)
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return _interrupted(argv)
    return code


def _interrupted(argv: Sequence[str]) -> int:
    print("mesos-ref: interrupted", file=sys.stderr)
    return EXIT_OK if _asked(argv) in TOLD_TO_END else EXIT_INTERRUPTED


def _asked(argv: Sequence[str]) -> str | None:
    return next((word for word in argv if not word.startswith("-")), None)


def parser_for(argv: Sequence[str]) -> Parser:
    """The parser of the whole command line; only the subcommand in `argv` is loaded."""
    parser = Parser(
        prog="mesos-ref",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers: Any = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    asked = _asked(argv)
    for name, line in COMMANDS.items():
        if find_spec(f"mesos_ref.cli.{name}") is None:
            continue
        if name == asked:
            import_module(f"mesos_ref.cli.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=line, add_help=False)
    return parser
