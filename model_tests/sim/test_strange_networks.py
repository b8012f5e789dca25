"""What simulation may be told to make of the world: calendars that disagree, calls that overtake.

Timers run by a clock that only goes forward; a calendar is shown and never compared.  So a run in
which calendars are wrong by days is the same run, but for what they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mesos_chaos.plan import Plan, Workload, load_scenario
from mesos_chaos.sim.run import simulate
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.verdict import Outcome
from mesos_spec.tools.judging.whole import WHOLE

DAY_S = 86_400.0

#: Whatever says what time it is, of traces and of messages in them.
CALENDAR = ("wall", "wall_us", "epoch_wall_us", "timestamp", "unreachable_time")

SCENARIOS = ("agent_killed", "everything_dies", "agent_given_up", "kills_in_the_dark")


def plan_of(name: str, seed: int = 0, **cluster: Any) -> Plan:
    plan = load_scenario(name)[1]
    changed = plan.cluster.model_copy(update=cluster)
    return plan.model_copy(update={"cluster": changed, "seed": seed})


def without_calendar(data: Any) -> Any:
    """JSON data, with nothing left of what time it is."""
    if isinstance(data, dict):
        return {k: without_calendar(v) for k, v in data.items() if k not in CALENDAR}
    return [without_calendar(item) for item in data] if isinstance(data, list) else data


def lines(written: dict[str, bytes]) -> dict[str, list[Any]]:
    return {
        name: [without_calendar(msgspec.json.decode(line)) for line in data.splitlines()]
        for name, data in written.items()
    }


def epochs_s(traces: list[Trace]) -> dict[str, float]:
    """Where each process has the beginning of virtual time, by its own calendar."""
    return {t.path: t.header.wall - t.records[0].now / 1e6 for t in traces if t.records}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_done_does_not_depend_on_what_the_calendar_says(name: str) -> None:
    right = written_by(plan_of(name))
    wrong = written_by(plan_of(name, clock_skew_s=DAY_S))
    assert lines(right) == lines(wrong)
    assert right != wrong


def test_calendars_differ_between_processes_and_between_lives() -> None:
    traces = read(written_by(plan_of("everything_dies", clock_skew_s=DAY_S)))
    epochs = epochs_s(traces)
    assert len({round(epoch) for epoch in epochs.values()}) > len(epochs) // 2
    assert all(0 <= epoch <= DAY_S + 60 for epoch in epochs.values())
    agents = [t for t in traces if t.header.role == "agent" and t.records]
    lives = {(t.header.node, t.header.life): t.header.wall for t in agents}
    assert any(
        wall > lives[node, life + 1]
        for (node, life), wall in lives.items()
        if (node, life + 1) in lives
    ), "no life of an agent begins before the one before it, by its calendar"


@pytest.mark.parametrize("seed", range(2))
def test_the_judge_does_not_compare_calendars(seed: int) -> None:
    traces = read(written_by(plan_of("everything_dies", seed, clock_skew_s=DAY_S)))
    verdict = judge(traces, WHOLE, Bounds())
    assert verdict.outcome is Outcome.CONFORMS, verdict.text()


# Strangers' calls ---------------------------------------------------------------------------------


def overtaken(traces: list[Trace]) -> Iterator[str]:
    """Tasks of which an agent heard that they run, after it had heard of their end."""
    for trace in traces:
        ended = set()
        for record in trace.records:
            heard = record.heard
            if heard is None or heard.sender != "executor" or "update" not in (heard.msg or {}):
                continue
            status = (heard.msg or {})["update"]["status"]
            task = status["task_id"]["value"]
            if status["state"] != "TASK_RUNNING":
                ended.add(task)
            elif task in ended:
                yield task


def custom(seed: int, unordered: bool) -> Plan:
    plan = plan_of("executors_of_its_own", seed, unordered_calls=unordered)
    short = [
        Workload.model_validate({**one.model_dump(), "command": "true"}) for one in plan.workload
    ]
    return plan.model_copy(update={"workload": short})


@pytest.mark.parametrize("seed", range(3))
def test_calls_of_executors_overtake_each_other_and_nothing_is_lost(seed: int) -> None:
    result, cluster = simulate(custom(seed, unordered=True), keep_lines=True)
    assert result.verdict.outcome is Outcome.CONFORMS, result.verdict.text()
    assert result.settled, result.pending
    written = {name: b"".join(data) for name, data in (cluster.judge.lines or {}).items()}
    assert list(overtaken(read(written)))


def test_calls_of_executors_keep_their_order_unless_they_are_a_bag() -> None:
    assert not list(overtaken(read(written_by(custom(0, unordered=False)))))
