"""Names for a step: what an action's parameters are, given a record and what the core says it did.

A core's `did` gives only what cannot be read off its record.  Whatever is in a message that was
heard or sent is taken from there, so that a core cannot mean one thing and say another; the
messages themselves are compared by the judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mesos_spec import messages as m
from mesos_spec.ids import AgentId, FrameworkId, LineId, LinkId, OfferId, TaskId
from mesos_spec.kernel import Action
from mesos_spec.kernel.values import Table
from mesos_spec.state import State
from mesos_spec.tools.judging import wire
from mesos_spec.tools.judging.post import Post
from mesos_spec.tools.judging.trace import Heard, Record


class Unbound(Exception):
    """A name the action needs that neither the record nor `did` gives."""


@dataclass(slots=True)
class Scene:
    """Everything a binding may draw from: the record, the node, the names in `did`."""

    role: str
    who: Any
    record: Record
    post: Post
    settled: bool = False
    full: Callable[[], bool] = bool
    did: dict[str, Any] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)

    @property
    def heard(self) -> Heard:
        """What was heard; an empty hearing if nothing was."""
        return self.record.heard or _NOTHING

    def need(self, name: str) -> Any:
        """`name` as `did` gives it, or the record.  Raises `Unbound`."""
        if name in self.did:
            return self.did[name]
        value = getattr(self.heard, name, None)
        if value is None:
            raise Unbound(f"`{name}` is neither in `did` nor in what was heard")
        return value


_NOTHING = Heard()


def _agent(x: Scene) -> Any:
    return x.who if x.role == "agent" else AgentId(x.need("agent"))


def _link(x: Scene) -> LinkId:
    name = x.heard.link or x.did.get("link") or (x.heard.id[0] if x.heard.id else None)
    if x.role == "agent" and name is not None:
        return x.post.links.setdefault(name, LinkId(x.who, name))
    return x.post.link(name)


def _epoch(x: Scene) -> Any:
    return x.who if x.role == "master" else x.need("epoch")


def _line(x: Scene) -> LineId:
    if x.role == "master":
        return x.post.line(x.heard)
    sent = next((s for s in x.record.sent if s.id is not None and s.to == "master"), None)
    name = sent.id[0] if sent is not None and sent.id is not None else x.need("connection")
    return x.post.lines.get(name) or LineId(x.who, name, x.post.sought.get(x.who, 0))


def _stream(x: Scene) -> Any:
    name = x.did.get("stream") or x.heard.new_stream or x.need("stream")
    if x.role == "agent":
        x.post.executor_of[name] = (x.who, FrameworkId(_framework(x)), _executor_id(x))
        return name
    return x.post.open_stream(_line(x), name, x.did.get("framework"), x.who)


def _framework(x: Scene) -> FrameworkId:
    name = x.did.get("framework") or x.heard.framework
    if name is None and x.heard.msg is not None:
        name = wire.maybe(x.heard.msg.get("framework_id"))
    return FrameworkId(name if name is not None else x.need("framework"))


def _executor_id(x: Scene) -> str:
    name = x.did.get("executor") or x.heard.executor
    if name is None and x.heard.msg is not None:
        name = wire.maybe(x.heard.msg.get("executor_id"))
    return str(name if name is not None else x.need("executor"))


def _offer(x: Scene) -> OfferId:
    return OfferId(_agent(x), x.need("offer"))


def _resources(x: Scene) -> Any:
    given = x.did.get("resources")
    if given is not None:
        return wire.vector(given)
    wanted = x.need("offer")
    for sent in x.record.sent:
        for offer in ((sent.msg or {}).get("offers") or {}).get("offers", ()):
            if wire.text(offer["id"]) == wanted:
                return wire.resources(offer.get("resources"))
    raise Unbound(f"offer {wanted} is in no OFFERS event that was sent")


def _task(x: Scene) -> TaskId:
    if "framework" in x.did:
        return TaskId(FrameworkId(x.did["framework"]), x.need("task"))
    ack = _sent_call(x, "ACKNOWLEDGE")
    return TaskId(FrameworkId(wire.text(ack["framework_id"])), wire.text(_body(ack)["task_id"]))


def _sent_call(x: Scene, kind: str) -> dict[str, Any]:
    for sent in x.record.sent:
        if sent.msg is not None and sent.msg.get("type") == kind:
            return sent.msg
    raise Unbound(f"no {kind} was sent")


def _body(call: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = call[call["type"].lower()]
    return body


def _uuid(x: Scene) -> str:
    return str(_body(_sent_call(x, "ACKNOWLEDGE"))["uuid"])


def _acked_agent(x: Scene) -> AgentId:
    return AgentId(wire.text(_body(_sent_call(x, "ACKNOWLEDGE"))["agent_id"]))


def _updates(x: Scene) -> tuple[m.ExecutorUpdate, ...]:
    brought = _subscribe(x).get("unacknowledged_updates") or ()
    return tuple(wire.executor_update(u["status"], _framework(x)) for u in brought)


def _tasks(x: Scene) -> frozenset[TaskId]:
    listed = _subscribe(x).get("unacknowledged_tasks") or ()
    return frozenset(TaskId(_framework(x), wire.text(t["task_id"])) for t in listed)


def _subscribe(x: Scene) -> dict[str, Any]:
    return (x.heard.msg or {}).get("subscribe") or {}


def _update(x: Scene) -> m.ExecutorUpdate:
    if x.heard.msg is None or "update" not in x.heard.msg:
        raise Unbound("no UPDATE of an executor was heard")
    return wire.executor_update(x.heard.msg["update"]["status"], _framework(x))


def _executor(x: Scene) -> Any:
    return _executor_id(x)


def _status(x: Scene) -> int | None:
    for sent in x.record.sent:
        if (sent.msg or {}).get("kind") == "Exited":
            status: int | None = (sent.msg or {}).get("status")
            return status
    return x.heard.status


def _data(x: Scene) -> str:
    return str(((x.heard.msg or {}).get("message") or {}).get("data", ""))


def _minted(x: Scene) -> Table[TaskId, str]:
    """Uuids of updates an agent made itself, as its view shows them: the newest of each queue."""
    shown = x.record.view if x.record.view is not None else (x.record.whole or {})
    minted: dict[TaskId, str] = {}
    for key, queue in shown.items():
        if key.startswith("updates/") and queue:
            _, framework, task = key.split("/", 2)
            minted[TaskId(FrameworkId(framework), task)] = queue[-1][0]
    return Table(minted)


def _message(x: Scene) -> Any:
    if not x.calls:
        raise Unbound("no call was sent that this could be")
    return x.calls.pop(0)


def _registering(x: Scene) -> m.Register:
    """What the agent says of itself in the Register it sent."""
    for sent in x.record.sent:
        if sent.msg is not None and sent.msg.get("kind") == "Register":
            frame = wire.frame_up(sent.msg)
            assert isinstance(frame, m.Register)
            return frame
    raise Unbound("no Register was sent")


def _ask(x: Scene) -> Any:
    return wire.call(_sent_call(x, "SUBSCRIBE"), None, x.post.ids)


_BY_NAME: dict[str, Callable[[Scene], Any]] = {
    "epoch": _epoch,
    "agent": _agent,
    "link": _link,
    "line": _line,
    "stream": _stream,
    "framework": _framework,
    "role": lambda x: x.need("role"),
    "offer": _offer,
    "resources": _resources,
    "settled": lambda x: x.settled,
    "full": lambda x: x.full(),
    "scheduler": lambda x: x.who,
    "executor": _executor,
    "task": _task,
    "uuid": _uuid,
    "updates": _updates,
    "tasks": _tasks,
    "update": _update,
    "status": _status,
    "data": _data,
    "minted": _minted,
    "message": _message,
    "ask": _ask,
    "total": lambda x: _registering(x).total,
    "usable": lambda x: _registering(x).usable,
}

#: Where a name means something else than usual.
_SPECIAL: dict[tuple[str, str], Callable[[Scene], Any]] = {
    ("ack", "agent"): _acked_agent,
}


def giver(action: Action[Any, ...], name: str) -> Callable[[Scene], Any]:
    """Who gives a name of an action, from a scene.  Raises KeyError if nobody does."""
    return _SPECIAL.get((action.name, name)) or _BY_NAME[name]


#: Actions that follow from what was heard, and are of somebody else.
FOLLOW_UPS = frozenset(("forget_agent", "forget_framework"))


def contradicts(name: str, scene: Scene, s: State) -> str | None:
    """What a claim says otherwise than the record it stands in, as the end of a sentence.

    What was heard is no choice: who claims another name for it means another event.
    """
    heard = scene.heard
    if name in FOLLOW_UPS:
        return None
    for what, said in scene.did.items():
        if what in _HEARD and said is not None:
            is_so = getattr(heard, what)
            if is_so is not None and said != is_so:
                return f"of {what} {said!r}, but heard of {is_so!r}"
    ended = _ENDS.get(name) if heard.local == "ended" else None
    if ended is not None:
        is_so, mine = heard.link or heard.stream, ended(scene, s)
        if is_so is not None and mine is not None and mine.id != is_so:
            return f"of the connection {mine.id!r}, but heard that {is_so!r} ended"
    return None


#: What may be both heard and claimed.
_HEARD = frozenset(("epoch", "link", "framework", "executor", "task", "uuid", "status"))

#: Actions that end a connection of somebody → which that is.
_ENDS: dict[str, Callable[[Scene, State], Any]] = {
    "lose_agent": lambda x, s: s.agents[x.who, _agent(x)].link,
    "lose_framework": lambda x, s: s.frameworks[x.who, _framework(x)].stream,
    "drop_link": lambda x, s: s.agent[x.who].link,
    "lose_stream": lambda x, s: s.scheduler[x.who].stream,
}


def bind(action: Action[Any, ...], scene: Scene) -> dict[str, Any]:
    """All names of `action`.  Raises `Unbound` for one that nothing gives."""
    givers = _GIVERS.get(action.name)
    if givers is None:
        names = (*action.over, *action.given)
        givers = _GIVERS[action.name] = [(name, giver(action, name)) for name in names]
    return {name: give(scene) for name, give in givers}


#: For each action met so far: who gives its names.
_GIVERS: dict[str, list[tuple[str, Callable[[Scene], Any]]]] = {}


#: The line and the stream that a record begins, entered in the directory.
line_of, stream_of = _line, _stream
