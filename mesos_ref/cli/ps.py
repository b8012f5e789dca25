"""`mesos-ref ps`: the tasks a cluster runs, where, and for whom."""

from __future__ import annotations

import argparse
from typing import Any

from mesos_ref.cli import EXIT_OK, showing
from mesos_ref.cluster.asking import Operator
from mesos_ref.http.client import HttpClient

_ABOUT = """\
List a cluster's tasks. A task is listed until its framework has acknowledged its
last update; what it wrote can be read longer, with `mesos-ref logs`.

  mesos-ref ps
  mesos-ref ps --master file:/tmp/cluster/election/leader
  mesos-ref ps --json | jq -r 'select(.state != "TASK_RUNNING").task'

  exit codes: 0 done · 5 wrong use, or nobody can be asked
"""

_COLUMNS = ("task", "state", "agent", "framework", "role", "cpus", "mem")


def add(subparsers: Any) -> None:
    """Add `ps` to the command line."""
    showing.add_json(showing.add(subparsers, "ps", _ABOUT, _show))


async def _show(operator: Operator, client: HttpClient, args: argparse.Namespace) -> int:
    answer = await operator.ask("GET_STATE")
    rows = tasks_of(answer)
    showing.show(rows, _COLUMNS, as_json=args.json, none=f"no tasks at {operator.leader}")
    return EXIT_OK


def tasks_of(state: dict[str, Any]) -> list[showing.Row]:
    """A row for each task of a GET_STATE answer, by framework."""
    addresses = {
        agent["agent_info"]["id"]["value"]: showing.agent_address(agent)
        for agent in state["get_agents"]["agents"]
    }
    names = {
        each["framework_info"]["id"]["value"]: each["framework_info"]["name"]
        for each in state["get_frameworks"]["frameworks"]
    }
    tasks = state["get_tasks"]
    return [_row(task, addresses, names) for task in [*tasks["tasks"], *tasks["unreachable_tasks"]]]


def _row(task: dict[str, Any], addresses: dict[str, str], names: dict[str, str]) -> showing.Row:
    agent_id, framework_id = task["agent_id"]["value"], task["framework_id"]["value"]
    roles = [each.get("allocation_info", {}).get("role") for each in task["resources"]]
    return {
        "task": task["task_id"]["value"],
        "name": task["name"],
        "state": task["state"],
        "agent": addresses.get(agent_id, agent_id),
        "agent_id": agent_id,
        "framework": names.get(framework_id, framework_id),
        "framework_id": framework_id,
        "executor_id": task.get("executor_id", {}).get("value", task["task_id"]["value"]),
        "role": roles[0] if roles and roles[0] else "*",
        "cpus": showing.amount(task["resources"], "cpus"),
        "mem": showing.amount(task["resources"], "mem"),
    }
