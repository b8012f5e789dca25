"""What is free on an agent, and wanted by who did not decline it, does not lie for long."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.cluster import SimCluster
from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.sim.unoffered import TIMES, Unoffered
from mesos_ref.master.config import MasterConfig

CONFIG = MasterConfig()
AGENT = {"standing": "registered", "link": "l", "total": {"cpus": 4000, "mem": 64_000}}
FRAMEWORK = {"standing": "connected", "stream": "s", "roles": ["*"], "suppressed": []}
VIEW: dict[str, Any] = {"epoch": 1, "agents/a": AGENT, "frameworks/f": FRAMEWORK}
ALL = {"agent": "a", "resources": AGENT["total"]}
CPUS = {"agent": "a", "resources": {"cpus": 4000}}


def seen(view: dict[str, Any], times: int = TIMES) -> list[str]:
    """What is told after so many looks at the same view."""
    unoffered, told = Unoffered(), []
    for _ in range(times):
        told = unoffered.look({"m1.1": (CONFIG, view)})
    return told


def test_what_lies_is_told_when_it_was_seen_often_enough() -> None:
    assert seen(VIEW, TIMES - 1) == []
    assert seen(VIEW) == ["m1.1: a has something free, and f is not offered it as *"]


@pytest.mark.parametrize(
    ("more", "lies"),
    [
        ({"offers/o": ALL}, False),
        ({"offers/o": CPUS}, True),  # ALC-13: memory alone is worth it
        ({"tasks/f/t": {**ALL, "state": "TASK_RUNNING"}}, False),
        ({"tasks/f/t": {**ALL, "state": "TASK_FINISHED"}}, True),
        ({"executors/a/f/e": ALL}, False),
        ({"filters/f/a/*": [AGENT["total"]]}, False),
        ({"filters/f/a/*": [{"cpus": 4000, "mem": 32_000}]}, True),  # FLT-2: there is more
        ({"agents/a": {**AGENT, "standing": "disconnected"}}, False),
        ({"frameworks/f": {**FRAMEWORK, "standing": "disconnected"}}, False),
        ({"frameworks/f": {**FRAMEWORK, "suppressed": ["*"]}}, False),
        ({"agents/a": {**AGENT, "total": {"cpus": 5, "mem": 31_000}}}, False),
    ],
)
def test_only_what_is_free_and_wanted_lies(more: dict[str, Any], lies: bool) -> None:
    assert bool(seen({**VIEW, **more})) is lies


def test_a_master_that_forgets_an_agent_is_late() -> None:
    """ALC-1, in a cluster whose master never looks at its agent again."""
    plan = Plan(cluster=Cluster(masters=1, agents=1), workload=[Workload(name="own", items=1)])
    cluster = SimCluster.of(plan)
    state = cluster.masters["m1"].core.state
    assert cluster.loop.run(10 * SECOND_US, lambda: bool(state.agents and state.frameworks))
    state.reconsider = lambda agent: None
    cluster.loop.run(cluster.loop.now_us + 10 * SECOND_US, lambda: bool(cluster.late))
    [late] = cluster.late
    assert "has something free, and" in late
