"""Agents, as they see themselves: started, linked, registered.

    down ──start_agent──▶ up ──register──▶ linked ──be_registered──▶ registered
                           ▲◀──────── drop_link, turn_to ──────────────┘

An agent obeys the newest leader it has ever heard of, and none before it (S19).  What it promised
to a framework that checkpoints outlives its process (RCV-1); of other frameworks nothing does.
"""

from __future__ import annotations

from mesos_spec.domains import (
    agents,
    fresh_links,
    newer_epochs,
    nothing_minted,
    total_of,
    usable_of,
)
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, LinkId, TaskId, Uuid
from mesos_spec.kernel import Fifo, Table, action, receive, require
from mesos_spec.messages import (
    ExecutorReport,
    FrameDown,
    Ping,
    Pong,
    Register,
    Registered,
    RunTask,
    Shutdown,
    ShutdownExecutor,
    ShutdownFramework,
    StopExecutor,
    TaskReport,
    UpdateFramework,
)
from mesos_spec.network import own_link
from mesos_spec.queues import is_here, knows, lost_to, obeys, own_status, put, send_heads
from mesos_spec.resources import Resources
from mesos_spec.state import AgentProcess, Phase, State


# ---- the process ---------------------------------------------------------------------------
@action(
    "agent hosted runners runs updates",
    by="agent",
    cites=("RCV-1", "RCV-2", "RCV-3", "LCH-11"),
    agent=agents,
)
def start_agent(s: State, agent: AgentId) -> None:
    """An agent's process starts; it knows what it had checkpointed (RCV-1).

    Its executors have yet to come back.
    """
    me = s.agent[agent]
    require(not me.up, "the agent is down")

    s.agent[agent] = AgentProcess(True, me.epoch)
    for framework, info in s.hosted[agent].items():
        if not info.checkpoint:
            s.hosted[agent] -= framework
    for key, runner in s.runners[agent].items():
        ending = runner.phase == Phase.TERMINATING
        phase = Phase.TERMINATING if ending else Phase.REGISTERING
        s.runners[agent] += {key: runner._replace(phase=phase, stream=None, away=True, late=False)}
        if key.framework not in s.hosted[agent]:
            s.runners[agent] -= key
    for task in (*s.runs[agent], *s.updates[agent]):
        if task.framework not in s.hosted[agent]:
            s.runs[agent] -= task
            s.updates[agent] -= task


@action("agent down", cites=("RCV-1", "R3"), agent=agents)
def crash_agent(s: State, agent: AgentId) -> None:
    """An agent's process dies.  Its executors may live on."""
    require(s.agent[agent].up, "the agent is up")

    leave(s, agent)
    s.agent[agent] = s.agent[agent]._replace(up=False)


@action(
    "down agent runners to_executor",
    by="agent",
    cites=("AGT-1",),
    agent=agents,
)
def shut_down_agent(s: State, agent: AgentId) -> None:
    """An agent that may not join ends its executors, and itself (AGT-1)."""
    heard = receive(s.down[own_link(s, agent)], Shutdown)
    require(heard.epoch >= s.agent[agent].epoch, "the master is not an older leader")

    s.down[own_link(s, agent)] -= heard
    leave(s, agent)
    s.agent[agent] = s.agent[agent]._replace(up=False)
    for key, runner in s.runners[agent].items():
        if runner.phase == Phase.RUNNING:
            s.to_executor[agent, *key] += StopExecutor()
        s.runners[agent] += {key: runner._replace(phase=Phase.TERMINATING)}


# ---- leaders and links ---------------------------------------------------------------------
@action(
    "agent down",
    by="agent",
    cites=("S19", "AGT-14"),
    agent=agents,
    epoch=newer_epochs,
)
def turn_to(s: State, agent: AgentId, epoch: Epoch) -> None:
    """An agent learns of a newer leader; the link to the old one is dropped (S19, AGT-14)."""
    me = s.agent[agent]
    require(me.up, "the agent is up")
    require(epoch > me.epoch, "it knows of no leader this new")

    leave(s, agent)
    s.agent[agent] = AgentProcess(True, epoch)


@action(
    "agent up",
    by="agent",
    cites=("AGT-2", "AGT-6", "R1", "RCV-8"),
    agent=agents,
    link=fresh_links,
    total=total_of,
    usable=usable_of,
)
def register(s: State, agent: AgentId, link: LinkId, total: Resources, usable: bool) -> None:
    """On a fresh link an agent tells who it is, what it has, and what it runs (AGT-2, R1)."""
    me = s.agent[agent]
    require(me.up, "the agent is up")
    require(me.epoch > 0, "it knows of a leader")
    require(me.link is None, "it has no link")
    require(all_are_back(s, agent), "every executor of before is back, or given up")

    s.agent[agent] = me._replace(link=link)
    tasks, executors = tasks_of(s, agent), executors_of(s, agent)
    asked = Register(me.epoch, total, tasks, executors, s.hosted[agent], usable)
    s.up[link] += asked


@action(
    "down agent up updates",
    by="agent",
    cites=("UPD-17", "RCV-9", "AGT-9", "S19"),
    agent=agents,
    minted=nothing_minted,
)
def be_registered(s: State, agent: AgentId, minted: Table[TaskId, Uuid]) -> None:
    """An agent obeys the master from now on, and tells it again what waits (UPD-17, RCV-9).

    For each task it is asked about and does not have, it promises a last word (AGT-9).
    """
    me = s.agent[agent]
    heard = receive(s.down[own_link(s, agent)], Registered)
    require(heard.epoch >= me.epoch, "the master is not an older leader")

    s.down[own_link(s, agent)] -= heard
    s.agent[agent] = me._replace(epoch=heard.epoch, registered=True)
    send_heads(s, agent)
    for task in heard.reconcile:
        if not knows(s, agent, task):
            state = lost_to(s, agent, task.framework, "TASK_DROPPED")
            put(s, agent, task, own_status(state, "REASON_RECONCILIATION", task, minted))


@action(
    "agent down",
    by="agent",
    after="ping_timeout",
    cites=("AGT-10", "UPD-17", "PRT-11"),
    agent=agents,
)
def drop_link(s: State, agent: AgentId) -> None:
    """An agent's link breaks, or was silent for too long: it is not registered (AGT-10)."""
    require(s.agent[agent].link is not None, "the agent has a link")

    leave(s, agent)


@action(
    "down up agent",
    by="agent",
    cites=("AGT-8",),
    agent=agents,
)
def answer_ping(s: State, agent: AgentId) -> None:
    """An agent says that it is there (AGT-8).

    If the master thinks otherwise, the agent leaves the link, to register anew.
    """
    link = own_link(s, agent)
    heard = receive(s.down[link], Ping)
    require(heard.epoch >= s.agent[agent].epoch, "the master is not an older leader")

    s.down[link] -= heard
    s.up[link] += Pong(s.agent[agent].epoch)
    if not heard.connected:
        leave(s, agent)


@action("down", by="agent", cites=("S19", "AGT-14", "LCH-1"), agent=agents)
def ignore_frame(s: State, agent: AgentId) -> None:
    """A frame has no effect: of an older leader, of one that has not registered the agent, or of
    something the agent does not have (S19, LCH-1)."""
    link = own_link(s, agent)
    require(len(s.down[link]) > 0, "something is in flight to the agent")
    heard = s.down[link].mail[0]
    require(not concerns(s, agent, heard), "it is of an older leader, too early, or of nothing")

    s.down[link] -= heard


# ---- what they use -------------------------------------------------------------------------
def leave(s: State, agent: AgentId) -> None:
    """An agent has no link; what was in flight to it is lost."""
    if len(s.down[own_link(s, agent)]) > 0:
        s.down[own_link(s, agent)] = Fifo()
    s.agent[agent] = s.agent[agent]._replace(link=None, registered=False)


def all_are_back(s: State, agent: AgentId) -> bool:
    """Whether no executor is still away since the agent started (RCV-8)."""
    return not any(runner.away for runner in s.runners[agent].values())


def tasks_of(s: State, agent: AgentId) -> Table[TaskId, TaskReport]:
    """The tasks of an agent, as it reports them."""
    reports = {}
    for task, run in s.runs[agent].items():
        head = s.updates[agent].get(task, (None,))[0]
        reports[task] = TaskReport(
            *(run.role, run.resources, None if run.command else run.executor, run.state),
            told=None if head is None else head.state,
            uuid=None if head is None else head.uuid,
            killed=run.killed,
        )
    return Table(reports)


def executors_of(s: State, agent: AgentId) -> Table[ExecutorKey, ExecutorReport]:
    """The custom executors of an agent, as it reports them; none of a removed framework."""
    return Table(
        (key, ExecutorReport(runner.role, runner.resources))
        for key, runner in s.runners[agent].items()
        if not runner.command and not runner.disowned
    )


def concerns(s: State, agent: AgentId, heard: FrameDown) -> bool:
    """Whether a frame from a master means something to an agent."""
    if isinstance(heard, Registered | Ping | Shutdown):
        return heard.epoch >= s.agent[agent].epoch
    if not obeys(s, agent, heard):
        return False
    if isinstance(heard, RunTask):
        return not knows(s, agent, heard.task)
    if isinstance(heard, ShutdownExecutor):
        runner = s.runners[agent].get(heard.executor, None)
        return runner is not None and runner.phase != Phase.TERMINATING
    if isinstance(heard, ShutdownFramework | UpdateFramework):
        return is_here(s, agent, heard.framework)
    return True
