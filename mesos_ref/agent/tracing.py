"""How an agent's events and effects look in a trace (docs/reference/trace.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit, StartExecutor
from mesos_ref.agent.events import (
    Event,
    ExecutorCall,
    ExecutorExited,
    ExecutorStreamEnded,
    Frame,
    LeaderSeen,
    Linked,
    LinkEnded,
    Started,
    Tick,
)
from mesos_ref.step import (
    Answer,
    CloseLink,
    CloseStream,
    Effect,
    IdSource,
    OpenStream,
    Persist,
    SendEvent,
    SendFrame,
    Step,
)
from mesos_ref.trace import Heard, Numbers, Sent, frame, message
from mesos_ref.wire import executor, json
from mesos_ref.wire.v1 import Attribute, Resource


def leaves_record(event: Event, step: Step) -> bool:
    """Whether this is worth a record."""
    return bool(step.effects or step.did) or not isinstance(event, Tick)


def heard_of(event: Event) -> Heard:
    """The ``heard`` of a record."""
    match event:
        case Frame():
            return {
                "id": (event.link, event.n),
                "msg": frame(event.frame),
                "from": "master",
                "link": event.link,
            }
        case ExecutorCall():
            return {
                "id": event.id,
                "msg": message(event.call),
                "from": "executor",
                "framework": event.framework_id,
                "executor": event.executor_id,
                "new_stream": event.new_stream,
                "request": event.request,
            }
        case Tick():
            return {"local": "tick"}
        case Started():
            return {"local": "started", "alive": event.alive, "wall_us": event.wall_us}
        case LeaderSeen():
            return {"local": "leader", "epoch": event.epoch, "url": event.url}
        case Linked():
            return {"local": "linked", "link": event.link}
        case LinkEnded():
            return {"local": "ended", "link": event.link}
        case ExecutorStreamEnded():
            return {"local": "ended", "stream": event.stream}
        case ExecutorExited():
            return {
                "local": "exited",
                "container": event.container,
                "status": event.status,
                "why": event.why,
            }
        case _:
            assert_never(event)


def sent_of(effect: Effect, numbers: Numbers) -> Sent | None:
    """An entry of ``sent``. Messages are numbered here, as the shell numbers them."""
    match effect:
        case SendFrame():
            assert isinstance(effect.frame, link.Frame)
            n = numbers.take(effect.link)
            return {
                "id": (effect.link, n),
                "to": "master",
                "msg": frame(effect.frame, is_sent=True),
            }
        case SendEvent():
            assert isinstance(effect.event, executor.Event)
            n = numbers.take(effect.stream)
            return {
                "id": (effect.stream, n),
                "to": "executor",
                "msg": message(effect.event, is_sent=True),
            }
        case _:
            return _done_of(effect, numbers)


def _done_of(effect: Effect, numbers: Numbers) -> Sent | None:
    """What is no message."""
    match effect:
        case Answer():
            return {
                "do": "answer",
                "request": effect.request,
                "status": effect.status,
                "body": effect.body,
            }
        case OpenStream():
            return {"do": "open_stream", "stream": effect.stream, "request": effect.request}
        case CloseStream():
            numbers.forget(effect.stream)
            return {"do": "close_stream", "stream": effect.stream}
        case CloseLink():
            numbers.forget(effect.link)
            return {"do": "close_link", "link": effect.link}
        case Persist():
            return {"do": "persist", "key": effect.key}
        case Connect():
            return {
                "do": "connect",
                "link": effect.link,
                "epoch": effect.epoch,
                "url": effect.url,
            }
        case StartExecutor():
            return {
                "do": "start_executor",
                "container": effect.container,
                "framework": effect.framework_id,
                "executor": effect.executor_id,
                "command": effect.executor_info is None,
            }
        case DestroyExecutor():
            return {"do": "destroy_executor", "container": effect.container}
        case Exit():
            return {"do": "exit", "code": effect.code, "why": effect.why}
        case _:
            return None


def event_of(heard: Heard) -> Event:
    """The event that `heard_of` has made this of. Raises `ValueError` if there is none."""
    if "id" in heard:
        return _message_of(heard)
    match heard["local"]:
        case "tick":
            return Tick()
        case "started":
            return Started(tuple(heard["alive"]), heard["wall_us"])
        case "leader":
            return LeaderSeen(heard["epoch"], heard["url"])
        case "linked":
            return Linked(heard["link"])
        case "ended" if "link" in heard:
            return LinkEnded(heard["link"])
        case "ended":
            return ExecutorStreamEnded(heard["stream"])
        case "exited":
            return ExecutorExited(heard["container"], heard["status"], heard["why"])
        case other:
            raise ValueError(f"an agent hears no {other!r}")


def _message_of(heard: Heard) -> Event:
    connection, n = heard["id"]
    if heard["from"] == "master":
        _, heard_frame = link.decode_from_master(json.dump({**heard["msg"], "n": n}))
        return Frame(connection, n, heard_frame)
    return ExecutorCall(
        heard["request"],
        (connection, n),
        heard["framework"],
        heard["executor"],
        executor.decode_call(json.dump(heard["msg"])),
        heard["new_stream"],
    )


def config_of(config: AgentConfig) -> dict[str, Any]:
    """The ``config`` of a header."""
    plain = {name: getattr(config, name) for name in config.__struct_fields__}
    plain["resources"] = [message(resource) for resource in config.resources]
    plain["attributes"] = [message(attribute) for attribute in config.attributes]
    return plain


def core_of(header: Mapping[str, Any], ids: IdSource) -> AgentCore:
    """A core as it was when this header was written."""
    plain = dict(header["config"])
    plain["resources"] = tuple(json.from_builtins(r, Resource) for r in plain["resources"])
    plain["attributes"] = tuple(json.from_builtins(a, Attribute) for a in plain["attributes"])
    config = msgspec.structs.replace(AgentConfig(), **plain)
    return AgentCore(config, ids, header.get("recovered", {}))
