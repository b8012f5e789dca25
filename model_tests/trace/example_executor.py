"""A command executor: subscribed, a task run, killed, and gone; then all that can go wrong."""

from __future__ import annotations

from mesos_ref.executor import effects, events
from mesos_ref.wire import executor
from mesos_ref.wire.v1 import TaskStatus
from model_tests.trace.scripted import Line
from model_tests.trace.values import EXECUTOR, FRAMEWORK, INFO, REGISTER, TASK, UUID

SUBSCRIBE = executor.Call(
    executor_id="t1", framework_id=FRAMEWORK, type="SUBSCRIBE", subscribe=executor.Subscribe()
)
SUBSCRIBED = executor.Event(
    type="SUBSCRIBED",
    subscribed=executor.Subscribed(
        executor_info=EXECUTOR, framework_info=INFO, agent_info=REGISTER.info
    ),
)
LAUNCH = executor.Event(type="LAUNCH", launch=executor.Launch(task=TASK))
KILL = executor.Event(type="KILL", kill=executor.Kill(task_id="t1"))
KILLED = executor.Call(
    executor_id="t1",
    framework_id=FRAMEWORK,
    type="UPDATE",
    update=executor.Update(
        status=TaskStatus(task_id="t1", state="TASK_KILLED", source="SOURCE_EXECUTOR", uuid=UUID)
    ),
)

standing = {"connection": 1, "standing": "subscribing", "leaving": None}
subscribed_now = {**standing, "standing": "subscribed"}
LINES = [
    Line(
        events.Started(),
        [effects.OpenSubscription(1, SUBSCRIBE)],
        [("subscribe", {})],
        {"executor": standing},
    ),
    Line(events.StreamOpened(1)),
    Line(events.EventHeard(1, 0, SUBSCRIBED), changes={"executor": subscribed_now}),
    Line(events.EventHeard(1, 1, LAUNCH), [effects.RunCommand(TASK)]),
    Line(events.CommandStarted(4711)),
    Line(events.EventHeard(1, 2, KILL), [effects.SignalCommand("SIGTERM")]),
    Line(events.Tick(), [effects.SignalCommand("SIGKILL")]),
    Line(events.CommandEnded(signal="SIGKILL"), [effects.SendCall(1, KILLED)], drew=1),
    Line(events.CallFailed(1, None), [effects.CloseSubscription(1)]),
    Line(events.CallFailed(1, 503)),
    Line(events.StreamEnded(1)),
    Line(events.SubscribeFailed(2, 503, "agent is recovering")),
    Line(events.CommandNotStarted("no such directory")),
    Line(events.CommandEnded(exit_code=1)),
    Line(events.Terminated(), [effects.Exit(1, "terminated")]),
]
