"""`mesos-ref frameworks`: who runs things on a cluster, and what they hold."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from mesos_ref.cli import EXIT_OK, showing
from mesos_ref.cluster.asking import Operator
from mesos_ref.http.client import HttpClient
from mesos_ref.wire.v1 import TERMINAL_STATES

_ABOUT = """\
List a cluster's frameworks: their roles, whether they are connected, and what
their tasks use. A framework that is away has as long to come back as it asked for
(its failover_timeout); its tasks run on meanwhile.

  mesos-ref frameworks
  mesos-ref frameworks --json | jq -r 'select(.tasks == 0).framework'

  exit codes: 0 done · 5 wrong use, or nobody can be asked
"""

_COLUMNS = ("framework", "name", "roles", "state", "tasks", "offers", "cpus", "mem")


def add(subparsers: Any) -> None:
    """Add `frameworks` to the command line."""
    showing.add_json(showing.add(subparsers, "frameworks", _ABOUT, _show))


async def _show(operator: Operator, client: HttpClient, args: argparse.Namespace) -> int:
    answer = await operator.ask("GET_STATE")
    tasks = [t for t in answer["get_tasks"]["tasks"] if t["state"] not in TERMINAL_STATES]
    counts = Counter(task["framework_id"]["value"] for task in tasks)
    rows = [_row(each, counts) for each in answer["get_frameworks"]["frameworks"]]
    if not args.json:
        rows = [row | {"roles": ",".join(row["roles"])} for row in rows]
    showing.show(rows, _COLUMNS, as_json=args.json, none=f"no frameworks at {operator.leader}")
    return EXIT_OK


def _row(framework: dict[str, Any], tasks: Counter[str]) -> showing.Row:
    info = framework["framework_info"]
    framework_id = info["id"]["value"]
    used = framework["allocated_resources"]
    return {
        "framework": framework_id,
        "name": info["name"],
        "roles": roles_of(info),
        "state": _standing(framework),
        "tasks": tasks[framework_id],
        "offers": len(framework["offers"]),
        "cpus": showing.amount(used, "cpus"),
        "mem": showing.amount(used, "mem"),
    }


def roles_of(info: dict[str, Any]) -> list[str]:
    """The roles of a FrameworkInfo, old form or new."""
    return list(info.get("roles") or [info.get("role", "*")])


def _standing(framework: dict[str, Any]) -> str:
    if framework["recovered"]:
        return "recovered"  # an agent has told of it; it has not come back itself
    return "connected" if framework["connected"] else "disconnected"
