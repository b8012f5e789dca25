"""How a scheduler's events and effects look in a trace (docs/reference/trace.md)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from mesos_ref.scheduler.core import SchedulerConfig, SchedulerCore
from mesos_ref.scheduler.effects import (
    CloseSubscription,
    Connect,
    Deliver,
    NotSent,
    OpenSubscription,
    SendCall,
    Stop,
)
from mesos_ref.scheduler.events import (
    Asked,
    CallAnswered,
    Connected,
    Event,
    EventHeard,
    Heartbeat,
    LeaderSeen,
    Seen,
    StreamEnded,
    StreamOpened,
    SubscribeFailed,
    Tick,
)
from mesos_ref.step import Effect, IdSource, Persist, Step
from mesos_ref.trace import Heard, Numbers, Sent, message, text_of
from mesos_ref.wire import json
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import FrameworkInfo

#: Events that, if nothing came of them, changed nothing either.
_LEAVE_NO_TRACE = (Tick, EventHeard, CallAnswered)


def leaves_record(event: Event, step: Step) -> bool:
    """Whether this is worth a record."""
    return bool(step.effects or step.did) or not isinstance(event, _LEAVE_NO_TRACE)


def heard_of(event: Event) -> Heard:
    """The ``heard`` of a record."""
    match event:
        case EventHeard():
            return {
                "id": (event.stream, event.n),
                "msg": message(event.event),
                "from": "master",
            }
        case Asked():
            return {"local": "asked", "msg": message(event.call)}
        case Seen():
            return {
                "local": "seen",
                "task": event.task_id,
                "agent": event.agent_id,
                "uuid": text_of(event.uuid),
            }
        case Heartbeat():
            return {"local": "heartbeat", "stream": event.stream}
        case Tick():
            return {"local": "tick"}
        case LeaderSeen():
            return {"local": "leader", "epoch": event.epoch, "url": event.url}
        case Connected():
            return {"local": "connected", "connection": event.connection}
        case StreamOpened():
            return {"local": "opened", "connection": event.connection, "stream": event.stream}
        case SubscribeFailed():
            return {
                "local": "ended",
                "connection": event.connection,
                "status": event.status,
                "text": event.text,
            }
        case StreamEnded():
            return {"local": "ended", "stream": event.stream}
        case CallAnswered():
            return {
                "local": "answered",
                "connection": event.connection,
                "n": event.n,
                "status": event.status,
                "text": event.text,
            }
        case _:
            assert_never(event)


def sent_of(effect: Effect, numbers: Numbers) -> Sent | None:
    """An entry of ``sent``; calls bring their numbers along."""
    match effect:
        case SendCall():
            return {
                "id": (effect.connection, effect.n),
                "to": "master",
                "msg": message(effect.call, is_sent=True),
                "stream": effect.stream,
            }
        case OpenSubscription():
            return {
                "id": (effect.connection, 0),
                "to": "master",
                "msg": message(effect.call, is_sent=True),
            }
        case Deliver():
            return {"do": "deliver", "type": effect.event.type}
        case Connect():
            return {
                "do": "connect",
                "connection": effect.connection,
                "epoch": effect.epoch,
                "url": effect.url,
            }
        case CloseSubscription():
            return {"do": "close_connection", "connection": effect.connection}
        case NotSent():
            return {"do": "not_sent", "why": effect.why}
        case Persist():
            return {"do": "persist", "key": effect.key}
        case Stop():
            return {"do": "stop", "error": effect.error}
        case _:
            return None


def event_of(heard: Heard) -> Event:
    """The event that `heard_of` has made this of. Raises `ValueError` if there is none."""
    if "id" in heard:
        stream, n = heard["id"]
        return EventHeard(stream, n, _read(heard["msg"], wire.Event))
    match heard["local"]:
        case "asked":
            return Asked(_read(heard["msg"], wire.Call))
        case "seen":
            return Seen(heard["task"], heard["agent"], base64.b64decode(heard["uuid"]))
        case "heartbeat":
            return Heartbeat(heard["stream"])
        case "tick":
            return Tick()
        case "leader":
            return LeaderSeen(heard["epoch"], heard["url"])
        case "connected":
            return Connected(heard["connection"])
        case "opened":
            return StreamOpened(heard["connection"], heard["stream"])
        case "ended" if "stream" in heard:
            return StreamEnded(heard["stream"])
        case "ended":
            return SubscribeFailed(heard["connection"], heard["status"], heard["text"])
        case "answered":
            return CallAnswered(heard["connection"], heard["n"], heard["status"], heard["text"])
        case other:
            raise ValueError(f"a scheduler hears no {other!r}")


def _read(data: Any, wanted: type[Any]) -> Any:
    return json.decode(json.dump(data), wanted)


def config_of(config: SchedulerConfig) -> dict[str, Any]:
    """The ``config`` of a header."""
    plain = {name: getattr(config, name) for name in config.__struct_fields__}
    return {**plain, "framework": message(config.framework)}


def core_of(header: Mapping[str, Any], ids: IdSource) -> SchedulerCore:
    """A core as it was when this header was written."""
    plain = dict(header["config"])
    framework = _read(plain.pop("framework"), FrameworkInfo)
    plain["suppressed_roles"] = tuple(plain["suppressed_roles"])
    config = msgspec.structs.replace(SchedulerConfig(framework=framework), **plain)
    return SchedulerCore(config, ids, header.get("recovered"))
