"""The agent's HTTP endpoints: the executor API in the order Mesos checks it, state, and files.

Executors are names in a fake isolator; their HTTP is real, over a network in memory.
"""

from __future__ import annotations

import base64
import functools
import inspect
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as protocol
from mesos_ref.http.client import Answer, HttpClient, RecordStream
from model_tests.shell.agent_stage import (
    FW,
    MasterLink,
    Stage,
    command_task,
    custom_executor,
    run_task,
    staged,
    task_for,
)
from model_tests.shell.memory_net import run_virtually

JSON = {"Content-Type": "application/json"}
HALF_AN_HOUR_S = 1800
Test = Callable[..., Awaitable[None]]


class Door:
    """An agent with one custom executor `e1`, which was given task `t1` and waits to subscribe."""

    def __init__(self, stage: Stage, link: MasterLink) -> None:
        self.stage = stage
        self.link = link
        self.client = HttpClient(stage.net)
        self.base = f"http://memory:{stage.port}"

    async def post(
        self, body: Any, path: str = "/api/v1/executor", headers: dict[str, str] = JSON
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.request("POST", self.base + path, headers=headers, body=raw)

    async def get(self, path: str, method: str = "GET") -> Answer:
        return await self.client.request(method, self.base + path)

    async def json(self, path: str) -> Any:
        answer = await self.get(path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def operate(self, kind: str, **part: Any) -> Any:
        body = {"type": kind, **({kind.lower(): part} if part else {})}
        answer = await self.post(body, "/api/v1")
        assert answer.status == 200, answer.body
        found = json.loads(answer.body)
        assert found["type"] == kind
        return found[kind.lower()]

    async def subscribe(self, path: str = "/api/v1/executor", **brought: Any) -> RecordStream:
        raw = json.dumps(call("SUBSCRIBE", subscribe=brought)).encode()
        return await self.client.stream("POST", self.base + path, headers=JSON, body=raw)

    @property
    def sandbox(self) -> Path:
        """The sandbox of `e1`; made here, since the fake isolator makes none."""
        [run] = [run for run in self.stage.isolator.running.values() if run.executor_id == "e1"]
        path = Path(run.environment["MESOS_SANDBOX"])
        path.mkdir(parents=True, exist_ok=True)
        return path


@asynccontextmanager
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with staged(tmp_path) as (stage, _):
        link = await stage.master.linked()
        await link.registered()
        executor = custom_executor()
        await link.send(run_task(task_for(executor, "t1"), executor=executor))
        await stage.isolator.run_of("e1")
        yield Door(stage, link)


Run = Callable[[Callable[[], Awaitable[None]]], None]


def at_the_door(test: Test, clock: Run = run_virtually) -> Callable[..., None]:
    """Run a test with a door, on a clock that jumps unless told otherwise."""

    @functools.wraps(test)
    def run(tmp_path: Path, **arguments: Any) -> None:
        async def main() -> None:
            async with door(tmp_path) as there:
                await test(there, **arguments)

        clock(main)

    first, *others = inspect.signature(test).parameters.values()
    parameters = [first.replace(name="tmp_path", annotation=Path), *others]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def with_threads(test: Test) -> Callable[..., None]:
    """The same on the real clock: a clock that jumps does not wait for threads."""
    return at_the_door(test, trio.run)


def call(kind: str, executor: str = "e1", framework: str = FW, **part: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "executor_id": {"value": executor},
        "framework_id": {"value": framework},
        **part,
    }


def update(number: int = 1, state: str = "TASK_RUNNING", **changes: Any) -> dict[str, Any]:
    status = {
        "task_id": {"value": "t1"},
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "uuid": base64.b64encode(UUID(int=number).bytes).decode(),
        **changes,
    }
    kept = {name: value for name, value in status.items() if value is not None}
    return call("UPDATE", update={"status": kept})


async def event(stream: RecordStream, kind: str) -> dict[str, Any]:
    """The next event, which is of this type."""
    record = await stream.next_record()
    assert record is not None, f"the stream ended before {kind}"
    found: dict[str, Any] = json.loads(record)
    assert found["type"] == kind
    return found


# Status codes -------------------------------------------------------------------------------------


@at_the_door
async def test_only_post_is_allowed(there: Door) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await there.get("/api/v1/executor", method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "headers", "status", "why"),
    [
        (b"{}", {}, 400, "Expecting 'Content-Type' to be present"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "text/plain"),
        (b"{}", {"Content-Type": "application/x-protobuf"}, 415, "application/x-protobuf"),
        (b"", JSON, 400, "Failed to parse body into Call"),
        (b"{nonsense", JSON, 400, "Failed to parse body into Call"),
        (b"[1, 2]", JSON, 400, "Failed to parse body into Call"),
        (b'{"type":"SUBSCRIBE"}', JSON, 400, "executor_id"),
        (call("ABDICATE"), JSON, 400, "Expecting 'type' to be present"),
        (call("SUBSCRIBE"), JSON, 400, "Expecting 'subscribe' to be present"),
        (call("MESSAGE"), JSON, 400, "Expecting 'message' to be present"),
        (call("SUBSCRIBE", subscribe={}), JSON | {"Accept": "image/png"}, 406, "image/png"),
        (call("HEARTBEAT", executor="nobody"), JSON, 202, ""),
        (call("SUBSCRIBE", framework="none", subscribe={}), JSON, 400, "Framework cannot be found"),
        (call("SUBSCRIBE", executor="none", subscribe={}), JSON, 400, "Executor cannot be found"),
        (call("MESSAGE", message={"data": "aGk="}), JSON, 403, "Executor is not subscribed"),
        (update(), JSON, 403, "Executor is not subscribed"),
    ],
)
@at_the_door
async def test_calls_are_refused_in_mesos_order(
    there: Door, body: Any, headers: dict[str, str], status: int, why: str
) -> None:
    answer = await there.post(body, headers=headers)
    assert answer.status == status
    assert why in answer.body.decode()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"uuid": None}, "uuid"),
        ({"uuid": "AAAA"}, "16 bytes"),
        ({"source": None}, "SOURCE_EXECUTOR"),
        ({"source": "SOURCE_MASTER"}, "SOURCE_EXECUTOR"),
        ({"state": "TASK_STAGING"}, "TASK_STAGING"),
        ({"executor_id": {"value": "e2"}}, "ExecutorID"),
        ({"state": None}, "state"),
    ],
)
@at_the_door
async def test_updates_that_no_executor_may_send_are_refused(
    there: Door, changes: dict[str, Any], why: str
) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    answer = await there.post(update(**changes))
    assert answer.status == 400
    assert why in answer.body.decode()
    await stream.aclose()


def test_before_it_has_recovered_it_answers_503(tmp_path: Path) -> None:
    async def main() -> None:
        async with door(tmp_path) as there:
            assert there.stage.shell._life is not None
            there.stage.shell._life.executors.is_open = False
            for method in ("POST", "GET"):
                answer = await there.get("/api/v1/executor", method)
                assert answer.status == 503

    run_virtually(main)


# The conversation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/executor",
        "/api/v1/executor/",
        "/slave(1)/api/v1/executor",
        "/slave%281%29/api/v1/executor",
        "/slave(17)/api/v1/executor",
        "/api/v1/executor/below",
    ],
)
@at_the_door
async def test_an_executor_subscribes_and_speaks(there: Door, path: str) -> None:
    stream = await there.subscribe(path)
    assert stream.headers["content-type"] == "application/json"
    assert "mesos-stream-id" not in stream.headers
    subscribed = (await event(stream, "SUBSCRIBED"))["subscribed"]
    assert subscribed["executor_info"]["executor_id"] == {"value": "e1"}
    assert subscribed["framework_info"]["id"] == {"value": FW}
    assert subscribed["agent_info"]["hostname"] == "h"
    launch = await event(stream, "LAUNCH")
    assert launch["launch"]["task"]["task_id"] == {"value": "t1"}
    answer = await there.post(update(labels={"labels": [{"key": "k", "value": "v"}]}), path)
    assert (answer.status, answer.body) == (202, b"")
    acknowledged = (await event(stream, "ACKNOWLEDGED"))["acknowledged"]
    assert acknowledged["uuid"] == update()["update"]["status"]["uuid"]
    passed_on = await there.link.update("TASK_RUNNING")
    assert passed_on.status.labels == {"labels": [{"key": "k", "value": "v"}]}
    assert passed_on.status.executor_id == "e1"
    message = call("MESSAGE", message={"data": "aGk="})
    assert (await there.post(message, path)).status == 202
    assert (await there.link.expect(protocol.Message)).data == b"hi"
    await there.link.send(
        protocol.Message(epoch=1, framework_id=FW, executor_id="e1", data=b"ho"),
        protocol.Kill(epoch=1, framework_id=FW, task_id="t1"),
        protocol.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e1"),
    )
    assert (await event(stream, "MESSAGE"))["message"] == {"data": "aG8="}
    assert (await event(stream, "KILL"))["kill"]["task_id"] == {"value": "t1"}
    await event(stream, "SHUTDOWN")
    await stream.aclose()


@at_the_door
async def test_a_second_subscription_replaces_the_first(there: Door) -> None:
    first = await there.subscribe()
    await event(first, "SUBSCRIBED")
    await event(first, "LAUNCH")
    task = {"name": "t1", "task_id": {"value": "t1"}, "agent_id": {"value": "a"}}
    brought = [update()["update"]]
    second = await there.subscribe(unacknowledged_tasks=[task], unacknowledged_updates=brought)
    await event(second, "SUBSCRIBED")
    await event(second, "ACKNOWLEDGED")
    assert await first.next_record() is None, "ended in order"
    await there.link.update("TASK_RUNNING")
    await first.aclose()
    await second.aclose()


@at_the_door
async def test_a_broken_stream_is_no_death(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    await stream.aclose()
    await wait_all_tasks_blocked()
    assert (await there.post(update())).status == 202
    await there.link.update("TASK_RUNNING")
    assert there.stage.isolator.running


@at_the_door
async def test_a_heartbeat_comes_every_half_hour(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    await event(stream, "LAUNCH")
    began_s = trio.current_time()
    for number in (1, 2, 3):
        await event(stream, "HEARTBEAT")
        assert trio.current_time() - began_s == pytest.approx(number * HALF_AN_HOUR_S)
    await stream.aclose()


@at_the_door
async def test_the_end_of_an_executor_fails_what_it_ran(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    [container] = there.stage.isolator.running
    there.stage.isolator.end(container, 256)
    failed = await there.link.update("TASK_FAILED")
    assert failed.status.reason == "REASON_EXECUTOR_TERMINATED"
    assert (await there.link.expect(protocol.Exited)).status == 256
    await stream.aclose()


@at_the_door
async def test_an_agent_that_ends_says_so(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    await event(stream, "LAUNCH")
    there.stage.shell.stop()
    assert await stream.next_record() is None
    await stream.aclose()


# Operators ----------------------------------------------------------------------------------------


@at_the_door
async def test_operators_are_told_what_is_here(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    await there.link.send(run_task(command_task("t2"), framework_id="fw-2"))
    await there.stage.isolator.run_of("t2")
    assert await there.operate("GET_HEALTH") == {"healthy": True}
    assert (await there.operate("GET_VERSION"))["version_info"]["version"] == "1.12.0"
    tasks = await there.operate("GET_TASKS")
    [launched], [queued] = tasks["launched_tasks"], tasks["queued_tasks"]
    assert (launched["task_id"], launched["executor_id"]) == ({"value": "t1"}, {"value": "e1"})
    assert (queued["task_id"], "executor_id" in queued) == ({"value": "t2"}, False)
    executors = (await there.operate("GET_EXECUTORS"))["executors"]
    assert [e["executor_info"]["executor_id"]["value"] for e in executors] == ["e1", "t2"]
    frameworks = (await there.operate("GET_FRAMEWORKS"))["frameworks"]
    assert [f["framework_info"]["id"]["value"] for f in frameworks] == [FW, "fw-2"]
    state = await there.operate("GET_STATE")
    assert set(state) == {"get_tasks", "get_executors", "get_frameworks"}
    assert (await there.operate("GET_AGENT"))["agent_info"]["hostname"] == "h"
    assert len((await there.operate("GET_CONTAINERS"))["containers"]) == 2
    names = [flag["name"] for flag in (await there.operate("GET_FLAGS"))["flags"]]
    assert "recovery_timeout_us" in names
    metrics = {m["name"]: m["value"] for m in (await there.operate("GET_METRICS"))["metrics"]}
    assert metrics["slave/registered"] == 1
    assert metrics["slave/cpus_used"] == pytest.approx(0.2)
    await stream.aclose()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b"no", 400),
        ({"type": "LIST_FILES"}, 400),
        ({"type": "READ_FILE", "read_file": {}}, 400),
        ({"type": "LAUNCH_CONTAINER"}, 501),
    ],
)
@at_the_door
async def test_operators_calls_are_checked(there: Door, body: Any, status: int) -> None:
    assert (await there.post(body, "/api/v1")).status == status
    assert (await there.get("/api/v1")).status == 405


@at_the_door
async def test_the_older_endpoints(there: Door) -> None:
    for path in ("/state", "/slave(1)/state", "/slave(1)/state.json", "/state/"):
        state = await there.json(path)
        assert state["pid"] == f"slave(1)@memory:{there.stage.port}"
        assert state["hostname"] == "h"
        assert state["resources"]["cpus"] == 4.0
        [framework] = state["frameworks"]
        [executor] = framework["executors"]
        assert executor["directory"] == str(there.sandbox)
        assert [task["id"] for task in executor["queued_tasks"]] == ["t1"]
    assert (await there.get("/health")).status == 200
    assert (await there.get("/health", "HEAD")).status == 200
    assert (await there.json("/version"))["version"] == "1.12.0"
    assert all(
        isinstance(value, int | float) for value in (await there.json("/metrics/snapshot")).values()
    )
    [container] = await there.json("/containers")
    assert container["executor_id"] == "e1"
    [statistics] = await there.json("/monitor/statistics")
    assert statistics["statistics"]["cpus_limit"] == 0.1
    script = await there.get("/slave(1)/state?jsonp=tell")
    assert script.body.startswith(b"tell({")
    assert (await there.get("/state?jsonp=al<ert")).status == 400
    assert (await there.get("/nowhere")).status == 404


# Files --------------------------------------------------------------------------------------------


@with_threads
async def test_sandboxes_can_be_read(there: Door) -> None:
    path = there.sandbox / "stdout"
    path.write_bytes(b"h\xc3\xa9llo\n" * 3)
    where = f"path={path}"
    assert await there.json(f"/files/read?{where}&offset=-1") == {"data": "", "offset": 21}
    assert await there.json(f"/files/read?{where}") == {"data": "", "offset": 21}
    found = await there.json(f"/files/read.json?{where}&offset=7&length=7")
    assert found == {"data": "héllo\n", "offset": 7}
    assert (await there.json(f"/files/read?{where}&offset=100&length=7"))["data"] == ""
    assert (await there.get(f"/files/read?{where}&offset=x")).status == 400
    assert (await there.get(f"/files/read?{where}&offset=-2")).status == 400
    assert (await there.get(f"/files/read?{where}&offset={10**30}")).status == 400
    assert (await there.get("/files/read")).status == 400
    [shown] = await there.json(f"/files/browse?path={there.sandbox}")
    assert (shown["path"], shown["size"], shown["nlink"]) == (str(path), 21, 1)
    assert shown["mode"].startswith("-rw")
    download = await there.get(f"/files/download?{where}")
    assert download.body == path.read_bytes()
    assert download.headers["content-disposition"] == "attachment; filename=stdout"
    listed = await there.operate("LIST_FILES", path=str(there.sandbox))
    [info] = listed["file_infos"]
    assert (info["path"], info["size"]) == (str(path), 21)
    assert info["mode"] & 0o777 == path.stat().st_mode & 0o777
    read = await there.operate("READ_FILE", path=str(path), offset=1, length=2)
    assert (base64.b64decode(read["data"]), read["size"]) == (b"\xc3\xa9", 21)


@with_threads
async def test_a_sandbox_has_a_short_name(there: Door) -> None:
    (there.sandbox / "stdout").write_text("x")
    (there.sandbox.parent / "latest").symlink_to(there.sandbox.name)
    below = f"/frameworks/{FW}/executors/e1/runs/latest/stdout"
    assert (await there.json(f"/files/read?path={below}&offset=0"))["data"] == "x"


@with_threads
async def test_nothing_but_sandboxes_is_shown(there: Door) -> None:
    sandbox = there.sandbox
    work_dir = there.stage.settings.work_dir
    (work_dir / "meta" / "secret").write_text("s")
    (sandbox / "passwd").symlink_to("/etc/passwd")
    (sandbox / "journal").symlink_to(work_dir / "meta" / "secret")
    (sandbox / "out").symlink_to("/etc")
    (sandbox / "loop").symlink_to("loop")
    (sandbox / "file").write_text("x")
    os.mkfifo(sandbox / "pipe")
    escapes = [
        "/etc/passwd",
        "/",
        "..",
        "stdout",
        str(work_dir),
        str(work_dir / "meta" / "secret"),
        f"{sandbox}/../../../../../../../../meta/secret",
        str(sandbox.parents[5]),
        f"{sandbox}/passwd",
        f"{sandbox}/journal",
        f"{sandbox}/out/passwd",
        f"{sandbox}/loop",
        f"{sandbox}/nothing",
        f"{sandbox}%00/x",
        "/frameworks/../../meta/secret",
        str(sandbox.parents[6]),
    ]
    for path in escapes:
        for what in ("read", "browse", "download"):
            answer = await there.get(f"/files/{what}?path={path}&offset=0")
            assert answer.status == 404, f"/files/{what} shows {path}"
    [shown] = await there.json("/files/browse?path=/frameworks")
    assert shown["path"] == f"/frameworks/{FW}"
    for what in ("read", "download"):
        answer = await there.get(f"/files/{what}?path=/frameworks&offset=0")
        assert answer.status == 404
    for what, name in (("read", "pipe"), ("read", ""), ("download", "pipe"), ("browse", "file")):
        answer = await there.get(f"/files/{what}?path={sandbox}/{name}&offset=0")
        assert answer.status == 400
    entries = await there.json(f"/files/browse?path={sandbox}")
    assert {one["path"].rpartition("/")[2]: one["mode"][0] for one in entries}["passwd"] == "l"
