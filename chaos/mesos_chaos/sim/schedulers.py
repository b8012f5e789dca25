"""Simulated schedulers: the real `SchedulerCore`, between its connection and the user's code.

An update counts as seen a moment after the user's code got it; now and then that takes longer than
until the update comes again.  A scheduler that is told to stop,
because another one subscribed with its framework id, ends as a process does, and is started again
by whoever watches over it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesos_chaos.plan import Workload
from mesos_chaos.sim.delivered import misdelivered, misgreeted
from mesos_chaos.sim.loop import SECOND_US, Loop
from mesos_chaos.sim.masters import SimMaster
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import Listener, Node, SimIds
from mesos_chaos.sim.users import Items, User
from mesos_ref import trace
from mesos_ref.scheduler import events as heard
from mesos_ref.scheduler import tracing
from mesos_ref.scheduler.core import SchedulerConfig, SchedulerCore
from mesos_ref.scheduler.effects import (
    CloseSubscription,
    Connect,
    Deliver,
    NotSent,
    OpenSubscription,
    SendCall,
    Stop,
)
from mesos_ref.step import Effect
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import Capability, FrameworkInfo

SEEN_US = 500
PONDERS = 0.05  #: the share of updates that the user's code takes its time for
PONDERS_US = 3_000_000
WHIM_US = 50_000
MOST_WHIMS = 200  #: after so many an unruly user's code calms down by itself
PATIENCE_US = SECOND_US  #: without an offer that is wanted, until a patient user asks for it
REFUSED_US = 5_000
LEAVES_US = 2 * SECOND_US  #: at most, from the end of its work until it asks to be removed


class SimScheduler(Node):
    """A scheduler process and its user's code.  `stopped` is told when it stops for good."""

    role = "scheduler"
    tick = heard.Tick()

    def __init__(
        self,
        loop: Loop,
        network: Network,
        workload: Workload,
        listener: Listener | None,
        masters: dict[str, SimMaster],
        stopped: Callable[[SimScheduler], None],
    ) -> None:
        super().__init__(loop, workload.name, listener)
        self.network = network
        self.workload = workload
        self.user = User(workload, loop.random(f"user {workload.name}"))
        self.error: str | None = None  #: why it has stopped
        self.mistold: list[str] = []  #: what it was told, though it is not so
        self._given: set[tuple[str, bytes]] = set()  #: updates that this life's user's code has
        self._delivered: list[wire.Event] = []  #: to the user's code, of what was heard last
        self._dialled: dict[str, str] = {}  #: connection → the master that it dialled
        self._whims = MOST_WHIMS
        self._has_left = False
        self._answering = 0  #: the status of the answer that it hears just now
        self._masters = masters
        self._stopped = stopped
        self._end: tuple[str, End[Any]] | None = None
        self._ends: dict[str, tuple[str, End[Any]]] = {}  #: open: connection → stream, if any; end
        self._stream: str | None = None
        self._wanted = ""  #: the connection that it was told to make last
        multi = (Capability(type="MULTI_ROLE"), Capability(type="PARTITION_AWARE"))
        self._config = SchedulerConfig(
            framework=FrameworkInfo(
                user="sim",
                name=workload.name,
                roles=(workload.role,),
                capabilities=multi,
                checkpoint=True,
                failover_timeout=600.0,
            ),
            reconcile_us=2 * SECOND_US,
        )

    @property
    def items(self) -> Items:
        """Its wanted work."""
        return self.user.items

    @property
    def finished(self) -> bool:
        """Whether it has nothing left to do; one that leaves has been told that it is removed."""
        items = self.user.items  # asked after each event
        done = len(items.done) == self.workload.items and not items.running
        return done and (self._has_left or not self.workload.leaves)

    @property
    def framework(self) -> FrameworkInfo:
        """How it describes itself; with the id it was given, if it was."""
        return self._config.framework

    def start(self) -> None:
        """Start, or start again with the framework id it was given."""
        self.set_calendar()
        ids = trace.RecordedIds(SimIds(self.loop.random(f"ids {self.name}.{self.life + 1}")))
        recovered = {**self.kept, "tasks": self.user.agents()}
        core = SchedulerCore(self._config, ids, recovered)
        self.error = None
        self._given.clear()
        self.begin(core, ids, tracing.config_of(self._config), self.name)
        if self.user.unruly:
            self._soon(WHIM_US, self._misbehave)
        if self.workload.patient:
            self._soon(PATIENCE_US, self._ask_for_offers)
        self._leave_if_done()

    def kill(self) -> None:
        """SIGKILL."""
        super().kill()
        self._end, self._ends = None, {}
        self.network.drop_node(self.name)

    def leader(self, epoch: int, master: str) -> None:
        """The detector saw a leader."""
        self.hear(heard.LeaderSeen(epoch, master))

    def _soon(self, delay_us: int, do: Callable[[], None]) -> None:
        """Do something a little later, unless this process has ended by then."""
        life = self.life
        self.loop.after(delay_us, lambda: do() if self.alive and self.life == life else None)

    # ---- effects -------------------------------------------------------------------------------
    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        match effect:
            case Connect(connection=connection, url=url):
                self._wanted = connection
                self._connect(connection, self._masters[url])
            case OpenSubscription(connection=connection, call=call):
                self._send(connection, (connection, 0, None, call))
            case SendCall(connection=connection, stream=stream, n=n, call=call):
                if call.reconcile is not None and call.reconcile.tasks:
                    self._may_wake_idly = 1  # to ask again, if it was not told by then
                self._send(connection, (connection, n, stream, call))
            case CloseSubscription(connection=connection):
                if connection != self._wanted:  # which a real shell would not survive
                    self.mistold.append(f"told to close {connection}, not {self._wanted}")
                if connection in self._ends:
                    self._ends.pop(connection)[1].close()
                if self._end is not None and self._end[0] == connection:
                    self._end = None
            case Deliver(event=event):
                self._delivered.append(event)
                self._use(event)
            case Stop(error=error):
                self._has_left = error is None and self.workload.leaves
                self.error = None if self._has_left else error or "it was torn down"
                self._stopped(self)
            case NotSent(call=call, why=why):
                if 200 <= self._answering < 300:
                    self.mistold.append(f"told that a call failed that was accepted: {why}")
                self.user.not_sent(call)
            case _:
                super().perform(effect)

    def _send(self, connection: str, message: Any) -> None:
        if self._end is not None and self._end[0] == connection:
            self._end[1].send(message)

    def _connect(self, connection: str, master: SimMaster) -> None:
        if not master.alive:
            failed = heard.SubscribeFailed(connection, 0, "connection refused")
            self._soon(REFUSED_US, lambda: self.hear(failed))
            return
        ends: tuple[End[Any], End[Any]] = self.network.connect(self.name, master.name)
        near, far = ends
        self._end, self._stream = (connection, near), None
        self._dialled[connection] = master.name
        self._ends[connection] = connection, near
        near.hear = lambda said: self._told(connection, *said)
        near.ended = lambda: self._ended(connection)
        master.accept_scheduler(far)
        self._soon(0, lambda: self.hear(heard.Connected(connection)))

    def _told(self, connection: str, kind: str, *rest: Any) -> None:
        if kind == "event":
            stream, n, event = rest
            if event.update is not None and event.update.status.state == "TASK_UNREACHABLE":
                self._may_wake_idly = 1
            self._hear_event(connection, stream, n, event)
            return
        n, status, text = rest
        if n != 0:
            self._answering = status
            self.hear(heard.CallAnswered(connection, n, status, text))
            self._answering = 0
        elif status == 200:
            self._stream = text
            self._ends[connection] = text, self._ends[connection][1]
            self.hear(heard.StreamOpened(connection, text))
        else:  # an answer, and the connection with it, ends there
            if connection in self._ends:
                self._ends.pop(connection)[1].close()
            self.hear(heard.SubscribeFailed(connection, status, text))

    def _hear_event(self, connection: str, stream: str, n: int, event: wire.Event) -> None:
        """Hear it, and see what of it comes to the user's code."""
        status = None if event.update is None else event.update.status
        is_known = status is not None and (status.task_id, status.uuid) in self._given
        if event.subscribed is not None:
            self.mistold += misgreeted(event.subscribed, self._dialled.get(connection, ""))
        self._delivered.clear()
        self.hear(heard.EventHeard(stream, n, event))
        if self.core is not None and not self._came_to_nothing:
            self.mistold += misdelivered(event, is_known, self._delivered)

    @property
    def streams(self) -> list[str]:
        """Those that are open; a connection that came to none by its own name."""
        return [stream for stream, _ in self._ends.values()]

    def _ended(self, connection: str) -> None:
        self._ends.pop(connection, None)
        if self._end is None or self._end[0] != connection:
            return
        self._end = None
        if self._stream is not None:
            self.hear(heard.StreamEnded(self._stream))
        else:
            self.hear(heard.SubscribeFailed(connection, 0, "connection lost"))

    # ---- user code -----------------------------------------------------------------------------
    def _use(self, event: wire.Event) -> None:
        if event.offers is not None:
            for offer in event.offers.offers:
                info = offer.allocation_info
                if info is None or info.role != self.workload.role:
                    self.mistold.append(f"was offered {offer.id} not as {self.workload.role}")
                answer = self.user.answer(offer)
                if answer is not None:
                    self._ask(answer)
        elif event.update is not None:
            status = event.update.status
            self.user.update(status)
            self._leave_if_done()
            if status.uuid is not None:
                self._note(status.task_id, status.uuid)
                seen = heard.Seen(status.task_id, status.agent_id or "", status.uuid)
                self._soon(self._ponder_us(), lambda: self._seen(seen))

    def _seen(self, seen: heard.Seen) -> None:
        self.hear(seen)
        self.items.ends.discard(seen.task_id)

    def _leave_if_done(self) -> None:
        if self.workload.leaves and self.items.finished and not self.items.running:
            pause_us = self.loop.random(f"leaves {self.name}").randint(0, LEAVES_US)
            self._soon(pause_us, lambda: self.hear(heard.Asked(wire.Call(type="TEARDOWN"))))

    def _note(self, task_id: str, uuid: bytes) -> None:
        """One life of the user's code is given an update once, however often it comes (UPD-12)."""
        if (task_id, uuid) in self._given:
            self.mistold.append(f"was given an update of {task_id} twice")
        self._given.add((task_id, uuid))

    def _ponder_us(self) -> int:
        dice = self.loop.random(f"ponders {self.name}")
        return SEEN_US + (dice.randint(0, PONDERS_US) if dice.random() < PONDERS else 0)

    def _ask(self, call: wire.Call) -> None:
        self._soon(SEEN_US, lambda: self.hear(heard.Asked(call)))
        kill = self.user.second_thoughts(call)
        if kill is not None:
            self._soon(SEEN_US, lambda: self.hear(heard.Asked(kill)))

    def _misbehave(self) -> None:
        self._whims -= 1
        self.user.unruly = self.user.unruly and self._whims >= 0
        if self.user.unruly and not self.items.finished:
            self.hear(heard.Asked(self.user.whim()))
            self._ask(wire.Call(type="REVIVE"))
            dice = self.loop.random(f"unruly {self.name}")
            self._soon(dice.randint(1, 2 * WHIM_US), self._misbehave)

    def _ask_for_offers(self) -> None:
        if self.user.is_starved():
            self._ask(wire.Call(type="REVIVE"))
        if not self.items.finished:
            self._soon(PATIENCE_US, self._ask_for_offers)
