"""`mesos-ref agents`: which agents there are, what they have, and how much of it is in use."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from mesos_ref.cli import EXIT_OK, showing
from mesos_ref.cluster.asking import Operator
from mesos_ref.http.client import HttpClient
from mesos_ref.wire.v1 import TERMINAL_STATES

_ABOUT = """\
List a cluster's agents: where each is, whether its master hears of it, and how
much of what it has is in use.

  mesos-ref agents
  mesos-ref agents --master 127.0.0.1:5050,127.0.0.1:5051,127.0.0.1:5052
  mesos-ref agents --json | jq -r 'select(.state == "disconnected").agent'

  exit codes: 0 done · 5 wrong use, or nobody can be asked
"""

_COLUMNS = ("agent", "address", "state", "tasks", "cpus", "mem")


def add(subparsers: Any) -> None:
    """Add `agents` to the command line."""
    showing.add_json(showing.add(subparsers, "agents", _ABOUT, _show))


async def _show(operator: Operator, client: HttpClient, args: argparse.Namespace) -> int:
    answer = await operator.ask("GET_STATE")
    tasks = [t for t in answer["get_tasks"]["tasks"] if t["state"] not in TERMINAL_STATES]
    counts = Counter(task["agent_id"]["value"] for task in tasks)
    rows = [_row(agent, counts) for agent in answer["get_agents"]["agents"]]
    if not args.json:
        rows = [row | {name: _of(row, name) for name in ("cpus", "mem")} for row in rows]
    showing.show(rows, _COLUMNS, as_json=args.json, none=f"no agents at {operator.leader}")
    return EXIT_OK


def _row(agent: dict[str, Any], tasks: Counter[str]) -> showing.Row:
    agent_id = agent["agent_info"]["id"]["value"]
    used, total = agent["allocated_resources"], agent["total_resources"]
    return {
        "agent": agent_id,
        "address": showing.agent_address(agent),
        "state": "registered" if agent["active"] else "disconnected",
        "tasks": tasks[agent_id],
        "cpus_used": showing.amount(used, "cpus"),
        "cpus": showing.amount(total, "cpus"),
        "mem_used": showing.amount(used, "mem"),
        "mem": showing.amount(total, "mem"),
    }


def _of(row: showing.Row, name: str) -> str:
    return f"{row[f'{name}_used']:g} of {row[name]:g}"
