"""Connections: who hears what, and what nobody hears any more.

A connection has two ends, and each end sees by itself that it broke.  What was in flight *to* an
end is lost when that end goes: the action that notices it empties the channel.  What is sent to an
end that has gone is not heard; the actions here drop it, since nobody else will.  So a message is
lost only with its connection, and always the last ones on it.

    link    agent ⇄ master      up[link], down[link]
    line    scheduler → master  calls[line]: one SUBSCRIBE, and the calls that follow it
    stream  master → scheduler  events[stream]: the answer to that SUBSCRIBE
"""

from __future__ import annotations

from mesos_spec.domains import (
    lines,
    links,
    named_executors,
    streams,
)
from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, LinkId, SchedulerId, StreamId
from mesos_spec.kernel import Fifo, action, require
from mesos_spec.messages import AnyCall, Event, FrameDown
from mesos_spec.state import Reign, Standing, State
from mesos_spec.users import foreign_calls

NO_LINK = LinkId(AgentId(""), "")  #: nothing is ever in flight on it
NO_STREAM = StreamId(SchedulerId(""), "")  #: nor on this


# ---- sending and hearing -------------------------------------------------------------------
def link_of(s: State, epoch: Epoch, agent: AgentId) -> LinkId:
    """The link a master hears an agent on."""
    return s.agents[epoch, agent].link or NO_LINK


def own_link(s: State, agent: AgentId) -> LinkId:
    """The link an agent hears its master on."""
    return s.agent[agent].link or NO_LINK


def own_stream(s: State, scheduler: SchedulerId) -> StreamId:
    """The stream a scheduler hears its master on."""
    line = s.scheduler[scheduler].line
    return NO_STREAM if line is None else s.answer[line] or NO_STREAM


def tell_agent(s: State, epoch: Epoch, agent: AgentId, frame: FrameDown) -> None:
    """A master sends a frame to an agent that is registered with it."""
    s.down[link_of(s, epoch, agent)] += frame


def tell_framework(s: State, epoch: Epoch, framework: FrameworkId, event: Event) -> None:
    """A master sends an event to a framework, if it is connected."""
    record = s.frameworks[epoch, framework]
    if record.stream is not None:
        s.events[record.stream] += event


def is_connected(s: State, epoch: Epoch, agent: AgentId) -> bool:
    """Whether an agent is registered with a master, on a link that the master has not lost."""
    return s.agents[epoch, agent].standing == Standing.REGISTERED


def hearer(s: State, line: LineId) -> Epoch:
    """The reign that hears a line: the one that has answered it, else the one that was meant.

    A scheduler dials an address.  A master that leads again there, in a later reign, answers too.
    """
    stream = s.answer[line]
    return line.epoch if stream is None else stream.epoch


def open_answer(s: State, line: LineId, stream: StreamId) -> None:
    """The SUBSCRIBE of a line is answered on a stream, which its scheduler hears if it waits."""
    if s.scheduler[line.scheduler].line == line:
        s.answer[line] = stream


def hang_up(s: State, scheduler: SchedulerId) -> None:
    """A scheduler leaves its line; what was in flight to it is lost."""
    line = s.scheduler[scheduler].line
    if line is not None:
        if len(s.events[own_stream(s, scheduler)]) > 0:
            s.events[own_stream(s, scheduler)] = Fifo()
        s.answer[line] = None
        s.scheduler[scheduler] = s.scheduler[scheduler]._replace(line=None, stream=None)


# ---- what nobody will hear -----------------------------------------------------------------
@action("up", link=links)
def lose_frames_up(s: State, link: LinkId) -> None:
    """What an agent sent on a link that it has left, or to a reign that is over, may be lost."""
    require(len(s.up[link]) > 0, "something is in flight to the master")
    epoch = s.up[link].mail[0].epoch
    gone = s.agent[link.agent].link != link or s.reign[epoch] != Reign.LEADING
    require(gone, "the agent has left the link, or the master leads no more")

    s.up[link] = Fifo()


@action("down", link=links)
def lose_frames_down(s: State, link: LinkId) -> None:
    """What a master sent on a link that the agent has left is lost."""
    require(len(s.down[link]) > 0, "something is in flight to the agent")
    require(s.agent[link.agent].link != link, "the agent has left the link")

    s.down[link] = Fifo()


@action("calls", line=lines)
def lose_calls(s: State, line: LineId) -> None:
    """What a scheduler sent on a line that it has left, or to a reign that is over, may be lost."""
    require(len(s.calls[line]) > 0, "something is in flight to the master")
    gone = s.scheduler[line.scheduler].line != line or s.reign[hearer(s, line)] != Reign.LEADING
    require(gone, "the scheduler has left the line, or the master leads no more")

    s.calls[line] = Fifo()


@action("events", stream=streams)
def lose_events(s: State, stream: StreamId) -> None:
    """What a master sent on a stream that its scheduler does not hear is lost."""
    require(len(s.events[stream]) > 0, "something is in flight to the scheduler")
    require(own_stream(s, stream.scheduler) != stream, "the scheduler does not hear the stream")

    s.events[stream] = Fifo()


# ---- who is not modelled -------------------------------------------------------------------
@action("to_executor", stream=named_executors)
def executor_hears(s: State, stream: tuple[AgentId, FrameworkId, str]) -> None:
    """An executor hears what its agent told it; what it makes of that is its own business."""
    told = s.to_executor[stream]
    require(len(told) > 0, "something is in flight to the executor")

    s.to_executor[stream] -= told.mail[0]


@action("calls", line=lines, message=foreign_calls)
def foreign_call(s: State, line: LineId, message: AnyCall) -> None:
    """A scheduler that is not ours calls, on a connection of its own: anything, at any time."""
    s.calls[line] += message
