"""Simulated executors: processes of their own, which outlive their agent if they may.

An executor's process starts, connects to its agent, and dies; what it says is the business of a
subclass.  `CommandExecutor` is the real `ExecutorCore` with a pretended command, which runs as long
as its `sleep N` says; programs that nobody here wrote are in `custom`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import msgspec

from mesos_chaos.sim.loop import SECOND_US, Loop, Timer
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import SimIds
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.executor import effects as wanted
from mesos_ref.executor import events as heard
from mesos_ref.executor.core import ExecutorConfig, ExecutorCore
from mesos_ref.step import Effect
from mesos_ref.wire.v1 import TaskInfo

DIAL_US = 1_000  #: until a dead agent's refusal is noticed
ENDS_US = 1_000  #: until a command ends that was signalled
LINGERS = 0.1  #: the share of executors that take their time to end
LINGERS_US = 400_000
STUTTERS = 0.03  #: the share of updates that an executor repeats


class Host(Protocol):
    """What an executor needs of the agent that started it, and of its machine."""

    loop: Loop
    network: Network
    name: str
    ran: list[tuple[str, str]]
    #: How many executors of each workload are yet to fail to subscribe.
    stillborn: dict[str, int]
    #: How long a process that ends, or is killed, may take until it is gone.
    slow_ends_us: int

    @property
    def alive(self) -> bool:
        """Whether the agent's process is there."""
        ...

    def accept_executor(self, executor: SimExecutor, end: End[Any]) -> None:
        """Take a connection of an executor."""
        ...

    def bury(self, executor: SimExecutor, status: int | None) -> None:
        """Reap an executor's process."""
        ...


class SimExecutor(ABC):
    """One executor process, and its connection to its agent."""

    def __init__(self, agent: Host, start: StartExecutor) -> None:
        self.agent = agent
        self.container = start.container
        self.checkpoint = start.checkpoint
        self.shutdown_grace_us = start.shutdown_grace_us
        self.framework_id, self.executor_id = start.framework_id, start.executor_id
        self.alive = True
        self.dice = agent.loop.random(f"executor {start.container}")
        self._end: End[Any] | None = None

    @property
    def name(self) -> str:
        """Its name on the network."""
        return f"executor {self.container}"

    def runs(self, task: str) -> bool:
        """Whether it runs a task whose id begins with `task`."""
        return self.executor_id.startswith(task)

    @abstractmethod
    def start(self) -> None:
        """Its process is up."""

    def connect(self) -> End[Any] | None:
        """A fresh connection to the agent; None if nobody answers there."""
        if not self.agent.alive:
            return None
        ends: tuple[End[Any], End[Any]] = self.agent.network.connect(self.name, self.agent.name)
        self._end, far = ends
        self.agent.accept_executor(self, far)
        return self._end

    def hang_up(self) -> None:
        """Close the connection."""
        if self._end is not None:
            self._end.close()
            self._end = None

    def die(self, status: int | None) -> None:
        """Its process ends, of itself or by a signal; the agent hears of it if it is up."""
        if self.alive:
            self.alive = False
            self.agent.network.drop_node(self.name)
            self.agent.network.forget(self.name, self.agent.name)
            self.agent.loop.forget(f"executor {self.container}")
            self.agent.loop.forget(f"calendar {self.name}")
            self.agent.bury(self, status)


class CommandExecutor(SimExecutor):
    """The executor of a command task, and the command it pretends to run."""

    def __init__(self, agent: Host, start: StartExecutor) -> None:
        super().__init__(agent, start)
        config = ExecutorConfig(
            framework_id=start.framework_id,
            executor_id=start.executor_id,
            checkpoint=start.checkpoint,
            shutdown_grace_us=start.shutdown_grace_us,
            epoch_offset_us=agent.loop.epoch_us(self.name),
        )
        self._core = ExecutorCore(config, SimIds(self.dice), lambda n: self.dice.randint(0, n))
        self._timer: Timer | None = None
        self._command: Timer | None = None

    def start(self) -> None:
        """Its process is up."""
        self._hear(heard.Started())

    def _hear(self, event: heard.Event) -> None:
        if not self.alive:
            return
        step = self._core.handle(event, self.agent.loop.now_us)
        for effect in step.effects:
            if self.alive:
                self._perform(effect)
        if self._timer is not None:
            self._timer.cancel()
        due = self._core.next_deadline
        if due is not None and self.alive:
            self._timer = self.agent.loop.at(due, lambda: self._hear(heard.Tick()))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case wanted.OpenSubscription(connection=connection, call=call):
                self._subscribe(connection, call)
            case wanted.CloseSubscription():
                self.hang_up()
            case wanted.SendCall(call=call):
                if self._end is not None:
                    self._end.send(call)
                    self._stutter(call)
            case wanted.RunCommand(task=task):
                self._run(task)
            case wanted.SignalCommand(signal=signal):
                if self._command is not None:
                    self._command.cancel()
                    ended = heard.CommandEnded(signal=signal)
                    most_us = self.agent.slow_ends_us
                    late_us = ENDS_US + (self.dice.randint(0, most_us) if most_us else 0)
                    self._command = self.agent.loop.after(late_us, lambda: self._hear(ended))
            case wanted.Exit(code=code):
                if self.dice.random() < LINGERS:
                    ends_us = self.dice.randint(0, LINGERS_US)
                    self.agent.loop.after(ends_us, lambda: self.die(code << 8))
                else:
                    self.die(code << 8)
            case _:
                raise TypeError(f"{self.name} does not know how to {type(effect).__name__}")

    def _stutter(self, call: Any) -> None:
        """Now and then say something twice, or say of a task that has ended that it failed."""
        end = self._end
        if end is None or call.update is None or self.dice.random() > STUTTERS:
            return
        end.send(call)
        status = call.update.status
        if status.state == "TASK_FINISHED":
            uuid = SimIds(self.dice).uuid_bytes()
            other = msgspec.structs.replace(status, state="TASK_FAILED", uuid=uuid)
            update = msgspec.structs.replace(call.update, status=other)
            end.send(msgspec.structs.replace(call, update=update))

    def _subscribe(self, connection: int, call: Any) -> None:
        end = self.connect()
        if end is None:
            ended = heard.StreamEnded(connection)
            self.agent.loop.after(DIAL_US, lambda: self._hear(ended))
            return
        end.hear = lambda said: self._told(connection, *said)
        end.ended = lambda: self._hear(heard.StreamEnded(connection))
        end.send(call)

    def _told(self, connection: int, kind: str, *rest: Any) -> None:
        if kind == "opened":
            self._hear(heard.StreamOpened(connection))
        elif kind == "event":
            self._hear(heard.EventHeard(connection, *rest))
        elif rest[0] != 202:
            subscribing = rest[1]
            if subscribing:
                self._hear(heard.SubscribeFailed(connection, rest[0]))
            else:
                self._hear(heard.CallFailed(connection, rest[0]))

    def _run(self, task: TaskInfo) -> None:
        self.agent.ran.append((self.framework_id, task.task_id))
        self._hear(heard.CommandStarted(1))
        ended = heard.CommandEnded(exit_code=0)
        command = (task.command.value if task.command else "") or ""
        self._command = self.agent.loop.after(length_us(command), lambda: self._hear(ended))

    def die(self, status: int | None) -> None:
        """Its process ends, and the command with it."""
        for timer in (self._timer, self._command):
            if timer is not None:
                timer.cancel()
        super().die(status)


def length_us(command: str) -> int:
    """How long a pretended command runs: `sleep N` takes N s, any other one 50 ms."""
    words = command.split()
    return round(float(words[1]) * SECOND_US) if len(words) == 2 and words[0] == "sleep" else 50_000
