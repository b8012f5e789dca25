"""The loop that owns a core: one task hears, records, keeps, and does, in that order.

Whoever hears something from outside posts it as an event and goes back to listening. The owner
takes what is queued as one batch: it lets the core handle each event, writes all trace records in
one piece, makes what is to be kept durable with one sync, and only then performs the effects. So
nothing is sent that a crash could make untrue, and the price of a write is shared by the batch.

    owner = Owner(core, clock=clock, tick=Tick(), perform=perform)
    nursery.start_soon(owner.run)
    await owner.post(event)        # waits while the queue is full
    owner.post_nowait(event)       # for what cannot wait: the end of a connection
    owner.stop()                   # handle what is queued, then `run` returns
    owner.end_with(event)          # handle nothing but this, then `run` returns

The core says in `next_deadline` when it wants to be woken; it gets `tick` then. One timer task does
that, and it is disturbed only when a deadline comes to lie before the one it sleeps for.

A core never raises on what a peer sends. If it raises, it is broken, and what it knows can't be
trusted: the traceback is logged, nothing more is sent, and `run` raises `CoreFailed`, upon which a
daemon ends with `EXIT_CORE_FAILED`.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import uuid4

import trio

from mesos_ref.ports.clock import Clock
from mesos_ref.step import Effect, Persist, Step

#: How a daemon ends when its core has raised (EX_SOFTWARE of sysexits.h).
EXIT_CORE_FAILED: Final = 70

#: Events that may wait before `post` waits too.
QUEUE_EVENTS: Final = 4096
#: Events handled before their effects are performed.
BATCH_EVENTS: Final = 256
#: A batch takes no further event after this, for some are a lot of work: others want the loop too,
#: and the leader's lease is the first of them.
BATCH_US: Final = 50_000

_log = logging.getLogger("mesos_ref.runtime")

EventT = TypeVar("EventT")
HeardT = TypeVar("HeardT", contravariant=True)


class CoreFailed(Exception):
    """A core has raised, which it never should. The cause is what it raised."""


class SystemIds:
    """The `IdSource` of a daemon: drawn from the kernel's randomness."""

    def uuid(self) -> str:
        """A new uuid in its 36-character form."""
        return str(uuid4())

    def uuid_bytes(self) -> bytes:
        """A new uuid as 16 bytes."""
        return uuid4().bytes


class Core(Protocol[HeardT]):
    """What the owner needs of a core."""

    def handle(self, event: HeardT, now_us: int) -> Step:
        """Take one event in."""
        ...

    @property
    def next_deadline(self) -> int | None:
        """When, on the clock of `now_us`, it wants a tick; None: not by itself."""
        ...


class Recorder(Protocol[HeardT]):
    """Writes the trace (`mesos_ref.trace.TraceWriter`). Only the owner calls it."""

    def record(self, event: HeardT, now_us: int, step: Step, batch: int) -> None:
        """Take one step down (or not, if it leaves no record); nothing need be written yet."""
        ...

    def write(self) -> None:
        """Write what has been taken down since the last time, in one piece."""
        ...

    def close(self, now_us: int) -> None:
        """The last record of an orderly end."""
        ...


Keep = Callable[[Mapping[str, Any]], Any]
"""`await keep({key: value})`: durable once it returns; a value of None forgets the key."""

Perform = Callable[[Sequence[Effect]], None]
"""Do these, in order, without waiting: hand bytes to outboxes, answer requests."""


class Owner(Generic[EventT]):
    """Owns one core. Nobody else calls it while `run` is under way; reading it is fine."""

    def __init__(
        self,
        core: Core[EventT],
        *,
        clock: Clock,
        tick: EventT,
        perform: Perform,
        keep: Keep | None = None,
        recorder: Recorder[EventT] | None = None,
        queue_events: int = QUEUE_EVENTS,
    ) -> None:
        """`perform` gets all effects but `Persist`, which go to `keep`; without `keep` there may be
        none. `tick` is the event that says that time has passed.
        """
        self.core = core
        self._clock = clock
        self._tick = tick
        self._perform = perform
        self._keep = keep
        self._recorder = recorder
        self._queue: deque[EventT] = deque()
        self._queue_events = queue_events
        self._news = trio.Event()
        self._room = trio.Event()
        self._timer: trio.CancelScope | None = None
        #: What the timer task sleeps for; None: for nothing.
        self._timer_us: int | None = None
        self._batch = 0
        self._stopping = False

    # Posting ------------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """Whether events are no longer taken."""
        return self._stopping

    async def post(self, event: EventT) -> None:
        """Queue an event; wait for room first. Not a checkpoint if there is room."""
        while len(self._queue) >= self._queue_events and not self._stopping:
            await self._room.wait()
        self.post_nowait(event)

    def post_nowait(self, event: EventT) -> None:
        """Queue an event, room or not. Once the owner is stopping it is dropped unheard."""
        if not self._stopping:
            self._queue.append(event)
            self._news.set()

    def end_with(self, last: EventT) -> None:
        """Forget what is queued, for it counts no more; handle one last event, and end."""
        if not self._stopping:
            self._queue.clear()
            self._queue.append(last)
            self.stop()

    def stop(self) -> None:
        """Take no more events; handle those that are queued, and end."""
        self._stopping = True
        self._news.set()
        self._make_room()

    def _make_room(self) -> None:
        self._room.set()
        self._room = trio.Event()

    # The loop -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the core until `stop`. Raises `CoreFailed`, and what writing and keeping raise."""
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wake_in_time)
            try:
                await self._take_batches()
            except Exception as error:
                failure = error
                self.stop()
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        if self._recorder is not None:
            self._recorder.close(self._clock.now_us())

    async def _take_batches(self) -> None:
        while True:
            if self._queue:
                await self._take_batch()
                if self._queue:  # if not, others have their turn while it waits
                    await trio.lowlevel.checkpoint()
            elif self._stopping:
                return
            else:
                self._news = trio.Event()
                await self._news.wait()

    async def _take_batch(self) -> None:
        """Hear, record, keep, do."""
        now_us = self._clock.now_us()
        was_full = len(self._queue) >= self._queue_events
        effects: list[Effect] = []
        for _ in range(min(len(self._queue), BATCH_EVENTS)):
            self._handle(self._queue.popleft(), now_us, effects)
            if self._clock.now_us() - now_us >= BATCH_US:
                break
        if was_full:
            self._make_room()
        due_us = self.core.next_deadline
        if due_us is not None and due_us <= now_us and not self._stopping:
            self._handle(self._tick, now_us, effects)
            due_us = self.core.next_deadline
        self._batch += 1
        if self._recorder is not None:
            self._recorder.write()
        await self._do(effects)
        self._set_timer(due_us)

    def _handle(self, event: EventT, now_us: int, effects: list[Effect]) -> None:
        try:
            step = self.core.handle(event, now_us)
        except Exception as error:
            name = type(event).__name__
            _log.critical("the core failed on a %s event", name, exc_info=error)
            if self._recorder is not None:
                self._recorder.write()
            raise CoreFailed(f"the core raised {error!r} on a {name} event") from error
        if self._recorder is not None:
            self._recorder.record(event, now_us, step, self._batch)
        effects.extend(step.effects)

    async def _do(self, effects: list[Effect]) -> None:
        kept = {effect.key: effect.value for effect in effects if isinstance(effect, Persist)}
        if kept:
            if self._keep is None:
                raise CoreFailed(f"nowhere to keep {', '.join(sorted(kept))}")
            await self._keep(kept)
            effects = [effect for effect in effects if not isinstance(effect, Persist)]
        if effects:
            self._perform(effects)

    # The timer ----------------------------------------------------------------------------------

    def _set_timer(self, due_us: int | None) -> None:
        """Have the timer task wake by `due_us`. If it sleeps for less, it finds out by itself."""
        if due_us is not None and (self._timer_us is None or due_us < self._timer_us):
            self._timer_us = due_us
            if self._timer is not None:
                self._timer.cancel()

    async def _wake_in_time(self) -> None:
        """Post a tick whenever the core's deadline has come."""
        self._timer_us = self.core.next_deadline
        while True:
            due_us = self._timer_us
            with trio.CancelScope() as self._timer:
                if due_us is None:
                    await trio.sleep_forever()
                else:
                    await self._clock.sleep_until_us(due_us)
            if self._timer.cancelled_caught:
                continue
            self._timer_us = None
            self._set_timer_after(self.core.next_deadline)

    def _set_timer_after(self, due_us: int | None) -> None:
        """The timer has gone off: either the deadline is now, or it has moved to later."""
        if due_us is None:
            return
        if due_us <= self._clock.now_us():
            self.post_nowait(self._tick)
        else:
            self._timer_us = due_us
