"""Updates, acknowledgements, kills, executors, messages: steps.md's table *Tasks*."""

from __future__ import annotations

import pytest

from mesos_ref import link as frames
from mesos_ref.link import Ack, Exited, Kill, ShutdownExecutor
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import DurationInfo, KillPolicy, TaskState
from model_tests.core.master_rig import EPOCH, Rig, report, task, uuid, with_executor

# forward ------------------------------------------------------------------------------------------


def test_forward() -> None:
    """UPD-7: the framework hears it whole, and the record says what it heard."""
    rig = Rig()
    who, link = rig.running()
    rig.update(link, who, "t1", "TASK_KILLING", n=2)
    assert rig.last.did == (("forward", {"agent": "a1"}),)
    event = rig.events[who.stream][-1]
    assert event.update.status.uuid == uuid(2)
    assert event.update.status.source == "SOURCE_EXECUTOR"
    record = rig.core.view()[f"tasks/{who.framework_id}/t1"]
    assert (record["state"], record["told"]) == ("TASK_KILLING", "TASK_KILLING")
    assert record["uuid"] == "AAAAAAAAAAAAAAAAAAAAAg=="


def test_forward_takes_the_latest_state() -> None:
    """UPD-6, UPD-8, S8: an ended task's resources are free at once, though its end is not told."""
    rig = Rig()
    who, link = rig.running(cpus=4)
    rig.update(link, who, "t1", "TASK_RUNNING", n=2, latest="TASK_FAILED")
    record = rig.core.view()[f"tasks/{who.framework_id}/t1"]
    assert (record["state"], record["told"]) == ("TASK_FAILED", "TASK_RUNNING")
    assert str(rig.core.state.agents["a1"].free) == "cpus:4;mem:1024"
    assert [name for name, _ in rig.tick().did] == ["offer"]


def test_forward_of_a_second_end() -> None:
    """S8, UPD-18, MESOS-2864: the state stays, nothing is freed twice, the framework hears it."""
    rig = Rig()
    who, link = rig.running()
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.update(link, who, "t1", "TASK_RUNNING", n=3)
    rig.update(link, who, "t1", "TASK_FAILED", n=4)
    record = rig.core.view()[f"tasks/{who.framework_id}/t1"]
    assert (record["state"], record["told"]) == ("TASK_FINISHED", "TASK_FAILED")
    assert [state for _, state, _ in rig.statuses(who)[-3:]] == [
        "TASK_FINISHED",
        "TASK_RUNNING",
        "TASK_FAILED",
    ]
    assert rig.core.state.allocator.charged() == {}


def test_forward_of_an_unknown_task() -> None:
    """UPD-7: passed on, and nothing is noted."""
    rig = Rig()
    who, link = rig.running()
    before = rig.core.view()
    rig.update(link, who, "t9", "TASK_LOST")
    assert rig.did == ["forward"]
    assert rig.statuses(who)[-1][0] == "t9"
    assert rig.core.view() == before


def test_forward_without_a_listener() -> None:
    """UPD-7, MESOS-5930: the record is updated and the amount freed, though nobody is told."""
    rig = Rig()
    who, link = rig.running()
    rig.end_stream(who)
    count = len(rig.events[who.stream])
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    assert rig.did == ["forward"]
    assert rig.last.effects == ()
    assert len(rig.events[who.stream]) == count
    record = rig.core.view()[f"tasks/{who.framework_id}/t1"]
    assert (record["state"], record["told"]) == ("TASK_FINISHED", "TASK_FINISHED")
    assert rig.core.state.allocator.charged() == {}


def test_forward_of_a_removed_framework() -> None:
    """Its tasks are no more; the action does nothing."""
    rig = Rig()
    who, link = rig.running()
    rig.call(who, "TEARDOWN")
    rig.update(link, who, "t1", "TASK_KILLED", n=2)
    assert rig.did == ["forward"]
    assert rig.last.effects == ()


# acknowledge, drop_acknowledgement ----------------------------------------------------------------


def test_acknowledge() -> None:
    """UPD-10: to the agent; a task that goes on stays."""
    rig = Rig()
    who, link = rig.running()
    assert rig.did == ["acknowledge"]
    expected = Ack(epoch=EPOCH, framework_id=who.framework_id, task_id="t1", uuid=uuid(1))
    assert rig.frames[link][-1] == expected
    assert f"tasks/{who.framework_id}/t1" in rig.core.view()
    assert rig.answers[-1].status == 202


@pytest.mark.parametrize(("n", "stays"), [(2, False), (1, True)])
def test_acknowledge_of_the_end(n: int, stays: bool) -> None:
    """UPD-5, UPD-10: with the end's own uuid the record goes; the agent hears it either way."""
    rig = Rig()
    who, link = rig.running()
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.acknowledge(who, "t1", n=n)
    assert rig.did == ["acknowledge"]
    assert rig.frames[link][-1].uuid == uuid(n)
    assert (f"tasks/{who.framework_id}/t1" in rig.core.view()) == stays


def test_acknowledge_before_the_end_is_told() -> None:
    """UPD-8: an ended task stays until its end itself has been acknowledged."""
    rig = Rig()
    who, link = rig.running()
    rig.update(link, who, "t1", "TASK_RUNNING", n=2, latest="TASK_FINISHED")
    rig.acknowledge(who, "t1", n=2)
    assert f"tasks/{who.framework_id}/t1" in rig.core.view()


def test_acknowledge_of_an_unknown_task() -> None:
    """UPD-10: the agent decides."""
    rig = Rig()
    who, link = rig.running()
    rig.acknowledge(who, "t9", n=5)
    assert rig.did == ["acknowledge"]
    assert rig.frames[link][-1].task_id == "t9"


def test_drop_acknowledgement() -> None:
    """UPD-10: nobody to pass it to, or no update of the task went through here."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, task("t1"))
    for agent_id in ("a1", "a9"):
        rig.acknowledge(who, "t1", agent_id=agent_id)
        assert rig.last.did == (("drop_acknowledgement", {}),)
    rig.update(link, who, "t1", "TASK_FINISHED")
    rig.end_link(link)
    rig.acknowledge(who, "t1")
    assert rig.did == ["drop_acknowledgement"]
    assert f"tasks/{who.framework_id}/t1" in rig.core.view()


# kill, answer_kill --------------------------------------------------------------------------------


def test_kill() -> None:
    """KIL-3, KIL-6: passed on each time, with its policy; remembered."""
    rig = Rig()
    who, link = rig.running()
    policy = KillPolicy(grace_period=DurationInfo(nanoseconds=5))
    part = scheduler.Kill(task_id="t1", agent_id="a1", kill_policy=policy)
    for _ in range(2):
        rig.call(who, "KILL", part)
        assert rig.last.did == (("kill", {}),)
    assert (
        rig.frames[link][-2:]
        == [Kill(epoch=EPOCH, framework_id=who.framework_id, task_id="t1", kill_policy=policy)] * 2
    )
    assert rig.core.view()[f"tasks/{who.framework_id}/t1"]["killed"] is True


def test_kill_of_another_agents_task() -> None:
    """KIL-2: ignored."""
    rig = Rig()
    who, link = rig.running()
    before = rig.core.view()
    rig.kill(who, "t1", agent_id="a2")
    assert rig.did == ["kill"]
    assert rig.core.view() == before
    assert not any(isinstance(frame, Kill) for frame in rig.frames[link])


def test_kill_while_the_agent_is_away() -> None:
    """KIL-3: remembered, sent when it returns."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.kill(who, "t1")
    assert not any(isinstance(frame, Kill) for frame in rig.frames[link])
    link = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert isinstance(rig.frames[link][-1], Kill)


def test_answer_kill() -> None:
    """KIL-1, KIL-10, MESOS-619: an unknown task is answered as reconciliation."""
    rig = Rig()
    who, _ = rig.running()
    rig.kill(who, "t9", agent_id="a1")
    assert rig.last.did == (("answer_kill", {"settled": False}),)
    assert rig.statuses(who)[-1] == ("t9", "TASK_GONE", "REASON_RECONCILIATION")
    rig.kill(who, "t9", agent_id="a9")
    assert rig.did == ["answer_kill"]
    assert len(rig.statuses(who)) == 2


def test_answer_kill_of_an_unreachable_task() -> None:
    """REC-7: it can't be killed now; the framework is told why."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.run_for(600)
    rig.kill(who, "t1")
    assert rig.did == ["answer_kill"]
    assert rig.statuses(who)[-1][1] == "TASK_UNREACHABLE"


# lose_executor, shut_executor ---------------------------------------------------------------------


@pytest.mark.parametrize(("status", "told"), [(9, 9), (0, 0), (None, -1)])
def test_lose_executor(status: int | None, told: int) -> None:
    """EXE-6, stock clients 33: FAILURE, its resources are free, its tasks wait for updates."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, with_executor("t1"), refuse_s=0)
    rig.frame(
        link, Exited(epoch=EPOCH, framework_id=who.framework_id, executor_id="e1", status=status)
    )
    assert rig.last.did == (("lose_executor", {"agent": "a1"}),)
    failure = rig.events[who.stream][-1].failure
    assert (failure.agent_id, failure.executor_id, failure.status) == ("a1", "e1", told)
    assert str(rig.core.state.agents["a1"].free) == "cpus:3;mem:960"
    assert f"tasks/{who.framework_id}/t1" in rig.core.view()


def test_an_unknown_executor_ends() -> None:
    """EXE-6: a frame that has nothing to do with what is known."""
    rig = Rig()
    who, link = rig.running()
    rig.frame(link, Exited(epoch=EPOCH, framework_id=who.framework_id, executor_id="e9"))
    assert rig.last.did == (("ignore_frame_up", {"link": link}),)


def test_shut_executor() -> None:
    """KIL-8: the agent sees to it; if it is away, nobody does."""
    rig = Rig()
    who, link = rig.running()
    part = scheduler.Shutdown(executor_id="e1", agent_id="a1")
    rig.call(who, "SHUTDOWN", part)
    assert rig.last.did == (("shut_executor", {}),)
    assert rig.frames[link][-1] == ShutdownExecutor(
        epoch=EPOCH, framework_id=who.framework_id, executor_id="e1"
    )
    count = len(rig.frames[link])
    rig.end_link(link)
    rig.call(who, "SHUTDOWN", part)
    assert rig.did == ["shut_executor"]
    assert len(rig.frames[link]) == count


# pass_message, pass_up ----------------------------------------------------------------------------


def test_pass_message() -> None:
    """KIL-9: down to the agent; dropped where it isn't connected."""
    rig = Rig()
    who, link = rig.running()
    part = scheduler.Message(agent_id="a1", executor_id="e1", data=b"\x00\xff")
    rig.call(who, "MESSAGE", part)
    assert rig.last.did == (("pass_message", {}),)
    assert rig.frames[link][-1] == frames.Message(
        epoch=EPOCH, framework_id=who.framework_id, executor_id="e1", data=b"\x00\xff"
    )
    rig.call(who, "MESSAGE", scheduler.Message(agent_id="a9", executor_id="e1", data=b""))
    assert rig.did == ["pass_message"]


def test_pass_up() -> None:
    """KIL-9: up to the framework; dropped where it isn't connected."""
    rig = Rig()
    who, link = rig.running()
    message = frames.Message(
        epoch=EPOCH, framework_id=who.framework_id, executor_id="e1", data=b"hi"
    )
    rig.frame(link, message)
    assert rig.last.did == (("pass_up", {"agent": "a1"}),)
    event = rig.events[who.stream][-1]
    assert event.type == "MESSAGE"
    assert event.message == scheduler.Message(agent_id="a1", executor_id="e1", data=b"hi")
    rig.end_stream(who)
    rig.frame(link, message)
    assert rig.did == ["pass_up"]
    assert rig.last.effects == ()


# Order --------------------------------------------------------------------------------------------


def test_updates_keep_their_order() -> None:
    """S9, UPD-19: what one agent sends is passed on in order."""
    rig = Rig()
    who, link = rig.running()
    states: list[TaskState] = ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]
    for n, state in enumerate(states):
        rig.update(link, who, "t1", state, n=n + 2)
    assert [state for _, state, _ in rig.statuses(who)[1:]] == states
