"""`mesos-chaos list`: the scenarios that come along."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from mesos_chaos.plan import load_scenario, shipped


def add(subparsers: Any, help_text: str) -> None:
    """Add the command."""
    parser = subparsers.add_parser("list", help=help_text, description=help_text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print each scenario's name, title and reason."""
    scenarios = {name: load_scenario(name)[1] for name in shipped()}
    if args.json:
        print(json.dumps({n: s.model_dump(mode="json") for n, s in scenarios.items()}, indent=1))
        return 0
    for name, scenario in scenarios.items():
        where = "" if 3 in scenario.tiers else "  (--tier 1 only)"
        print(f"{name}: {scenario.title}{where}")
        print(textwrap.indent(textwrap.fill(" ".join(scenario.why.split()), 88), "    "))
    return 0
