"""From the wire to the specification: what a real message says, in the specification's words.

A trace carries messages whole, as JSON.  The specification compares only part of them, so this
module cuts each down to its counterpart in `mesos_spec.messages`.  It knows the shapes of the v1
API and of the agent link by its own reading of them, shares nothing with the implementation, and
is as patient with input as a border must be: what cannot be read is `Unreadable`, with the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mesos_spec import messages as m
from mesos_spec.ids import AgentId, ExecutorKey, FrameworkId, OfferId, SchedulerId, StreamId, TaskId
from mesos_spec.kernel.values import Table
from mesos_spec.resources import NOTHING, Resources
from mesos_spec.tools.judging import flaws

Json = Mapping[str, Any]


#: What reading JSON raises that has not the shape one thought it has.
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Unreadable(Exception):
    """A message in a trace that no reading of the protocol allows."""


def text(value: Any) -> str:
    """An id: a plain string, or an object with one under `value`."""
    if type(value) is dict:
        value = value.get("value")
    if type(value) is str:
        return value
    raise Unreadable(f"an id is a string, or an object with a string under `value`, not {value!r}")


def maybe(value: Any) -> str | None:
    """An id that may be left out."""
    return None if value is None else text(value)


def milli(amount: Any) -> int:
    """An amount in thousandths, rounded as the wire's three decimals are."""
    return round(float(amount) * 1000)


def resources(listed: Any) -> Resources:
    """A wire list of resources as one vector; ranges and sets are counted."""
    amounts: dict[str, int] = {}
    for item in listed or ():
        name = item["name"]
        amounts[name] = amounts.get(name, 0) + _amount(item)
    return Resources(amounts)


def _amount(item: Json) -> int:
    if (scalar := item.get("scalar")) is not None:
        return milli(scalar["value"])
    if (ranges := item.get("ranges")) is not None:
        return 1000 * sum(int(r["end"] - r["begin"]) + 1 for r in ranges.get("range", ()))
    if (members := item.get("set")) is not None:
        return 1000 * len(members.get("item", ()))
    return 0


def vector(amounts: Json) -> Resources:
    """A view's resources, which are in thousandths already."""
    return Resources({name: int(n) for name, n in amounts.items()})


def roles_of(info: Json) -> tuple[str, ...]:
    """The roles of a FrameworkInfo: `roles` if it has MULTI_ROLE, else its one `role`."""
    if "MULTI_ROLE" in _capabilities(info):
        return tuple(sorted(info.get("roles") or ()))
    return (info.get("role") or "*",)


def _capabilities(info: Json) -> set[str]:
    return {c["type"] for c in info.get("capabilities") or () if c.get("type")}


def framework_info(info: Json) -> m.FrameworkInfo:
    """What a FrameworkInfo says that matters to the specification."""
    aware = "PARTITION_AWARE" in _capabilities(info)
    return m.FrameworkInfo(roles_of(info), aware, bool(info.get("checkpoint", False)))


# ---- the agent link --------------------------------------------------------------------------
def _executor(msg: Json) -> ExecutorKey:
    return ExecutorKey(FrameworkId(text(msg["framework_id"])), text(msg["executor_id"]))


def _task(msg: Json) -> TaskId:
    return TaskId(FrameworkId(text(msg["framework_id"])), text(msg["task_id"]))


def _register(msg: Json) -> m.FrameUp:
    tasks = {_task(t): _task_report(t) for t in msg.get("tasks") or ()}
    executors = {
        _executor(e): m.ExecutorReport(e["role"], resources(e.get("resources")))
        for e in msg.get("executors") or ()
    }
    frameworks = {
        FrameworkId(text(f["id"])): framework_info(f) for f in msg.get("frameworks") or ()
    }
    return m.Register(
        epoch=msg["epoch"],
        total=resources(msg["info"].get("resources")),
        tasks=Table(tasks),
        executors=Table(executors),
        frameworks=Table(frameworks),
        usable=flaws.of_agent(msg) is None,
    )


def _task_report(t: Json) -> m.TaskReport:
    return m.TaskReport(
        role=t["role"],
        resources=resources(t.get("resources")),
        executor=maybe(t.get("executor_id")),
        state=t["state"],
        told=t.get("status_state"),
        uuid=t.get("status_uuid"),
        killed=bool(t.get("killed", False)),
    )


def _update(msg: Json) -> m.FrameUp:
    status = msg["status"]
    return m.Update(
        epoch=msg["epoch"],
        task=TaskId(FrameworkId(text(msg["framework_id"])), text(status["task_id"])),
        status=m.Status(
            status["state"], status.get("source", ""), status.get("reason"), status.get("uuid", "")
        ),
        latest=msg["latest_state"],
    )


_FRAMES_UP: dict[str, Callable[[Json], m.FrameUp]] = {
    "Register": _register,
    "Pong": lambda msg: m.Pong(msg["epoch"]),
    "Update": _update,
    "Exited": lambda msg: m.Exited(msg["epoch"], _executor(msg), msg.get("status")),
    "Message": lambda msg: m.FromExecutor(msg["epoch"], _executor(msg), msg["data"]),
}


def _run_task(msg: Json) -> m.FrameDown:
    task, executor = msg["task"], msg.get("executor")
    return m.RunTask(
        epoch=msg["epoch"],
        task=TaskId(FrameworkId(text(msg["framework"]["id"])), text(task["task_id"])),
        role=msg["role"],
        resources=resources(task.get("resources")),
        framework=framework_info(msg["framework"]),
        executor=None if executor is None else text(executor["executor_id"]),
        executor_resources=NOTHING if executor is None else resources(executor.get("resources")),
        launch_executor=bool(msg["launch_executor"]),
    )


_FRAMES_DOWN: dict[str, Callable[[Json], m.FrameDown]] = {
    "Registered": lambda msg: m.Registered(
        msg["epoch"], tuple(_task(t) for t in msg.get("reconcile") or ())
    ),
    "Ping": lambda msg: m.Ping(msg["epoch"], bool(msg["connected"])),
    "RunTask": _run_task,
    "Kill": lambda msg: m.Kill(msg["epoch"], _task(msg)),
    "Ack": lambda msg: m.Ack(msg["epoch"], _task(msg), msg["uuid"]),
    "ShutdownExecutor": lambda msg: m.ShutdownExecutor(msg["epoch"], _executor(msg)),
    "ShutdownFramework": lambda msg: m.ShutdownFramework(
        msg["epoch"], FrameworkId(text(msg["framework_id"]))
    ),
    "UpdateFramework": lambda msg: m.UpdateFramework(
        msg["epoch"],
        FrameworkId(text(msg["framework"]["id"])),
        framework_info(msg["framework"]),
    ),
    "Message": lambda msg: m.ToExecutor(msg["epoch"], _executor(msg), msg["data"]),
    "Shutdown": lambda msg: m.Shutdown(msg["epoch"]),
}


def frame_up(msg: Json) -> m.FrameUp:
    """A frame of an agent.  Raises `Unreadable`."""
    frame: m.FrameUp = _read(_FRAMES_UP, msg)
    return frame


def frame_down(msg: Json) -> m.FrameDown:
    """A frame of a master.  Raises `Unreadable`."""
    frame: m.FrameDown = _read(_FRAMES_DOWN, msg)
    return frame


# ---- calls -----------------------------------------------------------------------------------
class Ids:
    """Where ids live: an offer's agent and a stream's scheduler, which no call repeats."""

    def __init__(self) -> None:
        self.agent_of: dict[str, AgentId] = {}
        self.streams: dict[str, StreamId] = {}

    def offer(self, value: Any) -> OfferId:
        """The offer called so; of the agent `?` if nobody was ever offered it."""
        name = text(value)
        return OfferId(self.agent_of.get(name, AgentId("?")), name)

    def stream(self, name: str | None) -> StreamId:
        """The stream called so; of the scheduler `?` if it was never opened."""
        known = self.streams.get(name or "")
        return known or StreamId(SchedulerId("?"), name or "")


def _filtered(body: Json) -> bool:
    """Whether what is left over shall be filtered: by default for 5 s, not for 0 s (FLT-3)."""
    seconds = (body.get("filters") or {}).get("refuse_seconds", 5.0)
    return not (isinstance(seconds, int | float) and milli(seconds) == 0)


def _tasks(body: Json, framework: FrameworkId) -> tuple[m.TaskAsk, ...]:
    asks: list[m.TaskAsk] = []
    for operation in body.get("operations") or ():
        if operation.get("type") == "LAUNCH":
            infos = (operation.get("launch") or {}).get("task_infos") or ()
            shared = "REASON_TASK_INVALID" if operation.get("id") is not None else None
            asks += [_ask(info, framework, shared) for info in infos]
        elif operation.get("type") == "LAUNCH_GROUP":
            group = (operation.get("launch_group") or {}).get("task_group") or {}
            reason = "REASON_TASK_GROUP_INVALID"
            asks += [_ask(info, framework, reason) for info in group.get("tasks") or ()]
    return tuple(asks)


def _ask(info: Json, framework: FrameworkId, flaw: str | None) -> m.TaskAsk:
    executor = info.get("executor")
    return m.TaskAsk(
        task=TaskId(framework, text(info["task_id"])),
        agent=AgentId(text(info["agent_id"])),
        resources=resources(info.get("resources")),
        executor=None if executor is None else text(executor["executor_id"]),
        executor_resources=NOTHING if executor is None else resources(executor.get("resources")),
        flaw=flaw or flaws.of_task(info, framework),
    )


def _subscribe(msg: Json) -> m.Subscribe:
    body = msg["subscribe"]
    info = body["framework_info"]
    name = maybe(msg.get("framework_id")) or maybe(info.get("id")) or None
    return m.Subscribe(
        framework=None if name is None else FrameworkId(name),
        info=framework_info(info),
        suppressed=tuple(sorted(body.get("suppressed_roles") or ())),
        usable=flaws.of_framework(info, body) is None,
    )


def call(msg: Json, stream: str | None, ids: Ids) -> m.AnyCall:
    """A scheduler's call.  Raises `Unreadable`."""
    try:
        return _call(msg, stream, ids)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"a {msg.get('type')} call that cannot be read: {error!r}") from None


def _call(msg: Json, stream: str | None, ids: Ids) -> m.AnyCall:
    kind = msg["type"]
    if kind == "SUBSCRIBE":
        return _subscribe(msg)
    framework = FrameworkId(text(msg["framework_id"]))
    on = ids.stream(stream)
    body: Json = msg.get(kind.lower()) or {}
    offers = tuple(ids.offer(o) for o in body.get("offer_ids") or ())
    match kind:
        case "ACCEPT":
            return m.Accept(framework, on, offers, _tasks(body, framework), _filtered(body))
        case "DECLINE":
            return m.Decline(framework, on, offers, _filtered(body))
        case "REVIVE":
            return m.Revive(framework, on, tuple(body.get("roles") or ()))
        case "SUPPRESS":
            return m.Suppress(framework, on, tuple(body.get("roles") or ()))
        case "TEARDOWN":
            return m.Teardown(framework, on)
        case "RECONCILE":
            asked = tuple(_asked(t, framework) for t in body.get("tasks") or ())
            return m.Reconcile(framework, on, asked)
        case "KILL" | "ACKNOWLEDGE" | "SHUTDOWN" | "MESSAGE":
            return _about_one(kind, body, framework, on)
        case _:
            return m.OtherCall(framework, on, kind)


def _asked(t: Json, framework: FrameworkId) -> tuple[TaskId, AgentId | None]:
    agent = maybe(t.get("agent_id"))
    return TaskId(framework, text(t["task_id"])), None if agent is None else AgentId(agent)


def _about_one(kind: str, body: Json, framework: FrameworkId, on: StreamId) -> m.AnyCall:
    agent = maybe(body.get("agent_id"))
    home = AgentId(agent or "")
    match kind:
        case "KILL":
            task = TaskId(framework, text(body["task_id"]))
            return m.KillTask(framework, on, task, None if agent is None else home)
        case "ACKNOWLEDGE":
            task = TaskId(framework, text(body["task_id"]))
            return m.Acknowledge(framework, on, home, task, body["uuid"])
        case "SHUTDOWN":
            return m.EndExecutor(framework, on, home, text(body["executor_id"]))
        case _:
            return m.SendMessage(framework, on, home, text(body["executor_id"]), body["data"])


# ---- events ----------------------------------------------------------------------------------
def event(msg: Json, framework: FrameworkId | None, ids: Ids) -> tuple[m.Event, ...]:
    """What an event on a scheduler's stream says; an OFFERS event says one thing for each offer.

    `framework` is whom the stream belongs to.  Raises `Unreadable`.
    """
    try:
        return _event(msg, framework or FrameworkId("?"), ids)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"a {msg.get('type')} event that cannot be read: {error!r}") from None


def _event(msg: Json, framework: FrameworkId, ids: Ids) -> tuple[m.Event, ...]:
    kind = msg["type"]
    body: Json = msg.get(kind.lower()) or {}
    match kind:
        case "SUBSCRIBED":
            return (m.Subscribed(FrameworkId(text(body["framework_id"]))),)
        case "ERROR":
            return (m.Error(),)
        case "OFFERS":
            return tuple(_offer(o, ids) for o in body["offers"])
        case "RESCIND":
            return (m.Rescind(ids.offer(body["offer_id"])),)
        case "UPDATE":
            return (_task_update(body["status"], framework),)
        case "FAILURE":
            executor = maybe(body.get("executor_id"))
            return (m.Failure(AgentId(text(body["agent_id"])), executor, body.get("status")),)
        case "MESSAGE":
            agent, executor = AgentId(text(body["agent_id"])), text(body["executor_id"])
            return (m.Message(agent, executor, body["data"]),)
        case _:
            raise Unreadable(f"no event is called {kind!r}")


def _offer(o: Json, ids: Ids) -> m.Offers:
    agent = AgentId(text(o["agent_id"]))
    ids.agent_of[text(o["id"])] = agent
    parts = o.get("resources") or ()
    role = (o.get("allocation_info") or {}).get("role")
    if role is None:
        role = next((r["allocation_info"]["role"] for r in parts if r.get("allocation_info")), "*")
    return m.Offers(OfferId(agent, text(o["id"])), role, resources(parts))


def _task_update(status: Json, framework: FrameworkId) -> m.TaskUpdate:
    agent = maybe(status.get("agent_id"))
    return m.TaskUpdate(
        task=TaskId(framework, text(status["task_id"])),
        agent=None if agent is None else AgentId(agent),
        state=status["state"],
        source=status.get("source", ""),
        reason=status.get("reason"),
        uuid=status.get("uuid"),
    )


# ---- executors -------------------------------------------------------------------------------
def told_executor(msg: Json, framework: FrameworkId) -> m.ToldExecutor | None:
    """What an agent tells an executor; None for what the specification leaves out (ERROR)."""
    kind = msg["type"]
    body: Json = msg.get(kind.lower()) or {}
    match kind:
        case "SUBSCRIBED":
            return m.ExecutorSubscribed()
        case "LAUNCH":
            return m.LaunchTask(TaskId(framework, text(body["task"]["task_id"])))
        case "KILL":
            return m.StopTask(TaskId(framework, text(body["task_id"])))
        case "ACKNOWLEDGED":
            return m.Acknowledged(TaskId(framework, text(body["task_id"])), body["uuid"])
        case "SHUTDOWN":
            return m.StopExecutor()
        case "MESSAGE":
            return m.Deliver(body["data"])
        case _:
            return None


def executor_update(status: Json, framework: FrameworkId) -> m.ExecutorUpdate:
    """What an executor says of a task."""
    task = TaskId(framework, text(status["task_id"]))
    return m.ExecutorUpdate(task, status["state"], status.get("uuid", ""), status.get("reason"))


def _read(table: Mapping[str, Callable[[Json], Any]], msg: Json) -> Any:
    kind = str(msg.get("kind"))
    reader = table.get(kind)
    if reader is None:
        raise Unreadable(f"no frame is called {kind!r}")
    try:
        return reader(msg)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"a {kind} frame that cannot be read: {error!r}") from None
