"""What frameworks may ask of a task or an executor that no machine can give, or wait for."""

from __future__ import annotations

import os
import signal
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from mesos_ref import link as protocol
from mesos_ref.executor.demands import environment_of, unsupported
from mesos_ref.wire import json
from mesos_ref.wire.v1 import CommandInfo, TaskInfo
from model_tests.live.hosting import hosted, live, lives, until_gone
from model_tests.live.test_command_executor import result
from model_tests.shell.agent_stage import command_task, run_task, staged
from model_tests.shell.memory_net import run_virtually

AGES = {"nanoseconds": 2**63 - 1}


def command(**parts: Any) -> CommandInfo:
    return json.from_builtins({"value": "true", **parts}, CommandInfo)


def variables(*each: dict[str, Any]) -> dict[str, Any]:
    return {"variables": list(each)}


def secret(text: str | bytes) -> dict[str, Any]:
    data = b64encode(text.encode() if isinstance(text, str) else text).decode()
    return {"name": "S", "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": data}}}


REFERENCE = {"type": "REFERENCE", "reference": {"name": "vault"}}

# Times nobody lives to see ------------------------------------------------------------------------


@pytest.mark.needs("linux")
@pytest.mark.live
@live
async def test_a_task_may_have_three_centuries(tmp_path: Path) -> None:
    patient = {"max_completion_time": AGES, "kill_policy": {"grace_period": AGES}}
    status, written = await result(tmp_path, "echo done", **patient)
    assert (status.state, written) == ("TASK_FINISHED", "done\n")


@pytest.mark.needs("linux")
@pytest.mark.live
@live
async def test_an_executor_may_have_three_centuries_to_end(tmp_path: Path) -> None:
    """Its agent is gone, and it is left alone until it ends by itself."""
    script = "import time, signal; print('up', flush=True); signal.pause()"
    ages_us = AGES["nanoseconds"] // 1000
    async with hosted(tmp_path) as host:
        argv = (sys.executable, "-c", script)
        await host.start("e", argv, shutdown_grace_us=ages_us)
        await host.written("e")
        first, program = await host.tree("e")
    assert lives(program), (host.dir("e").sandbox / "stderr").read_text()
    os.kill(program, signal.SIGTERM)
    await until_gone(first)
    assert host.dir("e").read_exit() == signal.SIGTERM


# What is not there --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "container", "why"),
    [
        ({}, {"type": "DOCKER", "docker": {"image": "x"}}, "type DOCKER are not supported"),
        ({}, {"type": "MESOS", "mesos": {"image": {}}}, "Container images are not supported"),
        ({}, {"type": "MESOS", "volumes": [{}]}, "Volumes of containers are not supported"),
        ({"uris": [{"value": "http://h/f"}]}, None, "Fetching of URIs is not supported"),
        (
            {"environment": variables({"name": "S", "type": "SECRET", "secret": REFERENCE})},
            None,
            "The secret of variable 'S' is not given by value",
        ),
        ({"environment": variables(secret(b"\xff"))}, None, "not given by value, as UTF-8 text"),
    ],
)
def test_a_task_does_not_run_without_what_it_asks_for(
    asked: dict[str, Any], container: dict[str, Any] | None, why: str, tmp_path: Path
) -> None:
    assert why in (unsupported(command(**asked), container) or "")

    async def main() -> None:
        async with staged(tmp_path) as (stage, _):
            link = await stage.master.linked()
            await link.registered()
            plain = {
                "name": "t",
                "task_id": {"value": "t"},
                "agent_id": {"value": "a"},
                "command": {"value": "true", **asked},
                "container": container,
            }
            await link.send(run_task(json.from_builtins(plain, TaskInfo)))
            update = await link.expect(protocol.Update)
            assert update.status.state == "TASK_FAILED"
            assert why in (update.status.message or "")
            assert stage.isolator.running == {}

    run_virtually(main)


def test_what_is_asked_for_and_there() -> None:
    plain = {"type": "MESOS", "network_infos": []}
    assert unsupported(command(), plain) is None
    assert unsupported(command(uris=[], environment=variables({"name": "A"})), None) is None
    assert unsupported(None, None) is None
    assert command_task("t").command is not None


def test_secrets_by_value_are_variables_like_others() -> None:
    asked = command(environment=variables({"name": "A", "value": "b"}, secret("s3"), {"name": "N"}))
    assert unsupported(asked, None) is None
    assert environment_of(asked) == {"A": "b", "S": "s3"}
    assert environment_of(None) == {}
