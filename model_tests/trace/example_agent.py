"""A custom executor's task, from registration to the end of the agent."""

from __future__ import annotations

from mesos_ref import link
from mesos_ref.agent import effects, events
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    OpenStream,
    Persist,
    SendEvent,
    SendFrame,
)
from mesos_ref.wire import executor
from mesos_ref.wire.v1 import (
    TaskInfo,
    TaskStatus,
)
from model_tests.trace.scripted import Line
from model_tests.trace.values import (
    AGENT,
    CPUS,
    EXECUTOR,
    FRAMEWORK,
    INFO,
    LINK,
    REGISTER,
    URL,
    UUID,
    UUID_TEXT,
    VIEWED,
)

me = {"epoch": 1, "link": None, "registered": False}
runner = {"phase": "registering", "command": False, "stream": None}
run = {
    "executor": "e1",
    "phase": "queued",
    "state": "TASK_STAGING",
    "role": "a",
    "resources": VIEWED,
}
subscribe = executor.Call(
    executor_id="e1",
    framework_id=FRAMEWORK,
    type="SUBSCRIBE",
    subscribe=executor.Subscribe(),
)
custom = TaskInfo(name="t", task_id="t1", agent_id=AGENT, resources=(CPUS,), executor=EXECUTOR)
launch = executor.Event(type="LAUNCH", launch=executor.Launch(task=custom))
run_task = link.RunTask(
    epoch=1, framework=INFO, task=custom, role="a", executor=EXECUTOR, launch_executor=True
)
start = effects.StartExecutor(
    container="c1",
    framework_id=FRAMEWORK,
    executor_id="e1",
    task=None,
    executor_info=EXECUTOR,
    user="u",
    checkpoint=False,
    shutdown_grace_us=5_000_000,
    environment={"MESOS_EXECUTOR_ID": "e1"},
)
failed = link.Update(
    epoch=1,
    framework_id=FRAMEWORK,
    status=TaskStatus(
        task_id="t1",
        state="TASK_FAILED",
        uuid=UUID,
        source="SOURCE_AGENT",
        reason="REASON_EXECUTOR_TERMINATED",
    ),
    latest_state="TASK_FAILED",
)
LINES = [
    Line(
        events.Started(("c0",), 1_500_000),
        did=[("start_agent", {})],
        changes={"agent": {**me, "epoch": None}},
    ),
    Line(
        events.LeaderSeen(1, URL),
        [
            Persist("agent", {"id": AGENT, "epoch": 1}),
            effects.Connect(1, URL, LINK),
        ],
        [("turn_to", {"epoch": 1})],
        {"agent": me},
        drew=1,
    ),
    Line(
        events.Linked(LINK),
        [SendFrame(LINK, REGISTER)],
        [("register", {"link": LINK})],
        {"agent": {**me, "link": LINK}},
    ),
    Line(
        events.Frame(LINK, 0, link.Registered(epoch=1, agent_id=AGENT)),
        did=[("be_registered", {})],
        changes={"agent": {**me, "link": LINK, "registered": True}},
    ),
    Line(
        events.Frame(LINK, 1, run_task),
        [start],
        [("run", {})],
        {
            f"frameworks/{FRAMEWORK}": {"checkpoint": False, "partition_aware": False},
            f"executors/{FRAMEWORK}/e1": runner,
            f"tasks/{FRAMEWORK}/t1": run,
        },
    ),
    Line(
        events.ExecutorCall("r1", ("ext", 0), FRAMEWORK, "e1", subscribe, "es-1"),
        [OpenStream("r1", "es-1"), SendEvent("es-1", launch)],
        [("executor_subscribes", {"framework": FRAMEWORK, "executor": "e1"})],
        {
            f"executors/{FRAMEWORK}/e1": {**runner, "phase": "running", "stream": "es-1"},
            f"tasks/{FRAMEWORK}/t1": {**run, "phase": "launched"},
        },
    ),
    Line(
        events.ExecutorCall("r2", ("ext", 1), FRAMEWORK, "e9", subscribe, "es-2"),
        [Answer("r2", 400, "Executor cannot be found")],
    ),
    Line(events.ExecutorStreamEnded("es-1"), [CloseStream("es-1")]),
    Line(
        events.ExecutorExited("c1", 9, ""),
        [SendFrame(LINK, failed)],
        [("executor_ends", {"framework": FRAMEWORK, "executor": "e1"})],
        {
            f"executors/{FRAMEWORK}/e1": None,
            f"tasks/{FRAMEWORK}/t1": {**run, "phase": "ended", "state": "TASK_FAILED"},
            f"updates/{FRAMEWORK}/t1": [[UUID_TEXT, "TASK_FAILED", "REASON_EXECUTOR_TERMINATED"]],
        },
    ),
    Line(
        events.Tick(),
        [SendFrame(LINK, failed)],
        [("resend", {"framework": FRAMEWORK, "task": "t1"})],
    ),
    Line(
        events.Frame(LINK, 2, link.Ping(epoch=1, connected=False)),
        [SendFrame(LINK, link.Pong(epoch=1)), CloseLink(LINK)],
        [("answer_ping", {})],
        {"agent": me},
    ),
    Line(events.LinkEnded("link-2"), [effects.DestroyExecutor("c2")]),
    Line(
        events.Frame("link-3", 0, link.Shutdown(epoch=1, message="unusable")),
        [effects.Exit(1, "unusable")],
        [("shut_down_agent", {})],
    ),
]
