"""How long a cluster is without a leader that knows everybody, after the leader is killed.

The clock runs from SIGKILL until the new leader's operator API shows all agents and frameworks
connected. All members are processes of their own; the frameworks live in this one. After each kill
the victim is started again, as a standby, and the cluster is left alone for a moment.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import trio

from benchmarks.measuring import Figure
from mesos_ref.cluster.asking import Masters, Operator, Unanswered
from mesos_ref.cluster.cluster import Cluster, open_cluster
from mesos_ref.cluster.spec import QUICK_AGENTS, ClusterSpec
from mesos_ref.http.client import HttpClient
from mesos_ref.ports.net import TrioNet
from mesos_ref.scheduler import connect

MASTERS: Final = 3
#: As Apache Mesos' agents wait, at most, before they dial a new leader.
MESOS_BACKOFF: Final[Mapping[str, str | bool]] = {"registration-backoff-s": "1"}

_LOOK_AGAIN_S: Final = 0.01
_PATIENCE_S: Final = 60.0
_REST_S: Final = 1.0


def failover_s_up(quick: bool) -> Figure:
    """With the timers that `mesos-ref up` gives its members."""
    return _figure("failover_s_up", quick, QUICK_AGENTS, "as `up` starts them")


def failover_s_mesos_backoff(quick: bool) -> Figure:
    """With agents that wait as long as Apache Mesos' do before they register."""
    return _figure("failover_s_mesos_backoff", quick, MESOS_BACKOFF, "agents back off up to 1 s")


def _figure(name: str, quick: bool, agent_options: Mapping[str, str | bool], how: str) -> Figure:
    agents, frameworks, kills = (2, 1, 1) if quick else (50, 5, 5)
    times_s = trio.run(fail_over, agents, frameworks, kills, agent_options)
    return Figure(
        name,
        "s",
        f"SIGKILL of the leader until {agents} agent processes and {frameworks} frameworks are"
        f" back, {kills} times; {how}",
        times_s,
        {"worst": max(times_s)},
    )


async def fail_over(
    agents: int, frameworks: int, kills: int, agent_options: Mapping[str, str | bool]
) -> list[float]:
    """How long each of so many fail-overs took, in seconds."""
    times_s = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mesos-ref-bench-"))
        spec = ClusterSpec(
            work_dir=Path(folder),
            masters=MASTERS,
            agents=agents,
            resources="cpus:1;mem:64",
            agent_options=agent_options,
        )
        cluster = await stack.enter_async_context(open_cluster(spec))
        await cluster.wait_ready(_PATIENCE_S)
        for number in range(frameworks):
            one = connect(cluster.master_option, name=f"framework-{number}")
            await (await stack.enter_async_context(one)).subscribed()
        for _ in range(kills):
            await trio.sleep(_REST_S)
            times_s.append(await _kill_leader(cluster, agents, frameworks))
    return times_s


async def _kill_leader(cluster: Cluster, agents: int, frameworks: int) -> float:
    """Kill it, wait until all are back, and start it again; how long they were away."""
    leader = await cluster.wait_ready(_PATIENCE_S)
    began_s = trio.current_time()
    await cluster.kill(leader.name)
    with trio.fail_after(_PATIENCE_S):
        await _until_connected(cluster, agents, frameworks)
    took_s = trio.current_time() - began_s
    await cluster.restart(leader.name)
    return took_s


async def _until_connected(cluster: Cluster, agents: int, frameworks: int) -> None:
    """Return once the leader, whoever it is, has so many of both."""
    client = HttpClient(TrioNet())
    try:
        while True:
            with suppress(Unanswered):  # nobody leads, or not yet
                if await _connected(cluster, client) == (agents, frameworks):
                    return
            await trio.sleep(_LOOK_AGAIN_S)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            await client.aclose()


async def _connected(cluster: Cluster, client: HttpClient) -> tuple[int, int]:
    """How many agents and frameworks the leader has; none while nobody leads."""
    leader = cluster.leader()
    if leader is None:
        return 0, 0
    operator = Operator(client, Masters([leader.url]), patience_s=0)
    agents = (await operator.ask("GET_AGENTS"))["agents"]
    frameworks = (await operator.ask("GET_FRAMEWORKS"))["frameworks"]
    return sum(each["active"] for each in agents), sum(each["active"] for each in frameworks)
