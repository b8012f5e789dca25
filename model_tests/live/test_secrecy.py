"""Who may see what: secrets reach the process they are for, and nobody else may read them."""

from __future__ import annotations

import json
import os
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from mesos_ref.wire import json as wire
from mesos_ref.wire.v1 import CommandInfo, ExecutorInfo
from model_tests.live.agents import marked, posted, states
from model_tests.live.hosting import live
from model_tests.shell.agent_stage import FW, run_task, task_for

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]

SECRET = "opensesame-0123456789"
ENCODED = b64encode(SECRET.encode()).decode()
COMMAND = {
    "value": "echo ${#PASSWORD}",
    "environment": {
        "variables": [
            {
                "name": "PASSWORD",
                "type": "SECRET",
                "secret": {"type": "VALUE", "value": {"data": ENCODED}},
            }
        ]
    },
}


def files_below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where) / name for name in names)


def holds_the_secret(text: bytes) -> bool:
    return SECRET.encode() in text or ENCODED.encode() in text


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o777


def pages(port: int) -> Iterator[bytes]:
    """Everything an agent shows of itself."""
    base = f"http://127.0.0.1:{port}"
    for path in ("/state", "/containers", "/flags", "/monitor/statistics"):
        with urllib.request.urlopen(base + path) as answer:
            yield answer.read()
    for kind in ("GET_STATE", "GET_EXECUTORS", "GET_TASKS", "GET_FRAMEWORKS", "GET_CONTAINERS"):
        request = urllib.request.Request(
            f"{base}/api/v1",
            json.dumps({"type": kind}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            yield answer.read()


@live
async def test_a_secret_is_for_its_process_alone(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    command: CommandInfo = wire.from_builtins(COMMAND, CommandInfo)
    executor = ExecutorInfo(executor_id="e1", framework_id=FW, type="CUSTOM", command=command)
    task = msgspec.structs.replace(marked("t1", "x"), command=command)
    async with posted(tmp_path) as post:
        agent = await post.serving("--trace", str(trace))
        link, _ = await post.linked()
        shown: list[bytes] = []

        async def look() -> None:
            shown.extend(await trio.to_thread.run_sync(lambda: list(pages(agent.port))))

        await link.send(run_task(task, checkpoint=True))
        assert "TASK_RUNNING" in await states(link, "t1", "TASK_FINISHED")
        await link.send(run_task(task_for(executor, "t2"), executor=executor, checkpoint=True))
        await look()
        await states(link, "t2", "TASK_FAILED")  # it only writes, and says nothing to the agent
        await look()
        for name in ("t1", "e1"):
            assert post.stdout(name) == f"{len(SECRET)}\n"
        assert await agent.end() == 0
        assert not [page[:200] for page in shown if holds_the_secret(page)]
        told = [path for path in files_below(tmp_path) if holds_the_secret(path.read_bytes())]
        assert {path.relative_to(post.work_dir).parts[0] for path in told} <= {"meta"}
        assert mode(post.work_dir / "meta") == 0o700
        traces = list(trace.iterdir())
        assert traces
        assert {mode(path) for path in traces} == {0o600}
        sandboxes = list(post.work_dir.glob("slaves/*/frameworks/*/executors/*/runs/*-*"))
        assert len(sandboxes) == 2
        assert {mode(path) for path in sandboxes} == {0o750}


def test_the_secret_would_be_found() -> None:
    found: dict[str, Any] = COMMAND["environment"]["variables"][0]  # type: ignore[index]
    assert holds_the_secret(json.dumps(found).encode())
