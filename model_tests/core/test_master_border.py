"""The border: who is heard at all; leading, and leading no more."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_ref.link import Pong
from mesos_ref.master.core import MasterCore
from mesos_ref.master.events import Call, Deposed, Elected, Frame, LinkEnded, OperatorTeardown, Tick
from mesos_ref.step import NOTHING
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import MasterInfo
from model_tests.core.master_rig import EPOCH, Rig, Scheduler, framework_info, task

KILL = scheduler.Call(
    type="KILL", framework_id="f1", kill=scheduler.Kill(task_id="t1", agent_id="a1")
)

# lead, end_reign ----------------------------------------------------------------------------------


def test_lead() -> None:
    """R1, MFO-6: a leader begins with nothing but its epoch."""
    rig = Rig()
    assert rig.last.did == (("lead", {}),)
    assert rig.core.view() == {"epoch": EPOCH}


def test_lead_at_most_once() -> None:
    """A master process leads once."""
    rig = Rig()
    assert rig.hear(Elected(9, MasterInfo(id="M", ip=0))) == NOTHING
    rig.depose()
    assert rig.hear(Elected(10, MasterInfo(id="M", ip=0))) == NOTHING


def test_end_reign() -> None:
    """Its soft state is gone, and it never acts again."""
    rig = Rig()
    who, link = rig.running()
    assert rig.depose().did == (("end_reign", {}),)
    assert rig.core.view() == {}
    assert rig.core.next_deadline is None
    rig.register("a1", link=link)
    rig.accept(who, task("t2"), offers=["M-O0"])
    assert rig.did == []
    assert rig.answers[-1].status == 503
    assert rig.tick(1000) == NOTHING


def test_before_the_election_nobody_is_answered() -> None:
    """S19: only a leader acts."""
    rig = Rig(elect=False)
    assert rig.hear(Frame("l1", 0, Pong(epoch=1))) == NOTHING
    assert rig.hear(LinkEnded("l1")) == rig.hear(Tick()) == rig.hear(Deposed()) == NOTHING
    rig.hear(Call("q1", ("ext", 1), None, KILL, "s1"))
    rig.hear(OperatorTeardown("q2", "f1"))
    assert [(answer.request, answer.status) for answer in rig.answers] == [("q1", 503), ("q2", 503)]
    assert rig.core.view() == {}


# turn_away ----------------------------------------------------------------------------------------


def refused(rig: Rig, status: int, text: str) -> None:
    """The last call was turned away, and that was all."""
    assert rig.last.did == (("turn_away", {}),)
    assert len(rig.last.effects) == 1
    assert rig.answers[-1].status == status
    assert text in rig.answers[-1].body


def test_turn_away_an_unknown_framework() -> None:
    """API 1.5 row 13; a removed one is unknown (S14)."""
    rig = Rig()
    rig.kill(Scheduler("f9", "s9"), "t1")
    refused(rig, 400, "Framework cannot be found")
    who = rig.subscribe()
    rig.call(who, "TEARDOWN")
    rig.kill(who, "t1")
    refused(rig, 400, "Framework cannot be found")


def test_turn_away_a_disconnected_framework() -> None:
    """API 1.5 row 15, MESOS-5181."""
    rig = Rig()
    who = rig.subscribe()
    rig.end_stream(who)
    rig.kill(who, "t1")
    refused(rig, 403, "Framework is not subscribed")


def test_turn_away_another_stream() -> None:
    """S13, API 1.5 row 17: a scheduler that was replaced cannot act."""
    rig = Rig()
    old, _ = rig.running()
    new = rig.subscribe(old.framework_id)
    rig.kill(old, "t1")
    refused(rig, 400, "stream ID")
    call = scheduler.Call(type="KILL", framework_id=new.framework_id, kill=KILL.kill)
    rig.hear(Call("q", ("ext", 1), None, call, "s9"))
    refused(rig, 400, "Mesos-Stream-Id")


def test_turn_away_a_subscription_with_a_stream() -> None:
    """API 1.5 row 11."""
    rig = Rig()
    subscribe = scheduler.Subscribe(framework_info=framework_info())
    call = scheduler.Call(type="SUBSCRIBE", subscribe=subscribe)
    rig.hear(Call("q", ("ext", 1), "s1", call, "s2"))
    refused(rig, 400, "should not include")


def test_turn_away_a_stream_that_is_in_use() -> None:
    """Never two frameworks on one stream, whatever a shell does."""
    rig = Rig()
    who = rig.subscribe()
    subscribe = scheduler.Subscribe(framework_info=framework_info())
    call = scheduler.Call(type="SUBSCRIBE", subscribe=subscribe)
    rig.hear(Call("q", ("ext", 1), None, call, who.stream))
    refused(rig, 400, "in use")


@pytest.mark.parametrize(
    ("kind", "part", "status"),
    [
        ("REQUEST", scheduler.Request(), 202),
        ("ACCEPT_INVERSE_OFFERS", {}, 202),
        ("DECLINE_INVERSE_OFFERS", {}, 202),
        ("RECONCILE_OPERATIONS", {}, 501),
        ("ACKNOWLEDGE_OPERATION_STATUS", {}, 501),
        ("UPDATE_FRAMEWORK", None, 501),
        ("KILL", None, 501),
        ("SUBSCRIBE", None, 501),
        ("", None, 501),
    ],
)
def test_turn_away_what_comes_to_nothing(kind: str, part: Any, status: int) -> None:
    """FWK-21, REC-12, API 1.5 row 18: nothing is changed by these; operations are not in."""
    rig = Rig()
    who = rig.subscribe()
    before = rig.core.view()
    rig.call(who, kind, part)
    refused(rig, status, "")
    assert rig.core.view() == before


# Time ---------------------------------------------------------------------------------------------


def test_time_never_goes_back() -> None:
    """A clock that jumps back does not undo a deadline."""
    rig = Rig()
    rig.register("a1")
    rig.run_for(15)
    rig.now_us = 0
    rig.subscribe()
    assert rig.tick().did != ()
    assert rig.core.state.now_us == 15_000_000


def test_changes_are_kept_only_for_those_who_take_them() -> None:
    """A core that nobody watches holds no list of changes."""
    rig = Rig()
    assert rig.core.watched
    core = MasterCore(rig.config, rig.core.state.ids, "N")
    assert not core.watched
    core.handle(Elected(1, MasterInfo(id="N", ip=0)), 0)
    assert core.take_changes() == {}
    assert core.view() == {"epoch": 1}
