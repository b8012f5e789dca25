"""Frameworks subscribe, fail over, are lost and removed: steps.md's table *Frameworks*."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_ref.link import ShutdownFramework, UpdateFramework
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.effects import CloseStream, OpenStream, SendEvent
from mesos_ref.master.events import OperatorTeardown
from mesos_ref.wire.v1 import Capability
from model_tests.core.master_rig import EPOCH, SECOND, Rig, Scheduler, report

# subscribe ----------------------------------------------------------------------------------------


def test_subscribe() -> None:
    """FWK-1: a new framework gets an id of this master's, and hears SUBSCRIBED first."""
    rig = Rig()
    who = rig.subscribe()
    assert rig.last.did == (("subscribe", {"stream": who.stream, "framework": "M-0000"}),)
    opened, sent = rig.last.effects
    assert isinstance(opened, OpenStream)
    assert isinstance(sent, SendEvent)
    (event,) = rig.events[who.stream]
    assert event.type == "SUBSCRIBED"
    assert event.subscribed.framework_id == "M-0000"
    assert event.subscribed.heartbeat_interval_seconds == 15.0
    assert event.subscribed.master_info.id == "M"
    assert rig.core.view()["frameworks/M-0000"] == {
        "standing": "connected",
        "stream": who.stream,
        "roles": ["r"],
        "suppressed": [],
        "partition_aware": True,
        "checkpoint": False,
    }
    assert rig.subscribe().framework_id == "M-0001"


def test_subscribe_with_an_id_nobody_knows() -> None:
    """FWK-2: after a master failover a framework comes back under its own id."""
    rig = Rig()
    assert rig.subscribe("old-0007").framework_id == "old-0007"


def test_subscribe_never_gives_an_id_twice() -> None:
    """S5: a framework may have brought the id that would be next."""
    rig = Rig()
    rig.subscribe("M-0000")
    assert rig.subscribe().framework_id == "M-0001"


def test_subscribe_is_a_failover() -> None:
    """FWK-3, FWK-6, OFR-6, S13: old stream told, closed; offers void, no RESCIND; tasks kept."""
    rig = Rig()
    old, link = rig.running()
    rig.tick()
    offers = rig.offers(old)
    new = rig.subscribe(old.framework_id)
    assert rig.events[old.stream][-1].error.message == "Framework failed over"
    assert old.stream in rig.closed
    assert "RESCIND" not in rig.told(old)
    assert rig.told(new) == ["SUBSCRIBED"]
    assert rig.core.view()[f"tasks/{old.framework_id}/t1"]["state"] == "TASK_RUNNING"
    assert isinstance(rig.frames[link][-1], UpdateFramework)
    rig.decline(Scheduler(old.framework_id, new.stream), offers)
    assert rig.core.view().keys().isdisjoint(f"offers/{offer}" for offer in offers)
    assert rig.end_stream(old).did == ()
    assert rig.core.view()[f"frameworks/{old.framework_id}"]["standing"] == "connected"


def test_subscribe_after_a_break() -> None:
    """FWK-4: the timer is called off, agents are told to send what waits (UPD-9)."""
    rig = Rig()
    who, link = rig.running(failover_timeout=10.0)
    rig.end_stream(who)
    rig.run_for(9)
    back = rig.subscribe(who.framework_id, failover_timeout=10.0)
    (known,) = [frame for frame in rig.frames[link] if isinstance(frame, UpdateFramework)]
    assert known.framework.id == who.framework_id
    assert "give_up_framework" not in rig.run_for(30)
    assert rig.told(back)[0] == "SUBSCRIBED"


def test_subscribe_tells_only_agents_that_are_connected_and_concerned() -> None:
    """UpdateFramework goes where something of the framework is."""
    rig = Rig()
    who, link = rig.running()
    other = rig.register("a2")
    rig.subscribe(who.framework_id)
    assert not any(isinstance(frame, UpdateFramework) for frame in rig.frames[other])
    rig.end_link(link)
    count = len(rig.frames[link])
    rig.subscribe(who.framework_id)
    assert len(rig.frames[link]) == count


def test_subscribe_replaces_what_a_framework_says_of_itself() -> None:
    """FWK-8, FLT-10: roles, suppression, capabilities are new; user and checkpoint stay."""
    rig = Rig()
    who = rig.subscribe(roles=("s", "r"), suppressed=("s", "r"), checkpoint=True)
    record = rig.core.view()[f"frameworks/{who.framework_id}"]
    assert record["roles"] == record["suppressed"] == ["r", "s"]
    rig.subscribe(
        who.framework_id, roles=("s",), partition_aware=False, checkpoint=False, user="other"
    )
    assert rig.core.view()[f"frameworks/{who.framework_id}"] | {"stream": None} == {
        "standing": "connected",
        "stream": None,
        "roles": ["s"],
        "suppressed": [],
        "partition_aware": False,
        "checkpoint": True,
    }
    assert rig.core.state.frameworks[who.framework_id].info.user == "u"


def test_subscribe_keeps_the_amounts() -> None:
    """MESOS-239, FWK-9: what runs stays charged, also to a role the framework has left."""
    rig = Rig()
    who, _ = rig.running()
    rig.subscribe(who.framework_id, roles=("s",))
    assert rig.core.state.allocator.charged() == {
        (who.framework_id, "r"): {"cpus": 1000, "mem": 64000}
    }


def test_a_framework_without_multi_role_has_one_role() -> None:
    """OFR-24: its offers don't show roles."""
    rig = Rig()
    who = rig.subscribe(roles=(), capabilities=(), role=None)
    rig.register("a1")
    rig.tick()
    assert rig.core.view()[f"frameworks/{who.framework_id}"]["roles"] == ["*"]
    (offer,) = rig.events[who.stream][-1].offers.offers
    assert offer.allocation_info is None
    assert all(resource.allocation_info is None for resource in offer.resources)


# refuse_subscription ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"role": "r"}, "must not be set"),
        ({"capabilities": ()}, "needs the MULTI_ROLE capability"),
        ({"roles": ("r", "r")}, "duplicates"),
        ({"roles": ("",)}, "must not be empty"),
        ({"roles": ("a//b",)}, "no level"),
        ({"roles": ("-a",)}, "start with '-'"),
        ({"roles": ("a b",)}, "white space"),
        ({"roles": ("a/*",)}, "no level"),
        ({"failover_timeout": 1e10}, "failover_timeout"),
        ({"failover_timeout": float("inf")}, "failover_timeout"),
        ({"failover_timeout": float("nan")}, "failover_timeout"),
        ({"suppressed": ("s",)}, "subset"),
        ({"framework_id": "../f"}, "FrameworkInfo.id"),
        ({"name": "x" * 200_000}, "bytes"),
    ],
)
def test_refuse_subscription(changes: dict[str, Any], why: str) -> None:
    """FWK-7: 200, one ERROR event, end of stream; nobody was there."""
    rig = Rig()
    who = rig.subscribe(**changes)
    stream = who.stream
    assert rig.last.did == (("refuse_subscription", {"stream": stream}),)
    (event,) = rig.events[stream]
    assert event.type == "ERROR"
    assert why in event.error.message
    assert rig.closed == [stream]
    assert who.framework_id == ""
    assert rig.core.view().keys() == {"epoch"}


def test_refuse_subscription_for_want_of_room() -> None:
    """The disconnected count: they may stay for as long as their failover timeout says."""
    rig = Rig(MasterConfig(max_frameworks=2))
    one, two = rig.subscribe(failover_timeout=1e9), rig.subscribe(failover_timeout=1e9)
    rig.end_stream(one)
    late = rig.subscribe()
    assert rig.did == ["refuse_subscription"]
    (event,) = rig.events[late.stream]
    assert event.error.message == "This master has 2 frameworks, and takes no more"
    assert late.stream in rig.closed
    assert rig.subscribe(one.framework_id).framework_id == one.framework_id, "it is no new one"
    rig.call(two, "TEARDOWN")
    assert rig.subscribe().framework_id == "M-0002"


def test_refuse_subscription_of_a_removed_framework() -> None:
    """FWK-5, S14, MESOS-1219: it can never come back."""
    rig = Rig()
    who = rig.subscribe()
    rig.call(who, "TEARDOWN")
    again = rig.subscribe(who.framework_id)
    assert rig.did == ["refuse_subscription"]
    (event,) = rig.events[again.stream]
    assert event.error.message == "Framework has been removed"


def test_refuse_subscription_leaves_the_framework_alone() -> None:
    """FWK-8, MESOS-2842: a changed principal is an error for the newcomer only."""
    rig = Rig()
    who = rig.subscribe(principal="p")
    before = rig.core.view()
    rig.subscribe(who.framework_id, principal="q")
    assert rig.did == ["refuse_subscription"]
    assert rig.core.view() == before
    assert who.stream not in rig.closed


def test_a_capability_nobody_knows_is_none() -> None:
    """Unknown enum names leave a field unset; the framework subscribes without it."""
    rig = Rig()
    rig.subscribe(capabilities=(Capability(), Capability(type="MULTI_ROLE")))
    assert rig.did == ["subscribe"]


# lose_framework, give_up_framework ----------------------------------------------------------------


def test_a_silent_framework_is_not_given_up() -> None:
    """FWK-22: nobody misses a word of it while its stream is open, for days."""
    rig = Rig()
    who = rig.subscribe(failover_timeout=1.0)
    assert "give_up_framework" not in rig.run_for(3 * 24 * 3600)
    assert rig.core.view()[f"frameworks/{who.framework_id}"]["standing"] == "connected"


def test_lose_framework() -> None:
    """FWK-12, FLT-11: offers and filters go, suppression and tasks stay."""
    rig = Rig()
    who, _ = rig.running(roles=("r", "s"), suppressed=("s",))
    rig.register("a2")
    rig.tick()
    rig.decline(who, rig.offers(who)[:1], refuse_s=1000)
    rig.end_stream(who)
    assert rig.last.did == (("lose_framework", {"framework": who.framework_id}),)
    assert rig.last.effects == ()
    view = rig.core.view()
    assert view[f"frameworks/{who.framework_id}"]["standing"] == "disconnected"
    assert view[f"frameworks/{who.framework_id}"]["suppressed"] == ["s"]
    assert not any(key.startswith(("offers", "filters")) for key in view)
    assert f"tasks/{who.framework_id}/t1" in view
    rig.tick()
    assert rig.did == []


@pytest.mark.parametrize(("timeout_s", "waits_s"), [(0.0, 0), (-5.0, 0), (10.0, 10), (0.5, 0.5)])
def test_give_up_framework(timeout_s: float, waits_s: float) -> None:
    """FWK-13, FWK-14, L5: after its failover timeout, not earlier, it is removed."""
    rig = Rig()
    who = rig.subscribe(failover_timeout=timeout_s)
    rig.end_stream(who)
    assert rig.core.next_deadline == waits_s * SECOND
    rig.tick(waits_s)
    assert rig.last.did == (("give_up_framework", {"framework": who.framework_id}),)
    assert rig.core.view()[f"frameworks/{who.framework_id}"] == {"standing": "removed"}


# tear_down ----------------------------------------------------------------------------------------


def test_tear_down() -> None:
    """FWK-15, FWK-16: each agent that has something of it is told; nothing of it is left."""
    rig = Rig()
    who, link = rig.running()
    other = rig.register("a2", tasks=(report("t9", who.framework_id),))
    idle = rig.register("a3")
    rig.tick()
    rig.call(who, "TEARDOWN")
    assert rig.last.did == (("tear_down", {}),)
    shutdown = ShutdownFramework(epoch=EPOCH, framework_id=who.framework_id)
    assert [rig.frames[each][-1] == shutdown for each in (link, other, idle)] == [True, True, False]
    assert CloseStream(who.stream) in rig.last.effects
    assert {key.split("/")[0] for key in rig.core.view()} == {"epoch", "agents", "frameworks"}
    assert rig.core.state.allocator.charged() == {}
    assert rig.answers[-1].status == 202


def test_tear_down_forgets_unreachable_tasks() -> None:
    """MESOS-8887: no record of a removed framework survives on an agent that is away."""
    rig = Rig()
    who, link = rig.running()
    rig.end_link(link)
    rig.run_for(600)
    rig.call(who, "TEARDOWN")
    assert rig.core.state.lost_agents["a1"].tasks == {}
    link = rig.register("a1", tasks=(report("t1", who.framework_id),))
    assert [type(frame).__name__ for frame in rig.frames[link]] == [
        "Registered",
        "ShutdownFramework",
    ]


def test_tear_down_by_operator() -> None:
    """FWK-16: as the framework's own; an unknown one is a 400, and no action."""
    rig = Rig()
    who, link = rig.running()
    rig.hear(OperatorTeardown("q1", who.framework_id))
    assert rig.last.did == (("tear_down_by_operator", {"framework": who.framework_id}),)
    assert rig.answers[-1].status == 200
    assert isinstance(rig.frames[link][-1], ShutdownFramework)
    rig.hear(OperatorTeardown("q2", who.framework_id))
    assert rig.did == []
    assert rig.answers[-1].status == 400


def test_removed_frameworks_are_remembered_within_bounds() -> None:
    """The one removed first is forgotten."""
    rig = Rig(MasterConfig(max_removed_frameworks=2))
    for _ in range(3):
        rig.call(rig.subscribe(), "TEARDOWN")
    assert rig.did == ["tear_down", "forget_framework"]
    assert rig.core.view().keys() == {"epoch", "frameworks/M-0001", "frameworks/M-0002"}


def test_what_a_removed_framework_held_is_offered_again() -> None:
    """ALC-27: removal frees all of it at once."""
    rig = Rig()
    who, _ = rig.running(cpus=4)
    heir = rig.subscribe()
    rig.call(who, "TEARDOWN")
    rig.tick()
    assert [str(rig.core.state.offers[o].resources) for o in rig.offers(heir)] == [
        "cpus:4;mem:1024"
    ]
