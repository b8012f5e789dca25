"""One subscription: an offer accepted, an update acknowledged, the stream lost, an error."""

from __future__ import annotations

from mesos_ref.scheduler import effects, events
from mesos_ref.step import (
    Persist,
)
from mesos_ref.wire import scheduler
from model_tests.trace.scripted import Line
from model_tests.trace.values import (
    ACCEPT,
    ACKNOWLEDGE,
    AGENT,
    CONNECTION,
    FRAMEWORK,
    OFFER,
    OFFERS,
    STREAM,
    SUBSCRIBE,
    SUBSCRIBED,
    UPDATE,
    URL,
    UUID,
)

me = {"framework": None, "stream": None, "epoch": 1, "standing": "disconnected"}
now_subscribed = {
    "framework": FRAMEWORK,
    "stream": STREAM,
    "epoch": 1,
    "standing": "subscribed",
}
error = scheduler.Event(type="ERROR", error=scheduler.Error(message="Framework failed over"))
LINES = [
    Line(
        events.LeaderSeen(1, URL),
        [effects.Connect(CONNECTION, 1, URL)],
        [("turn_scheduler_to", {"epoch": 1})],
        {"scheduler": me},
        drew=1,
    ),
    Line(
        events.Connected(CONNECTION),
        [effects.OpenSubscription(CONNECTION, SUBSCRIBE)],
        [("ask_to_subscribe", {})],
        {"scheduler": {**me, "standing": "subscribing"}},
    ),
    Line(events.StreamOpened(CONNECTION, STREAM)),
    Line(
        events.EventHeard(STREAM, 0, SUBSCRIBED),
        [Persist("framework_id", FRAMEWORK), effects.Deliver(SUBSCRIBED)],
        [("be_subscribed", {})],
        {"scheduler": now_subscribed},
    ),
    Line(
        events.EventHeard(STREAM, 1, OFFERS),
        [effects.Deliver(OFFERS)],
        [("hear_offers", {})],
        {f"offers/{OFFER}": AGENT},
    ),
    Line(
        events.Asked(ACCEPT),
        [effects.SendCall(CONNECTION, STREAM, 1, ACCEPT)],
        [("call", {})],
        {f"offers/{OFFER}": None},
    ),
    Line(events.EventHeard(STREAM, 2, UPDATE), [effects.Deliver(UPDATE)], [("hear_update", {})]),
    Line(
        events.Seen("t1", AGENT, UUID),
        [effects.SendCall(CONNECTION, STREAM, 2, ACKNOWLEDGE)],
        [("ack", {})],
    ),
    Line(events.Heartbeat(STREAM)),
    Line(
        events.CallAnswered(CONNECTION, 2, 403, "Framework is not subscribed"),
        [effects.CloseSubscription(CONNECTION)],
        [("lose_stream", {})],
        {"scheduler": {**now_subscribed, "stream": None, "standing": "disconnected"}},
    ),
    Line(events.Asked(ACCEPT), [effects.NotSent("not subscribed", ACCEPT)]),
    Line(events.Tick(), [effects.Connect("connection-2", 1, URL)], drew=1),
    Line(events.SubscribeFailed("connection-2", 0, "connection refused")),
    Line(events.StreamEnded("stream-0")),
    Line(
        events.EventHeard("stream-2", 0, error),
        [effects.Deliver(error), effects.Stop("Framework failed over")],
        [("hear_error", {})],
        {"scheduler": {**now_subscribed, "stream": None, "standing": "stopped"}},
    ),
]
