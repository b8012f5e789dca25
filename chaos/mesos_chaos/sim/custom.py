"""An executor that nobody here wrote: it runs several tasks, talks, falters, and dies as it likes.

It is the environment (D13): anything well-formed it says is allowed, and the agent is held to its
answers.  It keeps to the contract most of the time, so that work gets done: it runs what it is
given, hands back at each SUBSCRIBE what was not acknowledged, and answers messages.  Now and then
it never subscribes, drops its stream, says things twice, goes on after SHUTDOWN, or crashes with
all its tasks.  If the plan says so, its calls overtake each other: they are a bag (D5).
"""

from __future__ import annotations

from dataclasses import dataclass

from mesos_chaos.sim.executors import Host, SimExecutor, length_us
from mesos_chaos.sim.loop import Timer
from mesos_chaos.sim.network import End
from mesos_chaos.sim.node import SimIds
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TaskInfo, TaskState, TaskStatus

RETRY_US = 100_000
IDLE_US = 1_500_000
CRASHED = 1 << 8

# How often it falters, as shares of the occasions.
NEVER_SUBSCRIBES = 0.12
NEVER_STARTS = 0.5  #: of those that are stillborn
IGNORES_SHUTDOWN = 0.2
CRASHES = 0.03  #: of all tasks that end
RECONNECTS = 0.05  #: of all tasks that end
REPEATS = 0.05  #: of all updates
TALKS = 0.3  #: of all launches
FAILS = 0.05  #: of all tasks


@dataclass(slots=True)
class Run:
    """One task that runs here."""

    task: TaskInfo
    timer: Timer
    acknowledged: bool = False


class CustomExecutor(SimExecutor):
    """One process of a framework's own executor."""

    def __init__(self, agent: Host, start: StartExecutor) -> None:
        super().__init__(agent, start)
        self._ids = SimIds(self.dice)
        self._runs: dict[str, Run] = {}
        self._unheard: dict[bytes, TaskStatus] = {}  #: updates the agent has not acknowledged
        self._idle: Timer | None = None
        self._is_stubborn = False  #: it was told to end, and does not want to

    def runs(self, task: str) -> bool:
        """Whether it runs a task whose id begins with `task`."""
        return super().runs(task) or any(name.startswith(task) for name in self._runs)

    def start(self) -> None:
        """Its process is up."""
        workload = self.executor_id.partition(".")[0]
        if self.agent.stillborn.get(workload, 0) > 0:
            self.agent.stillborn[workload] -= 1
            if self.dice.random() < NEVER_STARTS:
                self.die(None)  # and nobody knows a status
        elif self.dice.random() >= NEVER_SUBSCRIBES:
            self._subscribe()

    # ---- its connection ------------------------------------------------------------------------
    def _subscribe(self) -> None:
        if not self.alive:
            return
        end = self.connect()
        if end is None:
            self.agent.loop.after(RETRY_US, self._subscribe)
            return
        end.hear = lambda said: self._told(*said)
        end.ended = lambda: self._ended(end)
        updates = tuple(wire.Update(status=status) for status in self._unheard.values())
        tasks = tuple(run.task for run in self._runs.values() if not run.acknowledged)
        self._call(
            "SUBSCRIBE",
            subscribe=wire.Subscribe(unacknowledged_tasks=tasks, unacknowledged_updates=updates),
        )

    def _ended(self, end: End[object]) -> None:
        if end is self._end:
            self._end = None
            self.agent.loop.after(RETRY_US, self._subscribe)

    def _call(self, kind: str, **body: object) -> None:
        if self._end is not None:
            mine = {"executor_id": self.executor_id, "framework_id": self.framework_id}
            call = wire.Call(type=kind, **mine, **body)  # type: ignore[arg-type]
            if self.agent.network.unordered and kind != "SUBSCRIBE":
                self._end.send_loose(call)
            else:
                self._end.send(call)

    # ---- hearing -------------------------------------------------------------------------------
    def _told(self, kind: str, *rest: object) -> None:
        if not self.alive:
            return
        if kind == "event":
            event = rest[1]
            assert isinstance(event, wire.Event)
            self._hear(event)
        elif kind == "answer" and rest[0] != 202 and rest[1]:
            self.die(CRASHED)  # its agent does not know it any more

    def _hear(self, event: wire.Event) -> None:
        if event.launch is not None:
            self._launch(event.launch.task)
        elif event.kill is not None:
            self._kill(event.kill.task_id)
        elif event.acknowledged is not None:
            self._unheard.pop(event.acknowledged.uuid, None)
            if event.acknowledged.task_id in self._runs:
                self._runs[event.acknowledged.task_id].acknowledged = True
        elif event.message is not None:
            self._call("MESSAGE", message=wire.Message(data=event.message.data))
        elif event.type == "SHUTDOWN" and self.dice.random() < IGNORES_SHUTDOWN:
            self._is_stubborn = True
        elif event.type == "SHUTDOWN":
            self.agent.loop.after(self.dice.randint(0, 50_000), lambda: self.die(0))

    def _launch(self, task: TaskInfo) -> None:
        if task.task_id in self._runs:
            return
        if self._idle is not None:
            self._idle.cancel()
        self.agent.ran.append((self.framework_id, task.task_id))
        command = (task.data or b"").decode()
        end = self.agent.loop.after(length_us(command), lambda: self._finish(task.task_id))
        self._runs[task.task_id] = Run(task, end)
        self._update(task.task_id, "TASK_RUNNING")
        if self.dice.random() < TALKS:
            self._call("MESSAGE", message=wire.Message(data=f"runs {task.task_id}".encode()))

    def _kill(self, task_id: str) -> None:
        run = self._runs.pop(task_id, None)
        if run is not None:
            run.timer.cancel()
        if run is not None or self.dice.random() < REPEATS:
            self._update(task_id, "TASK_KILLED")
        self._rest()

    # ---- its work ------------------------------------------------------------------------------
    def _finish(self, task_id: str) -> None:
        if not self.alive or task_id not in self._runs:
            return
        del self._runs[task_id]
        chance = self.dice.random()
        if chance < CRASHES:
            self.die(CRASHED)
            return
        fails = self.dice.random() < FAILS
        self._update(task_id, "TASK_FAILED" if fails else "TASK_FINISHED")
        if chance < CRASHES + RECONNECTS and self._end is not None:
            self.hang_up()
            self.agent.loop.after(self.dice.randint(0, RETRY_US), self._subscribe)
        self._rest()

    def _update(self, task_id: str, state: TaskState) -> None:
        uuid = self._ids.uuid_bytes()
        status = TaskStatus(
            task_id=task_id,
            state=state,
            source="SOURCE_EXECUTOR",
            executor_id=self.executor_id,
            uuid=uuid,
        )
        self._unheard[uuid] = status
        self._call("UPDATE", update=wire.Update(status=status))
        if self.dice.random() < REPEATS:
            self._call("UPDATE", update=wire.Update(status=status))

    def _rest(self) -> None:
        """With nothing left to do, end after a while."""
        if self._idle is not None:
            self._idle.cancel()
        if not self._runs and not self._is_stubborn:
            self._idle = self.agent.loop.after(IDLE_US, lambda: self.die(0))

    def die(self, status: int | None) -> None:
        """Its process ends, and all its tasks with it."""
        for run in self._runs.values():
            run.timer.cancel()
        if self._idle is not None:
            self._idle.cancel()
        super().die(status)
