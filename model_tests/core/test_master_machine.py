"""Any order of anything: a master core among agents and schedulers that say what they like.

The rules are what the environment does: calls, frames, broken connections, time. Ids that have
ended stay in play, time steps straddle every timeout, and half of what is said is nonsense. After
each event nothing may be violated and the told changes must add up to the view (`Rig`); in the end
the same events must give the same steps.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mesos_ref import link as frames
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore, violations
from mesos_ref.master.effects import Effect, SendEvent, SendFrame
from mesos_ref.master.events import (
    Call,
    Elected,
    Event,
    Frame,
    LinkEnded,
    OperatorTeardown,
    StreamEnded,
    Tick,
)
from mesos_ref.resources import Resources
from mesos_ref.step import NOTHING, Step
from mesos_ref.wire import json as wire_json
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    TERMINAL_STATES,
    AgentInfo,
    Capability,
    DurationInfo,
    Filters,
    FrameworkInfo,
    KillPolicy,
    Launch,
    LaunchGroup,
    MasterInfo,
    Operation,
    TaskGroup,
    TaskInfo,
    TaskState,
    TaskStatus,
)
from model_tests.core.master_rig import EPOCH, SECOND, Ids, Rig, executor, report, task, uuid
from model_tests.core.naive_allocator import naive_choice

CONFIG = MasterConfig(
    offer_timeout_us=30 * SECOND, agent_reregister_timeout_us=100 * SECOND, max_unreachable_agents=2
)

AGENTS = st.sampled_from(["a1", "a2", "a3"])
TASKS = st.sampled_from([*["t1", "t2", "t3", "t4"] * 3, "bad/id", ""])
EXECUTORS = st.sampled_from(["e1", "e2"])
ROLES = st.sampled_from([("r",), ("r", "s"), ("s",), ("s/x",), ()])
NUMBERS = st.integers(1, 3)
PICKS = st.integers(0, 99)
STATES: st.SearchStrategy[TaskState] = st.sampled_from(
    ["TASK_STAGING", "TASK_RUNNING", "TASK_FINISHED", "TASK_LOST", "TASK_KILLED"]
)
TOTALS = st.sampled_from(
    [
        Resources.of(cpus=4, mem=1024),
        Resources.of(cpus=4, mem=1024) + Resources.parse("ports:[1-10];disks:{a,b}"),
        Resources.of(mem=16),
        Resources(),
    ]
)
WISHES = st.sampled_from(
    [
        Resources.of(cpus=1, mem=64),
        Resources.of(cpus=4),
        Resources.of(cpus=99),
        Resources.parse("cpus:0.5;ports:[3-4];disks:{a}"),
    ]
)
REFUSALS = st.sampled_from([None, 0.0, 0.5, 5.0, 60.0, -1.0, 1e300, float("inf")])
#: Just before, at, and after each timeout there is.
STEPS_S = st.sampled_from(
    [0, 0.000001, 1, 4.999999, 5, 14.9, 15.1, 29.9, 30.1, 75, 99.9, 100.1, 3601]
)


class Master(RuleBasedStateMachine):
    """What may happen around a master."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(CONFIG)
        self.heard: list[tuple[Event, int]] = []
        self.steps: list[Step] = []
        self.links = ["nowhere"]
        self.streams = ["nowhere"]
        self.frameworks = ["f1", "stranger"]
        self.offers = ["M-O0"]
        self.fresh = 0
        self.is_prompt = False

    @initialize(prompt=st.booleans(), roles=ROLES, total=TOTALS)
    def a_cluster_is_there(self, prompt: bool, roles: tuple[str, ...], total: Resources) -> None:
        """Half of the clusters tick whenever a tick is due, as shells do."""
        self.is_prompt = prompt
        self.register("a1", None, total, [])
        self.register("a2", None, Resources.of(cpus=8, mem=8192), [])
        self.scheduler_subscribes(None, roles, (), True, 10.0, None)
        self.scheduler_subscribes(0, ("r",), (), False, 3600.0, None)
        self.tick()

    # What every event is checked for ----------------------------------------------------------

    def hear(self, event: Event) -> Step:
        step = self.rig.hear(event)
        note(f"{self.rig.now_us / SECOND:>12.6f} {event}\n    -> {[name for name, _ in step.did]}")
        self.heard.append((event, self.rig.now_us))
        self.steps.append(step)
        for effect in step.effects:
            self.can_be_sent(effect)
        json.dumps([step.did, self.rig.folded])
        due_us = self.rig.core.next_deadline
        if self.is_prompt and due_us is not None and due_us <= self.rig.now_us:
            self.tick()
        return step

    def can_be_sent(self, effect: Effect) -> None:
        """Whatever a core sends fits the wire; offers are new each time (S5)."""
        if isinstance(effect, SendFrame):
            assert isinstance(effect.frame, frames.Frame)
            n, frame = frames.decode_from_master(frames.encode(effect.frame, 3)[4:])
            assert (n, frame) == (3, effect.frame)
        elif isinstance(effect, SendEvent):
            assert isinstance(effect.event, scheduler.Event)
            wire_json.encode(effect.event)
            for offer in () if effect.event.offers is None else effect.event.offers.offers:
                assert offer.id not in self.offers[1:]
                self.offers.append(offer.id)

    def new(self, what: str) -> str:
        self.fresh += 1
        return f"{what}{self.fresh}"

    # Time -------------------------------------------------------------------------------------

    @rule(seconds=STEPS_S)
    def time_passes(self, seconds: float) -> None:
        self.rig.now_us += round(seconds * SECOND)
        self.tick()

    def tick(self) -> None:
        core = self.rig.core
        due = core.next_deadline is not None and core.next_deadline <= self.rig.now_us
        step = self.hear(Tick())
        assert due or step == NOTHING
        assert core.next_deadline is None or core.next_deadline > self.rig.now_us
        for agent in core.state.agents.values():
            assert agent.link is None or naive_choice(core.state, agent) is None, (
                f"{agent.agent_id} has {agent.free} that somebody wants"
            )

    # Agents -----------------------------------------------------------------------------------

    @rule(agent_id=AGENTS, total=TOTALS, forgets=st.booleans(), old_link=st.none() | PICKS)
    def agent_registers(
        self, agent_id: str, total: Resources, forgets: bool, old_link: int | None
    ) -> None:
        """On a new link mostly, with what the master believes it has, or without."""
        state = self.rig.core.state
        known = state.agents.get(agent_id)
        lost = state.lost_agents.get(agent_id)
        total = total if known is None else known.total
        tasks = {} if known is None else known.tasks
        tasks = tasks if lost is None else lost.tasks
        reports = [
            report(
                one.task_id,
                one.framework_id,
                state="TASK_RUNNING" if one.state == "TASK_UNREACHABLE" else one.state,
                resources=one.resources.to_wire(),
                role=one.role,
                executor_id=one.executor_id,
            )
            for one in tasks.values()
        ]
        self.register(agent_id, old_link, total, reports[1:] if forgets else reports)

    @rule(
        agent_id=AGENTS,
        total=TOTALS,
        old_link=st.none() | PICKS,
        some=st.lists(st.tuples(PICKS, TASKS, STATES, st.booleans()), max_size=3),
        epochs=st.sampled_from([*[(EPOCH, EPOCH)] * 8, (EPOCH - 1, EPOCH), (EPOCH, EPOCH + 1)]),
        version=st.sampled_from([*["1.12.0"] * 8, "0.28.2", "x" * 99]),
    )
    def agent_registers_with_anything(
        self,
        agent_id: str,
        total: Resources,
        old_link: int | None,
        some: list[tuple[int, str, TaskState, bool]],
        epochs: tuple[int, int],
        version: str,
    ) -> None:
        reports = [
            report(task_id, self.framework(pick), state, killed=killed)
            for pick, task_id, state, killed in some
        ]
        executors = tuple(
            frames.ExecutorReport(framework_id=one.framework_id, executor_id="e1", role="r")
            for one in reports[:1]
        )
        self.register(
            agent_id, old_link, total, reports,
            epoch=epochs[0], newest_epoch=epochs[1], version=version, executors=executors,
        )  # fmt: skip

    def register(
        self,
        agent_id: str,
        old_link: int | None,
        total: Resources,
        reports: list[Any],
        **changes: Any,
    ) -> None:
        link = self.new("l") if old_link is None else among(self.links, old_link)
        self.links.append(link)
        made = frames.Register(
            epoch=EPOCH,
            agent_id=agent_id,
            info=AgentInfo(hostname="h", resources=total.to_wire()),
            version="1.12.0",
            newest_epoch=EPOCH,
            tasks=tuple(reports),
        )
        self.hear(Frame(link, 0, msgspec.structs.replace(made, **changes)))

    def link(self, pick: int) -> str:
        """A live link mostly, or any there ever was."""
        live = list(self.rig.core.state.links)
        return among(live if live and pick < 80 else self.links, pick)

    @rule(pick=PICKS, who=PICKS, task_id=TASKS, state=STATES, latest=STATES, n=NUMBERS)
    def agent_updates(
        self, pick: int, who: int, task_id: str, state: TaskState, latest: TaskState, n: int
    ) -> None:
        """Of its own tasks mostly. The latest state is terminal if the status is."""
        link = self.link(pick)
        agent = self.rig.core.state.links.get(link)
        framework_id = self.framework(who)
        if agent is not None and agent.tasks and who < 75:
            framework_id, task_id = sorted(agent.tasks)[who % len(agent.tasks)]
        latest = state if state in TERMINAL_STATES else latest
        status = TaskStatus(task_id=task_id, state=state, uuid=uuid(n), data=b"x")
        update = frames.Update(
            epoch=EPOCH, framework_id=framework_id, status=status, latest_state=latest
        )
        self.hear(Frame(link, n, update))

    @rule(pick=PICKS, who=PICKS, epoch=st.sampled_from([EPOCH, EPOCH, EPOCH - 1]), kind=PICKS)
    def agent_says(self, pick: int, who: int, epoch: int, kind: int) -> None:
        framework_id = self.framework(who)
        said: list[frames.FromAgent] = [
            frames.Pong(epoch=epoch),
            frames.Exited(epoch=epoch, framework_id=framework_id, executor_id="e1", status=None),
            frames.Exited(epoch=epoch, framework_id=framework_id, executor_id="e2", status=9),
            frames.Message(epoch=epoch, framework_id=framework_id, executor_id="e1", data=b"m"),
        ]
        self.hear(Frame(self.link(pick), 1, said[kind % len(said)]))

    @rule(pick=PICKS.filter(lambda pick: pick % 3 == 0))
    def link_breaks(self, pick: int) -> None:
        self.hear(LinkEnded(self.link(pick)))

    # Schedulers -------------------------------------------------------------------------------

    def framework(self, pick: int) -> str:
        """A connected framework mostly, or any there ever was."""
        connected = [f.framework_id for f in self.rig.core.state.streams.values()]
        return among(connected if connected and pick < 85 else self.frameworks, pick)

    @rule(
        who=st.none() | PICKS,
        roles=ROLES,
        suppressed=st.sampled_from([*[()] * 4, ("r",), ("s",)]),
        aware=st.booleans(),
        patience=st.sampled_from([*[0.0, 10.0, 3600.0] * 3, -1e9, 1e300]),
        header=st.sampled_from([*[None] * 8, "nowhere"]),
    )
    def scheduler_subscribes(
        self,
        who: int | None,
        roles: tuple[str, ...],
        suppressed: tuple[str, ...],
        aware: bool,
        patience: float,
        header: str | None,
    ) -> None:
        framework_id = None if who is None else self.framework(who)
        capabilities = (Capability(type="MULTI_ROLE"), Capability(type="PARTITION_AWARE"))
        info = FrameworkInfo(
            user="u",
            name="n",
            id=framework_id,
            roles=roles,
            failover_timeout=patience,
            capabilities=capabilities if aware else capabilities[:1],
        )
        part = scheduler.Subscribe(framework_info=info, suppressed_roles=suppressed)
        call = scheduler.Call(type="SUBSCRIBE", framework_id=framework_id, subscribe=part)
        stream = self.new("s")
        step = self.hear(Call(self.new("q"), ("ext", 1), header, call, stream))
        for name, names in step.did:
            if name == "subscribe":
                self.streams.append(stream)
                if names["framework"] not in self.frameworks:
                    self.frameworks.append(names["framework"])

    @rule(pick=PICKS.filter(lambda pick: pick % 3 == 0))
    def stream_breaks(self, pick: int) -> None:
        self.hear(StreamEnded(among(self.streams, pick)))

    def call(self, who: int, kind: str, part: Any, lost: bool = False) -> None:
        """A call of any framework, on its own stream mostly."""
        framework_id = self.framework(who)
        framework = self.rig.core.state.frameworks.get(framework_id)
        stream = None if framework is None else framework.stream
        stream = among(self.streams, who) if lost else stream
        parts = {} if part is None else {kind.lower(): part}
        call = scheduler.Call(type=kind, framework_id=framework_id, **parts)
        self.hear(Call(self.new("q"), ("ext", 1), stream, call, self.new("s")))

    def holder(self, who: int) -> int:
        """The pick of a framework that holds an offer, if `who` doesn't and there is one."""
        frameworks = self.rig.core.state.frameworks
        picks: list[int] = [who, *range(80)]
        for pick in picks:
            framework = frameworks.get(self.framework(pick))
            if framework is not None and framework.offers:
                return pick
        return who

    def some_offers(self, who: int, picks: list[int]) -> tuple[str, ...]:
        """The framework's own offers of one agent mostly, or any there ever were."""
        framework = self.rig.core.state.frameworks.get(self.framework(who))
        own = [] if framework is None else list(framework.offers)
        if framework is not None and own and picks[:1] < [60]:
            agent_id = framework.offers[own[0]].agent_id
            return tuple(o for o, offer in framework.offers.items() if offer.agent_id == agent_id)
        return tuple(among(own if own and pick < 85 else self.offers, pick) for pick in picks)

    @rule(
        who=PICKS,
        picks=st.lists(PICKS, min_size=1, max_size=2) | st.just([]),
        wanted=st.lists(
            st.tuples(TASKS, WISHES, st.none() | EXECUTORS, st.sampled_from([*[0] * 6, 1, 2, 3])),
            min_size=1,
            max_size=3,
        ),
        refusal=REFUSALS,
        group=st.sampled_from([*[False] * 6, True]),
    )
    def scheduler_accepts(
        self,
        who: int,
        picks: list[int],
        wanted: list[tuple[str, Resources, str | None, int]],
        refusal: float | None,
        group: bool,
    ) -> None:
        who = self.holder(who)
        offers = self.some_offers(who, picks)
        standing = self.rig.core.state.offers.get(offers[0]) if offers else None
        agent_id = "a1" if standing is None else standing.agent_id
        infos = tuple(wish(agent_id, *one) for one in wanted)
        operation = Operation(type="LAUNCH", launch=Launch(task_infos=infos))
        if group:
            inside = LaunchGroup(executor=executor(), task_group=TaskGroup(tasks=infos))
            operation = Operation(type="LAUNCH_GROUP", launch_group=inside)
        filters = None if refusal is None else Filters(refuse_seconds=refusal)
        some = (operation, Operation(type="RESERVE", reserve={}))
        part = scheduler.Accept(offer_ids=offers, operations=some, filters=filters)
        self.call(who, "ACCEPT", part)

    @rule(who=PICKS, picks=st.lists(PICKS, max_size=2), refusal=REFUSALS)
    def scheduler_declines(self, who: int, picks: list[int], refusal: float | None) -> None:
        filters = None if refusal is None else Filters(refuse_seconds=refusal)
        part = scheduler.Decline(offer_ids=self.some_offers(who, picks), filters=filters)
        self.call(who, "DECLINE", part)

    @rule(who=PICKS, kind=st.sampled_from(["REVIVE", "SUPPRESS"]), roles=st.none() | ROLES)
    def scheduler_revives_or_suppresses(
        self, who: int, kind: str, roles: tuple[str, ...] | None
    ) -> None:
        made = scheduler.Revive if kind == "REVIVE" else scheduler.Suppress
        self.call(who, kind, None if roles is None else made(roles=roles))

    @rule(who=PICKS, agent_id=AGENTS, task_id=TASKS, n=NUMBERS)
    def scheduler_acknowledges(self, who: int, agent_id: str, task_id: str, n: int) -> None:
        part = scheduler.Acknowledge(agent_id=agent_id, task_id=task_id, uuid=uuid(n))
        self.call(who, "ACKNOWLEDGE", part)

    @rule(who=PICKS, agent_id=st.none() | AGENTS, task_id=TASKS, many=st.booleans())
    def scheduler_reconciles(
        self, who: int, agent_id: str | None, task_id: str, many: bool
    ) -> None:
        asked = scheduler.ReconcileTask(task_id=task_id, agent_id=agent_id)
        before = self.rig.core.view()
        self.call(who, "RECONCILE", scheduler.Reconcile(tasks=(asked,) if many else ()))
        assert self.rig.core.view() == before  # REC-11

    @rule(who=PICKS, agent_id=st.none() | AGENTS, task_id=TASKS)
    def scheduler_kills(self, who: int, agent_id: str | None, task_id: str) -> None:
        policy = KillPolicy(grace_period=DurationInfo(nanoseconds=-(2**63)))
        part = scheduler.Kill(task_id=task_id, agent_id=agent_id, kill_policy=policy)
        self.call(who, "KILL", part)

    @rule(who=PICKS, kind=PICKS, agent_id=AGENTS, lost=st.booleans())
    def scheduler_says(self, who: int, kind: int, agent_id: str, lost: bool) -> None:
        said: list[tuple[str, Any]] = [
            ("SHUTDOWN", scheduler.Shutdown(executor_id="e1", agent_id=agent_id)),
            ("MESSAGE", scheduler.Message(executor_id="e1", agent_id=agent_id, data=b"")),
            ("REQUEST", scheduler.Request()),
            ("RECONCILE_OPERATIONS", {}),
            ("KILL", None),
        ]
        self.call(who, *said[kind % len(said)], lost=lost)

    @rule(who=PICKS, how=PICKS)
    def framework_is_torn_down(self, who: int, how: int) -> None:
        """Not too often."""
        if how > 95:
            self.hear(OperatorTeardown(self.new("q"), self.framework(who)))
        elif how > 90:
            self.call(who, "TEARDOWN", None)

    # The end ----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """The same events give the same steps, watched or not; a deposed master knows nothing."""
        again = MasterCore(CONFIG, Ids(), "M")
        again.handle(self.elected(), 0)
        assert [again.handle(event, now_us) for event, now_us in self.heard] == self.steps
        assert again.view() == self.rig.core.view()
        assert again.take_changes() == {}
        self.rig.depose()
        assert self.rig.core.view() == {}
        assert violations(self.rig.core) == []

    def elected(self) -> Event:
        return Elected(EPOCH, MasterInfo(id="M", ip=0))


def among(some: list[str], pick: int) -> str:
    """One of `some`."""
    return some[pick % len(some)]


def wish(
    agent_id: str, task_id: str, amount: Resources, executor_id: str | None, oddity: int
) -> TaskInfo:
    """A task, sometimes an odd one."""
    info = task(task_id, agent_id if oddity != 1 else "a9", resources=amount.to_wire())
    if oddity == 2:
        grace = DurationInfo(nanoseconds=-1)
        info = msgspec.structs.replace(info, kill_policy=KillPolicy(grace_period=grace))
    if executor_id is not None:
        own = executor(executor_id, type=None if oddity != 3 else "DEFAULT")
        info = msgspec.structs.replace(info, command=None, executor=own)
    return info


TestMaster = Master.TestCase
TestMaster.settings = settings(stateful_step_count=60)
