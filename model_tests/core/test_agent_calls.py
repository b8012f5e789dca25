"""Executors start, subscribe and speak, and are answered: what the agent takes, what it refuses.

Ids in names are those of docs/explanation/steps.md, in lower case.
"""

from __future__ import annotations

import pytest

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import ExecutorCall, ExecutorStreamEnded
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
    """EXE-8: what the documentation promises, all of it."""
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
    """EXE-8: its own variables, and over them ours."""
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
