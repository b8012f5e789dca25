"""Run directories: one for each scenario and seed, and `latest`; and the reports in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesos_chaos.plan import Plan, Scenario
from mesos_spec.tools.judging.trace import TraceError, read_traces
from mesos_spec.tools.judging.verdict import Verdict
from mesos_spec.tools.report.page import page


def fresh_folder(base: Path, name: str, seed: int, tier: int = 3) -> Path:
    """An empty directory `base/name/seed`, whatever was there; `base/latest` leads to it.

    A simulated run has one of its own, `base/name/seed-tierN`: it never takes a real run's.
    """
    folder = (base / name / (f"{seed}" if tier == 3 else f"{seed}-tier{tier}")).absolute()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    latest = base / "latest"
    aside = base / f".latest.{name}.{folder.name}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(folder)
    aside.replace(latest)
    return folder


def write_reports(
    folder: Path,
    plan: Plan,
    text: str,
    facts: dict[str, Any],
    verdict: Verdict,
    commands: Sequence[str],
) -> None:
    """report.txt for people, report.json for machines, report.html as a picture."""
    titled_text = titled(plan, text)
    (folder / "report.txt").write_text(titled_text + "\n")
    (folder / "report.json").write_text(json.dumps(facts, indent=1, default=str) + "\n")
    try:
        traces = read_traces([folder / "trace"])
    except TraceError:
        traces = []
    title = f"{folder.parent.name} #{plan.seed}"
    drawn = page(traces, verdict, title=title, commands=[*commands, *_closer(folder)])
    (folder / "report.html").write_text(drawn)


def _closer(folder: Path) -> list[str]:
    """What to type to look closer at a run."""
    return [
        f"mesos-spec trace {folder / 'trace'}",
        f"mesos-chaos shrink {folder} --seeds 0-99",
    ]


def titled(plan: Plan, text: str) -> str:
    """A report with its scenario's title and reason before it: what stands in report.txt."""
    return f"{plan.title}\n\n{plan.why.strip()}\n\n{text}" if isinstance(plan, Scenario) else text
