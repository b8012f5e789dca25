"""A simulated run, kept: its directory has what the one of a real run has.

Simulation leaves nothing behind by itself.  Since the seed decides everything, a run that is worth
looking at is done once more, and what each process writes and when each fault strikes is kept, as
if processes had written it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesos_chaos.plan import Scenario
from mesos_chaos.sim.run import SimResult, simulate
from mesos_chaos.virtual.run import run_virtually
from mesos_chaos.writing import scenario_text
from mesos_spec.tools.judging.verdict import Verdict

HARNESS = "harness"


def keep(folder: Path, scenario: Scenario, tier: int) -> SimResult:
    """Do a run again and keep its plan and traces in `folder`; what it came to.

    What is wrong in it has its place in those files, so that `mesos-spec why` finds it.
    """
    again = simulate if tier == 1 else run_virtually
    result, cluster = again(scenario, keep_lines=True)
    lines: dict[str, list[bytes]] = cluster.judge.lines or {}
    traces = folder / "trace"
    traces.mkdir()
    for name, parts in lines.items():
        (traces / _file(name)).write_bytes(b"".join(parts))
    began_s = min(json.loads(parts[0].splitlines()[0])["wall"] for parts in lines.values())
    (traces / _file(HARNESS)).write_bytes(_faults(result.struck, scenario.seed, began_s))
    (folder / "plan.toml").write_text(scenario_text(scenario))
    result.verdict = _found_in(traces, result.verdict)
    return result


def _file(name: str) -> str:
    return name if name.endswith(".ndjson") else f"{name}.ndjson"


def _faults(struck: Iterable[tuple[float, str, str]], seed: int, began_s: float) -> bytes:
    """The harness' own trace: what it did to whom, on the clock of the others."""
    header = {"trace": "mesos-ref", "version": 1, "role": HARNESS, "node": HARNESS}
    header |= {"incarnation": HARNESS, "wall": began_s, "config": {"seed": seed}}
    lines: list[dict[str, Any]] = [header]
    for seq, (at_s, kind, whom) in enumerate(struck):
        lines.append({"seq": seq, "wall": began_s + at_s, "fault": {"kind": kind, "target": whom}})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _found_in(traces: Path, verdict: Verdict) -> Verdict:
    """The same verdict, its places in the files that were kept."""

    def place(old: str) -> str:
        name, _, line = old.rpartition(":")
        return f"{traces / _file(name)}:{line}"

    return replace(
        verdict,
        violations=[replace(one, place=place(one.place)) for one in verdict.violations],
        breaches=[replace(one, place=place(one.place)) for one in verdict.breaches],
    )
