"""What operators are told: the agent's state as JSON, in the operator API's and the older words.

Only functions that read. Those that end in `_v1` answer `POST /api/v1`, the others the older
endpoints (`/state`, `/metrics/snapshot`, `/containers`), whose fields still say *slave*. What the
agent does not know (what ended and was acknowledged long ago) is the empty list that tools expect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.state import Agent, Executor, Framework, Task
from mesos_ref.resources import MILLI, Resources
from mesos_ref.wire import json, secrets
from mesos_ref.wire.shape import Message
from mesos_ref.wire.v1 import Attribute

Json = dict[str, Any]

#: Scalars that are shown even where there are none.
_USUAL: Final = ("cpus", "gpus", "mem", "disk")
#: Parts of a TaskInfo that are shown as they came.
_TASK_PARTS: Final = ("labels", "discovery", "container", "health_check")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent process says of itself."""

    host: str
    port: int
    start_s: float
    #: Our own version; the Mesos version whose API is spoken is in the config.
    release: str
    work_dir: Path

    @property
    def pid(self) -> str:
        """Its name as libprocess writes it."""
        return f"slave(1)@{self.host}:{self.port}"


# Calls --------------------------------------------------------------------------------------------


class ListFiles(Message, frozen=True, kw_only=True):
    """Which folder."""

    path: str


class ReadFile(Message, frozen=True, kw_only=True):
    """Which part of which file."""

    path: str
    offset: int = 0
    length: int | None = None


class OperatorCall(Message, frozen=True, kw_only=True):
    """What an operator asks; only the parts that are understood are kept."""

    type: str | None = None
    list_files: ListFiles | None = None
    read_file: ReadFile | None = None


# Who is here --------------------------------------------------------------------------------------


def _frameworks(agent: Agent) -> Iterator[Framework]:
    return (f for _, f in sorted(agent.frameworks.items()) if f.hosted)


def _executors(agent: Agent) -> Iterator[Executor]:
    for framework in _frameworks(agent):
        yield from (executor for _, executor in sorted(framework.executors.items()))


def directory(agent: Agent, about: About, executor: Executor) -> str:
    """The sandbox of an executor."""
    frameworks = about.work_dir / "slaves" / agent.agent_id / "frameworks"
    below = frameworks / executor.framework_id / "executors" / executor.executor_id
    return str(below / "runs" / executor.container)


def _used(agent: Agent) -> Resources:
    tasks = (t for f in _frameworks(agent) for t in f.tasks.values() if t.phase != "ended")
    own = (_own_resources(executor) for executor in _executors(agent))
    return Resources.total([*(task.resources for task in tasks), *own])


def _own_resources(executor: Executor) -> Resources:
    return Resources.from_wire(executor.info.resources)


def _id(value: str) -> Json:
    return {"value": value}


# The operator API ---------------------------------------------------------------------------------


def frameworks_v1(agent: Agent) -> Json:
    """GET_FRAMEWORKS."""
    shown = [{"framework_info": json.to_builtins(f.info)} for f in _frameworks(agent)]
    return {"frameworks": shown, "completed_frameworks": []}


def executors_v1(agent: Agent) -> Json:
    """GET_EXECUTORS."""
    shown = [{"executor_info": secrets.shown(e.info)} for e in _executors(agent)]
    return {"executors": shown, "completed_executors": []}


def tasks_v1(agent: Agent) -> Json:
    """GET_TASKS. A task is here until its last update is acknowledged."""
    by_phase: dict[str, list[Json]] = {"queued": [], "launched": [], "ended": []}
    for framework in _frameworks(agent):
        for task in framework.tasks.values():
            by_phase[task.phase].append(_task_v1(agent, framework, task))
    return {
        "pending_tasks": [],
        "queued_tasks": by_phase["queued"],
        "launched_tasks": by_phase["launched"],
        "terminated_tasks": by_phase["ended"],
        "completed_tasks": [],
    }


def _task_v1(agent: Agent, framework: Framework, task: Task) -> Json:
    shown: Json = {
        "name": task.info.name,
        "task_id": _id(task.task_id),
        "framework_id": _id(framework.framework_id),
        "agent_id": _id(agent.agent_id),
        "state": task.state,
        "resources": [json.to_builtins(one) for one in task.info.resources],
        "statuses": _statuses(framework, task),
    }
    if not task.command:
        shown["executor_id"] = _id(task.executor_id)
    return shown | _parts(task)


def _statuses(framework: Framework, task: Task) -> list[Json]:
    """Those that are not acknowledged; their data is for the framework alone."""
    queue = framework.queues.get(task.task_id)
    updates = () if queue is None else queue.updates
    return [json.to_builtins(msgspec.structs.replace(u.status, data=None)) for u in updates]


def _parts(task: Task) -> Json:
    found = {name: getattr(task.info, name) for name in _TASK_PARTS}
    return {name: part for name, part in found.items() if part is not None}


def state_v1(agent: Agent) -> Json:
    """GET_STATE: all of the above."""
    return {
        "get_tasks": tasks_v1(agent),
        "get_executors": executors_v1(agent),
        "get_frameworks": frameworks_v1(agent),
    }


def agent_v1(agent: Agent) -> Json:
    """GET_AGENT."""
    return {"agent_info": json.to_builtins(agent.info)}


def containers_v1(agent: Agent) -> Json:
    """GET_CONTAINERS."""
    return {
        "containers": [
            {
                "framework_id": _id(executor.framework_id),
                "executor_id": _id(executor.executor_id),
                "executor_name": executor.info.name or "",
                "container_id": _id(executor.container),
            }
            for executor in _executors(agent)
        ]
    }


def flags(config: AgentConfig) -> dict[str, str]:
    """Timers as they are in force, in microseconds as their names say."""
    names = (name for name in config.__struct_fields__ if name.endswith("_us"))
    return {name: str(getattr(config, name)) for name in names}


def version(agent: Agent, about: About) -> Json:
    """GET_VERSION, and `/version`."""
    return {"version": agent.config.version, "mesos_ref": about.release}


# The older endpoints ------------------------------------------------------------------------------


def state(agent: Agent, about: About) -> Json:
    """`/state`."""
    total = Resources.from_wire(agent.info.resources)
    return {
        "version": agent.config.version,
        "start_time": about.start_s,
        "id": agent.agent_id,
        "pid": about.pid,
        "hostname": agent.info.hostname,
        "capabilities": [],
        "resources": flat(total),
        "reserved_resources": {},
        "unreserved_resources": flat(total),
        "unreserved_resources_allocated": flat(_used(agent)),
        "reserved_resources_allocated": {},
        "attributes": {one.name: _attribute(one) for one in agent.info.attributes},
        "flags": {**flags(agent.config), "work_dir": str(about.work_dir)},
        "frameworks": [_framework(agent, about, f) for f in _frameworks(agent)],
        "completed_frameworks": [],
    }


def _framework(agent: Agent, about: About, framework: Framework) -> Json:
    info = framework.info
    shown: Json = {
        "id": framework.framework_id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": framework.checkpoint,
        "hostname": info.hostname or "",
        "executors": [
            _executor(agent, about, framework, executor)
            for _, executor in sorted(framework.executors.items())
        ],
        "completed_executors": [],
    }
    if info.roles:
        shown["roles"] = list(info.roles)
    if info.principal is not None:
        shown["principal"] = info.principal
    return shown


def _executor(agent: Agent, about: About, framework: Framework, executor: Executor) -> Json:
    ended = [
        task
        for task in framework.tasks.values()
        if task.phase == "ended" and task.executor_id == executor.executor_id
    ]
    tasks = executor.tasks.values()
    shown: Json = {
        "id": executor.executor_id,
        "name": executor.info.name or "",
        "source": executor.info.source or "",
        "container": executor.container,
        "directory": directory(agent, about, executor),
        "resources": flat(_own_resources(executor)),
        "role": executor.role,
        "tasks": [_task(agent, framework, t) for t in tasks if t.phase == "launched"],
        "queued_tasks": [_task(agent, framework, t) for t in tasks if t.phase == "queued"],
        "completed_tasks": [_task(agent, framework, task) for task in ended],
    }
    if executor.info.type is not None:
        shown["type"] = executor.info.type
    return shown


def _task(agent: Agent, framework: Framework, task: Task) -> Json:
    said = [
        {"state": one["state"], "timestamp": one.get("timestamp", 0.0)}
        for one in _statuses(framework, task)
    ]
    return {
        "id": task.task_id,
        "name": task.info.name,
        "framework_id": framework.framework_id,
        "executor_id": "" if task.command else task.executor_id,
        "slave_id": agent.agent_id,
        "state": task.state,
        "resources": flat(task.resources),
        "role": task.role,
        "statuses": said,
        **_parts(task),
    }


def containers(agent: Agent) -> list[Json]:
    """`/containers`."""
    return [
        {
            "container_id": executor.container,
            "executor_id": executor.executor_id,
            "executor_name": executor.info.name or "",
            "framework_id": executor.framework_id,
            "source": executor.info.source or "",
            "status": {},
        }
        for executor in _executors(agent)
    ]


def statistics(agent: Agent, now_s: float) -> list[Json]:
    """`/monitor/statistics`: what each executor may use; what it does use is not measured."""
    found = []
    for executor in _executors(agent):
        tasks = (task.resources for task in executor.tasks.values())
        limit = Resources.total([_own_resources(executor), *tasks])
        found.append(
            {
                "executor_id": executor.executor_id,
                "executor_name": executor.info.name or "",
                "framework_id": executor.framework_id,
                "source": executor.info.source or "",
                "statistics": {
                    "timestamp": now_s,
                    "cpus_limit": limit.milli("cpus") / MILLI,
                    "mem_limit_bytes": limit.milli("mem") * (1 << 20) // MILLI,
                },
            }
        )
    return found


def metrics(agent: Agent, uptime_s: float) -> dict[str, float]:
    """`/metrics/snapshot`: numbers by name."""
    states = Counter(task.state for f in _frameworks(agent) for task in f.tasks.values())
    phases = Counter(executor.phase for executor in _executors(agent))
    waiting = sum(len(q.updates) for f in agent.frameworks.values() for q in f.queues.values())
    found: dict[str, float] = {
        "slave/registered": float(agent.registered),
        "slave/uptime_secs": uptime_s,
        "slave/frameworks_active": sum(1 for _ in _frameworks(agent)),
        "slave/status_updates_unacknowledged": waiting,
    }
    for phase in ("registering", "running", "terminating"):
        found[f"slave/executors_{phase}"] = phases[phase]
    for name in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"):
        found[f"slave/tasks_{name[5:].lower()}"] = states[name]
    total, used = Resources.from_wire(agent.info.resources), _used(agent)
    for name in _USUAL:
        there, taken = total.milli(name), used.milli(name)
        found[f"slave/{name}_total"] = there / MILLI
        found[f"slave/{name}_used"] = taken / MILLI
        found[f"slave/{name}_percent"] = taken / there if there else 0.0
    return found


# Values -------------------------------------------------------------------------------------------


def flat(resources: Resources) -> Json:
    """An amount as older endpoints show it: ``{"cpus": 2.0, …, "ports": "[31000-32000]"}``."""
    shown: Json = {name: resources.milli(name) / MILLI for name in _USUAL}
    shown |= {name: milli / MILLI for name, milli in resources.scalars.items()}
    shown |= {name: _intervals(intervals) for name, intervals in resources.ranges.items()}
    return shown | {name: _items(items) for name, items in resources.sets.items()}


def _attribute(attribute: Attribute) -> Any:
    if attribute.scalar is not None:
        return attribute.scalar.value
    if attribute.text is not None:
        return attribute.text.value
    if attribute.ranges is not None:
        return _intervals((one.begin, one.end) for one in attribute.ranges.range)
    return _items(attribute.set.item if attribute.set is not None else ())


def _intervals(intervals: Iterable[tuple[int, int]]) -> str:
    return "[" + ", ".join(f"{begin}-{end}" for begin, end in intervals) + "]"


def _items(items: Iterable[str]) -> str:
    return "{" + ", ".join(items) + "}"
