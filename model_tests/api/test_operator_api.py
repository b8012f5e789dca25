"""What operators read and may do: POST /api/v1, and the older endpoints tools still use."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import (
    AgentInfo,
    Attribute,
    CommandInfo,
    ExecutorInfo,
    Range,
    Ranges,
    Scalar,
    Set,
    Text,
)
from model_tests.shell.master_bench import (
    NODE,
    Bench,
    FakeAgent,
    FakeScheduler,
    accept,
    mastering,
    task,
)
from model_tests.shell.memory_net import run_virtually

# --- a small cluster ------------------------------------------------------------------------------


class Cluster:
    """Two agents; a framework with one running task, and one offer."""

    def __init__(self, bench: Bench, agent: FakeAgent, framework: FakeScheduler) -> None:
        self.bench = bench
        self.agent = agent
        self.framework = framework


def look(see: Callable[[Cluster], Awaitable[None]]) -> None:
    """Build the cluster and look at it."""

    async def main() -> None:
        async with mastering() as bench:
            info = AgentInfo(
                hostname="one.example",
                resources=Resources.parse("cpus:4;mem:1024;ports:[1-2,5-9];tags:{b,a}").to_wire(),
                attributes=ATTRIBUTES,
            )
            agent = await bench.agent("a1", info=info)
            framework = await bench.subscribe("fw", name="shown")
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            await framework.call("ACCEPT", accept(offers, {**task("t1"), "labels": {"labels": []}}))
            await agent.expect(frames.RunTask)
            await agent.update("fw", "t1", "TASK_RUNNING", b"u" * 16)
            await framework.expect("UPDATE")
            await (await bench.agent("a2", cpus=2, mem=64)).stream.aclose()
            await wait_all_tasks_blocked()
            await see(Cluster(bench, agent, framework))

    run_virtually(main)


ATTRIBUTES = (
    Attribute(name="level", type="SCALAR", scalar=Scalar(value=10.0)),
    Attribute(name="rack", type="TEXT", text=Text(value="abc")),
    Attribute(name="slots", type="RANGES", ranges=Ranges(range=(Range(begin=1, end=3),))),
    Attribute(name="kinds", type="SET", set=Set(item=("x", "y"))),
)


def amounts(resources: list[dict[str, Any]]) -> dict[str, float]:
    """The scalars of a list of wire resources."""
    return {one["name"]: one["scalar"]["value"] for one in resources if one["type"] == "SCALAR"}


# --- reads ----------------------------------------------------------------------------------------


def test_what_needs_no_cluster() -> None:
    async def see(cluster: Cluster) -> None:
        operate = cluster.bench.operate
        assert await operate("GET_HEALTH") == {"healthy": True}
        assert (await operate("GET_VERSION"))["version_info"]["version"] == "1.12.0"
        flags = {one["name"]: one["value"] for one in (await operate("GET_FLAGS"))["flags"]}
        assert flags["agent_ping_timeout_us"] == "15000000"
        shown = await operate("GET_MASTER")
        assert shown["master_info"]["id"] == NODE
        assert shown["master_info"]["address"]["port"] == cluster.bench.port

    look(see)


def test_get_agents() -> None:
    async def see(cluster: Cluster) -> None:
        one, two = (await cluster.bench.operate("GET_AGENTS"))["agents"]
        assert one["agent_info"]["id"] == {"value": "a1"}
        assert one["agent_info"]["hostname"] == "one.example"
        assert (one["active"], two["active"]) == (True, False)
        assert amounts(one["total_resources"]) == {"cpus": 4.0, "mem": 1024.0}
        assert amounts(one["allocated_resources"]) == {"cpus": 1.0}
        assert one["allocated_resources"][0]["allocation_info"] == {"role": "r"}
        assert amounts(two["allocated_resources"]) == {}
        assert one["version"] == "1.12.0"

    look(see)


def test_get_frameworks() -> None:
    async def see(cluster: Cluster) -> None:
        await cluster.framework.call("REVIVE")
        await wait_all_tasks_blocked()
        (shown,) = (await cluster.bench.operate("GET_FRAMEWORKS"))["frameworks"]
        assert shown["framework_info"]["id"] == {"value": "fw"}
        assert shown["framework_info"]["name"] == "shown"
        assert (shown["connected"], shown["active"], shown["recovered"]) == (True, True, False)
        assert amounts(shown["allocated_resources"]) == {"cpus": 1.0}
        (offer,) = shown["offers"]
        assert offer["agent_id"] == {"value": "a1"}
        assert amounts(offer["resources"]) == amounts(shown["offered_resources"])
        assert amounts(offer["resources"]) == {"cpus": 3.0, "mem": 1024.0}

    look(see)


def test_get_tasks_and_executors() -> None:
    async def see(cluster: Cluster) -> None:
        shown = await cluster.bench.operate("GET_TASKS")
        assert shown["unreachable_tasks"] == []
        (one,) = shown["tasks"]
        assert one["task_id"] == {"value": "t1"}
        assert (one["state"], one["status_update_state"]) == ("TASK_RUNNING", "TASK_RUNNING")
        assert one["status_update_uuid"] == "dXV1dXV1dXV1dXV1dXV1dQ=="
        assert [status["state"] for status in one["statuses"]] == ["TASK_RUNNING"]
        assert one["labels"] == {"labels": []}
        assert "executor_id" not in one
        assert await cluster.bench.operate("GET_EXECUTORS") == {"executors": []}

    look(see)


def test_custom_executors_are_shown() -> None:
    async def main() -> None:
        async with mastering() as bench:
            info = ExecutorInfo(executor_id="e1", command=CommandInfo(value="./run"), name="mine")
            report = frames.ExecutorReport(
                framework_id="old",
                executor_id="e1",
                role="r",
                resources=Resources.of(cpus=0.5).to_wire(),
                info=info,
            )
            await bench.agent("a1", executors=(report,))
            (one,) = (await bench.operate("GET_EXECUTORS"))["executors"]
            assert one["agent_id"] == {"value": "a1"}
            assert one["executor_info"]["name"] == "mine"
            (framework,) = (await bench.get("/state"))["frameworks"]
            assert (framework["id"], framework["recovered"]) == ("old", True)
            assert framework["executors"][0]["executor_id"] == "e1"
            assert framework["executors"][0]["command"]["value"] == "./run"

    run_virtually(main)


def test_get_state_is_all_of_it() -> None:
    async def see(cluster: Cluster) -> None:
        operate = cluster.bench.operate
        shown = await operate("GET_STATE")
        for name in ("get_tasks", "get_executors", "get_frameworks", "get_agents"):
            assert shown[name] == await operate(name.upper())
        (role,) = (await operate("GET_ROLES"))["roles"]
        assert (role["name"], role["frameworks"]) == ("r", [{"value": "fw"}])
        assert amounts(role["resources"]) == {"cpus": 1.0}

    look(see)


def test_state_in_the_older_words() -> None:
    async def see(cluster: Cluster) -> None:
        bench = cluster.bench
        shown = await bench.get("/master/state.json")
        assert shown["version"] == "1.12.0"
        assert shown["pid"] == shown["leader"] == f"master@memory:{bench.port}"
        assert (shown["activated_slaves"], shown["deactivated_slaves"]) == (1, 1)
        agent = shown["slaves"][0]
        assert agent["id"] == "a1"
        assert agent["resources"] == {
            "cpus": 4.0,
            "gpus": 0.0,
            "mem": 1024.0,
            "disk": 0.0,
            "ports": "[1-2, 5-9]",
            "tags": "{a, b}",
        }
        assert agent["used_resources"]["cpus"] == 1.0
        assert agent["attributes"] == {
            "level": 10.0,
            "rack": "abc",
            "slots": "[1-3]",
            "kinds": "{x, y}",
        }
        (framework,) = shown["frameworks"]
        assert (framework["name"], framework["roles"]) == ("shown", ["r"])
        (one,) = framework["tasks"]
        assert (one["id"], one["slave_id"], one["executor_id"]) == ("t1", "a1", "")
        assert one["statuses"][0]["state"] == "TASK_RUNNING"

    look(see)


def test_metrics_are_flat_numbers() -> None:
    async def see(cluster: Cluster) -> None:
        shown = await cluster.bench.get("/metrics/snapshot")
        assert all(isinstance(value, int | float) for value in shown.values())
        expected = {
            "master/elected": 1,
            "master/slaves_connected": 1,
            "master/slaves_disconnected": 1,
            "master/frameworks_connected": 1,
            "master/tasks_running": 1,
            "master/cpus_total": 6,
            "master/cpus_used": 1,
            "master/messages_subscribe": 1,
            "master/messages_accept": 1,
        }
        assert {name: shown[name] for name in expected} == expected
        assert shown["master/cpus_percent"] == pytest.approx(1 / 6)
        again = (await cluster.bench.operate("GET_METRICS"))["metrics"]
        assert {one["name"] for one in again} == set(shown)

    look(see)


def test_small_endpoints() -> None:
    async def see(cluster: Cluster) -> None:
        bench = cluster.bench
        for path in ("/health", "/master/health"):
            answer = await bench.request("GET", path)
            assert (answer.status, answer.body) == (200, b"")
        version = (await bench.get("/version"))["version"]
        assert all(part.isdigit() for part in version.split("."))
        assert (await bench.get("/flags"))["flags"]["max_agent_ping_timeouts"] == "5"
        answer = await bench.request("GET", "/state?jsonp=show.it")
        assert answer.headers["content-type"] == "text/javascript"
        assert answer.body.startswith(b"show.it({")
        assert answer.body.endswith(b"});")
        assert (await bench.request("GET", "/state?jsonp=<script>")).status == 400
        answer = await bench.request("HEAD", "/state")
        assert (answer.status, answer.body) == (200, b"")
        answer = await bench.request("POST", "/state")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")

    look(see)


def test_longer_paths_fall_back_to_what_is_known() -> None:
    async def see(cluster: Cluster) -> None:
        for path in ("/api/v1/operator", "/master/api/v1/", "/api/v1?_ts=1", "/api/v1/x/y"):
            answer = await cluster.bench.post({"type": "GET_HEALTH"}, path=path)
            assert json.loads(answer.body) == {
                "type": "GET_HEALTH",
                "get_health": {"healthy": True},
            }
        assert (await cluster.bench.get("/state/"))["id"] == NODE
        for path in ("/", "/apix", "/master", "/slave(1)/state", "//"):
            assert (await cluster.bench.request("GET", path)).status == 404

    look(see)


# --- deeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["call", "form"])
def test_teardown_removes_a_framework(way: str) -> None:
    async def see(cluster: Cluster) -> None:
        bench = cluster.bench

        async def tear_down(framework_id: str) -> int:
            if way == "form":
                body = f"frameworkId={framework_id}".encode()
                return (await bench.request("POST", "/teardown", body)).status
            part = {"framework_id": {"value": framework_id}}
            answer = await bench.post({"type": "TEARDOWN", "teardown": part}, path="/api/v1")
            return answer.status

        assert await tear_down("nobody") == 400
        assert await tear_down("fw") == 200
        assert (await cluster.agent.expect(frames.ShutdownFramework)).framework_id == "fw"
        while (event := await cluster.framework.next_event()) is not None:
            assert event["type"] != "ERROR"
        assert (await bench.operate("GET_FRAMEWORKS"))["frameworks"] == []
        assert await tear_down("fw") == 400

    look(see)


# --- refusals -------------------------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}

REFUSED: list[tuple[str, dict[str, str], bytes, int, str]] = [
    ("GET", JSON, b"", 405, "Expecting one of { POST }"),
    ("POST", {}, b"{}", 400, "Expecting 'Content-Type'"),
    ("POST", {"Content-Type": "text/html"}, b"{}", 415, "Expecting 'Content-Type' of"),
    ("POST", JSON, b"", 400, "Failed to parse body into Call"),
    ("POST", JSON, b"{}", 400, "Failed to validate master::Call: Expecting 'type'"),
    ("POST", JSON, b'{"type":"TEARDOWN"}', 400, "Failed to validate master::Call: Expecting 'tea"),
    ("POST", JSON, b'{"type":"TEARDOWN","teardown":{}}', 400, "Failed to parse body into Call"),
    ("POST", {**JSON, "Accept": "text/html"}, b'{"type":"GET_TASKS"}', 406, "Expecting 'Accept'"),
    (
        "POST",
        JSON,
        b'{"type":"DRAIN_AGENT"}',
        501,
        "No 'DRAIN_AGENT' is known here; these are: GET",
    ),
]


#: What a real master would be told of an agent that is gone for good, with its tasks.
MARK_GONE = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": "a1"}}}


def test_rec_5_no_agent_is_marked_gone() -> None:
    """REC-5, PRT-7: nobody can ask for it, so its tasks are as they were, to everybody."""

    async def see(cluster: Cluster) -> None:
        before = await cluster.bench.operate("GET_TASKS")
        assert before["tasks"]
        assert (await cluster.bench.post(MARK_GONE, path="/api/v1")).status == 501
        assert await cluster.bench.operate("GET_TASKS") == before

    look(see)


def test_each_refusal_has_its_status_and_a_sentence() -> None:
    async def see(cluster: Cluster) -> None:
        for row in REFUSED:
            method, headers, body, status, begins = row
            answer = await cluster.bench.request(method, "/api/v1", body, headers)
            said = answer.body.decode()
            assert (answer.status, said[: len(begins)]) == (status, begins), row
        answer = await cluster.bench.request("POST", "/teardown", b"framework=fw")
        assert (answer.status, answer.body) == (400, b"Missing 'frameworkId' query parameter")

    look(see)
