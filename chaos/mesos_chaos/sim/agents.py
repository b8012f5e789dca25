"""Simulated agents and the executors they start.

An executor is the real `ExecutorCore` with a pretended command: it runs as long as its `sleep N`
says.  It is a process of its own: it outlives its agent if its framework checkpoints, and comes
back to the agent when that is up again.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mesos_chaos.sim.loop import SECOND_US, Loop, Timer
from mesos_chaos.sim.masters import SimMaster
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import Listener, Node, SimIds
from mesos_ref import trace
from mesos_ref.agent import events as heard
from mesos_ref.agent import tracing
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit, StartExecutor
from mesos_ref.executor import effects as executor_effects
from mesos_ref.executor import events as executor_heard
from mesos_ref.executor.core import ExecutorConfig, ExecutorCore
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    Effect,
    OpenStream,
    SendEvent,
    SendFrame,
)

START_US = 3_000
SIGKILLED = 9
STUTTERS = 0.03  #: the share of updates that an executor repeats


class SimExecutor:
    """One command executor process, and the command it pretends to run."""

    def __init__(self, agent: SimAgent, start: StartExecutor) -> None:
        self.agent = agent
        self.container = start.container
        self.checkpoint = start.checkpoint
        self.framework_id, self.executor_id = start.framework_id, start.executor_id
        config = ExecutorConfig(
            framework_id=start.framework_id,
            executor_id=start.executor_id,
            checkpoint=start.checkpoint,
            shutdown_grace_us=start.shutdown_grace_us,
        )
        stream = agent.loop.random(f"executor {start.container}")
        self._core = ExecutorCore(config, SimIds(stream), lambda n: stream.randint(0, n))
        self._end: End[Any] | None = None
        self._timer: Timer | None = None
        self._command: Timer | None = None
        self.alive = True

    @property
    def name(self) -> str:
        """Its name on the network."""
        return f"executor {self.container}"

    def start(self) -> None:
        """Its process is up."""
        self._hear(executor_heard.Started())

    def _hear(self, event: Any) -> None:
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
            self._timer = self.agent.loop.at(due, lambda: self._hear(executor_heard.Tick()))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case executor_effects.OpenSubscription(connection=connection, call=call):
                self._subscribe(connection, call)
            case executor_effects.CloseSubscription():
                if self._end is not None:
                    self._end.close()
                    self._end = None
            case executor_effects.SendCall(call=call):
                if self._end is not None:
                    self._end.send(call)
                    self._stutter(call)
            case executor_effects.RunCommand(task=task):
                self._run(task)
            case executor_effects.SignalCommand(signal=signal):
                if self._command is not None:
                    self._command.cancel()
                    ended = executor_heard.CommandEnded(signal=signal)
                    self._command = self.agent.loop.after(1_000, lambda: self._hear(ended))
            case executor_effects.Exit(code=code):
                self.die(code << 8)
            case _:
                raise TypeError(f"{self.name} does not know how to {type(effect).__name__}")

    def _stutter(self, call: Any) -> None:
        """Now and then say something twice, or say of a task that has ended that it failed."""
        end, dice = self._end, self.agent.loop.random(f"executor {self.container}")
        if end is None or call.update is None or dice.random() > STUTTERS:
            return
        end.send(call)
        status = call.update.status
        if status.state == "TASK_FINISHED":
            uuid = SimIds(dice).uuid_bytes()
            other = msgspec.structs.replace(status, state="TASK_FAILED", uuid=uuid)
            update = msgspec.structs.replace(call.update, status=other)
            end.send(msgspec.structs.replace(call, update=update))

    def _subscribe(self, connection: int, call: Any) -> None:
        agent = self.agent
        if not agent.alive:
            ended = executor_heard.StreamEnded(connection)
            agent.loop.after(1_000, lambda: self._hear(ended))
            return
        ends: tuple[End[Any], End[Any]] = agent.network.connect(self.name, agent.name)
        near, far = ends
        self._end = near
        near.hear = lambda said: self._told(connection, *said)
        near.ended = lambda: self._hear(executor_heard.StreamEnded(connection))
        agent.accept_executor(self, far)
        near.send(call)

    def _told(self, connection: int, kind: str, *rest: Any) -> None:
        if kind == "opened":
            self._hear(executor_heard.StreamOpened(connection))
        elif kind == "event":
            self._hear(executor_heard.EventHeard(connection, *rest))
        elif rest[0] != 202:
            subscribing = rest[1]
            if subscribing:
                self._hear(executor_heard.SubscribeFailed(connection, rest[0]))
            else:
                self._hear(executor_heard.CallFailed(connection, rest[0]))

    def _run(self, task: Any) -> None:
        words = ((task.command.value if task.command else "") or "").split()
        seconds = float(words[1]) if len(words) == 2 and words[0] == "sleep" else 0.05
        self.agent.ran.append((self.framework_id, task.task_id))
        self._hear(executor_heard.CommandStarted(1))
        ended = executor_heard.CommandEnded(exit_code=0)
        self._command = self.agent.loop.after(round(seconds * SECOND_US), lambda: self._hear(ended))

    def die(self, status: int | None) -> None:
        """Its process ends, of itself or by a signal; the agent hears of it if it is up."""
        if not self.alive:
            return
        self.alive = False
        for timer in (self._timer, self._command):
            if timer is not None:
                timer.cancel()
        self.agent.network.drop_node(self.name)
        self.agent.executors.pop(self.container, None)
        exited = heard.ExecutorExited(self.container, status)
        self.agent.loop.after(1_000, lambda: self.agent.hear(exited))


class SimAgent(Node):
    """An agent process, its link, and the executors on its machine."""

    role = "agent"
    tick = heard.Tick()

    def __init__(
        self,
        loop: Loop,
        network: Network,
        name: str,
        config: AgentConfig,
        listener: Listener,
        masters: dict[str, SimMaster],
    ) -> None:
        super().__init__(loop, name, listener)
        self.network = network
        self.config = config
        self.executors: dict[str, SimExecutor] = {}
        self.ran: list[tuple[str, str]] = []  #: every command ever started here
        self._masters = masters
        self._links: dict[str, End[Any]] = {}
        self._streams: dict[str, End[Any]] = {}
        self._asking: dict[str, tuple[End[Any], bool]] = {}
        self._sent: dict[str, int] = {}
        self._foreign = 0

    def start(self) -> None:
        """Start, or start again in the same work directory."""
        ids = trace.RecordedIds(SimIds(self.loop.random(f"ids {self.name}.{self.life + 1}")))
        core = AgentCore(self.config, ids, dict(self.kept))
        for executor in list(self.executors.values()):
            if not executor.checkpoint:
                executor.die(SIGKILLED)
        node = self.name
        self.begin(core, ids, tracing.config_of(self.config), node)
        alive = tuple(sorted(self.executors))
        self.hear(heard.Started(alive, self.loop.now_us))

    def kill(self) -> None:
        """SIGKILL of the agent's process; its executors live on."""
        super().kill()
        self._links, self._streams, self._asking, self._sent = {}, {}, {}, {}
        self.network.drop_node(self.name)

    def leader(self, epoch: int, master: str) -> None:
        """The detector saw a leader."""
        self.hear(heard.LeaderSeen(epoch, master))

    # ---- the link ------------------------------------------------------------------------------
    def _connect(self, effect: Connect) -> None:
        master = self._masters[effect.url]
        link = effect.link
        if not master.leads or not master.alive:
            self.loop.after(5_000, lambda: self.hear(heard.LinkEnded(link)))
            return
        ends: tuple[End[Any], End[Any]] = self.network.connect(self.name, master.name)
        near, far = ends
        self._links[link] = near
        near.hear = lambda sent: self.hear(heard.Frame(link, sent[0], sent[1]))
        near.ended = lambda: self._link_ended(link)
        master.accept_link(link, far)
        self.loop.after(0, lambda: self.hear(heard.Linked(link)))

    def _link_ended(self, link: str) -> None:
        if self._links.pop(link, None) is not None:
            self.hear(heard.LinkEnded(link))

    # ---- executors -----------------------------------------------------------------------------
    def accept_executor(self, executor: SimExecutor, end: End[Any]) -> None:
        """An executor has connected: it makes calls, and listens on the same connection."""
        end.hear = lambda call: self._call(executor, end, call)

    def _call(self, executor: SimExecutor, end: End[Any], call: Any) -> None:
        self._foreign += 1
        request = f"{self.name}.{self.life}#{self._foreign}"
        self._asking[request] = (end, call.type == "SUBSCRIBE")
        new = SimIds(self.loop.random(f"streams {self.name}")).uuid()
        self.hear(
            heard.ExecutorCall(
                request,
                ("ext", self._foreign),
                executor.framework_id,
                executor.executor_id,
                call,
                new,
            )
        )

    def _start(self, effect: StartExecutor) -> None:
        executor = SimExecutor(self, effect)
        self.executors[effect.container] = executor
        self.loop.after(START_US, executor.start)

    # ---- effects -------------------------------------------------------------------------------
    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        match effect:
            case Connect():
                self._connect(effect)
            case SendFrame(link=link, frame=frame):
                if link in self._links:
                    self._links[link].send((self._number(link), frame))
            case CloseLink(link=link):
                if (end := self._links.pop(link, None)) is not None:
                    end.close()
            case StartExecutor():
                self._start(effect)
            case DestroyExecutor(container=container):
                if (doomed := self.executors.get(container)) is not None:
                    doomed.die(SIGKILLED)
            case OpenStream(request=request, stream=stream):
                end, _ = self._asking.pop(request)
                self._streams[stream] = end
                end.send(("opened",))
                end.ended = lambda: self._stream_ended(stream)
            case SendEvent(stream=stream, event=event):
                if stream in self._streams:
                    self._streams[stream].send(("event", self._number(stream), event))
            case CloseStream(stream=stream):
                if (end := self._streams.pop(stream, None)) is not None:
                    end.close()
            case Answer(request=request, status=status):
                end, subscribing = self._asking.pop(request)
                end.send(("answer", status, subscribing))
            case Exit():
                self.kill()
            case _:
                super().perform(effect)

    def _stream_ended(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None:
            self.hear(heard.ExecutorStreamEnded(stream))

    def _number(self, connection: str) -> int:
        self._sent[connection] = self._sent.get(connection, -1) + 1
        return self._sent[connection]
