"""What the judge takes does not grow with what it has seen: neither its memory nor its steps.

Sizes here are small; `test_a_million_steps` is the same at full size.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.named import busy50
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging import trace as traces_module
from mesos_spec.tools.judging.judge import Judge, judge
from mesos_spec.tools.judging.merge import Happened, Merger
from mesos_spec.tools.judging.trace import Trace, in_order, read_trace, read_traces
from mesos_spec.tools.judging.whole import WHOLE

BYTES_A_STEP = 400  #: so that a million steps are below 500 MB, with what there is at the start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The traces of six busy seconds, in files."""
    made = tmp_path_factory.mktemp("busy")
    for name, data in written_by(busy50(6)).items():
        (made / f"{name}.ndjson").write_bytes(data)
    return made


@pytest.fixture
def filed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Trace]:
    """These traces, as if there were much of them."""
    monkeypatch.setattr(traces_module, "MUCH", 0)
    return read_traces([folder])


def test_records_in_their_files_are_the_same(folder: Path, filed: list[Trace]) -> None:
    kept = in_order([read_trace(path) for path in folder.glob("*.ndjson")])
    assert [t.path for t in kept] == [t.path for t in filed]
    for one, other in zip(kept, filed):
        assert isinstance(one.records, list)
        assert not isinstance(other.records, list)
        assert list(other.records) == one.records
        assert other.records[-1] == one.records[-1]
        assert other.records[1:3] == one.records[1:3]
        with pytest.raises(IndexError):
            other.records[len(one.records)]
    assert judge(filed, WHOLE, Bounds()).text() == judge(kept, WHOLE, Bounds()).text()


def test_a_torn_trace_in_its_file(folder: Path, tmp_path: Path) -> None:
    whole = next(iter(sorted(folder.glob("m1*"))))
    torn = tmp_path / "torn.ndjson"
    torn.write_bytes(whole.read_bytes()[:-7])
    kept, filed = read_trace(torn), read_trace(torn, keep=False)
    assert kept.torn
    assert filed.torn
    assert list(filed.records) == kept.records == read_trace(whole).records[:-1]


def test_what_is_wrong_in_a_file_is_said_with_what_came_before(
    filed: list[Trace], folder: Path
) -> None:
    """The story of a violation needs records that were judged long ago."""
    master = next(t for t in filed if t.header.role == "master")
    path = Path(master.path)
    lines = path.read_bytes().splitlines()
    at = max(i for i, line in enumerate(lines) if b'"did":[["acknowledge",' in line)
    lines[at] = lines[at].replace(b'["acknowledge",', b'["decline",')
    spoilt = [*(t for t in filed if t is not master)]
    other = path.with_name("spoilt.txt")
    other.write_bytes(b"\n".join(lines) + b"\n")
    spoilt.append(read_trace(other, keep=False))
    verdict = judge(spoilt, WHOLE, Bounds())
    assert verdict.violations[0].story
    assert all("nowhere before" not in line for line in verdict.violations[0].story)


def test_memory_grows_little_with_steps(filed: list[Trace]) -> None:
    """What is kept of a step is kept for good: names of offers and updates that were seen."""
    one = Judge(WHOLE, Bounds())
    merged = Merger(filed)
    order = iter(merged)
    half = sum(len(t.records) for t in filed) // 2
    tracemalloc.start()
    try:
        for _ in range(half):
            assert one.take(next(order)) is None
        steps, bytes_then = one.verdict.steps, tracemalloc.get_traced_memory()[0]
        for placed in order:
            assert one.take(placed) is None
        grown = tracemalloc.get_traced_memory()[0] - bytes_then
    finally:
        tracemalloc.stop()
    assert one.verdict.steps - steps > 800
    assert grown / (one.verdict.steps - steps) < BYTES_A_STEP


def calls_a_step(traces: list[Trace]) -> float:
    """How many functions are called to judge a step, whatever is in them."""
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        verdict = judge(traces, WHOLE, Bounds())
    finally:
        sys.setprofile(None)
    assert not verdict.violations
    return calls / verdict.steps


def runs(agents: int, slots: int) -> list[Trace]:
    """A run in which so many tasks live at once on each of so many agents."""
    items = agents * slots + 10
    work = Workload(name="w", items=items, command="sleep 5", cpus=1.0, mem_mb=32)
    cluster = Cluster(masters=1, agents=agents, cpus=float(slots), mem_mb=slots * 64)
    return read(written_by(Plan(cluster=cluster, workload=[work])))


def test_a_step_costs_the_same_however_much_there_is() -> None:
    """Four times the agents, or four times the tasks."""
    little = calls_a_step(runs(2, 5))
    assert calls_a_step(runs(8, 5)) < 1.25 * little
    assert calls_a_step(runs(2, 20)) < 1.25 * little


def orders() -> Iterator[list[tuple[str, str, int]]]:
    """Every way in which three messages, or two of them, may come."""
    for several in product(range(3), repeat=3):
        yield [("up", "x", n) for n in several]


def test_what_has_happened_is_a_set() -> None:
    every = [("up", "x", n) for n in range(4)]
    happened = Happened()
    for order in orders():
        happened, plain = Happened(), set()
        for token in order:
            happened.add(token)
            plain.add(token)
            assert [one in happened for one in every] == [one in plain for one in every]
    happened.add(("epoch", 0))
    assert ("epoch", 0) in happened
    assert ("epoch", 1) not in happened


A_MILLION = """
import resource
from mesos_chaos.sim.named import busy50
from mesos_chaos.sim.run import simulate
result, _ = simulate(busy50(3_700))
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(result.exit_code, result.verdict.steps, peak_kb // 1024)
"""


@pytest.mark.nightly
def test_a_million_steps() -> None:
    """Simulated and judged, in less than 500 MB."""
    done = subprocess.run(
        [sys.executable, "-c", A_MILLION], capture_output=True, text=True, check=True
    )
    exit_code, steps, peak_mb = map(int, done.stdout.split())
    assert exit_code == 0
    assert steps >= 1_000_000
    assert peak_mb < 500
