"""Whatever an agent hears over its link or from an executor: it serves everybody as before.

Hypothesis sends valid frames and calls with something changed to an agent that runs a task. After
each the agent keeps its rules, and answers all who ask: no endpoint is broken by what was let in.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as protocol
from mesos_ref.agent.core import violations
from mesos_ref.ports.net import STREAM_OVER
from mesos_ref.wire.v1 import Resource, Scalar
from model_tests.api.test_executor_api import Door, call, door, update
from model_tests.api.test_http_border import AWKWARD, changed, json_values, places
from model_tests.shell.agent_stage import (
    FW,
    command_task,
    custom_executor,
    framework,
    run_task,
    task_for,
)
from model_tests.shell.memory_net import run_virtually

NOWHERE = Path("/nowhere")

PATHS = (
    *("/state", "/flags", "/version", "/health", "/metrics/snapshot", "/containers"),
    "/monitor/statistics",
)
READS = (
    *("GET_HEALTH", "GET_VERSION", "GET_FLAGS", "GET_METRICS", "GET_AGENT", "GET_STATE"),
    *("GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS", "GET_CONTAINERS"),
)


async def is_well(there: Door) -> None:
    """All that can be asked is answered, and the agent's rules are kept."""
    assert there.stage.exit_code is None
    life = there.stage.shell._life
    assert life is not None
    assert violations(life.core) == []
    for path in PATHS:
        assert (await there.get(path)).status == 200, path
    for kind in READS:
        assert (await there.post({"type": kind}, path="/api/v1")).status == 200, kind


def plain(*frames: protocol.Frame) -> list[dict[str, Any]]:
    return [protocol.plain(frame) for frame in frames]


E2 = msgspec.structs.replace(
    custom_executor("e2"),
    resources=(Resource(name="mem", type="SCALAR", scalar=Scalar(value=32.0)),),
)
FRAMES = plain(
    run_task(task_for(E2, "t2"), executor=E2),
    run_task(command_task("t3")),
    protocol.Kill(epoch=1, framework_id=FW, task_id="t1"),
    protocol.Ack(epoch=1, framework_id=FW, task_id="t1", uuid=bytes(16)),
    protocol.Message(epoch=1, framework_id=FW, executor_id="e1", data=b"x"),
    protocol.UpdateFramework(epoch=1, framework=framework(name=FW)),
    protocol.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="e1"),
    protocol.ShutdownFramework(epoch=1, framework_id=FW),
    protocol.Registered(
        epoch=1, agent_id="a", reconcile=(protocol.TaskKey(framework_id=FW, task_id="t9"),)
    ),
    protocol.Ping(epoch=1, connected=True),
)


@st.composite
def mutated(draw: st.DrawFn, valid: list[dict[str, Any]]) -> dict[str, Any]:
    """One of these with up to two parts replaced."""
    found = dict(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places(found)[1:]))
        found = changed(found, path, draw(st.sampled_from(AWKWARD) | json_values))
    return found


@given(st.lists(mutated(FRAMES), min_size=1, max_size=4))
def test_no_frame_breaks_an_agent(said: list[dict[str, Any]]) -> None:
    async def main() -> None:
        async with door(NOWHERE) as there:
            link = there.link
            with suppress(*STREAM_OVER):  # being hung up on is an answer too
                for frame in said:
                    body = json.dumps({**frame, "n": link.sent}).encode()
                    link.sent += 1
                    await link.stream.send_all(len(body).to_bytes(4, "big") + body)
                await wait_all_tasks_blocked()
            await is_well(there)

    run_virtually(main)


CALLS = [
    call("SUBSCRIBE", subscribe={"unacknowledged_tasks": [], "unacknowledged_updates": []}),
    call("SUBSCRIBE", subscribe={"unacknowledged_updates": [update()["update"]]}),
    update(),
    update(2, "TASK_FINISHED"),
    call("MESSAGE", message={"data": "AA=="}),
]


@given(st.lists(mutated(CALLS), min_size=1, max_size=4))
def test_no_executor_breaks_an_agent(said: list[dict[str, Any]]) -> None:
    async def main() -> None:
        async with door(NOWHERE) as there:
            headers = {"Content-Type": "application/json"}
            url = there.base + "/api/v1/executor"
            for body in said:
                data = json.dumps(body).encode()
                answer = await there.client.stream("POST", url, headers=headers, body=data)
                assert answer.status < 500 or answer.status == 503
                await answer.aclose()
            await wait_all_tasks_blocked()
            await is_well(there)

    run_virtually(main)


@pytest.mark.parametrize(
    "resource",
    [
        Resource(name="mem", type="SCALAR", scalar=Scalar(value=-1.0)),
        Resource(name="mem", type="RANGES"),
        Resource(name="mem", type="SCALAR", scalar=Scalar(value=1.0), reservations=({},)),
    ],
)
def test_an_executor_whose_resources_are_no_amounts_is_not_started(resource: Resource) -> None:
    async def main() -> None:
        async with door(NOWHERE) as there:
            bad = msgspec.structs.replace(custom_executor("e2"), resources=(resource,))
            await there.link.send(run_task(task_for(bad, "t2"), executor=bad))
            refused = await there.link.expect(protocol.Update)
            assert refused.status.reason == "REASON_TASK_INVALID"
            await is_well(there)

    run_virtually(main)


def test_what_fills_all_numbers_is_still_counted() -> None:
    async def main() -> None:
        async with door(NOWHERE) as there:
            much = (Resource(name="mem", type="SCALAR", scalar=Scalar(value=1e12)),)
            for n in range(20):
                task = msgspec.structs.replace(command_task(f"much{n}"), resources=much)
                await there.link.send(run_task(task))
            executor = msgspec.structs.replace(custom_executor("e3"), resources=much)
            for n in range(20):
                task = msgspec.structs.replace(task_for(executor, f"e3-{n}"), resources=much)
                await there.link.send(run_task(task, executor=executor, launch_executor=n == 0))
            await wait_all_tasks_blocked()
            await is_well(there)

    run_virtually(main)
