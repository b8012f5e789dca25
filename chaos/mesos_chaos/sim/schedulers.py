"""Simulated schedulers: the real `SchedulerCore`, and user code that wants items done.

The user code is what `mesos-ref run` does, as plain callbacks: it accepts offers for items that
are not done, marks updates as seen a moment after it got them, and tries an item again when its
attempt ended without finishing.  Wanted work is kept outside of Mesos, so it survives the
scheduler's death (D17).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mesos_chaos.plan import Workload
from mesos_chaos.sim.loop import SECOND_US, Loop
from mesos_chaos.sim.masters import SimMaster
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import Listener, Node, SimIds
from mesos_ref import trace
from mesos_ref.resources import Resources
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
from mesos_ref.wire.v1 import (
    Capability,
    CommandInfo,
    Filters,
    FrameworkInfo,
    Launch,
    Offer,
    Operation,
    TaskInfo,
)

SEEN_US = 500
UNRULY_US = 50_000
ENDED = ("TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE")


@dataclass(slots=True)
class Items:
    """Wanted work: which items are open, which attempt each is in, what became of them."""

    workload: Workload
    open: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    @property
    def finished(self) -> bool:
        """Whether every item is done."""
        return len(self.done) == self.workload.items

    def next_attempt(self, item: int) -> str:
        """A fresh task id for `item`."""
        self.attempts[item] = self.attempts.get(item, 0) + 1
        task_id = f"{self.workload.name}.{item}.{self.attempts[item]}"
        self.running[task_id] = item
        return task_id

    def ended(self, task_id: str, state: str) -> None:
        """An attempt has ended: its item is done, or open again."""
        item = self.running.pop(task_id, None)
        if item is None:
            return
        if state == "TASK_FINISHED":
            self.done.add(item)
        elif item not in self.done:
            self.open.append(item)


class SimScheduler(Node):
    """A scheduler process and its user code."""

    role = "scheduler"
    tick = heard.Tick()

    def __init__(
        self,
        loop: Loop,
        network: Network,
        workload: Workload,
        listener: Listener,
        masters: dict[str, SimMaster],
    ) -> None:
        super().__init__(loop, workload.name, listener)
        self.network = network
        self.items = Items(workload, open=list(range(workload.items)))
        self.stopped: str | None = None
        self._masters = masters
        self._end: tuple[str, End[Any]] | None = None
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

    def start(self) -> None:
        """Start, or start again with the framework id it was given."""
        ids = trace.RecordedIds(SimIds(self.loop.random(f"ids {self.name}.{self.life + 1}")))
        recovered = {**self.kept, "tasks": dict.fromkeys(self.items.running)}
        core = SchedulerCore(self._config, ids, recovered)
        self.begin(core, ids, tracing.config_of(self._config), self.name)
        if self.items.workload.unruly:
            self.loop.after(UNRULY_US, lambda life=self.life: self._misbehave(life))  # type: ignore[misc]

    def kill(self) -> None:
        """SIGKILL."""
        super().kill()
        self._end = None
        self.network.drop_node(self.name)

    def leader(self, epoch: int, master: str) -> None:
        """The detector saw a leader."""
        self.hear(heard.LeaderSeen(epoch, master))

    # ---- effects -------------------------------------------------------------------------------
    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        match effect:
            case Connect(connection=connection, url=url):
                self._connect(connection, self._masters[url])
            case OpenSubscription(connection=connection, call=call):
                self._send(connection, (connection, 0, None, call))
            case SendCall(connection=connection, stream=stream, n=n, call=call):
                self._send(connection, (connection, n, stream, call))
            case CloseSubscription(connection=connection):
                if self._end is not None and self._end[0] == connection:
                    self._end[1].close()
                    self._end = None
            case Deliver(event=event):
                self._use(event)
            case Stop(error=error):
                self.stopped = error or ""
            case NotSent(call=call):
                self._not_sent(call)
            case _:
                super().perform(effect)

    def _send(self, connection: str, message: Any) -> None:
        if self._end is not None and self._end[0] == connection:
            self._end[1].send(message)

    def _connect(self, connection: str, master: SimMaster) -> None:
        if not master.alive:
            failed = heard.SubscribeFailed(connection, 0, "connection refused")
            self.loop.after(5_000, lambda: self.hear(failed))
            return
        ends: tuple[End[Any], End[Any]] = self.network.connect(self.name, master.name)
        near, far = ends
        self._end = (connection, near)
        self._stream: str | None = None
        near.hear = lambda said: self._told(connection, *said)
        near.ended = lambda: self._ended(connection)
        master.accept_scheduler(far)
        self.loop.after(0, lambda: self.hear(heard.Connected(connection)))

    def _told(self, connection: str, kind: str, *rest: Any) -> None:
        if kind == "event":
            stream, n, event = rest
            self.hear(heard.EventHeard(stream, n, event))
            return
        n, status, text = rest
        if n != 0:
            self.hear(heard.CallAnswered(connection, n, status, text))
        elif status == 200:
            self._stream = text
            self.hear(heard.StreamOpened(connection, text))
        else:
            self.hear(heard.SubscribeFailed(connection, status, text))

    def _ended(self, connection: str) -> None:
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
                self._later(self._answer(offer))
        elif event.update is not None:
            self._update(event.update.status)

    def _later(self, call: wire.Call) -> None:
        life = self.life
        asked = heard.Asked(call)
        self.loop.after(SEEN_US, lambda: self.hear(asked) if self.life == life else None)

    def _answer(self, offer: Offer) -> wire.Call:
        want = self.items.workload
        each = Resources.parse(f"cpus:{want.cpus};mem:{want.mem_mb}")
        left = Resources.from_wire(offer.resources)
        room = want.parallel or want.items
        tasks: list[TaskInfo] = []
        while self.items.open and left.contains(each) and len(self.items.running) < room:
            item = self.items.open.pop(0)
            task_id = self.items.next_attempt(item)
            left = left - each
            tasks.append(
                TaskInfo(
                    name=task_id,
                    task_id=task_id,
                    agent_id=offer.agent_id,
                    resources=each.to_wire(),
                    command=CommandInfo(value=want.command),
                )
            )
        if not tasks:
            refuse = Filters(refuse_seconds=1.0 if self.items.running else 5.0)
            return wire.Call(
                type="DECLINE", decline=wire.Decline(offer_ids=(offer.id,), filters=refuse)
            )
        launch = Operation(type="LAUNCH", launch=Launch(task_infos=tuple(tasks)))
        accept = wire.Accept(
            offer_ids=(offer.id,), operations=(launch,), filters=Filters(refuse_seconds=0.0)
        )
        return wire.Call(type="ACCEPT", accept=accept)

    def _misbehave(self, life: int) -> None:
        """Make a call that nobody needs, as any framework may at any time (D13)."""
        if self.life != life or not self.alive or self.items.finished:
            return
        dice = self.loop.random(f"unruly {self.name}")
        tasks = sorted(self.items.running) or ["never-launched"]
        task = dice.choice([*tasks, "never-launched"])
        call = dice.choice(
            [
                wire.Call(type="KILL", kill=wire.Kill(task_id=task)),
                wire.Call(type="KILL", kill=wire.Kill(task_id=task, agent_id="nobody")),
                wire.Call(type="KILL", kill=wire.Kill(task_id="never-launched")),
                wire.Call(type="RECONCILE", reconcile=wire.Reconcile()),
                wire.Call(
                    type="RECONCILE",
                    reconcile=wire.Reconcile(tasks=(wire.ReconcileTask(task_id=task),)),
                ),
                wire.Call(type="SUPPRESS"),
                wire.Call(type="DECLINE", decline=wire.Decline(offer_ids=("no-offer",))),
            ]
        )
        self.hear(heard.Asked(call))
        self._later(wire.Call(type="REVIVE"))
        self.loop.after(dice.randint(1, 2 * UNRULY_US), lambda: self._misbehave(life))

    def _not_sent(self, call: wire.Call | None) -> None:
        """A call that was not made: its tasks' items are open again."""
        if call is not None and call.accept is not None:
            for operation in call.accept.operations:
                for task in operation.launch.task_infos if operation.launch else ():
                    self.items.ended(task.task_id, "TASK_DROPPED")

    def _update(self, status: Any) -> None:
        if status.state == "TASK_FINISHED" or status.state in ENDED:
            self.items.ended(status.task_id, status.state)
        elif status.state == "TASK_UNKNOWN":
            self.items.ended(status.task_id, "TASK_LOST")
        if status.uuid is not None:
            life = self.life
            seen = heard.Seen(status.task_id, status.agent_id or "", status.uuid)
            self.loop.after(SEEN_US, lambda: self.hear(seen) if self.life == life else None)
