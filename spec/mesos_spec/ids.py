"""Who is who: the names of agents, frameworks, tasks, offers and connections.

An id carries its home: an offer its agent, a task its framework, a link its agent.  So "whose is
it" is never a question to the whole cluster.
"""

from __future__ import annotations

from typing import NamedTuple, NewType

Epoch = int  #: which reign: 1, 2, …; 0 is none
AgentId = NewType("AgentId", str)
FrameworkId = NewType("FrameworkId", str)
SchedulerId = NewType("SchedulerId", str)
Role = str
Uuid = str


class TaskId(NamedTuple):
    """Chosen by the framework, so it carries it."""

    framework: FrameworkId
    id: str


class OfferId(NamedTuple):
    """Minted by a master; it carries the agent whose resources are offered."""

    agent: AgentId
    id: str


class ExecutorKey(NamedTuple):
    """Chosen by the framework, and unique on an agent."""

    framework: FrameworkId
    executor: str


class LinkId(NamedTuple):
    """One connection from an agent to a master, named by the agent."""

    agent: AgentId
    id: str


class LineId(NamedTuple):
    """One subscription attempt of a scheduler with the calls that follow it, named by it.

    `epoch` is the reign the scheduler meant to reach; foreign schedulers do not know it (0).
    Where that is over, a later one at the same address may hear it (`network.hearer`).
    """

    scheduler: SchedulerId
    id: str
    epoch: Epoch = 0


class StreamId(NamedTuple):
    """The answer to one SUBSCRIBE, named by the master (Mesos-Stream-Id) of a reign."""

    scheduler: SchedulerId
    id: str
    epoch: Epoch = 0
