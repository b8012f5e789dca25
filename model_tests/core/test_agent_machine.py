"""Any master and any executor against the agent core, in any order, over any restarts.

`Anything` is a world that does not keep to any protocol: stale ids, old epochs, replaced links,
calls of executors that are long gone. Whatever comes, the core does not raise, holds its rules,
keeps what it should, reports its view rightly, and does the same again when asked the same.

`KeepsItsWord` is a world that keeps to the protocol while the agent is killed at any effect: what
was promised is told, and every task ends once.
"""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from mesos_ref import link
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.events import (
    Event,
    ExecutorCall,
    ExecutorExited,
    ExecutorStreamEnded,
    Frame,
    LeaderSeen,
    Linked,
    LinkEnded,
    Started,
    Tick,
)
from mesos_ref.step import Step
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import DurationInfo, KillPolicy, TaskState, TaskStatus
from model_tests.core.agent_bench import (
    SECOND_US,
    Bench,
    CountedIds,
    custom,
    envelope,
    framework_info,
    task_info,
    uuid_of,
)
from model_tests.core.agent_world import CHECKPOINTS, FORGETS, Killed, World

FRAMEWORKS = st.sampled_from([CHECKPOINTS, FORGETS, "other"])
TASKS = st.sampled_from(["t1", "t2", "t3", "e1", "a/b", ""])
EXECUTORS = st.sampled_from(["e1", "e2", "t1", "t2"])
LAGS = st.sampled_from([0] * 12 + [1, -1])
STATES: st.SearchStrategy[TaskState] = st.sampled_from(
    ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_FINISHED", "TASK_LOST"]
)
UUIDS = st.one_of(st.integers(0, 12).map(uuid_of), st.just(b"short"))
TIMES_S = st.sampled_from([0, 0.5, 1.9, 2.1, 4.9, 5.1, 9.9, 10.1, 59, 61, 74, 76, 700])


class Twins(Bench):
    """A bench with two cores that are told the same."""

    def boot(self) -> None:
        """Both anew, over the same disk."""
        self.twin_ids = CountedIds()
        self.twin_ids.count = self.ids.count
        self.twin = AgentCore(self.config, self.twin_ids, dict(self.kept))
        super().boot()

    def hear(self, event: Event) -> Step:
        """They want the same."""
        before = self.core.state.over
        twin_step = self.twin.handle(event, self.now_us)
        step = super().hear(event)
        assert step == twin_step
        assert self.twin.view() == self.core.view()
        assert self.twin.next_deadline == self.core.next_deadline
        assert not before or step == Step()
        if not step.did:
            assert all(type(effect).__name__ not in SPOKEN for effect in step.effects)
        return step


#: Effects the specification knows of: none without an action.
SPOKEN = {"SendFrame", "SendEvent"}


class Anything(RuleBasedStateMachine):
    """Nobody keeps to anything."""

    @initialize()
    def begin(self) -> None:
        """One agent, registered."""
        self.bench = Twins()
        self.bench.start()
        self.bench.lead()
        self.links: list[str] = ["never"]
        self.containers: list[str] = ["never"]
        self.number = 0

    def note(self) -> None:
        """Ids that were once good stay in play."""
        bench = self.bench
        self.links.extend(name for name in [bench.link] if name and name not in self.links)
        self.containers.extend(name for name in bench.alive if name not in self.containers)

    # Masters ------------------------------------------------------------------------------------

    @rule(data=st.data(), kind=st.sampled_from(["leader", "ended", "linked", "joins", "joins"]))
    def links_come_and_go(self, data: st.DataObject, kind: str) -> None:
        """Of any link there ever was; the detector may be late, or repeat itself."""
        self.note()
        epoch = data.draw(st.integers(1, 4))
        name = data.draw(st.sampled_from([*self.links, self.bench.link, self.bench.link]))
        match kind:
            case "leader":
                self.bench.hear(LeaderSeen(epoch, f"http://m{epoch}"))
            case "ended":
                self.bench.hear(LinkEnded(name))
            case "linked":
                self.bench.hear(Linked(name))
            case _:
                self.join()

    def join(self) -> None:
        """The leader is dialled, if need be, and takes the agent's word."""
        state = self.bench.core.state
        if state.registered:
            return
        self.bench.epoch = state.epoch or 0
        self.bench.hear(LeaderSeen(self.bench.epoch, "http://m"))
        self.bench.pass_time(2 * SECOND_US)
        if state.link is None and state.dialling is None:
            self.bench.connect()
        elif state.dialling is not None:
            self.bench.hear(Linked(self.bench.link))
        self.bench.registered()

    def frame(self, frame: link.FromMaster, stale: bool) -> None:
        """On the current link, or on one that was replaced."""
        self.note()
        self.number += 1
        name = self.links[0] if stale else self.bench.link
        self.bench.hear(Frame(name, self.number, frame))

    def epoch(self, lag: int) -> int:
        """The current one, or an older or a newer one."""
        return max(0, (self.bench.core.state.epoch or 0) - lag)

    def some(self, data: st.DataObject) -> tuple[str, str, str]:
        """A framework, an executor and a task; mostly of those that are there."""
        found = [
            (framework_id, executor.executor_id, task_id)
            for framework_id, framework in sorted(self.bench.core.state.frameworks.items())
            for _, executor in sorted(framework.executors.items())
            for task_id in (*sorted(executor.tasks), *sorted(framework.tasks), "t1")
        ]
        strange = st.tuples(FRAMEWORKS, EXECUTORS, TASKS)
        is_there = found and data.draw(st.sampled_from([True] * 5 + [False]))
        chosen: tuple[str, str, str] = data.draw(st.sampled_from(found) if is_there else strange)
        return chosen

    @rule(
        lag=LAGS,
        stale=st.sampled_from([False] * 5 + [True]),
        asked=st.lists(st.tuples(FRAMEWORKS, TASKS), max_size=2),
    )
    def registered(self, lag: int, stale: bool, asked: list[tuple[str, str]]) -> None:
        """Registered, asking about anything."""
        keys = tuple(link.TaskKey(framework_id=f, task_id=t) for f, t in asked)
        me = self.bench.core.state.agent_id
        frame = link.Registered(epoch=self.epoch(lag), agent_id=me, reconcile=keys)
        self.frame(frame, stale)

    @rule(
        data=st.data(),
        lag=LAGS,
        custom_executor=st.booleans(),
        launch=st.sampled_from([None, None, None, True, False]),
        aware=st.booleans(),
    )
    def run(
        self,
        data: st.DataObject,
        lag: int,
        custom_executor: bool,
        launch: bool | None,
        aware: bool,
    ) -> None:
        """RunTask, sensible or not."""
        framework_id, executor_id, _ = self.some(data)
        task_id = data.draw(TASKS)
        there = self.bench.core.state.frameworks.get(framework_id)
        is_new = (
            there is None or (executor_id if custom_executor else task_id) not in there.executors
        )
        executor = custom(executor_id) if custom_executor else None
        frame = link.RunTask(
            epoch=self.epoch(lag),
            framework=framework_info(
                framework_id, checkpoint=framework_id != FORGETS, partition_aware=aware
            ),
            task=task_info(task_id, executor),
            role="r",
            executor=executor,
            launch_executor=is_new if launch is None else launch,
        )
        self.frame(frame, stale=False)

    @rule(data=st.data(), framework_id=FRAMEWORKS, comes=st.booleans())
    def a_task_runs(self, data: st.DataObject, framework_id: str, comes: bool) -> None:
        """As it should be."""
        self.join()
        task_id, executor_id = data.draw(
            st.sampled_from([("t1", None), ("t2", None), ("t2", "e1"), ("t3", "e1"), ("t3", "e2")])
        )
        there = self.bench.core.state.frameworks.get(framework_id)
        is_new = there is None or (executor_id or task_id) not in there.executors
        self.bench.epoch = self.epoch(0)
        info = framework_info(framework_id, checkpoint=framework_id != FORGETS)
        self.bench.run(task_id, executor_id, info=info, launch=is_new)
        if comes:
            self.call(
                executor_id or task_id, framework_id, type="SUBSCRIBE", subscribe=wire.Subscribe()
            )

    @rule(
        data=st.data(),
        kind=st.sampled_from(
            ["Ping", "Lost", "Kill", "Kill", "Ack", "End", "Remove", "Return", "Message"]
        ),
        lag=LAGS,
        uuid=UUIDS,
    )
    def order(self, data: st.DataObject, kind: str, lag: int, uuid: bytes) -> None:
        """Any other frame."""
        framework_id, executor_id, task_id = self.some(data)
        epoch = self.epoch(lag)
        policy = KillPolicy(grace_period=DurationInfo(nanoseconds=1))
        frames: dict[str, link.FromMaster] = {
            "Ping": link.Ping(epoch=epoch, connected=True),
            "Lost": link.Ping(epoch=epoch, connected=False),
            "Kill": link.Kill(
                epoch=epoch, framework_id=framework_id, task_id=task_id, kill_policy=policy
            ),
            "Ack": link.Ack(epoch=epoch, framework_id=framework_id, task_id=task_id, uuid=uuid),
            "End": link.ShutdownExecutor(
                epoch=epoch, framework_id=framework_id, executor_id=executor_id
            ),
            "Remove": link.ShutdownFramework(epoch=epoch, framework_id=framework_id),
            "Return": link.UpdateFramework(epoch=epoch, framework=framework_info(framework_id)),
            "Message": link.Message(
                epoch=epoch, framework_id=framework_id, executor_id=executor_id, data=b""
            ),
        }
        self.frame(frames[kind], stale=False)

    @rule(data=st.data())
    def acknowledge_a_head(self, data: st.DataObject) -> None:
        """What a framework does that listens."""
        heads = [
            (framework_id, task_id)
            for framework_id, framework in sorted(self.bench.core.state.frameworks.items())
            for task_id in sorted(framework.queues)
        ]
        if heads:
            framework_id, task_id = data.draw(st.sampled_from(heads))
            self.bench.epoch = self.epoch(0)
            self.bench.ack(task_id, framework_id)

    # Executors ----------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        listed=st.lists(TASKS, max_size=2),
        brought=st.lists(st.tuples(TASKS, STATES, UUIDS), max_size=2),
    )
    def subscribe(
        self,
        data: st.DataObject,
        listed: list[str],
        brought: list[tuple[str, TaskState, bytes]],
    ) -> None:
        """Anybody subscribes, bringing anything."""
        framework_id, executor_id, _ = self.some(data)
        part = wire.Subscribe(
            unacknowledged_tasks=tuple(task_info(task_id) for task_id in listed),
            unacknowledged_updates=tuple(
                wire.Update(status=TaskStatus(task_id=task_id, state=state, uuid=uuid))
                for task_id, state, uuid in brought
            ),
        )
        self.call(executor_id, framework_id, type="SUBSCRIBE", subscribe=part)

    @rule(data=st.data(), state=STATES, uuid=UUIDS, own=st.sampled_from([None, None, "e1"]))
    def update(self, data: st.DataObject, state: TaskState, uuid: bytes, own: str | None) -> None:
        """Anybody says anything of any task."""
        framework_id, executor_id, task_id = self.some(data)
        status = TaskStatus(
            task_id=task_id, state=state, source="SOURCE_EXECUTOR", uuid=uuid, executor_id=own
        )
        self.call(executor_id, framework_id, type="UPDATE", update=wire.Update(status=status))

    @rule(data=st.data())
    def message(self, data: st.DataObject) -> None:
        """Anybody sends bytes."""
        framework_id, executor_id, _ = self.some(data)
        self.call(executor_id, framework_id, type="MESSAGE", message=wire.Message(data=b"\xff"))

    def call(self, executor_id: str, framework_id: str, **parts: Any) -> None:
        """An executor's call."""
        self.number += 1
        call = envelope(executor_id, framework_id, **parts)
        name = f"s{self.number}"
        event = ExecutorCall(
            f"r{self.number}", ("ext", self.number), framework_id, executor_id, call, name
        )
        self.bench.hear(event)

    @rule(data=st.data(), status=st.one_of(st.none(), st.integers(0, 255)))
    def a_container_ends(self, data: st.DataObject, status: int | None) -> None:
        """Any container there ever was, perhaps again."""
        self.note()
        container = data.draw(st.sampled_from(self.containers))
        if container in self.bench.alive:
            self.bench.alive.remove(container)
        self.bench.hear(ExecutorExited(container, status))

    # Time and the process -----------------------------------------------------------------------

    @rule(seconds=TIMES_S, late=st.booleans())
    def time_passes(self, seconds: float, late: bool) -> None:
        """With a Tick at each deadline, or one for all that became due meanwhile."""
        if late:
            self.bench.now_us += int(seconds * SECOND_US)
            self.bench.hear(Tick())
        else:
            self.bench.pass_time(int(seconds * SECOND_US))

    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """The process is killed between two events; some executors die with it."""
        self.note()
        alive = [name for name in self.bench.alive if data.draw(st.booleans())]
        self.bench.boot()
        self.bench.start(alive)
        if data.draw(st.booleans()):
            self.join()

    @rule(number=st.integers(0, 9))
    def what_does_nothing(self, number: int) -> None:
        """Events that make no sense, and ends of streams, which are not ends of executors."""
        assert self.bench.hear(Started((), 0)) == Step()
        assert self.bench.hear(Linked("never")).did == ()
        assert self.bench.hear(ExecutorExited("never")) == Step()
        assert self.bench.hear(ExecutorStreamEnded(f"s{number}")) == Step()

    @precondition(lambda self: self.number > 30)
    @rule()
    def shut_down(self) -> None:
        """The agent may not stay; its process is started again."""
        frame = link.Shutdown(epoch=self.epoch(0))
        self.frame(frame, stale=False)
        if self.bench.core.state.over:
            self.bench.hear(Tick())
            self.bench.boot()
            self.bench.start([])

    @invariant()
    def the_store_is_enough(self) -> None:
        """What is kept can be read back into what it came from (checked by `Bench` on restart)."""
        assert "agent" in self.bench.kept


class KeepsItsWord(RuleBasedStateMachine):
    """Everybody keeps to the protocol, but the agent is killed at any effect."""

    @initialize()
    def begin(self) -> None:
        """One agent, registered."""
        self.world = World()
        self.world.start()
        self.world.join()
        self.task = 0

    @contextlib.contextmanager
    def mortal(self) -> Any:
        """The agent may be killed meanwhile; then another one starts, and registers."""
        try:
            yield
        except Killed:
            self.world.restart()
            for executor in list(self.world.executors.values()):
                self.world.come(executor)
            self.world.pass_time(2 * SECOND_US)
            self.world.join()

    @rule(effects=st.integers(0, 12))
    def will_be_killed(self, effects: int) -> None:
        """After so many effects more."""
        self.world.kill_after = self.world.performed + effects

    @rule(
        framework_id=st.sampled_from([CHECKPOINTS, FORGETS]),
        executor_id=st.sampled_from([None, "e1", "e2"]),
    )
    def launch(self, framework_id: str, executor_id: str | None) -> None:
        """A new task."""
        self.task += 1
        with self.mortal():
            self.world.launch(framework_id, f"task-{self.task}", executor_id)

    @rule(data=st.data())
    def come(self, data: st.DataObject) -> None:
        """An executor subscribes, perhaps again."""
        executor = self.some_executor(data)
        if executor is not None:
            with self.mortal():
                self.world.come(executor)

    @rule(data=st.data(), state=st.sampled_from(["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]))
    def report(self, data: st.DataObject, state: TaskState) -> None:
        """An executor tells of one of its tasks."""
        executor = self.some_executor(data)
        if executor is not None and executor.tasks and executor.stream:
            task_id = data.draw(st.sampled_from(sorted(executor.tasks)))
            with self.mortal():
                self.world.report(executor, task_id, state)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """The framework acknowledges what it was told."""
        if self.world.heads:
            name = data.draw(st.sampled_from(sorted(self.world.heads)))
            with self.mortal():
                self.world.acknowledge(name)

    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """The framework wants a task gone."""
        if self.world.believed:
            framework_id, task_id = data.draw(st.sampled_from(sorted(self.world.believed)))
            with self.mortal():
                self.world.kill(task_id, framework_id)

    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """An executor ends."""
        executor = self.some_executor(data)
        if executor is not None:
            with self.mortal():
                self.world.die(executor.container)
                self.world.reap()

    @rule(seconds=st.sampled_from([1, 6, 11, 61]))
    def time_passes(self, seconds: int) -> None:
        """With a Tick at each deadline, and pings that keep the link."""
        with self.mortal():
            self.world.frame(link.Ping(epoch=self.world.epoch, connected=True))
            self.world.pass_time(seconds * SECOND_US)
            self.world.reap()

    @rule()
    def another_leader(self) -> None:
        """The master fails over."""
        with self.mortal():
            self.world.join()

    def some_executor(self, data: st.DataObject) -> Any:
        """One that lives, or None."""
        found = sorted(self.world.executors)
        return self.world.executors[data.draw(st.sampled_from(found))] if found else None

    def teardown(self) -> None:
        """In the end all is well."""
        if not hasattr(self, "world"):
            return
        self.world.kill_after = None
        self.world.heal()
        self.world.verify()


TestAnything = Anything.TestCase
TestKeepsItsWord = KeepsItsWord.TestCase
TestAnything.settings = settings(stateful_step_count=60)
TestKeepsItsWord.settings = settings(stateful_step_count=40)
