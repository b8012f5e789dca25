"""The command executor's core: each rule of its own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor.core import TERMINAL_PATIENCE_US
from model_tests.core.executor_bench import (
    Bench,
    S,
    acknowledged,
    event,
    kill,
    launch,
    policy,
    signals,
    subscribed,
)

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
    """EXE-10, EXE-14: STARTING, RUNNING and how it ended; it leaves once that is acknowledged."""
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


def test_an_end_is_told_once() -> None:
    bench = Bench().running()
    bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.hear(hear.CommandEnded(exit_code=1)) == ()
    assert bench.hear(hear.CommandNotStarted("late")) == ()
    assert bench.hear(hear.CommandStarted(2)) == ()


def test_an_acknowledgement_counts_for_its_own_update() -> None:
    bench = Bench().running()
    bench.hear(hear.CommandEnded(exit_code=0))
    for status in bench.sent():
        bench.told(acknowledged(msgspec.structs.replace(status, task_id="u")))
    assert not bench.has_exited()
    for status in bench.sent():
        bench.told(acknowledged(status))
        bench.told(acknowledged(status))  # twice is harmless
    assert bench.has_exited()


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
    """KIL-7: asked, then ended after the grace; killed, whatever the exit status."""
    bench = Bench().running("TASK_KILLING_STATE")
    assert signals(bench.told(kill())) == ["SIGTERM"]
    assert bench.states()[-1] == "TASK_KILLING"
    assert signals(bench.tick(3 * S - 1)) == []
    assert signals(bench.tick(1)) == ["SIGKILL"]
    assert signals(bench.tick(100 * S)) == []
    bench.hear(hear.CommandEnded(exit_code=0))
    assert bench.states()[-1] == "TASK_KILLED"


def test_killing_is_not_told_to_who_does_not_know_it() -> None:
    """UPD-16: TASK_KILLING is for frameworks that have the capability."""
    bench = Bench().running("PARTITION_AWARE")
    bench.told(kill())
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING"]


@pytest.mark.parametrize(
    ("task_grace_s", "kill_grace_s", "wait_s"), [(7, None, 7), (7, 2, 2), (1, 9, 9), (None, 0, 0)]
)
def test_whose_grace_counts(
    task_grace_s: float | None, kill_grace_s: float | None, wait_s: int
) -> None:
    """KIL-7: the KILL's, else the task's, else three seconds."""
    task = {} if task_grace_s is None else {"kill_policy": policy(task_grace_s)}
    bench = Bench().running(**task)
    now = signals(bench.told(kill(grace_s=kill_grace_s)))
    later = signals(bench.tick(wait_s * S - 1)) if wait_s else []
    assert now + later == (["SIGTERM"] if wait_s else ["SIGTERM", "SIGKILL"])
    assert signals(bench.tick(1)) == (["SIGKILL"] if wait_s else [])


def test_a_later_kill_may_only_shorten() -> None:
    bench = Bench().running("TASK_KILLING_STATE")
    bench.told(kill(grace_s=10))
    bench.tick(4 * S)
    assert signals(bench.told(kill(grace_s=60))) == []
    assert bench.core.next_deadline == 10 * S
    assert bench.states().count("TASK_KILLING") == 1
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
    """EXE-11: no grace, no TASK_KILLING, and FAILED."""
    bench = Bench().running("TASK_KILLING_STATE", max_completion_time={"nanoseconds": 2 * 10**9})
    assert signals(bench.tick(2 * S - 1)) == []
    assert signals(bench.tick(1)) == ["SIGTERM", "SIGKILL"]
    bench.hear(hear.CommandEnded(signal="Killed"))
    assert bench.states() == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    assert bench.sent()[-1].reason == "REASON_MAX_COMPLETION_TIME_REACHED"


def test_a_kill_cancels_the_time_limit() -> None:
    """EXE-11: whoever is being killed has the grace of that."""
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
    """EXE-10: it leaves after a minute."""
    bench = Bench().running()
    bench.hear(hear.CommandEnded(exit_code=0))
    bench.tick(60 * S - 1)
    assert not bench.has_exited()
    bench.tick(1)
    assert bench.has_exited()


def test_the_failsafe_counts_only_while_subscribed() -> None:
    bench = Bench(checkpoint=True).running()
    bench.hear(hear.CommandEnded(exit_code=0))
    bench.hear(hear.StreamEnded(1))
    bench.tick(2 * S)
    bench.tick(2 * TERMINAL_PATIENCE_US)
    assert not bench.has_exited()
    bench.told(subscribed())
    bench.tick(TERMINAL_PATIENCE_US)
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
    """RCV-4: who waits too long for its agent ends."""
    bench = Bench(jump=1_500_000, checkpoint=True, recovery_timeout_us=10 * S).running()
    pauses = []
    for connection in range(1, 7):
        bench.hear(hear.StreamEnded(connection))
        at_us = bench.core.next_deadline
        assert at_us is not None
        pauses.append(at_us - bench.now_us)
        bench.tick(pauses[-1])
        assert last_subscription(bench).connection == connection + 1
    assert len(set(pauses)) == len(pauses)
    assert all(1_500_000 < pause <= 2 * S for pause in pauses)
    bench.hear(hear.StreamEnded(7))
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
