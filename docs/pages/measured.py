"""README's table of measured figures, from benchmarks/results.json.

`make bench` measures, on the machine it runs on, and writes that file; each row says which part of
it.  A figure that was never measured is a dash, not a guess.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from docs.pages.text import code, table

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"

BEGIN = "<!-- measured: written by `make docs` from benchmarks/results.json -->"
END = "<!-- end of measured -->"


class Figure(NamedTuple):
    """A row: the key in results.json, what it is, its unit."""

    key: str
    says: str
    unit: str


FIGURES = (
    Figure("command_tasks_per_s", "real commands run as tasks, two agents", "tasks/s"),
    Figure("noop_tasks_per_s", "tasks of the no-op executor, through all real shells", "tasks/s"),
    Figure("accept_to_running_ms", "from ACCEPT to TASK_RUNNING of a real command", "ms"),
    Figure("failover_s_up", "leader killed to the next launch, timers of `mesos-ref up`", "s"),
    Figure("failover_s_mesos_backoff", "the same, with Apache Mesos' registration back-off", "s"),
    Figure("checker_states_per_s", "distinct states, model checker, one core", "states/s"),
    Figure("judge_steps_per_s", "steps of a trace judged, one core", "steps/s"),
)


def measured() -> str:
    """The table, with the machine it was measured on."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rows = [(f.says, _number(found.get(f.key), f.unit), code(f.key)) for f in FIGURES]
    machine = found.get("machine")
    where = f"Measured by `make bench` on {_machine(machine)}." if machine else "Not measured yet."
    return f"{where}\n\n" + table(("what", "measured", "key in `benchmarks/results.json`"), rows)


def _number(value: Any, unit: str) -> str:
    if isinstance(value, dict):
        value = value.get("median", value.get("value"))
    if not isinstance(value, int | float):
        return "–"
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{shown} {unit}"


def _machine(machine: Any) -> str:
    if isinstance(machine, dict):
        return ", ".join(f"{value}" for value in machine.values())
    return str(machine)


def put_in(document: str) -> str:
    """`document` with its table written anew.  Raises ValueError where it has no place for it."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END} in the document")
    return f"{before}{BEGIN}\n{measured()}\n{END}{after}"
