"""The command executor's core: each rule of its own, and no rule broken whatever the order."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor.core import (
    TERMINAL_PATIENCE_US,
    ExecutorConfig,
    ExecutorCore,
    violations,
)
from mesos_ref.step import Effect, Step
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json
from mesos_ref.wire.v1 import TERMINAL_STATES, TaskStatus

S = 1_000_000


class CountedIds:
    """Ids that say which they are."""

    def __init__(self) -> None:
        self.numbers = count(1)

    def uuid(self) -> str:
        return f"id-{next(self.numbers)}"

    def uuid_bytes(self) -> bytes:
        return next(self.numbers).to_bytes(16, "big")


def event(**data: Any) -> wire.Event:
    return wire.decode_event(json.dump(data))


def subscribed(*capabilities: str) -> wire.Event:
    framework = {
        "user": "u",
        "name": "n",
        "id": {"value": "f"},
        "capabilities": [{"type": name} for name in capabilities],
    }
    told = {
        "executor_info": {"executor_id": {"value": "e"}},
        "framework_info": framework,
        "agent_info": {"hostname": "h"},
    }
    return event(type="SUBSCRIBED", subscribed=told)


def launch(task_id: str = "t", **more: Any) -> wire.Event:
    task = {"name": "n", "task_id": {"value": task_id}, "agent_id": {"value": "a"}}
    command = {} if "command" in more else {"command": {"value": "true"}}
    return event(type="LAUNCH", launch={"task": {**task, **command, **more}})


def kill(task_id: str = "t", grace_s: float | None = None) -> wire.Event:
    grace = {} if grace_s is None else {"kill_policy": policy(grace_s)}
    return event(type="KILL", kill={"task_id": {"value": task_id}, **grace})


def policy(grace_s: float) -> dict[str, Any]:
    return {"grace_period": {"nanoseconds": int(grace_s * 1e9)}}


class Bench:
    """A core, a clock, and all that the core wanted."""

    def __init__(self, draw: int = 0, **config: Any) -> None:
        self.config = ExecutorConfig(framework_id="f", executor_id="e", **config)
        self.draw = draw
        self.core = self.new_core()
        self.now_us = 0
        self.effects: list[Effect] = []
        self.log: list[tuple[hear.Event, int, Step]] = []

    def new_core(self) -> ExecutorCore:
        return ExecutorCore(self.config, CountedIds(), lambda most: min(self.draw, most))

    def hear(self, event: hear.Event) -> tuple[Effect, ...]:
        step = self.core.handle(event, self.now_us)
        assert violations(self.core) == []
        if not step.did:
            assert not step.effects, "an empty did sends nothing"
        if isinstance(event, hear.Tick):
            at = self.core.next_deadline
            assert at is None or at > self.now_us, "a deadline that has passed comes again"
        self.log.append((event, self.now_us, step))
        self.effects += step.effects
        return step.effects

    def told(self, event: wire.Event) -> tuple[Effect, ...]:
        return self.hear(hear.EventHeard(self.core.link.connection, 0, event))

    def up(self, *capabilities: str) -> Bench:
        """Started and subscribed."""
        self.hear(hear.Started())
        self.hear(hear.StreamOpened(self.core.link.connection))
        self.told(subscribed(*capabilities))
        return self

    def running(self, *capabilities: str, **task: Any) -> Bench:
        """A task's command runs."""
        self.up(*capabilities).told(launch(**task))
        self.hear(hear.CommandStarted(4711))
        return self

    def tick(self, after_us: int) -> tuple[Effect, ...]:
        """Move the clock; tick as a shell would, at the deadlines on the way."""
        until_us = self.now_us + after_us
        wanted: tuple[Effect, ...] = ()
        while (at := self.core.next_deadline) is not None and at <= until_us:
            self.now_us = max(at, self.now_us)
            wanted += self.hear(hear.Tick())
        self.now_us = until_us
        return wanted

    def sent(self) -> list[TaskStatus]:
        calls = [e.call.update for e in self.effects if isinstance(e, do.SendCall)]
        return [update.status for update in calls if update is not None]

    def states(self) -> list[str]:
        return [status.state for status in self.sent()]

    def acknowledge_all(self) -> tuple[Effect, ...]:
        wanted: tuple[Effect, ...] = ()
        for update in self.core.updates.updates():
            wanted += self.told(acknowledged(update.status))
        return wanted

    def has_exited(self) -> bool:
        return any(isinstance(effect, do.Exit) for effect in self.effects)


def acknowledged(status: TaskStatus) -> wire.Event:
    assert status.uuid is not None
    told = wire.Acknowledged(task_id=status.task_id, uuid=status.uuid)
    return wire.Event(type="ACKNOWLEDGED", acknowledged=told)


def signals(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.signal for effect in effects if isinstance(effect, do.SignalCommand)]


# The task --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "state", "message"),
    [
        (hear.CommandEnded(exit_code=0), "TASK_FINISHED", "Command exited with status 0"),
        (hear.CommandEnded(exit_code=3), "TASK_FAILED", "Command exited with status 3"),
        (hear.CommandEnded(signal="Killed"), "TASK_FAILED", "Command terminated with signal Kil"),
    ],
)
def test_a_task_from_launch_to_exit(end: hear.CommandEnded, state: str, message: str) -> None:
    bench = Bench(epoch_offset_us=1_700_000_000 * S).up()
    bench.told(launch())
    assert [type(effect) for effect in bench.effects[-2:]] == [do.SendCall, do.RunCommand]
    bench.now_us = 5 * S
    bench.hear(hear.CommandStarted(1))
    bench.hear(end)
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING", state]
    last = bench.sent()[-1]
    assert (last.message or "").startswith(message)
    assert (last.source, last.executor_id) == ("SOURCE_EXECUTOR", "e")
    assert last.timestamp == 1_700_000_005
    assert last.reason is None
    assert not bench.has_exited()
    assert isinstance(bench.acknowledge_all()[-1], do.Exit)
    assert bench.hear(hear.Tick()) == ()


def test_a_command_that_does_not_start() -> None:
    bench = Bench().up()
    bench.told(launch())
    bench.hear(hear.CommandNotStarted("no such file"))
    assert bench.states() == ["TASK_STARTING", "TASK_FAILED"]
    assert bench.sent()[-1].message == "no such file"


def test_a_second_task_is_refused_and_the_first_goes_on() -> None:
    bench = Bench().running()
    bench.told(launch("u"))
    bench.told(launch("t"))  # the same again is no second one
    assert [(s.task_id, s.state) for s in bench.sent()[2:]] == [("u", "TASK_FAILED")]
    bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.states()[-1] == "TASK_FINISHED"


def test_a_group_and_a_task_without_command_are_refused() -> None:
    bench = Bench().up()
    task = {"name": "n", "task_id": {"value": "g"}, "agent_id": {"value": "a"}}
    bench.told(event(type="LAUNCH_GROUP", launch_group={"task_group": {"tasks": [task]}}))
    bench.told(launch("u", command=None))
    assert [(s.task_id, s.state) for s in bench.sent()] == [
        ("g", "TASK_FAILED"),
        ("u", "TASK_FAILED"),
    ]


# Killing ---------------------------------------------------------------------------------------


def test_a_kill_is_term_then_kill_after_the_default_grace() -> None:
    bench = Bench().running("TASK_KILLING_STATE")
    assert signals(bench.told(kill())) == ["SIGTERM"]
    assert bench.states()[-1] == "TASK_KILLING"
    assert signals(bench.tick(3 * S - 1)) == []
    assert signals(bench.tick(1)) == ["SIGKILL"]
    assert signals(bench.tick(100 * S)) == []
    bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.states()[-1] == "TASK_KILLED"


def test_killing_is_not_told_to_who_does_not_know_it() -> None:
    bench = Bench().running()
    bench.told(kill())
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING"]


@pytest.mark.parametrize(
    ("task_grace_s", "kill_grace_s", "wait_s"), [(7, None, 7), (7, 2, 2), (1, 9, 9), (None, 0, 0)]
)
def test_whose_grace_counts(
    task_grace_s: float | None, kill_grace_s: float | None, wait_s: int
) -> None:
    task = {} if task_grace_s is None else {"kill_policy": policy(task_grace_s)}
    bench = Bench().running(**task)
    now = signals(bench.told(kill(grace_s=kill_grace_s)))
    later = signals(bench.tick(wait_s * S - 1)) if wait_s else []
    assert now + later == (["SIGTERM"] if wait_s else ["SIGTERM", "SIGKILL"])
    assert signals(bench.tick(1)) == (["SIGKILL"] if wait_s else [])


def test_a_later_kill_may_only_shorten() -> None:
    bench = Bench().running()
    bench.told(kill(grace_s=10))
    bench.tick(4 * S)
    assert signals(bench.told(kill(grace_s=60))) == []
    assert bench.core.next_deadline == 10 * S
    assert signals(bench.told(kill(grace_s=6))) == []  # counted from the first KILL
    assert bench.core.next_deadline == 6 * S
    assert signals(bench.told(kill(grace_s=1))) == ["SIGKILL"]


def test_a_kill_before_the_command_runs_waits_for_it() -> None:
    bench = Bench().up("TASK_KILLING_STATE")
    bench.told(launch())
    assert signals(bench.told(kill())) == []
    assert bench.tick(10 * S) == ()
    assert signals(bench.hear(hear.CommandStarted(1))) == ["SIGTERM"]
    assert signals(bench.tick(0)) == ["SIGKILL"]
    bench.hear(hear.CommandEnded(signal="Killed"))
    assert bench.states() == ["TASK_STARTING", "TASK_KILLING", "TASK_KILLED"]


@pytest.mark.parametrize("task_id", ["u", "t"])
def test_a_kill_of_what_is_not_running_is_nothing(task_id: str) -> None:
    bench = Bench().running()
    if task_id == "t":
        bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.told(kill(task_id)) == ()


def test_max_completion_time() -> None:
    bench = Bench().running("TASK_KILLING_STATE", max_completion_time={"nanoseconds": 2 * 10**9})
    assert signals(bench.tick(2 * S - 1)) == []
    assert signals(bench.tick(1)) == ["SIGTERM", "SIGKILL"]
    bench.hear(hear.CommandEnded(signal="Killed"))
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert bench.sent()[-1].reason == "REASON_MAX_COMPLETION_TIME_REACHED"


def test_a_kill_cancels_the_time_limit() -> None:
    bench = Bench().running(max_completion_time={"nanoseconds": 2 * 10**9})
    bench.told(kill(grace_s=10))
    assert signals(bench.tick(9 * S)) == []
    bench.hear(hear.CommandEnded(signal="Terminated"))
    assert (bench.states()[-1], bench.sent()[-1].reason) == ("TASK_KILLED", None)


# Leaving ---------------------------------------------------------------------------------------


def test_shutdown_kills_within_the_agents_grace() -> None:
    bench = Bench(shutdown_grace_us=5 * S).running()
    assert signals(bench.told(event(type="SHUTDOWN"))) == ["SIGTERM"]
    assert signals(bench.tick(4 * S)) == ["SIGKILL"]
    bench.hear(hear.CommandEnded(signal="Killed"))
    assert bench.states()[-1] == "TASK_KILLED"
    assert not bench.has_exited()
    bench.acknowledge_all()
    assert bench.has_exited()


def test_shutdown_without_a_task_is_the_end() -> None:
    bench = Bench().up()
    bench.told(event(type="SHUTDOWN"))
    assert bench.has_exited()


def test_an_agent_that_never_acknowledges() -> None:
    bench = Bench().running()
    bench.hear(hear.CommandEnded(exit_code=0))
    bench.tick(TERMINAL_PATIENCE_US - 1)
    assert not bench.has_exited()
    bench.tick(1)
    assert bench.has_exited()


@pytest.mark.parametrize("ender", [hear.Terminated(), None])
def test_other_reasons_to_end(ender: hear.Event | None) -> None:
    bench = Bench().running()
    if ender is None:
        bench.told(event(type="ERROR", error={"message": "no"}))
    else:
        bench.hear(ender)
    bench.hear(hear.CommandEnded(signal="Terminated"))
    bench.acknowledge_all()
    assert bench.has_exited()


# The agent -------------------------------------------------------------------------------------


def last_subscription(bench: Bench) -> do.OpenSubscription:
    return [e for e in bench.effects if isinstance(e, do.OpenSubscription)][-1]


def test_what_is_not_acknowledged_is_said_again() -> None:
    bench = Bench(checkpoint=True).running()
    first, second = bench.sent()
    bench.told(acknowledged(first))
    bench.hear(hear.StreamEnded(1))
    bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING"], "nobody to tell"
    bench.tick(2 * S)
    again = last_subscription(bench).call.subscribe
    assert again is not None
    assert again.unacknowledged_tasks == (), "the task's first acknowledgement was enough"
    statuses = [update.status for update in again.unacknowledged_updates]
    assert statuses[0] == second
    assert [status.state for status in statuses] == ["TASK_RUNNING", "TASK_FINISHED"]
    bench.told(subscribed())
    bench.acknowledge_all()
    assert bench.has_exited()


def test_an_unacknowledged_task_is_handed_back_whole() -> None:
    bench = Bench(checkpoint=True).up()
    told = launch(labels={"labels": [{"key": "k"}]}, data="aGk=")
    bench.told(told)
    bench.hear(hear.CallFailed(1, 503))
    bench.tick(2 * S)
    again = last_subscription(bench).call.subscribe
    assert again is not None
    assert told.launch is not None
    assert again.unacknowledged_tasks == (told.launch.task,)


def test_retries_are_spread_and_end() -> None:
    bench = Bench(draw=1_500_000, checkpoint=True, recovery_timeout_us=10 * S).running()
    bench.hear(hear.StreamEnded(1))
    assert bench.core.next_deadline == 1_500_001
    for connection in (2, 3, 4, 5, 6, 7):
        bench.tick(1_500_001)
        assert last_subscription(bench).connection == connection
        bench.hear(hear.StreamEnded(connection))
    assert signals(bench.tick(2 * S)) == ["SIGTERM"], "patience ends ten seconds after the loss"
    bench.hear(hear.CommandEnded(signal="Terminated"))
    assert bench.has_exited()


def test_without_checkpointing_a_lost_agent_is_the_end() -> None:
    bench = Bench().running()
    assert signals(bench.hear(hear.StreamEnded(1))) == ["SIGTERM"]
    assert not bench.has_exited()
    bench.hear(hear.CommandEnded(signal="Terminated"))
    assert bench.has_exited()


@pytest.mark.parametrize("status", [400, 403])
def test_an_agent_that_disowns_us(status: int) -> None:
    bench = Bench(checkpoint=True).running()
    bench.hear(hear.StreamEnded(1))
    bench.tick(2 * S)
    assert signals(bench.hear(hear.SubscribeFailed(2, status, "who?"))) == ["SIGTERM"]
    bench.hear(hear.CommandEnded(signal="Terminated"))
    assert bench.has_exited()


def test_an_agent_that_is_recovering_is_asked_again() -> None:
    bench = Bench(checkpoint=True).running()
    bench.hear(hear.StreamEnded(1))
    bench.tick(2 * S)
    bench.hear(hear.SubscribeFailed(2, 503))
    bench.tick(2 * S)
    assert last_subscription(bench).connection == 3


def test_news_of_a_former_connection_change_nothing() -> None:
    bench = Bench(checkpoint=True).running()
    bench.hear(hear.StreamEnded(1))
    bench.tick(2 * S)
    bench.told(subscribed())
    before = bench.core.view()
    stale: list[hear.Event] = [
        hear.StreamEnded(1),
        hear.CallFailed(1, None),
        hear.SubscribeFailed(1, 400),
        hear.EventHeard(1, 9, kill()),
        hear.EventHeard(1, 9, event(type="SHUTDOWN")),
    ]
    for each in stale:
        assert bench.hear(each) == ()
    assert bench.core.view() == before


def test_changes_add_up_to_the_view() -> None:
    bench = Bench()
    seen: dict[str, Any] = {}

    def follow() -> None:
        for key, value in bench.core.take_changes().items():
            if value is None:
                del seen[key]
            else:
                seen[key] = value
        assert seen == bench.core.view()

    follow()
    bench.running()
    follow()
    bench.acknowledge_all()
    follow()
    assert bench.core.take_changes() == {}


# Whatever the order ----------------------------------------------------------------------------

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
    script=st.lists(LIVELY, max_size=40),
    grace_us=st.integers(0, 10 * S),
)
def test_no_order_of_events_breaks_a_rule(
    checkpoint: bool, script: list[hear.Event | wire.Event | int], grace_us: int
) -> None:
    bench = Bench(checkpoint=checkpoint, shutdown_grace_us=grace_us)
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
