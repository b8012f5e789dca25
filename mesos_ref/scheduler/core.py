"""A scheduler's side of the v1 API, without sockets, clocks or threads (D17).

It keeps one subscription alive: at the newest leader it knows, with the framework id it was once
given, after any failure, with back-off (`mesos_ref.scheduler.subscription`). It hands the user's
code each update once, acknowledges an update when that code has handled it, and asks the master
about its tasks after every subscription. It ends when the master says ERROR, or when the framework
was torn down as asked.

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
from mesos_ref.scheduler.effects import Deliver, NotSent
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
from mesos_ref.scheduler.subscription import SchedulerConfig, Subscription
from mesos_ref.step import NOTHING, IdSource, Persist, Recovered, Step
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import TaskStatus
from mesos_ref.wire.validate import validate_call

__all__ = ["SchedulerConfig", "SchedulerCore", "violations"]

#: Answers to a call that say: this master does not know this subscription (or leads no more).
NOT_SUBSCRIBED = frozenset({0, 307, 403, 503})


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
        self._line = Subscription(config, self.state, ids)
        self._effects = self._line.effects
        self._did = self._line.did
        #: When to ask again about `state.unanswered`. Counts only while subscribed.
        self._reconcile_at: int | None = None
        self._reconcile_wait_us = config.reconcile_us
        #: The user has asked for TEARDOWN; it is made again until a master has answered it.
        self._leaving = False
        #: Number of the TEARDOWN on this connection.
        self._farewell: int | None = None

    # The interface of every core ----------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Whether changes of the view are kept for `take_changes`."""
        return self.state.watched

    @watched.setter
    def watched(self, value: bool) -> None:
        self.state.watched = value

    @property
    def is_over(self) -> bool:
        """Whether it has stopped for good."""
        return self._line.is_over

    @property
    def next_deadline(self) -> int | None:
        """When `Tick` is wanted next."""
        due = self._line.next_deadline
        if self._reconcile_at is None or self.state.standing != "subscribed":
            return due
        return self._reconcile_at if due is None else min(due, self._reconcile_at)

    def view(self) -> dict[str, Any]:
        """The scheduler as the specification sees it."""
        return view.whole(self.state)

    def take_changes(self) -> dict[str, Any]:
        """View keys that may have changed since the last call, with their values; None: gone."""
        return view.changed(self.state)

    def handle(self, event: Event, now_us: int) -> Step:
        """Take one event. Never raises on what a master sends; after `Stop` it does nothing."""
        if self.is_over:
            return NOTHING
        self._hear(event, now_us)
        if not self._effects and not self._did:
            return NOTHING
        step = Step(tuple(self._effects), tuple(self._did))
        self._effects.clear()
        self._did.clear()
        return step

    def _hear(self, event: Event, now_us: int) -> None:
        match event:
            case EventHeard():
                self._on_event(event, now_us)
            case Heartbeat():
                if event.stream == self.state.stream:
                    self._line.hear(now_us)
            case Asked():
                self._on_asked(event)
            case Seen():
                self._on_seen(event)
            case CallAnswered():
                self._on_answer(event, now_us)
            case LeaderSeen():
                self._line.turn_to(event, now_us)
            case Connected():
                self._line.ask(event)
            case StreamOpened():
                self._line.be_opened(event)
            case SubscribeFailed():
                self._line.fail(event, now_us)
            case StreamEnded():
                self._line.end(event.stream, now_us)
            case Tick():
                self._on_tick(now_us)
            case _:
                assert_never(event)

    # What the master says -----------------------------------------------------------------------

    def _on_event(self, heard: EventHeard, now_us: int) -> None:
        state, event = self.state, heard.event
        if heard.stream != state.opened:
            return
        if event.type == "SUBSCRIBED" and event.subscribed is not None:
            if state.standing == "subscribing":
                self._on_subscribed(event.subscribed, now_us)
        elif event.type == "ERROR" and event.error is not None:
            self._on_error(event)
        elif state.standing == "subscribed":
            self._line.hear(now_us)
            self._on_news(event, now_us)

    def _on_subscribed(self, subscribed: wire.Subscribed, now_us: int) -> None:
        state = self.state
        is_first = state.framework_id is None
        self._did.append(("be_subscribed", {}))
        if is_first:
            self._effects.append(Persist("framework_id", subscribed.framework_id))
            state.framework_id = subscribed.framework_id
        state.standing = "subscribed"
        state.stream = state.opened
        state.touch()
        self._line.succeed(subscribed.heartbeat_interval_seconds, now_us)
        self._effects.append(Deliver(wire.Event(type="SUBSCRIBED", subscribed=subscribed)))
        self._reconcile_at = None
        if self._leaving:
            self._leave()
        elif not is_first:
            self._start_reconciling(now_us)

    def _on_error(self, event: wire.Event) -> None:
        assert event.error is not None
        self._did.append(("hear_error", {}))
        self._line.drop()
        self.state.standing = "stopped"
        self._effects.append(Deliver(event))
        self._line.stop(None if self._leaving else event.error.message)

    def _on_news(self, event: wire.Event, now_us: int) -> None:
        """An event of a subscription under way. What we don't know is delivered, too."""
        if event.type == "UPDATE" and event.update is not None:
            self._on_update(event, event.update.status, now_us)
            return
        if event.type == "OFFERS" and event.offers is not None:
            self._did.append(("hear_offers", {}))
            for offer in event.offers.offers:
                self.state.hold(offer)
        elif event.type == "RESCIND" and event.rescind is not None:
            self._did.append(("hear_rescind", {}))
            self.state.release(event.rescind.offer_id)
        elif event.type == "MESSAGE" and event.message is not None:
            self._did.append(("hear_message", {}))
        elif event.type == "FAILURE" and event.failure is not None:
            self._did.append(("hear_failure", {}))
        self._effects.append(Deliver(event))

    def _on_update(self, event: wire.Event, status: TaskStatus, now_us: int) -> None:
        """Deliver it if it is new, acknowledge it if the user's code has handled it already."""
        state = self.state
        self._did.append(("hear_update", {}))
        if state.note(status):
            self._reconcile_soon(now_us)
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
        self._line.call(wire.Call(type="ACKNOWLEDGE", acknowledge=part), action="ack")

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
        self._line.call(call)

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
        self._line.call(wire.Call(type="TEARDOWN"))

    def _note_launches(self, accept: wire.Accept) -> None:
        for operation in accept.operations:
            if operation.launch is not None:
                for task in operation.launch.task_infos:
                    self.state.tasks[task.task_id] = task.agent_id

    def _on_answer(self, answer: CallAnswered, now_us: int) -> None:
        """Anything but 202 is either the end of the subscription or a mistake of the user's."""
        if answer.connection != self.state.connection:
            return
        if 200 <= answer.status < 300:
            if answer.n == self._farewell:
                self._line.lose(now_us)
                self._line.stop(None)
            return
        is_mistake = answer.status not in NOT_SUBSCRIBED and (
            answer.status != 400 or answer.text.startswith("Failed to validate")
        )
        if is_mistake:
            self._effects.append(NotSent(f"answered with {answer.status}: {answer.text}"))
        else:
            self._line.lose(now_us)

    # Reconciliation, and time -------------------------------------------------------------------

    def _start_reconciling(self, now_us: int) -> None:
        """Ask about every task we know of (REC-1), then for those we don't (REC-8)."""
        self.state.unanswered = dict.fromkeys(self.state.tasks)
        self._reconcile_wait_us = self.config.reconcile_us
        self._ask_about_tasks(now_us)
        self._line.call(wire.Call(type="RECONCILE", reconcile=wire.Reconcile()))

    def _reconcile_soon(self, now_us: int) -> None:
        """There is one more to ask about: the waiting begins anew."""
        at_us = now_us + self.config.reconcile_us
        self._reconcile_at = min(at_us, self._reconcile_at or at_us)
        self._reconcile_wait_us = 2 * self.config.reconcile_us

    def _ask_about_tasks(self, now_us: int) -> None:
        state = self.state
        tasks = [
            wire.ReconcileTask(task_id=task_id, agent_id=state.tasks.get(task_id))
            for task_id in state.unanswered
        ]
        for start in range(0, len(tasks), RECONCILE_BATCH):
            part = wire.Reconcile(tasks=tuple(tasks[start : start + RECONCILE_BATCH]))
            self._line.call(wire.Call(type="RECONCILE", reconcile=part))
        self._reconcile_at = now_us + self._reconcile_wait_us if tasks else None
        self._reconcile_wait_us = min(2 * self._reconcile_wait_us, self.config.reconcile_max_us)

    def _on_tick(self, now_us: int) -> None:
        if self._line.tick(now_us) or self.state.standing != "subscribed":
            return
        if self._reconcile_at is not None and self._reconcile_at <= now_us:
            self._ask_about_tasks(now_us)


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
    if not core.is_over and state.epoch is not None and core.next_deadline is None:
        wrong.append("a leader is known, and no deadline is set: it would wait for ever")
    return wrong
