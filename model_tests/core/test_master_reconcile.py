"""Reconciliation: each row of the table in the behaviour reference, section 14."""

from __future__ import annotations

import pytest

from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import TaskStatus
from model_tests.core.master_rig import SECOND, WALL_US, Rig, Scheduler, report, task


def ask(rig: Rig, who: Scheduler, *tasks: tuple[str, str | None]) -> list[TaskStatus]:
    """RECONCILE; the answers."""
    before = len(rig.events[who.stream])
    asked = tuple(scheduler.ReconcileTask(task_id=t, agent_id=a) for t, a in tasks)
    view = rig.core.view()
    rig.call(who, "RECONCILE", scheduler.Reconcile(tasks=asked))
    assert rig.did == ["reconcile"]
    assert rig.core.view() == view, "REC-11"
    statuses = [event.update.status for event in rig.events[who.stream][before:]]
    for status in statuses:
        assert (status.source, status.reason) == ("SOURCE_MASTER", "REASON_RECONCILIATION")
        assert status.uuid is None
        assert status.message
    return statuses


def states(rig: Rig, who: Scheduler, *tasks: tuple[str, str | None]) -> list[str]:
    """The states answered."""
    return [status.state for status in ask(rig, who, *tasks)]


AWARE = pytest.mark.parametrize("aware", [True, False])


@AWARE
def test_rec_1_known(aware: bool) -> None:
    """REC-1, MESOS-1799: what was told last, not what is known to come; else the state."""
    rig = Rig()
    who, link = rig.running(partition_aware=aware)
    assert states(rig, who, ("t1", None)) == ["TASK_RUNNING"]
    rig.update(link, who, "t1", "TASK_KILLING", n=2, latest="TASK_KILLED")
    (status,) = ask(rig, who, ("t1", "a9"))
    assert (status.state, status.agent_id) == ("TASK_KILLING", "a1")
    rig.tick()
    rig.accept(who, task("t2"))
    assert states(rig, who, ("t2", "a1")) == ["TASK_STAGING"]


@AWARE
def test_rec_2_agents_may_still_return(aware: bool) -> None:
    """REC-2, D19: for `agent_reregister_timeout` after the election an unknown agent is no news."""
    rig = Rig()
    who = rig.subscribe(partition_aware=aware)
    rig.run_for(599.9)
    assert ask(rig, who, ("t1", "a1"), ("t1", None)) == []
    assert rig.last.did[0][1] == {"settled": False}
    rig.run_for(0.1)
    expected = "TASK_UNKNOWN" if aware else "TASK_LOST"
    assert states(rig, who, ("t1", "a1"), ("t1", None)) == [expected] * 2
    assert rig.last.did[0][1] == {"settled": True}


@AWARE
def test_rec_3_registered(aware: bool) -> None:
    """REC-3, MESOS-8165: GONE, also while the agent is disconnected."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe(partition_aware=aware)
    expected = "TASK_GONE" if aware else "TASK_LOST"
    assert states(rig, who, ("t1", "a1")) == [expected]
    rig.end_link(link)
    assert states(rig, who, ("t1", "a1")) == [expected]


@AWARE
def test_rec_4_unreachable_agent(aware: bool) -> None:
    """REC-4: with the time it was lost, for those who know what that means."""
    rig = Rig()
    rig.end_link(rig.register("a1"))
    rig.run_for(700)
    who = rig.subscribe(partition_aware=aware)
    (status,) = ask(rig, who, ("t1", "a1"))
    assert status.state == ("TASK_UNREACHABLE" if aware else "TASK_LOST")
    assert (status.unreachable_time is not None) == aware
    if status.unreachable_time is not None:
        assert status.unreachable_time.nanoseconds == (WALL_US + 600 * SECOND) * 1000


@AWARE
def test_rec_6_unknown(aware: bool) -> None:
    """REC-6."""
    rig = Rig()
    rig.register("a1")
    rig.run_for(80)
    rig.now_us += 600 * SECOND
    who = rig.subscribe(partition_aware=aware)
    assert states(rig, who, ("t1", "a9")) == ["TASK_UNKNOWN" if aware else "TASK_LOST"]


@AWARE
def test_rec_7_unreachable_task(aware: bool) -> None:
    """REC-7: whatever agent is named, and though it ended before (PRT-3)."""
    rig = Rig()
    who, link = rig.running(partition_aware=aware)
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.end_link(link)
    rig.run_for(600)
    expected = "TASK_UNREACHABLE" if aware else "TASK_LOST"
    assert states(rig, who, ("t1", "a9"), ("t1", None)) == [expected] * 2


def test_rec_8_implicit() -> None:
    """REC-8: all that is held, ended but unacknowledged ones too; nothing of the unreachable."""
    rig = Rig()
    who = rig.subscribe("f1")
    lost = rig.register("a9", tasks=(report("t0"),))
    rig.end_link(lost)
    rig.run_for(600)
    ended = report("t1", state="TASK_FINISHED")
    rig.register("a1", tasks=(report("t2"), ended))
    assert [(s.task_id, s.state) for s in ask(rig, who)] == [
        ("t1", "TASK_FINISHED"),
        ("t2", "TASK_RUNNING"),
    ]


def test_rec_8_is_in_order() -> None:
    """REC-8: by task id, however they came."""
    rig = Rig()
    who, _ = rig.running()
    rig.tick()
    rig.accept(who, task("t3"), task("t0"), task("t2"))
    assert [s.task_id for s in ask(rig, who)] == ["t0", "t1", "t2", "t3"]


def test_rec_9_disconnected() -> None:
    """REC-9: until it is marked unreachable, an agent's tasks are as they were."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    assert states(rig, who, ("t1", None)) == ["TASK_RUNNING"]


def test_answers_are_in_the_order_asked() -> None:
    """One answer for each task named, also if it is named twice."""
    rig = Rig()
    who, _ = rig.running()
    answers = ask(rig, who, ("t9", "a1"), ("t1", None), ("t9", "a1"))
    assert [status.task_id for status in answers] == ["t9", "t1", "t9"]


def test_a_recovered_task_is_known() -> None:
    """MFO-4: after a failover reconciliation says what agents have reported."""
    rig = Rig()
    rig.register("a1", tasks=(report("t1"),))
    who = rig.subscribe("f1")
    assert states(rig, who, ("t1", None)) == ["TASK_RUNNING"]
