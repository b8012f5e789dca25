"""Executors end, in every phase: by themselves, given up, shut down, with their framework.

Ids in names are those of docs/explanation/steps.md, in lower case.
"""

from __future__ import annotations

import pytest

from mesos_ref import link
from mesos_ref.agent.events import ExecutorExited
from mesos_ref.step import NOTHING
from mesos_ref.wire.v1 import (
    DurationInfo,
    ExecutorInfo,
)
from model_tests.core.agent_bench import (
    FW,
    SECOND_US,
    framework_info,
    running,
    task_info,
    up,
)

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
