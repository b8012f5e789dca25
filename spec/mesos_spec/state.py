"""What there is: the one state of the specification.

    what each master believes          keyed by its epoch
    what each agent knows              keyed by agent
    what each scheduler knows          keyed by scheduler
    mail in flight                     keyed by connection

Every table is kept where its owner is: a master's tasks under the agent that runs them, filters
under the framework that set them.  So an action on one agent reads nothing of the others.  Sums
over many owners (`charged`, `capacity`) and the way from a task to its agent (`home`) are carried
along; properties tie them to what they summarise.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from mesos_spec.bounds import Bounds
from mesos_spec.ids import (
    AgentId,
    Epoch,
    ExecutorKey,
    FrameworkId,
    LineId,
    LinkId,
    OfferId,
    Role,
    SchedulerId,
    StreamId,
    TaskId,
    Uuid,
)  # fmt: skip
from mesos_spec.kernel import Cells, Const, Fifo, Per, Table, Tally, per
from mesos_spec.messages import (
    AnyCall,
    Event,
    ExecutorReport,
    FrameDown,
    FrameUp,
    FrameworkInfo,
    Status,
    ToldExecutor,
)  # fmt: skip
from mesos_spec.resources import NOTHING, Resources

# ---- words ---------------------------------------------------------------------------------
TERMINAL = frozenset(
    {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_ERROR",
        "TASK_LOST",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
)


def is_terminal(state: str | None) -> bool:
    """Whether a task in `state` has ended for good (S8)."""
    return state in TERMINAL


class Reign(StrEnum):
    """One master's time as leader."""

    NONE = "not elected"
    LEADING = "leading"
    ENDED = "ended"


class Standing(StrEnum):
    """What a master thinks of an agent, or of a framework."""

    UNKNOWN = "unknown"
    REGISTERED = "registered"  #: agent
    UNREACHABLE = "unreachable"  #: agent
    CONNECTED = "connected"  #: framework
    RECOVERED = "recovered"  #: framework, known only from agents (FWK-19)
    REMOVED = "removed"  #: framework, for good (S14)
    DISCONNECTED = "disconnected"  #: either


class Phase(StrEnum):
    """How far an agent is with an executor, or with a task."""

    REGISTERING = "registering"  #: executor, has not subscribed
    RUNNING = "running"  #: executor
    TERMINATING = "terminating"  #: executor, was told to end
    QUEUED = "queued"  #: task, waits for its executor
    LAUNCHED = "launched"  #: task, its executor has it
    ENDED = "ended"  #: task, in a terminal state that waits for its acknowledgement


class Mood(StrEnum):
    """How far a scheduler is with its subscription."""

    DISCONNECTED = "disconnected"
    SUBSCRIBING = "subscribing"
    SUBSCRIBED = "subscribed"
    STOPPED = "stopped"


# ---- what a master believes ----------------------------------------------------------------
class AgentRecord(NamedTuple):
    """An agent, to a master.  `link` is the connection it is registered on."""

    standing: Standing = Standing.UNKNOWN
    link: LinkId | None = None
    total: Resources = NOTHING


class FrameworkRecord(NamedTuple):
    """A framework, to a master.  `stream` is where it listens."""

    standing: Standing = Standing.UNKNOWN
    stream: StreamId | None = None
    roles: tuple[Role, ...] = ()
    suppressed: tuple[Role, ...] = ()
    partition_aware: bool = False
    checkpoint: bool = False

    @property
    def info(self) -> FrameworkInfo:
        """What agents are told about it."""
        return FrameworkInfo(self.roles, self.partition_aware, self.checkpoint)


class Offer(NamedTuple):
    """Resources of one agent, promised to one framework in one of its roles."""

    framework: FrameworkId
    role: Role
    resources: Resources


class TaskRecord(NamedTuple):
    """A task, to a master.

    `told` and `uuid` are those of the last reliable update that went through it, `state` is the
    latest it has heard of, and `killed` that its framework wants it ended.
    """

    role: Role
    resources: Resources
    executor: str | None
    state: str
    told: str | None = None
    uuid: Uuid | None = None
    killed: bool = False

    @property
    def held(self) -> Resources:
        """What it keeps from others: nothing, once it has ended (UPD-8)."""
        return NOTHING if is_terminal(self.state) else self.resources


# ---- what agents and schedulers know -------------------------------------------------------
class AgentProcess(NamedTuple):
    """An agent's process: the newest reign it knows of, and its connection to that master."""

    up: bool = False
    epoch: Epoch = 0
    link: LinkId | None = None
    registered: bool = False


class Runner(NamedTuple):
    """An executor, to its agent.

    `queue` are the tasks that wait for it, oldest first; `used` that it was ever given one; `late`
    that it did not subscribe in time; `away` that it was there before the agent restarted, and has
    not come back; `disowned` that its framework was removed.
    """

    phase: Phase
    command: bool
    role: Role
    resources: Resources
    stream: str | None = None
    queue: tuple[TaskId, ...] = ()
    used: bool = False
    late: bool = False
    away: bool = False
    disowned: bool = False


class Run(NamedTuple):
    """A task, to its agent.  `seen` are the uuids of the updates its executors sent."""

    executor: str
    command: bool
    phase: Phase
    state: str
    role: Role
    resources: Resources
    killed: bool = False
    seen: frozenset[Uuid] = frozenset()


class Scheduler(NamedTuple):
    """A scheduler's process: who it is, the newest reign it knows of, where it is subscribed."""

    framework: FrameworkId | None = None
    stream: StreamId | None = None
    epoch: Epoch = 0
    mood: Mood = Mood.DISCONNECTED
    line: LineId | None = None


class HeldOffer(NamedTuple):
    """An offer that a scheduler may use."""

    role: Role
    resources: Resources


# ---- sums ----------------------------------------------------------------------------------
Claimed = tuple[FrameworkId, Role, str]  #: who has something, and the name of what it is


def _claimed(framework: FrameworkId, role: Role, held: Resources) -> dict[Claimed, int]:
    return {(framework, role, name): n for name, n in held.items()}


#: What a master's tables promise to whom.
OFFERS_HOLD = Tally(lambda offer, made: _claimed(made.framework, made.role, made.resources))
TASKS_HOLD = Tally(lambda task, record: _claimed(task.framework, record.role, record.held))
EXECUTORS_HOLD = Tally(lambda key, one: _claimed(key.framework, one.role, one.resources))

#: How much of each framework there is, in a table whose keys say whose they are.
OWNERS = Tally(lambda key, value: {key.framework: 1})


def _summed(*sums: Mapping[Claimed, int]) -> Resources:
    """What is promised, to whomever."""
    amounts: dict[str, int] = {}
    for one in sums:
        for (_, _, name), n in one.items():
            amounts[name] = amounts.get(name, 0) + n
    return Resources(amounts)


# ---- the state -----------------------------------------------------------------------------
class State(Cells):
    """Everything the specification knows."""

    bounds: Const[Bounds] = Bounds()

    # masters: who leads, and whom each has met
    newest: Epoch = 0
    reign: Per[Epoch, Reign] = per(Reign.NONE)
    met_agents: Per[Epoch, frozenset[AgentId]] = per(frozenset())
    met_frameworks: Per[Epoch, frozenset[FrameworkId]] = per(frozenset())

    # masters: what each believes
    agents: Per[tuple[Epoch, AgentId], AgentRecord] = per(AgentRecord())
    offers: Per[tuple[Epoch, AgentId], Table[OfferId, Offer]] = per(Table())
    tasks: Per[tuple[Epoch, AgentId], Table[TaskId, TaskRecord]] = per(Table())
    unreachable: Per[tuple[Epoch, AgentId], Table[TaskId, TaskRecord]] = per(Table())
    executors: Per[tuple[Epoch, AgentId], Table[ExecutorKey, ExecutorReport]] = per(Table())
    frameworks: Per[tuple[Epoch, FrameworkId], FrameworkRecord] = per(FrameworkRecord())
    filters: Per[tuple[Epoch, FrameworkId], Table[tuple[AgentId, Role], tuple[Resources, ...]]] = (
        per(Table())
    )

    # masters: carried along
    charged: Per[tuple[Epoch, FrameworkId], Table[Role, Resources]] = per(Table())
    capacity: Per[Epoch, Resources] = per(NOTHING)
    home: Per[tuple[Epoch, TaskId], AgentId | None] = per(None)

    # agents
    agent: Per[AgentId, AgentProcess] = per(AgentProcess())
    hosted: Per[AgentId, Table[FrameworkId, FrameworkInfo]] = per(Table())
    runners: Per[AgentId, Table[ExecutorKey, Runner]] = per(Table())
    runs: Per[AgentId, Table[TaskId, Run]] = per(Table())
    updates: Per[AgentId, Table[TaskId, tuple[Status, ...]]] = per(Table())

    # schedulers
    scheduler: Per[SchedulerId, Scheduler] = per(Scheduler())
    held: Per[SchedulerId, Table[OfferId, HeldOffer]] = per(Table())
    owed: Per[SchedulerId, Table[tuple[TaskId, Uuid], AgentId]] = per(Table())
    asked_for: Per[TaskId, bool] = per(False)  #: task ids that schedulers have used
    noted: Per[TaskId, str | None] = per(
        None
    )  #: what they last heard of tasks, where that is asked

    # mail in flight
    up: Per[LinkId, Fifo[FrameUp]] = per(Fifo())
    down: Per[LinkId, Fifo[FrameDown]] = per(Fifo())
    calls: Per[LineId, Fifo[AnyCall]] = per(Fifo())
    answer: Per[LineId, StreamId | None] = per(None)  #: the stream a scheduler hears on its line
    events: Per[StreamId, Fifo[Event]] = per(Fifo())
    to_executor: Per[tuple[AgentId, FrameworkId, str], Fifo[ToldExecutor]] = per(Fifo())

    def used(self, epoch: Epoch, agent: AgentId) -> Resources:
        """What runs on an agent, as that master knows: tasks that have not ended, executors."""
        tasks, executors = self.tasks[epoch, agent], self.executors[epoch, agent]
        return _summed(tasks.tally(TASKS_HOLD), executors.tally(EXECUTORS_HOLD))

    def offered(self, epoch: Epoch, agent: AgentId) -> Resources:
        """What a master has promised of an agent."""
        return _summed(self.offers[epoch, agent].tally(OFFERS_HOLD))

    def free(self, epoch: Epoch, agent: AgentId) -> Resources:
        """What of an agent is neither used nor offered."""
        whole = self.agents[epoch, agent].total
        return whole - self.used(epoch, agent) - self.offered(epoch, agent)
