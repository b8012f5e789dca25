"""`mesos-chaos faults`: what can be done, to whom, and when."""

from __future__ import annotations

import argparse
import json
from typing import Any

from mesos_spec.mesos import ACTIONS

KINDS = {
    "kill": "SIGKILL a leader, master, agent, executor or scheduler; undo: start it again",
    "pause": "SIGSTOP a master or an agent; undo: SIGCONT",
    "cut": "let nothing through between an agent (in simulation also a scheduler) and all masters; "
    "one way is half-open; undo: mend",
    "delay": "deliver late between the same, by delay_s; undo: no delay",
    "reset": "reset every connection between the same; they dial again",
    "depose": "end the leader's reign while it lives and does not know; undo: the next election",
}
TARGETS = {
    "leader": "whoever leads when the fault strikes",
    "standby": "a master that does not lead",
    "master:N": "the N-th master",
    "agent:N": "the N-th agent",
    "agent:any": "an agent that runs",
    "agent-of:TASK": "the agent that runs a task whose id begins so",
    "executor:any": "an executor that runs",
    "executor-of:TASK": "the executor of a task whose id begins so",
    "scheduler:NAME": "the framework of the workload called so",
}
PARTIES = ("master", "agent", "scheduler")


def sites() -> list[str]:
    """Every `party.action` that `after = "party.action#N"` may name."""
    return sorted(f"{a.by}.{name}" for name, a in ACTIONS.items() if a.by in PARTIES)


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser("faults", help=help_text, description=help_text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print kinds, targets and sites."""
    if args.json:
        print(json.dumps({"kinds": KINDS, "targets": TARGETS, "sites": sites()}, indent=1))
        return 0
    for title, table in (("kinds", KINDS), ("targets", TARGETS)):
        print(title)
        for name, text in table.items():
            print(f"  {name:<17} {text}")
    print('sites: at_s = 2.5, or after = "SITE#N", once SITE was seen N times')
    for site in sites():
        print(f"  {site}")
    return 0
