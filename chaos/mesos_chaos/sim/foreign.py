"""A framework nobody here wrote: any well-formed call, at any time, with any id it ever saw.

It speaks to the master directly, without our library, so its calls are the environment's (D13) and
it writes no trace.  Most of its calls make sense, since little comes of others: it accepts offers
that stand, for tasks that take little, all, or a little more than there is.  But ended ids stay in
play: offers that were used or rescinded, tasks that run or have ended, streams that were replaced.
Now and then it subscribes again, while it is subscribed (a scheduler's fail-over); at last it
leaves, or an operator removes it.  The master is held to its answers.
"""

from __future__ import annotations

from typing import Any

from mesos_chaos.sim.loop import Loop
from mesos_chaos.sim.masters import Election
from mesos_chaos.sim.network import End, Network
from mesos_chaos.sim.node import SimIds
from mesos_ref.resources import Resources
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import (
    TERMINAL_STATES,
    Capability,
    CommandInfo,
    ExecutorInfo,
    Filters,
    FrameworkInfo,
    Launch,
    LaunchGroup,
    Operation,
    TaskGroup,
    TaskInfo,
)

PAUSES_US = (30_000, 30_000, 120_000)  #: how long each waits between calls, on average
LEAVING_US = 500_000
REMEMBERED = 12
IDLE = ("ACCEPT_INVERSE_OFFERS", "RECONCILE_OPERATIONS", "UPDATE_FRAMEWORK")
NOTICES = 0.3  #: how often, when it acts, it notices that there is another leader
GIVES_UP = 0.5  #: how often it subscribes again when it is told that it is not subscribed
HANGS_UP = 0.04  #: how often, when it acts, it closes its oldest stream
NOT_SUBSCRIBED = 403
REUSES = 0.2  #: the share of tasks that get one of the few ids it is fond of
FEW = 3
REPEATS = 0.15  #: the share of tasks that get the id of one that may be alive
SENSIBLE = 0.8  #: the share of ACCEPTs that are of offers that stand
SLEEPS = (0.01, 0.2, 1.0, 4.0, 60.0, 60.0)  #: the longest live until they are killed
LITTLE = Resources.parse("cpus:0.1;mem:16")


class SimForeign:
    """One foreign framework: draws a call, sends it, remembers whatever comes back."""

    def __init__(
        self,
        loop: Loop,
        network: Network,
        name: str,
        election: Election,
        calls: int,
        forgets: bool = False,
    ) -> None:
        """`forgets`: in the end it does not tear itself down."""
        self.loop = loop
        self.network = network
        self.name = name
        self.gone = False
        self._left = calls
        self._forgets = forgets
        self._election = election
        self._dice = loop.random(f"foreign {name}")
        self._framework_id: str | None = None
        self._given: dict[str, None] = {}  #: every id it was given: any may still be subscribed
        self._epoch = 0  #: of the leader it subscribed with last
        self._is_lost = False  #: it was told that it is not subscribed
        self._streams: list[str] = []
        self._offers: list[tuple[str, str]] = []  #: offer, agent
        self._standing: dict[str, tuple[str, Resources]] = {}  #: offer → agent, what it has
        self._tasks: list[tuple[str, str]] = []  #: task, agent
        self._alive: dict[str, None] = {}  #: tasks that have not ended, as far as it knows
        self._executors: list[tuple[str, str]] = []  #: executor, agent
        self._updates: list[tuple[str, str, bytes]] = []  #: task, agent, uuid
        self._ends: list[End[Any]] = []
        self._launched = 0
        self._pause_us = self._dice.choice(PAUSES_US)
        loop.after(self._pause_us, self._act)

    # ---- acting --------------------------------------------------------------------------------
    def _act(self) -> None:
        if self._left <= 0:
            self._leave()
            return
        self._left -= 1
        leader = self._election.leader
        if leader is not None and leader.leads:
            is_new = self._epoch != self._election.epoch and self._dice.random() < NOTICES
            if not self._streams or is_new or self._is_lost or self._dice.random() < 0.05:
                self._is_lost = False
                self._epoch = self._election.epoch
                self._send(self._subscribe())
            else:
                self._send(self._draw())
        self.loop.after(self._dice.randint(1, 2 * self._pause_us), self._act)

    def _leave(self) -> None:
        """An operator removes it (it may be removed already).  It comes back as a new framework."""
        leader = self._election.leader
        if leader is None or not leader.leads:
            self.loop.after(self._pause_us, self._leave)
            return
        if self._framework_id is not None:
            leader.tear_down(self._framework_id)
        self._framework_id = None
        self._streams.clear()
        self._send(self._subscribe(lasts=True))
        self.loop.after(LEAVING_US, self._leave_again)

    def _leave_again(self) -> None:
        """The new one tears itself down, unless it forgets to; then an operator sees to it."""
        leader = self._election.leader
        if leader is None or not leader.leads:
            self.loop.after(self._pause_us, self._leave_again)
        elif self._streams and not self._forgets:
            self._send(self._call("TEARDOWN"), self._streams[-1])
            self._streams.clear()
            self.loop.after(LEAVING_US, self._leave_again)
        else:
            for framework_id in self._given:
                leader.tear_down(framework_id)
            self.gone = True

    def _remove_late(self) -> None:
        """Its last SUBSCRIBE came to something when it was gone already: an operator sees to it."""
        leader = self._election.leader
        if leader is not None and leader.leads and self._framework_id is not None:
            leader.tear_down(self._framework_id)

    def _send(self, call: wire.Call, on: str | None = None) -> None:
        leader = self._election.leader
        assert leader is not None
        ends: tuple[End[Any], End[Any]] = self.network.connect(self.name, leader.name)
        near, far = ends
        near.hear = lambda said: self._told(near, *said)
        near.ended = lambda: None
        leader.accept_scheduler(far)
        stream = None if call.type == "SUBSCRIBE" else on or self._a_stream()
        near.send(("ext", 0, stream, call))
        if self._dice.random() < HANGS_UP and self._ends:
            self._ends.pop(0).close()

    def _a_stream(self) -> str | None:
        if self._dice.random() < 0.9:
            return self._streams[-1] if self._streams else None
        return self._dice.choice([*self._streams, "no-stream", None])

    # ---- hearing -------------------------------------------------------------------------------
    def _told(self, end: End[Any], kind: str, *rest: Any) -> None:
        if kind == "answer":
            _, status, text = rest
            if status == 200:
                self._streams.append(text)
                self._ends.append(end)
            elif status == NOT_SUBSCRIBED and self._dice.random() < GIVES_UP:
                self._is_lost = True
            return
        event: wire.Event = rest[2]
        if event.subscribed is not None:
            self._framework_id = event.subscribed.framework_id
            self._given[self._framework_id] = None
            self._standing.clear()
            if self.gone:
                self._remove_late()
        for offer in event.offers.offers if event.offers is not None else ():
            self._offers.append((offer.id, offer.agent_id))
            self._standing[offer.id] = offer.agent_id, Resources.from_wire(offer.resources)
        if event.rescind is not None:
            self._standing.pop(event.rescind.offer_id, None)
        if event.update is not None:
            status = event.update.status
            if status.state in TERMINAL_STATES:
                self._alive.pop(status.task_id, None)
            if status.uuid is not None:
                self._updates.append((status.task_id, status.agent_id or "", status.uuid))
        for seen in (self._offers, self._tasks, self._updates, self._streams, self._executors):
            del seen[:-REMEMBERED]

    # ---- drawing -------------------------------------------------------------------------------
    def _subscribe(self, lasts: bool = False) -> wire.Call:
        roles = self._dice.choice([("*", "batch"), ("*", "batch"), ("*",)])
        info = FrameworkInfo(
            user="ext",
            name=self.name,
            id=self._framework_id,
            roles=roles,
            checkpoint=self._dice.random() < 0.7,
            failover_timeout=100.0 if lasts else self._dice.choice([0.0, 1.0, 100.0]),
            capabilities=(
                Capability(type="MULTI_ROLE"),
                *([Capability(type="PARTITION_AWARE")] if self._dice.random() < 0.5 else []),
            ),
        )
        suppressed = ("batch",) if "batch" in roles and self._dice.random() < 0.3 else ()
        return wire.Call(
            type="SUBSCRIBE",
            framework_id=self._framework_id,
            subscribe=wire.Subscribe(framework_info=info, suppressed_roles=suppressed),
        )

    def _call(self, kind: str, **body: Any) -> wire.Call:
        return wire.Call(type=kind, framework_id=self._framework_id or "never-was", **body)

    def _draw(self) -> wire.Call:
        weights = {
            self._accept: 70 if self._standing else 20,
            self._acknowledge: 40,
            self._kill: 8,
            self._decline: 8,
            self._revive: 8,
            self._suppress: 2,
            self._reconcile: 6,
            self._message: 3,
            self._shutdown: 2,
            self._request: 1,
        }
        [make] = self._dice.choices(list(weights), list(weights.values()))
        return make()

    def _accept(self) -> wire.Call:
        picked = self._offers_to_accept()
        agent, has = self._standing.get(picked[0], (self._agent_of(picked[0]), LITTLE))
        tasks = tuple(self._task(agent, has) for _ in range(self._dice.choice([0, 1, 1, 2, 3])))
        for offer in picked:
            self._standing.pop(offer, None)
        operations = (self._operation(tasks),) if tasks else ()
        accept = wire.Accept(
            offer_ids=picked,
            operations=operations,
            filters=Filters(refuse_seconds=self._dice.choice([0.0, 0.0, 0.0, 0.5, -1.0])),
        )
        return self._call("ACCEPT", accept=accept)

    def _offers_to_accept(self) -> tuple[str, ...]:
        """One or two offers, mostly of one agent."""
        two = self._dice.random() < 0.3
        if not self._standing or self._dice.random() >= SENSIBLE:
            many = 2 if two else 1
            return tuple(self._pick(self._offers, ("no-offer", ""))[0] for _ in range(many))
        first = self._dice.choice([*self._standing])
        if not two:
            return (first,)
        here = [o for o, (agent, _) in self._standing.items() if agent == self._standing[first][0]]
        return first, self._dice.choice(here if self._dice.random() < 0.8 else [*self._standing])

    def _agent_of(self, offer: str) -> str:
        return next((agent for known, agent in self._offers if known == offer), "no-agent")

    def _operation(self, tasks: tuple[TaskInfo, ...]) -> Operation:
        """A launch; now and then what this edition has not."""
        match self._dice.choice([*14 * ["LAUNCH"], "LAUNCH_GROUP", "RESERVE"]):
            case "LAUNCH":
                return Operation(type="LAUNCH", launch=Launch(task_infos=tasks))
            case "LAUNCH_GROUP":
                group = LaunchGroup(
                    executor=self._executor(tasks[0].agent_id), task_group=TaskGroup(tasks=tasks)
                )
                return Operation(type="LAUNCH_GROUP", launch_group=group)
            case _:
                return Operation(type="RESERVE", reserve={})

    def _task(self, agent: str, has: Resources) -> TaskInfo:
        name, command = self._task_id(), f"sleep {self._dice.choice(SLEEPS)}"
        executor = self._executor(agent) if self._dice.random() < 0.3 else None
        whole = self._dice.random() < 0.95
        self._tasks.append((name, agent))
        self._alive[name] = None
        return TaskInfo(
            name="x",
            task_id=name,
            agent_id=agent if self._dice.random() < 0.85 else self._another(agent),
            resources=self._amount(has).to_wire(),
            command=CommandInfo(value=command) if executor is None and whole else None,
            executor=executor,
            data=command.encode(),
            limits={"disk": {"value": 1.0}} if self._dice.random() < 0.03 else None,
        )

    def _task_id(self) -> str:
        """Mostly a new one; or one of a few, or of a task that may be alive."""
        self._launched += 1
        chance = self._dice.random()
        if chance < REUSES:
            return f"{self.name}.{self._dice.randint(1, FEW)}"
        if chance < REUSES + REPEATS and self._alive:
            return self._dice.choice([*self._alive])
        return f"{self.name}.{self._launched}"

    def _another(self, agent: str) -> str:
        others = [one for _, one in self._offers if one != agent]
        return self._dice.choice([*others, "another-agent"])

    def _amount(self, has: Resources) -> Resources:
        """A little; all there is, or a little more than that; or far too much."""
        little = Resources.parse(f"cpus:{self._dice.choice([0.1, 0.5])};mem:16")
        far = Resources.parse("cpus:100;mem:16")
        return self._dice.choice([little, little, little, little, has, has + LITTLE, far]) or LITTLE

    def _executor(self, agent: str) -> ExecutorInfo:
        executor_id = f"{self.name}.e{self._dice.randint(1, 2)}"
        self._executors.append((executor_id, agent))
        return ExecutorInfo(
            executor_id=executor_id,
            command=CommandInfo(value="./executor"),
            resources=Resources.parse("cpus:0.1;mem:16").to_wire(),
        )

    def _acknowledge(self) -> wire.Call:
        task, agent, uuid = self._pick(self._updates, ("no-task", "no-agent", b"0" * 16))
        if self._dice.random() < 0.1:
            uuid = SimIds(self._dice).uuid_bytes()
        agent = agent if self._dice.random() < 0.95 else self._another(agent)
        ack = wire.Acknowledge(agent_id=agent, task_id=task, uuid=uuid)
        return self._call("ACKNOWLEDGE", acknowledge=ack)

    def _kill(self) -> wire.Call:
        task, agent = self._pick(self._tasks, ("no-task", "no-agent"))
        named = agent if self._dice.random() < 0.5 else None
        return self._call("KILL", kill=wire.Kill(task_id=task, agent_id=named))

    def _decline(self) -> wire.Call:
        offer, _ = self._pick(self._offers, ("no-offer", ""))
        self._standing.pop(offer, None)
        refuse = Filters(refuse_seconds=self._dice.choice([0.0, 0.0, 0.2, 2.0]))
        return self._call("DECLINE", decline=wire.Decline(offer_ids=(offer,), filters=refuse))

    def _revive(self) -> wire.Call:
        roles = self._dice.choice([(), ("batch",), ("not-mine",)])
        return self._call("REVIVE", revive=wire.Revive(roles=roles))

    def _suppress(self) -> wire.Call:
        roles = self._dice.choice([(), ("batch",), ("not-mine",)])
        return self._call("SUPPRESS", suppress=wire.Suppress(roles=roles))

    def _reconcile(self) -> wire.Call:
        asked = tuple(
            wire.ReconcileTask(task_id=task, agent_id=agent or None)
            for task, agent in self._dice.sample(self._tasks, min(2, len(self._tasks)))
        )
        return self._call("RECONCILE", reconcile=wire.Reconcile(tasks=asked))

    def _message(self) -> wire.Call:
        executor, agent = self._pick(self._executors, ("no-executor", "no-agent"))
        message = wire.Message(agent_id=agent, executor_id=executor, data=b"hello")
        return self._call("MESSAGE", message=message)

    def _shutdown(self) -> wire.Call:
        executor, agent = self._pick(self._executors, ("no-executor", "no-agent"))
        return self._call("SHUTDOWN", shutdown=wire.Shutdown(agent_id=agent, executor_id=executor))

    def _request(self) -> wire.Call:
        """What is answered and comes to nothing, or is not supported."""
        if self._dice.random() < 0.5:
            return self._call("REQUEST", request=wire.Request())
        return self._call(self._dice.choice(IDLE))

    def _pick(self, among: list[Any], otherwise: Any) -> Any:
        """Mostly the newest; sometimes any that was ever seen, or none that ever was."""
        if not among or self._dice.random() < 0.05:
            return otherwise
        return among[-1] if self._dice.random() < 0.6 else self._dice.choice(among)
