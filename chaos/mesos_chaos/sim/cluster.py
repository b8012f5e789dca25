"""A whole cluster in simulation: topology and workload of a plan, judged while it runs.

Every record that a simulated process writes goes to the judge at once, in the order in which things
really happened, as the bytes a trace file would hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mesos_chaos.plan import Plan
from mesos_chaos.sim.agents import SimAgent
from mesos_chaos.sim.durable import unkept
from mesos_chaos.sim.foreign import SimForeign
from mesos_chaos.sim.loop import SECOND_US, Loop
from mesos_chaos.sim.masters import Election, SimMaster
from mesos_chaos.sim.network import Network
from mesos_chaos.sim.node import Listener, Node
from mesos_chaos.sim.open_ends import forgotten, gone
from mesos_chaos.sim.punctual import LOOK_US, Punctuality
from mesos_chaos.sim.rivals import SimRival
from mesos_chaos.sim.schedulers import SimScheduler
from mesos_chaos.sim.unoffered import Unoffered, may_lie
from mesos_ref.agent import core as agent_core
from mesos_ref.agent.config import AgentConfig
from mesos_ref.master import core as master_core
from mesos_ref.master.config import MasterConfig
from mesos_ref.resources import Resources
from mesos_ref.scheduler import core as scheduler_core
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import Judge
from mesos_spec.tools.judging.merge import Placed
from mesos_spec.tools.judging.trace import Record, Trace, parse_header, parse_record
from mesos_spec.tools.judging.verdict import Verdict, Violation
from mesos_spec.tools.judging.whole import WHOLE

STANDBY_AGAIN_US = 500_000
SCHEDULER_AGAIN_US = 700_000
READ_BACK = 4  #: whole views and disks are read at each so manieth look
OLD_NEWS = 0.5  #: the share of news of a leader that come twice
OLD_NEWS_US = 6_000_000
JUDGED_AT_ONCE = 128
TOO_OLD = "0.28.0"  #: the version of an agent that may not join


class OnlineJudge:
    """Reads the lines of every process as they are written.

    It judges some `at_once`, because a processor that does one thing for a while does it faster:
    a violation is found that many records late, and is the same.
    """

    def __init__(self, keep_lines: bool = False, at_once: int = 1, ends_late_us: int = 0) -> None:
        self.judge = Judge(WHOLE, Bounds())
        self.punctuality = Punctuality(ends_late_us)
        self.violation: Violation | None = None
        self.seen: dict[str, int] = {}  #: how often each `role.action` was claimed
        self.lines: dict[str, list[bytes]] | None = {} if keep_lines else None
        #: Told of each action: its site, how often that was seen, and the node's name.
        self.on_action: Callable[[str, int, str], None] = lambda site, times, node: None
        #: Told of each record: the process, its role, the record.
        self.on_record: Callable[[str, str, Record], None] = lambda process, role, record: None
        self._traces: dict[str, Trace] = {}
        self._next: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._at_once = at_once
        self._waiting: list[Placed] = []

    def __call__(self, incarnation: str, data: bytes) -> None:
        """Take the lines that process `incarnation` has written."""
        if self.lines is not None:
            self.lines.setdefault(incarnation, []).append(data)
        for line in data.splitlines():
            self._line(incarnation, line)

    def _line(self, incarnation: str, line: bytes) -> None:
        trace = self._traces.get(incarnation)
        if trace is None:
            header = parse_header(line, incarnation)
            self._traces[incarnation] = Trace(path=incarnation, header=header, records=[])
            self._next[incarnation] = 0
            return
        seq = self._next[incarnation]
        self._next[incarnation] = seq + 1
        record = parse_record(line, incarnation, seq)
        if self.violation is None:
            self._waiting.append(Placed(trace, record))
            self.punctuality.hear(incarnation, trace, record)
            if len(self._waiting) >= self._at_once:
                self.catch_up()
        role = trace.header.role
        self.on_record(incarnation, role, record)
        if role == "master" and record.heard is not None and record.heard.local == "elected":
            self._epochs[incarnation] = record.heard.epoch or 0
        for name, _ in record.did:
            self._count(f"{role}.{name}", trace)
            if role == "master" and name != "end_reign" and self._is_deposed(incarnation):
                self._count("master.a_deposed_leader_acts", trace)

    def catch_up(self) -> None:
        """Judge all that was read."""
        waiting, self._waiting = self._waiting, []
        for placed in waiting:
            self.violation = self.judge.take(placed)
            if self.violation is not None:
                return

    def finish(self) -> Verdict:
        """The verdict on everything that was read."""
        self.catch_up()
        return self.judge.finish()

    def _count(self, site: str, trace: Trace) -> None:
        self.seen[site] = self.seen.get(site, 0) + 1
        self.on_action(site, self.seen[site], trace.header.node)

    def _is_deposed(self, incarnation: str) -> bool:
        """Whether this process leads in an epoch that a later one has followed."""
        mine = self._epochs.get(incarnation)
        return mine is not None and mine < max(self._epochs.values())


@dataclass(slots=True)
class SimCluster:
    """Masters, agents and schedulers of a plan, in one loop."""

    plan: Plan
    loop: Loop
    network: Network
    judge: OnlineJudge
    election: Election
    listener: Listener | None
    masters: dict[str, SimMaster] = field(default_factory=dict)
    agents: dict[str, SimAgent] = field(default_factory=dict)
    schedulers: dict[str, SimScheduler] = field(default_factory=dict)
    foreign: list[SimForeign] = field(default_factory=list)
    rivals: dict[str, SimRival] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  #: what is held or kept, and must not be
    _unoffered: Unoffered = field(default_factory=Unoffered)
    _looks: int = 0
    _nodes: list[Node] | None = None

    @classmethod
    def of(cls, plan: Plan, keep_lines: bool = False, judged: bool = True) -> SimCluster:
        """The cluster of `plan`, with everything started and nothing heard yet.

        If it is not to be judged, nothing writes a trace, and faults at sites never come.
        """
        loop = Loop(plan.seed, round(plan.cluster.clock_skew_s * SECOND_US))
        want = plan.cluster
        network = Network(loop, held_back=want.held_back, unordered=want.unordered_calls)
        judge = OnlineJudge(keep_lines, JUDGED_AT_ONCE, round(want.slow_ends_s * SECOND_US))
        election = Election(loop, round(plan.cluster.lease_s * SECOND_US))
        self = cls(plan, loop, network, judge, election, judge if judged else None)
        self._make_masters()
        self._make_agents()
        self._make_schedulers()
        loop.after(LOOK_US, self._look)
        judge.catch_up()  # a cluster that was made has been judged so far
        return self

    @property
    def nodes(self) -> list[Node]:
        """Every process that writes a trace, by kind and name."""
        if self._nodes is None:
            several = (self.masters, self.agents, self.schedulers)
            self._nodes = [node for kind in several for node in kind.values()]
        return self._nodes

    # ---- making --------------------------------------------------------------------------------
    def _make_masters(self) -> None:
        config = configured(
            MasterConfig(offer_timeout_us=30 * SECOND_US, agent_ping_timeout_us=2 * SECOND_US),
            self.plan,
        )
        for i in range(1, self.plan.cluster.masters + 1):
            name = f"m{i}"
            tell = (self.listener, self._stepped_down, self.election.asked)
            master = SimMaster(self.loop, self.network, name, config, *tell)
            self.masters[name] = master
            self.election.masters.append(master)
            master.start()

    def _make_agents(self) -> None:
        want = self.plan.cluster
        config = AgentConfig(
            resources=Resources.parse(f"cpus:{want.cpus};mem:{want.mem_mb}").to_wire(),
            registration_backoff_us=100_000,
            registration_backoff_max_us=2 * SECOND_US,
            ping_timeout_us=10 * SECOND_US,
            status_update_retry_us=2 * SECOND_US,
            executor_registration_timeout_us=5 * SECOND_US,
        )
        config = configured(config, self.plan)
        misfit = msgspec.structs.replace(config, version=TOO_OLD)
        configs = {f"a{i}": config for i in range(1, want.agents + 1)}
        if want.uneven:
            for n, name in enumerate(configs, 1):
                has = Resources.parse(f"cpus:{want.cpus * n};mem:{want.mem_mb}").to_wire()
                configs[name] = msgspec.structs.replace(config, resources=has)
        configs |= {f"misfit{i}": misfit for i in range(1, want.misfits + 1)}
        stillborn = {workload.name: workload.stillborn for workload in self.plan.workload}
        for name, chosen in configs.items():
            agent = SimAgent(
                self.loop, self.network, name, chosen, self.listener, self.masters, stillborn,
                round(want.slow_ends_s * SECOND_US),
            )  # fmt: skip
            self.agents[name] = agent
            self.election.seen.append(self._detector(agent))
            agent.start()

    def _make_schedulers(self) -> None:
        for workload in self.plan.workload:
            scheduler = SimScheduler(
                self.loop, self.network, workload, self.listener, self.masters, self._stopped
            )
            self.schedulers[workload.name] = scheduler
            self.rivals[workload.name] = SimRival(scheduler, self.election, workload.rivals)
            self.election.seen.append(self._detector(scheduler))
            scheduler.start()
        want = self.plan.cluster
        for i in range(1, want.foreign + 1):
            one = SimForeign(
                self.loop, self.network, f"x{i}", self.election, want.foreign_calls, i % 2 == 0
            )
            self.foreign.append(one)
        self.election.start()

    def _detector(self, node: Any) -> Callable[[int, str], None]:
        """Tells `node` of leaders, each a little later than they were elected."""

        def seen(epoch: int, master: str) -> None:
            dice = self.loop.random(f"detector {node.name}")
            late = dice.randint(1_000, 50_000)
            self.loop.after(late, lambda: self._tell(node, epoch, master))
            if dice.random() < OLD_NEWS:  # and once more, when there may be another
                later = dice.randint(0, OLD_NEWS_US)
                self.loop.after(late + later, lambda: self._tell(node, epoch, master))

        return seen

    def _tell(self, node: Any, epoch: int, master: str) -> None:
        if node.alive:
            node.leader(epoch, master)

    def tell_leader(self, node: Any) -> None:
        """Let a node that has just started find the leader."""
        if self.election.leader is not None:
            self._detector(node)(self.election.epoch, self.election.leader.name)

    def _stepped_down(self, master: SimMaster) -> None:
        master.kill()
        self.election.lost(master)
        self.loop.after(STANDBY_AGAIN_US, master.start)

    def _stopped(self, scheduler: SimScheduler) -> None:
        """A scheduler was told to stop; one that has rivals is started again, to return."""
        if scheduler.workload.rivals:
            self.loop.after(SCHEDULER_AGAIN_US, lambda: self._again(scheduler))

    def _again(self, scheduler: SimScheduler) -> None:
        if scheduler.error is not None:
            scheduler.kill()
            scheduler.start()
            self.tell_leader(scheduler)

    def calm(self) -> None:
        """From now on no framework does what it should not."""
        for scheduler in self.schedulers.values():
            scheduler.user.unruly = False

    # ---- asking --------------------------------------------------------------------------------
    @property
    def finished(self) -> bool:
        """Whether all wanted work is done and every update of it acknowledged."""
        for scheduler in self.schedulers.values():  # asked after each event
            if not scheduler.finished:
                return False
        alone = all(f.gone for f in self.foreign)
        return alone and not any(rival.left for rival in self.rivals.values())

    def away(self) -> list[str]:
        """Agents that run, may join, and are not registered with the leader."""
        return [
            name
            for name, agent in self.agents.items()
            if agent.alive
            and agent.config.version != TOO_OLD
            and not (agent.core.state.registered and agent.core.state.epoch == self.election.epoch)
        ]

    def _look(self) -> None:
        """Look for what is overdue, now and then."""
        punctuality, now_us = self.judge.punctuality, self.loop.now_us
        for node in self.nodes:
            if node.incarnation not in punctuality.waiting:
                continue
            if node.paused:
                punctuality.excuse(node.incarnation, now_us)
            elif node.alive and not self.late:
                self.late = punctuality.look(node.incarnation, now_us, node.core.view)
        self._looks += 1
        if self._looks % READ_BACK == 0:
            self._look_closely()
        self.loop.after(LOOK_US, self._look)

    def _look_closely(self) -> None:
        """Whole views and disks, where something was heard or kept since the last time."""
        stirred = [node for node in self.nodes if node.alive and node.age != node.looked_at]
        self.lost = self.lost or self._unkept() or self._held(stirred) or self._astray()
        self.lost = self.lost or [says for node in stirred for says in gone(node)]
        self.late = self.late or self._unoffered.look(self._leading())
        for node in stirred:
            if not node.paused:  # else what it has is looked at when it goes on
                node.looked_at = node.age

    def _leading(self) -> dict[str, tuple[MasterConfig, dict[str, Any]]]:
        """Masters that lead, could act, and may sit on something: their set-up, and their views."""
        able = [m for m in self.masters.values() if m.leads and m.alive and not m.paused]
        views = {m: m.core.view() for m in able if may_lie(m.core.state)}
        return {m.incarnation: (m.config, view) for m, view in views.items()}

    def _unkept(self) -> list[str]:
        """What agents that have kept something since they were asked would lose or invent."""
        agents = [a for a in self.agents.values() if a.alive and not a.paused and a.has_kept]
        for agent in agents:
            agent.has_kept = False
        return [says for agent in agents for says in unkept(agent)]

    def leaks(self) -> list[str]:
        """What is held though it must not be, now that all is quiet (D12)."""
        found = self._held([node for node in self.nodes if node.alive]) + self._astray()
        found += [f"{n}: {says}" for n, one in self.schedulers.items() for says in one.mistold]
        found += [f"{n}: {says}" for n, one in self.masters.items() for says in one.misanswered]
        return found + forgotten(self) + self._unkept()

    def _astray(self) -> list[str]:
        """What cores wanted done that no shell could make sense of."""
        return [f"{node.name}: {says}" for node in self.nodes for says in node.astray]

    def _held(self, nodes: list[Node]) -> list[str]:
        """What the cores of processes hold though they must not, ever, by their own account."""
        ask: dict[str, Callable[[Any], list[str]]] = {
            "master": master_core.violations,
            "agent": agent_core.violations,
            "scheduler": scheduler_core.violations,
        }
        return [f"{node.name}: {says}" for node in nodes for says in ask[node.role](node.core)]

    def pending(self) -> list[str]:
        """Why it is not settled: a sentence for each thing that is missing."""
        why = [f"{name} is not registered with the leader" for name in self.away()]
        for name, scheduler in self.schedulers.items():
            left = scheduler.items.workload.items - len(scheduler.items.done)
            if left:
                why.append(f"{name}: {left} items are not done")
            elif not scheduler.finished and scheduler.workload.leaves:
                why.append(f"{name} has not left")
            if scheduler.error is not None:
                why.append(f"{name} has stopped: {scheduler.error}")
        return why


def configured(config: Any, plan: Plan) -> Any:
    """`config` with the plan's timers (`offer_timeout_s = 3` sets `offer_timeout_us`)."""
    known = config.__struct_fields__
    changes: dict[str, Any] = {}
    for name, value in plan.cluster.timers.items():
        in_us = name.removesuffix("_s") + "_us"
        if name.endswith("_s") and in_us in known:
            changes[in_us] = round(value * SECOND_US)
        elif name in known:
            changes[name] = int(value)
    return msgspec.structs.replace(config, **changes)
