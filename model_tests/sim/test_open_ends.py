"""What a shell holds open and its core does not show, or the other way round, is told."""

from __future__ import annotations

from mesos_chaos.plan import Cluster, Plan, Workload
from mesos_chaos.sim.cluster import SimCluster
from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.sim.network import End
from mesos_chaos.sim.open_ends import forgotten, gone
from mesos_chaos.sim.run import simulate
from mesos_ref.agent.effects import Connect
from mesos_ref.step import Answer, CloseLink, CloseStream

PLAN = Plan(
    cluster=Cluster(masters=1, agents=1, foreign=1, foreign_calls=30),
    workload=[Workload(name="own", items=3, executor="custom")],
)


def all_gone(cluster: SimCluster) -> list[str]:
    """What any of its processes shows though it is gone."""
    return [says for node in cluster.nodes for says in gone(node)]


def settled() -> SimCluster:
    """A cluster in which all is done."""
    result, cluster = simulate(PLAN)
    assert result.exit_code == 0
    return cluster


def test_when_all_is_quiet_nothing_is_forgotten() -> None:
    cluster = settled()
    assert cluster.masters["m1"].streams
    assert cluster.masters["m1"].links
    assert forgotten(cluster) == []


def test_a_stream_that_nobody_hung_up_is_told() -> None:
    """S13: of a framework that has another, or is removed."""
    cluster = settled()
    ends: tuple[End[object], End[object]] = cluster.network.connect("x1", "m1")
    cluster.masters["m1"]._streams["old-stream"] = ends[1]
    assert forgotten(cluster) == ["m1: stream old-stream is open, and nobody's"]
    assert "m1: stream old-stream is open, and nobody's" in cluster.leaks()


def test_a_connection_that_an_agent_or_a_scheduler_did_not_close_is_told() -> None:
    cluster = settled()
    agent, own = cluster.agents["a1"], cluster.schedulers["own"]
    assert len(agent.links) == len(own.streams) == 1
    ends: tuple[End[object], End[object]] = cluster.network.connect("a1", "m1")
    agent._links["old-link"] = ends[0]
    own._ends["old"] = "old-stream", ends[0]
    assert forgotten(cluster) == [
        "a1: link old-link is open, and nobody's",
        "own: stream old-stream is open, and nobody's",
    ]


def test_an_operator_is_answered_what_is_so() -> None:
    cluster = settled()
    master, own = cluster.masters["m1"], cluster.schedulers["own"]
    framework = own.kept["framework_id"]
    master.tear_down("never-was")
    master.tear_down(framework)
    master.tear_down(framework)
    assert master.misanswered == []
    master._operators["asked"] = 200
    master.perform(Answer("asked", 400))
    assert master.misanswered == ["an operator's teardown was answered with 400, not 200"]
    assert "m1: an operator's teardown was answered with 400, not 200" in cluster.leaks()


def test_an_update_that_is_given_twice_is_told() -> None:
    """UPD-12: one life of a framework's code is given each update once."""
    cluster = settled()
    own = cluster.schedulers["own"]
    own._note("t", b"1")
    own._note("t", b"2")
    assert own.mistold == []
    own._note("t", b"1")
    assert own.mistold == ["was given an update of t twice"]


def test_an_executor_that_has_ended_and_is_shown_is_told() -> None:
    """EXE-5."""
    cluster = SimCluster.of(PLAN)
    agent = cluster.agents["a1"]
    assert cluster.loop.run(10 * SECOND_US, lambda: bool(agent.streams))
    assert not [says for says in forgotten(cluster) if "a1: executor" in says]
    [container, *_] = agent.executors
    executor = agent.executors.pop(container)
    says = f"a1: executor {executor.framework_id}/{executor.executor_id} is shown, and gone"
    assert says in forgotten(cluster)


def test_a_connection_that_has_ended_and_is_shown_is_told() -> None:
    """AGT-11: whoever hears what happens does not go on with it; who is paused cannot hear."""
    cluster = settled()
    assert all_gone(cluster) == []
    link, *_ = cluster.agents["a1"]._links
    stream, *_ = cluster.schedulers["own"].streams
    for name, node in (("a1", cluster.agents["a1"]), ("m1", cluster.masters["m1"])):
        end = node._links.pop(link)
        assert f"{name}: link {link} is shown, and gone" in all_gone(cluster)
        node.paused = True
        assert all_gone(cluster) == []
        node.paused = False
        node._links[link] = end
    cluster.schedulers["own"]._ends.clear()
    assert all_gone(cluster) == [f"own: stream {stream} is shown, and gone"]


def test_what_never_was_cannot_be_closed() -> None:
    cluster = settled()
    agent, master = cluster.agents["a1"], cluster.masters["m1"]
    link, *_ = agent.links
    agent.perform(CloseLink(link))
    agent.perform(CloseLink(link))  # it was there: that it is not any more may have crossed
    assert agent.astray == []
    agent.perform(CloseLink("never-was"))
    master.perform(CloseStream("never-was"))
    assert agent.astray == ["closes link never-was, where there never was any of that name"]
    assert "m1: closes stream never-was, where there never was any of that name" in cluster.leaks()


def test_an_agent_has_one_link() -> None:
    cluster = settled()
    agent = cluster.agents["a1"]
    [link] = agent.links
    agent.perform(Connect(cluster.election.epoch, "m1", "another"))
    assert agent.astray == [f"dials while its link {link} is open"]
