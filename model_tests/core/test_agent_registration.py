"""An agent finds its leader, registers, obeys it and nobody before it, and notices when it is gone.

Ids in the names of tests are those of docs/explanation/steps.md, in lower case.
"""

from __future__ import annotations

import pytest

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit
from mesos_ref.agent.events import Frame, LeaderSeen, Linked, LinkEnded, Tick
from mesos_ref.step import NOTHING, CloseLink, Persist, SendFrame
from model_tests.core.agent_bench import FW, SECOND_US, Bench, CountedIds, framework_info, up

PING_TIMEOUT_US = 75 * SECOND_US


def test_first_start_mints_an_id_and_keeps_it_before_any_register() -> None:
    bench = Bench()
    step = bench.start()
    assert step.did == (("start_agent", {}),)
    assert [e.key for e in step.effects if isinstance(e, Persist)] == ["agent"]
    assert bench.kept["agent"]["id"] == bench.core.state.agent_id != ""


def test_the_id_outlives_the_process() -> None:
    bench = up()
    before = bench.core.state.agent_id
    bench.boot()
    bench.start()
    assert bench.core.state.agent_id == before


def test_nothing_is_heard_before_started() -> None:
    core = AgentCore(AgentConfig(), CountedIds(), {})
    assert core.handle(LeaderSeen(1, "http://m"), 0) is NOTHING
    assert core.next_deadline is None


def test_turn_to_a_newer_leader_drops_the_link_s19_agt_14() -> None:
    bench = up()
    old = bench.link
    step = bench.hear(LeaderSeen(2, "http://m2"))
    assert step.did == (("turn_to", {"epoch": 2}),)
    assert bench.closed() == [old]
    agent = bench.view["agent"]
    assert agent == {"id": agent["id"], "epoch": 2, "link": None, "registered": False}
    assert bench.kept["epoch"] == 2


def test_an_older_leader_is_nobody_s19() -> None:
    bench = up()
    bench.hear(LeaderSeen(5, "http://m5"))
    before = bench.core.next_deadline
    assert bench.hear(LeaderSeen(4, "http://m4")) is NOTHING
    assert bench.core.next_deadline == before
    assert bench.core.state.url == "http://m5"


def test_the_same_leader_again_changes_nothing() -> None:
    bench = up()
    assert bench.hear(LeaderSeen(1, "http://m1")) is NOTHING


def test_register_says_who_the_agent_is_and_what_it_runs_agt_2_agt_6_r1() -> None:
    bench = up()
    bench.run("t2", "e")
    bench.run("t1")
    bench.subscribe("e")
    bench.update("e", "t2", "TASK_RUNNING", 1)
    bench.kill("t2")
    bench.break_link()
    bench.take(SendFrame)
    bench.connect()
    [register] = bench.sent()
    assert isinstance(register, link.Register)
    assert register.agent_id == bench.core.state.agent_id
    assert register.info.id == register.agent_id
    assert register.newest_epoch == 1
    assert [t.task_id for t in register.tasks] == ["t1", "t2"]
    first, second = register.tasks
    assert (first.executor_id, first.state, first.status_state) == (None, "TASK_STAGING", None)
    assert (second.executor_id, second.state, second.killed) == ("e", "TASK_RUNNING", True)
    assert second.status_state == "TASK_RUNNING"
    assert second.status_uuid is not None
    assert [e.executor_id for e in register.executors] == ["e"], "custom executors only"
    assert register.frameworks == (framework_info(),)


def test_register_lists_ended_tasks_until_they_are_acknowledged() -> None:
    bench = up()
    bench.run("t")
    bench.kill("t")
    bench.break_link()
    bench.take(SendFrame)
    bench.connect()
    [register] = bench.sent()
    assert isinstance(register, link.Register)
    assert [(t.task_id, t.state) for t in register.tasks] == [("t", "TASK_KILLED")]


def test_the_first_dial_waits_at_most_the_back_off_agt_4() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    at_us = bench.core.next_deadline
    assert at_us is not None
    assert 0 <= at_us <= SECOND_US


def test_failed_dials_wait_longer_and_longer_up_to_a_minute_agt_4() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bounds = []
    for _ in range(9):
        bounds.append(bench.core.state.backoff_us // SECOND_US)
        while not bench.take(Connect):
            at_us = bench.core.next_deadline
            assert at_us is not None
            bench.pass_time(at_us - bench.now_us)
        assert bench.hear(LinkEnded(bench.link)).did == (), "a failed dial is nothing yet"
    assert bounds == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert bench.view["agent"]["link"] is None


def test_registered_resets_the_back_off() -> None:
    bench = up()
    assert bench.core.state.backoff_us == SECOND_US


def test_a_link_nobody_asked_for_is_closed() -> None:
    bench = up()
    step = bench.hear(Linked("stranger"))
    assert step.effects == (CloseLink("stranger"),)
    assert step.did == ()


def test_frames_before_registered_are_ignored_lch_1() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bench.epoch = 1
    bench.connect()
    assert bench.run("t").did == (("ignore_frame", {}),)
    assert bench.task("t") is None


def test_be_registered_obeys_and_answers_for_what_it_lacks_agt_9() -> None:
    bench = up()
    bench.run("known", info=framework_info(partition_aware=True))
    bench.break_link()
    bench.connect()
    bench.take(SendFrame)
    step = bench.registered((FW, "known"), (FW, "lost"), ("other", "x"))
    assert step.did == (("be_registered", {}),)
    frames = bench.sent()
    assert [f.status.task_id for f in frames if isinstance(f, link.Update)] == ["lost", "x"]
    assert bench.queue("lost") == [("TASK_DROPPED", "REASON_RECONCILIATION")]
    assert bench.queue("x", "other") == [("TASK_LOST", "REASON_RECONCILIATION")]
    assert bench.task("lost") is None


def test_be_registered_does_not_answer_twice_for_the_same_task_s10() -> None:
    bench = up()
    bench.registered((FW, "lost"))
    bench.registered((FW, "lost"))
    assert len(bench.queue("lost")) == 1


def test_be_registered_sends_all_heads_in_order_upd_17_rcv_9() -> None:
    bench = up()
    for framework_id in ("b", "a"):
        for task_id in ("t2", "t1"):
            bench.run(task_id, info=framework_info(framework_id))
            bench.kill(task_id, framework_id)
    bench.break_link()
    bench.take(SendFrame)
    bench.connect()
    bench.take(SendFrame)
    bench.registered()
    frames = [f for f in bench.sent() if isinstance(f, link.Update)]
    assert [(f.framework_id, f.status.task_id) for f in frames] == [
        ("a", "t1"),
        ("a", "t2"),
        ("b", "t1"),
        ("b", "t2"),
    ]


def test_registered_as_somebody_else_is_ignored() -> None:
    bench = up()
    assert bench.frame(link.Registered(epoch=1, agent_id="not-me")).did == (("ignore_frame", {}),)


def test_registered_with_a_newer_epoch_is_adopted_and_kept() -> None:
    bench = up()
    bench.break_link()
    bench.connect()
    bench.epoch = 3
    bench.registered()
    assert bench.view["agent"]["epoch"] == 3
    assert bench.kept["epoch"] == 3


def test_answer_ping_agt_8() -> None:
    bench = up()
    step = bench.frame(link.Ping(epoch=1, connected=True))
    assert step.did == (("answer_ping", {}),)
    assert step.effects == (SendFrame(bench.link, link.Pong(epoch=1)),)


def test_a_ping_is_answered_before_registration_too_agt_13() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bench.connect()
    assert bench.frame(link.Ping(epoch=1, connected=True)).did == (("answer_ping", {}),)


def test_a_master_that_takes_us_for_gone_is_told_anew_agt_8() -> None:
    bench = up()
    old = bench.link
    step = bench.frame(link.Ping(epoch=1, connected=False))
    assert step.did == (("answer_ping", {}),)
    assert step.effects == (SendFrame(old, link.Pong(epoch=1)), CloseLink(old))
    assert bench.view["agent"]["link"] is None
    bench.connect()
    assert bench.link != old


@pytest.mark.parametrize("late_us", [-1, 0])
def test_a_silent_master_is_left_after_the_ping_timeout_agt_10(late_us: int) -> None:
    bench = up()
    bench.pass_time(PING_TIMEOUT_US + late_us)
    assert ("drop_link" in bench.did) == (late_us == 0)
    assert bench.closed() == ([bench.link] if late_us == 0 else [])


def test_each_ping_buys_time_agt_10() -> None:
    bench = up()
    for _ in range(4):
        bench.pass_time(PING_TIMEOUT_US - 1)
        bench.frame(link.Ping(epoch=1, connected=True))
    assert "drop_link" not in bench.did


def test_a_master_that_never_answers_register_is_left_too() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bench.connect()
    bench.pass_time(PING_TIMEOUT_US)
    assert bench.closed() == [bench.link]
    assert bench.did_take()[-1] == "drop_link"


def test_a_dial_without_news_is_given_up() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bench.pass_time(SECOND_US)
    bench.take(Connect)
    first = bench.link
    bench.pass_time(PING_TIMEOUT_US + 2 * SECOND_US)
    assert bench.closed() == [first]
    assert bench.did_take() == ["start_agent", "turn_to"]
    assert bench.link != first


def test_drop_link_pauses_retries_upd_17() -> None:
    bench = up()
    bench.run("t")
    bench.kill("t")
    step = bench.break_link()
    assert step.did == (("drop_link", {}),)
    bench.sent()
    names = bench.core.state.timers.at
    assert not [name for name in names if name[0] == "resend"]


def test_the_end_of_a_replaced_link_is_nothing() -> None:
    bench = up()
    old = bench.link
    bench.hear(LeaderSeen(2, "http://m2"))
    assert bench.hear(LinkEnded(old)) is NOTHING


def test_frames_of_a_replaced_link_are_ignored_s19() -> None:
    bench = up()
    old = bench.link
    bench.hear(LeaderSeen(2, "http://m2"))
    bench.epoch = 2
    bench.connect()
    bench.registered()
    frame = link.Ping(epoch=2, connected=False)
    assert bench.hear(Frame(old, 9, frame)).did == (("ignore_frame", {}),)


@pytest.mark.parametrize(
    "frame",
    [
        link.Ping(epoch=1, connected=False),
        link.Registered(epoch=1, agent_id="id-1-S0"),
        link.Kill(epoch=1, framework_id=FW, task_id="t"),
        link.ShutdownFramework(epoch=1, framework_id=FW),
        link.Shutdown(epoch=1, message="go"),
    ],
)
def test_frames_of_an_older_epoch_are_ignored_s19(frame: link.FromMaster) -> None:
    bench = Bench()
    bench.start()
    bench.lead(2)
    bench.run("t")
    before = bench.core.view()
    step = bench.frame(frame)
    assert step.did == (("ignore_frame", {}),)
    assert step.effects == ()
    assert bench.core.view() == before


def test_orders_of_an_epoch_we_never_turned_to_are_ignored() -> None:
    bench = up()
    bench.epoch = 2
    assert bench.run("t").did == (("ignore_frame", {}),)


def test_shut_down_agent_ends_executors_and_the_process() -> None:
    bench = up()
    bench.run("t")
    bench.subscribe("t")
    bench.events()
    step = bench.frame(link.Shutdown(epoch=1, message="too old"))
    assert step.did == (("shut_down_agent", {}),)
    assert bench.events() == ["SHUTDOWN"]
    assert [type(e) for e in step.effects[-3:]] == [DestroyExecutor, CloseLink, Exit]
    assert bench.phase("t") == "terminating"
    assert bench.hear(Tick()) is NOTHING
    assert bench.core.next_deadline is None


def test_after_a_shutdown_a_restart_finds_its_tasks() -> None:
    bench = up()
    bench.run("t")
    bench.subscribe("t")
    bench.frame(link.Shutdown(epoch=1))
    bench.boot()
    bench.start(alive=[])
    assert bench.queue("t") == [("TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")]


def test_shut_out_an_agent_that_may_not_join_exits_agt_1() -> None:
    bench = Bench()
    bench.start()
    bench.hear(LeaderSeen(1, "http://m1"))
    bench.connect()
    bench.frame(link.Shutdown(epoch=1, message="version 0.9 is too old"))
    [exit_] = bench.exits()
    assert exit_.code != 0
    assert "version 0.9 is too old" in exit_.why


def test_a_negative_timer_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="ping_timeout_us must not be negative, but is -1"):
        AgentConfig(ping_timeout_us=-1)
