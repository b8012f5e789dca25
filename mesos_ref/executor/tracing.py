"""How a command executor's events and effects look in a trace (docs/reference/trace.md).

Its connections are numbered by the core, and each is known by its number.
On real machines executors write no trace: the agent's records say what they were told and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from mesos_ref.executor.core import ExecutorConfig, ExecutorCore
from mesos_ref.executor.effects import (
    CloseSubscription,
    Exit,
    OpenSubscription,
    RunCommand,
    SendCall,
    SignalCommand,
)
from mesos_ref.executor.events import (
    CallFailed,
    CommandEnded,
    CommandNotStarted,
    CommandStarted,
    Event,
    EventHeard,
    Started,
    StreamEnded,
    StreamOpened,
    SubscribeFailed,
    Terminated,
    Tick,
)
from mesos_ref.step import Effect, IdSource, Step
from mesos_ref.trace import Heard, Numbers, Sent, message
from mesos_ref.wire import executor, json


def leaves_record(event: Event, step: Step) -> bool:
    """Whether this is worth a record."""
    return bool(step.effects or step.did) or not isinstance(event, Tick)


def heard_of(event: Event) -> Heard:
    """The ``heard`` of a record."""
    match event:
        case EventHeard():
            return {
                "id": (str(event.connection), event.n),
                "msg": message(event.event),
                "from": "agent",
            }
        case Started() | Terminated() | Tick():
            return {"local": type(event).__name__.lower()}
        case StreamOpened():
            name = str(event.connection)
            return {"local": "opened", "connection": name, "stream": name}
        case SubscribeFailed():
            return {
                "local": "ended",
                "connection": str(event.connection),
                "status": event.status,
                "text": event.text,
            }
        case StreamEnded():
            return {"local": "ended", "stream": str(event.connection)}
        case CallFailed():
            return {
                "local": "call_failed",
                "connection": str(event.connection),
                "status": event.status,
            }
        case CommandStarted():
            return {"local": "command_started", "pid": event.pid}
        case CommandNotStarted():
            return {"local": "command_not_started", "why": event.why}
        case CommandEnded():
            return {
                "local": "command_ended",
                "exit_code": event.exit_code,
                "signal": event.signal,
            }
        case _:
            assert_never(event)


def sent_of(effect: Effect, numbers: Numbers) -> Sent | None:
    """An entry of ``sent``. Calls are numbered here; SUBSCRIBE is the first of its connection."""
    match effect:
        case OpenSubscription() | SendCall():
            name = str(effect.connection)
            return {
                "id": (name, numbers.take(name)),
                "to": "agent",
                "msg": message(effect.call, is_sent=True),
            }
        case CloseSubscription():
            numbers.forget(str(effect.connection))
            return {"do": "close_connection", "connection": str(effect.connection)}
        case RunCommand():
            return {"do": "run_command", "task": effect.task.task_id}
        case SignalCommand():
            return {"do": "signal_command", "signal": effect.signal}
        case Exit():
            return {"do": "exit", "code": effect.code, "why": effect.why}
        case _:
            return None


def event_of(heard: Heard) -> Event:
    """The event that `heard_of` has made this of. Raises `ValueError` if there is none."""
    if "id" in heard:
        name, n = heard["id"]
        return EventHeard(int(name), n, executor.decode_event(json.dump(heard["msg"])))
    match heard["local"]:
        case "started":
            return Started()
        case "terminated":
            return Terminated()
        case "tick":
            return Tick()
        case "opened":
            return StreamOpened(int(heard["connection"]))
        case "ended" if "stream" in heard:
            return StreamEnded(int(heard["stream"]))
        case "ended":
            return SubscribeFailed(int(heard["connection"]), heard["status"], heard["text"])
        case "call_failed":
            return CallFailed(int(heard["connection"]), heard["status"])
        case "command_started":
            return CommandStarted(heard["pid"])
        case "command_not_started":
            return CommandNotStarted(heard["why"])
        case "command_ended":
            return CommandEnded(heard["exit_code"], heard["signal"])
        case other:
            raise ValueError(f"an executor hears no {other!r}")


def config_of(config: ExecutorConfig) -> dict[str, Any]:
    """The ``config`` of a header."""
    return {name: getattr(config, name) for name in config.__struct_fields__}


def core_of(header: Mapping[str, Any], ids: IdSource) -> ExecutorCore:
    """A core as it was when this header was written."""
    return ExecutorCore(msgspec.convert(header["config"], ExecutorConfig), ids)
