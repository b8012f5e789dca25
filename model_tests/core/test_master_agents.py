"""Agents come, answer pings, are missed, come back: steps.md's table *Agents*, master's rows."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_ref import link as frames
from mesos_ref.link import ExecutorReport, Kill, Ping, Pong, Registered, Shutdown, ShutdownFramework
from mesos_ref.master import core
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.effects import AskElection, SendEvent
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import TimeInfo
from model_tests.core.master_rig import EPOCH, WALL_US, Rig, framework_info, report, task, uuid

# admit --------------------------------------------------------------------------------------------


def test_admit() -> None:
    """AGT-2, AGT-6: an agent nobody knew is registered, told so, and offered."""
    rig = Rig()
    link = rig.register("a1")
    assert rig.last.did == (("admit", {"link": link}),)
    assert rig.frames[link] == [Registered(epoch=EPOCH, agent_id="a1")]
    total = {"cpus": 4000, "mem": 1024000}
    assert rig.core.view()["agents/a1"] == {"standing": "registered", "link": link, "total": total}


def test_admit_takes_the_agents_word() -> None:
    """R1, MFO-4: a new leader learns tasks and executors from agents, and what they use."""
    rig = Rig()
    who = rig.subscribe("f1")
    own = Resources.of(cpus=0.5).to_wire()
    rig.register(
        "a1",
        tasks=(
            report("t1", executor_id="e1", status_state="TASK_STARTING", status_uuid=uuid(4)),
            report("t2", state="TASK_FINISHED"),
        ),
        executors=(ExecutorReport(framework_id="f1", executor_id="e1", role="r", resources=own),),
    )
    view = rig.core.view()
    assert view["tasks/f1/t1"] == {
        "agent": "a1",
        "role": "r",
        "resources": {"cpus": 1000, "mem": 64000},
        "executor": "e1",
        "state": "TASK_RUNNING",
        "told": "TASK_STARTING",
        "uuid": "AAAAAAAAAAAAAAAAAAAABA==",
        "killed": False,
    }
    assert view["executors/a1/f1/e1"] == {"role": "r", "resources": {"cpus": 500}}
    assert rig.statuses(who) == []  # MFO-5: not announced again
    rig.tick()
    (offer_id,) = rig.offers(who)
    assert str(rig.core.state.offers[offer_id].resources) == "cpus:2.5;mem:960"


def test_admit_makes_a_recovered_framework() -> None:
    """FWK-19: it waits for its scheduler, without offers and without a timer."""
    rig = Rig()
    info = framework_info("f1", roles=("x", "r"), partition_aware=False, checkpoint=True)
    rig.register("a1", tasks=(report("t1"),), frameworks=(info,))
    assert rig.core.view()["frameworks/f1"] == {
        "standing": "recovered",
        "stream": None,
        "roles": ["r", "x"],
        "suppressed": [],
        "partition_aware": False,
        "checkpoint": True,
    }
    assert "give_up_framework" not in rig.run_for(10)
    who = rig.subscribe("f1")
    assert rig.core.view()["frameworks/f1"]["standing"] == "connected"
    assert "tasks/f1/t1" in rig.core.view()
    assert rig.frames["link1"][-1].framework.roles == ("r",)  # FWK-8, UPD-9
    assert who.framework_id == "f1"


def test_admit_recovers_a_framework_nobody_described() -> None:
    """A task of a framework the Register says nothing else of is not lost."""
    rig = Rig()
    rig.register("a1", tasks=(report("t1", "f9"),))
    assert rig.core.view()["frameworks/f9"]["standing"] == "recovered"


def test_admit_asks_about_what_the_agent_lacks() -> None:
    """AGT-9, L1: a task that never arrived is asked about; it stays charged until the answer."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, task("t2"), task("t1"))
    rig.end_link(link)
    link = rig.register("a1")
    asked = tuple(frames.TaskKey(framework_id=who.framework_id, task_id=t) for t in ("t1", "t2"))
    assert rig.frames[link][0] == Registered(epoch=EPOCH, agent_id="a1", reconcile=asked)
    assert str(rig.core.state.agents["a1"].free) == "cpus:2;mem:896"
    rig.update(link, who, "t1", "TASK_DROPPED")
    assert str(rig.core.state.agents["a1"].free) == "cpus:3;mem:960"


def test_admit_leaves_known_tasks_as_they_are() -> None:
    """A report is no update: what the framework has not been told is not skipped."""
    rig = Rig()
    who, _ = rig.running()
    before = rig.core.view()[f"tasks/{who.framework_id}/t1"]
    rig.register("a1", tasks=(report("t1", who.framework_id, "TASK_FINISHED"),))
    assert rig.core.view()[f"tasks/{who.framework_id}/t1"] == before


def test_admit_ends_executors_the_agent_lacks() -> None:
    """AGT-9, MESOS-447: their resources are free again; extra ones are added."""
    rig = Rig()
    own = Resources.of(cpus=1).to_wire()
    one = ExecutorReport(framework_id="f1", executor_id="e1", role="r", resources=own)
    two = ExecutorReport(framework_id="f1", executor_id="e2", role="r", resources=own)
    rig.register("a1", executors=(one,))
    rig.register("a1", executors=(two,))
    assert list(rig.core.state.agents["a1"].executors) == [("f1", "e2")]
    assert str(rig.core.state.agents["a1"].free) == "cpus:3;mem:1024"


def test_admit_repeats_kills() -> None:
    """KIL-3: a kill the agent may have missed is sent again, without its policy."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.kill(who, "t1")
    assert rig.did == ["kill"]
    link = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert rig.frames[link][1:] == [Kill(epoch=EPOCH, framework_id=who.framework_id, task_id="t1")]


def test_admit_shuts_down_removed_frameworks() -> None:
    """FWK-18, S14: nothing of a removed framework is taken over."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.call(who, "TEARDOWN")
    link = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert [type(frame) for frame in rig.frames[link]] == [Registered, ShutdownFramework]
    assert rig.core.view()[f"frameworks/{who.framework_id}"] == {"standing": "removed"}
    assert str(rig.core.state.agents["a1"].free) == "cpus:4;mem:1024"


def test_admit_kills_a_double() -> None:
    """S7: a task whose id the framework uses on another agent meanwhile is not taken over."""
    rig = Rig()
    rig.register("a1", tasks=(report("t1"),))
    link = rig.register("a2", tasks=(report("t1"),))
    assert rig.frames[link][1:] == [Kill(epoch=EPOCH, framework_id="f1", task_id="t1")]
    assert rig.core.view()["tasks/f1/t1"]["agent"] == "a1"


def test_admit_kills_a_double_of_an_unreachable_task() -> None:
    """S7, MESOS-6805: the one that is away may still run."""
    rig = Rig()
    rig.end_link(rig.register("a1", tasks=(report("t1"),)))
    rig.run_for(600)
    link = rig.register("a2", tasks=(report("t1"),))
    assert rig.frames[link][1:] == [Kill(epoch=EPOCH, framework_id="f1", task_id="t1")]
    assert rig.core.view()["unreachable/f1/t1"]["agent"] == "a1"


def test_admit_again_closes_the_older_link() -> None:
    """AGT-5, S19: what the old link still brings is not heard; offers stand."""
    rig = Rig()
    who = rig.subscribe()
    old = rig.register("a1")
    rig.tick()
    link = rig.register("a1")
    assert rig.closed == [old]
    assert len(rig.offers(who)) == 1
    rig.frame(old, Pong(epoch=EPOCH))
    assert rig.last.did == (("ignore_frame_up", {"link": old}),)
    assert rig.end_link(old).did == ()
    assert rig.core.view()["agents/a1"]["link"] == link


def test_admit_follows_a_larger_total() -> None:
    """An agent that came back with more has more to offer, and shares shrink."""
    rig = Rig()
    who, _ = rig.running()
    reports = (report("t1", who.framework_id),)
    rig.register("a1", tasks=reports, total=Resources.of(cpus=10, mem=1024))
    assert str(rig.core.state.agents["a1"].free) == "cpus:9;mem:960"


# shut_out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": "0.28.2"}, "older than 1.0.0"),
        ({"version": "latest"}, "not of the form"),
        ({"tasks": (report("t1"), report("t1"))}, "twice"),
        ({"tasks": (report("t/1"),)}, "invalid character"),
        ({"tasks": (report("t1", resources=Resources.of(cpus=5).to_wire()),)}, "can't hold"),
        ({"agent_id": "../a"}, "agent id"),
        ({"total": Resources.of(cpus=4)} | {"tasks": (report("t1"),)}, "can't hold"),
    ],
)
def test_shut_out(changes: dict[str, Any], why: str) -> None:
    """AGT-1: an agent that can't be accounted for is told why, and hung up on."""
    rig = Rig()
    link = rig.register(**{"agent_id": "a1", **changes})
    assert rig.did == ["shut_out"]
    (frame,) = rig.frames[link]
    assert isinstance(frame, Shutdown)
    assert why in frame.message
    assert rig.closed == [link]
    assert rig.core.view().keys() == {"epoch"}


def test_shut_out_on_its_own_link_loses_the_agent() -> None:
    """The link an unusable declaration came on is closed, and nobody is connected by it."""
    rig = Rig()
    link = rig.register("a1")
    rig.register("a1", link=link, version="0.1.0")
    assert rig.did == ["shut_out", "lose_agent"]
    assert rig.core.view()["agents/a1"]["standing"] == "disconnected"


# ping, hear_pong ----------------------------------------------------------------------------------


def test_ping_and_hear_pong() -> None:
    """AGT-8: a ping every 15 s; who answers stays for ever."""
    rig = Rig()
    link = rig.register("a1")
    for _ in range(20):
        assert rig.run_for(15) in (["ping"], ["offer", "ping"])
        assert rig.frames[link][-1] == Ping(epoch=EPOCH, connected=True)
        rig.frame(link, Pong(epoch=EPOCH))
        assert rig.last.did == (("hear_pong", {"agent": "a1"}),)
    assert rig.core.view()["agents/a1"]["standing"] == "registered"


def test_five_pings_in_a_row_are_missed() -> None:
    """AGT-8, L5: one answer in between starts the count anew; then 75 s after the ping."""
    rig = Rig()
    link = rig.register("a1")
    assert rig.run_for(75) == ["ping"] * 5
    rig.frame(link, Pong(epoch=EPOCH))
    assert rig.run_for(15 + 74.9) == ["ping"] * 5
    assert rig.run_for(0.1) == ["mark_unreachable"]
    assert rig.closed == [link]


def test_a_late_tick_is_one_missed_ping() -> None:
    """A master that was stopped for an hour does not blame its agents."""
    rig = Rig()
    rig.register("a1")
    assert [name for name, _ in rig.tick(3600).did] == ["ping"]


# lose_agent, mark_unreachable ---------------------------------------------------------------------


def test_lose_agent() -> None:
    """AGT-11, OFR-5, S6, MESOS-7911: offers are rescinded at once, tasks are kept."""
    rig = Rig()
    who, link = rig.running()
    rig.tick()
    (offer_id,) = rig.offers(who)
    rig.end_link(link)
    assert rig.last.did == (("lose_agent", {"agent": "a1"}),)
    assert rig.events[who.stream][-1].rescind.offer_id == offer_id
    assert rig.core.view()["agents/a1"]["standing"] == "disconnected"
    assert rig.core.view()[f"tasks/{who.framework_id}/t1"]["state"] == "TASK_RUNNING"
    assert rig.run_for(599) == []


@pytest.mark.parametrize(
    ("partition_aware", "state", "since"),
    [
        (True, "TASK_UNREACHABLE", TimeInfo(nanoseconds=(WALL_US + 600_000_000) * 1000)),
        (False, "TASK_LOST", None),
    ],
)
def test_mark_unreachable(partition_aware: bool, state: str, since: TimeInfo | None) -> None:
    """PRT-1, PRT-2: each task's framework is told its state; the tasks move aside."""
    rig = Rig()
    who, link = rig.running(partition_aware=partition_aware)
    rig.end_link(link)
    assert rig.run_for(600) == ["mark_unreachable"]
    update, failure = rig.events[who.stream][-2:]
    assert (update.update.status.state, update.update.status.reason) == (
        state,
        "REASON_AGENT_REMOVED",
    )
    assert update.update.status.source == "SOURCE_MASTER"
    assert update.update.status.uuid is None
    assert update.update.status.unreachable_time == since
    assert (failure.failure.agent_id, failure.failure.executor_id) == ("a1", None)
    view = rig.core.view()
    assert view["agents/a1"]["standing"] == "unreachable"
    assert f"tasks/{who.framework_id}/t1" not in view
    record = view[f"unreachable/{who.framework_id}/t1"]
    assert (record["state"], record["told"], record["uuid"]) == (state, state, None)


def test_mark_unreachable_tells_in_order() -> None:
    """steps.md: tasks by id, then offers, then FAILURE to everyone connected, tasks or not."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, task("t2"), task("t1"), refuse_s=0)
    other = rig.subscribe(roles=("other",))
    gone = rig.subscribe(roles=("gone",))
    rig.end_stream(gone)
    rig.update(link, who, "t1", "TASK_RUNNING")
    before = len(rig.events[who.stream])
    did = rig.run_for(90)
    assert did[-1] == "mark_unreachable"
    offered_to = other if "RESCIND" in rig.told(other) else who
    assert rig.told(offered_to)[-2:] == ["RESCIND", "FAILURE"]
    assert [task_id for task_id, _, _ in rig.statuses(who)[-2:]] == ["t1", "t2"]
    assert [kind for kind in rig.told(who)[before:] if kind != "OFFERS"][:2] == ["UPDATE"] * 2
    assert rig.told(other)[-1] == "FAILURE"
    assert "FAILURE" not in rig.told(gone)


def test_mark_unreachable_tells_frameworks_by_id() -> None:
    """steps.md: however they came."""
    rig = Rig()
    streams = [rig.subscribe(framework_id).stream for framework_id in ("f2", "f3", "f1")]
    rig.end_link(rig.register("a1"))
    rig.tick(600)
    told = [effect.stream for effect in rig.last.effects if isinstance(effect, SendEvent)]
    assert told == [streams[2], streams[0], streams[1]]


def test_mark_unreachable_keeps_what_ended() -> None:
    """PRT-3, S8: a finished task whose end was not acknowledged is reported lost, not changed."""
    rig = Rig()
    who, link = rig.running()
    rig.update(link, who, "t1", "TASK_FINISHED", n=2)
    rig.end_link(link)
    rig.run_for(600)
    assert rig.statuses(who)[-1][1] == "TASK_UNREACHABLE"
    assert rig.core.view()[f"unreachable/{who.framework_id}/t1"]["state"] == "TASK_FINISHED"


def test_an_agent_that_returns_in_time_is_not_marked() -> None:
    """AGT-5, PRT-8: the timer of a lost link is called off."""
    rig = Rig()
    link = rig.register("a1")
    rig.end_link(link)
    rig.run_for(599)
    rig.register("a1")
    assert "mark_unreachable" not in rig.run_for(80)


def test_an_unreachable_agents_amounts_are_gone() -> None:
    """MESOS-621, ALC-28: neither its total nor what it ran weighs in shares; filters go too."""
    rig = Rig()
    who, link = rig.running()
    rig.tick()
    rig.decline(who, refuse_s=10_000)
    rig.end_link(link)
    rig.run_for(600)
    assert rig.core.state.allocator.charged() == {}
    assert rig.core.state.filters == {}


# The return of the unreachable --------------------------------------------------------------------


@pytest.mark.parametrize("partition_aware", [True, False])
def test_admit_from_unreachable(partition_aware: bool) -> None:
    """PRT-4, MESOS-7215: its tasks are back, told so, and not killed, PARTITION_AWARE or not."""
    rig = Rig()
    who, link = rig.running(partition_aware=partition_aware)
    rig.end_link(link)
    rig.run_for(600)
    link = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert rig.statuses(who)[-1] == ("t1", "TASK_RUNNING", "REASON_AGENT_REREGISTERED")
    assert [type(frame) for frame in rig.frames[link]] == [Registered]
    view = rig.core.view()
    assert view[f"tasks/{who.framework_id}/t1"]["state"] == "TASK_RUNNING"
    assert f"unreachable/{who.framework_id}/t1" not in view


def test_admit_from_unreachable_asks_about_the_missing() -> None:
    """L1: what an unreachable agent has lost meanwhile gets an end, too."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.run_for(600)
    link = rig.register("a1")
    (registered,) = rig.frames[link]
    assert [key.task_id for key in registered.reconcile] == ["t1"]
    rig.update(link, who, "t1", "TASK_GONE", n=9)
    rig.acknowledge(who, "t1", n=9)
    assert rig.did == ["acknowledge"]
    assert f"tasks/{who.framework_id}/t1" not in rig.core.view()


def test_unreachable_agents_are_remembered_within_bounds() -> None:
    """PRT-6, MESOS-8887: the agent lost first is forgotten, with its tasks."""
    rig = Rig(MasterConfig(max_unreachable_agents=1))
    did: list[str] = []
    for agent_id, task_id in (("a1", "t1"), ("a2", "t2")):
        rig.end_link(rig.register(agent_id, tasks=(report(task_id),)))
        did = rig.run_for(600)
    assert did == ["mark_unreachable", "forget_agent"]
    assert [key for key in rig.core.view() if key.startswith(("agents", "unreachable"))] == [
        "agents/a2",
        "unreachable/f1/t2",
    ]


# ignore_frame_up ----------------------------------------------------------------------------------


def test_ignore_frame_up_of_another_epoch() -> None:
    """S19: frames of an older reign change nothing."""
    rig = Rig()
    link = rig.register("a1")
    rig.frame(link, Pong(epoch=EPOCH - 1))
    assert rig.last.did == (("ignore_frame_up", {"link": link}),)
    rig.register("a2", link="other", epoch=EPOCH - 1)
    assert rig.did == ["ignore_frame_up"]
    assert rig.closed == ["other"]


def test_hearsay_of_a_newer_epoch_makes_a_master_ask_the_election() -> None:
    """S19, MFO-6: anybody can name an epoch; only the election ends a reign."""
    rig = Rig()
    rig.register("a1")
    before = rig.core.view()
    link = rig.register("a2", newest_epoch=EPOCH + 1)
    assert rig.did == ["ignore_frame_up"]
    assert AskElection(EPOCH + 1) in rig.last.effects
    assert rig.closed == [link]
    assert rig.core.view() == before


def test_a_link_is_one_agents() -> None:
    """Nobody registers another agent over a link that is somebody's."""
    rig = Rig()
    link = rig.register("a1")
    rig.register("a2", link=link)
    assert rig.did == ["ignore_frame_up"]
    assert "agents/a2" not in rig.core.view()


# Many at once -------------------------------------------------------------------------------------


def test_many_deadlines_in_one_moment_are_several_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is bounded work: whoever runs the core has a lease to renew in between."""
    monkeypatch.setattr(core, "AT_ONCE", 5)
    rig = Rig()
    rig.subscribe()
    for n in range(12):
        rig.register(f"a{n:02}")
    for most in (5, 5, 2):
        assert rig.core.next_deadline == rig.now_us
        rig.tick()
        assert rig.did == ["offer"] * most
    for link in list(rig.core.state.links):
        rig.end_link(link)
    for seconds, most in ((600, 5), (0, 5), (0, 2)):
        rig.tick(seconds)
        assert rig.did == ["mark_unreachable"] * most
    assert rig.core.next_deadline is None
