"""The command `mesos-spec`: `mesos-spec --help` says what it can do.

One module a subcommand, `mesos_spec.tools.cli.<name>`, and only the one that is asked for is
loaded.  It has `add(parser)`, which adds its arguments, and `run(args)`, which does it and returns
an exit code.
"""

from __future__ import annotations

import signal
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from mesos_spec.tools.cli.common import ExitCode, Misused, Parser

#: Subcommands and what they are for, in the order `--help` shows them.
COMMANDS: Final[Mapping[str, str]] = {
    "check": "look at every state that a bounded model can reach",
    "trace": "judge traces of real processes: is this a behaviour of the specification?",
    "replay": "do again what a counterexample's file says a model did: is it still so?",
    "why": "why a step of a trace or of a counterexample is one, and why another would be or not",
    "step": "walk through a model by hand, a step at a time, from its start or a counterexample",
    "show": "a trace or a counterexample as text, JSON, or a sequence diagram",
    "surprises": "what people believe about Mesos that is not so, each with its shortest story",
    "graph": "the state graph of a small model: DOT, GraphML or JSON",
    "export": "a model for other tools: a TLA+ module, behaviours as ITF",
    "mutants": "leave out every guard, effect and part of a claim: does anything notice?",
    "list": "models, actions and properties, each with its sentence",
}

_ABOUT = """\
mesos-spec asks the executable specification of Mesos.

  mesos-spec check offers        every state of one model: do all properties hold?
  mesos-spec trace runs/today    were these processes doing what the specification says?
  mesos-spec why runs/today/master-m1-1.ndjson:41
"""

_CODES = """\
exit codes: 0 all is well; 1 a property is broken; 2 unknown; 3 liveness;
            4 a trace is no behaviour of the specification; 5 used wrongly
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit code is the process'."""
    if argv is None:
        argv = sys.argv[1:]
        if hasattr(signal, "SIGPIPE"):  # `mesos-spec list | head` ends quietly
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        args = parser_for(argv).parse_args(argv)
        code: int = args.run(args)
    except Misused as error:
        print(f"mesos-spec: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except Exception as error:  # of a specification's functions, or it is ours
        from mesos_spec.tools.search.blame import blame

        wrong = blame(error)
        if wrong is None:
            raise
        print(f"mesos-spec: {wrong}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("mesos-spec: interrupted; nothing is known", file=sys.stderr)
        return ExitCode.UNKNOWN
    return code


def parser_for(argv: Sequence[str]) -> Parser:
    """The parser of the whole command line; only the subcommand in `argv` is loaded."""
    parser = Parser(
        prog="mesos-spec",
        description=_ABOUT,
        epilog=_CODES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    subparsers: Any = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    asked = next((word for word in argv if not word.startswith("-")), None)
    for name, line in COMMANDS.items():
        if name != asked:
            subparsers.add_parser(name, help=line, add_help=False)
            continue
        module = import_module(f"mesos_spec.tools.cli.{name}")
        mine = subparsers.add_parser(
            name,
            help=line,
            description=module.__doc__,
            epilog=module.EXAMPLE,
            formatter_class=RawDescriptionHelpFormatter,
        )
        module.add(mine)
        mine.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
