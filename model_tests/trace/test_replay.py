"""A trace replays: real cores hear anything in any order, and a fresh core does it all again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.agent import tracing as agent_tracing
from mesos_ref.agent.config import AgentConfig
from mesos_ref.executor import tracing as executor_tracing
from mesos_ref.executor.core import ExecutorConfig
from mesos_ref.master import tracing as master_tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.replay import Difference, replay
from mesos_ref.scheduler import tracing as scheduler_tracing
from mesos_ref.scheduler.core import SchedulerConfig
from mesos_ref.trace import RecordedIds, TraceWriter, header, tracing_of
from mesos_ref.wire import json as wire_json
from model_tests.core.scheduler_world import CountedIds
from model_tests.trace import values
from model_tests.trace.examples import EXAMPLES

CONFIGS: dict[str, dict[str, Any]] = {
    "agent": agent_tracing.config_of(AgentConfig(resources=(values.CPUS,))),
    "executor": executor_tracing.config_of(
        ExecutorConfig(framework_id=values.FRAMEWORK, executor_id="t1")
    ),
    "master": master_tracing.config_of(MasterConfig(), "M"),
    "scheduler": scheduler_tracing.config_of(SchedulerConfig(framework=values.INFO)),
}

#: Per role, all events of the examples; the first are the story, in order.
EVENTS = {
    role: [
        line.event
        for name in (role, f"{role}-messages")
        if name in EXAMPLES
        for line in EXAMPLES[name][1]
    ]
    for role in CONFIGS
}


def traced(role: str, events: list[tuple[Any, int]]) -> list[bytes]:
    """The trace of a real core that hears these events, each so many microseconds later."""
    pieces: list[bytes] = []
    top = header(role=role, node="n", incarnation="i", wall_us=0, config=CONFIGS[role])
    ids = RecordedIds(CountedIds())
    core = tracing_of(role).core_of(json.loads(wire_json.dump(top)), ids)
    writer = TraceWriter(pieces.append, top, core, ids)
    now_us = 0
    for event, wait_us in events:
        now_us += wait_us
        writer.record(event, now_us, core.handle(event, now_us), 0)
    writer.close(now_us)
    return b"".join(pieces).splitlines()


@pytest.mark.parametrize("role", CONFIGS)
@given(data=st.data())
def test_any_trace_replays(role: str, data: st.DataObject) -> None:
    waits = st.sampled_from([0, 1, 1_000_000, 16_000_000])
    some = st.tuples(st.sampled_from(EVENTS[role]), waits)
    story = [(line.event, 1_000) for line in EXAMPLES[role][1]]
    told = data.draw(st.integers(0, len(story)))
    events = story[:told] + data.draw(st.lists(some, max_size=20))
    assert replay(traced(role, events)) == []


@pytest.mark.parametrize("role", CONFIGS)
def test_a_trace_that_was_altered_does_not_replay(role: str) -> None:
    """Each field of a record that says what a core did is compared."""
    story = [(line.event, 1_000) for line in EXAMPLES[role][1]]
    lines = traced(role, story)
    assert replay(lines) == []
    busy = next(n for n, line in enumerate(lines) if n and json.loads(line)["did"])
    for what, lie in (
        ("sent", [{"do": "lie"}]),
        ("did", [["lie", {}]]),
        ("whole" if busy == 1 else "view", {"lie": 1}),
    ):
        record = {**json.loads(lines[busy]), what: lie}
        differences = replay([*lines[:busy], json.dumps(record).encode(), *lines[busy + 1 :]])
        assert differences, what
        assert {difference.seq for difference in differences} == {record["seq"]}
        assert all(difference.what.startswith(what) for difference in differences)


def test_an_id_that_was_not_drawn_is_a_difference() -> None:
    lines = traced("scheduler", [(line.event, 1) for line in EXAMPLES["scheduler"][1]])
    record = json.loads(lines[1])
    assert record.pop("drew")
    said = replay([lines[0], json.dumps(record).encode(), *lines[2:]])
    assert [difference.what for difference in said] == ["drew"]
    assert "record 0: drew" in str(said[0])


def test_what_is_no_trace_is_refused() -> None:
    with pytest.raises(ValueError, match="no trace of version 1"):
        replay([b'{"trace":"mesos-ref","version":2}'])


def test_a_difference_reads_as_a_sentence() -> None:
    assert str(Difference(3, "did", "a", "b")) == "record 3: did: 'a' was recorded, not 'b'"
