"""Simulated masters, and the election among them.

The election keeps sessions: a leader that dies loses its session at once, one that is paused when
its lease runs out.  Then another master that can lead is elected with the next epoch.  A leader
that was only paused goes on as if it led until it hears that it was deposed; a master that was
deposed ends, and comes back as a standby.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mesos_chaos.sim.answered import due_of_master
from mesos_chaos.sim.loop import SECOND_US, Loop
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import Listener, Node, SimIds
from mesos_ref import trace
from mesos_ref.master import events as heard
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.effects import AskElection
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    Effect,
    OpenStream,
    SendEvent,
    SendFrame,
)
from mesos_ref.wire.v1 import Address, MasterInfo

DETECT_US = 50_000
DEPOSED_US = 300_000


class SimMaster(Node):
    """A master process, with the connections it has accepted."""

    role = "master"
    tick = heard.Tick()
    _has_idle_timer = True

    def __init__(
        self,
        loop: Loop,
        network: Network,
        name: str,
        config: MasterConfig,
        listener: Listener | None,
        stepped_down: Callable[[SimMaster], None],
        doubts: Callable[[SimMaster], None],
    ) -> None:
        """`stepped_down` is told of its end; `doubts` asks the election whether it still leads."""
        super().__init__(loop, name, listener)
        self.network = network
        self.config = config
        self.leads = False
        self._stepped_down = stepped_down
        self._doubts = doubts
        self._links: dict[str, End[Any]] = {}
        self._streams: dict[str, End[Any]] = {}
        self._asking: dict[str, tuple[End[Any], int]] = {}
        self._sent: dict[str, int] = {}
        self._new_streams = SimIds(loop.random(f"streams {name}"))
        self._requests = 0
        self._foreign = 0
        self._operators: dict[str, int] = {}  #: requests of operators, and the answers they expect
        self._due: dict[str, int] = {}  #: requests of schedulers, and the answers they expect
        self.misanswered: list[str] = []

    def start(self) -> None:
        """Start as a standby."""
        self.set_calendar()
        ids = trace.RecordedIds(SimIds(self.loop.random(f"ids {self.name}.{self.life + 1}")))
        node_id = ids.uuid()
        config = msgspec.structs.replace(self.config, epoch_wall_us=self.epoch_us)
        core = MasterCore(config, ids, node_id)
        self.begin(core, ids, tracing.config_of(config, node_id), self.name)
        self.leads = False

    def lead(self, epoch: int) -> None:
        """Elected."""
        self.leads = True
        self._foreign = epoch << 32  # so that no two foreign calls of a run have one number
        address = Address(hostname=self.name, ip="127.0.0.1", port=5050)
        info = MasterInfo(id=self.name, ip=0, port=5050, hostname=self.name, address=address)
        self.hear(heard.Elected(epoch, info))

    def kill(self) -> None:
        """SIGKILL: everybody it was connected to hears of it."""
        super().kill()
        self.leads = False
        self._links, self._streams, self._asking, self._sent = {}, {}, {}, {}
        self._operators, self._due = {}, {}
        self.network.drop_node(self.name)

    # ---- agents --------------------------------------------------------------------------------
    def accept_link(self, link: str, end: End[Any]) -> None:
        """An agent has connected."""
        self._links[link] = end
        self.opens(link)
        end.hear = lambda sent: self.hear(heard.Frame(link, sent[0], sent[1]))
        end.ended = lambda: self._link_ended(link)

    def _link_ended(self, link: str) -> None:
        if self._links.pop(link, None) is not None:
            self.hear(heard.LinkEnded(link))

    # ---- schedulers ----------------------------------------------------------------------------
    def accept_scheduler(self, end: End[Any]) -> None:
        """A scheduler has connected: it makes calls, and listens on the same connection."""
        end.hear = lambda call: self._call(end, *call)

    def _call(self, end: End[Any], connection: str, n: int, stream: str | None, call: Any) -> None:
        if not self.leads:
            end.send(("answer", n, 503, "no leader"))
            return
        request = self._request()
        self._asking[request] = (end, n)
        new = self._new_streams.uuid()
        self._foreign += connection == "ext"
        number = self._foreign if connection == "ext" else n
        if not self.paused:  # else it may be otherwise when this is heard
            self._due[request] = due_of_master(self.core.state, stream, call)
        self.hear(heard.Call(request, (connection, number), stream, call, new))

    @property
    def links(self) -> list[str]:
        """Those of agents that are open."""
        return [*self._links]

    @property
    def unanswered(self) -> list[str]:
        """Calls, of operators too, that wait for an answer."""
        return [*self._asking, *self._operators]

    @property
    def streams(self) -> list[str]:
        """Those of schedulers that are open."""
        return [*self._streams]

    def _request(self) -> str:
        self._requests += 1
        return f"{self.name}.{self.life}#{self._requests}"

    def tear_down(self, framework_id: str) -> None:
        """An operator wants a framework removed: 200 if there is one, 400 if there is none."""
        request, known = self._request(), self.core.view().get(f"frameworks/{framework_id}")
        is_there = known is not None and known["standing"] != "removed"
        if not self.paused:  # else it may be otherwise when this is heard
            self._operators[request] = 200 if is_there else 400
        self.hear(heard.OperatorTeardown(request, framework_id))

    # ---- effects -------------------------------------------------------------------------------
    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        match effect:
            case SendFrame(link=link, frame=frame):
                if link in self._links:
                    self._links[link].send((self._number(link), frame))
                else:
                    self.names("sends on link", link)
            case CloseLink(link=link):
                self.names("closes link", link)
                if (end := self._links.pop(link, None)) is not None:
                    end.close()
            case OpenStream(request=request, stream=stream):
                end, n = self._asking.pop(request)
                self.opens(stream)
                self._streams[stream] = end
                self._check(request, 200)
                end.send(("answer", n, 200, stream))
                end.ended = lambda: self._stream_ended(stream)
                if not end.open:  # it hung up before this process, which was paused, saw to it
                    self.loop.after(0, lambda: self._stream_ended(stream))
            case SendEvent(stream=stream, event=event):
                if stream in self._streams:
                    self._streams[stream].send(("event", stream, self._number(stream), event))
                else:
                    self.names("sends on stream", stream)
            case CloseStream(stream=stream):
                self.names("closes stream", stream)
                if (end := self._streams.pop(stream, None)) is not None:
                    end.close()
            case Answer(request=request, status=status, body=body):
                if request in self._asking:
                    end, n = self._asking.pop(request)
                    self._check(request, status)
                    end.send(("answer", n, status, body))
                elif (right := self._operators.pop(request, status)) != status:
                    says = f"an operator's teardown was answered with {status}, not {right}"
                    self.misanswered.append(says)
            case AskElection():
                self._doubts(self)
            case _:
                super().perform(effect)

    def _check(self, request: str, status: int) -> None:
        if (due := self._due.pop(request, status)) != status:
            self.misanswered.append(f"a call was answered with {status}, not {due}")

    def _stream_ended(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None:
            self.hear(heard.StreamEnded(stream))

    def _number(self, connection: str) -> int:
        self._sent[connection] = self._sent.get(connection, -1) + 1
        return self._sent[connection]

    def depose(self, why: str) -> None:
        """It leads no more, learns of it, and ends (MFO-6)."""
        if self.leads and not self.paused:
            self.hear(heard.Deposed(why))
            self._stepped_down(self)


class Election:
    """Who leads.  `seen` are told of every new leader: epoch, and the master's name as its url."""

    def __init__(self, loop: Loop, lease_us: int = SECOND_US) -> None:
        self.loop = loop
        self.lease_us = lease_us
        self.masters: list[SimMaster] = []
        self.seen: list[Callable[[int, str], None]] = []
        self.epoch = 0
        self.leader: SimMaster | None = None
        self._life = 0

    def start(self) -> None:
        """Elect the first leader."""
        self._elect()

    def lost(self, master: SimMaster) -> None:
        """`master` has died: if it led, its session ends at once."""
        if master is self.leader:
            self.leader = None
            self.loop.after(DETECT_US, self._elect)

    def paused(self, master: SimMaster) -> None:
        """`master` was stopped: if it still is when its lease runs out, it is deposed."""
        epoch = self.epoch
        self.loop.after(self.lease_us, lambda: self._lease_ran_out(master, epoch))

    def _lease_ran_out(self, master: SimMaster, epoch: int) -> None:
        if master is self.leader and master.paused and self.epoch == epoch:
            self.leader = None
            self._elect()

    def resumed(self, master: SimMaster) -> None:
        """`master` goes on: if it was deposed meanwhile, it will hear of it."""
        if master is not self.leader and master.leads:
            self._tell_later(master)

    def depose(self, master: SimMaster) -> None:
        """Its session ends though `master` lives, which will hear of it (if paused: once awake)."""
        if master is self.leader:
            self.leader = None
            self.loop.after(DETECT_US, self._elect)
            self._tell_later(master)

    def _tell_later(self, master: SimMaster) -> None:
        life = master.life

        def tell() -> None:
            if master.life == life:
                master.depose("a later epoch has begun")

        self.loop.after(DEPOSED_US, tell)

    def asked(self, master: SimMaster) -> None:
        """`master` has heard of a newer leader: if it's true, it is deposed now."""
        if master is not self.leader:
            master.depose("a later epoch has begun")

    def _elect(self) -> None:
        if self.leader is not None:
            return
        able = [m for m in self.masters if m.alive and not m.paused and not m.leads]
        if not able:
            self.loop.after(DETECT_US, self._elect)
            return
        leader = self.leader = self.loop.random("election").choice(able)
        self.epoch += 1
        leader.lead(self.epoch)
        if self.leader is leader:  # or a fault has struck it for that
            for tell in self.seen:
                tell(self.epoch, leader.name)
