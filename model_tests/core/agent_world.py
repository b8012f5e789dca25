"""An agent that may be killed at any moment, among executors and a master that remember.

`World` is a `Bench` whose process dies after a given number of effects, writes of a step first, as
a shell does them. Around it are, made of paper: executors that keep their updates until they are
acknowledged, and a master that believes in each task until its end was acknowledged. After any
history `heal` brings everybody together again and lets all work end, and `verify` asks whether
every promise was kept.
"""

from __future__ import annotations

from typing import Any

from mesos_ref import link
from mesos_ref.agent.effects import DestroyExecutor, StartExecutor
from mesos_ref.agent.events import LeaderSeen
from mesos_ref.step import Effect, Persist, SendEvent, SendFrame, Step
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TERMINAL_STATES, TaskState, TaskStatus
from model_tests.core.agent_bench import (
    SECOND_US,
    Bench,
    envelope,
    framework_info,
    status_of,
    task_info,
)

CHECKPOINTS = "keeps"
FORGETS = "forgets"

TaskName = tuple[str, str]


class Killed(Exception):  # not an error: it is what these tests are about
    """The agent's process is gone."""


class PaperExecutor:
    """An executor: what it was given, and what it said that nobody acknowledged."""

    def __init__(self, start: StartExecutor) -> None:
        self.framework_id = start.framework_id
        self.executor_id = start.executor_id
        self.container = start.container
        self.stream = ""
        #: Its unended tasks -> whether an update of it was ever acknowledged.
        self.tasks: dict[str, bool] = {}
        self.unacknowledged: list[TaskStatus] = []

    def hear(self, event: wire.Event) -> None:
        """What stock executors do."""
        if event.launch is not None:
            assert event.launch.task.task_id not in self.tasks, "a task was delivered twice"
            self.tasks[event.launch.task.task_id] = False
        if event.acknowledged is not None:
            heard = event.acknowledged
            if heard.task_id in self.tasks:
                self.tasks[heard.task_id] = True
            self.unacknowledged = [s for s in self.unacknowledged if s.uuid != heard.uuid]


class World(Bench):
    """A bench whose agent can be killed."""

    def __init__(self, kill_after: int | None = None) -> None:
        #: Effects until the process is killed; None: never.
        self.kill_after = kill_after
        self.performed = 0
        self.executors: dict[str, PaperExecutor] = {}
        self.dead: list[str] = []
        self.numbers = 0
        self.leaders = 0
        #: Tasks the master was told to run, and believes in.
        self.believed: dict[TaskName, None] = {}
        #: Updates the agent sent, in order, by uuid; every one, and the last one unacknowledged.
        self.delivered: dict[TaskName, dict[bytes, TaskState]] = {}
        self.heads: dict[TaskName, tuple[bytes, TaskState]] = {}
        #: Uuids of answers to the master's question for a task that the agent does not know.
        self.answers: set[bytes] = set()
        #: Updates acknowledged to executors, for which the framework can rely on us.
        self.promised: dict[TaskName, list[bytes]] = {}
        self.ended: set[TaskName] = set()
        self.register: link.Register | None = None
        super().__init__()

    # The process --------------------------------------------------------------------------------

    def perform(self, step: Step) -> None:
        """Keep first, then do the rest; be killed when it is time."""
        first = [effect for effect in step.effects if isinstance(effect, Persist)]
        rest = [effect for effect in step.effects if not isinstance(effect, Persist)]
        for effect in (*first, *rest):
            if self.performed == self.kill_after:
                self.kill_after = None
                raise Killed
            self.performed += 1
            super().perform(Step((effect,)))
            self.happen(effect)
        super().perform(Step((), step.did))

    def happen(self, effect: Effect) -> None:
        """What an effect means to the world."""
        if isinstance(effect, StartExecutor):
            self.executors[effect.container] = PaperExecutor(effect)
        elif isinstance(effect, DestroyExecutor):
            self.die(effect.container)
        elif isinstance(effect, SendEvent) and isinstance(effect.event, wire.Event):
            self.told_executor(effect.stream, effect.event)
        elif isinstance(effect, SendFrame) and isinstance(effect.frame, link.Register):
            self.register = effect.frame
        elif isinstance(effect, SendFrame) and isinstance(effect.frame, link.Update):
            self.told_update(effect.frame)

    def told_executor(self, stream: str, event: wire.Event) -> None:
        """An event reaches whoever listens on that stream."""
        for executor in self.executors.values():
            if executor.stream == stream:
                executor.hear(event)

    def told_update(self, frame: link.Update) -> None:
        """An update reaches the framework."""
        name = (frame.framework_id, frame.status.task_id)
        uuid = frame.status.uuid or b""
        assert uuid, "an agent's updates are reliable"
        self.delivered.setdefault(name, {}).setdefault(uuid, frame.status.state)
        self.heads[name] = (uuid, frame.status.state)
        if frame.status.reason == "REASON_RECONCILIATION":
            self.answers.add(uuid)

    def die(self, container: str) -> None:
        """A container ends; the agent has yet to hear of it."""
        if container in self.alive:
            self.alive.remove(container)
            self.dead.append(container)
            self.executors.pop(container, None)

    def check(self) -> None:
        """As after any event; and no update waits twice (UPD-3)."""
        super().check()
        for framework in self.core.state.frameworks.values():
            for queue in framework.queues.values():
                uuids = [update.status.uuid for update in queue.updates]
                assert len(set(uuids)) == len(uuids), "an update is queued twice"

    def restart(self) -> None:
        """A new process. It learns who is alive, and whose end it missed."""
        self.dead.clear()
        for executor in self.executors.values():
            executor.stream = ""
        self.heads.clear()
        self.boot()
        self.start()

    # What the environment does ------------------------------------------------------------------

    def launch(self, framework_id: str, task_id: str, executor_id: str | None = None) -> None:
        """The master has a task run."""
        info = framework_info(framework_id, checkpoint=framework_id == CHECKPOINTS)
        there = self.core.state.frameworks.get(framework_id)
        is_new = there is None or (executor_id or task_id) not in there.executors
        self.believed[(framework_id, task_id)] = None
        self.run(task_id, executor_id, info=info, launch=is_new)

    def find(self, framework_id: str, executor_id: str) -> PaperExecutor | None:
        """A living executor."""
        for executor in self.executors.values():
            if (executor.framework_id, executor.executor_id) == (framework_id, executor_id):
                return executor
        return None

    def come(self, executor: PaperExecutor) -> None:
        """The executor subscribes, with all it must bring."""
        part = wire.Subscribe(
            unacknowledged_tasks=tuple(
                task_info(task_id) for task_id, is_known in executor.tasks.items() if not is_known
            ),
            unacknowledged_updates=tuple(wire.Update(status=s) for s in executor.unacknowledged),
        )
        executor.stream = f"s{self.streams + 1}"
        before = list(executor.unacknowledged)
        self.say(executor, envelope_of(executor, type="SUBSCRIBE", subscribe=part), before)

    def report(self, executor: PaperExecutor, task_id: str, state: TaskState) -> None:
        """The executor sends an update."""
        self.numbers += 1
        status = status_of(task_id, state, self.numbers)
        executor.unacknowledged.append(status)
        if state in TERMINAL_STATES:
            executor.tasks.pop(task_id, None)
        part = wire.Update(status=status)
        self.say(executor, envelope_of(executor, type="UPDATE", update=part), [status])

    def say(self, executor: PaperExecutor, call: wire.Call, statuses: list[TaskStatus]) -> None:
        """A call; what was acknowledged by it, even if the process died of it, is a promise."""
        framework_id = executor.framework_id
        ended = set(self.ended_here(framework_id))
        known = self.launched_here(framework_id)
        try:
            self.call(executor.executor_id, call, framework_id)
        finally:
            for status in statuses:
                new = status.task_id in known and status.task_id not in ended
                if new and status not in executor.unacknowledged:
                    self.promise(framework_id, status)
                    if status.state in TERMINAL_STATES:
                        ended.add(status.task_id)

    def launched_here(self, framework_id: str) -> set[str]:
        """Tasks of which an update is news."""
        there = self.core.state.frameworks.get(framework_id)
        tasks = {} if there is None else there.tasks
        return {task_id for task_id, task in tasks.items() if task.phase == "launched"}

    def ended_here(self, framework_id: str) -> set[str]:
        """Tasks whose end is known."""
        there = self.core.state.frameworks.get(framework_id)
        tasks = {} if there is None else there.tasks
        return {task_id for task_id, task in tasks.items() if task.phase == "ended"}

    def promise(self, framework_id: str, status: TaskStatus) -> None:
        """The agent has told the executor that it may forget an update."""
        if framework_id == CHECKPOINTS:
            promises = self.promised.setdefault((framework_id, status.task_id), [])
            uuid = status.uuid or b""
            if uuid not in promises:
                promises.append(uuid)

    def acknowledge(self, name: TaskName) -> None:
        """The framework acknowledges what it was told last of a task."""
        uuid, state = self.heads.pop(name)
        if state in TERMINAL_STATES:
            self.ended.add(name)
            self.believed.pop(name, None)
        ack = link.Ack(epoch=self.epoch, framework_id=name[0], task_id=name[1], uuid=uuid)
        self.frame(ack)

    def reap(self) -> None:
        """The agent hears of the containers that ended."""
        while self.dead:
            self.exit_container(self.dead.pop(0), 9)

    # The end ------------------------------------------------------------------------------------

    def join(self) -> None:
        """A leader is found and registered with; it asks about what the agent did not mention."""
        self.leaders += 1
        self.epoch = max(self.epoch, self.leaders, (self.core.state.epoch or 0)) + 1
        self.leaders = self.epoch
        self.hear(LeaderSeen(self.epoch, f"http://m{self.epoch}"))
        self.connect()
        assert self.register is not None
        told = {(task.framework_id, task.task_id) for task in self.register.tasks}
        self.registered(*sorted(self.believed.keys() - told))

    def heal(self) -> None:
        """Everybody comes together, and all work ends."""
        for executor in list(self.executors.values()):
            if executor.container in self.core.state.containers:
                self.come(executor)
        self.pass_time(2 * SECOND_US)
        self.join()
        for executor in list(self.executors.values()):
            self.come(executor)
            for task_id in list(executor.tasks):
                self.report(executor, task_id, "TASK_FINISHED")
        for container in list(self.alive):
            self.die(container)
        self.reap()
        while self.heads:
            self.acknowledge(min(self.heads))

    def verify(self) -> None:
        """Nothing promised is lost, no task ends twice, nothing is left behind."""
        assert set(self.view) == {"agent"}
        assert set(self.kept) == {"agent", "epoch"}
        assert self.believed == {}, "the master still waits for the end of a task"
        for name, promises in self.promised.items():
            told = self.delivered.get(name, {})
            assert [uuid for uuid in told if uuid in promises] == promises, "lost or reordered"
        for name, told in self.delivered.items():
            ends = [uuid for uuid, state in told.items() if state in TERMINAL_STATES]
            assert ends, f"{name} never ended"
            # An answer for a framework that is unknown here is not kept: it may be made again.
            if name[0] == CHECKPOINTS and not self.answers.issuperset(ends):
                assert len(ends) == 1, f"{name} ended {len(ends)} times (S10)"


def envelope_of(executor: PaperExecutor, **parts: Any) -> wire.Call:
    """A call of a paper executor."""
    return envelope(executor.executor_id, executor.framework_id, **parts)
