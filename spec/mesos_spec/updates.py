"""Status updates and executors, as masters pass them on.

    agent ──Update──▶ forward ──UPDATE──▶ scheduler ──ACKNOWLEDGE──▶ acknowledge ──Ack──▶ agent

A master keeps no queue.  It notes how far a task is, passes on what it hears if somebody is there
to hear it, and leaves it to the agent to say it again.
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, lines_to
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, LineId
from mesos_spec.kernel import action, receive, require
from mesos_spec.masters import enter, is_subscribed, release, strike
from mesos_spec.messages import (
    UNKNOWN_STATUS,
    Ack,
    Acknowledge,
    EndExecutor,
    Exited,
    Failure,
    FromExecutor,
    Message,
    SendMessage,
    ShutdownExecutor,
    TaskUpdate,
    ToExecutor,
    Update,
)
from mesos_spec.network import is_connected, link_of, tell_agent, tell_framework
from mesos_spec.state import State, is_terminal


# ---- status updates ------------------------------------------------------------------------
@action(
    "up tasks home charged events",
    by="master",
    cites=("UPD-7", "UPD-8", "UPD-18", "S8", "UPD-6", "UPD-16", "A5"),
    epoch=epochs,
    agent=agents,
)
def forward(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An update is passed on; the task's latest state is noted, and if it is the end of the task,
    its resources are free at once (UPD-7, UPD-8).

    If nobody listens it is not passed on, and the agent will send it again.
    """
    heard = receive(s.up[link_of(s, epoch, agent)], Update)

    s.up[link_of(s, epoch, agent)] -= heard
    task, status = heard.task, heard.status
    if task in s.tasks[epoch, agent]:
        known = s.tasks[epoch, agent][task]
        state = known.state if is_terminal(known.state) else heard.latest
        record = known._replace(state=state, told=status.state, uuid=status.uuid)
        enter(s, epoch, agent, task, record)
    update = TaskUpdate(task, agent, status.state, status.source, status.reason, status.uuid)
    tell_framework(s, epoch, task.framework, update)


@action(
    "calls tasks home charged down",
    by="master",
    cites=("UPD-10", "UPD-12", "TSK-3"),
    epoch=epochs,
    line=lines_to,
)
def acknowledge(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework has seen an update: its agent is told.  If that was the task's end, the master
    forgets it (UPD-10)."""
    call = receive(s.calls[line], Acknowledge)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(is_connected(s, epoch, call.agent), "the agent is connected")
    require(may_be_acknowledged(s, epoch, call), "the task is unknown, or was told of")

    s.calls[line] -= call
    known = s.tasks[epoch, call.agent].get(call.task, None)
    if known is not None and is_terminal(known.told) and known.uuid == call.uuid:
        strike(s, epoch, call.agent, call.task)
    tell_agent(s, epoch, call.agent, Ack(epoch, call.task, call.uuid))


@action("calls", by="master", cites=("UPD-10", "UPD-11"), epoch=epochs, line=lines_to)
def drop_acknowledgement(s: State, epoch: Epoch, line: LineId) -> None:
    """An acknowledgement that can't reach the agent, or is of nothing, goes no further (UPD-10)."""
    call = receive(s.calls[line], Acknowledge)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    there = is_connected(s, epoch, call.agent) and may_be_acknowledged(s, epoch, call)
    require(not there, "the agent is not connected, or no update of the task went through here")

    s.calls[line] -= call


def may_be_acknowledged(s: State, epoch: Epoch, call: Acknowledge) -> bool:
    """Whether an acknowledgement may be meant: of a task that is unknown here, or was told of."""
    known = s.tasks[epoch, call.agent].get(call.task, None)
    return known is None or known.uuid is not None


# ---- executors -----------------------------------------------------------------------------
@action(
    "up executors charged events",
    by="master",
    cites=("EXE-5", "EXE-6"),
    epoch=epochs,
    agent=agents,
)
def lose_executor(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An executor has ended: what it took is free, and its framework is told (EXE-6).

    A FAILURE that names an executor has a status, if only the one that stands for none.  Its tasks
    are not touched: their own updates will come.
    """
    heard = receive(s.up[link_of(s, epoch, agent)], Exited)
    require(heard.executor in s.executors[epoch, agent], "the master knows the executor")

    s.up[link_of(s, epoch, agent)] -= heard
    framework, executor = heard.executor
    known = s.executors[epoch, agent][heard.executor]
    s.executors[epoch, agent] -= heard.executor
    release(s, epoch, framework, known.role, known.resources)
    status = UNKNOWN_STATUS if heard.status is None else heard.status
    tell_framework(s, epoch, framework, Failure(agent, executor, status))


@action("calls down", by="master", cites=("KIL-8", "S13"), epoch=epochs, line=lines_to)
def shut_executor(s: State, epoch: Epoch, line: LineId) -> None:
    """A framework wants an executor ended: passed on, if the agent is connected (KIL-8)."""
    call = receive(s.calls[line], EndExecutor)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    if is_connected(s, epoch, call.agent):
        executor = ExecutorKey(call.framework, call.executor)
        tell_agent(s, epoch, call.agent, ShutdownExecutor(epoch, executor))


# ---- messages ------------------------------------------------------------------------------
@action("calls down", by="master", cites=("KIL-9", "S13"), epoch=epochs, line=lines_to)
def pass_message(s: State, epoch: Epoch, line: LineId) -> None:
    """A scheduler's message to an executor goes on, if the agent is connected (KIL-9)."""
    call = receive(s.calls[line], SendMessage)
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")

    s.calls[line] -= call
    if is_connected(s, epoch, call.agent):
        executor = ExecutorKey(call.framework, call.executor)
        tell_agent(s, epoch, call.agent, ToExecutor(epoch, executor, call.data))


@action("up events", by="master", cites=("KIL-9",), epoch=epochs, agent=agents)
def pass_up(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An executor's message goes on to its scheduler, if that is connected (KIL-9)."""
    heard = receive(s.up[link_of(s, epoch, agent)], FromExecutor)

    s.up[link_of(s, epoch, agent)] -= heard
    framework, executor = heard.executor
    tell_framework(s, epoch, framework, Message(agent, executor, heard.data))
