"""Measure figures, print a table, and write results.json.

python -m benchmarks                      all of them (some minutes)
python -m benchmarks noop_tasks_per_s     this one; the others keep what they were
python -m benchmarks --quick              as small as can be: does it work at all?  Writes nothing
                                          unless --json names a file
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import Figure, load, machine, rounded

RESULTS: Final = Path(__file__).parent / "results.json"

#: Where each figure is measured, by a function of its name.
FIGURES: Final = {
    "command_tasks_per_s": "tasks",
    "noop_tasks_per_s": "tasks",
    "accept_to_running_ms": "tasks",
    "failover_s_up": "failover",
    "failover_s_mesos_backoff": "failover",
    "checker_states_per_s": "checker",
    "compiled_states_per_s": "large",
    "numpy_states_per_s": "large",
    "two_cores_times_one": "large",
    "judge_steps_per_s": "judge",
    "judge_at_10000_tasks": "judge",
    "core_events_per_s": "simulation",
    "judged_events_per_s": "simulation",
    "judged_bytes_a_step": "simulation",
    "calm50_times_real": "simulation",
    "busy50_times_real": "simulation",
    "virtual_messages_per_s": "virtual",
    "virtual_calm50_times_real": "virtual",
    "virtual_busy50_times_real": "virtual",
}


def measure(name: str, quick: bool) -> Figure:
    """One figure."""
    module = import_module(f"benchmarks.{FIGURES[name]}")
    figure: Figure = getattr(module, name)(quick)
    return figure


def measure_all(names: Sequence[str], quick: bool) -> dict[str, Any]:
    """Measure figures, print each as it is there; by name, as `results.json` holds them."""
    found = {}
    print(f"{'figure':<26} {'median':>10}  {'unit':<9} {'worst to best or all runs':<30} load")
    for name in names:
        before = load()
        figure = measure(name, quick)
        found[name] = {**figure.plain(), "load": rounded(max(before, load()))}
        print(row(figure, found[name]["load"]), flush=True)
    return found


def row(figure: Figure, load_then: float) -> str:
    """A line of the table, and one for what belongs to the figure."""
    runs = sorted(figure.runs)
    shown = runs if len(runs) <= 3 else [runs[0], runs[-1]]
    spread = (" " if len(runs) <= 3 else " … ").join(f"{rounded(run):g}" for run in shown)
    facts = ", ".join(
        f"{name} {rounded(fact):g}" if isinstance(fact, (int, float)) else f"{name} {fact}"
        for name, fact in figure.facts.items()
    )
    head = f"{figure.name:<26} {rounded(figure.value):>10g}  {figure.unit:<9} {spread:<30}"
    return f"{head} {load_then:.1f}\n    {figure.how}" + (f"\n    {facts}" if facts else "")


def save(path: Path, found: dict[str, Any]) -> None:
    """Write figures beside those that were not measured now."""
    known = json.loads(path.read_text())["figures"] if path.exists() else {}
    figures = {name: {**known, **found}[name] for name in FIGURES if name in known | found}
    text = json.dumps({"machine": machine(), "figures": figures}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="; ".join(FIGURES))
    parser.add_argument("--json", metavar="FILE", type=Path, help="write here instead")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one run")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in FIGURES]
    if unknown:
        parser.error(f"{unknown[0]!r} is no figure; these are: {', '.join(FIGURES)}")
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, Python {about['python']}")
    found = measure_all(args.names or list(FIGURES), args.quick)
    path = args.json or (None if args.quick else RESULTS)
    if path is not None:
        save(path, found)
        print(f"written to {path}; `make docs` puts {RESULTS.name} into README")
    return 0


if __name__ == "__main__":
    sys.exit(main())
