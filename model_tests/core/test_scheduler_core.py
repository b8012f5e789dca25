"""The scheduler core, one promise a test: subscription, fail-over, updates, end."""

from __future__ import annotations

import pytest

from mesos_ref.scheduler.core import SchedulerConfig
from mesos_ref.scheduler.events import (
    Asked,
    CallAnswered,
    Connected,
    EventHeard,
    Heartbeat,
    LeaderSeen,
    Seen,
    StreamEnded,
    StreamOpened,
    SubscribeFailed,
    Tick,
)
from mesos_ref.step import NOTHING
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import FrameworkInfo, TaskStatus
from model_tests.core.scheduler_world import (
    FRAMEWORK,
    SECOND_US,
    CloseSubscription,
    Connect,
    Deliver,
    Desk,
    NotSent,
    OpenSubscription,
    Persist,
    SendCall,
    Stop,
    connection_of,
    error,
    kinds,
    launch,
    offers,
    rescind,
    subscribed,
    update,
)

U1, U2 = b"1" * 16, b"2" * 16


# Subscription -------------------------------------------------------------------------------------


def test_the_first_subscription_has_no_id_and_the_second_has_it() -> None:
    """FWK-1, FWK-4; and the id is on disk before anything else happens."""
    desk = Desk()
    connection = desk.lead()
    step = desk.answer(connection, "s1")
    assert step.effects[0] == Persist("framework_id", FRAMEWORK)
    assert desk.did == ["turn_scheduler_to", "ask_to_subscribe", "be_subscribed"]
    desk.hear(StreamEnded("s1"))
    desk.answer(connection_of(desk.wait_for_deadline()), "s2")
    first, second = desk.calls("SUBSCRIBE")
    assert first.framework_id is None
    assert first.subscribe is not None
    assert first.subscribe.framework_info.id is None
    assert second.framework_id == FRAMEWORK
    assert second.subscribe is not None
    assert second.subscribe.framework_info.id == FRAMEWORK
    assert len(desk.of(Persist)) == 1


def test_the_view_follows_the_subscription() -> None:
    desk = Desk()
    standing = []
    connection = desk.lead()
    standing.append(desk.core.view()["scheduler"])
    desk.hear(Connected(connection))
    standing.append(desk.core.view()["scheduler"])
    assert desk.hear(StreamOpened(connection, "s1")) is NOTHING
    desk.hear(EventHeard("s1", 0, subscribed()))
    standing.append(desk.core.view()["scheduler"])
    assert [s["standing"] for s in standing] == ["disconnected", "subscribing", "subscribed"]
    assert [s["stream"] for s in standing] == [None, None, "s1"]
    assert standing[2] == {
        "framework": FRAMEWORK,
        "stream": "s1",
        "epoch": 1,
        "standing": "subscribed",
    }


def test_a_restarted_scheduler_keeps_its_framework_and_asks_about_its_tasks() -> None:
    desk = Desk(recovered={"framework_id": FRAMEWORK, "tasks": {"t1": "a1", "t2": None}})
    desk.subscribe()
    assert desk.calls("SUBSCRIBE")[0].framework_id == FRAMEWORK
    explicit, implicit = (call.reconcile for call in desk.calls("RECONCILE"))
    assert explicit is not None
    assert implicit is not None
    assert [(t.task_id, t.agent_id) for t in explicit.tasks] == [("t1", "a1"), ("t2", None)]
    assert implicit.tasks == ()
    assert desk.did[-3:] == ["be_subscribed", "call", "call"]


@pytest.mark.parametrize("status", [0, 307, 503, 500])
def test_a_refusal_that_may_pass_is_waited_out_longer_and_longer(status: int) -> None:
    desk = Desk()
    connection = desk.lead()
    waits = []
    for _ in range(40):
        desk.hear(SubscribeFailed(connection, status, "no"))
        deadline = desk.core.next_deadline
        assert deadline is not None
        waits.append(deadline - desk.now_us)
        connection = connection_of(desk.wait_for_deadline())
    assert waits[0] < desk.config.backoff_us
    assert max(waits[10:]) > 10 * desk.config.backoff_us
    assert max(waits) < desk.config.backoff_max_us
    assert desk.of(Stop) == []


@pytest.mark.parametrize("status", [400, 401, 415])
def test_a_refusal_that_will_not_pass_ends_it(status: int) -> None:
    desk = Desk()
    connection = desk.lead()
    desk.hear(Connected(connection))
    desk.hear(SubscribeFailed(connection, status, "bad"))
    assert desk.of(Stop) == [Stop(f"SUBSCRIBE was answered with {status}: bad")]
    assert desk.core.next_deadline is None
    assert desk.did[-1] == "lose_stream"


def test_a_refused_connection_is_no_action() -> None:
    desk = Desk()
    assert desk.hear(SubscribeFailed(desk.lead(), 0, "connection refused")) is NOTHING


def test_a_master_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    """A stopped process still accepts connections: its kernel does."""
    desk = Desk()
    connection = desk.lead()
    desk.hear(Connected(connection))
    assert desk.wait(desk.config.subscribe_timeout_us - 1) is NOTHING
    step = desk.wait(1)
    assert step.effects == (CloseSubscription(connection),)
    assert step.did == (("lose_stream", {}),)
    assert connection_of(desk.wait_for_deadline()) != connection


def test_heartbeats_keep_a_stream_alive_and_their_absence_ends_it() -> None:
    desk = Desk()
    connection = desk.subscribe()
    for _ in range(100):
        assert desk.wait(15 * SECOND_US) is NOTHING
        desk.hear(Heartbeat("s1"))
    assert desk.wait(60 * SECOND_US - 1) is NOTHING
    step = desk.wait(1)
    assert step.effects == (CloseSubscription(connection),)
    assert step.did == (("lose_stream", {}),)


def test_the_masters_word_on_heartbeats_counts() -> None:
    desk = Desk()
    connection = desk.lead()
    desk.hear(Connected(connection))
    desk.hear(StreamOpened(connection, "s1"))
    desk.hear(EventHeard("s1", 0, subscribed(heartbeat_s=0.5)))
    assert desk.wait(2 * SECOND_US - 1) is NOTHING
    assert desk.wait(1).did == (("lose_stream", {}),)


# Leaders ------------------------------------------------------------------------------------------


def test_a_newer_leader_is_turned_to_at_once_and_older_ones_never() -> None:
    """S19."""
    desk = Desk()
    old = desk.subscribe(epoch=3)
    assert desk.hear(LeaderSeen(3, "http://elsewhere:1")) is NOTHING
    assert desk.hear(LeaderSeen(2, "http://m2:5050")) is NOTHING
    step = desk.hear(LeaderSeen(4, "http://m4:5050"))
    assert step.did == (("turn_scheduler_to", {"epoch": 4}),)
    assert step.effects[0] == CloseSubscription(old)
    assert isinstance(step.effects[1], Connect)
    assert step.effects[1].url == "http://m4:5050"


def test_what_an_abandoned_connection_says_is_not_heard() -> None:
    desk = Desk()
    old = desk.subscribe(epoch=1, stream="s1")
    new = desk.lead(epoch=2)
    for event in (
        EventHeard("s1", 1, offers("o1")),
        EventHeard("s1", 2, error("Framework failed over")),
        StreamEnded("s1"),
        Heartbeat("s1"),
        Connected(old),
        StreamOpened(old, "s1"),
        SubscribeFailed(old, 401),
        CallAnswered(old, 1, 403),
    ):
        assert desk.hear(event) is NOTHING, event
    desk.answer(new, "s2")
    assert desk.hear(EventHeard("s1", 3, offers("o1"))) is NOTHING
    assert desk.core.view()["scheduler"]["stream"] == "s2"


# Offers and calls ---------------------------------------------------------------------------------


def test_offers_are_held_until_used_rescinded_or_void() -> None:
    """OFR-3, S20: one event may bring several, and each is held by itself."""
    desk = Desk()
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, offers("o1", "o2", "o3", "o4")))
    assert desk.core.view()["offers/o1"] == "a1"
    desk.hear(Asked(launch("o1", "t1")))
    desk.hear(Asked(wire.Call(type="DECLINE", decline=wire.Decline(offer_ids=("o2",)))))
    desk.hear(EventHeard("s1", 2, rescind("o3")))
    assert [key for key in desk.core.view() if key.startswith("offers/")] == ["offers/o4"]
    desk.hear(StreamEnded("s1"))
    assert [key for key in desk.core.view() if key.startswith("offers/")] == []


def test_calls_are_numbered_after_subscribe_and_carry_the_framework() -> None:
    desk = Desk()
    connection = desk.subscribe()
    for _ in range(3):
        desk.hear(Asked(wire.Call(type="REVIVE")))
    sent = [e for e in desk.effects if isinstance(e, SendCall)]
    assert [(e.connection, e.stream, e.n) for e in sent] == [
        (connection, "s1", n) for n in (1, 2, 3)
    ]
    assert {e.call.framework_id for e in sent} == {FRAMEWORK}


@pytest.mark.parametrize("standing", ["disconnected", "subscribing"])
def test_a_call_without_subscription_is_given_back(standing: str) -> None:
    desk = Desk()
    connection = desk.lead()
    if standing == "subscribing":
        desk.hear(Connected(connection))
    step = desk.hear(Asked(launch("o1", "t1")))
    assert kinds(step) == [NotSent]
    assert step.did == ()
    assert desk.core.state.tasks == {}


@pytest.mark.parametrize(
    "call",
    [
        wire.Call(type="SUBSCRIBE"),
        wire.Call(type="ACKNOWLEDGE"),
        wire.Call(type="KILL"),
        wire.Call(type="NONSENSE"),
        wire.Call(),
    ],
)
def test_a_call_that_is_not_whole_never_leaves(call: wire.Call) -> None:
    desk = Desk()
    desk.subscribe()
    assert kinds(desk.hear(Asked(call))) == [NotSent]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "broken"),
        (307, ""),
        (503, "No leader elected"),
        (403, "Framework is not subscribed"),
        (400, "Framework cannot be found"),
    ],
)
def test_a_master_that_does_not_know_us_is_subscribed_to_again(status: int, text: str) -> None:
    desk = Desk()
    connection = desk.subscribe()
    desk.hear(Asked(wire.Call(type="REVIVE")))
    step = desk.hear(CallAnswered(connection, 1, status, text))
    assert step.effects == (CloseSubscription(connection),)
    assert step.did == (("lose_stream", {}),)
    connection_of(desk.wait_for_deadline())


def test_the_users_own_mistake_is_told_to_the_user() -> None:
    desk = Desk()
    connection = desk.subscribe()
    desk.hear(Asked(wire.Call(type="REVIVE")))
    text = "Failed to validate scheduler::Call: …"
    step = desk.hear(CallAnswered(connection, 1, 400, text))
    assert step.effects == (NotSent(f"answered with 400: {text}"),)
    assert desk.core.view()["scheduler"]["standing"] == "subscribed"


# Updates ------------------------------------------------------------------------------------------


def test_an_update_is_delivered_once_and_acknowledged_after_it_was_seen() -> None:
    """UPD-12, UPD-21."""
    desk = Desk()
    desk.subscribe()
    step = desk.hear(EventHeard("s1", 1, update("t1", "TASK_RUNNING", U1)))
    assert (kinds(step), step.did) == ([Deliver], (("hear_update", {}),))
    step = desk.hear(EventHeard("s1", 2, update("t1", "TASK_RUNNING", U1)))
    assert (kinds(step), step.did) == ([], (("hear_update", {}),))
    step = desk.hear(Seen("t1", "a1", U1))
    assert (kinds(step), step.did) == ([SendCall], (("ack", {}),))
    step = desk.hear(EventHeard("s1", 3, update("t1", "TASK_RUNNING", U1)))
    assert (kinds(step), step.did) == ([SendCall], (("hear_update", {}), ("ack", {})))
    for call in desk.calls("ACKNOWLEDGE"):
        part = wire.Acknowledge(agent_id="a1", task_id="t1", uuid=U1)
        assert call == wire.Call(type="ACKNOWLEDGE", framework_id=FRAMEWORK, acknowledge=part)
    assert len(desk.calls("ACKNOWLEDGE")) == 2
    assert len(desk.delivered("UPDATE")) == 1


def test_an_update_seen_while_disconnected_is_acknowledged_when_it_comes_again() -> None:
    desk = Desk()
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, update("t1", "TASK_FINISHED", U1)))
    desk.hear(StreamEnded("s1"))
    assert desk.hear(Seen("t1", "a1", U1)) is NOTHING
    desk.answer(connection_of(desk.wait_for_deadline()), "s2")
    assert desk.calls("ACKNOWLEDGE") == []
    desk.hear(EventHeard("s2", 1, update("t1", "TASK_FINISHED", U1)))
    assert len(desk.calls("ACKNOWLEDGE")) == 1
    assert len(desk.delivered("UPDATE")) == 1


def test_the_same_uuid_of_another_task_is_another_update() -> None:
    desk = Desk()
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, update("t1", "TASK_RUNNING", U1)))
    desk.hear(EventHeard("s1", 2, update("t2", "TASK_RUNNING", U1)))
    assert len(desk.delivered("UPDATE")) == 2


def test_updates_without_uuid_are_delivered_each_time_and_never_acknowledged() -> None:
    """UPD-11."""
    desk = Desk()
    desk.subscribe()
    for n in (1, 2):
        desk.hear(EventHeard("s1", n, update("t1", "TASK_LOST", None)))
    assert len(desk.delivered("UPDATE")) == 2
    assert desk.calls("ACKNOWLEDGE") == []


def test_an_update_that_cannot_be_acknowledged_is_still_delivered_once() -> None:
    """A uuid without an agent: no master of ours sends it, and it must not break us."""
    desk = Desk()
    desk.subscribe()
    status = TaskStatus(task_id="t1", state="TASK_RUNNING", uuid=U1)
    odd = wire.Event(type="UPDATE", update=wire.Update(status=status))
    desk.hear(EventHeard("s1", 1, odd))
    desk.hear(Seen("t1", "a1", U1))
    desk.hear(EventHeard("s1", 2, odd))
    assert len(desk.delivered("UPDATE")) == 1


# The end ------------------------------------------------------------------------------------------


def test_an_error_is_the_end() -> None:
    """FWK-3, FWK-5."""
    desk = Desk()
    desk.subscribe()
    desk.hear(EventHeard("s1", 1, offers("o1")))
    step = desk.hear(EventHeard("s1", 2, error("Framework failed over")))
    assert step.did == (("hear_error", {}),)
    assert kinds(step) == [CloseSubscription, Deliver, Stop]
    assert step.effects[-1] == Stop("Framework failed over")
    assert desk.core.view() == {
        "scheduler": {"framework": FRAMEWORK, "stream": None, "epoch": 1, "standing": "stopped"}
    }
    assert desk.hear(LeaderSeen(9, "http://m9:1")) is NOTHING
    assert desk.hear(Tick()) is NOTHING
    assert desk.core.next_deadline is None


def test_a_subscription_refused_on_its_stream_is_the_end() -> None:
    desk = Desk(recovered={"framework_id": FRAMEWORK})
    connection = desk.lead()
    desk.hear(Connected(connection))
    desk.hear(StreamOpened(connection, "s1"))
    desk.hear(EventHeard("s1", 0, error("Framework has been removed")))
    assert desk.of(Stop) == [Stop("Framework has been removed")]


def test_a_teardown_ends_it_when_it_was_answered() -> None:
    desk = Desk()
    connection = desk.subscribe()
    desk.hear(Asked(wire.Call(type="TEARDOWN")))
    step = desk.hear(CallAnswered(connection, 1, 202))
    assert step.effects == (CloseSubscription(connection), Stop(None))


def test_a_teardown_that_was_lost_is_made_again() -> None:
    desk = Desk()
    desk.subscribe()
    desk.hear(Asked(wire.Call(type="TEARDOWN")))
    desk.hear(StreamEnded("s1"))
    connection = desk.lead(epoch=2)
    desk.answer(connection, "s2")
    assert len(desk.calls("TEARDOWN")) == 2
    desk.hear(CallAnswered(connection, 1, 202))
    assert desk.of(Stop) == [Stop(None)]


def test_a_teardown_whose_answer_was_lost_ends_it_too() -> None:
    desk = Desk()
    desk.subscribe()
    desk.hear(Asked(wire.Call(type="TEARDOWN")))
    desk.hear(StreamEnded("s1"))
    connection = connection_of(desk.wait_for_deadline())
    desk.hear(Connected(connection))
    desk.hear(StreamOpened(connection, "s2"))
    desk.hear(EventHeard("s2", 0, error("Framework has been removed")))
    assert desk.of(Stop) == [Stop(None)]


# Odd words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SUBSCRIBED", "OFFERS", "UPDATE", "ERROR", "HUH", "", None])
def test_an_event_without_its_part_or_of_unknown_type_breaks_nothing(kind: str | None) -> None:
    desk = Desk()
    desk.subscribe()
    before = desk.core.view()
    assert desk.hear(EventHeard("s1", 1, wire.Event(type=kind))).did == ()
    assert desk.core.view() == before


def test_suppressed_roles_are_told_with_each_subscription() -> None:
    info = FrameworkInfo(user="u", name="n", roles=("a", "b"))
    desk = Desk(config=SchedulerConfig(framework=info, suppressed_roles=("b",)))
    desk.subscribe()
    subscribe = next(e for e in desk.effects if isinstance(e, OpenSubscription)).call.subscribe
    assert subscribe is not None
    assert subscribe.suppressed_roles == ("b",)
