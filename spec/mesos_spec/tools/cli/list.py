"""List what there is: models, actions and properties, each with its sentence."""

from __future__ import annotations

import argparse
from typing import Any

from mesos_spec.tools.cli.common import ExitCode, say_json

EXAMPLE = """\
for example:
  mesos-spec list
  mesos-spec list models
  mesos-spec list actions --json
"""

SORTS = ("models", "actions", "properties")


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec list`."""
    parser.add_argument("sort", nargs="?", choices=SORTS, help="only these")
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Print the tables that were asked for."""
    tables = {sort: _rows(sort) for sort in ([args.sort] if args.sort else SORTS)}
    if args.json:
        say_json(tables)
        return ExitCode.OK
    for sort, rows in tables.items():
        print(sort)
        for row in rows:
            print(f"  {row['name']:<36} {row['says']}")
    return ExitCode.OK


def _rows(sort: str) -> list[dict[str, Any]]:
    if sort == "models":
        from mesos_spec.models import BESIDE, MODELS

        return [
            {
                "name": m.name,
                "says": m.title,
                "states": None if m.expect is None else m.expect.states,
            }
            for m in (*MODELS, *BESIDE)
        ]
    from mesos_spec.mesos import ACTIONS, ALWAYS, EACH_STEP

    listed: list[Any] = list(ACTIONS.values()) if sort == "actions" else [*ALWAYS, *EACH_STEP]
    return [
        {"name": one.name, "says": one.doc.splitlines()[0], "cites": list(one.cites)}
        for one in listed
    ]
