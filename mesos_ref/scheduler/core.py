"""A scheduler's side of the v1 API, without sockets, clocks or threads (D17).

It keeps one subscription alive: at the newest leader it knows, with the framework id it was once
given, after any failure, with back-off. It hands the user's code each update once, acknowledges an
update when that code has handled it, and asks the master about its tasks after every subscription.
It ends when the master says ERROR, or when the framework was torn down as asked.

One thing at a time is under way, a *connection*:

    Connect ──▶ Connected ──▶ OpenSubscription ──▶ StreamOpened ──▶ SUBSCRIBED ──▶ events and calls
       ▲                                                                                   │
       └─────────── back-off ◀── CloseSubscription: it failed, fell silent, or was refused ┘

Calls are made at most once. That is enough: an acknowledgement is made again when its update comes
again, and what became of an ACCEPT is asked by reconciliation.
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from mesos_ref.scheduler import view
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
from mesos_ref.scheduler.state import RECONCILE_BATCH, State
from mesos_ref.step import NOTHING, Did, Effect, IdSource, Persist, Recovered, Step
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import FrameworkInfo, TaskStatus
from mesos_ref.wire.validate import validate_call

#: Answers to SUBSCRIBE that no waiting will change.
HOPELESS = frozenset({400, 401, 405, 406, 413, 415, 501})

#: Answers to a call that say: this master does not know this subscription (or leads no more).
NOT_SUBSCRIBED = frozenset({0, 307, 403, 503})


class SchedulerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a scheduler is told at start. All times are in microseconds."""

    framework: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()
    #: A connection and the answer to SUBSCRIBE may take this long together.
    subscribe_timeout_us: int = 10_000_000
    #: Before attempt k the wait is random, below min(backoff × 2^k, backoff_max).
    backoff_us: int = 200_000
    backoff_max_us: int = 10_000_000
    #: So many heartbeats may be missed before the stream counts as dead.
    missed_heartbeats: int = 4
    #: Used if SUBSCRIBED names no interval.
    heartbeat_us: int = 15_000_000
    #: Tasks not spoken of are asked about again, at doubling intervals (REC-2, REC-10).
    reconcile_us: int = 10_000_000
    reconcile_max_us: int = 300_000_000


class SchedulerCore:
    """All of a scheduler's state, and the only code that changes it.

    `recovered` may hold ``framework_id``, as persisted by an earlier incarnation, and ``tasks``:
    task id -> agent id (or None), those that may be alive, from whoever keeps a list of them.
    """

    def __init__(
        self, config: SchedulerConfig, ids: IdSource, recovered: Recovered | None = None
    ) -> None:
        known = recovered or {}
        self.config = config
        self.state = State(
            known.get("framework_id") or config.framework.id, dict(known.get("tasks", {}))
        )
        self._ids = ids
        self._effects: list[Effect] = []
        self._did: list[Did] = []
        #: When the attempt under way has taken too long; None if none is, or it succeeded.
        self._give_up_at: int | None = None
        #: When to try again; None while an attempt is under way or there is no leader.
        self._retry_at: int | None = None
        #: When silence of the stream has lasted too long; None unless subscribed.
        self._silent_at: int | None = None
        #: When to ask again about `state.unanswered`; None if it is empty or we are not subscribed.
        self._reconcile_at: int | None = None
        self._reconcile_wait_us = config.reconcile_us
        self._heartbeat_us = config.heartbeat_us
        #: Failed attempts since the last success.
        self._failures = 0
        #: The user has asked for TEARDOWN; it is made again until a master has answered it.
        self._leaving = False
        #: Number of the TEARDOWN on this connection.
        self._farewell: int | None = None
        #: Nothing will be done any more.
        self._over = False

    # The interface of every core ----------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Whether changes of the view are kept for `take_changes`."""
        return self.state.watched

    @watched.setter
    def watched(self, value: bool) -> None:
        self.state.watched = value

    @property
    def next_deadline(self) -> int | None:
        """When `Tick` is wanted next."""
        times = (self._give_up_at, self._retry_at, self._silent_at, self._reconcile_at)
        return min((at for at in times if at is not None), default=None)

    def view(self) -> dict[str, Any]:
        """The scheduler as the specification sees it."""
        return view.whole(self.state)

    def take_changes(self) -> dict[str, Any]:
        """View keys that may have changed since the last call, with their values; None: gone."""
        return view.changed(self.state)

    def handle(self, event: Event, now_us: int) -> Step:
        """Take one event. Never raises on what a master sends; after `Stop` it does nothing."""
        if self._over:
            return NOTHING
        match event:
            case EventHeard():
                self._on_event(event, now_us)
            case Heartbeat():
                self._on_heartbeat(event, now_us)
            case Asked():
                self._on_asked(event)
            case Seen():
                self._on_seen(event)
            case CallAnswered():
                self._on_answer(event, now_us)
            case LeaderSeen():
                self._on_leader(event, now_us)
            case Connected():
                self._on_connected(event)
            case StreamOpened():
                self._on_opened(event)
            case SubscribeFailed():
                self._on_subscribe_failed(event, now_us)
            case StreamEnded():
                self._on_ended(event, now_us)
            case Tick():
                self._on_tick(now_us)
            case _:
                assert_never(event)
        return self._take_step()

    def _take_step(self) -> Step:
        if not self._effects and not self._did:
            return NOTHING
        step = Step(tuple(self._effects), tuple(self._did))
        self._effects.clear()
        self._did.clear()
        return step

    # Getting and losing a subscription ----------------------------------------------------------

    def _on_leader(self, event: LeaderSeen, now_us: int) -> None:
        state = self.state
        if state.epoch is not None and event.epoch <= state.epoch:
            return
        self._did.append(("turn_scheduler_to", {"epoch": event.epoch}))
        state.epoch, state.url = event.epoch, event.url
        self._drop()
        self._failures = 0
        self._connect(now_us)

    def _connect(self, now_us: int) -> None:
        state = self.state
        assert state.epoch is not None
        state.connection = self._ids.uuid()
        state.next_call = 0
        self._retry_at = None
        self._give_up_at = now_us + self.config.subscribe_timeout_us
        self._effects.append(Connect(state.connection, state.epoch, state.url))

    def _on_connected(self, event: Connected) -> None:
        state = self.state
        if event.connection != state.connection or state.standing != "disconnected":
            return
        self._did.append(("ask_to_subscribe", {}))
        state.standing = "subscribing"
        state.next_call = 1
        state.touch()
        info = msgspec.structs.replace(self.config.framework, id=state.framework_id)
        call = wire.Call(
            type="SUBSCRIBE",
            framework_id=state.framework_id,
            subscribe=wire.Subscribe(
                framework_info=info, suppressed_roles=self.config.suppressed_roles
            ),
        )
        self._effects.append(OpenSubscription(event.connection, call))

    def _on_opened(self, event: StreamOpened) -> None:
        if event.connection == self.state.connection and self.state.standing == "subscribing":
            self.state.opened = event.stream

    def _on_subscribe_failed(self, event: SubscribeFailed, now_us: int) -> None:
        if event.connection != self.state.connection or self.state.standing == "subscribed":
            return
        self._lose(now_us, told=False)
        if event.status in HOPELESS:
            self._stop(f"SUBSCRIBE was answered with {event.status}: {event.text}")

    def _on_ended(self, event: StreamEnded, now_us: int) -> None:
        if event.stream == self.state.opened:
            self._lose(now_us, told=False)

    def _lose(self, now_us: int, told: bool = True) -> None:
        """The attempt under way has failed or ended. `told`: the shell does not know it yet."""
        if self.state.standing != "disconnected":
            self._did.append(("lose_stream", {}))
        self._drop(told)
        limit = min(self.config.backoff_us << min(self._failures, 20), self.config.backoff_max_us)
        self._failures += 1
        self._retry_at = now_us + self._random_below(limit)

    def _drop(self, told: bool = True) -> None:
        """Be disconnected, whatever we were."""
        state = self.state
        if told and state.connection is not None:
            self._effects.append(CloseSubscription(state.connection))
        state.release_all()
        state.connection = state.opened = state.stream = None
        state.standing = "disconnected"
        state.unanswered.clear()
        state.touch()
        self._farewell = None
        self._give_up_at = self._silent_at = self._reconcile_at = self._retry_at = None

    def _stop(self, error: str | None) -> None:
        self._retry_at = None
        self._over = True
        self._effects.append(Stop(error))

    def _random_below(self, limit_us: int) -> int:
        return int.from_bytes(self._ids.uuid_bytes()[:6]) % max(1, limit_us)

    # What the master says -----------------------------------------------------------------------

    def _on_event(self, heard: EventHeard, now_us: int) -> None:
        state, event = self.state, heard.event
        if heard.stream != state.opened:
            return
        if event.type == "SUBSCRIBED" and event.subscribed is not None:
            if state.standing == "subscribing":
                self._on_subscribed(event.subscribed, now_us)
            return
        if event.type == "ERROR" and event.error is not None:
            self._on_error(event)
            return
        if state.standing != "subscribed":
            return
        self._silent_at = now_us + self._patience_us()
        if event.type == "UPDATE" and event.update is not None:
            self._on_update(event, event.update.status)
            return
        if event.type == "OFFERS" and event.offers is not None:
            self._did.append(("hear_offers", {}))
            for offer in event.offers.offers:
                state.hold(offer)
        elif event.type == "RESCIND" and event.rescind is not None:
            self._did.append(("hear_rescind", {}))
            state.release(event.rescind.offer_id)
        elif event.type == "MESSAGE" and event.message is not None:
            self._did.append(("hear_message", {}))
        elif event.type == "FAILURE" and event.failure is not None:
            self._did.append(("hear_failure", {}))
        self._effects.append(Deliver(event))

    def _on_subscribed(self, subscribed: wire.Subscribed, now_us: int) -> None:
        state = self.state
        first = state.framework_id is None
        self._did.append(("be_subscribed", {}))
        if first:
            self._effects.append(Persist("framework_id", subscribed.framework_id))
            state.framework_id = subscribed.framework_id
        state.standing = "subscribed"
        state.stream = state.opened
        state.touch()
        seconds = subscribed.heartbeat_interval_seconds or 0.0
        if 0.001 <= seconds <= 86_400:
            self._heartbeat_us = int(seconds * 1_000_000)
        self._failures = 0
        self._give_up_at = None
        self._silent_at = now_us + self._patience_us()
        self._effects.append(Deliver(wire.Event(type="SUBSCRIBED", subscribed=subscribed)))
        if self._leaving:
            self._leave()
        elif not first:
            self._start_reconciling(now_us)

    def _patience_us(self) -> int:
        return self._heartbeat_us * self.config.missed_heartbeats

    def _on_heartbeat(self, event: Heartbeat, now_us: int) -> None:
        if event.stream == self.state.stream:
            self._silent_at = now_us + self._patience_us()

    def _on_error(self, event: wire.Event) -> None:
        assert event.error is not None
        self._did.append(("hear_error", {}))
        self._drop()
        self.state.standing = "stopped"
        self._effects.append(Deliver(event))
        self._stop(None if self._leaving else event.error.message)

    def _on_update(self, event: wire.Event, status: TaskStatus) -> None:
        """Deliver it if it is new, acknowledge it if the user's code has handled it already."""
        state = self.state
        self._did.append(("hear_update", {}))
        state.note(status)
        if status.uuid is None:
            self._effects.append(Deliver(event))
            return
        handled = state.delivered.get((status.task_id, status.uuid))
        if handled is None:
            state.remember(status.task_id, status.uuid, handled=False)
            self._effects.append(Deliver(event))
        elif handled and status.agent_id is not None:
            self._acknowledge(status.task_id, status.agent_id, status.uuid)

    # What the user's code wants -----------------------------------------------------------------

    def _on_seen(self, seen: Seen) -> None:
        self.state.remember(seen.task_id, seen.uuid, handled=True)
        if self.state.standing == "subscribed":
            self._acknowledge(seen.task_id, seen.agent_id, seen.uuid)

    def _acknowledge(self, task_id: str, agent_id: str, uuid: bytes) -> None:
        part = wire.Acknowledge(agent_id=agent_id, task_id=task_id, uuid=uuid)
        self._call(wire.Call(type="ACKNOWLEDGE", acknowledge=part), action="ack")

    def _on_asked(self, asked: Asked) -> None:
        if asked.call.type == "TEARDOWN":
            self._leaving = True
            if self.state.standing == "subscribed":
                self._leave()
            return
        call = msgspec.structs.replace(asked.call, framework_id=self.state.framework_id)
        why = self._why_not(call)
        if why is not None:
            self._effects.append(NotSent(why, asked.call))
            return
        if call.accept is not None:
            self._note_launches(call.accept)
        for part in (call.accept, call.decline):
            for offer_id in part.offer_ids if part is not None else ():
                self.state.release(offer_id)
        self._call(call)

    def _why_not(self, call: wire.Call) -> str | None:
        if self.state.standing != "subscribed":
            return f"not subscribed (but {self.state.standing}); calls need a subscription"
        if call.type == "SUBSCRIBE":
            return "SUBSCRIBE is the library's own call"
        if call.type == "ACKNOWLEDGE":
            return "ACKNOWLEDGE is the library's own call; say that an update was seen instead"
        return validate_call(call)

    def _leave(self) -> None:
        """Say good-bye: the master removes the framework (FWK-16)."""
        self._farewell = self.state.next_call
        self._call(wire.Call(type="TEARDOWN"))

    def _note_launches(self, accept: wire.Accept) -> None:
        for operation in accept.operations:
            if operation.launch is not None:
                for task in operation.launch.task_infos:
                    self.state.tasks[task.task_id] = task.agent_id

    def _call(self, call: wire.Call, action: str = "call") -> None:
        """Make a call on the current subscription. Every caller has checked that there is one."""
        state = self.state
        assert state.connection is not None
        assert state.stream is not None
        if call.framework_id is None:
            call = msgspec.structs.replace(call, framework_id=state.framework_id)
        self._did.append((action, {}))
        self._effects.append(SendCall(state.connection, state.stream, state.next_call, call))
        state.next_call += 1

    def _on_answer(self, answer: CallAnswered, now_us: int) -> None:
        """Anything but 202 is either the end of the subscription or a mistake of the user's."""
        if answer.connection != self.state.connection:
            return
        if 200 <= answer.status < 300:
            if answer.n == self._farewell:
                self._lose(now_us)
                self._stop(None)
            return
        is_mistake = answer.status not in NOT_SUBSCRIBED and (
            answer.status != 400 or answer.text.startswith("Failed to validate")
        )
        if is_mistake:
            self._effects.append(NotSent(f"answered with {answer.status}: {answer.text}"))
        else:
            self._lose(now_us)

    # Reconciliation, and time -------------------------------------------------------------------

    def _start_reconciling(self, now_us: int) -> None:
        """Ask about every task we know of (REC-1), then for those we don't (REC-8)."""
        self.state.unanswered = dict.fromkeys(self.state.tasks)
        self._reconcile_wait_us = self.config.reconcile_us
        self._ask_about_tasks(now_us)
        self._call(wire.Call(type="RECONCILE", reconcile=wire.Reconcile()))

    def _ask_about_tasks(self, now_us: int) -> None:
        state = self.state
        tasks = [
            wire.ReconcileTask(task_id=task_id, agent_id=state.tasks.get(task_id))
            for task_id in state.unanswered
        ]
        for start in range(0, len(tasks), RECONCILE_BATCH):
            part = wire.Reconcile(tasks=tuple(tasks[start : start + RECONCILE_BATCH]))
            self._call(wire.Call(type="RECONCILE", reconcile=part))
        self._reconcile_at = now_us + self._reconcile_wait_us if tasks else None
        self._reconcile_wait_us = min(2 * self._reconcile_wait_us, self.config.reconcile_max_us)

    def _on_tick(self, now_us: int) -> None:
        if _due(self._give_up_at, now_us) or _due(self._silent_at, now_us):
            self._lose(now_us)
        elif _due(self._retry_at, now_us):
            self._connect(now_us)
        elif _due(self._reconcile_at, now_us):
            self._ask_about_tasks(now_us)


def _due(at_us: int | None, now_us: int) -> bool:
    return at_us is not None and at_us <= now_us


def violations(core: SchedulerCore) -> list[str]:
    """What must never be true of a core between two events, and is; for tests and simulation."""
    state, wrong = core.state, []
    if state.held and state.standing != "subscribed":
        wrong.append(f"offers are held while {state.standing}: {sorted(state.held)}")
    if (state.stream is not None) != (state.standing == "subscribed"):
        wrong.append(f"{state.standing} with stream {state.stream}")
    if state.standing == "subscribed" and state.framework_id is None:
        wrong.append("subscribed without a framework id")
    if state.standing in ("subscribing", "subscribed") and state.connection is None:
        wrong.append(f"{state.standing} without a connection")
    if state.unanswered and state.standing != "subscribed":
        wrong.append(f"answers are awaited while {state.standing}")
    if not core._over and state.epoch is not None and core.next_deadline is None:
        wrong.append("a leader is known, and no deadline is set: it would wait for ever")
    return wrong
