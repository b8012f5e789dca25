"""Frameworks, as masters see them: subscribed, gone for a while, removed for good.

    UNKNOWN ──subscribe──▶ CONNECTED ⇄ DISCONNECTED      (lose_framework, subscribe)
    UNKNOWN ──(an agent runs its tasks)──▶ RECOVERED ──subscribe──▶ CONNECTED
    any of them ──tear_down, give_up_framework──▶ REMOVED, for good (S14), until forget_framework

A framework's tasks do not depend on its scheduler: they outlive it, and the master, and end only
when they are done, killed, or their framework is removed (FWK-17, R4).
"""

from __future__ import annotations

from mesos_spec.domains import (
    epochs,
    framework_for,
    frameworks,
    fullness,
    lines_to,
    stream_for,
)
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, StreamId
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.masters import is_subscribed, strike
from mesos_spec.messages import (
    Call,
    Error,
    OtherCall,
    ShutdownFramework,
    Subscribe,
    Subscribed,
    Teardown,
    UpdateFramework,
)
from mesos_spec.network import is_connected, open_answer, tell_agent, tell_framework
from mesos_spec.offers import discard_offers
from mesos_spec.state import FrameworkRecord, Reign, Standing, State


# ---- coming --------------------------------------------------------------------------------
@action(
    "calls answer frameworks met_frameworks offers charged filters down events",
    by="master",
    cites=(
        *(
            "FWK-1",
            "FWK-2",
            "FWK-3",
            "FWK-4",
            "FWK-8",
            "FWK-17",
            *(
                "FWK-6",
                "FWK-9",
                "MFO-4",
                "MFO-5",
            ),
        ),
        *("OFR-6", "FLT-10", "UPD-9", "S13", "R4"),
    ),
    epoch=epochs,
    line=lines_to,
    stream=stream_for,
    framework=framework_for,
    full=fullness,
)
def subscribe(
    s: State, epoch: Epoch, line: LineId, stream: StreamId, framework: FrameworkId, full: bool
) -> None:
    """A scheduler speaks for a framework from now on, a new one or one that was there (FWK-1…4).

    Who spoke for it before is told, and its offers are no more (FWK-3, OFR-6).  `full`: the master
    knows as many frameworks as it may.
    """
    asked = receive(s.calls[line], Subscribe)
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    require(asked.usable, "its declaration is in order")
    require(asked.framework in (None, framework), "it is the framework it says it is")
    was = s.frameworks[epoch, framework]
    require(was.standing != Standing.REMOVED, "the framework was not removed")
    is_new = was.standing == Standing.UNKNOWN
    require(asked.framework is not None or is_new, "an id is given once")
    require(not (full and is_new), "there is room for it")

    s.calls[line] -= asked
    tell_framework(s, epoch, framework, Error())
    silence(s, epoch, framework)
    info = asked.info if is_new else asked.info._replace(checkpoint=was.checkpoint)
    record = FrameworkRecord(Standing.CONNECTED, stream, info.roles, asked.suppressed, *info[1:])
    s.frameworks[epoch, framework] = record
    s.met_frameworks[epoch] |= {framework}
    open_answer(s, line, stream)
    tell_framework(s, epoch, framework, Subscribed(framework))
    for agent in sorted(s.met_agents[epoch]):
        if is_connected(s, epoch, agent) and runs_something(s, epoch, agent, framework):
            tell_agent(s, epoch, agent, UpdateFramework(epoch, framework, info))


@action(
    "calls answer events",
    by="master",
    cites=("FWK-5", "FWK-7", "S14"),
    epoch=epochs,
    line=lines_to,
    stream=stream_for,
    full=fullness,
)
def refuse_subscription(s: State, epoch: Epoch, line: LineId, stream: StreamId, full: bool) -> None:
    """A removed framework can't come back, and a declaration must be in order (FWK-5, FWK-7).

    `full`: the master knows as many frameworks as it may, and takes no new one.
    """
    asked = receive(s.calls[line], Subscribe)
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    removed = asked.framework is not None and is_removed(s, epoch, asked.framework)
    too_many = full and is_unknown(s, epoch, asked.framework)
    reason = removed or not asked.usable or too_many
    require(reason, "it was removed, its declaration is not in order, or it is one too many")

    s.calls[line] -= asked
    open_answer(s, line, stream)
    s.events[stream] += Error()


def is_unknown(s: State, epoch: Epoch, framework: FrameworkId | None) -> bool:
    """Whether a framework would be new to a master."""
    if framework is None:
        return True
    return s.frameworks[epoch, framework].standing == Standing.UNKNOWN


@action("calls", by="master", cites=("S13", "FWK-21"), epoch=epochs, line=lines_to)
def turn_away(s: State, epoch: Epoch, line: LineId) -> None:
    """A call of nobody who is subscribed, or on a stream of before, has no effect (S13)."""
    call = receive(s.calls[line], Call)
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    stranger = not is_subscribed(s, epoch, call)
    require(stranger or isinstance(call, OtherCall), "it is not subscribed there, or no rule fits")

    s.calls[line] -= call


# ---- going ---------------------------------------------------------------------------------
@action(
    "frameworks offers charged filters",
    by="master",
    cites=("FWK-12", "FLT-5", "OFR-5", "FLT-11"),
    epoch=epochs,
    framework=frameworks,
)
def lose_framework(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """The stream to a scheduler breaks: no offers until it is back; its tasks run on (FWK-12)."""
    was = s.frameworks[epoch, framework]
    require(was.standing == Standing.CONNECTED, "the framework is connected")

    silence(s, epoch, framework)
    s.frameworks[epoch, framework] = was._replace(standing=Standing.DISCONNECTED, stream=None)


REMOVAL = "frameworks offers charged filters tasks unreachable executors home down"


@action(
    "calls " + REMOVAL,
    by="master",
    cites=("FWK-15", "FWK-16", "ALC-27", "S14"),
    epoch=epochs,
    line=lines_to,
)
def tear_down(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework says that it is done: it is removed, with all it has (FWK-15, FWK-16)."""
    call = receive(s.calls[line], Teardown)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    remove(s, epoch, call.framework)


@action(REMOVAL, by="master", cites=("FWK-16", "S14"), epoch=epochs, framework=frameworks)
def tear_down_by_operator(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """An operator removes a framework, whether it is there or not (FWK-16)."""
    standing = s.frameworks[epoch, framework].standing
    require(standing not in (Standing.UNKNOWN, Standing.REMOVED), "the framework is known")

    remove(s, epoch, framework)


@action(
    REMOVAL,
    by="master",
    after="failover_timeout",
    cites=("FWK-13", "FWK-14", "FWK-19", "S14", "FWK-22", "MFO-9"),
    epoch=epochs,
    framework=frameworks,
)
def give_up_framework(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """A framework that was gone for too long is removed, as if it had said so (FWK-14)."""
    standing = s.frameworks[epoch, framework].standing
    require(standing == Standing.DISCONNECTED, "the framework is disconnected")

    remove(s, epoch, framework)


@action(
    "frameworks met_frameworks",
    by="master",
    cites=("FWK-5", "FWK-15", "S14"),
    epoch=epochs,
    framework=frameworks,
)
def forget_framework(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """A framework that was removed long ago is forgotten: memory is bounded (FWK-15).

    Its id is unknown from then on, and may be used.
    """
    require(is_removed(s, epoch, framework), "the framework was removed")

    s.frameworks[epoch, framework] = FrameworkRecord()
    s.met_frameworks[epoch] -= {framework}


# ---- what they use -------------------------------------------------------------------------
def is_removed(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether a framework has ended for good."""
    return s.frameworks[epoch, framework].standing == Standing.REMOVED


def runs_something(s: State, epoch: Epoch, agent: AgentId, framework: FrameworkId) -> bool:
    """Whether a master knows of a framework's tasks or executors on an agent."""
    owners = (*s.tasks[epoch, agent], *s.executors[epoch, agent])
    return any(owner.framework == framework for owner in owners)


def silence(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """Nothing is offered to a framework any more, and what it refused is forgotten."""
    discard_offers(s, epoch, framework)
    s.filters[epoch, framework] = Table()


def remove(s: State, epoch: Epoch, framework: FrameworkId) -> None:
    """A framework ends: its offers, its tasks, its executors on every agent (FWK-15)."""
    silence(s, epoch, framework)
    for agent in sorted(s.met_agents[epoch]):
        if is_connected(s, epoch, agent) and runs_something(s, epoch, agent, framework):
            tell_agent(s, epoch, agent, ShutdownFramework(epoch, framework))
        for task in s.tasks[epoch, agent]:
            if task.framework == framework:
                strike(s, epoch, agent, task)
        for task in s.unreachable[epoch, agent]:
            if task.framework == framework:
                s.unreachable[epoch, agent] -= task
                s.home[epoch, task] = None
        for key in s.executors[epoch, agent]:
            if key.framework == framework:
                s.executors[epoch, agent] -= key
    s.charged[epoch, framework] = Table()
    s.frameworks[epoch, framework] = FrameworkRecord(Standing.REMOVED)
