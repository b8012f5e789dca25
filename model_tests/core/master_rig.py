"""A master core on a bench: agents and schedulers in one line each, and every step checked.

After each event the rig demands that nothing is violated (`violations`), and that the changes the
core tells add up to its view. What was sent is kept by link and by stream, decoded nowhere: tests
see the very messages.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mesos_ref import link as frames
from mesos_ref.allocator import Allocator
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore, violations
from mesos_ref.master.effects import Answer, CloseLink, CloseStream, SendEvent, SendFrame
from mesos_ref.master.events import (
    Call,
    Deposed,
    Elected,
    Event,
    Frame,
    LinkEnded,
    StreamEnded,
    Tick,
)
from mesos_ref.resources import Resources
from mesos_ref.step import Step
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    AgentInfo,
    Capability,
    CapabilityType,
    CommandInfo,
    ExecutorInfo,
    Filters,
    FrameworkInfo,
    Launch,
    MasterInfo,
    Operation,
    TaskInfo,
    TaskState,
    TaskStatus,
)

EPOCH = 7
SECOND = 1_000_000
WALL_US = 1_700_000_000_000_000


class Ids:
    """Ids that count."""

    def __init__(self) -> None:
        self.drawn = 0

    def uuid(self) -> str:
        """The next id."""
        self.drawn += 1
        return f"uuid-{self.drawn}"

    def uuid_bytes(self) -> bytes:
        """The next uuid of an update."""
        self.drawn += 1
        return self.drawn.to_bytes(16, "big")


def uuid(n: int) -> bytes:
    """The n-th update uuid."""
    return n.to_bytes(16, "big")


@dataclass
class Scheduler:
    """A subscribed scheduler as the bench knows it."""

    framework_id: str
    stream: str


@dataclass
class Rig:
    """One master core, its clock, and all it sent."""

    config: MasterConfig = field(default_factory=lambda: MasterConfig(epoch_wall_us=WALL_US))
    elect: bool = True
    allocator: Allocator | None = None

    def __post_init__(self) -> None:
        self.core = MasterCore(self.config, Ids(), "M", self.allocator)
        self.core.watched = True
        self.now_us = 0
        self.folded: dict[str, Any] = {}
        self.frames: defaultdict[str, list[Any]] = defaultdict(list)
        self.events: defaultdict[str, list[Any]] = defaultdict(list)
        self.answers: list[Answer] = []
        self.closed: list[str] = []
        self.last = Step()
        self.count = 0
        if self.elect:
            self.hear(Elected(EPOCH, MasterInfo(id="M", ip=0)))

    # Hearing ----------------------------------------------------------------------------------

    def hear(self, event: Event) -> Step:
        """Feed one event at the bench's time; check what must hold after it."""
        self.last = step = self.core.handle(event, self.now_us)
        for effect in step.effects:
            match effect:
                case SendFrame(link=link, frame=frame):
                    self.frames[link].append(frame)
                case SendEvent(stream=stream, event=sent):
                    self.events[stream].append(sent)
                case CloseLink(link=name) | CloseStream(stream=name):
                    self.closed.append(name)
                case Answer():
                    self.answers.append(effect)
                case _:
                    pass
        assert violations(self.core) == []
        self.fold()
        return step

    def fold(self) -> None:
        """The changes told so far are the view."""
        for key, value in self.core.take_changes().items():
            if value is None:
                self.folded.pop(key, None)
            else:
                self.folded[key] = value
        assert self.folded == self.core.view()

    def tick(self, seconds: float = 0) -> Step:
        """Let time pass, then tick once."""
        self.now_us += round(seconds * SECOND)
        return self.hear(Tick())

    def run_for(self, seconds: float) -> list[str]:
        """Let time pass, ticking whenever the core wants it; what was done."""
        until_us = self.now_us + round(seconds * SECOND)
        did: list[str] = []
        while (next_us := self.core.next_deadline) is not None and next_us <= until_us:
            self.now_us = max(self.now_us, next_us)
            did += [name for name, _ in self.hear(Tick()).did]
        self.now_us = until_us
        return did

    @property
    def did(self) -> list[str]:
        """The actions of the last step."""
        return [name for name, _ in self.last.did]

    def fresh(self, what: str) -> str:
        """An id nobody had."""
        self.count += 1
        return f"{what}{self.count}"

    def depose(self) -> Step:
        """The reign ends."""
        return self.hear(Deposed("test"))

    # Agents -----------------------------------------------------------------------------------

    def register(self, agent_id: str, link: str | None = None, **changes: Any) -> str:
        """An agent registers, on a fresh link unless told; the link."""
        link = link or self.fresh("link")
        total = changes.pop("total", Resources.of(cpus=4, mem=1024))
        register = frames.Register(
            epoch=EPOCH,
            agent_id=agent_id,
            info=AgentInfo(hostname=f"{agent_id}.example", resources=total.to_wire()),
            version="1.12.0",
            newest_epoch=EPOCH,
        )
        self.hear(Frame(link, 0, msgspec.structs.replace(register, **changes)))
        return link

    def frame(self, link: str, frame: Any) -> Step:
        """An agent says something on its link."""
        return self.hear(Frame(link, 1, frame))

    def update(
        self,
        link: str,
        framework: Scheduler | str,
        task_id: str,
        state: TaskState,
        n: int = 1,
        latest: TaskState | None = None,
    ) -> Step:
        """An agent reports a status, whose uuid is the n-th."""
        framework_id = framework if isinstance(framework, str) else framework.framework_id
        status = TaskStatus(
            task_id=task_id, state=state, uuid=uuid(n), source="SOURCE_EXECUTOR", agent_id="a1"
        )
        update = frames.Update(
            epoch=EPOCH, framework_id=framework_id, status=status, latest_state=latest or state
        )
        return self.frame(link, update)

    def end_link(self, link: str) -> Step:
        """A link breaks."""
        return self.hear(LinkEnded(link))

    # Schedulers -------------------------------------------------------------------------------

    def subscribe(self, framework_id: str | None = None, **changes: Any) -> Scheduler:
        """A scheduler subscribes on a fresh stream; PARTITION_AWARE and in role `r` unless told."""
        stream = self.fresh("stream")
        suppressed = changes.pop("suppressed", ())
        info = framework_info(framework_id, **changes)
        call = scheduler.Call(
            type="SUBSCRIBE",
            framework_id=info.id,
            subscribe=scheduler.Subscribe(framework_info=info, suppressed_roles=suppressed),
        )
        self.hear(Call(self.fresh("request"), ("ext", self.count), None, call, stream))
        subscribed = [e.subscribed for e in self.events[stream] if e.type == "SUBSCRIBED"]
        framework = subscribed[0].framework_id if subscribed else ""
        return Scheduler(framework, stream)

    def call(self, who: Scheduler, kind: str, part: Any = None, stream: str | None = None) -> Step:
        """A subscribed scheduler calls; `part` is the sub-message of that type."""
        parts = {} if part is None else {kind.lower(): part}
        call = scheduler.Call(type=kind, framework_id=who.framework_id, **parts)
        request = self.fresh("request")
        return self.hear(Call(request, ("ext", self.count), stream or who.stream, call, "unused"))

    def offers(self, who: Scheduler) -> list[str]:
        """The standing offers of a framework, oldest first."""
        framework = self.core.state.frameworks.get(who.framework_id)
        return [] if framework is None else list(framework.offers)

    def accept(
        self, who: Scheduler, *tasks: TaskInfo, offers: list[str] | None = None, refuse_s: float = 5
    ) -> Step:
        """ACCEPT with one LAUNCH, of all standing offers unless told."""
        launch = Operation(type="LAUNCH", launch=Launch(task_infos=tasks))
        part = scheduler.Accept(
            offer_ids=tuple(self.offers(who) if offers is None else offers),
            operations=(launch,),
            filters=Filters(refuse_seconds=refuse_s),
        )
        return self.call(who, "ACCEPT", part)

    def decline(self, who: Scheduler, offers: list[str] | None = None, refuse_s: float = 5) -> Step:
        """DECLINE all standing offers unless told."""
        named = tuple(self.offers(who) if offers is None else offers)
        filters = Filters(refuse_seconds=refuse_s)
        return self.call(who, "DECLINE", scheduler.Decline(offer_ids=named, filters=filters))

    def acknowledge(self, who: Scheduler, task_id: str, n: int = 1, agent_id: str = "a1") -> Step:
        """ACKNOWLEDGE the n-th uuid."""
        part = scheduler.Acknowledge(agent_id=agent_id, task_id=task_id, uuid=uuid(n))
        return self.call(who, "ACKNOWLEDGE", part)

    def kill(self, who: Scheduler, task_id: str, agent_id: str | None = None) -> Step:
        """KILL."""
        return self.call(who, "KILL", scheduler.Kill(task_id=task_id, agent_id=agent_id))

    def end_stream(self, who: Scheduler) -> Step:
        """A scheduler's connection breaks."""
        return self.hear(StreamEnded(who.stream))

    def statuses(self, who: Scheduler) -> list[tuple[str, str, str | None]]:
        """(task, state, reason) of all updates on a stream."""
        found = [event.update.status for event in self.events[who.stream] if event.type == "UPDATE"]
        return [(status.task_id, status.state, status.reason) for status in found]

    def told(self, who: Scheduler) -> list[str]:
        """The types of all events on a stream."""
        return [event.type for event in self.events[who.stream]]

    def running(self, cpus: float = 1, **changes: Any) -> tuple[Scheduler, str]:
        """A framework with one task t1 of `cpus` running on agent a1; and the agent's link."""
        link = self.register("a1")
        who = self.subscribe(**changes)
        self.tick()
        self.accept(who, task("t1", cpus=cpus), refuse_s=0)
        self.update(link, who, "t1", "TASK_RUNNING")
        self.acknowledge(who, "t1")
        return who, link


def framework_info(framework_id: str | None = None, **changes: Any) -> FrameworkInfo:
    """A MULTI_ROLE framework in role `r` that comes back within an hour."""
    roles = changes.pop("roles", ("r",))
    aware = changes.pop("partition_aware", True)
    multi: tuple[CapabilityType, ...] = ("MULTI_ROLE",)
    kinds = (*multi, "PARTITION_AWARE") if aware else multi
    info = FrameworkInfo(
        user="u",
        name="n",
        id=framework_id,
        roles=roles,
        failover_timeout=3600.0,
        capabilities=tuple(Capability(type=kind) for kind in kinds),
    )
    return msgspec.structs.replace(info, **changes)


def task(
    task_id: str, agent_id: str = "a1", cpus: float = 1, mem: float = 64, **changes: Any
) -> TaskInfo:
    """A command task."""
    info = TaskInfo(
        name=task_id,
        task_id=task_id,
        agent_id=agent_id,
        resources=Resources.of(cpus=cpus, mem=mem).to_wire(),
        command=CommandInfo(value="true"),
    )
    return msgspec.structs.replace(info, **changes)


def executor(executor_id: str = "e1", cpus: float = 0.5, **changes: Any) -> ExecutorInfo:
    """A custom executor."""
    info = ExecutorInfo(
        executor_id=executor_id,
        type="CUSTOM",
        command=CommandInfo(value="./executor"),
        resources=Resources.of(cpus=cpus, mem=32).to_wire(),
    )
    return msgspec.structs.replace(info, **changes)


def with_executor(task_id: str, own: ExecutorInfo | None = None, **changes: Any) -> TaskInfo:
    """A task for a custom executor."""
    return task(task_id, command=None, executor=own or executor(), **changes)


def report(
    task_id: str, framework_id: str = "f1", state: TaskState = "TASK_RUNNING", **changes: Any
) -> frames.TaskReport:
    """A task as its agent reports it."""
    amount = Resources.of(cpus=1, mem=64).to_wire()
    made = frames.TaskReport(
        framework_id=framework_id,
        task_id=task_id,
        name=task_id,
        role="r",
        resources=amount,
        state=state,
        info=task(task_id),
    )
    return msgspec.structs.replace(made, **changes)
