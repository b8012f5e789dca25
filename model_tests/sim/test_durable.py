"""What an agent would forget if it were killed now, or remember though it is gone, is told."""

from __future__ import annotations

import pytest

from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.agents import SimAgent
from mesos_chaos.sim.cluster import SimCluster
from mesos_chaos.sim.durable import unkept
from mesos_chaos.sim.loop import SECOND_US

PLAN = Plan(
    cluster=Cluster(masters=1, agents=1),
    workload=[Workload(name="own", items=2, command="sleep 5")],
)


@pytest.fixture(name="agent")
def agent_that_runs_a_task() -> SimAgent:
    cluster = SimCluster.of(PLAN)
    agent = cluster.agents["a1"]
    assert cluster.loop.run(
        10 * SECOND_US, lambda: any(key.startswith("task/") for key in agent.kept)
    )
    return agent


def test_all_that_is_shown_is_kept(agent: SimAgent) -> None:
    assert [*unkept(agent)] == []


@pytest.mark.parametrize("table", ["task", "executor"])
def test_what_was_not_kept_is_told(agent: SimAgent, table: str) -> None:
    """UPD-1: a promise outlives the process."""
    for key in [key for key in agent.kept if key.startswith(f"{table}/")]:
        del agent.kept[key]
    told = [*unkept(agent)]
    assert told
    assert any(f"a1: {table} " in says and "forgotten by a kill" in says for says in told)


def test_what_was_not_wiped_is_told(agent: SimAgent) -> None:
    kept = dict(agent.kept)
    for task in [key for key in agent.core.view() if key.startswith("tasks/")]:
        _, framework, name = task.split("/")
        del agent.core.state.frameworks[framework].tasks[name]
    assert agent.kept == kept
    assert any("is kept, and not shown" in says for says in unkept(agent))


def test_what_nobody_would_look_at_again_is_told(agent: SimAgent) -> None:
    """A disk that is never cleared is full one day."""
    [task] = [key for key in agent.kept if key.startswith("task/")][:1]
    agent.kept["task/gone/t"] = dict(agent.kept[task])
    assert "a1: task/gone/t is on the disk, and of no use" in [*unkept(agent)]


def test_what_is_written_otherwise_than_it_is_known_is_told(agent: SimAgent) -> None:
    [progress] = [key for key in agent.kept if key.startswith("progress/")][:1]
    agent.kept[progress] = {**agent.kept[progress], "killed": True}
    assert f"a1: {progress} on the disk is not as it should be" in [*unkept(agent)]
