"""Executors: their calls, their subscriptions, and their end in every phase.

Ids in names are those of docs/explanation/steps.md, in lower case.
"""

from __future__ import annotations

import pytest

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import ExecutorCall, ExecutorExited, ExecutorStreamEnded
from mesos_ref.step import NOTHING, Answer, CloseStream, OpenStream
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import (
    CommandInfo,
    DurationInfo,
    Environment,
    ExecutorInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
    Variable,
)
from model_tests.core.agent_bench import (
    FW,
    SECOND_US,
    Bench,
    envelope,
    framework_info,
    running,
    status_of,
    task_info,
    up,
    uuid_of,
)

# Starting -----------------------------------------------------------------------------------------


def test_the_environment_of_a_command_executor_stock_clients_36() -> None:
    bench = up()
    bench.run("t")
    [start] = bench.take(StartExecutor)
    assert start.environment == {
        "MESOS_FRAMEWORK_ID": FW,
        "MESOS_EXECUTOR_ID": "t",
        "MESOS_SLAVE_ID": bench.core.state.agent_id,
        "MESOS_CHECKPOINT": "1",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
        "MESOS_HTTP_COMMAND_EXECUTOR": "1",
        "MESOS_ALLOCATION_ROLE": "r",
        "LIBPROCESS_PORT": "0",
        "MESOS_RECOVERY_TIMEOUT": "15mins",
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
    }
    assert (start.checkpoint, start.user, start.shutdown_grace_us) == (True, "u", 5 * SECOND_US)


def test_the_environment_of_a_custom_executor_cannot_overwrite_ours() -> None:
    bench = up()
    variables = (Variable(name="A", value="1"), Variable(name="MESOS_EXECUTOR_ID", value="x"))
    info = ExecutorInfo(
        executor_id="e",
        command=CommandInfo(value="go", user="her", environment=Environment(variables=variables)),
        shutdown_grace_period=DurationInfo(nanoseconds=90_000_000_000),
    )
    bench.frame(
        link.RunTask(
            epoch=1,
            framework=framework_info(checkpoint=False),
            task=task_info("t", info),
            role="r",
            executor=info,
            launch_executor=True,
        )
    )
    [start] = bench.take(StartExecutor)
    assert start.executor_info == info
    assert start.task is None
    assert start.user == "her"
    assert start.environment["A"] == "1"
    assert start.environment["MESOS_EXECUTOR_ID"] == "e"
    assert start.environment["MESOS_CHECKPOINT"] == "0"
    assert start.environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] == "90secs"
    assert "MESOS_RECOVERY_TIMEOUT" not in start.environment
    assert "MESOS_ALLOCATION_ROLE" not in start.environment


# Calls --------------------------------------------------------------------------------------------


def test_calls_of_unknown_executors_are_refused_exe_1() -> None:
    bench = running("t")
    assert bench.subscribe("t", "nobody") == 400
    assert bench.subscribe("nobody") == 400
    assert bench.update("nobody", "t", "TASK_RUNNING", 1) == 400
    assert bench.did_take() == []


def test_a_framework_that_is_known_by_an_update_only_is_unknown_to_executors() -> None:
    bench = up()
    bench.registered(("ghost", "t"))
    assert bench.subscribe("t", "ghost") == 400


def test_calls_before_subscribe_are_refused() -> None:
    bench = up()
    bench.run("t")
    assert bench.update("t", "t", "TASK_RUNNING", 1) == 403
    assert bench.queue("t") == []


@pytest.mark.parametrize(
    "status",
    [
        TaskStatus(task_id="t", state="TASK_RUNNING", source="SOURCE_EXECUTOR"),
        TaskStatus(task_id="t", state="TASK_RUNNING", source="SOURCE_EXECUTOR", uuid=b"short"),
        TaskStatus(task_id="t", state="TASK_RUNNING", uuid=uuid_of(1)),
        TaskStatus(task_id="t", state="TASK_RUNNING", source="SOURCE_AGENT", uuid=uuid_of(1)),
        TaskStatus(task_id="t", state="TASK_STAGING", source="SOURCE_EXECUTOR", uuid=uuid_of(1)),
        TaskStatus(
            task_id="t",
            state="TASK_RUNNING",
            source="SOURCE_EXECUTOR",
            uuid=uuid_of(1),
            executor_id="other",
        ),
    ],
)
def test_updates_that_are_not_whole_are_refused_upd_13(status: TaskStatus) -> None:
    bench = running("t")
    call = envelope("t", FW, type="UPDATE", update=wire.Update(status=status))
    assert bench.call("t", call) == 400
    assert bench.queue("t") == []
    assert bench.did_take() == []


@pytest.mark.parametrize("kind", ["UPDATE", "MESSAGE", "SUBSCRIBE", "WHAT"])
def test_calls_without_their_part_are_refused(kind: str) -> None:
    bench = running("t")
    assert bench.call("t", envelope("t", FW, type=kind)) == 400


def test_a_heartbeat_is_always_welcome() -> None:
    bench = up()
    assert bench.call("t", envelope("t", FW, type="HEARTBEAT")) == 202


# executor_subscribes ------------------------------------------------------------------------------


def test_subscribed_says_who_is_who_stock_clients_37() -> None:
    bench = up()
    bench.run("t")
    bench.subscribe("t")
    first = bench.told()[0].subscribed
    assert first is not None
    assert first.executor_info.executor_id == "t"
    assert first.framework_info.id == FW
    assert first.agent_info.id == bench.core.state.agent_id
    assert first.container_id == bench.alive[0]


def test_executor_subscribes_runs_and_gets_its_tasks_exe_2() -> None:
    bench = up()
    bench.run("t")
    bench.subscribe("t")
    assert bench.did_take() == ["run", "executor_subscribes"]
    assert bench.events() == ["SUBSCRIBED", "LAUNCH"]
    assert bench.view[f"executors/{FW}/t"] == {"phase": "running", "command": True, "stream": "s1"}
    task = bench.task("t")
    assert task is not None
    assert task["phase"] == "launched"


def test_a_second_subscribe_replaces_the_stream() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.effects.clear()
    bench.subscribe("t")
    assert bench.take(CloseStream) == [CloseStream("s1")]
    assert [stream.stream for stream in bench.take(OpenStream)] == ["s3"]
    assert bench.events() == ["SUBSCRIBED"]


def test_the_end_of_a_stream_is_not_the_end_of_its_executor_exe_4() -> None:
    bench = running("t")
    assert bench.hear(ExecutorStreamEnded("s1")) is NOTHING
    assert bench.phase("t") == "running"


def test_brought_updates_are_taken_like_any_other_exe_3() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_STARTING", 1)
    bench.effects.clear()
    brought = (status_of("t", "TASK_STARTING", 1), status_of("t", "TASK_RUNNING", 2))
    bench.subscribe("t", updates=brought)
    assert bench.events() == ["SUBSCRIBED", "ACKNOWLEDGED", "ACKNOWLEDGED"]
    assert bench.queue("t") == [("TASK_STARTING", None), ("TASK_RUNNING", None)]


def test_brought_updates_that_no_update_could_be_are_left_out() -> None:
    bench = running("t")
    bench.effects.clear()
    bad = (
        TaskStatus(task_id="t", state="TASK_RUNNING"),
        TaskStatus(task_id="t", state="TASK_RUNNING", uuid=b"x"),
        TaskStatus(task_id="t", state="TASK_STAGING", uuid=uuid_of(3)),
    )
    bench.subscribe("t", updates=bad, tasks=("t",))
    assert bench.events() == ["SUBSCRIBED"]
    assert bench.queue("t") == []


def test_a_task_lost_on_the_way_is_dropped_exe_3() -> None:
    bench = running("t")
    bench.subscribe("t", tasks=())
    assert bench.queue("t") == [("TASK_DROPPED", "REASON_AGENT_RESTARTED")]


def test_a_task_the_executor_lists_is_not_lost_exe_3() -> None:
    bench = running("t")
    bench.subscribe("t", tasks=("t",))
    assert bench.queue("t") == []


def test_an_idle_custom_executor_may_come_back_and_stay_lch_10() -> None:
    bench = up()
    bench.run("t", "e")
    bench.subscribe("e")
    bench.update("e", "t", "TASK_FINISHED", 1)
    bench.ack("t")
    bench.events()
    bench.subscribe("e")
    assert bench.events() == ["SUBSCRIBED"]
    assert bench.phase("e") == "running"


def test_a_terminating_executor_is_told_again_exe_1() -> None:
    bench = running("t")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    bench.events()
    bench.subscribe("t", updates=(status_of("t", "TASK_KILLED", 1),))
    assert bench.events() == ["SUBSCRIBED", "ACKNOWLEDGED", "SHUTDOWN"]
    assert bench.phase("t") == "terminating"
    assert bench.queue("t") == [("TASK_KILLED", None)]


# executor_ends: the executor dies in every phase ------------------------------------------------


def test_executor_ends_with_a_queued_task_exe_5() -> None:
    bench = up()
    bench.run("t")
    step = bench.exit("t")
    assert step.did == (("executor_ends", {"framework": FW, "executor": "t"}),)
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]
    assert bench.phase("t") is None


def test_executor_ends_with_launched_tasks_in_order_of_their_ids_exe_5() -> None:
    bench = up()
    for task_id in ("z", "a", "m"):
        bench.run(task_id, "e", launch=task_id == "z")
    bench.subscribe("e")
    bench.update("e", "m", "TASK_FINISHED", 1)
    bench.sent()
    bench.exit("e", status=9)
    frames = bench.sent()
    assert [f.status.task_id for f in frames if isinstance(f, link.Update)] == ["a", "z"]
    assert frames[-1] == link.Exited(epoch=1, framework_id=FW, executor_id="e", status=9)
    assert bench.queue("m") == [("TASK_FINISHED", None)]


def test_executor_ends_behind_an_unacknowledged_update_s9() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.sent()
    bench.exit("t")
    assert bench.sent() == [], "the head is not acknowledged, so nothing new goes out"
    assert bench.queue("t")[1:] == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]


def test_executor_ends_after_its_task_ended_adds_nothing_s10() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FINISHED", None)]


def test_executor_ends_after_a_kill_of_a_launched_task_is_a_failure_exe_5() -> None:
    bench = running("t")
    bench.kill("t")
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]


def test_executor_ends_after_its_task_was_killed_in_the_queue_stays_killed_exe_5() -> None:
    bench = up()
    bench.run("t")
    bench.kill("t")
    bench.exit("t")
    assert bench.queue("t") == [("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")]


def test_the_end_of_a_command_executor_is_not_told_to_masters() -> None:
    bench = running("t")
    bench.exit("t")
    assert not [f for f in bench.sent() if isinstance(f, link.Exited)]


def test_executor_ends_while_there_is_no_master_is_told_by_register() -> None:
    bench = up()
    bench.run("t", "e")
    bench.break_link()
    bench.sent()
    bench.exit("e")
    assert bench.sent() == []
    bench.connect()
    [register] = bench.sent()
    assert isinstance(register, link.Register)
    assert register.executors == ()
    assert register.tasks[0].state == "TASK_FAILED"


def test_the_end_of_an_unknown_container_is_nothing() -> None:
    bench = up()
    assert bench.exit_container("stranger") is NOTHING


def test_a_container_that_could_not_be_started_says_why_lch_9() -> None:
    bench = up()
    bench.run("t")
    container = bench.alive[0]
    bench.hear(ExecutorExited(container, None, "no such user: u"))
    [update] = [f for f in bench.sent() if isinstance(f, link.Update)]
    assert update.status.message == "no such user: u"


def test_a_framework_is_forgotten_with_its_last_trace_exe_7() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.ack("t")
    assert f"frameworks/{FW}" in bench.view
    bench.exit("t")
    assert set(bench.view) == {"agent"}
    assert set(bench.kept) == {"agent", "epoch"}
    assert bench.core.state.timers.at.keys() == {("silence",)}


# give_up_executor, end_executor, end_framework ----------------------------------------------------


@pytest.mark.parametrize("late_us", [-1, 0])
def test_give_up_executor_lch_8(late_us: int) -> None:
    bench = up()
    bench.run("t")
    bench.pass_time(60 * SECOND_US + late_us)
    assert ("give_up_executor" in bench.did) == (late_us == 0)
    assert bench.phase("t") == ("terminating" if late_us == 0 else "registering")
    assert bench.destroyed() == (bench.alive if late_us == 0 else [])


def test_the_end_of_an_executor_that_was_given_up_lch_8() -> None:
    bench = up()
    bench.run("t")
    bench.pass_time(60 * SECOND_US)
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")]


def test_an_executor_that_subscribes_too_late_is_shut_down() -> None:
    bench = up()
    bench.run("t")
    bench.pass_time(60 * SECOND_US)
    bench.events()
    assert bench.subscribe("t") == 200
    assert bench.events() == ["SUBSCRIBED", "SHUTDOWN"]
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_REGISTRATION_TIMEOUT")]


@pytest.mark.parametrize("late_us", [-1, 0])
def test_end_executor_gives_it_its_grace_kil_8(late_us: int) -> None:
    bench = running("t")
    step = bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    assert step.did == (("end_executor", {}),)
    assert bench.events() == ["SHUTDOWN"]
    bench.pass_time(5 * SECOND_US + late_us)
    assert bench.destroyed() == (bench.alive if late_us == 0 else [])
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]


def test_the_grace_is_the_executors_own() -> None:
    bench = up()
    info = ExecutorInfo(
        executor_id="e", shutdown_grace_period=DurationInfo(nanoseconds=30_000_000_000)
    )
    bench.frame(
        link.RunTask(
            epoch=1,
            framework=framework_info(),
            task=task_info("t", info),
            role="r",
            executor=info,
            launch_executor=True,
        )
    )
    bench.subscribe("e")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e"))
    bench.pass_time(29 * SECOND_US)
    assert bench.destroyed() == []
    bench.pass_time(SECOND_US)
    assert bench.destroyed() == bench.alive


def test_end_executor_that_has_not_subscribed_destroys_it() -> None:
    bench = up()
    bench.run("t")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    assert bench.destroyed() == bench.alive
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]


def test_end_executor_twice_or_of_nobody_is_ignored() -> None:
    bench = running("t")
    frame = link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t")
    bench.frame(frame)
    assert bench.frame(frame).did == (("ignore_frame", {}),)
    nobody = link.ShutdownExecutor(epoch=1, framework_id="x", executor_id="t")
    assert bench.frame(nobody).did == (("ignore_frame", {}),)


def test_end_framework_forgets_all_and_ends_its_executors_fwk_15() -> None:
    bench = up()
    bench.run("queued")
    bench.run("launched", "e")
    bench.subscribe("e")
    bench.update("e", "launched", "TASK_RUNNING", 1)
    bench.kill("unknown")
    bench.run("other", info=framework_info("other"))
    bench.effects.clear()
    step = bench.frame(link.ShutdownFramework(epoch=1, framework_id=FW))
    assert step.did == (("end_framework", {}),)
    assert bench.events() == ["SHUTDOWN"]
    assert len(bench.destroyed()) == 1, "the one that had not subscribed"
    assert bench.sent() == []
    assert not [key for key in bench.view if key.startswith((f"tasks/{FW}", f"updates/{FW}"))]
    assert bench.task("other", "other") is not None
    bench.exit("e")
    assert f"frameworks/{FW}" in bench.view
    bench.exit("queued")
    assert f"frameworks/{FW}" not in bench.view


def test_updates_after_end_framework_are_only_acknowledged() -> None:
    bench = running("t")
    bench.frame(link.ShutdownFramework(epoch=1, framework_id=FW))
    bench.effects.clear()
    assert bench.update("t", "t", "TASK_KILLED", 1) == 202
    assert bench.events() == ["ACKNOWLEDGED"]
    assert bench.queue("t") == []
    assert bench.sent() == []


def test_executors_of_a_removed_framework_are_not_reported() -> None:
    bench = up()
    bench.run("t", "e")
    bench.subscribe("e")
    bench.frame(link.ShutdownFramework(epoch=1, framework_id=FW))
    bench.break_link()
    bench.sent()
    bench.connect()
    [register] = bench.sent()
    assert isinstance(register, link.Register)
    assert register.executors == ()
    assert register.tasks == ()


def test_end_framework_of_one_known_by_an_update_only() -> None:
    bench = up()
    bench.registered(("ghost", "t"))
    step = bench.frame(link.ShutdownFramework(epoch=1, framework_id="ghost"))
    assert step.did == (("end_framework", {}),)
    assert bench.core.state.frameworks == {}


def test_end_framework_of_nobody_is_ignored() -> None:
    bench = up()
    frame = link.ShutdownFramework(epoch=1, framework_id="x")
    assert bench.frame(frame).did == (("ignore_frame", {}),)


# Messages -----------------------------------------------------------------------------------------


def message(bench: Bench, executor_id: str = "e") -> tuple[str, ...]:
    """What executors hear of a framework's message."""
    bench.events()
    frame = link.Message(epoch=1, framework_id=FW, executor_id=executor_id, data=b"hi")
    assert bench.frame(frame).did == (("deliver_message", {}),)
    return tuple(kind or "" for kind in bench.events())


def test_deliver_message_to_a_running_executor_only_kil_9() -> None:
    bench = up()
    assert message(bench) == ()
    bench.run("t", "e")
    assert message(bench) == ()
    bench.subscribe("e")
    assert message(bench) == ("MESSAGE",)
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e"))
    assert message(bench) == ()


def test_send_up_if_there_is_a_master_kil_9() -> None:
    bench = running("t")
    call = envelope("t", FW, type="MESSAGE", message=wire.Message(data=b"hi"))
    assert bench.call("t", call) == 202
    assert bench.sent() == [link.Message(epoch=1, framework_id=FW, executor_id="t", data=b"hi")]
    bench.break_link()
    assert bench.call("t", call) == 202
    assert bench.sent() == []
    assert bench.did_take() == ["send_up", "drop_link", "send_up"]


# Extremes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("nanoseconds", [-(2**63), -1, 0, 2**63 - 1])
def test_no_grace_period_is_too_strange(nanoseconds: int) -> None:
    bench = up(AgentConfig(executor_shutdown_grace_us=7))
    info = ExecutorInfo(
        executor_id="e", shutdown_grace_period=DurationInfo(nanoseconds=nanoseconds)
    )
    task = TaskInfo(name="t", task_id="t", agent_id="a", executor=info)
    frame = link.RunTask(
        epoch=1,
        framework=framework_info(),
        task=task,
        role="r",
        executor=info,
        launch_executor=True,
    )
    bench.frame(frame)
    [start] = bench.take(StartExecutor)
    assert start.shutdown_grace_us == (7 if nanoseconds < 0 else nanoseconds // 1000)


@pytest.mark.parametrize("state", ["TASK_UNREACHABLE", "TASK_UNKNOWN", "TASK_GONE_BY_OPERATOR"])
def test_strange_states_of_an_executor_are_handed_on(state: TaskState) -> None:
    bench = running("t")
    assert bench.update("t", "t", state, 1) == 202
    assert bench.queue("t") == [(state, None)]


def test_the_request_of_a_refused_call_is_answered_and_no_more() -> None:
    bench = up()
    call = envelope(
        "e", "f", type="UPDATE", update=wire.Update(status=status_of("t", "TASK_RUNNING", 1))
    )
    step = bench.hear(ExecutorCall("r9", ("ext", 9), "f", "e", call, "s9"))
    [answer] = step.effects
    assert isinstance(answer, Answer)
    assert (answer.request, answer.status) == ("r9", 400)
    assert "cannot be found" in answer.body
