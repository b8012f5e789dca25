"""What the commands that show a cluster have in common: whom they ask, and how they print.

Each asks the leader once, and prints a table for people or, with ``--json``, one object a line for
programs: the same fields, numbers as numbers.  Who can't be asked is said in a sentence, on stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import trio

from mesos_ref.cli import COMMANDS, EXIT_OK, EXIT_USAGE
from mesos_ref.cluster.asking import DEFAULT_MASTER, MASTER_VARIABLE, Masters, Operator, Unanswered
from mesos_ref.http.client import HttpClient
from mesos_ref.ports.net import TrioNet

Row = dict[str, Any]
Work = Callable[[Operator, HttpClient, argparse.Namespace], Awaitable[int]]

#: Wider than any table: what is not read on a screen is not cut to its width.
_NO_SCREEN: Final = 10_000


def add(subparsers: Any, name: str, about: str, work: Work) -> argparse.ArgumentParser:
    """Add a command that asks a cluster something: `work` does it, and returns the exit code."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=COMMANDS[name],
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_master(parser)
    parser.set_defaults(run=lambda args: _run(args, work))
    return parser


def add_master(parser: argparse.ArgumentParser, read: Callable[[str], Any] | None = None) -> None:
    """Which cluster: `args.master` is what `read` makes of it, else `Masters`."""
    parser.add_argument(
        "--master",
        metavar="WHERE",
        type=read or masters,
        default=os.environ.get(MASTER_VARIABLE) or DEFAULT_MASTER,
        help="http://host:port or host:port, several with commas, or file:PATH"
        f" (default: ${MASTER_VARIABLE}, else {DEFAULT_MASTER})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """For whom to print."""
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def masters(text: str) -> Masters:
    """A `--master`."""
    try:
        return Masters.named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(args: argparse.Namespace, work: Work) -> int:
    try:
        code = trio.run(_ask, args, work)
        sys.stdout.flush()
        return code
    except Unanswered as error:
        print(f"mesos-ref: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_OK  # of a log that was followed for long enough
    except BrokenPipeError:  # `… | head`: whoever read us has seen enough
        let_go_of_stdout()
        return EXIT_OK


def let_go_of_stdout() -> None:
    """Nobody reads it any more: what is still written there at the end must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _ask(args: argparse.Namespace, work: Work) -> int:
    client = HttpClient(TrioNet())
    try:
        return await work(Operator(client, args.master), client, args)
    except ExceptionGroup as group:  # of a nursery that had one thing to say
        raise group.exceptions[0] from None
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await client.aclose()


# Printing -----------------------------------------------------------------------------------------


def show(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, none: str) -> None:
    """Print rows: those fields that are columns as a table, or all of them as JSON.

    `none` is what people are told if there are no rows.
    """
    if as_json:
        for row in rows:
            print(msgspec.json.encode(row).decode())
    elif rows:
        _table(rows, columns)
    else:
        print(none)


def _table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    from rich.console import Console  # it takes a while to import, and --json needs none of it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = isinstance(rows[0][column], int | float)
        justify = "right" if is_number else "left"
        table.add_column(column.upper(), no_wrap=True, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(_shown(row[column]), style=_style(row[column])) for column in columns))
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else _NO_SCREEN)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_STYLES: Final = {
    "TASK_RUNNING": "green",
    "TASK_FINISHED": "green",
    "TASK_FAILED": "red",
    "TASK_LOST": "red",
    "TASK_UNREACHABLE": "red",
    "disconnected": "red",
}


def _style(value: Any) -> str:
    return _STYLES.get(value, "") if isinstance(value, str) else ""


# Reading answers ----------------------------------------------------------------------------------


def amount(resources: Iterable[Mapping[str, Any]], name: str) -> float:
    """How much of a scalar there is, in all: ``cpus``, or ``mem`` in MB."""
    values = (each["scalar"]["value"] for each in resources if each["name"] == name)
    return round(sum(values, 0.0), 3)


def agent_address(agent: Mapping[str, Any]) -> str:
    """Where an agent of GET_AGENTS is found: ``host:port``."""
    return f"{agent['agent_info']['hostname']}:{agent['agent_info'].get('port', 5051)}"
