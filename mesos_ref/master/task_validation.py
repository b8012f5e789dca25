"""Why a task can't be launched: the rules of TASK_ERROR, in Mesos' order (behaviour, section 6)."""

from typing import Any, NamedTuple

import msgspec

from mesos_ref.master.state import Agent, Executor, Framework, State
from mesos_ref.master.validation import amount_in_role
from mesos_ref.resources import ResourceError, Resources
from mesos_ref.wire import json
from mesos_ref.wire.v1 import CommandInfo, ExecutorInfo, TaskInfo
from mesos_ref.wire.validate import id_fault


class Demand(NamedTuple):
    """A good task: what it takes, and the custom executor it needs.

    `new_executor` is what that executor takes, if the agent doesn't have it yet.
    """

    task: Resources
    executor: ExecutorInfo | None
    new_executor: Resources | None


def task_fault(
    m: State, framework: Framework, agent: Agent, role: str, task: TaskInfo, pool: Resources
) -> Demand | str:
    """What the task takes from `pool`, or why it can't be launched."""
    fault = (
        _id_fault(framework, task)
        or _agent_fault(agent, task)
        or _times_fault(task)
        or _parts_fault(task)
        or _size_fault(task, m.config.max_task_bytes)
    )
    if fault is not None:
        return fault
    try:
        return _demand(framework, agent, role, task, pool)
    except ResourceError as error:
        return f"Task uses invalid resources: {error}"


def _id_fault(framework: Framework, task: TaskInfo) -> str | None:
    if fault := id_fault(task.task_id):
        return f"Task '{task.task_id[:80]}' has an invalid id: {fault}"
    if task.task_id in framework.tasks or task.task_id in framework.unreachable:
        return f"Task has duplicate ID: {task.task_id}"
    return None


def _agent_fault(agent: Agent, task: TaskInfo) -> str | None:
    if task.agent_id == agent.agent_id:
        return None
    return f"Task uses agent '{task.agent_id[:80]}', but the offer is of agent '{agent.agent_id}'"


def _times_fault(task: TaskInfo) -> str | None:
    grace = None if task.kill_policy is None else task.kill_policy.grace_period
    if grace is not None and grace.nanoseconds < 0:
        return "Task's 'kill_policy.grace_period' must be non-negative"
    longest = task.max_completion_time
    if longest is not None and longest.nanoseconds < 0:
        return "Task's 'max_completion_time' must be non-negative"
    return None


def _parts_fault(task: TaskInfo) -> str | None:
    if not task.resources:
        return "Task uses no resources"
    if (task.executor is None) == (task.command is None):
        return "Task should have exactly one of 'executor' and 'command'"
    return (
        (None if task.command is None else _environment_fault(task.command))
        or _container_fault(task.container)
        or _limits_fault(task.limits)
    )


def _environment_fault(command: CommandInfo) -> str | None:
    for variable in () if command.environment is None else command.environment.variables:
        if variable.type == "VALUE" and (variable.value is None or variable.secret is not None):
            return f"Environment variable '{variable.name}' of type VALUE must have just a value"
        if variable.type == "SECRET" and (variable.secret is None or variable.value is not None):
            return f"Environment variable '{variable.name}' of type SECRET must have just a secret"
    return None


def _container_fault(container: dict[str, Any] | None) -> str | None:
    if container is not None and container.get("type") == "DOCKER" and "docker" not in container:
        return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
    return None


def _limits_fault(limits: dict[str, Any] | None) -> str | None:
    for name in limits or ():
        if name not in ("cpus", "mem"):
            return f"Resource limits are for cpus and mem only, not for {name}"
    return None


def _size_fault(task: TaskInfo, limit: int) -> str | None:
    size = json.size(task) + (0 if task.executor is None else json.size(task.executor))
    return None if size <= limit else f"TaskInfo has {size} bytes; at most {limit} are taken"


# What it takes ------------------------------------------------------------------------------------


def _demand(
    framework: Framework, agent: Agent, role: str, task: TaskInfo, pool: Resources
) -> Demand | str:
    amount = amount_in_role(task.resources, role)
    if not amount:
        return "Task uses no resources"
    if not pool.contains(amount):
        return f"Task uses more resources {amount} than available {pool}"
    if task.executor is None:
        return Demand(amount, None, None)
    return _executor_demand(framework, agent, role, task.executor, amount, pool)


def _executor_demand(
    framework: Framework,
    agent: Agent,
    role: str,
    asked: ExecutorInfo,
    amount: Resources,
    pool: Resources,
) -> Demand | str:
    if fault := _executor_fault(framework, asked):
        return fault
    executor = msgspec.structs.replace(asked, framework_id=framework.framework_id, type="CUSTOM")
    own = amount_in_role(executor.resources, role)
    known = agent.executors.get((framework.framework_id, executor.executor_id))
    if known is not None:
        if not _is_compatible(known, executor, role, own):
            return f"ExecutorInfo is not compatible with existing executor {executor.executor_id}"
        return Demand(amount, executor, None)
    if not (pool - amount).contains(own):
        return f"Task and its executor use more resources {amount} and {own} than available {pool}"
    return Demand(amount, executor, own)


def _is_compatible(known: Executor, asked: ExecutorInfo, role: str, own: Resources) -> bool:
    """Whether it is the executor that is there (TSK-4); what it takes is allocated to a role."""
    same_info = known.info is None or known.info == asked
    return same_info and known.resources == own and (known.role == role or not own)


def _executor_fault(framework: Framework, executor: ExecutorInfo) -> str | None:
    if executor.type == "DEFAULT":
        return "Executors of type DEFAULT are for LAUNCH_GROUP only"
    if executor.command is None:
        return "Executor of type CUSTOM must have 'command' set"
    if fault := id_fault(executor.executor_id):
        return f"Executor '{executor.executor_id[:80]}' has an invalid id: {fault}"
    if executor.framework_id not in (None, framework.framework_id):
        return (
            f"ExecutorInfo has framework id '{executor.framework_id}', "
            f"but the task's framework is '{framework.framework_id}'"
        )
    grace = executor.shutdown_grace_period
    if grace is not None and grace.nanoseconds < 0:
        return "ExecutorInfo's 'shutdown_grace_period' must be non-negative"
    return _environment_fault(executor.command) or _container_fault(executor.container)
