"""Agents, as masters see them: admitted, lost sight of, given up, back again.

                 ┌──────────────lose_agent─────────────┐
    UNKNOWN ──admit──▶ REGISTERED ◀──admit── DISCONNECTED
                           │  ▲                   │
               mark_unreachable└──admit── UNREACHABLE ◀──mark_unreachable
    UNKNOWN ◀──forget_agent────────────────────┘

A master takes an agent's word for what runs there (R1).  A broken connection is not a dead agent:
its tasks stay as they are until it is given up, and even then they may run on, so that they come
back when it does (PRT-4).
"""

from __future__ import annotations

from mesos_spec.domains import agents, epochs, links_to, quiet_agents
from mesos_spec.ids import AgentId, Epoch, ExecutorKey, FrameworkId, LinkId, TaskId
from mesos_spec.kernel import Fifo, Table, action, receive, require
from mesos_spec.masters import charge, enter, in_use, lost_or, release, strike
from mesos_spec.messages import (
    ExecutorReport,
    Exited,
    Failure,
    FrameUp,
    FrameworkInfo,
    Kill,
    Ping,
    Pong,
    Register,
    Registered,
    Shutdown,
    ShutdownFramework,
    TaskReport,
    TaskUpdate,
)
from mesos_spec.network import is_connected, link_of, tell_agent, tell_framework
from mesos_spec.offers import withdraw
from mesos_spec.resources import total
from mesos_spec.state import (
    AgentRecord,
    FrameworkRecord,
    Reign,
    Standing,
    State,
    TaskRecord,
    is_terminal,
)


# ---- coming --------------------------------------------------------------------------------
@action(
    "up agents met_agents capacity frameworks met_frameworks tasks unreachable executors charged "
    "home down events",
    by="master",
    cites=(
        *("AGT-2", "AGT-5", "AGT-6", "AGT-9", "R1", "PRT-4", "PRT-5"),
        *("FWK-18", "FWK-19", "KIL-3", "S7"),
    ),
    epoch=epochs,
    link=links_to,
)
def admit(s: State, epoch: Epoch, link: LinkId) -> None:
    """An agent is registered on a link, and the master takes its word for what runs there (R1).

    What only the master knows of is asked about; what must not run any more is ended (AGT-9).
    """
    asked = receive(s.up[link], Register)
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    require(asked.epoch == epoch, "the agent means this reign")
    require(is_acceptable(s, epoch, link.agent, asked), "its declaration is in order")

    s.up[link] -= asked
    agent, was = link.agent, s.agents[epoch, link.agent]
    s.agents[epoch, agent] = AgentRecord(Standing.REGISTERED, link, asked.total)
    s.met_agents[epoch] |= {agent}
    s.capacity[epoch] += asked.total - in_use(was)
    adopt_frameworks(s, epoch, asked)
    lacking = [task for task in known_on(s, epoch, agent) if task not in asked.tasks]
    unwanted = [task for task in asked.tasks if is_elsewhere(s, epoch, agent, task)]
    adopt_tasks(s, epoch, agent, asked)
    adopt_executors(s, epoch, agent, asked)
    tell_agent(s, epoch, agent, Registered(epoch, tuple(lacking)))
    if was.standing == Standing.UNREACHABLE:
        tell_they_are_back(s, epoch, agent, asked)
    end_what_must_not_run(s, epoch, agent, asked, unwanted)


@action(
    "up down",
    by="master",
    cites=("AGT-1",),
    epoch=epochs,
    link=links_to,
)
def shut_out(s: State, epoch: Epoch, link: LinkId) -> None:
    """An agent whose version or declaration is unusable may not join (AGT-1)."""
    asked = receive(s.up[link], Register)
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    require(asked.epoch == epoch, "the agent means this reign")
    require(not is_acceptable(s, epoch, link.agent, asked), "its declaration is not in order")

    s.up[link] -= asked
    s.down[link] += Shutdown(epoch)


@action("up", by="master", cites=("S19", "UPD-7", "EXE-6"), epoch=epochs, link=links_to)
def ignore_frame_up(s: State, epoch: Epoch, link: LinkId) -> None:
    """A frame has no effect: of another reign, of a link that was replaced, of an executor that
    the master does not have (S19, UPD-7, EXE-6)."""
    require(s.reign[epoch] == Reign.LEADING, "the master leads")
    require(len(s.up[link]) > 0, "something is in flight to the master")
    heard = s.up[link].mail[0]
    meant = heard.epoch == epoch and is_for(s, epoch, link, heard)
    require(not meant, "it is of another reign, or of nobody who is registered on the link")

    s.up[link] -= heard


# ---- being there ---------------------------------------------------------------------------
@action(
    "down",
    by="master",
    after="agent_ping_timeout",
    cites=("AGT-8",),
    epoch=epochs,
    agent=quiet_agents,
)
def ping(s: State, epoch: Epoch, agent: AgentId) -> None:
    """A master asks a registered agent whether it is there (AGT-8)."""
    require(is_connected(s, epoch, agent), "the agent is connected")

    tell_agent(s, epoch, agent, Ping(epoch))


@action("up", by="master", cites=("AGT-8",), epoch=epochs, agent=agents)
def hear_pong(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An agent is there (AGT-8).  Only the clock is concerned, and the specification has none."""
    heard = receive(s.up[link_of(s, epoch, agent)], Pong)

    s.up[link_of(s, epoch, agent)] -= heard


# ---- going ---------------------------------------------------------------------------------
@action(
    "up agents offers charged events",
    by="master",
    cites=("AGT-11", "OFR-5", "S6", "PRT-11"),
    epoch=epochs,
    agent=agents,
)
def lose_agent(s: State, epoch: Epoch, agent: AgentId) -> None:
    """The link to an agent breaks: its offers are withdrawn, its tasks may run on (AGT-11)."""
    was = s.agents[epoch, agent]
    require(was.standing == Standing.REGISTERED, "the agent is connected")

    s.up[link_of(s, epoch, agent)] = Fifo()
    s.agents[epoch, agent] = was._replace(standing=Standing.DISCONNECTED, link=None)
    for offer in s.offers[epoch, agent]:
        withdraw(s, epoch, offer)


@action(
    "up agents capacity offers tasks unreachable executors charged filters home events",
    by="master",
    after="agent_ping_timeout agent_reregister_timeout",
    cites=(
        "PRT-1",
        "PRT-2",
        "PRT-3",
        "AGT-8",
        "OFR-5",
        "FLT-5",
        "S8",
        "R3",
        "ALC-28",
        "PRT-11",
        "S11",
    ),
    epoch=epochs,
    agent=agents,
)
def mark_unreachable(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An agent that was silent for too long is given up: everybody it concerns is told (PRT-1).

    Its tasks may be running still; they are kept aside, in case it comes back (PRT-2).
    """
    was = s.agents[epoch, agent]
    there = was.standing in (Standing.REGISTERED, Standing.DISCONNECTED)
    require(there, "the agent is registered, or disconnected")

    s.up[link_of(s, epoch, agent)] = Fifo()
    s.agents[epoch, agent] = was._replace(standing=Standing.UNREACHABLE, link=None)
    s.capacity[epoch] -= was.total
    for task in s.tasks[epoch, agent]:
        lose_sight_of(s, epoch, agent, task)
    for key, executor in s.executors[epoch, agent].items():
        release(s, epoch, key.framework, executor.role, executor.resources)
    s.executors[epoch, agent] = Table()
    for offer in s.offers[epoch, agent]:
        withdraw(s, epoch, offer)
    for framework in sorted(s.met_frameworks[epoch]):
        forget_filters_on(s, epoch, framework, agent)
        tell_framework(s, epoch, framework, Failure(agent))


@action(
    "agents met_agents unreachable home",
    by="master",
    cites=("PRT-6", "S11"),
    epoch=epochs,
    agent=agents,
)
def forget_agent(s: State, epoch: Epoch, agent: AgentId) -> None:
    """An agent that was given up long ago is forgotten, and with it the tasks that were lost sight
    of there: memory is bounded (PRT-6).  It may still come back, as one that is unknown."""
    standing = s.agents[epoch, agent].standing
    require(standing == Standing.UNREACHABLE, "the agent was given up")

    for task in s.unreachable[epoch, agent]:
        s.home[epoch, task] = None
    s.unreachable[epoch, agent] = Table()
    s.agents[epoch, agent] = AgentRecord()
    s.met_agents[epoch] -= {agent}


def lose_sight_of(s: State, epoch: Epoch, agent: AgentId, task: TaskId) -> None:
    """A task is on an agent that was given up: its framework is told, ended or not (PRT-3)."""
    record = s.tasks[epoch, agent][task]
    state = lost_or(s, epoch, task.framework, "TASK_UNREACHABLE")
    strike(s, epoch, agent, task)
    kept = record._replace(
        state=record.state if is_terminal(record.state) else state, told=state, uuid=None
    )
    s.unreachable[epoch, agent] += {task: kept}
    s.home[epoch, task] = agent
    update = TaskUpdate(task, agent, state, "SOURCE_MASTER", "REASON_AGENT_REMOVED")
    tell_framework(s, epoch, task.framework, update)


def forget_filters_on(s: State, epoch: Epoch, framework: FrameworkId, agent: AgentId) -> None:
    """What a framework refused of an agent is forgotten with the agent (FLT-5)."""
    for where, role in s.filters[epoch, framework]:
        if where == agent:
            s.filters[epoch, framework] -= (where, role)


# ---- what a registration means -------------------------------------------------------------
def known_on(s: State, epoch: Epoch, agent: AgentId) -> Table[TaskId, TaskRecord]:
    """The tasks a master knows on an agent, given up or not."""
    return s.tasks[epoch, agent] + s.unreachable[epoch, agent]


def is_elsewhere(s: State, epoch: Epoch, agent: AgentId, task: TaskId) -> bool:
    """Whether a master knows a task on another agent (S7)."""
    return s.home[epoch, task] not in (None, agent)


def is_welcome(s: State, epoch: Epoch, framework: FrameworkId) -> bool:
    """Whether anything of a framework may run."""
    return s.frameworks[epoch, framework].standing != Standing.REMOVED


def new_tasks(s: State, epoch: Epoch, agent: AgentId, asked: Register) -> dict[TaskId, TaskReport]:
    """The tasks that a master learns of from an agent, or finds again with it (AGT-9, PRT-4)."""
    return {
        task: report
        for task, report in asked.tasks.items()
        if task not in s.tasks[epoch, agent]
        and is_welcome(s, epoch, task.framework)
        and not is_elsewhere(s, epoch, agent, task)
    }


def executors_after(
    s: State, epoch: Epoch, agent: AgentId, asked: Register
) -> Table[ExecutorKey, ExecutorReport]:
    """The executors on an agent are those it reports (AGT-9)."""
    known = s.executors[epoch, agent]
    return Table(
        (key, known.get(key, report))
        for key, report in asked.executors.items()
        if is_welcome(s, epoch, key.framework)
    )


def tasks_after(
    s: State, epoch: Epoch, agent: AgentId, asked: Register
) -> Table[TaskId, TaskRecord]:
    """The tasks on an agent are those the master knew, and those it learns of (AGT-9)."""
    known = known_on(s, epoch, agent)
    learnt = {}
    for task, report in new_tasks(s, epoch, agent, asked).items():
        killed = report.killed or (task in known and known[task].killed)
        learnt[task] = TaskRecord(*report)._replace(killed=killed)
    return known + learnt


def is_acceptable(s: State, epoch: Epoch, agent: AgentId, asked: Register) -> bool:
    """Whether an agent may join: its declaration is usable, and covers what is promised of it."""
    tasks = (task.held for task in tasks_after(s, epoch, agent, asked).values())
    executors = (one.resources for one in executors_after(s, epoch, agent, asked).values())
    promised = total(*tasks, *executors) + s.offered(epoch, agent)
    return asked.usable and promised <= asked.total


def adopt_frameworks(s: State, epoch: Epoch, asked: Register) -> None:
    """A framework of which only its tasks are known is *recovered* (FWK-19)."""
    for framework in sorted({key.framework for key in (*asked.tasks, *asked.executors)}):
        if s.frameworks[epoch, framework].standing == Standing.UNKNOWN:
            roles, aware, keeps = asked.frameworks.get(framework, FrameworkInfo(()))
            record = FrameworkRecord(Standing.RECOVERED, None, roles, (), aware, keeps)
            s.frameworks[epoch, framework] = record
            s.met_frameworks[epoch] |= {framework}


def adopt_tasks(s: State, epoch: Epoch, agent: AgentId, asked: Register) -> None:
    """The master's tasks on the agent become what they are after its report."""
    after = tasks_after(s, epoch, agent, asked)
    s.unreachable[epoch, agent] = Table()
    for task, record in after.items():
        enter(s, epoch, agent, task, record)


def adopt_executors(s: State, epoch: Epoch, agent: AgentId, asked: Register) -> None:
    """The master's executors on the agent become what they are after its report."""
    after = executors_after(s, epoch, agent, asked)
    for key, executor in s.executors[epoch, agent].items():
        release(s, epoch, key.framework, executor.role, executor.resources)
    for key, executor in after.items():
        charge(s, epoch, key.framework, executor.role, executor.resources)
    s.executors[epoch, agent] = after


def tell_they_are_back(s: State, epoch: Epoch, agent: AgentId, asked: Register) -> None:
    """An agent that was given up is back: how its tasks are is told to their frameworks (PRT-4)."""
    for task in asked.tasks:
        if task in s.tasks[epoch, agent]:
            state = s.tasks[epoch, agent][task].state
            told = TaskUpdate(task, agent, state, "SOURCE_MASTER", "REASON_AGENT_REREGISTERED")
            tell_framework(s, epoch, task.framework, told)


def end_what_must_not_run(
    s: State, epoch: Epoch, agent: AgentId, asked: Register, unwanted: list[TaskId]
) -> None:
    """Of removed frameworks, to be killed, or known elsewhere (FWK-18, KIL-3, S7)."""
    named = {key.framework for key in (*asked.tasks, *asked.executors)} | {*asked.frameworks}
    for framework in sorted(named):
        if not is_welcome(s, epoch, framework):
            tell_agent(s, epoch, agent, ShutdownFramework(epoch, framework))
    for task in asked.tasks:
        record = s.tasks[epoch, agent].get(task, None)
        doomed = record is not None and record.killed and not is_terminal(record.state)
        if doomed or task in unwanted:
            tell_agent(s, epoch, agent, Kill(epoch, task))


def is_for(s: State, epoch: Epoch, link: LinkId, heard: FrameUp) -> bool:
    """Whether a frame means something to a master: it registers, or comes from who is registered;
    and an executor that ended was known."""
    if isinstance(heard, Exited) and heard.executor not in s.executors[epoch, link.agent]:
        return False
    return isinstance(heard, Register) or s.agents[epoch, link.agent].link == link
