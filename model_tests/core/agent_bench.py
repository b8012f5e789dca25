"""An agent core with a master and executors made of paper around it.

`Bench` does what a shell would do with the core's effects: it keeps what is to be kept, remembers
which containers live, and files every frame and event. It decides nothing; tests say what masters
and executors do. After every event it checks what must hold after any: no violation, a view that
the changes add up to, and a store that equals what should be kept.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from mesos_ref import link
from mesos_ref.agent import checkpoint
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore, violations
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit, StartExecutor
from mesos_ref.agent.events import (
    Event,
    ExecutorCall,
    ExecutorExited,
    Frame,
    LeaderSeen,
    Linked,
    LinkEnded,
    Started,
    Tick,
)
from mesos_ref.resources import Resources
from mesos_ref.step import Answer, CloseLink, Effect, Persist, SendEvent, SendFrame, Step
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import (
    Capability,
    CommandInfo,
    ExecutorInfo,
    FrameworkInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
)

SECOND_US = 1_000_000
FW = "fw"
WALL_US = 1_700_000_000 * SECOND_US
T = TypeVar("T", bound=Effect)


class CountedIds:
    """Ids 1, 2, 3, …: reproducible, and never the same twice, also over restarts."""

    def __init__(self) -> None:
        self.count = 0

    def uuid(self) -> str:
        """The next id as text."""
        self.count += 1
        return f"id-{self.count}"

    def uuid_bytes(self) -> bytes:
        """The next id as 16 bytes."""
        self.count += 1
        return (self.count * 0x9E3779B97F4A7C15 % (1 << 128)).to_bytes(16, "little")


def framework_info(
    framework_id: str = FW, *, checkpoint: bool = True, partition_aware: bool = True
) -> FrameworkInfo:
    """A framework as masters describe it."""
    capabilities = (Capability(type="PARTITION_AWARE"),) if partition_aware else ()
    return FrameworkInfo(
        user="u",
        name=framework_id,
        id=framework_id,
        checkpoint=checkpoint,
        capabilities=capabilities,
    )


def task_info(task_id: str, executor: ExecutorInfo | None = None) -> TaskInfo:
    """A task of one cpu; without an executor, a command."""
    return TaskInfo(
        name=task_id,
        task_id=task_id,
        agent_id="a",
        resources=Resources.of(cpus=1).to_wire(),
        executor=executor,
        command=None if executor else CommandInfo(value="true"),
    )


def custom(executor_id: str) -> ExecutorInfo:
    """A framework's own executor."""
    return ExecutorInfo(executor_id=executor_id, command=CommandInfo(value="run-me"))


def uuid_of(number: int) -> bytes:
    """An executor's own update uuid."""
    return number.to_bytes(16, "big")


class Bench:
    """A core, its clock, its disk, and everything it ever wanted."""

    def __init__(self, config: AgentConfig | None = None) -> None:
        self.config = config or AgentConfig(resources=Resources.of(cpus=8, mem=1024).to_wire())
        self.ids = CountedIds()
        self.now_us = 0
        self.kept: dict[str, Any] = {}
        self.alive: list[str] = []
        self.streams = 0
        self.boot()

    def boot(self) -> None:
        """A new process over the same disk."""
        recovered = json.loads(json.dumps(self.kept))
        self.core = AgentCore(self.config, self.ids, recovered)
        self.core.watched = True
        self.effects: list[Effect] = []
        self.did: list[str] = []
        self.view: dict[str, Any] = {}
        self.link = ""
        self.epoch = 0
        self.frames = 0

    # The shell ----------------------------------------------------------------------------------

    def hear(self, event: Event) -> Step:
        """Let the core hear `event`, do what it wants, check what holds after any event."""
        step = self.core.handle(event, self.now_us)
        self.perform(step)
        self.check()
        return step

    def perform(self, step: Step) -> None:
        """Do what a step says: keep first."""
        self.did.extend(name for name, _ in step.did)
        for effect in step.effects:
            self.effects.append(effect)
            if isinstance(effect, Persist):
                self.store(effect)
            elif isinstance(effect, StartExecutor):
                self.alive.append(effect.container)
            elif isinstance(effect, Connect):
                self.link = effect.link
        for key, value in self.core.take_changes().items():
            if value is None:
                self.view.pop(key, None)
            else:
                self.view[key] = value

    def store(self, effect: Persist) -> None:
        """What a disk would do."""
        if effect.value is None:
            self.kept.pop(effect.key, None)
        else:
            self.kept[effect.key] = json.loads(json.dumps(effect.value))

    def check(self) -> None:
        """What must hold after any event."""
        assert violations(self.core) == []
        assert self.view == self.core.view()
        if not self.core.state.over:
            assert self.kept == checkpoint.whole(self.core.state)

    def take(self, kind: type[T]) -> list[T]:
        """Everything of one kind that was wanted since asked last."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found

    def sent(self) -> list[link.FromAgent]:
        """Frames sent since asked last."""
        frames = (effect.frame for effect in self.take(SendFrame))
        return [frame for frame in frames if isinstance(frame, link.FromAgent)]

    def events(self) -> list[str | None]:
        """Types of events told to executors since asked last."""
        return [event.type for event in self.told()]

    def told(self) -> list[wire.Event]:
        """Events told to executors since asked last."""
        return [e.event for e in self.take(SendEvent) if isinstance(e.event, wire.Event)]

    def did_take(self) -> list[str]:
        """Names of actions since asked last."""
        names, self.did = self.did, []
        return names

    # Time ---------------------------------------------------------------------------------------

    def pass_time(self, us: int) -> None:
        """Let time pass, with a Tick at each deadline."""
        end_us = self.now_us + us
        while (at_us := self.core.next_deadline) is not None and at_us <= end_us:
            self.now_us = max(self.now_us, at_us)
            self.hear(Tick())
        self.now_us = end_us

    # Masters ------------------------------------------------------------------------------------

    def start(self, alive: list[str] | None = None) -> Step:
        """The process is up."""
        survivors = tuple(self.alive if alive is None else alive)
        self.alive = list(survivors)
        return self.hear(Started(survivors, WALL_US + self.now_us))

    def lead(self, epoch: int = 1) -> None:
        """A leader is seen, dialled, registered with."""
        self.hear(LeaderSeen(epoch, f"http://m{epoch}"))
        self.epoch = epoch
        self.connect()
        self.registered()

    def connect(self) -> None:
        """The core dials in its own time; the link stands."""
        while not self.take(Connect):
            at_us = self.core.next_deadline
            assert at_us is not None, "the agent would never dial"
            self.pass_time(max(0, at_us - self.now_us))
        self.frames = 0
        self.hear(Linked(self.link))

    def registered(self, *reconcile: tuple[str, str]) -> Step:
        """The leader takes the agent's word."""
        keys = tuple(link.TaskKey(framework_id=f, task_id=t) for f, t in reconcile)
        return self.frame(
            link.Registered(epoch=self.epoch, agent_id=self.core.state.agent_id, reconcile=keys)
        )

    def frame(self, frame: link.FromMaster, on: str | None = None) -> Step:
        """A frame comes in, on the current link unless said otherwise."""
        self.frames += 1
        return self.hear(Frame(self.link if on is None else on, self.frames - 1, frame))

    def run(
        self,
        task_id: str,
        executor_id: str | None = None,
        *,
        info: FrameworkInfo | None = None,
        launch: bool = True,
    ) -> Step:
        """RunTask: a command, or a task of a custom executor."""
        executor = None if executor_id is None else custom(executor_id)
        return self.frame(
            link.RunTask(
                epoch=self.epoch,
                framework=info or framework_info(),
                task=task_info(task_id, executor),
                role="r",
                executor=executor,
                launch_executor=launch,
            )
        )

    def kill(self, task_id: str, framework_id: str = FW) -> Step:
        """Kill, of the current leader."""
        frame = link.Kill(epoch=self.epoch, framework_id=framework_id, task_id=task_id)
        return self.frame(frame)

    def ack(self, task_id: str, framework_id: str = FW) -> Step:
        """The head of a task's queue is acknowledged by the framework."""
        uuid = self.core.state.frameworks[framework_id].queues[task_id].updates[0].status.uuid
        assert uuid is not None
        frame = link.Ack(epoch=self.epoch, framework_id=framework_id, task_id=task_id, uuid=uuid)
        return self.frame(frame)

    def break_link(self) -> Step:
        """The agent's end of the link breaks."""
        return self.hear(LinkEnded(self.link))

    # Executors ----------------------------------------------------------------------------------

    def call(self, executor_id: str, call: wire.Call, framework_id: str = FW) -> int:
        """An executor's call; the status it is answered with, 200 for a stream."""
        self.streams += 1
        number = self.streams
        name = f"s{number}"
        event = ExecutorCall(f"r{number}", ("ext", number), framework_id, executor_id, call, name)
        step = self.hear(event)
        answers = [effect.status for effect in step.effects if isinstance(effect, Answer)]
        return answers[0] if answers else 200

    def subscribe(
        self,
        executor_id: str,
        framework_id: str = FW,
        *,
        tasks: tuple[str, ...] = (),
        updates: tuple[TaskStatus, ...] = (),
    ) -> int:
        """SUBSCRIBE, with what was not acknowledged."""
        part = wire.Subscribe(
            unacknowledged_tasks=tuple(task_info(task_id) for task_id in tasks),
            unacknowledged_updates=tuple(wire.Update(status=status) for status in updates),
        )
        call = envelope(executor_id, framework_id, type="SUBSCRIBE", subscribe=part)
        return self.call(executor_id, call, framework_id)

    def update(
        self,
        executor_id: str,
        task_id: str,
        state: TaskState,
        number: int,
        framework_id: str = FW,
    ) -> int:
        """UPDATE, with the executor's `number`-th uuid."""
        update = wire.Update(status=status_of(task_id, state, number))
        call = envelope(executor_id, framework_id, type="UPDATE", update=update)
        return self.call(executor_id, call, framework_id)

    def exit(self, executor_id: str, framework_id: str = FW, status: int | None = 0) -> Step:
        """The executor's container ends."""
        executor = self.core.state.frameworks[framework_id].executors[executor_id]
        return self.exit_container(executor.container, status)

    def exit_container(self, container: str, status: int | None = 0) -> Step:
        """A container ends."""
        if container in self.alive:
            self.alive.remove(container)
        return self.hear(ExecutorExited(container, status))

    # Looking ------------------------------------------------------------------------------------

    def task(self, task_id: str, framework_id: str = FW) -> dict[str, Any] | None:
        """The view of a task."""
        found: dict[str, Any] | None = self.view.get(f"tasks/{framework_id}/{task_id}")
        return found

    def queue(self, task_id: str, framework_id: str = FW) -> list[tuple[str, str | None]]:
        """(state, reason) of a task's waiting updates."""
        entries = self.view.get(f"updates/{framework_id}/{task_id}", [])
        return [(state, reason) for _, state, reason in entries]

    def phase(self, executor_id: str, framework_id: str = FW) -> str | None:
        """The phase of an executor; None if it is gone."""
        entry = self.view.get(f"executors/{framework_id}/{executor_id}")
        return None if entry is None else str(entry["phase"])

    def destroyed(self) -> list[str]:
        """Containers to be destroyed, since asked last."""
        return [effect.container for effect in self.take(DestroyExecutor)]

    def closed(self) -> list[str]:
        """Links to be closed, since asked last."""
        return [effect.link for effect in self.take(CloseLink)]

    def exits(self) -> list[Exit]:
        """Ends of the process, since asked last."""
        return self.take(Exit)


def envelope(
    executor_id: str,
    framework_id: str,
    *,
    type: str,
    subscribe: wire.Subscribe | None = None,
    update: wire.Update | None = None,
    message: wire.Message | None = None,
) -> wire.Call:
    """A call of an executor."""
    return wire.Call(
        executor_id=executor_id,
        framework_id=framework_id,
        type=type,
        subscribe=subscribe,
        update=update,
        message=message,
    )


def status_of(task_id: str, state: TaskState, number: int) -> TaskStatus:
    """An executor's status, as stock executors send it."""
    return TaskStatus(task_id=task_id, state=state, source="SOURCE_EXECUTOR", uuid=uuid_of(number))


def up(config: AgentConfig | None = None) -> Bench:
    """An agent that is started and registered with leader 1; nothing to look at yet."""
    bench = Bench(config)
    bench.start()
    bench.lead()
    bench.effects.clear()
    bench.did.clear()
    return bench


def running(task_id: str = "t", *, checkpoint: bool = True) -> Bench:
    """An agent with one command task, launched, without any update yet."""
    bench = up()
    bench.run(task_id, info=framework_info(checkpoint=checkpoint))
    bench.subscribe(task_id)
    bench.effects.clear()
    bench.did.clear()
    return bench
