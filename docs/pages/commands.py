"""The page of the command lines, from the parsers themselves.

Options are laid out here and not by argparse, whose layout differs from Python to Python.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import mesos_chaos.__main__ as chaos
import mesos_ref.cli as ref
import mesos_spec.__main__ as spec
from docs.pages.text import code, page, table


def commands() -> str:
    """docs/reference/cli.md."""
    return page(
        "Commands",
        "Three commands: `mesos-ref` runs clusters, `mesos-spec` asks the specification, "
        "`mesos-chaos` does experiments. `--help` of each says what is here.",
        _codes(),
        *_command(
            "mesos-ref", ref.COMMANDS, "mesos_ref.cli.{}", lambda name: ref.parser_for([name])
        ),
        *_command(
            "mesos-spec",
            spec.COMMANDS,
            "mesos_spec.tools.cli.{}",
            lambda name: spec.parser_for([name]),
        ),
        *_command("mesos-chaos", chaos.COMMANDS, "mesos_chaos.cli.{}", lambda name: chaos.parser()),
    )


def _codes() -> str:
    rows = [
        ("0", "everything that was asked holds"),
        ("1", "a safety property is broken"),
        ("2", "unknown: something that had to be seen was not, or a trace has a gap"),
        ("3", "what should have happened in the end did not"),
        ("4", "a trace is no behaviour of the specification"),
        ("5", "wrong usage, or the harness itself failed"),
        ("70", "`mesos-ref master`, `mesos-ref agent`: the core failed, which is a bug"),
        ("75", "`mesos-ref master`: leadership was lost; start it anew"),
    ]
    return table(("exit code", "meaning"), rows)


def _command(
    program: str, table_of: Mapping[str, str], module: str, parser_of: Any
) -> Iterator[str]:
    """A section for the program and one for each of its subcommands that is there."""
    yield f"## {program}"
    for name, line in table_of.items():
        if find_spec(module.format(name)) is not None:
            yield from _subcommand(program, name, line, parser_of(name))


def _subcommand(
    program: str, name: str, line: str, parser: argparse.ArgumentParser
) -> Iterator[str]:
    own = _choice(parser, name)
    yield f"### {program} {name}"
    yield f"{line[0].upper()}{line[1:]}."
    for text in (own.description, own.epilog):
        if text and text.strip(" .\n").lower() != line.strip(" .\n").lower():
            yield "```text\n" + inspect.cleandoc(text).strip() + "\n```"
    rows = [_argument(one, own) for one in own._actions if not _is_help(one)]
    if rows:
        yield table(("argument", "meaning"), rows)


def _choice(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    for one in parser._actions:
        if isinstance(one, argparse._SubParsersAction):
            chosen = one.choices[name]
            assert isinstance(chosen, argparse.ArgumentParser)
            return chosen
    raise LookupError(name)


def _is_help(one: argparse.Action) -> bool:
    return isinstance(one, argparse._HelpAction) or one.help == argparse.SUPPRESS


def _argument(one: argparse.Action, parser: argparse.ArgumentParser) -> tuple[str, str]:
    help_text = (one.help or "") % {**vars(one), "prog": parser.prog}
    return code(_shape(one)), " ".join(help_text.split())


def _shape(one: argparse.Action) -> str:
    value = _value(one)
    if not one.option_strings:
        return f"[{value}]" if one.nargs in ("?", "*") else value
    flags = ", ".join(one.option_strings)
    return flags if one.nargs == 0 else f"{flags} {value}"


def _value(one: argparse.Action) -> str:
    if isinstance(one.metavar, str):
        name = one.metavar
    elif one.choices is not None:
        name = "{" + ",".join(map(str, one.choices)) + "}"
    else:
        name = one.dest.upper() if one.option_strings else one.dest
    many = one.nargs in ("*", "+", argparse.REMAINDER) or (
        isinstance(one.nargs, int) and one.nargs > 1
    )
    return f"{name} …" if many else name
