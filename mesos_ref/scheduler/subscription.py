"""Getting a subscription, losing it, and getting it again: one attempt after the other.

`Subscription` knows what is under way and by when it must have succeeded. It numbers calls, since
calls end with the connection they are made on. What is said on a subscription is no business of its
own; that is `mesos_ref.scheduler.core`.
"""

from __future__ import annotations

import msgspec

from mesos_ref.scheduler.effects import (
    CloseSubscription,
    Connect,
    OpenSubscription,
    SendCall,
    Stop,
)
from mesos_ref.scheduler.events import Connected, LeaderSeen, StreamOpened, SubscribeFailed
from mesos_ref.scheduler.state import State
from mesos_ref.step import Did, Effect, IdSource
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import FrameworkInfo

#: Answers to SUBSCRIBE that no waiting will change.
HOPELESS = frozenset({400, 401, 405, 406, 413, 415, 501})


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


class Subscription:
    """The subscription, or the attempt at one.

    What it wants and does goes to `effects` and `did`, which the core shares, and empties.
    """

    def __init__(self, config: SchedulerConfig, state: State, ids: IdSource) -> None:
        self.config = config
        self.state = state
        self.effects: list[Effect] = []
        self.did: list[Did] = []
        #: Nothing will be done any more.
        self.is_over = False
        self._ids = ids
        #: When the attempt under way has taken too long; None if none is, or it succeeded.
        self._give_up_at: int | None = None
        #: When to try again; None while an attempt is under way or there is no leader.
        self._retry_at: int | None = None
        #: When silence of the stream has lasted too long; None unless subscribed.
        self._silent_at: int | None = None
        self._heartbeat_us = config.heartbeat_us
        #: Failed attempts since the last success.
        self._failures = 0

    @property
    def next_deadline(self) -> int | None:
        """When `tick` is wanted next."""
        times = (self._give_up_at, self._retry_at, self._silent_at)
        return min([at for at in times if at is not None], default=None)

    def turn_to(self, event: LeaderSeen, now_us: int) -> None:
        """A leader was seen; a newer one is turned to at once (S19)."""
        state = self.state
        if state.epoch is not None and event.epoch <= state.epoch:
            return
        self.did.append(("turn_scheduler_to", {"epoch": event.epoch}))
        state.epoch, state.url = event.epoch, event.url
        self.drop()
        self._failures = 0
        self._connect(now_us)

    def _connect(self, now_us: int) -> None:
        state = self.state
        assert state.epoch is not None
        state.connection = self._ids.uuid()
        state.next_call = 0
        self._retry_at = None
        self._give_up_at = now_us + self.config.subscribe_timeout_us
        self.effects.append(Connect(state.connection, state.epoch, state.url))

    def ask(self, event: Connected) -> None:
        """The leader can be reached: SUBSCRIBE."""
        state = self.state
        if event.connection != state.connection or state.standing != "disconnected":
            return
        self.did.append(("ask_to_subscribe", {}))
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
        self.effects.append(OpenSubscription(event.connection, call))

    def be_opened(self, event: StreamOpened) -> None:
        """The stream has a name; SUBSCRIBED is yet to come."""
        if event.connection == self.state.connection and self.state.standing == "subscribing":
            self.state.opened = event.stream

    def fail(self, event: SubscribeFailed, now_us: int) -> None:
        """The attempt came to nothing; another one may."""
        if event.connection != self.state.connection or self.state.standing == "subscribed":
            return
        self.lose(now_us, told=False)
        if event.status in HOPELESS:
            self.stop(f"SUBSCRIBE was answered with {event.status}: {event.text}")

    def end(self, stream: str, now_us: int) -> None:
        """A stream has ended."""
        if stream == self.state.opened:
            self.lose(now_us, told=False)

    def lose(self, now_us: int, told: bool = True) -> None:
        """The attempt under way has failed or ended. `told`: the shell does not know it yet."""
        if self.state.standing != "disconnected":
            self.did.append(("lose_stream", {}))
        self.drop(told)
        limit = min(self.config.backoff_us << min(self._failures, 20), self.config.backoff_max_us)
        self._failures += 1
        self._retry_at = now_us + self._random_below(limit)

    def drop(self, told: bool = True) -> None:
        """Be disconnected, whatever we were."""
        state = self.state
        if told and state.connection is not None:
            self.effects.append(CloseSubscription(state.connection))
        state.release_all()
        state.connection = state.opened = state.stream = None
        state.standing = "disconnected"
        state.unanswered.clear()
        state.touch()
        self._give_up_at = self._silent_at = self._retry_at = None

    def stop(self, error: str | None) -> None:
        """It is over, for the reason given, or as asked for."""
        self._retry_at = None
        self.is_over = True
        self.effects.append(Stop(error))

    def _random_below(self, limit_us: int) -> int:
        return int.from_bytes(self._ids.uuid_bytes()[:6]) % max(1, limit_us)

    def succeed(self, heartbeat_s: float | None, now_us: int) -> None:
        """SUBSCRIBED was heard; its stream will not be silent for longer than some heartbeats."""
        seconds = heartbeat_s or 0.0
        if 0.001 <= seconds <= 86_400:
            self._heartbeat_us = int(seconds * 1_000_000)
        self._failures = 0
        self._give_up_at = None
        self.hear(now_us)

    def hear(self, now_us: int) -> None:
        """Something was heard on the stream: the master is alive."""
        self._silent_at = now_us + self._heartbeat_us * self.config.missed_heartbeats

    def call(self, call: wire.Call, action: str = "call") -> None:
        """Make a call on the current subscription. Every caller has checked that there is one."""
        state = self.state
        assert state.connection is not None
        assert state.stream is not None
        if call.framework_id is None:
            call = msgspec.structs.replace(call, framework_id=state.framework_id)
        self.did.append((action, {}))
        self.effects.append(SendCall(state.connection, state.stream, state.next_call, call))
        state.next_call += 1

    def tick(self, now_us: int) -> bool:
        """Do what is due. Returns whether anything was."""
        if _due(self._give_up_at, now_us) or _due(self._silent_at, now_us):
            self.lose(now_us)
        elif _due(self._retry_at, now_us):
            self._connect(now_us)
        else:
            return False
        return True


def _due(at_us: int | None, now_us: int) -> bool:
    return at_us is not None and at_us <= now_us
