"""What operators are told: the master's state as JSON, in the operator API's and the older words.

Only functions that read. Those that end in `_v1` answer `POST /api/v1` (`GET_TASKS` and its like),
the others the older endpoints (`/state`, `/metrics/snapshot`), whose fields still say *slave*.
What the master does not know (when an agent registered, what ended long ago) is left out, or is the
empty list that tools expect.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from mesos_ref.master.config import MasterConfig
from mesos_ref.master.state import Agent, Executor, Framework, Offer, State, Task
from mesos_ref.resources import EMPTY, MILLI, Resources
from mesos_ref.wire import json, secrets
from mesos_ref.wire.shape import FrameworkId, Message
from mesos_ref.wire.v1 import TERMINAL_STATES

Json = dict[str, Any]

#: Scalars that are shown even where there are none.
_USUAL: Final = ("cpus", "gpus", "mem", "disk")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a master process says of itself."""

    id: str
    hostname: str
    ip: str
    port: int
    #: The Mesos version whose API is spoken: digits and dots only, stock clients compare numbers.
    version: str
    start_s: float
    #: Our own version.
    release: str

    @property
    def pid(self) -> str:
        """Its name as libprocess writes it."""
        return f"master@{self.ip}:{self.port}"


# Calls --------------------------------------------------------------------------------------------


class Teardown(Message, frozen=True, kw_only=True):
    """Remove a framework."""

    framework_id: FrameworkId


class OperatorCall(Message, frozen=True, kw_only=True):
    """What an operator asks; only the parts that are understood are kept."""

    type: str | None = None
    teardown: Teardown | None = None


# Sums ---------------------------------------------------------------------------------------------


def _used(tasks: Iterable[Task], executors: Iterable[Executor]) -> Resources:
    parts = [task.resources for task in tasks if not task.ended]
    return Resources.total([*parts, *(executor.resources for executor in executors)])


def _used_on(agent: Agent) -> Resources:
    return _used(agent.tasks.values(), agent.executors.values())


def _used_by(framework: Framework) -> Resources:
    return _used(framework.tasks.values(), framework.executors.values())


def _offered(offers: Iterable[Offer]) -> Resources:
    return Resources.total(offer.resources for offer in offers)


def _wire(resources: Resources, role: str | None = None) -> list[Json]:
    return [json.to_builtins(resource) for resource in resources.to_wire(role)]


def _wire_by_role(claims: Iterable[tuple[str, Resources]]) -> list[Json]:
    by_role: dict[str, Resources] = {}
    for role, resources in claims:
        by_role[role] = by_role.get(role, EMPTY) + resources
    return [one for role in sorted(by_role) for one in _wire(by_role[role], role)]


def _claims(tasks: Iterable[Task], executors: Iterable[Executor]) -> list[tuple[str, Resources]]:
    used = [(task.role, task.resources) for task in tasks if not task.ended]
    return used + [(executor.role, executor.resources) for executor in executors]


def _id(value: str) -> Json:
    return {"value": value}


# The operator API ---------------------------------------------------------------------------------


def agents_v1(m: State) -> Json:
    """GET_AGENTS."""
    return {"agents": [_agent_v1(agent) for _, agent in sorted(m.agents.items())]}


def _agent_v1(agent: Agent) -> Json:
    info = msgspec.structs.replace(agent.info, id=agent.agent_id)
    claims = _claims(agent.tasks.values(), agent.executors.values())
    return {
        "agent_info": json.to_builtins(info),
        "active": agent.link is not None,
        "deactivated": False,
        "version": agent.version,
        "pid": f"slave(1)@{agent.ip}:{agent.info.port}",
        "total_resources": _wire(agent.total),
        "allocated_resources": _wire_by_role(claims),
        "offered_resources": _wire_by_role((o.role, o.resources) for o in agent.offers.values()),
    }


def frameworks_v1(m: State) -> Json:
    """GET_FRAMEWORKS."""
    return {"frameworks": [_framework_v1(m, f) for _, f in sorted(m.frameworks.items())]}


def _framework_v1(m: State, framework: Framework) -> Json:
    claims = _claims(framework.tasks.values(), framework.executors.values())
    offers = framework.offers.values()
    return {
        "framework_info": json.to_builtins(framework.info),
        "active": framework.stream is not None,
        "connected": framework.stream is not None,
        "recovered": framework.standing == "recovered",
        "offers": [_offer_v1(m, offer) for offer in offers],
        "allocated_resources": _wire_by_role(claims),
        "offered_resources": _wire_by_role((o.role, o.resources) for o in offers),
    }


def _offer_v1(m: State, offer: Offer) -> Json:
    return {
        "id": _id(offer.offer_id),
        "framework_id": _id(offer.framework_id),
        "agent_id": _id(offer.agent_id),
        "hostname": m.agents[offer.agent_id].info.hostname,
        "allocation_info": {"role": offer.role},
        "resources": _wire(offer.resources, offer.role),
    }


def executors_v1(m: State) -> Json:
    """GET_EXECUTORS: custom executors whose description is known."""
    found = [e for _, a in sorted(m.agents.items()) for e in a.executors.values()]
    return {
        "executors": [
            {"executor_info": secrets.shown(e.info), "agent_id": _id(e.agent_id)}
            for e in found
            if e.info is not None
        ]
    }


def tasks_v1(m: State) -> Json:
    """GET_TASKS. A task is here until its last update is acknowledged."""
    frameworks = [f for _, f in sorted(m.frameworks.items())]
    return {
        "tasks": [_task_v1(f, task) for f in frameworks for task in f.tasks.values()],
        "unreachable_tasks": [_task_v1(f, t) for f in frameworks for t in f.unreachable.values()],
    }


#: Parts of a TaskInfo that are shown as they came.
_TASK_PARTS = ("labels", "discovery", "container", "health_check", "limits")


def _task_v1(framework: Framework, task: Task) -> Json:
    shown: Json = {
        "name": task.info.name,
        "task_id": _id(task.task_id),
        "framework_id": _id(task.framework_id),
        "agent_id": _id(task.agent_id),
        "state": task.state,
        "resources": _wire(task.resources, task.role),
        "statuses": _statuses(task),
        "user": framework.info.user,
    }
    if task.executor_id is not None:
        shown["executor_id"] = _id(task.executor_id)
    if task.told is not None:
        shown["status_update_state"] = task.told
    if task.uuid is not None:
        shown["status_update_uuid"] = b64encode(task.uuid).decode()
    if task.info.kill_policy is not None:
        shown["kill_policy"] = json.to_builtins(task.info.kill_policy)
    return shown | _parts(task)


def _parts(task: Task) -> Json:
    found = {name: getattr(task.info, name) for name in _TASK_PARTS}
    return {name: part for name, part in found.items() if part is not None}


def _statuses(task: Task) -> list[Json]:
    """The last one; its data is for the framework alone."""
    if task.last_status is None:
        return []
    return [json.to_builtins(msgspec.structs.replace(task.last_status, data=None))]


def state_v1(m: State) -> Json:
    """GET_STATE: all of the above."""
    return {
        "get_tasks": tasks_v1(m),
        "get_executors": executors_v1(m),
        "get_frameworks": frameworks_v1(m),
        "get_agents": agents_v1(m),
    }


def roles_v1(m: State) -> Json:
    """GET_ROLES: roles somebody subscribes in, or holds something in."""
    members: dict[str, list[str]] = {}
    used: dict[str, Resources] = {}
    for framework_id, framework in sorted(m.frameworks.items()):
        claims = _claims(framework.tasks.values(), framework.executors.values())
        claims += [(offer.role, offer.resources) for offer in framework.offers.values()]
        for role, resources in claims:
            used[role] = used.get(role, EMPTY) + resources
        for role in {*framework.roles, *(role for role, _ in claims)}:
            members.setdefault(role, []).append(framework_id)
    return {
        "roles": [
            {
                "name": role,
                "weight": 1.0,
                "frameworks": [_id(f) for f in members[role]],
                "resources": _wire(used.get(role, EMPTY), role),
            }
            for role in sorted(members)
        ]
    }


def master_v1(m: State, about: About) -> Json:
    """GET_MASTER."""
    shown: Json = {"start_time": about.start_s, "elected_time": _elected_s(m)}
    if m.master_info is not None:
        shown["master_info"] = json.to_builtins(m.master_info)
    return shown


def flags(config: MasterConfig) -> dict[str, str]:
    """Timers and limits as they are in force, times in microseconds as their names say."""
    return {name: str(getattr(config, name)) for name in config.__struct_fields__}


def version(about: About) -> Json:
    """GET_VERSION, and `/version`."""
    return {"version": about.version, "mesos_ref": about.release}


def _elected_s(m: State) -> float:
    return (m.config.epoch_wall_us + m.elected_us) / 1e6


# The older endpoints ------------------------------------------------------------------------------


def state(m: State, about: About) -> Json:
    """`/state`."""
    agents = [agent for _, agent in sorted(m.agents.items())]
    return {
        "version": about.version,
        "start_time": about.start_s,
        "elected_time": _elected_s(m),
        "id": about.id,
        "pid": about.pid,
        "hostname": about.hostname,
        "capabilities": [],
        "activated_slaves": sum(agent.link is not None for agent in agents),
        "deactivated_slaves": sum(agent.link is None for agent in agents),
        "unreachable_slaves": len(m.lost_agents),
        "leader": about.pid,
        "leader_info": {
            "id": about.id,
            "pid": about.pid,
            "port": about.port,
            "hostname": about.hostname,
        },
        "flags": flags(m.config),
        "slaves": [_agent(agent) for agent in agents],
        "recovered_slaves": [],
        "frameworks": [_framework(framework) for _, framework in sorted(m.frameworks.items())],
        "completed_frameworks": [],
        "orphan_tasks": [],
        "unregistered_frameworks": [],
    }


def _agent(agent: Agent) -> Json:
    return {
        "id": agent.agent_id,
        "hostname": agent.info.hostname,
        "port": agent.info.port,
        "pid": f"slave(1)@{agent.ip}:{agent.info.port}",
        "attributes": {one.name: _attribute(one) for one in agent.info.attributes},
        "resources": flat(agent.total),
        "used_resources": flat(_used_on(agent)),
        "offered_resources": flat(_offered(agent.offers.values())),
        "reserved_resources": {},
        "unreserved_resources": flat(agent.total),
        "active": agent.link is not None,
        "deactivated": False,
        "version": agent.version,
        "capabilities": [],
    }


def _attribute(attribute: Any) -> Any:
    if attribute.scalar is not None:
        return attribute.scalar.value
    if attribute.text is not None:
        return attribute.text.value
    if attribute.ranges is not None:
        return _intervals((one.begin, one.end) for one in attribute.ranges.range)
    return _items(attribute.set.item if attribute.set is not None else ())


def _framework(framework: Framework) -> Json:
    info, used, offered = framework.info, _used_by(framework), _offered(framework.offers.values())
    shown: Json = {
        "id": framework.framework_id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "hostname": info.hostname or "",
        "webui_url": info.webui_url or "",
        "capabilities": [one.type for one in info.capabilities if one.type is not None],
        "active": framework.stream is not None,
        "connected": framework.stream is not None,
        "recovered": framework.standing == "recovered",
        "resources": flat(used + offered),
        "used_resources": flat(used),
        "offered_resources": flat(offered),
        "tasks": [_task(framework, task) for task in framework.tasks.values()],
        "unreachable_tasks": [_task(framework, task) for task in framework.unreachable.values()],
        "completed_tasks": [],
        "offers": [_offer(offer) for offer in framework.offers.values()],
        "executors": [_executor(executor) for executor in framework.executors.values()],
    }
    if framework.multi_role:
        shown["roles"] = list(framework.roles)
    else:
        shown["role"] = framework.roles[0] if framework.roles else "*"
    if info.principal is not None:
        shown["principal"] = info.principal
    return shown


def _offer(offer: Offer) -> Json:
    return {
        "id": offer.offer_id,
        "framework_id": offer.framework_id,
        "allocation_info": {"role": offer.role},
        "slave_id": offer.agent_id,
        "resources": flat(offer.resources),
    }


def _executor(executor: Executor) -> Json:
    shown: Json = {
        "executor_id": executor.executor_id,
        "framework_id": executor.framework_id,
        "slave_id": executor.agent_id,
        "role": executor.role,
        "resources": flat(executor.resources),
    }
    if executor.info is not None:
        shown["name"] = executor.info.name or ""
        if executor.info.command is not None:
            shown["command"] = secrets.shown(executor.info.command)
    return shown


def _task(framework: Framework, task: Task) -> Json:
    shown: Json = {
        "id": task.task_id,
        "name": task.info.name,
        "framework_id": task.framework_id,
        "executor_id": task.executor_id or "",
        "slave_id": task.agent_id,
        "state": task.state,
        "resources": flat(task.resources),
        "role": task.role,
        "user": framework.info.user,
        "statuses": [],
    }
    status = task.last_status
    if status is not None:
        said: Json = {"state": status.state, "timestamp": status.timestamp}
        if status.container_status is not None:
            said["container_status"] = status.container_status
        if status.healthy is not None:
            said["healthy"] = status.healthy
        shown["statuses"] = [said]
    return shown | _parts(task)


def flat(resources: Resources) -> Json:
    """An amount as older endpoints show it: ``{"cpus": 2.0, …, "ports": "[31000-32000]"}``."""
    shown: Json = {name: resources.milli(name) / MILLI for name in _USUAL}
    shown |= {name: milli / MILLI for name, milli in resources.scalars.items()}
    shown |= {name: _intervals(intervals) for name, intervals in resources.ranges.items()}
    return shown | {name: _items(items) for name, items in resources.sets.items()}


def _intervals(intervals: Iterable[tuple[int, int]]) -> str:
    return f"[{', '.join(f'{begin}-{end}' for begin, end in intervals)}]"


def _items(items: Iterable[str]) -> str:
    return f"{{{', '.join(items)}}}"


# Metrics ------------------------------------------------------------------------------------------


def metrics(m: State, calls: dict[str, int], uptime_s: float) -> dict[str, float]:
    """`/metrics/snapshot`: flat numbers. Tasks are counted in the state they are in now."""
    agents, frameworks = list(m.agents.values()), list(m.frameworks.values())
    linked = sum(agent.link is not None for agent in agents)
    listening = sum(framework.stream is not None for framework in frameworks)
    states: Counter[str] = Counter(task.state for f in frameworks for task in f.tasks.values())
    found: dict[str, float] = {
        "master/elected": float(m.epoch is not None),
        "master/uptime_secs": uptime_s,
        "master/slaves_active": linked,
        "master/slaves_connected": linked,
        "master/slaves_inactive": len(agents) - linked,
        "master/slaves_disconnected": len(agents) - linked,
        "master/slaves_unreachable": len(m.lost_agents),
        "master/frameworks_active": listening,
        "master/frameworks_connected": listening,
        "master/frameworks_inactive": len(frameworks) - listening,
        "master/frameworks_disconnected": len(frameworks) - listening,
        "master/outstanding_offers": len(m.offers),
        "master/tasks_unreachable": sum(len(framework.unreachable) for framework in frameworks),
        "allocator/offer_filters": len(m.filters),
    }
    for name in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"):
        found[f"master/tasks_{name[5:].lower()}"] = states[name]
    found["master/tasks_unacknowledged"] = sum(states[name] for name in sorted(TERMINAL_STATES))
    found |= {f"master/messages_{kind.lower()}": count for kind, count in sorted(calls.items())}
    return found | _loads(agents)


def _loads(agents: list[Agent]) -> dict[str, float]:
    total = Resources.total(agent.total for agent in agents)
    used = Resources.total(_used_on(agent) for agent in agents)
    found: dict[str, float] = {}
    for name in _USUAL:
        there, taken = total.milli(name), used.milli(name)
        found[f"master/{name}_total"] = there / MILLI
        found[f"master/{name}_used"] = taken / MILLI
        found[f"master/{name}_percent"] = taken / there if there else 0.0
    return found
