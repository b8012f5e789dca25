"""From the specification to the wire: a message of a model, as a real party would say it.

The judge reads real messages in the specification's words (`mesos_spec.tools.judging.wire`); here
they go the other way.  What the specification leaves out (texts, host names) is made up, and a name
in a model stands for a real one, which `Names` knows as soon as it was given.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from mesos_spec import messages as m
from mesos_spec.ids import ExecutorKey, FrameworkId, LineId, LinkId, OfferId, StreamId, TaskId
from mesos_spec.resources import NOTHING, Resources

Json = dict[str, Any]


@dataclass
class Names:
    """The real names of what a model names; whatever was never given one keeps the model's."""

    frameworks: dict[FrameworkId, str] = field(default_factory=dict)
    offers: dict[OfferId, str] = field(default_factory=dict)
    streams: dict[StreamId, str] = field(default_factory=dict)
    links: dict[LinkId, str] = field(default_factory=dict)
    lines: dict[LineId, str] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)  #: messages so far, by connection
    _fresh: int = 0

    def fresh(self, what: str) -> str:
        """A name nobody had."""
        self._fresh += 1
        return f"{what}-{self._fresh}"

    def next(self, connection: str) -> int:
        """The number of the next message on a connection."""
        self.said[connection] = self.said.get(connection, -1) + 1
        return self.said[connection]

    def framework(self, framework: FrameworkId) -> str:
        return self.frameworks.get(framework, framework)

    def offer(self, offer: OfferId) -> str:
        return self.offers.get(offer, f"no-offer-{offer.id}")

    def stream(self, stream: StreamId) -> str:
        return self.streams.get(stream, f"no-stream-{stream.id}")


def uuid(name: str | None) -> str | None:
    """An update's uuid: the same 16 bytes for the same name in the model."""
    return None if name is None else free(hashlib.md5(name.encode()).digest())


def free(data: bytes) -> str:
    """Free bytes, as the wire has them."""
    return base64.b64encode(data).decode()


def resources(amounts: Resources) -> list[Json]:
    """A vector as a wire list."""
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": n / 1000}}
        for name, n in sorted(amounts.items())
        if n
    ]


def value(name: str) -> Json:
    """An id of the v1 API."""
    return {"value": name}


def framework_info(info: m.FrameworkInfo, usable: bool = True) -> Json:
    """A FrameworkInfo; one that is not usable names a role nobody may have."""
    words = [{"type": "MULTI_ROLE"}]
    words += [{"type": "PARTITION_AWARE"}] if info.partition_aware else []
    return {
        "user": "user",
        "name": "of a model",
        "roles": list(info.roles) if usable else ["not/../good"],
        "capabilities": words,
        "checkpoint": info.checkpoint,
        "failover_timeout": 3600.0,
    }


# ---- frames: agent → master --------------------------------------------------------------------
def frame_up(frame: m.FrameUp, agent: str, names: Names) -> Json:
    """A frame of an agent."""
    said: Json = {"kind": type(frame).__name__, "epoch": frame.epoch}
    match frame:
        case m.Register():
            said |= _register(frame, agent, names)
        case m.Update(task=task, status=status, latest=latest):
            said |= {
                "framework_id": names.framework(task.framework),
                "status": _status(task, status, agent),
                "latest_state": latest,
            }
        case m.Exited(executor=key, status=status):
            said |= _executor(key, names) | {"status": -1 if status is None else status}
        case m.FromExecutor(executor=key, data=data):
            said |= _executor(key, names) | {"kind": "Message", "data": free(data.encode())}
        case _:
            pass
    return said


def _executor(key: ExecutorKey, names: Names) -> Json:
    return {"framework_id": names.framework(key.framework), "executor_id": key.executor}


def _status(task: TaskId, status: m.Status, agent: str) -> Json:
    said = {
        "task_id": value(task.id),
        "agent_id": value(agent),
        "state": status.state,
        "source": status.source,
        "reason": status.reason,
        "uuid": uuid(status.uuid),
        "timestamp": 1.0,
    }
    return {key: word for key, word in said.items() if word is not None}


def _register(frame: m.Register, agent: str, names: Names) -> Json:
    return {
        "agent_id": agent,
        "info": {"hostname": agent, "resources": resources(frame.total)},
        "version": "1.12.0" if frame.usable else "0.28.0",
        "newest_epoch": frame.epoch,
        "tasks": [_report(t, r, agent, names) for t, r in sorted(frame.tasks.items())],
        "executors": [
            _executor(key, names) | {"role": r.role, "resources": resources(r.resources)}
            for key, r in sorted(frame.executors.items())
        ],
        "frameworks": [
            {**framework_info(info), "id": value(names.framework(f))}
            for f, info in sorted(frame.frameworks.items())
        ],
    }


def _report(task: TaskId, report: m.TaskReport, agent: str, names: Names) -> Json:
    listed = resources(report.resources)
    said = {
        "framework_id": names.framework(task.framework),
        "task_id": task.id,
        "name": task.id,
        "role": report.role,
        "executor_id": report.executor,
        "resources": listed,
        "state": report.state,
        "status_state": report.told,
        "status_uuid": uuid(report.uuid),
        "killed": report.killed,
        "info": _task_info(task.id, agent, listed),
    }
    return {key: word for key, word in said.items() if word is not None}


def _task_info(name: str, agent: str, listed: list[Json]) -> Json:
    return {"name": name, "task_id": value(name), "agent_id": value(agent), "resources": listed}


# ---- frames: master → agent --------------------------------------------------------------------
def frame_down(frame: m.FrameDown, agent: str, ack: str | None, names: Names) -> Json:
    """A frame of a master, to the agent of that name; `ack` is the uuid that an Ack means."""
    said: Json = {"kind": type(frame).__name__, "epoch": frame.epoch}
    match frame:
        case m.Registered(reconcile=tasks):
            said |= {"agent_id": agent, "reconcile": [_task(one, names) for one in tasks]}
        case m.Ping(connected=connected):
            said |= {"connected": connected}
        case m.RunTask():
            said |= _run(frame, agent, names)
        case m.Kill(task=task):
            said |= _task(task, names)
        case m.Ack(task=task, uuid=named):
            said |= _task(task, names) | {"uuid": ack or uuid(named)}
        case m.ShutdownExecutor(executor=key):
            said |= _executor(key, names)
        case m.ShutdownFramework(framework=framework):
            said |= {"framework_id": names.framework(framework)}
        case m.UpdateFramework(framework=framework, info=info):
            said |= {"framework": _framework(framework, info, names)}
        case m.ToExecutor(executor=key, data=data):
            said |= _executor(key, names) | {"kind": "Message", "data": free(data.encode())}
        case _:
            pass
    return said


def _task(task: TaskId, names: Names) -> Json:
    return {"framework_id": names.framework(task.framework), "task_id": task.id}


def _framework(framework: FrameworkId, info: m.FrameworkInfo, names: Names) -> Json:
    return {**framework_info(info), "id": value(names.framework(framework))}


def _run(frame: m.RunTask, agent: str, names: Names) -> Json:
    info = _task_info(frame.task.id, agent, resources(frame.resources))
    said: Json = {
        "framework": _framework(frame.task.framework, frame.framework, names),
        "task": info,
        "role": frame.role,
        "launch_executor": frame.launch_executor,
    }
    if frame.executor is None:
        info["command"] = {"value": "true"}
    else:
        said["executor"] = _executor_info(frame.executor, frame.executor_resources)
    return said


def _executor_info(name: str, amounts: Resources) -> Json:
    info: Json = {"executor_id": value(name), "command": {"value": "executor"}}
    if amounts != NOTHING:
        info["resources"] = resources(amounts)
    return info


# ---- calls: executor → agent -------------------------------------------------------------------
def executor_call(kind: str, framework: str, executor: str, part: Json) -> Json:
    """A call of an executor."""
    whom = {"framework_id": value(framework), "executor_id": value(executor)}
    return {"type": kind, **whom, kind.lower(): part}


def executor_subscribe(
    updates: tuple[m.ExecutorUpdate, ...], tasks: frozenset[TaskId], agent: str
) -> Json:
    """What an executor brings along when it is there, perhaps again."""
    return {
        "unacknowledged_updates": [executor_update(one) for one in updates],
        "unacknowledged_tasks": [_task_info(one.id, agent, []) for one in sorted(tasks)],
    }


def executor_update(update: m.ExecutorUpdate) -> Json:
    """What an executor says of a task."""
    status: Json = {
        "task_id": value(update.task.id),
        "state": update.state,
        "source": "SOURCE_EXECUTOR",
        "uuid": uuid(update.uuid),
        "timestamp": 1.0,
    }
    return {"status": status | ({"reason": update.reason} if update.reason else {})}


# ---- calls: scheduler → master -----------------------------------------------------------------
def call(said: m.AnyCall, names: Names) -> Json:
    """A call of a scheduler."""
    if isinstance(said, m.Subscribe):
        return _subscribe(said, names)
    kind, part = _call(said, names)
    body = {} if part is None else {kind.lower(): part}
    return {"type": kind, "framework_id": value(names.framework(said.framework)), **body}


def _subscribe(said: m.Subscribe, names: Names) -> Json:
    info = framework_info(said.info, said.usable)
    body: Json = {"framework_info": info, "suppressed_roles": list(said.suppressed)}
    whole: Json = {"type": "SUBSCRIBE", "subscribe": body}
    if said.framework is not None:
        info["id"] = whole["framework_id"] = value(names.framework(said.framework))
    return whole


def _call(said: m.Call, names: Names) -> tuple[str, Json | None]:
    match said:
        case m.Accept():
            return "ACCEPT", _accept(said, names)
        case m.Decline(offers=offers, filtered=filtered):
            return "DECLINE", _offers(offers, filtered, names)
        case m.Revive(roles=roles):
            return "REVIVE", {"roles": list(roles)}
        case m.Suppress(roles=roles):
            return "SUPPRESS", {"roles": list(roles)}
        case m.KillTask(task=task, agent=agent):
            where = {} if agent is None else {"agent_id": value(agent)}
            return "KILL", {"task_id": value(task.id), **where}
        case m.Acknowledge(agent=agent, task=task):
            about = {"agent_id": value(agent), "task_id": value(task.id)}
            return "ACKNOWLEDGE", {**about, "uuid": uuid(said.uuid)}
        case m.Reconcile(tasks=tasks):
            return "RECONCILE", {"tasks": [_asked(*each) for each in tasks]}
        case m.EndExecutor(agent=agent, executor=executor):
            return "SHUTDOWN", {"agent_id": value(agent), "executor_id": value(executor)}
        case m.SendMessage(agent=agent, executor=executor, data=data):
            about = {"agent_id": value(agent), "executor_id": value(executor)}
            return "MESSAGE", {**about, "data": free(data.encode())}
        case m.Teardown():
            return "TEARDOWN", None
        case m.OtherCall(type=kind):
            return kind, {"requests": []} if kind == "REQUEST" else {}
        case _:
            raise AssertionError(f"the wire has no word for {said}")


def _asked(task: TaskId, agent: str | None) -> Json:
    where = {} if agent is None else {"agent_id": value(agent)}
    return {"task_id": value(task.id), **where}


def _offers(offers: tuple[OfferId, ...], filtered: bool, names: Names) -> Json:
    listed = [value(names.offer(one)) for one in offers]
    return {"offer_ids": listed, "filters": {"refuse_seconds": 5.0 if filtered else 0.0}}


def _accept(said: m.Accept, names: Names) -> Json:
    operations = [_launch(ask) for ask in said.tasks]
    return {**_offers(said.offers, said.filtered, names), "operations": operations}


def _launch(ask: m.TaskAsk) -> Json:
    """A launch of one task; one that comes in a group is flawed by that."""
    if ask.flaw == "REASON_TASK_GROUP_INVALID":
        group = {"tasks": [_ask(ask)]}
        return {
            "type": "LAUNCH_GROUP",
            "launch_group": {"executor": _executor_info("e", NOTHING), "task_group": group},
        }
    return {"type": "LAUNCH", "launch": {"task_infos": [_ask(ask)]}}


def _ask(ask: m.TaskAsk) -> Json:
    """A task to launch; a flaw is that it has nothing to run."""
    info = _task_info(ask.task.id, ask.agent, resources(ask.resources))
    if ask.executor is not None:
        info["executor"] = _executor_info(ask.executor, ask.executor_resources)
    elif ask.flaw is None:
        info["command"] = {"value": "true"}
    return info


# ---- events: master → scheduler ----------------------------------------------------------------
def event(said: m.Event, framework: str) -> Json:
    """An event on a framework's stream."""
    match said:
        case m.Subscribed(framework=given):
            about = {"framework_id": value(given), "heartbeat_interval_seconds": 15.0}
            return {"type": "SUBSCRIBED", "subscribed": about}
        case m.Error():
            return {"type": "ERROR", "error": {"message": "the path has it so"}}
        case m.Offers():
            return {"type": "OFFERS", "offers": {"offers": [_offer(said, framework)]}}
        case m.Rescind(offer=offer):
            return {"type": "RESCIND", "rescind": {"offer_id": value(offer.id)}}
        case m.TaskUpdate():
            return {"type": "UPDATE", "update": {"status": _told(said)}}
        case m.Failure(agent=agent, executor=executor):
            about = {} if executor is None else {"executor_id": value(executor), "status": -1}
            return {"type": "FAILURE", "failure": {"agent_id": value(agent), **about}}
        case m.Message(agent=agent, executor=executor, data=data):
            whom = {"agent_id": value(agent), "executor_id": value(executor)}
            return {"type": "MESSAGE", "message": {**whom, "data": free(data.encode())}}
        case _:
            raise AssertionError(f"the wire has no word for {said}")


def _offer(said: m.Offers, framework: str) -> Json:
    agent = said.offer.agent
    return {
        "id": value(said.offer.id),
        "framework_id": value(framework),
        "agent_id": value(agent),
        "hostname": agent,
        "resources": resources(said.resources),
        "allocation_info": {"role": said.role},
    }


def _told(said: m.TaskUpdate) -> Json:
    about = {
        "task_id": value(said.task.id),
        "agent_id": None if said.agent is None else value(said.agent),
        "state": said.state,
        "source": said.source,
        "reason": said.reason,
        "uuid": uuid(said.uuid),
        "timestamp": 1.0,
    }
    return {key: word for key, word in about.items() if word is not None}
