"""Schedulers on our library along a path: what masters say, and users want, is the model's.

The library makes calls by itself when it is back (it asks how its tasks are, S14); those are more
than a path has.  Ids keep the names that the model gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mesos_ref import trace
from mesos_ref.scheduler import tracing
from mesos_ref.scheduler.core import SchedulerConfig, SchedulerCore, violations
from mesos_ref.scheduler.effects import Connect, SendCall
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
from mesos_ref.step import Persist
from mesos_ref.wire import json as wire_json
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import FrameworkInfo
from mesos_spec.ids import SchedulerId
from mesos_spec.messages import Event as Said
from mesos_spec.state import State
from mesos_spec.tools.search.checker import Taken
from model_tests.paths import wording
from model_tests.paths.players import Counting, Left, Players, Process, message_of, process

#: Steps that empty a channel, and hear nothing of what was in it.
DEAF = frozenset({"lose_stream", "turn_scheduler_to"})
#: What the library may have done already: an update that comes again is acknowledged at once, and
#: after TEARDOWN it leaves.
AHEAD = frozenset({"ack", "lose_stream"})


@dataclass
class Schedulers(Players):
    """The schedulers of one path."""

    kept: dict[SchedulerId, dict[str, Any]] = field(default_factory=dict)
    lives: dict[SchedulerId, int] = field(default_factory=dict)
    dialled: dict[SchedulerId, str] = field(default_factory=dict)
    lines: dict[SchedulerId, str] = field(default_factory=dict)  #: connections, by who made them
    opened: dict[SchedulerId, str] = field(default_factory=dict)
    called: list[tuple[str, int]] = field(default_factory=list)  #: what no answer came to yet
    heard: dict[str, int] = field(default_factory=dict)  #: events so far, by stream

    tick: ClassVar[Any] = Tick()

    def follow(self, s: State, step: Taken) -> None:
        """Take the next step of a path, which is taken in `s`.  Raises `Left` and `Parted`."""
        who = step.bound.get("scheduler")
        if who is None:
            return
        if step.action == "crash_scheduler":
            self.now.pop(who, None)
            return
        if who not in self.now:
            self._start(s, who)
        if step.action == "ask_to_subscribe":
            self._ask(who, step)
        elif step.action in AHEAD and self.is_done(who, step):
            pass
        else:
            self.compare(who, step, self.hear(who, self._event(s, who, step)))
            self.overhear(who, Heartbeat(self.opened.get(who, "none")))
        while self.called:  # and each call is answered at once
            for did in self.hear(who, CallAnswered(*self.called.pop(0), 202)):
                self.beside(who, *did)

    def _start(self, s: State, who: SchedulerId) -> None:
        self.lives[who] = life = self.lives.get(who, 0) + 1
        program = s.bounds.schedulers[who]
        known = {} if program.framework is None else {"framework_id": program.framework}
        kept = self.kept.setdefault(who, known)
        ids = trace.RecordedIds(Counting(f"{who}.{life}"))
        info = wording.framework_info(program.info, program.usable)
        config = SchedulerConfig(
            framework=wire_json.from_builtins(info, FrameworkInfo),
            suppressed_roles=program.suppressed,
        )
        recovered = {**kept, "tasks": {}}
        core = SchedulerCore(config, ids, recovered)
        given = {"config": tracing.config_of(config), "recovered": recovered}
        written = process("scheduler", who, life, core, ids, given)
        self.begin(who, Process(core, *written, f"{who}.{life}", violations))

    def _ask(self, who: SchedulerId, step: Taken) -> None:
        """The library dials, now or after a while, and is connected."""
        core = self.now[who].core
        if core.is_over:
            raise Left("it is over")
        while who not in self.dialled:
            if core.next_deadline is None:
                raise Left("it does not dial")
            self.now_us = max(self.now_us, core.next_deadline)
            self.time_passed(who, step)
        self.lines[who] = connection = self.dialled.pop(who)
        self.opened.pop(who, None)
        self.compare(who, step, self.hear(who, Connected(connection)))

    # ---- events --------------------------------------------------------------------------------
    def _event(self, s: State, who: SchedulerId, step: Taken) -> Event:
        bound = step.bound
        taken = None if step.action in DEAF else message_of(step, "events")
        if taken is not None:
            return self._said(s, who, taken[1])
        match step.action:
            case "turn_scheduler_to":
                return LeaderSeen(bound["epoch"], f"http://m{bound['epoch']}")
            case "lose_stream" if who in self.opened:
                return StreamEnded(self.opened[who])
            case "lose_stream":
                return SubscribeFailed(self.lines.get(who, "none"), 0, "the path has it so")
            case "call":
                said = wording.call(bound["message"], self.names)
                del said["framework_id"]
                return Asked(wire.decode_call(wire_json.dump(said)))
            case "ack":
                named = wire.decode_call(wire_json.dump(_acknowledge(step))).acknowledge
                assert named is not None
                return Seen(named.task_id, named.agent_id, named.uuid)
            case _:
                raise Left(f"nothing is heard of {step.action}")

    def _said(self, s: State, who: SchedulerId, message: Said) -> Event:
        """An event; its stream is opened, if this is the first one."""
        if who not in self.opened:
            self.opened[who] = self.names.fresh("stream")
            assert self.hear(who, StreamOpened(self.lines[who], self.opened[who])) == []
        stream = self.opened[who]
        n = self.heard[stream] = self.heard.get(stream, -1) + 1
        said = wording.event(message, s.scheduler[who].framework or "nobody")
        return EventHeard(stream, n, wire.decode_event(wire_json.dump(said)))

    def refusals(self, by: Any) -> tuple[Event, ...]:
        """SUBSCRIBE is turned away, or a call is, and then the next: its subscription is unknown.

        But only after every other path: the others end in silence.
        """
        state = self.now[by].core.state
        if len(self.events) % 2 or state.standing not in ("subscribing", "subscribed"):
            return ()
        if state.standing == "subscribing":
            return (SubscribeFailed(state.connection, 400, "Failed to validate it"),)
        last = state.connection, state.next_call - 1
        return (
            CallAnswered(*last, 400, "Failed to validate it"),
            CallAnswered(*last, 403, "Framework is not subscribed"),
        )

    # ---- what is done, and its names -----------------------------------------------------------
    def performed(self, by: Any, effect: Any) -> None:
        """What outlives a step: what is kept, and who was dialled."""
        match effect:
            case Persist(key=key, value=value):
                self.kept[by][key] = value
            case Connect(connection=connection):
                self.dialled[by] = connection
            case SendCall(connection=connection, n=n):
                self.called.append((connection, n))
            case _:
                pass

    def is_meant(self, step: Taken, real: Mapping[str, Any]) -> bool:
        """Whether the names of what was done are the path's, as far as those are known."""
        return all(real[name] == value for name, value in step.bound.items() if name == "epoch")


def _acknowledge(step: Taken) -> wording.Json:
    """What the library will say of an update that was seen."""
    about = {
        "agent_id": wording.value(step.bound["agent"]),
        "task_id": wording.value(step.bound["task"].id),
        "uuid": wording.uuid(step.bound["uuid"]),
    }
    return {"type": "ACKNOWLEDGE", "acknowledge": about}
