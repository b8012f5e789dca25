"""Every kind of message there is, sent and heard, and what redaction does to them.

These traces tell no story. They are here so that a reader meets each message once.
"""

from __future__ import annotations

from typing import Any

from mesos_ref import link
from mesos_ref.agent import events as agent_events
from mesos_ref.master import events as master_events
from mesos_ref.scheduler import effects as scheduler_effects
from mesos_ref.scheduler import events as scheduler_events
from mesos_ref.step import OpenStream, SendEvent, SendFrame
from mesos_ref.wire import executor, scheduler
from mesos_ref.wire.v1 import (
    DurationInfo,
    Filters,
    KillPolicy,
    Range,
    Ranges,
    Resource,
    Set,
    TaskStatus,
)
from model_tests.trace.scripted import Line
from model_tests.trace.values import (
    ACCEPT,
    ACKNOWLEDGE,
    AGENT,
    CONNECTION,
    CPUS,
    EXECUTOR,
    FRAMEWORK,
    INFO,
    LINK,
    LINK_UPDATE,
    OFFER,
    OFFERS,
    REGISTER,
    RUN_TASK,
    STATUS,
    STREAM,
    SUBSCRIBE,
    SUBSCRIBED,
    TASK,
    UPDATE,
    UUID,
)

PORTS = Resource(name="ports", type="RANGES", ranges=Ranges(range=(Range(begin=31000, end=31999),)))
DISKS = Resource(name="disks", type="SET", set=Set(item=("sda", "sdb")))
POLICY = KillPolicy(grace_period=DurationInfo(nanoseconds=3_000_000_000))
LOST = TaskStatus(
    task_id="t1",
    state="TASK_LOST",
    source="SOURCE_MASTER",
    reason="REASON_RECONCILIATION",
    agent_id=AGENT,
    message="“nobody” knows it: ünknown",
)

FRAMES_TO_MASTER: list[link.FromAgent] = [
    REGISTER,
    link.Register(
        epoch=1,
        agent_id=AGENT,
        info=REGISTER.info,
        version="1.12.0",
        newest_epoch=1,
        tasks=(
            link.TaskReport(
                framework_id=FRAMEWORK,
                task_id="t1",
                name="t",
                role="a",
                executor_id="e1",
                resources=(CPUS, PORTS, DISKS),
                state="TASK_FINISHED",
                status_state="TASK_RUNNING",
                status_uuid=UUID,
                killed=True,
                info=TASK,
            ),
        ),
        executors=(
            link.ExecutorReport(framework_id=FRAMEWORK, executor_id="e1", role="a", info=EXECUTOR),
        ),
        frameworks=(INFO,),
    ),
    link.Pong(epoch=1),
    LINK_UPDATE,
    link.Exited(epoch=1, framework_id=FRAMEWORK, executor_id="e1", status=9),
    link.Message(epoch=1, framework_id=FRAMEWORK, executor_id="e1", data=b"\x00\xff"),
]

FRAMES_TO_AGENT: list[link.FromMaster] = [
    link.Registered(
        epoch=1,
        agent_id=AGENT,
        reconcile=(link.TaskKey(framework_id=FRAMEWORK, task_id="t1"),),
    ),
    link.Ping(epoch=1, connected=True),
    RUN_TASK,
    link.Kill(epoch=1, framework_id=FRAMEWORK, task_id="t1", kill_policy=POLICY),
    link.Ack(epoch=1, framework_id=FRAMEWORK, task_id="t1", uuid=UUID),
    link.ShutdownExecutor(epoch=1, framework_id=FRAMEWORK, executor_id="e1"),
    link.ShutdownFramework(epoch=1, framework_id=FRAMEWORK),
    link.UpdateFramework(epoch=1, framework=INFO),
    link.Message(epoch=1, framework_id=FRAMEWORK, executor_id="e1", data=b"hello"),
    link.Shutdown(epoch=1, message="its version is too old"),
]

_CALL_PARTS: list[tuple[str, Any]] = [
    ("DECLINE", scheduler.Decline(offer_ids=(OFFER,), filters=Filters(refuse_seconds=0.25))),
    ("REVIVE", scheduler.Revive(roles=("a",))),
    ("SUPPRESS", scheduler.Suppress(roles=("a",))),
    ("KILL", scheduler.Kill(task_id="t1", agent_id=AGENT, kill_policy=POLICY)),
    ("SHUTDOWN", scheduler.Shutdown(executor_id="e1", agent_id=AGENT)),
    (
        "RECONCILE",
        scheduler.Reconcile(tasks=(scheduler.ReconcileTask(task_id="t1", agent_id=AGENT),)),
    ),
    ("MESSAGE", scheduler.Message(agent_id=AGENT, executor_id="e1", data=b"hello")),
    ("REQUEST", scheduler.Request(requests=({"resources": []},))),
]
CALLS: list[scheduler.Call] = [
    SUBSCRIBE,
    ACCEPT,
    ACKNOWLEDGE,
    *(
        scheduler.Call(type=kind, framework_id=FRAMEWORK, **{kind.lower(): part})
        for kind, part in _CALL_PARTS
    ),
    scheduler.Call(type="TEARDOWN", framework_id=FRAMEWORK),
    scheduler.Call(type="RECONCILE", framework_id=FRAMEWORK, reconcile=scheduler.Reconcile()),
]

EVENTS: list[scheduler.Event] = [
    SUBSCRIBED,
    OFFERS,
    UPDATE,
    scheduler.Event(type="UPDATE", update=scheduler.Update(status=LOST)),
    scheduler.Event(type="RESCIND", rescind=scheduler.Rescind(offer_id=OFFER)),
    scheduler.Event(
        type="MESSAGE",
        message=scheduler.Message(agent_id=AGENT, executor_id="e1", data=b"\x00\xff"),
    ),
    scheduler.Event(type="FAILURE", failure=scheduler.Failure(agent_id=AGENT)),
    scheduler.Event(
        type="FAILURE",
        failure=scheduler.Failure(agent_id=AGENT, executor_id="e1", status=-1),
    ),
    scheduler.Event(type="ERROR", error=scheduler.Error(message="Framework has been removed")),
]

_EXECUTOR_CALL_PARTS: list[tuple[str, Any]] = [
    (
        "SUBSCRIBE",
        executor.Subscribe(
            unacknowledged_tasks=(TASK,),
            unacknowledged_updates=(executor.Update(status=STATUS),),
        ),
    ),
    ("UPDATE", executor.Update(status=STATUS)),
    ("MESSAGE", executor.Message(data=b"\x00\xff")),
]
EXECUTOR_CALLS: list[executor.Call] = [
    executor.Call(executor_id="e1", framework_id=FRAMEWORK, type=kind, **{kind.lower(): part})
    for kind, part in _EXECUTOR_CALL_PARTS
]

EXECUTOR_EVENTS: list[executor.Event] = [
    executor.Event(
        type="SUBSCRIBED",
        subscribed=executor.Subscribed(
            executor_info=EXECUTOR, framework_info=INFO, agent_info=REGISTER.info
        ),
    ),
    executor.Event(type="LAUNCH", launch=executor.Launch(task=TASK)),
    executor.Event(type="KILL", kill=executor.Kill(task_id="t1", kill_policy=POLICY)),
    executor.Event(
        type="ACKNOWLEDGED", acknowledged=executor.Acknowledged(task_id="t1", uuid=UUID)
    ),
    executor.Event(type="MESSAGE", message=executor.Message(data=b"hello")),
    executor.SHUTDOWN,
]

AT_MASTER = [
    *(Line(master_events.Frame(LINK, n, frame)) for n, frame in enumerate(FRAMES_TO_MASTER)),
    *(
        Line(master_events.Call(f"r{n}", (CONNECTION, n), STREAM, call, "unused"))
        for n, call in enumerate(CALLS)
    ),
    Line(master_events.Tick(), [SendFrame(LINK, frame) for frame in FRAMES_TO_AGENT]),
    Line(master_events.Tick(), [SendEvent(STREAM, event) for event in EVENTS]),
]

AT_AGENT = [
    *(Line(agent_events.Frame(LINK, n, frame)) for n, frame in enumerate(FRAMES_TO_AGENT)),
    *(
        Line(agent_events.ExecutorCall(f"r{n}", ("ext", n), FRAMEWORK, "e1", call, "es-1"))
        for n, call in enumerate(EXECUTOR_CALLS)
    ),
    Line(agent_events.Tick(), [SendFrame(LINK, frame) for frame in FRAMES_TO_MASTER]),
    Line(
        agent_events.Tick(),
        [OpenStream("r0", "es-1"), *(SendEvent("es-1", event) for event in EXECUTOR_EVENTS)],
    ),
]

AT_SCHEDULER = [
    *(
        Line(scheduler_events.EventHeard(STREAM, n, event), [scheduler_effects.Deliver(event)])
        for n, event in enumerate(EVENTS)
    ),
    *(
        Line(
            scheduler_events.Asked(call),
            [scheduler_effects.SendCall(CONNECTION, STREAM, n, call)],
        )
        for n, call in enumerate(CALLS)
    ),
]
