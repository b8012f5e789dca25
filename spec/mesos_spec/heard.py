"""What was heard and said in a step, as claims about single steps ask for it.

*Heard* means: the step took the oldest message from a channel both ends of which are still there,
so it was not lost.  *Said* is what the step put into a channel.
"""

from __future__ import annotations

from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId, LineId, StreamId
from mesos_spec.masters import is_subscribed
from mesos_spec.messages import (
    Accept,
    Call,
    Event,
    FrameDown,
    FrameUp,
    Register,
    TaskUpdate,
    ToldExecutor,
)
from mesos_spec.network import hearer, link_of, own_link
from mesos_spec.properties import sent
from mesos_spec.state import Reign, State


def heard_call(before: State, after: State, line: LineId) -> object:
    """The call that a master took from a line in this step, if its scheduler is still there."""
    if not before.calls.differs(after.calls, line):
        return None
    old = before.calls[line].mail
    if not old or after.calls[line].mail != old[1:]:
        return None
    there = before.scheduler[line.scheduler].line == line
    leads = before.reign[hearer(after, line)] == Reign.LEADING
    return old[0] if there and leads else None


def served(before: State, after: State, line: LineId) -> Call | None:
    """The call that a master took from who is subscribed on the call's stream."""
    call = heard_call(before, after, line)
    mine = isinstance(call, Call) and is_subscribed(before, hearer(after, line), call)
    return call if isinstance(call, Call) and mine else None


def heard_accept(before: State, after: State, line: LineId) -> Accept | None:
    """The ACCEPT of some tasks that a master took from who is subscribed on its stream."""
    call = served(before, after, line)
    return call if isinstance(call, Accept) and call.tasks else None


def heard_up(before: State, after: State, epoch: Epoch, agent: AgentId) -> FrameUp | None:
    """The frame of its own reign that a leader took from an agent that is there."""
    link = before.agent[agent].link
    if link is None or not before.up.differs(after.up, link):
        return None
    old = before.up[link].mail
    if not old or after.up[link].mail != old[1:] or old[0].epoch != epoch:
        return None
    if after.agent[agent].link != link or before.reign[epoch] != Reign.LEADING:
        return None
    known = before.agents[epoch, agent].link == link == after.agents[epoch, agent].link
    return old[0] if known or isinstance(old[0], Register) else None


def heard_down(before: State, after: State, agent: AgentId) -> FrameDown | None:
    """The frame that an agent took from its link, which it has still; of no older leader."""
    link = before.agent[agent].link
    if link is None or after.agent[agent].link != link:
        return None
    if not before.down.differs(after.down, link):
        return None
    old, new = before.down[link].mail, after.down[link].mail
    taken = old and new == old[1:] and old[0].epoch >= before.agent[agent].epoch
    return old[0] if taken else None


def order(before: State, after: State, agent: AgentId) -> FrameDown | None:
    """The frame that an agent took from the leader that it is registered with."""
    return heard_down(before, after, agent) if before.agent[agent].registered else None


def said_on(before: State, after: State, stream: StreamId | None) -> tuple[Event, ...]:
    """What was sent on a stream; nothing on none."""
    return () if stream is None else sent(before.events, after.events, stream)


def news(
    before: State, after: State, epoch: Epoch, framework: FrameworkId
) -> tuple[Event, ...] | None:
    """What a framework was sent by a master; None where it has no stream."""
    stream = after.frameworks[epoch, framework].stream
    return None if stream is None else said_on(before, after, stream)


def updates_told(before: State, after: State, epoch: Epoch, of: FrameworkId) -> list[TaskUpdate]:
    """The updates that a framework was sent by a master; none where it has no stream."""
    said = said_on(before, after, after.frameworks[epoch, of].stream)
    return [event for event in said if isinstance(event, TaskUpdate)]


def sent_down(before: State, after: State, epoch: Epoch, agent: AgentId) -> tuple[FrameDown, ...]:
    """What an agent was sent by a master that it is registered with."""
    link = link_of(after, epoch, agent)
    return sent(before.down, after.down, link)


def sent_up(before: State, after: State, agent: AgentId) -> tuple[FrameUp, ...]:
    """What an agent sent on the link that it has."""
    link = own_link(after, agent)
    return sent(before.up, after.up, link)


def told(before: State, after: State, agent: AgentId, key: ExecutorKey) -> tuple[ToldExecutor, ...]:
    """What an agent told an executor."""
    stream = (agent, key.framework, key.executor)
    return sent(before.to_executor, after.to_executor, stream)
