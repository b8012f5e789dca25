"""Update queues: what is promised is told, once, in order, until it is acknowledged."""

from __future__ import annotations

import base64

import pytest

from mesos_ref import link
from mesos_ref.agent import calls
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.events import Tick
from mesos_ref.step import NOTHING
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TaskState, TaskStatus
from model_tests.core.agent_bench import (
    FW,
    SECOND_US,
    Bench,
    envelope,
    framework_info,
    running,
    up,
    uuid_of,
)


def told(bench: Bench) -> list[tuple[str, str]]:
    """(task, state) of the updates sent since asked last."""
    return [(f.status.task_id, f.status.state) for f in bench.sent() if isinstance(f, link.Update)]


# executor_updates ---------------------------------------------------------------------------------


def test_executor_updates_is_acknowledged_and_sent_upd_1() -> None:
    bench = running("t")
    assert bench.update("t", "t", "TASK_RUNNING", 1) == 202
    assert bench.did_take() == ["executor_updates"]
    [event] = bench.told()
    assert event.acknowledged == wire.Acknowledged(task_id="t", uuid=uuid_of(1))
    [frame] = bench.sent()
    assert isinstance(frame, link.Update)
    assert (frame.framework_id, frame.latest_state) == (FW, "TASK_RUNNING")
    assert frame.status.uuid == uuid_of(1)
    assert bench.view[f"updates/{FW}/t"] == [
        [base64.b64encode(uuid_of(1)).decode(), "TASK_RUNNING", None]
    ]


def test_a_status_is_forwarded_whole_stock_clients_31_39_upd_20() -> None:
    bench = running("t")
    status = TaskStatus(
        task_id="t",
        state="TASK_RUNNING",
        source="SOURCE_EXECUTOR",
        uuid=uuid_of(1),
        message="hello",
        reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
        data=b"\x00\x01",
        healthy=True,
        timestamp=12.5,
        labels={"labels": [{"key": "k", "value": "v"}]},
        check_status={"type": "TCP"},
        container_status={"executor_pid": 7},
    )
    bench.call("t", envelope("t", FW, type="UPDATE", update=wire.Update(status=status)))
    [frame] = bench.sent()
    assert isinstance(frame, link.Update)
    got = frame.status
    for name in ("message", "reason", "data", "healthy", "timestamp", "labels", "check_status"):
        assert getattr(got, name) == getattr(status, name)
    assert got.source == "SOURCE_EXECUTOR"
    assert got.agent_id == bench.core.state.agent_id
    assert got.executor_id == "t"
    assert got.container_status is not None
    assert got.container_status["executor_pid"] == 7
    assert got.container_status["container_id"] == {"value": bench.alive[0]}
    [info] = got.container_status["network_infos"]
    assert info["ip_addresses"][0]["ip_address"] == "127.0.0.1"


def test_a_status_without_a_time_gets_ours() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    [frame] = bench.sent()
    assert isinstance(frame, link.Update)
    assert frame.status.timestamp == pytest.approx(1_700_000_000 + bench.now_us / 1e6)


def test_the_same_uuid_is_queued_once_upd_3() -> None:
    bench = running("t")
    for _ in range(3):
        bench.update("t", "t", "TASK_RUNNING", 1)
    assert len(bench.queue("t")) == 1
    assert bench.events() == ["ACKNOWLEDGED"] * 3
    bench.ack("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    assert bench.queue("t") == [], "also after it was acknowledged"


def test_the_first_end_wins_upd_1_s10() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.update("t", "t", "TASK_FAILED", 2)
    bench.update("t", "t", "TASK_RUNNING", 3)
    assert bench.queue("t") == [("TASK_FINISHED", None)]
    assert bench.events() == ["ACKNOWLEDGED"] * 3
    task = bench.task("t")
    assert task is not None
    assert task["state"] == "TASK_FINISHED"


def test_an_update_of_a_forgotten_task_is_only_acknowledged_s10() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    bench.ack("t")
    bench.effects.clear()
    bench.update("t", "t", "TASK_FINISHED", 1)
    assert bench.events() == ["ACKNOWLEDGED"]
    assert bench.sent() == []
    assert bench.queue("t") == []


def test_an_update_of_a_task_that_never_was_is_only_acknowledged() -> None:
    bench = running("t")
    assert bench.update("t", "ghost", "TASK_RUNNING", 1) == 202
    assert bench.events() == ["ACKNOWLEDGED"]
    assert bench.queue("ghost") == []


def test_an_update_of_a_queued_task_is_only_acknowledged_upd_14() -> None:
    bench = running("t")
    bench.run("waiting")
    bench.effects.clear()
    bench.update("t", "waiting", "TASK_FINISHED", 1)
    assert bench.events() == ["ACKNOWLEDGED"]
    assert bench.queue("waiting") == []
    task = bench.task("waiting")
    assert task is not None
    assert task["phase"] == "queued"


def test_an_executor_may_speak_of_its_siblings_tasks_upd_15() -> None:
    bench = up()
    bench.run("t", "e")
    bench.subscribe("e")
    bench.run("t2", "e2")
    bench.subscribe("e2")
    bench.sent()
    bench.update("e2", "t", "TASK_RUNNING", 1)
    [frame] = bench.sent()
    assert isinstance(frame, link.Update)
    assert frame.status.executor_id == "e2"


def test_repeated_states_are_updates_of_their_own() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.update("t", "t", "TASK_RUNNING", 2)
    assert len(bench.queue("t")) == 2


def test_updates_that_nobody_acknowledges_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_QUEUED", 3)
    bench = running("t")
    answers = [bench.update("t", "t", "TASK_RUNNING", n) for n in range(5)]
    assert answers == [202, 202, 202, 503, 503]
    assert bench.update("t", "t", "TASK_FINISHED", 9) == 202, "its end always may wait"
    assert len(bench.queue("t")) == 4


def test_uuids_remembered_are_bounded() -> None:
    bench = running("t")
    for number in range(200):
        bench.update("t", "t", "TASK_RUNNING", number)
        bench.ack("t")
    task = bench.core.state.frameworks[FW].tasks["t"]
    assert len(task.seen) == calls.MAX_SEEN
    bench.update("t", "t", "TASK_RUNNING", 199)
    assert bench.queue("t") == []


# hear_ack -----------------------------------------------------------------------------------------


def test_the_next_head_goes_out_when_the_one_before_is_acknowledged_s9_upd_2() -> None:
    bench = running("t")
    states: list[TaskState] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    for number, state in enumerate(states):
        bench.update("t", "t", state, number)
    assert told(bench) == [("t", "TASK_STARTING")]
    step = bench.ack("t")
    assert step.did == (("hear_ack", {}),)
    [frame] = bench.sent()
    assert isinstance(frame, link.Update)
    assert (frame.status.state, frame.latest_state) == ("TASK_RUNNING", "TASK_FINISHED")
    bench.ack("t")
    assert told(bench) == [("t", "TASK_FINISHED")]
    bench.ack("t")
    assert told(bench) == []
    assert bench.task("t") is None, "forgotten with its last acknowledgement (UPD-5)"


def test_an_ack_of_anything_but_the_head_is_ignored_upd_4() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.update("t", "t", "TASK_FINISHED", 2)
    bench.effects.clear()
    for task_id, framework_id, uuid in (
        ("t", FW, uuid_of(2)),
        ("t", FW, b""),
        ("ghost", FW, uuid_of(1)),
        ("t", "nobody", uuid_of(1)),
    ):
        ack = link.Ack(epoch=1, framework_id=framework_id, task_id=task_id, uuid=uuid)
        step = bench.frame(ack)
        assert step.did == (("hear_ack", {}),)
        assert step.effects == ()
    assert len(bench.queue("t")) == 2


def test_a_second_ack_is_ignored_upd_4() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.ack("t")
    again = link.Ack(epoch=1, framework_id=FW, task_id="t", uuid=uuid_of(1))
    assert bench.frame(again).effects == ()


# resend -------------------------------------------------------------------------------------------


def test_resend_waits_10_s_then_twice_as_long_up_to_10_min_upd_2() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.sent()
    waits = []
    for _ in range(9):
        bench.frame(link.Ping(epoch=1, connected=True))
        before_us = bench.now_us
        while not (frames := [f for f in bench.sent() if isinstance(f, link.Update)]):
            at_us = bench.core.next_deadline
            assert at_us is not None
            bench.core.state.timers.disarm(("silence",))
            bench.now_us = bench.core.next_deadline or 0
            step = bench.core.handle(Tick(), bench.now_us)
            bench.perform(step)
        assert frames[0].status.uuid == uuid_of(1), "the same uuid"
        waits.append((bench.now_us - before_us) // SECOND_US)
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert bench.did.count("resend") == 9


def test_resend_names_its_task() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.now_us += 10 * SECOND_US
    step = bench.hear(Tick())
    assert step.did == (("resend", {"framework": FW, "task": "t"}),)


def test_a_tick_with_nothing_due_leaves_no_record() -> None:
    bench = running("t")
    assert bench.hear(Tick()) is NOTHING


def test_an_acknowledged_head_is_not_sent_again() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.ack("t")
    bench.sent()
    bench.pass_time(60 * SECOND_US)
    assert told(bench) == []


def test_the_next_head_has_a_timer_of_its_own_upd_2() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.update("t", "t", "TASK_FINISHED", 2)
    bench.pass_time(35 * SECOND_US)
    bench.ack("t")
    bench.sent()
    bench.pass_time(9 * SECOND_US)
    assert told(bench) == []
    bench.pass_time(SECOND_US)
    assert told(bench) == [("t", "TASK_FINISHED")]


def test_without_a_master_updates_wait_upd_17() -> None:
    bench = running("t")
    bench.break_link()
    bench.sent()
    bench.update("t", "t", "TASK_RUNNING", 1)
    assert told(bench) == []
    bench.connect()
    bench.pass_time(SECOND_US)
    assert told(bench) == [], "nor on a link that is not registered"
    bench.registered()
    assert told(bench) == [("t", "TASK_RUNNING")]


def test_an_update_on_a_link_that_is_not_registered_yet_waits_too() -> None:
    bench = running("t")
    bench.break_link()
    bench.connect()
    bench.sent()
    bench.update("t", "t", "TASK_RUNNING", 1)
    assert told(bench) == []
    bench.registered()
    assert told(bench) == [("t", "TASK_RUNNING")]


def test_retries_start_afresh_with_a_new_registration_upd_17() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.pass_time(40 * SECOND_US)
    bench.break_link()
    bench.connect()
    bench.registered()
    bench.sent()
    bench.pass_time(10 * SECOND_US)
    assert told(bench) == [("t", "TASK_RUNNING")]


# know_framework -----------------------------------------------------------------------------------


def test_know_framework_sends_its_heads_at_once_upd_9() -> None:
    bench = up()
    for task_id in ("t2", "t1"):
        bench.run(task_id)
        bench.kill(task_id)
    bench.run("x", info=framework_info("other"))
    bench.kill("x", "other")
    bench.sent()
    step = bench.frame(link.UpdateFramework(epoch=1, framework=framework_info()))
    assert step.did == (("know_framework", {}),)
    assert told(bench) == [("t1", "TASK_KILLED"), ("t2", "TASK_KILLED")]


def test_know_framework_takes_over_what_it_says_but_not_checkpoint_fwk_8() -> None:
    bench = running("t")
    info = framework_info(checkpoint=False, partition_aware=False)
    bench.frame(link.UpdateFramework(epoch=1, framework=info))
    assert bench.view[f"frameworks/{FW}"] == {"checkpoint": True, "partition_aware": False}
    bench.kill("ghost")
    assert bench.queue("ghost") == [("TASK_LOST", "REASON_EXECUTOR_TERMINATED")]


def test_know_framework_of_nobody_is_ignored() -> None:
    bench = up()
    frame = link.UpdateFramework(epoch=1, framework=framework_info("x"))
    assert bench.frame(frame).did == (("ignore_frame", {}),)
    nameless = type(frame.framework)(user="u", name="n")
    frame = link.UpdateFramework(epoch=1, framework=nameless)
    assert bench.frame(frame).did == (("ignore_frame", {}),)


def test_know_framework_of_one_known_by_an_update_only() -> None:
    bench = up()
    bench.registered(("ghost", "t"))
    bench.sent()
    bench.frame(link.UpdateFramework(epoch=1, framework=framework_info("ghost")))
    assert told(bench) == [("t", "TASK_LOST")]
    assert "frameworks/ghost" not in bench.view


def test_without_an_address_there_is_no_network_info() -> None:
    bench = Bench(AgentConfig(ip=""))
    bench.start()
    bench.lead()
    bench.run("t")
    bench.kill("t")
    [frame] = [f for f in bench.sent() if isinstance(f, link.Update)]
    assert frame.status.container_status == {"container_id": {"value": bench.alive[0]}}
