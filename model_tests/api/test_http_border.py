"""Whatever comes in over HTTP or a link: never a 500, never a dead core, never a broken rule.

Hypothesis sends arbitrary bytes, arbitrary JSON, and valid requests with something changed, to a
master with an agent and a subscribed framework. After each the master still answers and still keeps
its rules.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.master.core import violations
from mesos_ref.ports.net import STREAM_OVER
from model_tests.shell.master_bench import Bench, FakeScheduler, mastering, subscribe_call, task
from model_tests.shell.memory_net import read_all, run_virtually

Send = Callable[[Bench, FakeScheduler], Awaitable[None]]


def survives(send: Send) -> None:
    """Send something to a small cluster; then it must be whole."""

    async def main() -> None:
        async with mastering() as bench:
            agent = await bench.agent("a1")
            framework = await bench.subscribe("fw")
            await send(bench, framework)
            for kind in ("GET_STATE", "GET_ROLES", "GET_METRICS", "GET_MASTER"):
                assert (await bench.post({"type": kind}, path="/api/v1")).status == 200, kind
            assert (await bench.request("GET", "/state")).status == 200
            assert bench.outcome is None, bench.outcome
            assert violations(bench.core) == []
            assert agent.heard
        assert bench.outcome == "stopped"

    run_virtually(main)


def fails_never(answer_status: int) -> None:
    assert answer_status < 500 or answer_status in (501, 503)


# --- what may come --------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)

LABELS = {"labels": [{"key": "k", "value": "v"}]}
A_RANGE = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}}
A_COMMAND = {"value": "x", "environment": {"variables": [{"name": "A", "value": "b"}]}}
A_TASK = {
    **task("t1"),
    "command": None,
    "resources": [A_RANGE],
    "executor": {"executor_id": {"value": "e"}, "command": A_COMMAND, "labels": LABELS},
    "labels": LABELS,
    "container": {"type": "MESOS"},
    "kill_policy": {"grace_period": {"nanoseconds": 1}},
    "max_completion_time": {"nanoseconds": 1},
    "limits": {"cpus": {"value": 1.0}},
    "data": "AA==",
}

VALID_CALLS: list[dict[str, Any]] = [
    subscribe_call("fw", labels=LABELS),
    subscribe_call(),
    {
        "type": "ACCEPT",
        "accept": {
            "offer_ids": [{"value": "00000000-0000-4000-8000-00000000000a-O0"}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task("t1"), A_TASK]}}],
            "filters": {"refuse_seconds": 1.5},
        },
    },
    {"type": "DECLINE", "decline": {"offer_ids": [{"value": "o"}], "filters": {}}},
    {"type": "REVIVE", "revive": {"roles": ["r"]}},
    {"type": "SUPPRESS", "suppress": {"roles": []}},
    {"type": "KILL", "kill": {"task_id": {"value": "t1"}, "agent_id": {"value": "a1"}}},
    {
        "type": "ACKNOWLEDGE",
        "acknowledge": {
            "agent_id": {"value": "a1"},
            "task_id": {"value": "t1"},
            "uuid": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
    },
    {"type": "RECONCILE", "reconcile": {"tasks": [{"task_id": {"value": "t1"}}]}},
    {
        "type": "MESSAGE",
        "message": {"agent_id": {"value": "a1"}, "executor_id": {"value": "e"}, "data": "AA=="},
    },
    {"type": "SHUTDOWN", "shutdown": {"agent_id": {"value": "a1"}, "executor_id": {"value": "e"}}},
    {"type": "TEARDOWN"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be changed in a JSON value."""
    inner: list[tuple[Any, ...]] = [path]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            inner += places(item, (*path, key))
    return inner


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of `value` with another part at `path`."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


#: What has broken parsers and sums before.
AWKWARD: list[Any] = [
    *(None, "", ".", "..", "a/b", "\x00", "é" * 300, -1, 0, 1e308, 1e-9, 2**63, 2**64, True),
    *(
        [],
        {},
        [[]],
        {"value": None},
        {"value": ""},
        {"value": "fw"},
        "Infinity",
        "-Infinity",
        "1e3",
    ),
    *("RANGES", "SET", {"range": [{"begin": 5, "end": 1}]}, {"item": ["x", "x"]}, "*"),
]


@st.composite
def mutated_calls(draw: st.DrawFn) -> dict[str, Any]:
    """A valid call with up to three parts replaced."""
    call = dict(draw(st.sampled_from(VALID_CALLS)))
    call.setdefault("framework_id", {"value": "fw"})
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(call)[1:] or [()]))
        call = changed(call, path, draw(st.sampled_from(AWKWARD) | json_values))
        if not isinstance(call, dict):
            break
    return call


async def post_and_let_go(bench: Bench, path: str, headers: dict[str, str], body: bytes) -> None:
    """POST; if the answer is a stream, its head will do."""
    answer = await bench.client.stream("POST", bench.url + path, headers=headers, body=body)
    fails_never(answer.status)
    await answer.aclose()


# --- over HTTP ------------------------------------------------------------------------------------


@given(st.lists(mutated_calls(), min_size=1, max_size=5), st.booleans())
def test_no_call_breaks_the_master(calls: list[Any], is_ours: bool) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        for call in calls:
            headers = {"Content-Type": "application/json"}
            if not (isinstance(call, dict) and call.get("type") == "SUBSCRIBE") and is_ours:
                headers["Mesos-Stream-Id"] = framework.stream_id
            body = json.dumps(call).encode()
            await post_and_let_go(bench, "/api/v1/scheduler", headers, body)

    survives(send)


@given(
    st.sampled_from(["/api/v1/scheduler", "/api/v1", "/teardown", "/master/api/v1/x"]),
    st.sampled_from(["application/json", "application/x-protobuf", "text/plain", "é;;="]),
    st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()),
)
def test_no_body_breaks_the_master(path: str, content_type: str, body: bytes) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        headers = {"Content-Type": content_type, "Mesos-Stream-Id": framework.stream_id}
        await post_and_let_go(bench, path, headers, body)

    survives(send)


operator_calls = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["GET_STATE", "GET_METRICS", "TEARDOWN", "SUBSCRIBE", "SET_QUOTA", "", None, 7]
        ),
        "teardown": st.none() | json_values | st.just({"framework_id": {"value": "fw"}}),
    }
)


@given(operator_calls)
def test_no_operator_breaks_the_master(call: dict[str, Any]) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        fails_never((await bench.post(call, path="/api/v1")).status)

    survives(send)


methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
known_paths = st.sampled_from(["/", "/api/v1", "/state", "/redirect", "/teardown", "/master"])
headers_of_note = st.sampled_from(
    ["accept", "content-type", "mesos-stream-id", "mesos-ref-message", "connection", "expect"]
)


@given(
    methods,
    known_paths,
    st.text(max_size=12),
    st.dictionaries(headers_of_note, st.text(max_size=40)),
    st.dictionaries(st.sampled_from(["jsonp", "x"]), st.text(max_size=10)),
)
def test_no_request_breaks_the_master(
    method: str, path: str, more: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        target = f"{path}{quote(more)}?{urlencode(query)}"
        fails_never((await bench.request(method, target, b"{}", headers)).status)

    survives(send)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_http_port(data: bytes, is_almost: bool) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        head = b"POST /api/v1/scheduler HTTP/1.1\r\nHost: m\r\n" if is_almost else b""
        stream = await bench.net.connect("memory", bench.port)
        await stream.send_all(head + data)
        await stream.send_eof()
        said = await read_all(stream)
        assert b"500 Internal" not in said

    survives(send)


# --- over links -----------------------------------------------------------------------------------

A_REPORT = {
    "framework_id": "fw",
    "task_id": "t9",
    "name": "t9",
    "role": "r",
    "resources": task("x")["resources"],
    "state": "TASK_RUNNING",
    "info": task("t9", "a2") | {"labels": LABELS},
}
A_REGISTER = {
    "kind": "Register",
    "epoch": 1,
    "agent_id": "a2",
    "info": {"hostname": "h", "resources": task("x")["resources"]},
    "version": "1.12.0",
    "tasks": [A_REPORT],
    "executors": [A_REPORT | {"executor_id": "e1", "info": {"executor_id": {"value": "e1"}}}],
    "frameworks": [{"user": "u", "name": "n", "id": {"value": "fw"}}],
    "newest_epoch": 1,
}
AN_UPDATE = {
    "kind": "Update",
    "epoch": 1,
    "framework_id": "fw",
    "status": {"task_id": {"value": "t1"}, "state": "TASK_RUNNING", "uuid": "AAAA"},
    "latest_state": "TASK_FINISHED",
}


@st.composite
def mutated_frames(draw: st.DrawFn) -> dict[str, Any]:
    """A frame with up to two parts replaced."""
    frame = dict(draw(st.sampled_from([A_REGISTER, AN_UPDATE])))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places(frame)[1:]))
        frame = changed(frame, path, draw(st.sampled_from(AWKWARD) | json_values))
    return frame


@given(st.lists(mutated_frames(), min_size=1, max_size=4))
def test_no_frame_breaks_the_master(said: list[dict[str, Any]]) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        agent = await bench.dial("a2")
        try:
            for n, frame in enumerate(said):
                body = json.dumps({**frame, "n": n}).encode()
                await agent.stream.send_all(len(body).to_bytes(4, "big") + body)
            await agent.stream.send_eof()
            await read_all(agent.stream)
        except STREAM_OVER:
            return  # it was hung up on, which is an answer too

    survives(send)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_link_port(data: bytes, has_said_hello: bool) -> None:
    async def send(bench: Bench, framework: FakeScheduler) -> None:
        if has_said_hello:
            stream = (await bench.dial()).stream
        else:
            stream = await bench.net.connect("memory", bench.link_port)
        try:
            await stream.send_all(data)
            await stream.send_eof()
            assert await read_all(stream) == b""
        except STREAM_OVER:
            return  # it was hung up on, which is an answer too

    survives(send)
