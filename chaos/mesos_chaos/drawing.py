"""Plans drawn by Hypothesis: small clusters, little work, up to eight faults, one seed.

What is drawn is data (D11), a few dozen draws a plan, so that a plan that fails is shrunk to the
few faults that matter and can be kept as a scenario.  Everything a drawn plan does is survivable:
each fault has its undo, so the plan must conform and settle.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mesos_chaos.plan import Cluster, Expect, Fault, FaultKind, Plan, Workload

MOST_FAULTS = 8
SETTLES_S = 240.0

#: Where a node may be struck: right after, or in the middle of, one of these.
SITES = (
    "agent.be_registered",
    "agent.executor_ends",
    "agent.executor_subscribes",
    "agent.executor_updates",
    "agent.hear_ack",
    "agent.register",
    "agent.run",
    "agent.start_agent",
    "master.accept",
    "master.acknowledge",
    "master.admit",
    "master.forward",
    "master.lead",
    "master.offer",
    "master.subscribe",
    "scheduler.ack",
    "scheduler.be_subscribed",
    "scheduler.call",
    "scheduler.hear_offers",
    "scheduler.hear_update",
)
TIMERS: tuple[dict[str, float], ...] = (
    {},
    {"offer_timeout_s": 1.0, "status_update_retry_s": 0.3},
    {"agent_ping_timeout_s": 0.3, "max_agent_ping_timeouts": 2, "agent_reregister_timeout_s": 1.0},
    {"executor_registration_timeout_s": 0.5, "executor_reregistration_timeout_s": 0.5},
)


def clusters() -> SearchStrategy[Cluster]:
    """Up to three masters and three agents, perhaps with hasty timers and a foreign framework."""
    return st.builds(
        Cluster,
        masters=st.integers(1, 3),
        agents=st.integers(1, 3),
        foreign=st.integers(0, 1),
        foreign_calls=st.integers(20, 80),
        timers=st.sampled_from(TIMERS),
    )


def workloads(name: str) -> SearchStrategy[Workload]:
    """A framework called `name` with a little work."""
    return st.builds(
        Workload,
        name=st.just(name),
        items=st.integers(1, 12),
        command=st.sampled_from(["sleep 0.05", "sleep 0.4", "sleep 1.5"]),
        cpus=st.sampled_from([0.2, 0.5, 2.0]),
        executor=st.sampled_from(["command", "custom"]),
        unruly=st.booleans(),
        rivals=st.integers(0, 1),
    )


@st.composite
def faults(draw: DrawFn, schedulers: tuple[str, ...]) -> Fault:
    """One fault that makes sense, at a time or at a site."""
    kind = draw(st.sampled_from(list(FaultKind)))
    agents = ["agent:any", "agent:1"]
    masters = ["leader", "standby"]
    ends = ["executor:any", *(f"scheduler:{name}" for name in schedulers)]
    targets = {
        FaultKind.KILL: agents + masters + ends,
        FaultKind.PAUSE: agents + masters,
        FaultKind.DEPOSE: ["leader"],
    }
    target = draw(st.sampled_from(targets.get(kind, agents)))
    at_site = draw(st.booleans())
    site = f"{draw(st.sampled_from(SITES))}#{draw(st.integers(1, 12))}" if at_site else None
    return Fault(
        kind=kind,
        target=target,
        at_s=None if at_site else draw(st.integers(0, 60)) / 10,
        after=site,
        for_s=draw(st.sampled_from([0.2, 1.5, 4.0])),
        restart_after_s=draw(st.sampled_from([0.0, 0.3, 1.5])),
        direction=draw(st.sampled_from(["up", "down", "both"])),
        delay_s=draw(st.sampled_from([0.05, 0.5])),
    )


@st.composite
def plans(draw: DrawFn) -> Plan:
    """A whole plan; it must conform, and settle after the heal."""
    names = ("alpha", "beta")[: draw(st.integers(1, 2))]
    return Plan(
        cluster=draw(clusters()),
        workload=[draw(workloads(name)) for name in names],
        fault=draw(st.lists(faults(names), max_size=MOST_FAULTS)),
        expect=Expect(settles_within_s=SETTLES_S),
        seed=draw(st.integers(0, 10_000)),
    )
