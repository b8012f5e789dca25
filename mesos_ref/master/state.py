"""What a leading master knows, and the elementary moves that keep its tables in step.

All of it is soft state (R1): a new leader starts empty and is told everything again. Each fact has
one home and perhaps an index or two; only the methods here touch an index. Amounts are accounted
twice, by agent (`Agent.free`) and by claimant (the allocator), and always together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mesos_ref import link as frames
from mesos_ref.allocator import Allocator
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.timers import Timers
from mesos_ref.resources import Resources
from mesos_ref.step import CloseLink, CloseStream, Did, Effect, IdSource, SendEvent, SendFrame
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    TERMINAL_STATES,
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    MasterInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
)

TaskKey: TypeAlias = tuple[str, str]
"""(framework id, task id)"""
ExecutorKey: TypeAlias = tuple[str, str]
"""(framework id, executor id)"""
Claimant: TypeAlias = tuple[str, str]
"""(framework id, role)"""
ViewKey: TypeAlias = tuple[str, ...]

Standing = Literal["connected", "disconnected", "recovered"]


@dataclass(slots=True, eq=False)
class Task:
    """A task as the master knows it.

    `state` is the latest; `told` and `uuid` are of the last status that went to the framework.
    """

    framework_id: str
    task_id: str
    agent_id: str
    role: str
    resources: Resources
    executor_id: str | None
    info: TaskInfo
    state: TaskState = "TASK_STAGING"
    told: TaskState | None = None
    uuid: bytes | None = None
    killed: bool = False
    last_status: TaskStatus | None = None

    @property
    def key(self) -> TaskKey:
        return self.framework_id, self.task_id

    @property
    def ended(self) -> bool:
        """A state that a task never leaves; it uses nothing any more (UPD-8)."""
        return self.state in TERMINAL_STATES


@dataclass(slots=True, eq=False)
class Executor:
    """A custom executor on an agent. `info` may be unknown after a master failover."""

    framework_id: str
    executor_id: str
    agent_id: str
    role: str
    resources: Resources
    info: ExecutorInfo | None

    @property
    def key(self) -> ExecutorKey:
        return self.framework_id, self.executor_id


@dataclass(slots=True, eq=False)
class Offer:
    """An offer nobody has answered."""

    offer_id: str
    agent_id: str
    framework_id: str
    role: str
    resources: Resources


@dataclass(slots=True, eq=False)
class Filter:
    """What a framework declined; nothing contained in it is offered again while it lives."""

    number: int
    framework_id: str
    agent_id: str
    role: str
    resources: Resources


@dataclass(slots=True, eq=False)
class Agent:
    """A registered agent; it is connected while it has a link."""

    agent_id: str
    info: AgentInfo
    ip: str
    version: str
    total: Resources
    free: Resources
    link: str | None
    offers: dict[str, Offer] = field(default_factory=dict)
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    executors: dict[ExecutorKey, Executor] = field(default_factory=dict)
    #: Oldest first; no empty lists.
    filters: dict[Claimant, list[Filter]] = field(default_factory=dict)
    #: Pings without an answer: since the last Pong, and whether one is on its way now.
    missed_pings: int = 0
    awaits_pong: bool = False


@dataclass(slots=True, eq=False)
class LostAgent:
    """An agent that was marked unreachable, and what it ran then."""

    agent_id: str
    total: Resources
    since_us: int
    tasks: dict[TaskKey, Task]


@dataclass(slots=True, eq=False)
class Framework:
    """A framework that was not removed; it is connected while it has a stream."""

    framework_id: str
    info: FrameworkInfo
    standing: Standing
    stream: str | None
    roles: tuple[str, ...]
    suppressed: frozenset[str]
    partition_aware: bool
    multi_role: bool
    #: By task id, over all agents.
    tasks: dict[str, Task] = field(default_factory=dict)
    #: Those on unreachable agents.
    unreachable: dict[str, Task] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    #: By (agent id, executor id) and by (agent id, role).
    executors: dict[tuple[str, str], Executor] = field(default_factory=dict)
    filters: dict[tuple[str, str], list[Filter]] = field(default_factory=dict)

    def agents(self) -> list[str]:
        """The registered agents that have something of it, in order."""
        found = {task.agent_id for task in self.tasks.values()}
        found.update(agent_id for agent_id, _ in self.executors)
        return sorted(found)


class State:
    """The tables of one master, the step it is taking now, and its elementary moves."""

    def __init__(
        self, config: MasterConfig, ids: IdSource, node_id: str, allocator: Allocator
    ) -> None:
        self.config = config
        self.ids = ids
        self.node_id = node_id
        self.allocator = allocator
        self.was_leader = False
        self.now_us = 0
        self.effects: list[Effect] = []
        self.did: list[Did] = []
        self.watched = False
        self.changed: dict[ViewKey, None] = {}
        self._start_empty()

    def _start_empty(self) -> None:
        self.epoch: int | None = None
        self.master_info: MasterInfo | None = None
        self.elected_us = 0

        self.agents: dict[str, Agent] = {}
        self.lost_agents: dict[str, LostAgent] = {}
        #: Current links and streams only: what comes on others is not heard.
        self.links: dict[str, Agent] = {}
        self.streams: dict[str, Framework] = {}
        self.frameworks: dict[str, Framework] = {}
        self.removed: dict[str, None] = {}
        self.offers: dict[str, Offer] = {}
        self.filters: dict[int, Filter] = {}
        self.next_offer = 0
        self.next_framework = 0
        self.next_filter = 0

        self.filter_timers: Timers[int] = Timers()
        self.offer_timers: Timers[str] = Timers()
        self.ping_timers: Timers[str] = Timers()
        self.unreachable_timers: Timers[str] = Timers()
        self.give_up_timers: Timers[str] = Timers()
        self.timers: tuple[Timers[Any], ...] = (
            self.filter_timers,
            self.offer_timers,
            self.ping_timers,
            self.unreachable_timers,
            self.give_up_timers,
        )
        #: Connected agents whose free resources may find a taker, and those that just found none.
        self.offerable: dict[str, None] = {}
        self.unwanted: dict[str, None] = {}
        self.allocation_us: int | None = None

    def end(self) -> None:
        """The reign is over: know nothing any more."""
        self._start_empty()

    # The step that is being taken ---------------------------------------------------------------

    def send(self, link: str | None, frame: frames.Frame) -> None:
        """Send on a link, if there is one."""
        if link is not None:
            self.effects.append(SendFrame(link, frame))

    def tell(self, framework: Framework, event: scheduler.Event) -> None:
        """Send to a framework, if it is connected."""
        if framework.stream is not None:
            self.effects.append(SendEvent(framework.stream, event))

    def act(self, action: str, **names: object) -> None:
        """Say what is being done, in the specification's words."""
        self.did.append((action, names))

    def mark(self, *key: str) -> None:
        """Remember that this key of the view changes."""
        if self.watched:
            self.changed[key] = None

    @property
    def reign(self) -> int:
        """The epoch that goes into every frame."""
        assert self.epoch is not None, "only a leader sends frames"
        return self.epoch

    @property
    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return self.config.epoch_wall_us + self.now_us

    # Amounts ------------------------------------------------------------------------------------

    def take(self, agent: Agent, framework_id: str, role: str, amount: Resources) -> None:
        """Charge a part of what is free on `agent` to a claimant."""
        agent.free = agent.free - amount
        self.allocator.charge(framework_id, role, amount)

    def give_back(self, agent: Agent, framework_id: str, role: str, amount: Resources) -> None:
        """The reverse of `take`."""
        agent.free = agent.free + amount
        self.allocator.release(framework_id, role, amount)
        self.reconsider(agent)

    def reconsider(self, agent: Agent) -> None:
        """Somebody may want what is free on `agent`."""
        if agent.link is not None:
            self.unwanted.pop(agent.agent_id, None)
            self.offerable[agent.agent_id] = None
            self._wake_allocation()

    def reconsider_unwanted(self) -> None:
        """Somebody new may want what nobody wanted."""
        if self.unwanted:
            self.offerable.update(self.unwanted)
            self.unwanted.clear()
            self._wake_allocation()

    def forget_offerable(self, agent: Agent) -> None:
        """Nothing of `agent` is to be offered for now."""
        self.offerable.pop(agent.agent_id, None)
        self.unwanted.pop(agent.agent_id, None)

    def _wake_allocation(self) -> None:
        if self.allocation_us is None:
            self.allocation_us = self.now_us + self.config.allocation_delay_us

    # Offers and filters -------------------------------------------------------------------------

    def add_offer(self, agent: Agent, framework: Framework, role: str) -> Offer:
        """Offer all that is free on `agent`."""
        offer_id = f"{self.node_id}-O{self.next_offer}"
        self.next_offer += 1
        offer = Offer(offer_id, agent.agent_id, framework.framework_id, role, agent.free)
        self.take(agent, framework.framework_id, role, agent.free)
        self.offers[offer_id] = agent.offers[offer_id] = framework.offers[offer_id] = offer
        if self.config.offer_timeout_us is not None:
            self.offer_timers.set(offer_id, self.now_us + self.config.offer_timeout_us)
        self.mark("offers", offer_id)
        return offer

    def remove_offer(self, offer: Offer) -> None:
        """The offer is void; its resources are free."""
        agent = self.agents[offer.agent_id]
        del self.offers[offer.offer_id]
        del agent.offers[offer.offer_id]
        del self.frameworks[offer.framework_id].offers[offer.offer_id]
        self.offer_timers.cancel(offer.offer_id)
        self.give_back(agent, offer.framework_id, offer.role, offer.resources)
        self.mark("offers", offer.offer_id)

    def add_filter(
        self, agent: Agent, framework: Framework, role: str, amount: Resources, life_us: int
    ) -> None:
        """Remember that `amount` was declined. Nothing, or for no time: nothing to remember."""
        if not amount or life_us <= 0:
            return
        number, self.next_filter = self.next_filter, self.next_filter + 1
        declined = Filter(number, framework.framework_id, agent.agent_id, role, amount)
        here = agent.filters.setdefault((framework.framework_id, role), [])
        framework.filters[(agent.agent_id, role)] = here
        here.append(declined)
        self.filters[number] = declined
        self.filter_timers.set(number, self.now_us + life_us)
        self.mark("filters", framework.framework_id, agent.agent_id, role)

    def remove_filter(self, declined: Filter) -> None:
        """Forget one filter."""
        agent = self.agents[declined.agent_id]
        framework = self.frameworks[declined.framework_id]
        here = agent.filters[(declined.framework_id, declined.role)]
        here.remove(declined)
        if not here:
            del agent.filters[(declined.framework_id, declined.role)]
            del framework.filters[(declined.agent_id, declined.role)]
        del self.filters[declined.number]
        self.filter_timers.cancel(declined.number)
        self.mark("filters", declined.framework_id, declined.agent_id, declined.role)
        self.reconsider(agent)

    def remove_filters(self, lists: Iterable[list[Filter]]) -> None:
        """Forget all of these."""
        for declined in [one for some in list(lists) for one in list(some)]:
            self.remove_filter(declined)

    # Tasks and executors ------------------------------------------------------------------------

    def add_task(self, agent: Agent, framework: Framework, task: Task) -> None:
        """A task is on `agent`; unless it has ended it uses what is free there."""
        agent.tasks[task.key] = framework.tasks[task.task_id] = task
        if not task.ended:
            self.take(agent, task.framework_id, task.role, task.resources)
        self.mark("tasks", *task.key)

    def remove_task(self, agent: Agent, framework: Framework, task: Task) -> None:
        """The record of a task goes."""
        del agent.tasks[task.key]
        del framework.tasks[task.task_id]
        if not task.ended:
            self.give_back(agent, task.framework_id, task.role, task.resources)
        self.mark("tasks", *task.key)

    def turn_task(self, agent: Agent, task: Task, state: TaskState) -> None:
        """The task is in another state; an ended one stays as it is (S8)."""
        if task.ended:
            return
        task.state = state
        if task.ended:
            self.give_back(agent, task.framework_id, task.role, task.resources)

    def add_executor(self, agent: Agent, framework: Framework, executor: Executor) -> None:
        """A custom executor is on `agent`, and uses what is free there."""
        agent.executors[executor.key] = executor
        framework.executors[(agent.agent_id, executor.executor_id)] = executor
        self.take(agent, executor.framework_id, executor.role, executor.resources)
        self.mark("executors", agent.agent_id, *executor.key)

    def remove_executor(self, agent: Agent, executor: Executor) -> None:
        """A custom executor is gone."""
        del agent.executors[executor.key]
        framework = self.frameworks[executor.framework_id]
        del framework.executors[(agent.agent_id, executor.executor_id)]
        self.give_back(agent, executor.framework_id, executor.role, executor.resources)
        self.mark("executors", agent.agent_id, *executor.key)

    # Connections --------------------------------------------------------------------------------

    def set_link(self, agent: Agent, link: str | None) -> None:
        """`agent` speaks on `link` from now on, on no other; None: it is not connected."""
        if agent.link is not None:
            del self.links[agent.link]
        agent.link = link
        if link is not None:
            self.links[link] = agent
            self.reconsider(agent)
        else:
            self.forget_offerable(agent)
        self.mark("agents", agent.agent_id)

    def close_link(self, link: str) -> None:
        """Let go of a connection."""
        self.effects.append(CloseLink(link))

    def set_stream(self, framework: Framework, stream: str | None) -> None:
        """`framework` listens on `stream` from now on, on no other; None: it is not connected."""
        if framework.stream is not None:
            del self.streams[framework.stream]
        framework.stream = stream
        framework.standing = "disconnected" if stream is None else "connected"
        if stream is not None:
            self.streams[stream] = framework
        self.refresh_claims(framework)
        self.mark("frameworks", framework.framework_id)

    def close_stream(self, framework: Framework) -> None:
        """Hang up on a framework, if it is connected."""
        if framework.stream is not None:
            self.effects.append(CloseStream(framework.stream))

    def set_roles(
        self, framework: Framework, roles: tuple[str, ...], suppressed: frozenset[str]
    ) -> None:
        """The framework wants offers in `roles`, but for those that are suppressed."""
        for role in framework.roles:
            if role not in roles:
                self.allocator.unclaim(framework.framework_id, role)
        framework.roles = roles
        framework.suppressed = suppressed
        self.refresh_claims(framework)
        self.mark("frameworks", framework.framework_id)

    def refresh_claims(self, framework: Framework) -> None:
        """Tell the allocator in which roles the framework wants offers now."""
        for role in framework.roles:
            if framework.stream is not None and role not in framework.suppressed:
                if self.allocator.claim(framework.framework_id, role):
                    self.reconsider_unwanted()
            else:
                self.allocator.unclaim(framework.framework_id, role)
