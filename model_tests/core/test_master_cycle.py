"""The cycle of offers, in the paper's words: what is free is offered, used, given back, offered."""

from __future__ import annotations

from mesos_ref.link import Exited, ShutdownFramework
from mesos_ref.master.config import MasterConfig
from mesos_ref.resources import Resources
from model_tests.core.master_rig import (
    EPOCH,
    SECOND,
    Rig,
    Scheduler,
    executor,
    report,
    task,
    with_executor,
)

ALL = Resources.of(cpus=4, mem=1024)


def offered(rig: Rig, who: Scheduler) -> list[Resources]:
    """What stands offered to a framework, oldest first."""
    return [
        offer.resources for offer in rig.core.state.frameworks[who.framework_id].offers.values()
    ]


def test_the_first_claimant_is_offered_all_that_is_free_of_an_agent() -> None:
    """ALC-10, A2, S2."""
    rig = Rig()
    one, two = rig.subscribe(), rig.subscribe()
    rig.register("a1")
    rig.tick()
    assert (offered(rig, one), offered(rig, two)) == ([ALL], [])


def test_what_a_reply_leaves_is_free_at_once_and_comes_back_in_one_piece() -> None:
    """A4, OFR-13, OFR-19, OFR-20: in the order of the tasks, and the rest is one offer."""
    rig = Rig()
    rig.register("a1")
    one = rig.subscribe()
    rig.tick()
    rig.accept(one, task("t1"), task("t2", cpus=3.5), task("t3", cpus=2), refuse_s=0)
    assert [name for name, *_ in rig.statuses(one)] == ["t2"], "t2 does not fit beside t1; t3 does"
    rig.tick()
    assert offered(rig, one) == [Resources.of(cpus=1, mem=1024 - 128)]


def test_a_framework_may_refuse_whatever_passes_its_filters() -> None:
    """F3: it need not say why, and is asked again when the refusal has run out."""
    rig = Rig()
    rig.register("a1")
    one = rig.subscribe()
    rig.tick()
    rig.decline(one, refuse_s=5)
    assert rig.run_for(4) == []
    assert rig.run_for(2) == ["forget_filter", "offer"]


def test_the_cycle_repeats_when_a_task_ends() -> None:
    """A5: its resources are offered without waiting for anything else."""
    rig = Rig()
    who, link = rig.running(cpus=4)
    rig.tick()
    rig.decline(who, refuse_s=3600)
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.tick()
    assert rig.did == ["offer"]
    assert offered(rig, who) == [ALL]


def test_an_executor_outlives_its_task_and_takes_another() -> None:
    """A8: until it exits it is there, and charged; the second task finds it."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, with_executor("t1"), refuse_s=0)
    rig.update(link, who, "t1", "TASK_FINISHED")
    rig.acknowledge(who, "t1")
    rig.tick()
    rig.accept(who, with_executor("t2"), refuse_s=0)
    first, second = [f for f in rig.frames[link] if type(f).__name__ == "RunTask"]
    assert (first.launch_executor, second.launch_executor) == (True, False)
    rig.tick()
    assert offered(rig, who) == [Resources.of(cpus=4 - 1 - 0.5, mem=1024 - 64 - 32)]
    rig.frame(link, Exited(epoch=EPOCH, framework_id=who.framework_id, executor_id="e1"))
    assert executor().executor_id not in {e for _, e in rig.core.state.agents["a1"].executors}


def test_events_that_come_together_are_served_by_one_cycle() -> None:
    """ALC-2: with a delay, agents that register within it are offered in one tick."""
    rig = Rig(MasterConfig(allocation_delay_us=SECOND))
    rig.subscribe()
    for n in range(3):
        rig.register(f"a{n}")
        assert rig.run_for(0.2) == []
    rig.tick(1)
    assert rig.did == ["offer"] * 3


def test_frameworks_of_one_role_weigh_the_same_and_who_has_least_is_next() -> None:
    """ALC-23, L4: six agents, three frameworks of one role: two each, in turns."""
    rig = Rig()
    three = [rig.subscribe() for _ in range(3)]
    for n in range(6):
        rig.register(f"a{n}")
    rig.tick()
    assert [len(rig.offers(one)) for one in three] == [2, 2, 2]


def test_tasks_of_a_framework_that_was_removed_meanwhile_are_ended() -> None:
    """PRT-5, FWK-18: their agent was given up, and comes back with them."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.run_for(601)
    rig.call(who, "TEARDOWN")
    back = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert ShutdownFramework(epoch=EPOCH, framework_id=who.framework_id) in rig.frames[back]
    assert rig.core.state.agents["a1"].tasks == {}


def test_a_failover_timeout_runs_at_a_new_leader_only_once_the_framework_was_there() -> None:
    """MFO-9: how long one has been away that only agents know, no leader can tell."""
    rig = Rig()
    rig.register("a1", tasks=(report("t1", "f1"),))
    assert rig.run_for(10 * 3600).count("give_up_framework") == 0
    rig.end_stream(rig.subscribe("f1", failover_timeout=60))
    assert "give_up_framework" in rig.run_for(61)


def test_offers_of_the_old_leader_are_none_at_the_new_one() -> None:
    """MFO-10: what is accepted of them is LOST or DROPPED, and nothing runs."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe("f1")
    rig.accept(who, task("t1"), offers=["old-master-O1"])
    assert rig.did == ["refuse_accept"]
    assert rig.statuses(who) == [("t1", "TASK_DROPPED", "REASON_INVALID_OFFERS")]
    assert [type(frame).__name__ for frame in rig.frames[link]] == ["Registered"]
