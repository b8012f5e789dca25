"""The rules for launching a task that the judge reads by itself are those that the master keeps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mesos_ref.master import task_validation
from mesos_ref.wire.v1 import TaskInfo
from mesos_spec.tools.judging.flaws import INVALID, of_task

GOOD: dict[str, Any] = {
    "name": "t",
    "task_id": "t",
    "agent_id": "a",
    "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}}],
    "command": {"value": "true"},
}


def environment(**variable: Any) -> dict[str, Any]:
    return {"command": {"environment": {"variables": [{"name": "v", **variable}]}}}


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({}, None),
        ({"limits": {"cpus": {"value": 1.0}, "mem": {"value": 1.0}}}, None),
        ({"limits": {"disk": {"value": 1.0}}}, INVALID),
        ({"container": {"type": "DOCKER"}}, INVALID),
        ({"container": {"type": "DOCKER", "docker": {"image": "i"}}}, None),
        ({"container": {"type": "MESOS"}}, None),
        (environment(type="VALUE", value="x"), None),
        (environment(type="VALUE"), INVALID),
        (environment(type="SECRET", secret={}), None),
        (environment(type="SECRET", value="x"), INVALID),
    ],
)
def test_a_flaw_is_one_for_master_and_judge(changes: dict[str, Any], flaw: str | None) -> None:
    info = {**GOOD, **changes}
    assert of_task(info, "f") == flaw
    task = msgspec.convert(info, TaskInfo)
    assert (task_validation._parts_fault(task) is None) == (flaw is None)
