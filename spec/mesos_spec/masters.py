"""Masters: elected to lead, until their reign ends.

A master leads at most once.  Its reign has a number, the *epoch*; what it believes is soft state,
kept under that number, and gone when the reign ends (R1).  Nothing here keeps an older master from
acting while a newer one leads: it may not know yet.  What makes that harmless is that agents and
schedulers obey no reign older than the newest they know of (S19).

    NONE ──lead──▶ LEADING ──end_reign──▶ ENDED
"""

from __future__ import annotations

from mesos_spec.domains import epochs
from mesos_spec.ids import AgentId, Epoch, FrameworkId, Role, TaskId
from mesos_spec.kernel import Table, action, require
from mesos_spec.messages import Call
from mesos_spec.resources import NOTHING, Resources
from mesos_spec.state import (
    AgentRecord,
    FrameworkRecord,
    Reign,
    Standing,
    State,
    TaskRecord,
)


@action("newest reign", by="master", cites=("R1", "R2", "MFO-6"), epoch=epochs)
def lead(s: State, epoch: Epoch) -> None:
    """A master is elected, and starts to lead knowing nothing (R1, R2, MFO-6)."""
    require(epoch > s.newest, "no reign this new has been")

    s.newest = epoch
    s.reign[epoch] = Reign.LEADING


@action(
    "reign met_agents met_frameworks agents offers tasks unreachable executors frameworks filters "
    "charged capacity home",
    by="master",
    cites=("R1", "MFO-6", "MFO-10"),
    epoch=epochs,
)
def end_reign(s: State, epoch: Epoch) -> None:
    """A master dies, or learns that it leads no more; what it believed is gone (R1, MFO-6)."""
    require(s.reign[epoch] == Reign.LEADING, "the master leads")

    s.reign[epoch] = Reign.ENDED
    for agent in s.met_agents[epoch]:
        for task in (*s.tasks[epoch, agent], *s.unreachable[epoch, agent]):
            s.home[epoch, task] = None
        s.agents[epoch, agent] = AgentRecord()
        s.offers[epoch, agent] = Table()
        s.tasks[epoch, agent] = s.unreachable[epoch, agent] = Table()
        s.executors[epoch, agent] = Table()
    for framework in s.met_frameworks[epoch]:
        s.frameworks[epoch, framework] = FrameworkRecord()
        s.filters[epoch, framework] = Table()
        s.charged[epoch, framework] = Table()
    s.capacity[epoch] = NOTHING
    s.met_agents[epoch], s.met_frameworks[epoch] = frozenset(), frozenset()


# ---- what all of a master's actions use ----------------------------------------------------
def is_subscribed(s: State, epoch: Epoch, call: Call) -> bool:
    """Whether a call is of a connected framework, and of the stream it listens to (S13)."""
    record = s.frameworks[epoch, call.framework]
    return record.standing == Standing.CONNECTED and record.stream == call.stream


def lost_or(s: State, epoch: Epoch, framework: FrameworkId, state: str) -> str:
    """`state` for a framework that can tell it from TASK_LOST."""
    return state if s.frameworks[epoch, framework].partition_aware else "TASK_LOST"


def charge(s: State, epoch: Epoch, framework: FrameworkId, role: Role, amount: Resources) -> None:
    """Resources are promised to a framework, or used by it."""
    charged = s.charged[epoch, framework]
    rest = charged.get(role, NOTHING) + amount
    s.charged[epoch, framework] = charged + {role: rest} if rest else charged - role


def release(s: State, epoch: Epoch, framework: FrameworkId, role: Role, amount: Resources) -> None:
    """Resources are free again."""
    charge(s, epoch, framework, role, NOTHING - amount)


def enter(s: State, epoch: Epoch, agent: AgentId, task: TaskId, record: TaskRecord) -> None:
    """A master takes note of a task on an agent, or of how it is now; it is charged for it."""
    known = s.tasks[epoch, agent].get(task, None)
    if known is not None and known.held != record.held:
        release(s, epoch, task.framework, known.role, known.held)
    if known is None or known.held != record.held:
        charge(s, epoch, task.framework, record.role, record.held)
    s.tasks[epoch, agent] += {task: record}
    s.home[epoch, task] = agent


def strike(s: State, epoch: Epoch, agent: AgentId, task: TaskId) -> None:
    """A master forgets a task; what it held is free again."""
    record = s.tasks[epoch, agent][task]
    release(s, epoch, task.framework, record.role, record.held)
    s.tasks[epoch, agent] -= task
    s.home[epoch, task] = None


def in_use(record: AgentRecord) -> Resources:
    """What an agent adds to the cluster: all it has, while it is registered or may come back."""
    there = record.standing in (Standing.REGISTERED, Standing.DISCONNECTED)
    return record.total if there else NOTHING
