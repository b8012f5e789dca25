"""What an agent knows: frameworks, and under each its executors, tasks and update queues.

A task is *queued* until its executor subscribes, *launched* from then, *ended* once a terminal
update is queued, and forgotten when the framework has acknowledged that update. A queue holds the
reliable updates of one task that are not acknowledged, oldest first; there may be one without a
task, when the agent had to speak of a task it does not know.

The subjects (`tasks`, `executors`, `updates`, `registration`, `recovery`) are functions over one
`Agent`; they leave what is to be done in `effects` and what was decided in `did`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, TypeAlias

import msgspec

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.timers import Timers
from mesos_ref.resources import Resources
from mesos_ref.step import Did, Effect, IdSource, Persist, SendEvent, SendFrame
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    StatusReason,
    TaskInfo,
    TaskState,
    TaskStatus,
)

TaskPhase: TypeAlias = Literal["queued", "launched", "ended"]
ExecutorPhase: TypeAlias = Literal["registering", "running", "terminating"]
ViewKey: TypeAlias = tuple[str, str, str]
"""A table, and up to two ids in it: ``("tasks", framework, task)``."""


UNDESCRIBED = FrameworkInfo(user="", name="")
"""Stands for what a framework says of itself, until it has."""


class Task(msgspec.Struct, kw_only=True):
    """A task that was given to this agent, until its terminal update is acknowledged."""

    task_id: str
    info: TaskInfo
    role: str
    resources: Resources
    executor_id: str
    #: Of a command task, the executor is ours, and masters know nothing of it.
    command: bool
    #: Order of arrival at this agent.
    number: int
    phase: TaskPhase = "queued"
    state: TaskState = "TASK_STAGING"
    killed: bool = False
    #: Uuids of updates heard, as base64, oldest first; the last `MAX_SEEN` of them (UPD-3).
    seen: dict[str, None] = {}


class Executor(msgspec.Struct, kw_only=True):
    """An executor whose container was started, until that container is gone."""

    framework_id: str
    executor_id: str
    container: str
    command: bool
    info: ExecutorInfo
    role: str
    phase: ExecutorPhase = "registering"
    #: The stream of its last SUBSCRIBE; it may have broken since (EXE-4).
    stream: str | None = None
    #: Whether a task was ever sent to it (LCH-10).
    tasked: bool = False
    #: Why its tasks fail if it ends now.
    reason: StatusReason = "REASON_EXECUTOR_TERMINATED"
    #: Its framework was removed: masters have given its resources away, and do not hear of it.
    disowned: bool = False
    #: Its queued and launched tasks, by arrival.
    tasks: dict[str, Task] = {}


class Update(msgspec.Struct, frozen=True):
    """A reliable update; `number` counts within its queue."""

    number: int
    status: TaskStatus


class Queue(msgspec.Struct, kw_only=True):
    """The unacknowledged updates of one task: never empty, at most one terminal, that one last."""

    task_id: str
    updates: deque[Update] = msgspec.field(default_factory=deque)
    next_number: int = 0
    retry_us: int = 0


class Framework(msgspec.Struct, kw_only=True):
    """All of one framework on this agent. `hosted` is false if only a queue mentions it."""

    framework_id: str
    hosted: bool = False
    info: FrameworkInfo = UNDESCRIBED
    checkpoint: bool = False
    partition_aware: bool = False
    executors: dict[str, Executor] = {}
    tasks: dict[str, Task] = {}
    queues: dict[str, Queue] = {}

    def lost_or(self, state: TaskState) -> TaskState:
        """`state` if the framework can tell it from TASK_LOST."""
        return state if self.partition_aware else "TASK_LOST"


class Agent:
    """One agent's memory, and the notepad of the step that is under way."""

    def __init__(self, config: AgentConfig, ids: IdSource) -> None:
        self.config = config
        self.ids = ids
        #: Empty until started; then it never changes, not even over restarts. Also in `info`.
        self.agent_id = ""
        self.info = AgentInfo(
            hostname=config.hostname,
            port=config.port,
            resources=config.resources,
            attributes=config.attributes,
        )
        #: Set by Exit: nothing is heard or done any more.
        self.over = False
        self.now_us = 0
        self.wall_offset_us = 0
        self.frameworks: dict[str, Framework] = {}
        #: Container -> executor: the same executors as under `frameworks`.
        self.containers: dict[str, Executor] = {}
        self.next_task = 0
        #: Executors that must come back before the agent may register, after a restart (RCV-3).
        self.awaited: dict[tuple[str, str], None] = {}
        self.timers = Timers()

        #: The newest leader known, and where it listens. Both or neither (but see `recovery`).
        self.epoch: int | None = None
        self.url: str | None = None
        #: A link asked for; at most one of `dialling` and `link` is set.
        self.dialling: str | None = None
        #: The link that was registered on.
        self.link: str | None = None
        #: The leader has answered on `link`.
        self.registered = False
        self.backoff_us = config.registration_backoff_us

        self.effects: list[Effect] = []
        self.did: list[Did] = []
        #: View keys that may have changed, in order; kept only if somebody watches.
        self.watched = False
        self.dirty: dict[ViewKey, None] = {}

    def identify(self) -> None:
        """The agent's id is known."""
        self.info = msgspec.structs.replace(self.info, id=self.agent_id)

    # Notes of the step under way ----------------------------------------------------------------

    def do(self, effect: Effect) -> None:
        """Want something done."""
        self.effects.append(effect)

    def decided(self, action: str, **names: Any) -> None:
        """Note an action of docs/explanation/steps.md."""
        self.did.append((action, names))

    def keep(self, key: str, value: Any) -> None:
        """Have something outlive the process; None forgets it."""
        self.effects.append(Persist(key, value))

    def tell_master(self, frame: link.FromAgent) -> None:
        """Send a frame, if there is a leader that listens."""
        if self.link is not None:
            self.effects.append(SendFrame(self.link, frame))

    def tell_executor(self, executor: Executor, event: wire.Event) -> None:
        """Send an event, if the executor has subscribed."""
        if executor.stream is not None:
            self.effects.append(SendEvent(executor.stream, event))

    def timestamp(self) -> float:
        """Now, in seconds since 1970."""
        return (self.now_us + self.wall_offset_us) / 1_000_000

    # The view -----------------------------------------------------------------------------------

    def touch(self, table: str, one: str = "", two: str = "") -> None:
        """An entry of the view may have changed."""
        if self.watched:
            self.dirty[(table, one, two)] = None

    # Frameworks ---------------------------------------------------------------------------------

    def host(self, info: FrameworkInfo, framework_id: str) -> Framework:
        """The framework's place here, made if need be (LCH-2)."""
        framework = self.framework(framework_id)
        if not framework.hosted:
            framework.hosted = True
            framework.checkpoint = info.checkpoint
            self.describe(framework, info)
        return framework

    def framework(self, framework_id: str) -> Framework:
        """The framework's place here, without a description if it is new."""
        found = self.frameworks.get(framework_id)
        if found is None:
            found = Framework(framework_id=framework_id)
            self.frameworks[framework_id] = found
        return found

    def describe(self, framework: Framework, info: FrameworkInfo) -> None:
        """Take over what a framework says of itself; `checkpoint` stays as it was (FWK-8)."""
        if info.checkpoint != framework.checkpoint:
            info = msgspec.structs.replace(info, checkpoint=framework.checkpoint)
        framework.info = info
        framework.partition_aware = any(c.type == "PARTITION_AWARE" for c in info.capabilities)
        self.touch("frameworks", framework.framework_id)
