"""A reign: an agent, a framework, an offer, a task, an update; then deposed."""

from __future__ import annotations

import msgspec

from mesos_ref import link
from mesos_ref.master import effects, events
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    OpenStream,
    SendEvent,
    SendFrame,
)
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    MasterInfo,
)
from model_tests.trace.scripted import Line
from model_tests.trace.values import (
    ACCEPT,
    ACKNOWLEDGE,
    AGENT,
    CONNECTION,
    FRAMEWORK,
    LINK,
    LINK_UPDATE,
    OFFER,
    OFFERS,
    REGISTER,
    RUN_TASK,
    STREAM,
    SUBSCRIBE,
    SUBSCRIBED,
    UPDATE,
    UUID_TEXT,
    VIEWED,
)

registered = {"standing": "registered", "link": LINK, "total": VIEWED}
framework = {
    "standing": "connected",
    "stream": STREAM,
    "roles": ["a"],
    "suppressed": [],
    "partition_aware": False,
    "checkpoint": False,
}
offered = {"agent": AGENT, "framework": FRAMEWORK, "role": "a", "resources": VIEWED}
task = {
    "agent": AGENT,
    "role": "a",
    "resources": VIEWED,
    "executor": None,
    "state": "TASK_STAGING",
    "told": None,
    "uuid": None,
    "killed": False,
}
running = {**task, "state": "TASK_RUNNING", "told": "TASK_RUNNING", "uuid": UUID_TEXT}
REPLACED = scheduler.Event(type="ERROR", error=scheduler.Error(message="Framework failed over"))
LINES = [
    Line(
        events.Elected(1, MasterInfo(id="M", ip=16777343, hostname="h")),
        did=[("lead", {})],
        changes={"epoch": 1},
    ),
    Line(
        events.Frame(LINK, 0, REGISTER),
        [SendFrame(LINK, link.Registered(epoch=1, agent_id=AGENT))],
        [("admit", {"link": LINK})],
        {f"agents/{AGENT}": registered},
    ),
    Line(
        events.Call("r1", (CONNECTION, 0), None, SUBSCRIBE, STREAM),
        [OpenStream("r1", STREAM), SendEvent(STREAM, SUBSCRIBED)],
        [("subscribe", {"stream": STREAM, "framework": FRAMEWORK})],
        {f"frameworks/{FRAMEWORK}": framework},
    ),
    Line(
        events.Tick(),
        [
            SendFrame(LINK, link.Ping(epoch=1, connected=True)),
            SendEvent(STREAM, OFFERS),
        ],
        [
            ("ping", {"agent": AGENT}),
            (
                "offer",
                {"agent": AGENT, "framework": FRAMEWORK, "role": "a", "offer": OFFER},
            ),
        ],
        {f"offers/{OFFER}": offered},
    ),
    Line(
        events.Call("r2", (CONNECTION, 1), STREAM, ACCEPT, "stream-2"),
        [Answer("r2", 202), SendFrame(LINK, RUN_TASK)],
        [("accept", {})],
        {f"offers/{OFFER}": None, f"tasks/{FRAMEWORK}/t1": task},
    ),
    Line(
        events.Frame(LINK, 1, LINK_UPDATE),
        [SendEvent(STREAM, UPDATE)],
        [("forward", {"agent": AGENT})],
        {f"tasks/{FRAMEWORK}/t1": running},
    ),
    Line(
        events.Call("r3", ("ext", 0), "old", ACKNOWLEDGE, "stream-3"),
        [Answer("r3", 400, "The stream ID is not the framework's")],
        [("turn_away", {})],
    ),
    Line(
        events.Call("r4", ("ext", 1), None, SUBSCRIBE, "stream-4"),
        [
            SendEvent(STREAM, REPLACED),
            CloseStream(STREAM),
            OpenStream("r4", "stream-4"),
            SendEvent("stream-4", SUBSCRIBED),
        ],
        [("subscribe", {"stream": "stream-4", "framework": FRAMEWORK})],
        {f"frameworks/{FRAMEWORK}": {**framework, "stream": "stream-4"}},
    ),
    Line(
        events.StreamEnded("stream-4"),
        did=[("lose_framework", {"framework": FRAMEWORK})],
        changes={
            f"frameworks/{FRAMEWORK}": {
                **framework,
                "standing": "disconnected",
                "stream": None,
            }
        },
    ),
    Line(
        events.LinkEnded(LINK),
        did=[("lose_agent", {"agent": AGENT})],
        changes={f"agents/{AGENT}": {**registered, "standing": "disconnected", "link": None}},
    ),
    Line(
        events.OperatorTeardown("r5", FRAMEWORK),
        [Answer("r5", 200)],
        [("tear_down_by_operator", {"framework": FRAMEWORK})],
        {
            f"frameworks/{FRAMEWORK}": {"standing": "removed"},
            f"tasks/{FRAMEWORK}/t1": None,
        },
    ),
    Line(
        events.Frame("link-2", 0, msgspec.structs.replace(REGISTER, newest_epoch=2)),
        [CloseLink("link-2"), effects.AskElection(2)],
        [("ignore_frame_up", {"link": "link-2"})],
    ),
    Line(
        events.Deposed("epoch 2 has begun"),
        did=[("end_reign", {})],
        changes={"epoch": None, f"agents/{AGENT}": None, f"frameworks/{FRAMEWORK}": None},
    ),
]
