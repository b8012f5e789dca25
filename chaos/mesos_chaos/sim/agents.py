"""Simulated agents: a process, its link to the master, and the executors on its machine."""

from __future__ import annotations

from typing import Any

from mesos_chaos.sim.answered import due_of_agent
from mesos_chaos.sim.custom import CustomExecutor
from mesos_chaos.sim.executors import CommandExecutor, SimExecutor
from mesos_chaos.sim.graces import Graces
from mesos_chaos.sim.loop import Loop
from mesos_chaos.sim.masters import SimMaster
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import Listener, Node, SimIds
from mesos_chaos.sim.started import asks_for, misstarted
from mesos_ref import trace
from mesos_ref.agent import events as heard
from mesos_ref.agent import tracing
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit, StartExecutor
from mesos_ref.link import RunTask, Shutdown
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
SLOW_START_US = 300_000
SLOW = 0.1  #: the share of executors that take their time to start
REAP_US = 1_000
SIGKILLED = 9


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
        listener: Listener | None,
        masters: dict[str, SimMaster],
        stillborn: dict[str, int],
        slow_ends_us: int = 0,
    ) -> None:
        """`slow_ends_us`: how long it may take until an executor that ended is gone."""
        super().__init__(loop, name, listener)
        self.network = network
        self.config = config
        self.executors: dict[str, SimExecutor] = {}
        self.ran: list[tuple[str, str]] = []  #: every command ever started here
        self.stillborn = stillborn
        self.slow_ends_us = slow_ends_us
        self._masters = masters
        self._links: dict[str, End[Any]] = {}
        self._streams: dict[str, End[Any]] = {}
        self._asking: dict[str, tuple[End[Any], bool]] = {}
        self._sent: dict[str, int] = {}
        self._new_streams = SimIds(loop.random(f"streams {name}"))
        self._foreign = 0
        #: The last RunTask for each executor: (framework id, executor id) → frame.
        self._asked_for: dict[tuple[str, str], RunTask] = {}
        self._due: dict[str, int] = {}  #: requests of executors, and the answers they expect
        self._graces = Graces()

    def start(self) -> None:
        """Start, or start again in the same work directory."""
        self.set_calendar()
        ids = trace.RecordedIds(SimIds(self.loop.random(f"ids {self.name}.{self.life + 1}")))
        core = AgentCore(self.config, ids, dict(self.kept))
        for executor in list(self.executors.values()):
            if not executor.checkpoint:
                executor.die(SIGKILLED)
        node = self.name
        self._graces = Graces()
        self.begin(core, ids, tracing.config_of(self.config), node)
        alive = tuple(sorted(self.executors))
        self.hear(heard.Started(alive, self.epoch_us + self.loop.now_us))
        for container, known in self._known_executors():
            if known.phase == "terminating":
                self._graces.goes_on(container, self.loop.now_us)

    def kill(self) -> None:
        """SIGKILL of the agent's process; its executors live on."""
        super().kill()
        self._links, self._streams, self._asking, self._sent = {}, {}, {}, {}
        self._due = {}
        self.network.drop_node(self.name)

    def leader(self, epoch: int, master: str) -> None:
        """The detector saw a leader."""
        self.hear(heard.LeaderSeen(epoch, master))

    @property
    def unanswered(self) -> list[str]:
        """Calls that wait for an answer."""
        return [*self._asking]

    @property
    def links(self) -> list[str]:
        """Those to masters that are open."""
        return [*self._links]

    @property
    def streams(self) -> list[str]:
        """Those of executors that are open."""
        return [*self._streams]

    # ---- the link ------------------------------------------------------------------------------
    def _connect(self, effect: Connect) -> None:
        master = self._masters[effect.url]
        link = effect.link
        self.opens(link)
        if not master.leads or not master.alive:
            self.loop.after(5_000, lambda: self.hear(heard.LinkEnded(link)))
            return
        ends: tuple[End[Any], End[Any]] = self.network.connect(self.name, master.name)
        near, far = ends
        self.astray += [f"dials while its link {one} is open" for one in self._links]
        self._links[link] = near
        near.hear = lambda sent: self._heard(heard.Frame(link, sent[0], sent[1]))
        near.ended = lambda: self._link_ended(link)
        master.accept_link(link, far)
        self.loop.after(0, lambda: self.hear(heard.Linked(link)))

    def _heard(self, event: heard.Frame) -> None:
        if isinstance(event.frame, Shutdown):
            self._graces.is_over = True
        if isinstance(event.frame, RunTask) and event.frame.launch_executor:
            self._asked_for[asks_for(event.frame)] = event.frame
        self.hear(event)

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
        new = self._new_streams.uuid()
        whose = executor.framework_id, executor.executor_id
        if self.core is not None and not self.paused:  # else it may be otherwise when it is heard
            self._due[request] = due_of_agent(self.core.state, *whose, call)
        self.hear(
            heard.ExecutorCall(
                request,
                ("ext", self._foreign),
                *whose,
                call,
                new,
            )
        )

    def bury(self, executor: SimExecutor, status: int | None) -> None:
        """An executor's process has ended; once it is gone, the agent hears of it if it is up."""
        if self.slow_ends_us:
            late_us = self.loop.random(f"ends {self.name}").randint(0, self.slow_ends_us)
            self.loop.after(late_us, lambda: self._is_gone(executor, status))
        else:
            self._is_gone(executor, status)

    def _is_gone(self, executor: SimExecutor, status: int | None) -> None:
        self.executors.pop(executor.container, None)
        exited = heard.ExecutorExited(executor.container, status)
        self.loop.after(REAP_US, lambda: self.hear(exited))

    def _start(self, effect: StartExecutor) -> None:
        asked = self._asked_for.pop((effect.framework_id, effect.executor_id), None)
        self.astray += misstarted(effect, asked, self.core.state, self.config)
        kind = CommandExecutor if effect.executor_info is None else CustomExecutor
        executor = kind(self, effect)
        self.executors[effect.container] = executor
        slow = executor.dice.random() < SLOW
        self.loop.after(SLOW_START_US if slow else START_US, executor.start)

    # ---- effects -------------------------------------------------------------------------------
    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        match effect:
            case Connect():
                self._connect(effect)
            case SendFrame(link=link, frame=frame):
                if link in self._links:
                    self._links[link].send((self._number(link), frame))
                else:
                    self.names("sends on link", link)
            case CloseLink(link=link):
                self.names("closes link", link)
                if (end := self._links.pop(link, None)) is not None:
                    end.close()
            case StartExecutor():
                self._start(effect)
            case DestroyExecutor(container=container):
                if (doomed := self.executors.get(container)) is not None:
                    grace_us = doomed.shutdown_grace_us
                    self.astray += self._graces.destroyed(container, grace_us, self.loop.now_us)
                    doomed.die(SIGKILLED)
            case OpenStream(request=request, stream=stream):
                end, _ = self._asking.pop(request)
                self.opens(stream)
                self._streams[stream] = end
                self._check(request, 200)
                end.send(("opened",))
                end.ended = lambda: self._stream_ended(stream)
                if not end.open:  # it hung up before this process, which was paused, saw to it
                    self.loop.after(0, lambda: self._stream_ended(stream))
            case SendEvent(stream=stream, event=event):
                if getattr(event, "type", "") == "SHUTDOWN":
                    self._tell_end(stream)
                if stream in self._streams:
                    self._streams[stream].send(("event", self._number(stream), event))
                else:
                    self.names("sends on stream", stream)
            case CloseStream(stream=stream):
                self.names("closes stream", stream)
                if (end := self._streams.pop(stream, None)) is not None:
                    end.close()
            case Answer(request=request, status=status):
                end, subscribing = self._asking.pop(request)
                self._check(request, status)
                end.send(("answer", status, subscribing))
            case Exit():
                self.kill()
            case _:
                super().perform(effect)

    def _check(self, request: str, status: int) -> None:
        if (due := self._due.pop(request, status)) != status:
            self.astray.append(f"answers an executor's call with {status}, not {due}")

    def _known_executors(self) -> list[tuple[str, Any]]:
        """By container, as the core shows them."""
        return [] if self.core is None else [*self.core.state.containers.items()]

    def _tell_end(self, stream: str) -> None:
        for container, known in self._known_executors():
            if known.stream == stream:
                self._graces.told(container, self.loop.now_us)

    def _stream_ended(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None:
            self.hear(heard.ExecutorStreamEnded(stream))

    def _number(self, connection: str) -> int:
        self._sent[connection] = self._sent.get(connection, -1) + 1
        return self._sent[connection]
