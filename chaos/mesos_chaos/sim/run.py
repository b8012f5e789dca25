"""One simulated run of a plan: faults, then heal and demand progress; a verdict with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

from mesos_chaos.plan import Fault, FaultKind, Plan
from mesos_chaos.sim.agents import SIGKILLED
from mesos_chaos.sim.cluster import SimCluster
from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.sim.node import Moment, Node
from mesos_spec.tools.judging.judge import Judge
from mesos_spec.tools.judging.trace import Record, without_collection
from mesos_spec.tools.judging.verdict import Outcome, Verdict

FAULTS_END_US = 60 * SECOND_US
AFTERMATH_US = 5 * SECOND_US
MOMENTS = {"after": None, "unkept": Moment.UNKEPT, "unsent": Moment.UNSENT}
NAMES: list[Literal["after", "unkept", "unsent"]] = ["after", "unkept", "unsent"]


@dataclass(slots=True)
class SimResult:
    """What a simulated run came to."""

    verdict: Verdict
    settled: bool
    pending: list[str]
    simulated_s: float
    events: int
    faults_done: list[str] = field(default_factory=list)
    #: Each fault that met somebody: when, in simulated seconds, its kind, and whom.
    struck: list[tuple[float, str, str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)  #: what a core holds though it must not
    late: list[str] = field(default_factory=list)  #: what a core should have done by then

    @property
    def exit_code(self) -> int:
        """0 ok, 1 safety, 2 unknown (must_see not seen), 3 liveness, 4 non-conformance."""
        if self.verdict.exit_code not in (0, 2):
            return self.verdict.exit_code
        if self.leaks:
            return 1
        if not self.settled or self.late:
            return 3
        return 2 if self.missed or self.verdict.exit_code == 2 else 0


class Listener(Protocol):
    """Whoever wants to hear what a run does."""

    def hear(self, incarnation: str, role: str, record: Record) -> None:
        """A process has written a record."""
        ...

    def struck(self, kind: str) -> None:
        """A fault has struck."""
        ...


class Stage(Protocol):
    """What faults are done to: a cluster in simulation or in virtual time."""

    loop: Any  #: `at`, `after`, `random`, `now_us`
    network: Any  #: `cut`, `delay`, `reset`
    judge: Any  #: `on_action`
    election: Any  #: `leader`, `lost`, `depose`, `paused`, `resumed`
    masters: Any  #: processes by name, which can be killed, paused, resumed, started
    agents: Any
    schedulers: Any

    def tell_leader(self, node: Any) -> None:
        """Let a node that has just started find the leader."""
        ...


class Faults:
    """Does a plan's faults to a cluster, at their times and sites, and undoes them."""

    def __init__(self, cluster: Stage) -> None:
        self.cluster = cluster
        self.done: list[str] = []
        self.met: list[tuple[float, str, str]] = []
        self.left = 0
        self.struck: Callable[[str], object] = lambda kind: None  #: told of each that strikes
        self._undo: list[Callable[[], Any]] = []
        self._sites: dict[tuple[str, int], list[Fault]] = {}

    def arm(self, faults: list[Fault]) -> None:
        """Prepare all faults."""
        self.left = len(faults)
        for fault in faults:
            if fault.after is not None:
                site, times = fault.after.split("#")
                self._sites.setdefault((site, int(times)), []).append(fault)
            else:
                at_us = round((fault.at_s or 0.0) * SECOND_US)
                self.cluster.loop.at(at_us, partial(self._do, fault))
        self.cluster.judge.on_action = self._reached

    def _reached(self, site: str, times: int, node: str) -> None:
        """An action was written down by `node`, which has not sent anything yet.

        A node that is killed for what it just did is killed before it keeps it, before it sends
        it, or after.
        """
        for fault in self._sites.pop((site, times), []):
            target = self._target(fault.target) if fault.kind is FaultKind.KILL else None
            moment = MOMENTS[fault.moment or self.cluster.loop.random("moments").choice(NAMES)]
            if isinstance(target, Node) and target.name == node and moment is not None:
                target.doom(moment, partial(self._do_to, fault, target))
            else:
                self.cluster.loop.after(0, partial(self._do, fault))

    def _do(self, fault: Fault) -> None:
        self._do_to(fault, self._target(fault.target))

    def _do_to(self, fault: Fault, target: Any) -> None:
        self.left -= 1
        if target is None:
            self.done.append(f"{fault.kind} {fault.target}: nobody there")
            return
        name = getattr(target, "name", fault.target)
        self.done.append(f"{fault.kind} {name}")
        self.met.append((self.cluster.loop.now_us / SECOND_US, str(fault.kind), name))
        self.struck(fault.kind)
        match fault.kind:
            case FaultKind.KILL:
                self._kill(fault, target)
            case FaultKind.PAUSE:
                self._pause(fault, target)
            case FaultKind.DEPOSE:
                self.cluster.election.depose(target)
            case FaultKind.CUT:
                self._for(fault, self.cluster.network.cut(*self._ways(fault, name)))
            case FaultKind.DELAY:
                extra = round(fault.delay_s * SECOND_US)
                self._for(fault, self.cluster.network.delay(extra, *self._ways(fault, name)))
            case FaultKind.RESET:
                for master in self.cluster.masters:
                    self.cluster.network.reset(name, master)

    def _for(self, fault: Fault, undo: Callable[[], Any]) -> None:
        self._undo.append(undo)
        if fault.for_s is not None:
            self.cluster.loop.after(round(fault.for_s * SECOND_US), undo)

    def _ways(self, fault: Fault, agent: str) -> list[tuple[str, str]]:
        up = [(agent, m) for m in self.cluster.masters]
        down = [(m, agent) for m in self.cluster.masters]
        return {"up": up, "down": down, "both": up + down}[fault.direction]

    def _kill(self, fault: Fault, target: Any) -> None:
        if hasattr(target, "die"):
            target.die(SIGKILLED)
            return
        led = target is self.cluster.election.leader
        target.kill()
        if led:
            self.cluster.election.lost(target)

        def again() -> None:
            if not target.alive:
                target.start()
                if target.role != "master":
                    self.cluster.tell_leader(target)

        self._undo.append(again)
        if fault.restart:
            self.cluster.loop.after(round(fault.restart_after_s * SECOND_US), again)

    def _pause(self, fault: Fault, target: Any) -> None:
        target.pause()
        if target.role == "master":
            self.cluster.election.paused(target)

        def resume() -> None:
            if target.paused:
                target.resume()
                if target.role == "master":
                    self.cluster.election.resumed(target)

        self._for(fault, resume)

    def heal(self) -> None:
        """Undo everything that is still on."""
        for undo in self._undo:
            undo()
        self._undo.clear()

    def _target(self, target: str) -> Any:
        cluster = self.cluster
        kind, _, which = target.partition(":")
        match kind:
            case "leader":
                return cluster.election.leader
            case "standby":
                leads = cluster.election.leader
                return next((m for m in cluster.masters.values() if m is not leads), None)
            case "master":
                return cluster.masters.get(f"m{which}")
            case "agent":
                alive = [a for a in cluster.agents.values() if a.alive]
                if which == "any":
                    return self._pick(alive)
                return cluster.agents.get(f"a{which}")
            case "scheduler":
                return cluster.schedulers.get(which)
            case "agent-of":
                return next((a for a in cluster.agents.values() if _runs(a, which)), None)
            case "executor-of":
                agent = next((a for a in cluster.agents.values() if _runs(a, which)), None)
                return None if agent is None else _executor(agent, which)
            case _:
                return self._pick(
                    [e for a in cluster.agents.values() for e in a.executors.values()]
                )

    def _pick(self, among: list[Any]) -> Any:
        return self.cluster.loop.random("targets").choice(among) if among else None


def _runs(agent: Any, task: str) -> bool:
    return any(e.runs(task) for e in agent.executors.values())


def _executor(agent: Any, task: str) -> Any:
    return next(e for e in agent.executors.values() if e.runs(task))


def simulate(
    plan: Plan,
    keep_lines: bool = False,
    watch: Callable[[Judge], object] | None = None,
    listener: Listener | None = None,
    judged: bool = True,
) -> tuple[SimResult, SimCluster]:
    """Run `plan` in simulation, judged; faults first, then heal and demand progress.

    If it is not `judged`, only the cores work, for who measures them; the verdict is of nothing.
    `watch` is given the judge before anything happens; `listener` hears records and faults.
    """
    cluster = SimCluster.of(plan, keep_lines, judged)
    if watch is not None:
        watch(cluster.judge.judge)
    faults = Faults(cluster)
    if listener is not None:
        cluster.judge.on_record = listener.hear
        faults.struck = listener.struck
    faults.arm(plan.fault)

    judge = cluster.judge

    def broken() -> bool:
        return judge.violation is not None or bool(cluster.late or cluster.lost)

    def quiet() -> bool:
        return broken() or (faults.left == 0 and cluster.finished)

    def calm() -> bool:
        return broken() or (cluster.finished and not cluster.away())

    with without_collection():
        settled = _play(cluster, faults, plan, quiet, calm, broken)
    verdict = cluster.judge.finish()
    seen = {site.partition(".")[2] for site in cluster.judge.seen}
    result = SimResult(
        verdict=verdict,
        settled=settled,
        pending=cluster.pending(),
        simulated_s=cluster.loop.now_us / SECOND_US,
        events=cluster.loop.events,
        faults_done=faults.done,
        struck=faults.met,
        missed=[name for name in plan.expect.must_see if name not in seen],
        leaks=cluster.lost or (cluster.leaks() if settled and not broken() else []),
        late=cluster.late,
    )
    if result.missed and verdict.outcome is Outcome.CONFORMS:
        verdict.doubts.append(f"never seen, so nothing is proved of: {', '.join(result.missed)}")
    return result, cluster


def _play(
    cluster: SimCluster,
    faults: Faults,
    plan: Plan,
    quiet: Callable[[], bool],
    calm: Callable[[], bool],
    broken: Callable[[], bool],
) -> bool:
    """Faults, then heal, then time to settle, then an aftermath; whether it settled.

    What goes wrong here because of a violation that is not judged yet is that violation.
    """
    loop = cluster.loop
    try:
        loop.run(FAULTS_END_US, quiet)
        faults.heal()
        cluster.calm()
        settle_us = round(plan.expect.settles_within_s * SECOND_US)
        settled = loop.run(loop.now_us + settle_us, calm) and not broken()
        if settled:
            loop.run(loop.now_us + AFTERMATH_US, broken)
    except Exception:
        cluster.judge.catch_up()
        if not broken():
            raise
        return False
    cluster.judge.catch_up()
    return settled and not broken()
