"""Trio as a function of a seed: the one place that knows trio's inside.

Trio takes the tasks that are ready as a batch and runs them in an order that it draws itself.  It
can be told to draw it from a generator of ours (what Hypothesis' plugin does), after the batch is
put into the order in which its tasks were made.  `Whims` is that generator.  By itself a drawn
order explores little, since a task that is ready runs within its batch; so some are *held back* for
a few batches, and those of a process that is stopped (SIGSTOP) are put aside until it goes on.

Waiting for a time is what simulated ports do most, and trio's own way, a scope that is cancelled,
is its dearest.  So the clock has alarms: whatever is to be done at a time is done by it directly.

If a new trio does this otherwise, `check` says so, and nothing else has to change.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, TypeVar

import trio
from trio._core import _run

T = TypeVar("T")

#: The process a task belongs to.  Tasks inherit it from whoever starts them.
PROCESS: ContextVar[str] = ContextVar("PROCESS", default="")

IDLE_AT_MOST, IDLE_S = 500, 0.001  #: looks at a loop in which nothing can happen
BUSY_AT_MOST, BUSY_S = 1000, 0.001  #: batches that take no time, and what each takes from then on
HELD_AT_MOST = 5  #: batches that one task may be held back for, one after the other


class SeamError(RuntimeError):
    """This trio does not let itself be made deterministic the way we know."""


def start_as(
    process: str, nursery: trio.Nursery, do: Callable[..., Awaitable[Any]], *of: Any
) -> None:
    """Start a task of a process (of none: ``""``), whichever process asks for it."""
    before = PROCESS.set(process)
    try:
        nursery.start_soon(do, *of)
    finally:
        PROCESS.reset(before)


class Alarm:
    """Something to be done at a time."""

    __slots__ = ("do",)

    def __init__(self, do: Callable[[], object] | None) -> None:
        self.do = do

    def cancel(self) -> None:
        """It is not done, if it was not yet."""
        self.do = None


class JumpClock(trio.abc.Clock):
    """Time that passes only when nothing can run, and then at once, to the next deadline or alarm.

    Who looks again and again without waiting (`trio.sleep(0)`) needs time for it, too: a little.
    """

    def __init__(self) -> None:
        self.stuck = trio.CancelScope()  #: cancelled where nothing can happen any more
        self._now_s = 0.0
        self._idle = 0
        self._busy = 0
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = count()

    def start_clock(self) -> None:
        """Nothing to start."""

    def current_time(self) -> float:
        return self._now_s

    def at(self, due_s: float, do: Callable[[], object]) -> Alarm:
        """Do something small, once that time has come and nothing else can run before it.

        Those of one time are done in the order in which they were asked for.
        """
        alarm = Alarm(do)
        heappush(self._alarms, (due_s, next(self._numbers), alarm))
        return alarm

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Trio asks when nothing is ready: go there."""
        self._busy = 0
        alarms = self._alarms
        while alarms and alarms[0][2].do is None:
            heappop(alarms)
        due_s = min(deadline, alarms[0][0]) if alarms else deadline
        if due_s < inf:
            self._idle = 0
            self._now_s = max(self._now_s, due_s)
            self._ring()
            return 0.0
        self._idle += 1  # trio's own tasks do wait for none, at the end of a run
        if self._idle == IDLE_AT_MOST:
            self.stuck.cancel()
        return IDLE_S

    def batch(self) -> None:
        """Tasks are about to run."""
        self._busy += 1
        if self._busy > BUSY_AT_MOST:
            self._now_s += BUSY_S
            self._ring()

    def _ring(self) -> None:
        alarms, now_s = self._alarms, self._now_s
        while alarms and alarms[0][0] <= now_s:
            do = heappop(alarms)[2].do
            if do is not None:
                do()


def clock() -> JumpClock:
    """The clock of this run.  Raises `SeamError` outside of `run`."""
    found = trio.lowlevel.current_clock()
    if not isinstance(found, JumpClock):
        raise SeamError("what is simulated lives on virtual time: run it with `seam.run`")
    return found


def after(seconds: float, do: Callable[[], object]) -> Alarm:
    """Do something small, so long from now."""
    now = clock()
    return now.at(now.current_time() + seconds, do)


async def sleep(seconds: float) -> None:
    """As `trio.sleep`, for less."""
    task = trio.lowlevel.current_task()
    alarm = after(seconds, lambda: trio.lowlevel.reschedule(task))

    def give_up(raise_cancel: object) -> trio.lowlevel.Abort:
        alarm.cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(give_up)


async def until(holds: Callable[[], bool], every_s: float, within_s: float) -> bool:
    """Wait until something holds, looking every so often for so long at most; whether it does."""
    if holds():
        return True
    alarm = Alarm(None)
    task, now = trio.lowlevel.current_task(), clock()
    end_s = now.current_time() + within_s

    def look() -> None:
        nonlocal alarm
        if holds() or now.current_time() >= end_s:
            trio.lowlevel.reschedule(task)
        else:
            alarm = after(every_s, look)

    alarm = after(every_s, look)

    def give_up(raise_cancel: object) -> trio.lowlevel.Abort:
        alarm.cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(give_up)
    return holds()


class Whims:
    """Draws the order in which tasks run.  `hold_back` is the share of turns that are put off."""

    def __init__(self, seed: int, hold_back: float, clock: JumpClock) -> None:
        self._clock = clock
        self.turns = 0  #: batches drawn so far
        self._hold_back = hold_back
        self._random = random.Random(f"{seed}/turns")
        self._held: dict[Any, int] = {}  #: how often a task was held back since it last ran
        self._frozen: dict[str, list[Any]] = {}

    def shuffle(self, batch: list[Any]) -> None:
        """Put a batch in order; trio takes it from its end.  What is held back is not in it."""
        self.turns += 1
        self._clock.batch()
        if len(batch) > 1:
            self._random.shuffle(batch)
        frozen, hold_back = self._frozen, self._hold_back
        if not frozen and not hold_back:
            return
        ready, held = [], []
        for task in batch:
            aside = frozen.get(task.context.get(PROCESS, "")) if frozen else None
            if aside is not None:
                aside.append(task)
            elif self._puts_off(task):
                held.append(task)
            else:
                ready.append(task)
        batch[:] = ready
        if held:
            _ready_again(held)

    def _puts_off(self, task: Any) -> bool:
        times = self._held.pop(task, 0) if self._held else 0
        if self._random.random() >= self._hold_back or times >= HELD_AT_MOST:
            return False
        self._held[task] = times + 1
        return True

    def freeze(self, process: str) -> None:
        """No task of a process runs from now on."""
        self._frozen.setdefault(process, [])

    def thaw(self, process: str) -> None:
        """Those that would have run meanwhile, do."""
        _ready_again(self._frozen.pop(process, []))


def _ready_again(tasks: list[Any]) -> None:
    _run.GLOBAL_RUN_CONTEXT.runner.runq.extend(tasks)


@contextmanager
def _in_charge(whims: Whims) -> Iterator[None]:
    """Trio draws from `whims`, and the collector sleeps: when it wakes is a matter of the heap."""
    check()
    inside: Any = _run
    before = inside._ALLOW_DETERMINISTIC_SCHEDULING, inside._r
    collects = gc.isenabled()
    gc.disable()
    inside._ALLOW_DETERMINISTIC_SCHEDULING, inside._r = True, whims
    try:
        yield
    finally:
        inside._ALLOW_DETERMINISTIC_SCHEDULING, inside._r = before
        if collects:
            gc.enable()


def run(main: Callable[[Whims], Awaitable[T]], seed: int, hold_back: float = 0.0) -> T:
    """`trio.run(main)` on virtual time; twice with the same seed, the same happens twice.

    Raises `SeamError` where every task waits for another one, and none for a time to come.
    """
    clock = JumpClock()
    whims = Whims(seed, hold_back, clock)

    async def unless_stuck() -> T:
        with clock.stuck:
            return await main(whims)
        raise SeamError("every task waits for another one, and for no time: nothing can happen")

    with _in_charge(whims):
        return trio.run(unless_stuck, clock=clock)


def check() -> None:
    """Raise `SeamError` where trio's inside is not what this module was written for."""
    missing = [
        name
        for name in ("_ALLOW_DETERMINISTIC_SCHEDULING", "_r", "GLOBAL_RUN_CONTEXT", "unrolled_run")
        if not hasattr(_run, name)
    ]
    names = [] if missing else _run.unrolled_run.__code__.co_names
    missing += [n for n in ("_ALLOW_DETERMINISTIC_SCHEDULING", "shuffle") if n not in names]
    if missing:
        raise SeamError(
            f"trio {trio.__version__} has no {', '.join(dict.fromkeys(missing))} where it is "
            f"needed: use a trio that has, or mend {__name__}"
        )
