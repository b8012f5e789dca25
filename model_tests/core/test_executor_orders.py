"""The command executor's core: whatever the order of events, no rule is broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TERMINAL_STATES, TaskStatus
from model_tests.core.executor_bench import (
    Bench,
    S,
    acknowledged,
    event,
    kill,
    launch,
    policy,
    subscribed,
)

CONNECTIONS = st.integers(0, 3)
TOLD = st.one_of(
    st.sampled_from(
        [
            subscribed(),
            subscribed("TASK_KILLING_STATE"),
            launch(),
            launch("u"),
            launch("t", max_completion_time={"nanoseconds": 10**9}),
            launch("t", kill_policy=policy(-1)),
            kill(),
            kill("u"),
            kill(grace_s=0),
            kill(grace_s=-5),
            kill(grace_s=9e9),
            event(type="SHUTDOWN"),
            event(type="ERROR"),
            event(type="MESSAGE", message={"data": ""}),
            event(type="NO_SUCH_TYPE"),
            event(type="KILL"),
        ]
    ),
    st.builds(
        lambda task, n: acknowledged(TaskStatus(task_id=task, state="TASK_RUNNING", uuid=n)),
        st.sampled_from(["t", "u"]),
        st.integers(1, 8).map(lambda n: n.to_bytes(16, "big")),
    ),
)
EVENTS: st.SearchStrategy[hear.Event] = st.one_of(
    st.builds(hear.StreamOpened, CONNECTIONS),
    st.builds(hear.EventHeard, CONNECTIONS, st.just(0), TOLD),
    st.builds(hear.SubscribeFailed, CONNECTIONS, st.sampled_from([400, 403, 500, 503])),
    st.builds(hear.StreamEnded, CONNECTIONS),
    st.builds(hear.CallFailed, CONNECTIONS, st.sampled_from([None, 400, 503])),
    st.just(hear.CommandStarted(1)),
    st.just(hear.CommandNotStarted("no")),
    st.builds(hear.CommandEnded, st.sampled_from([0, 1])),
    st.just(hear.CommandEnded(signal="Killed")),
    st.just(hear.Terminated()),
    st.just(hear.Tick()),
)
#: Mostly towards the connection that is open, or nothing much would happen.
LIVELY = st.one_of(EVENTS, TOLD, TOLD, st.integers(0, 5 * S))


@given(
    checkpoint=st.booleans(),
    is_running=st.booleans(),
    script=st.lists(LIVELY, max_size=40),
    grace_us=st.integers(0, 10 * S),
)
def test_no_order_of_events_breaks_a_rule(
    checkpoint: bool, is_running: bool, script: list[hear.Event | wire.Event | int], grace_us: int
) -> None:
    bench = Bench(checkpoint=checkpoint, shutdown_grace_us=grace_us)
    if is_running:
        bench.running()
    else:
        bench.hear(hear.Started())
    for each in script:
        match each:
            case int():
                bench.tick(each)
            case wire.Event():
                bench.told(each)
            case _:
                bench.hear(each)
    _check_what_was_sent(bench)
    again = bench.new_core()
    assert [again.handle(heard, at_us) for heard, at_us, _ in bench.log] == [
        step for _, _, step in bench.log
    ]


def _check_what_was_sent(bench: Bench) -> None:
    """One beginning, at most one end, nothing after it; exit is the last word."""
    for task_id in ("t", "u"):
        states = [status.state for status in bench.sent() if status.task_id == task_id]
        ends = [state for state in states if state in TERMINAL_STATES]
        if "TASK_KILLING" in states:
            assert "TASK_RUNNING" not in states[states.index("TASK_KILLING") :]
        if "TASK_STARTING" in states:
            assert len(ends) <= 1
            assert not ends or states[-1] == ends[0]
    exits = [n for n, effect in enumerate(bench.effects) if isinstance(effect, do.Exit)]
    assert exits in ([], [len(bench.effects) - 1])
    runs = [effect for effect in bench.effects if isinstance(effect, do.RunCommand)]
    assert len(runs) <= 1
