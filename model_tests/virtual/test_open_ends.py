"""A connection that has ended is told to the core on each of its sides, or the harness tells."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest

from mesos_chaos.plan import Cluster, Fault, FaultKind, Plan, Workload, load_scenario
from mesos_chaos.virtual.run import run_virtually
from mesos_ref.agent import dialer
from mesos_ref.agent.events import LinkEnded as LinkEndedHere
from mesos_ref.master import links, schedulers
from mesos_ref.master.events import LinkEnded, StreamEnded

AGENT_KILLED = load_scenario("agent_killed")[1]
MASTER_KILLED = Plan(
    cluster=Cluster(masters=1, agents=1),
    workload=[Workload(name="own", items=2, command="sleep 3")],
    fault=[Fault(kind=FaultKind.KILL, target="leader", at_s=2.0, restart_after_s=3.0)],
)
SCHEDULER_KILLED = Plan(
    cluster=Cluster(masters=1, agents=1),
    workload=[Workload(name="own", items=2, command="sleep 3")],
    fault=[Fault(kind=FaultKind.KILL, target="scheduler:own", at_s=2.0, restart_after_s=2.0)],
)


def hears_no(monkeypatch: pytest.MonkeyPatch, owner: type, ended: type) -> None:
    """Have everything but that fact reach the core."""
    real = owner.__init__  # type: ignore[misc]

    def init(*args: Any, **more: Any) -> None:
        bound = signature(real).bind(*args, **more)
        told = bound.arguments["post_nowait"]
        deaf = lambda event: None if isinstance(event, ended) else told(event)  # noqa: E731
        bound.arguments["post_nowait"] = deaf
        real(*bound.args, **bound.kwargs)

    monkeypatch.setattr(owner, "__init__", init)


@pytest.mark.parametrize(
    ("plan", "owner", "ended", "says"),
    [
        (AGENT_KILLED, links.Links, LinkEnded, "m1: the link "),
        (SCHEDULER_KILLED, schedulers.Schedulers, StreamEnded, "m1: a framework's stream has "),
        (MASTER_KILLED, dialer.Dialer, LinkEndedHere, "a1: its link "),
    ],
)
def test_who_is_not_told_of_an_end_is_found_out(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, owner: type, ended: type, says: str
) -> None:
    """AGT-11, FWK-12: a master's agent, a master's framework, an agent's master."""
    clean, _ = run_virtually(plan)
    assert (clean.exit_code, clean.leaks) == (0, [])
    hears_no(monkeypatch, owner, ended)
    deaf, _ = run_virtually(plan)
    assert deaf.exit_code == 1
    assert deaf.leaks[0].startswith(says)
    assert deaf.leaks[0].endswith("ended, and it was not told")
