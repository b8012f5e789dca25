"""Update queues: what an agent has to say of a task is said until it is acknowledged.

    executor, or the agent itself ──▶ queue ──head──▶ master ──▶ scheduler
                                        ◀──────────ack────────────────┘

The head of a task's queue is sent when it becomes the head, again after a while, and again when a
master or the framework is back; always with the same uuid, and nothing behind it before it is
acknowledged (UPD-2, S9).  While no master listens the queue waits (UPD-17).  Acknowledging a
terminal update ends the queue, and the agent's memory of the task (UPD-5).
"""

from __future__ import annotations

from mesos_spec.domains import agents, waiting_tasks
from mesos_spec.ids import AgentId, FrameworkId, TaskId, Uuid
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.messages import Ack, FrameDown, Status, Update
from mesos_spec.network import own_link
from mesos_spec.state import Phase, State, is_terminal

MADE_BY_AGENT = "made-by-agent"  #: the uuid of an agent's own update, unless one is given


# ---- actions -------------------------------------------------------------------------------
@action(
    "down up updates runs hosted",
    by="agent",
    cites=("UPD-4", "UPD-5", "S9", "S19"),
    agent=agents,
)
def hear_ack(s: State, agent: AgentId) -> None:
    """The framework has seen a task's oldest update: the next one is sent (UPD-2, UPD-4).

    After a terminal one the task is forgotten (UPD-5); any other uuid is ignored.
    """
    heard = receive(s.down[own_link(s, agent)], Ack)
    require(obeys(s, agent, heard), "the agent is registered with that master")

    s.down[own_link(s, agent)] -= heard
    queue = s.updates[agent].get(heard.task, ())
    if queue and queue[0].uuid == heard.uuid:
        if is_terminal(queue[0].state):
            forget(s, agent, heard.task)
        elif len(queue) > 1:
            s.updates[agent] += {heard.task: queue[1:]}
            send_head(s, agent, heard.task)
        else:
            s.updates[agent] -= heard.task
        tidy(s, agent, heard.task.framework)


@action(
    "up",
    by="agent",
    after="status_update_retry",
    cites=("UPD-2", "S9", "UPD-6"),
    agent=agents,
    task=waiting_tasks,
)
def resend(s: State, agent: AgentId, task: TaskId) -> None:
    """An update that was not acknowledged in time is sent again, with the same uuid (UPD-2)."""
    require(task in s.updates[agent], "an update of the task waits")
    require(s.agent[agent].registered, "the agent is registered")

    send_head(s, agent, task)


# ---- what agents ask themselves ------------------------------------------------------------
def obeys(s: State, agent: AgentId, heard: FrameDown) -> bool:
    """Whether an agent takes orders from who sent a frame: no older leader, and it is registered
    there (S19, LCH-1)."""
    return s.agent[agent].registered and heard.epoch >= s.agent[agent].epoch


def is_here(s: State, agent: AgentId, framework: FrameworkId) -> bool:
    """Whether an agent has anything of a framework."""
    owed = any(task.framework == framework for task in s.updates[agent])
    return owed or framework in s.hosted[agent]


def knows(s: State, agent: AgentId, task: TaskId) -> bool:
    """Whether an agent runs a task, or has something to say of it."""
    return task in s.runs[agent] or task in s.updates[agent]


# ---- what agents do with queues ------------------------------------------------------------


def put(s: State, agent: AgentId, task: TaskId, status: Status) -> None:
    """An update joins its queue, and is sent if it is the first there."""
    queue = s.updates[agent].get(task, ())
    s.updates[agent] += {task: (*queue, status)}
    if not queue:
        send_head(s, agent, task)


def send_head(s: State, agent: AgentId, task: TaskId) -> None:
    """The oldest update of a task is sent, with the latest state; if a master listens (UPD-17)."""
    me, queue = s.agent[agent], s.updates[agent][task]
    if me.registered:
        s.up[own_link(s, agent)] += Update(me.epoch, task, queue[0], queue[-1].state)


def send_heads(s: State, agent: AgentId, framework: FrameworkId | None = None) -> None:
    """The oldest updates of all tasks, or of one framework's, are sent, by task."""
    for task in s.updates[agent]:
        if framework in (None, task.framework):
            send_head(s, agent, task)


def advance(s: State, agent: AgentId, task: TaskId, status: Status) -> None:
    """A task is in a new state, and its framework is to hear of it."""
    run = s.runs[agent][task]
    phase = Phase.ENDED if is_terminal(status.state) else run.phase
    s.runs[agent] += {task: run._replace(state=status.state, phase=phase)}
    put(s, agent, task, status)


def own_status(state: str, reason: str, task: TaskId, minted: Table[TaskId, Uuid]) -> Status:
    """An update that the agent itself makes (UPD-20)."""
    return Status(state, "SOURCE_AGENT", reason, minted.get(task, MADE_BY_AGENT))


def lost_to(s: State, agent: AgentId, framework: FrameworkId, state: str) -> str:
    """`state` for a framework that the agent knows can tell it from TASK_LOST."""
    hosted = s.hosted[agent].get(framework, None)
    return state if hosted is not None and hosted.partition_aware else "TASK_LOST"


def forget(s: State, agent: AgentId, task: TaskId) -> None:
    """An agent knows nothing of a task any more."""
    s.updates[agent] -= task
    s.runs[agent] -= task


def tidy(s: State, agent: AgentId, framework: FrameworkId) -> None:
    """A framework is forgotten with the last executor, task and update of it."""
    owners = (*s.runners[agent], *s.runs[agent], *s.updates[agent])
    if all(owner.framework != framework for owner in owners):
        s.hosted[agent] -= framework
