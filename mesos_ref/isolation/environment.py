"""The environment an agent hands to an executor, whole (EXE-8)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mesos_ref.executor.settings import format_duration
from mesos_ref.isolation.processes import CONTAINER_VARIABLE

#: Which cluster a process belongs to, so that whoever takes the cluster down finds all of it.
CLUSTER_VARIABLE = "MESOS_REF_CLUSTER"

#: Of the agent's own environment only this is handed on; frameworks can add what they need.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", CLUSTER_VARIABLE)


class AgentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all executors of one agent."""

    ip: str
    port: int
    recovery_timeout_us: int = 900_000_000
    subscription_backoff_max_us: int = 2_000_000


def executor_environment(
    agent: AgentFacts,
    *,
    agent_id: str,
    framework_id: str,
    executor_id: str,
    container_id: str,
    sandbox: Path,
    checkpoint: bool,
    shutdown_grace_us: int = 5_000_000,
    is_command_executor: bool = False,
    inherited: Mapping[str, str],
    asked_for: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Every variable of the executor.  `asked_for` is `CommandInfo.environment`; ours wins.

    `MESOS_CONTAINER_ID` is our own addition: what the run starts carries it, and is found by it.
    """
    environment = {name: inherited[name] for name in INHERITED if name in inherited}
    environment |= asked_for or {}
    environment |= {
        "LIBPROCESS_PORT": "0",
        "LIBPROCESS_IP": agent.ip,
        "MESOS_AGENT_ENDPOINT": f"{agent.ip}:{agent.port}",
        "MESOS_CHECKPOINT": "1" if checkpoint else "0",
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_EXECUTOR_ID": executor_id,
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": format_duration(shutdown_grace_us),
        "MESOS_FRAMEWORK_ID": framework_id,
        "MESOS_HTTP_COMMAND_EXECUTOR": "1" if is_command_executor else "0",
        "MESOS_SANDBOX": str(sandbox),
        "MESOS_SLAVE_ID": agent_id,
        "MESOS_SLAVE_PID": f"slave(1)@{agent.ip}:{agent.port}",
        CONTAINER_VARIABLE: container_id,
    }
    if checkpoint:
        environment["MESOS_RECOVERY_TIMEOUT"] = format_duration(agent.recovery_timeout_us)
        backoff = format_duration(agent.subscription_backoff_max_us)
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = backoff
    return environment
