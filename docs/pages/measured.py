"""README's table of measured figures, from benchmarks/results.json.

`make bench` measures on the machine it runs on and writes that file; each row names the command
that measures it alone.  What was never measured is a dash, not a guess; what else the machine was
doing meanwhile stands beside the figure.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.pages.text import code, table

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"

BEGIN = "<!-- measured: written by `make docs` from benchmarks/results.json -->"
END = "<!-- end of measured -->"

#: Key in results.json → what it is.
FIGURES = {
    "command_tasks_per_s": "tasks that are real commands, finished and acknowledged",
    "noop_tasks_per_s": "tasks that do nothing, through real processes and sockets",
    "accept_to_running_ms": "from ACCEPT to TASK_RUNNING of a real command",
    "failover_s_up": "from the leader's death until everybody is back",
    "failover_s_mesos_backoff": "the same, with Apache Mesos' registration back-off",
    "checker_states_per_s": "distinct states of a model checked",
    "compiled_states_per_s": "… of models of millions, with the compiled kernel",
    "numpy_states_per_s": "… with numpy alone",
    "two_cores_times_one": "… with two cores, times as fast by the clock",
    "judge_steps_per_s": "steps of a trace judged",
    "judge_at_10000_tasks": "… with ten times as many tasks, in relation",
    "core_events_per_s": "events of the real cores in simulation, not judged",
    "judged_events_per_s": "… judged",
    "judged_bytes_a_step": "memory that a judged step leaves behind",
    "calm50_times_real": "simulated time of 50 agents that have little to do, by CPU time",
    "busy50_times_real": "the same with ten tasks a second",
    "virtual_messages_per_s": "messages of real shells over HTTP and links, in virtual time",
    "virtual_calm50_times_real": "… 50 agents with little to do: simulated time by CPU time",
    "virtual_busy50_times_real": "… with ten tasks a second",
}


def measured() -> str:
    """The table, and on what it was measured."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    figures: dict[str, Any] = found.get("figures", {})
    rows = [(says, *_figure(figures.get(key)), code(key)) for key, says in FIGURES.items()]
    head = ("what", "median", "all runs", "load then", "how", "`python -m benchmarks …`")
    return f"{_where(found.get('machine'), figures)}\n\n" + table(head, rows)


def _figure(one: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if one is None:
        return "–", "–", "–", "–"
    low, high = min(one["runs"]), max(one["runs"])
    shown = f"{_number(low)} … {_number(high)}"
    return f"{_number(one['value'])} {one['unit']}", shown, f"{one['load']:.1f}", one["how"]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _where(machine: dict[str, Any] | None, figures: dict[str, Any]) -> str:
    if machine is None or not figures:
        return "Not measured yet: `make bench` does it."
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}. Everything runs "
        "on this one machine, and *load then* says how busy it was with this and with other work."
    )


def put_in(document: str) -> str:
    """`document` with its table written anew.  Raises ValueError where it has no place for it."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no {BEGIN} … {END} in the document")
    return f"{before}{BEGIN}\n{measured()}\n{END}{after}"
