"""How a master's events and effects look in a trace (docs/reference/trace.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from mesos_ref import link
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.effects import (
    Answer,
    AskElection,
    CloseLink,
    CloseStream,
    OpenStream,
    SendEvent,
    SendFrame,
)
from mesos_ref.master.events import (
    Call,
    Deposed,
    Elected,
    Event,
    Frame,
    LinkEnded,
    OperatorTeardown,
    StreamEnded,
    Tick,
)
from mesos_ref.step import Effect, IdSource, Step
from mesos_ref.trace import Heard, Numbers, Sent, frame, message
from mesos_ref.wire import json, scheduler
from mesos_ref.wire.v1 import MasterInfo


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
                "from": "agent",
                "link": event.link,
            }
        case Call():
            return {
                "id": event.id,
                "msg": message(event.call),
                "from": "scheduler",
                "stream": event.stream,
                "new_stream": event.new_stream,
                "request": event.request,
            }
        case Tick():
            return {"local": "tick"}
        case LinkEnded():
            return {"local": "ended", "link": event.link}
        case StreamEnded():
            return {"local": "ended", "stream": event.stream}
        case Elected():
            info = message(event.master_info)
            return {"local": "elected", "epoch": event.epoch, "master_info": info}
        case Deposed():
            return {"local": "deposed", "why": event.why}
        case OperatorTeardown():
            return {
                "local": "operator",
                "request": event.request,
                "framework": event.framework_id,
            }
        case _:
            assert_never(event)


def sent_of(effect: Effect, numbers: Numbers) -> Sent | None:
    """An entry of ``sent``. Messages are numbered here, as the shell numbers them."""
    match effect:
        case SendFrame():
            assert isinstance(effect.frame, link.Frame)
            n = numbers.take(effect.link)
            return {"id": (effect.link, n), "to": "agent", "msg": frame(effect.frame, is_sent=True)}
        case SendEvent():
            assert isinstance(effect.event, scheduler.Event)
            n = numbers.take(effect.stream)
            return {
                "id": (effect.stream, n),
                "to": "scheduler",
                "msg": message(effect.event, is_sent=True),
            }
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
        case AskElection():
            return {"do": "ask_election", "newest_epoch": effect.newest_epoch}
        case _:
            return None


def event_of(heard: Heard) -> Event:
    """The event that `heard_of` has made this of. Raises `ValueError` if there is none."""
    if "id" in heard:
        return _message_of(heard)
    match heard["local"]:
        case "tick":
            return Tick()
        case "ended" if "link" in heard:
            return LinkEnded(heard["link"])
        case "ended":
            return StreamEnded(heard["stream"])
        case "elected":
            info = json.decode(json.dump(heard["master_info"]), MasterInfo)
            return Elected(heard["epoch"], info)
        case "deposed":
            return Deposed(heard["why"])
        case "operator":
            return OperatorTeardown(heard["request"], heard["framework"])
        case other:
            raise ValueError(f"a master hears no {other!r}")


def _message_of(heard: Heard) -> Event:
    connection, n = heard["id"]
    if heard["from"] == "agent":
        _, heard_frame = link.decode_from_agent(json.dump({**heard["msg"], "n": n}))
        return Frame(connection, n, heard_frame)
    call = scheduler.decode_call(json.dump(heard["msg"]))
    stream, new_stream = heard["stream"], heard["new_stream"]
    return Call(heard["request"], (connection, n), stream, call, new_stream)


def config_of(config: MasterConfig, node_id: str) -> dict[str, Any]:
    """The ``config`` of a header. `node_id` is the master's uuid, part of the ids it mints."""
    plain = {name: getattr(config, name) for name in config.__struct_fields__}
    return {**plain, "node_id": node_id}


def core_of(header: Mapping[str, Any], ids: IdSource) -> MasterCore:
    """A core as it was when this header was written."""
    plain = dict(header["config"])
    node_id = plain.pop("node_id")
    return MasterCore(msgspec.structs.replace(MasterConfig(), **plain), ids, node_id)
