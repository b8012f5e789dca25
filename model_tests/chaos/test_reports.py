"""report.txt, word for word: what stands on the one page that is read when something is wrong.

The goldens hold a run that conforms, one that violates and one that proves nothing; what is another
each time is taken out of both sides.  `python -m model_tests.chaos.test_reports` writes them anew;
read the difference before you keep it.
"""

from __future__ import annotations

import json
import re
import tempfile
from functools import cache
from pathlib import Path

import pytest

from mesos_chaos.folder import titled
from mesos_chaos.live.run import LiveResult, judged
from mesos_chaos.plan import Cluster, Expect, Fault, FaultKind, Scenario, Workload
from mesos_chaos.sim.traces import written_by

GOLDENS = Path(__file__).parent / "goldens"

SCENARIO = Scenario(
    title="The leader is killed while six tasks run",
    why="A small run, so that its report can be kept: who leads, who died, what became of it.",
    cluster=Cluster(masters=2, agents=1),
    workload=[Workload(name="six", items=6, command="sleep 0.5")],
    fault=[Fault(kind=FaultKind.KILL, target="leader", after="master.accept#1")],
    expect=Expect(must_see=["lead", "admit"]),
)

#: What is another each time, or with each change of a core, in this order.
PASSING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(most often): .*"), r"\1: …"),
    (re.compile(r"(never): .*(\n {6}.*)*"), r"\1: …"),
    (re.compile(r"(\(outside of the specification\)): .*(\n {4}.*)*"), r"\1: …"),
    (re.compile(r"\d+ (records|steps|processes)"), r"N \1"),
    (re.compile(r"seen: \d+ of \d+"), "seen: N of N"),
    (re.compile(r"ndjson:\d+"), "ndjson:N"),
]


@cache
def traces() -> dict[str, bytes]:
    """What each process of the run has written."""
    return written_by(SCENARIO)


def report_of(folder: Path, settled: bool = True, missed: tuple[str, ...] = ()) -> str:
    """The report on the traces in `folder`, with what passes taken out."""
    items = {"six": {"wanted": 6, "done": 6 if settled else 5, "attempts": 7, "lost": 1}}
    result = LiveResult(
        name="six_tasks",
        seed=0,
        folder=Path("runs/six_tasks/0"),
        verdict=judged(folder),
        settled=settled,
        took_s=3.0,
        items=items,
        faults=["kill m1"],
        missed=list(missed),
    )
    text = titled(SCENARIO, result.text()).replace(str(folder), "<trace>") + "\n"
    for pattern, name in PASSING:
        text = pattern.sub(name, text)
    return text


def written(where: Path, case: str) -> str:
    """The report of one case, its traces written below `where`."""
    folder = where / "trace"
    folder.mkdir(parents=True)
    for name, data in traces().items():
        (folder / f"{name}.ndjson").write_bytes(data)
    agent = folder / "a1.1.ndjson"
    if case == "unknown":
        agent.unlink()
        return report_of(folder, missed=("mark_unreachable",))
    if case == "violates":
        lines = [json.loads(line) for line in agent.read_bytes().splitlines()]
        twice = next(r for r in lines[1:] if any(s.get("to") == "master" for s in r["sent"]))
        twice["sent"] = [
            *twice["sent"],
            {**twice["sent"][-1], "id": [twice["sent"][-1]["id"][0], 1]},
        ]
        agent.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return report_of(folder)


@pytest.mark.parametrize("case", ["conforms", "unknown", "violates"])
def test_a_report_reads_as_it_did(case: str, tmp_path: Path) -> None:
    golden = (GOLDENS / f"{case}.txt").read_text()
    assert written(tmp_path, case) == golden
    assert f"{case.upper()}  six_tasks seed=0:" in golden


if __name__ == "__main__":
    for each in ("conforms", "unknown", "violates"):
        with tempfile.TemporaryDirectory() as place:
            (GOLDENS / f"{each}.txt").write_text(written(Path(place), each))
