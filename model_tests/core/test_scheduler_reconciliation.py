"""What a scheduler core asks the master about its tasks, and how often (REC-1, REC-10)."""

from __future__ import annotations

import itertools

from mesos_ref.scheduler.events import (
    Asked,
    EventHeard,
    Heartbeat,
    StreamEnded,
)
from model_tests.core.scheduler_world import (
    FRAMEWORK,
    SECOND_US,
    Desk,
    connection_of,
    launch,
    offers,
    update,
)

U1, U2 = b"1" * 16, b"2" * 16


def test_after_each_subscription_live_tasks_are_asked_about_and_ended_ones_are_not() -> None:
    desk = Desk()
    desk.subscribe()
    assert desk.calls("RECONCILE") == []
    desk.hear(EventHeard("s1", 1, offers("o1")))
    desk.hear(Asked(launch("o1", "t1", "t2", "t3")))
    desk.hear(EventHeard("s1", 2, update("t1", "TASK_FINISHED", U1)))
    desk.hear(EventHeard("s1", 3, update("t2", "TASK_RUNNING", U2)))
    desk.hear(EventHeard("s1", 4, update("t9", "TASK_RUNNING", None, agent="a9")))
    desk.hear(StreamEnded("s1"))
    desk.answer(connection_of(desk.wait_for_deadline()), "s2")
    asked = desk.calls("RECONCILE")[0].reconcile
    assert asked is not None
    assert [(t.task_id, t.agent_id) for t in asked.tasks] == [
        ("t2", "a1"),
        ("t3", "a1"),
        ("t9", "a9"),
    ]


def test_tasks_not_answered_for_are_asked_about_again_and_again_but_ever_less() -> None:
    """REC-2 (no answer while agents may come back), REC-10."""
    desk = Desk(recovered={"framework_id": FRAMEWORK, "tasks": {"t1": "a1", "t2": "a1"}})
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, update("t1", "TASK_RUNNING", None)))
    times = []
    for _ in range(9):
        before = len(desk.calls("RECONCILE"))
        while len(desk.calls("RECONCILE")) == before:
            desk.hear(Heartbeat("s1"))
            desk.wait(5 * SECOND_US)
        asked = desk.calls("RECONCILE")[-1].reconcile
        assert asked is not None
        assert [t.task_id for t in asked.tasks] == ["t2"]
        times.append(desk.now_us)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == desk.config.reconcile_max_us
    desk.hear(EventHeard("s1", 2, update("t2", "TASK_GONE", None)))
    asked_so_far = len(desk.calls("RECONCILE"))
    for _ in range(200):
        desk.hear(Heartbeat("s1"))
        desk.wait(5 * SECOND_US)
    assert len(desk.calls("RECONCILE")) == asked_so_far


def asking_times(desk: Desk, times: int, until: int = 10_000) -> list[int]:
    """When the next RECONCILEs are made, in microseconds; the master is heard all the time."""
    found: list[int] = []
    for _ in range(until):
        before = len(desk.calls("RECONCILE"))
        desk.hear(Heartbeat("s1"))
        desk.wait(5 * SECOND_US)
        if len(desk.calls("RECONCILE")) > before:
            found.append(desk.now_us)
        if len(found) == times:
            break
    return found


def test_an_unreachable_task_is_asked_about_until_its_agent_is_back() -> None:
    """REC-4, REC-10: of a task that its agent never had, nobody else would ever speak again."""
    desk = Desk(recovered={"framework_id": FRAMEWORK, "tasks": {"t1": "a1"}})
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, update("t1", "TASK_UNREACHABLE", None)))
    times = [desk.now_us]
    for n in range(7):
        times += asking_times(desk, 1)
        asked = desk.calls("RECONCILE")[-1].reconcile
        assert asked is not None
        assert [t.task_id for t in asked.tasks] == ["t1"]
        desk.hear(EventHeard("s1", 2 + n, update("t1", "TASK_UNREACHABLE", None)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == desk.config.reconcile_max_us
    desk.hear(EventHeard("s1", 99, update("t1", "TASK_GONE", None)))
    assert asking_times(desk, 1, until=200) == []


def test_a_task_that_becomes_unreachable_is_asked_about_soon_whatever_else_is_awaited() -> None:
    desk = Desk(recovered={"framework_id": FRAMEWORK, "tasks": {"t1": "a1", "t2": "a2"}})
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, update("t2", "TASK_RUNNING", None)))
    asking_times(desk, 6)
    desk.hear(EventHeard("s1", 2, update("t2", "TASK_UNREACHABLE", None)))
    told_us = desk.now_us
    (asked_us,) = asking_times(desk, 1)
    assert asked_us - told_us <= 2 * desk.config.reconcile_us
    asked = desk.calls("RECONCILE")[-1].reconcile
    assert asked is not None
    assert [t.task_id for t in asked.tasks] == ["t1", "t2"]


def test_many_tasks_are_asked_about_in_several_calls() -> None:
    tasks = {f"t{i}": "a1" for i in range(2_500)}
    desk = Desk(recovered={"framework_id": FRAMEWORK, "tasks": tasks})
    desk.subscribe()
    parts = [call.reconcile for call in desk.calls("RECONCILE")]
    assert [len(part.tasks) for part in parts if part is not None] == [1000, 1000, 500, 0]
