"""Tasks: `run`, `refuse_run`, `kill_task` in every phase."""

from __future__ import annotations

import pytest

from mesos_ref import link
from mesos_ref.agent.effects import DestroyExecutor, StartExecutor
from mesos_ref.step import Persist, SendFrame
from mesos_ref.wire.v1 import Resource
from model_tests.core.agent_bench import (
    FW,
    custom,
    framework_info,
    running,
    task_info,
    up,
)

# run and refuse_run -------------------------------------------------------------------------------


def test_run_a_command_starts_an_executor_named_like_the_task_lch_2_lch_4() -> None:
    bench = up()
    step = bench.run("t")
    assert step.did == (("run", {}),)
    [start] = bench.take(StartExecutor)
    assert (start.framework_id, start.executor_id) == (FW, "t")
    assert start.task == task_info("t")
    assert start.executor_info is None
    assert bench.task("t") == {
        "executor": "t",
        "phase": "queued",
        "state": "TASK_STAGING",
        "role": "r",
        "resources": {"cpus": 1000},
    }
    assert bench.phase("t") == "registering"


def test_run_writes_before_the_executor_starts_lch_11() -> None:
    bench = up()
    step = bench.run("t")
    kept = {e.key for e in step.effects if isinstance(e, Persist)}
    assert kept == {f"framework/{FW}", f"executor/{FW}/t", f"task/{FW}/t", f"progress/{FW}/t"}


def test_nothing_is_kept_of_a_framework_that_does_not_checkpoint_rcv_2() -> None:
    bench = up()
    bench.run("t", info=framework_info(checkpoint=False))
    bench.subscribe("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    assert set(bench.kept) == {"agent", "epoch"}


def test_run_on_a_running_executor_launches_at_once() -> None:
    bench = up()
    bench.run("t1", "e")
    bench.subscribe("e")
    bench.events()
    bench.take(StartExecutor)
    bench.run("t2", "e", launch=False)
    assert bench.events() == ["LAUNCH"]
    assert bench.take(StartExecutor) == []
    task = bench.task("t2")
    assert task is not None
    assert task["phase"] == "launched"


def test_tasks_are_launched_in_the_order_they_were_sent_lch_5_exe_2() -> None:
    bench = up()
    bench.run("z", "e")
    bench.run("a", "e", launch=False)
    bench.run("m", "e", launch=False)
    bench.subscribe("e")
    launched = [event.launch.task.task_id for event in bench.told() if event.launch]
    assert launched == ["z", "a", "m"]


def test_refuse_run_when_the_executor_is_gone_lch_3() -> None:
    bench = up()
    step = bench.run("t", "e", launch=False)
    assert step.did == (("refuse_run", {}),)
    assert bench.queue("t") == [("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")]
    assert bench.task("t") is None
    assert bench.view[f"frameworks/{FW}"], "its update waits, so the framework is known here"


def test_refuse_run_says_lost_to_who_does_not_know_dropped() -> None:
    bench = up()
    bench.run("t", "e", launch=False, info=framework_info(partition_aware=False))
    assert bench.queue("t") == [("TASK_LOST", "REASON_EXECUTOR_TERMINATED")]


def test_refuse_run_when_the_executor_is_ending_lch_3() -> None:
    bench = up()
    bench.run("t1", "e")
    bench.subscribe("e")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e"))
    assert bench.run("t2", "e", launch=False).did == (("refuse_run", {}),)
    assert bench.run("t3", "e", launch=True).did == (("refuse_run", {}),)


def test_refuse_run_when_the_executor_is_already_there_lch_4() -> None:
    bench = up()
    bench.run("t1", "e")
    assert bench.run("t2", "e", launch=True).did == (("refuse_run", {}),)


def test_a_task_id_may_come_back_once_its_executor_is_gone_but_not_before_mesos_9657() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.ack("t")
    assert bench.task("t") is None
    assert bench.run("t").did == (("refuse_run", {}),)
    bench.ack("t")
    bench.exit("t")
    assert bench.run("t").did == (("run", {}),)


def test_a_second_task_for_a_command_executor_is_refused_exe_13() -> None:
    bench = running("t")
    assert bench.run("t2", "t", launch=False).did == (("refuse_run", {}),)


def test_a_command_that_is_not_to_be_launched_is_refused() -> None:
    bench = up()
    assert bench.run("t", launch=False).did == (("refuse_run", {}),)


def test_a_task_id_in_use_is_left_alone_s10() -> None:
    bench = running("t")
    assert bench.run("t").did == (("ignore_frame", {}),)
    assert bench.queue("t") == []
    bench.kill("unknown")
    assert bench.run("unknown").did == (("ignore_frame", {}),)
    assert len(bench.queue("unknown")) == 1


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a\\b", "", "x" * 256, "nul\0", "esc\x1b"])
def test_an_id_that_no_path_can_hold_is_not_let_in(name: str) -> None:
    bench = up()
    before = bench.core.view()
    assert bench.run(name).did == (("ignore_frame", {}),)
    assert bench.run("t", name).did == (("ignore_frame", {}),)
    assert bench.run("t", info=framework_info(name)).did == (("ignore_frame", {}),)
    bench.registered((FW, name), (name, "t"))
    assert bench.core.view() == before
    bench.run("good")
    bench.kill(name)
    assert bench.queue(name) == []


@pytest.mark.parametrize("name", ["ä", "a b", "a.b", "...", "a\u00a0b", "x" * 255])
def test_any_id_a_path_can_hold_is_good(name: str) -> None:
    bench = up()
    assert bench.run(name).did == (("run", {}),)


def test_resources_that_are_no_amount_are_refused() -> None:
    bench = up()
    task = task_info("t")
    bad = Resource(name="cpus", type="SCALAR")
    frame = link.RunTask(
        epoch=1,
        framework=framework_info(),
        task=type(task)(name="t", task_id="t", agent_id="a", resources=(bad,)),
        role="r",
        launch_executor=True,
    )
    assert bench.frame(frame).did == (("refuse_run", {}),)


def test_run_without_a_framework_id_is_ignored() -> None:
    bench = up()
    info = framework_info()
    nameless = type(info)(user="u", name="n")
    assert bench.run("t", info=nameless).did == (("ignore_frame", {}),)
    assert bench.core.state.frameworks == {}


# kill_task ----------------------------------------------------------------------------------------


def test_kill_a_queued_task_kil_4() -> None:
    bench = up()
    bench.run("t")
    step = bench.kill("t")
    assert step.did == (("kill_task", {}),)
    assert bench.queue("t") == [("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")]
    assert bench.phase("t") == "registering"


def test_an_executor_left_with_nothing_is_shut_down_when_it_subscribes_lch_10() -> None:
    bench = up()
    bench.run("t")
    bench.kill("t")
    bench.subscribe("t")
    assert bench.events() == ["SUBSCRIBED", "SHUTDOWN"]
    assert bench.phase("t") == "terminating"


def test_kill_one_of_two_queued_tasks_the_other_is_launched() -> None:
    bench = up()
    bench.run("t1", "e")
    bench.run("t2", "e", launch=False)
    bench.kill("t1")
    bench.subscribe("e")
    assert bench.events() == ["SUBSCRIBED", "LAUNCH"]


def test_kill_a_launched_task_is_the_executors_business_kil_5() -> None:
    bench = running("t")
    bench.kill("t")
    assert bench.events() == ["KILL"]
    assert bench.queue("t") == []
    bench.kill("t")
    assert bench.events() == ["KILL"], "repeated kills are passed on (KIL-6)"


def test_a_kill_is_repeated_to_an_executor_that_comes_back() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.kill("t")
    bench.events()
    bench.subscribe("t", tasks=("t",))
    assert bench.events() == ["SUBSCRIBED", "KILL"]


def test_a_kill_is_repeated_after_a_restart() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.kill("t")
    bench.boot()
    bench.start()
    bench.subscribe("t")
    assert bench.events() == ["SUBSCRIBED", "KILL"]


def test_kill_an_ended_task_does_nothing() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.effects.clear()
    step = bench.kill("t")
    assert step.did == (("kill_task", {}),)
    assert step.effects == ()
    assert bench.queue("t") == [("TASK_FINISHED", None)]


def test_kill_an_unknown_task_of_a_known_framework_kil_4() -> None:
    bench = running("t")
    bench.kill("ghost")
    assert bench.queue("ghost") == [("TASK_DROPPED", "REASON_EXECUTOR_TERMINATED")]
    bench.kill("ghost")
    assert len(bench.queue("ghost")) == 1, "one end is enough (S10)"


def test_kill_an_unknown_task_of_an_unknown_framework_does_nothing() -> None:
    bench = up()
    step = bench.kill("ghost", "nobody")
    assert step.did == (("kill_task", {}),)
    assert step.effects == ()


def test_kill_a_task_of_a_terminating_executor_is_passed_on() -> None:
    bench = running("t")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    bench.events()
    bench.kill("t")
    assert bench.events() == ["KILL"]


def test_kill_of_a_queued_task_whose_executor_is_being_given_up() -> None:
    bench = up()
    bench.run("t")
    bench.pass_time(60_000_000)
    assert bench.take(DestroyExecutor)
    bench.kill("t")
    assert bench.queue("t") == [("TASK_KILLED", "REASON_TASK_KILLED_DURING_LAUNCH")]
    bench.exit("t")
    assert len(bench.queue("t")) == 1, "killed is its end, its executor's end adds none (EXE-5)"


def test_updates_of_agent_and_executor_are_named_for_their_source_upd_20() -> None:
    bench = up()
    bench.run("t", "e")
    bench.kill("t")
    [update] = [e.frame for e in bench.take(SendFrame) if isinstance(e.frame, link.Update)]
    status = update.status
    assert (status.source, status.agent_id) == ("SOURCE_AGENT", bench.core.state.agent_id)
    assert status.executor_id == "e"
    assert status.message
    assert status.timestamp == pytest.approx(1_700_000_000 + bench.now_us / 1e6)
    assert custom("e").executor_id == "e"
