"""Frameworks: how they subscribe, fail over, go away and are removed.

A framework is connected while it has a stream; a new stream always replaces the old one (S13). Once
removed, its id never comes back (S14). Tasks survive everything but removal (FWK-17).
"""

import msgspec

from mesos_ref import link as frames
from mesos_ref.master import offers
from mesos_ref.master.effects import CloseStream, OpenStream, SendEvent
from mesos_ref.master.events import Call
from mesos_ref.master.state import Framework, State
from mesos_ref.master.validation import has_capability, roles_of, subscription_fault
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import FrameworkInfo

# Subscribing --------------------------------------------------------------------------------------


def hear_subscribe(m: State, call: Call, subscribe: scheduler.Subscribe) -> None:
    """A scheduler wants a stream: for a new framework, or for one that is known."""
    framework_id = subscribe.framework_info.id
    known = None if framework_id is None else m.frameworks.get(framework_id)
    fault = subscription_fault(subscribe, known, m.config)
    if fault is None and known is None and len(m.frameworks) >= m.config.max_frameworks:
        fault = f"This master has {len(m.frameworks)} frameworks, and takes no more"
    if framework_id in m.removed:
        fault = "Framework has been removed"
    m.effects.append(OpenStream(call.request, call.new_stream))
    if fault is not None:
        m.act("refuse_subscription", stream=call.new_stream)
        _end_stream(m, call.new_stream, fault)
        return
    framework = known or _new_framework(m, subscribe.framework_info)
    m.act("subscribe", stream=call.new_stream, framework=framework.framework_id)
    _subscribe(m, framework, call.new_stream, subscribe)


def _new_framework(m: State, info: FrameworkInfo) -> Framework:
    """A framework nobody knew, under its own id if it brings one (FWK-1, FWK-2)."""
    framework_id = info.id
    while framework_id is None:
        framework_id = f"{m.node_id}-{m.next_framework:04}"
        m.next_framework += 1
        if framework_id in m.frameworks or framework_id in m.removed:
            framework_id = None
    framework = Framework(
        framework_id=framework_id,
        info=msgspec.structs.replace(info, id=framework_id),
        standing="disconnected",
        stream=None,
        roles=(),
        suppressed=frozenset(),
        partition_aware=False,
        multi_role=False,
    )
    m.frameworks[framework_id] = framework
    return framework


def _subscribe(m: State, framework: Framework, stream: str, subscribe: scheduler.Subscribe) -> None:
    """The stream is the framework's one stream from now on (FWK-3, FWK-4)."""
    if framework.stream is not None:
        _end_stream(m, framework.stream, "Framework failed over")
    offers.discard_all(m, framework)
    m.remove_filters(framework.filters.values())
    m.give_up_timers.cancel(framework.framework_id)
    _take_over(framework, subscribe.framework_info)
    m.set_stream(framework, stream)
    roles = roles_of(framework.info)
    m.set_roles(framework, roles, frozenset(subscribe.suppressed_roles))
    subscribed = scheduler.Subscribed(
        framework_id=framework.framework_id,
        heartbeat_interval_seconds=m.config.heartbeat_interval_us / 1e6,
        master_info=m.master_info,
    )
    m.tell(framework, scheduler.Event(type="SUBSCRIBED", subscribed=subscribed))
    frame = frames.UpdateFramework(epoch=m.reign, framework=framework.info)
    for agent_id in framework.agents():
        m.send(m.agents[agent_id].link, frame)


def _take_over(framework: Framework, info: FrameworkInfo) -> None:
    """What it says of itself now counts, but for its user and `checkpoint` (FWK-8)."""
    framework.info = msgspec.structs.replace(
        info,
        id=framework.framework_id,
        user=framework.info.user,
        checkpoint=framework.info.checkpoint,
    )
    framework.partition_aware = has_capability(info, "PARTITION_AWARE")
    framework.multi_role = has_capability(info, "MULTI_ROLE")


def _end_stream(m: State, stream: str, message: str) -> None:
    """ERROR is the last event of a stream."""
    error = scheduler.Event(type="ERROR", error=scheduler.Error(message=message))
    m.effects.append(SendEvent(stream, error))
    m.effects.append(CloseStream(stream))


# Going away ---------------------------------------------------------------------------------------


def lose_framework(m: State, framework: Framework) -> None:
    """Its stream ended: offers are void, filters forgotten, a timer starts (FWK-12, FWK-13)."""
    m.act("lose_framework", framework=framework.framework_id)
    m.set_stream(framework, None)
    offers.discard_all(m, framework)
    m.remove_filters(framework.filters.values())
    patience_us = max(0, round(framework.info.failover_timeout * 1_000_000))
    m.give_up_timers.set(framework.framework_id, m.now_us + patience_us)


def tear_down(m: State, framework: Framework) -> None:
    """The framework wants to be no more (FWK-16)."""
    m.act("tear_down")
    _remove(m, framework)


def tear_down_by_operator(m: State, framework: Framework) -> None:
    """An operator wants it to be no more (FWK-16)."""
    m.act("tear_down_by_operator", framework=framework.framework_id)
    _remove(m, framework)


def give_up_framework(m: State, framework_id: str) -> None:
    """It did not come back within its failover timeout (FWK-14)."""
    m.act("give_up_framework", framework=framework_id)
    _remove(m, m.frameworks[framework_id])


def _remove(m: State, framework: Framework) -> None:
    """Everything of the framework ends; agents see to theirs (FWK-15, S14)."""
    frame = frames.ShutdownFramework(epoch=m.reign, framework_id=framework.framework_id)
    for agent_id in framework.agents():
        m.send(m.agents[agent_id].link, frame)
    m.close_stream(framework)
    m.set_stream(framework, None)
    offers.discard_all(m, framework)
    m.remove_filters(framework.filters.values())
    for task in list(framework.tasks.values()):
        m.remove_task(m.agents[task.agent_id], framework, task)
    for executor in list(framework.executors.values()):
        m.remove_executor(m.agents[executor.agent_id], executor)
    for task in framework.unreachable.values():
        del m.lost_agents[task.agent_id].tasks[task.key]
        m.mark("unreachable", *task.key)
    m.give_up_timers.cancel(framework.framework_id)
    del m.frameworks[framework.framework_id]
    _remember_removed(m, framework.framework_id)


def _remember_removed(m: State, framework_id: str) -> None:
    """Bounded: the one that was removed first is forgotten."""
    m.removed[framework_id] = None
    if len(m.removed) > m.config.max_removed_frameworks:
        oldest = next(iter(m.removed))
        m.act("forget_framework", framework=oldest)
        del m.removed[oldest]
        m.mark("frameworks", oldest)
