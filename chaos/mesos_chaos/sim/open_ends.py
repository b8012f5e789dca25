"""What is open and belongs to nobody: connections and processes that a core has forgotten.

A core says what to close, and shows what it has; the shell around it holds what is open.  When all
is quiet the two must agree: a stream that was replaced is hung up, a framework that was removed is
not listened to, an executor that has ended is not shown any more (S13, EXE-5).  And at no time does
a core that hears what happens go on with a connection that is gone (AGT-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mesos_chaos.sim.agents import SimAgent
from mesos_chaos.sim.masters import SimMaster
from mesos_chaos.sim.node import Node
from mesos_chaos.sim.schedulers import SimScheduler

if TYPE_CHECKING:
    from mesos_chaos.sim.cluster import SimCluster


def forgotten(cluster: SimCluster) -> list[str]:
    """A sentence for each thing that is open and not shown, or shown and not there."""
    found: list[str] = []
    for master in cluster.masters.values():
        if master.leads and master.alive and not master.paused:
            found += _of_master(master, misfits=cluster.plan.cluster.misfits > 0)
    for agent in cluster.agents.values():
        if agent.alive and not agent.paused and not agent.name.startswith("misfit"):
            found += _of_agent(agent)
    for scheduler in cluster.schedulers.values():
        if scheduler.alive and scheduler.error is None:
            shown = {scheduler.core.view()["scheduler"]["stream"]} - {None}
            found += _differ(scheduler.name, "stream", scheduler.streams, shown)
    return found


def gone(node: Node) -> Iterator[str]:
    """A sentence for each connection that a process goes on with though it was told of its end.

    What the core knows is what it shows, but for the trouble of making a view.  A standby has none.
    """
    if not node.alive or node.paused:
        return
    knows, name = node.core.state, node.name
    match node:
        case SimMaster() if node.leads:
            links = {agent.link for agent in knows.agents.values()} - {None}
            streams = {framework.stream for framework in knows.frameworks.values()} - {None}
            yield from _ended(name, "link", node.links, links)
            yield from _ended(name, "stream", node.streams, streams)
        case SimAgent():
            yield from _ended(name, "link", node.links, {knows.link} - {None})
        case SimScheduler():
            yield from _ended(name, "stream", node.streams, {knows.stream} - {None})
        case _:
            pass


def _of_master(master: SimMaster, misfits: bool) -> Iterator[str]:
    view = master.core.view()
    links = _shown(view, "agents", "link")
    streams = _shown(view, "frameworks", "stream")
    if not misfits:
        yield from _differ(master.name, "link", master.links, links)
    yield from _differ(master.name, "stream", master.streams, streams)
    yield from (f"{master.name}: call {one} was never answered" for one in master.unanswered)


def _of_agent(agent: SimAgent) -> Iterator[str]:
    view = agent.core.view()
    shown = {key.partition("/")[2] for key in view if key.startswith("executors/")}
    alive = {f"{one.framework_id}/{one.executor_id}" for one in agent.executors.values()}
    yield from _differ(agent.name, "executor", alive, shown)
    yield from _differ(agent.name, "link", agent.links, {view["agent"]["link"]} - {None})
    streams = _shown(view, "executors", "stream")
    yield from _differ(agent.name, "stream", agent.streams, streams)
    yield from (f"{agent.name}: call {one} was never answered" for one in agent.unanswered)


def _shown(view: dict[str, Any], table: str, name: str) -> set[str]:
    rows = (value for key, value in view.items() if key.startswith(f"{table}/"))
    return {value[name] for value in rows if value.get(name)}


def _differ(node: str, what: str, there: Iterable[str], shown: set[str]) -> Iterator[str]:
    yield from (f"{node}: {what} {one} is open, and nobody's" for one in sorted({*there} - shown))
    yield from _ended(node, what, there, shown)


def _ended(node: str, what: str, there: Iterable[str], shown: set[str]) -> Iterator[str]:
    yield from (f"{node}: {what} {one} is shown, and gone" for one in sorted(shown - {*there}))
