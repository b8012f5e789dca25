"""A simulated process: a real core, its trace, and the judge reading over its shoulder.

A `Node` takes the place of a shell.  It hands events to the core, writes the record, keeps what is
to be kept, and only then performs the effects: the order of the real thing.  A node can be killed
(its memory and connections are gone, what it kept stays), also between any two of these; paused (it
hears nothing until it is resumed; then everything at once), and started again.

A tick may come when nothing is due any more: the shell's timer had run out when what it was for was
called off.  A core that is woken at the time it asked for, though, should have something to do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from mesos_chaos.sim.loop import Loop, Timer
from mesos_ref import trace
from mesos_ref.step import NOTHING, Effect, Persist, Step

TOO_LATE = 0.05  #: the share of timers that are called off when they have run out already


class Moment(Enum):
    """Between which two deeds of one record a node is killed."""

    UNKEPT = "written down, not kept"
    UNSENT = "kept, nothing sent"


class SimIds:
    """Ids from a named random stream: the same in every run of a seed."""

    def __init__(self, stream: random.Random) -> None:
        self._stream = stream

    def uuid(self) -> str:
        """A uuid in its 36-character form."""
        raw = f"{self._stream.getrandbits(128):032x}"
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"

    def uuid_bytes(self) -> bytes:
        """A uuid as 16 bytes."""
        return self._stream.getrandbits(128).to_bytes(16, "big")


class Core(Protocol):
    """What all cores have in common."""

    watched: bool

    def handle(self, event: Any, now_us: int) -> Step:
        """Take one event in."""
        ...

    @property
    def next_deadline(self) -> int | None:
        """When a tick is wanted."""
        ...

    def view(self) -> dict[str, Any]:
        """The whole view."""
        ...

    def take_changes(self) -> dict[str, Any]:
        """What changed in the view."""
        ...


#: Takes the lines of a trace as they are written: the process' name, and some lines.  A process
#: without one writes no trace: then only its core works.
Listener = Callable[[str, bytes], None]


class Node:
    """One process incarnation after another, under one name."""

    role = ""
    tick: Any = None
    #: Whether it has a timer that comes round whatever there is to do: a master allocates so.
    _has_idle_timer = False

    def __init__(self, loop: Loop, name: str, listener: Listener | None) -> None:
        self.loop = loop
        self.name = name
        self.kept: dict[str, Any] = {}
        self.life = 0
        self.incarnation = f"{name}.0"
        self.core: Any = None
        self.paused = False
        self.epoch_us = 0  #: what this life takes for the beginning of virtual time
        self._listener = listener
        self._ticks = loop.random(f"ticks {name}")
        self._writer: trace.TraceWriter | None = None
        self._timer: Timer | None = None
        self._missed: list[Any] = []
        self._batch = 0
        self._doom: tuple[Moment, Callable[[], None]] | None = None
        self.has_kept = False  #: since somebody last looked
        self.looked_at: tuple[int, int] | None = None  #: its age when somebody last looked
        self.astray: list[str] = []  #: effects that no shell could make sense of
        self._known: set[str] = set()
        self._came_to_nothing = False  #: what was heard last
        self._may_wake_idly = 0  #: how often more it may wake up and find nothing to do

    @property
    def alive(self) -> bool:
        """Whether a process is there, paused or not."""
        return self.core is not None

    @property
    def age(self) -> tuple[int, int]:
        """Its life, and how much it has heard in it: while that is the same, so is its core."""
        return self.life, self._batch

    # ---- life ----------------------------------------------------------------------------------
    def set_calendar(self) -> None:
        """The next life has a wall clock of its own."""
        self.epoch_us = self.loop.epoch_us(f"{self.name}.{self.life + 1}")

    def begin(self, core: Core, ids: trace.RecordedIds, config: dict[str, Any], node: str) -> None:
        """A process starts with `core`; `node` is its name in traces."""
        self.life += 1
        self.core = core
        self._known.clear()
        self._may_wake_idly = 0
        self._batch = 0
        incarnation = self.incarnation = f"{self.name}.{self.life}"
        header = trace.header(
            role=self.role,
            node=node,
            incarnation=incarnation,
            wall_us=self.epoch_us + self.loop.now_us,
            config=config,
            recovered=dict(self.kept),
        )
        header["life"] = self.life
        listener = self._listener
        if listener is not None:
            self._writer = trace.TraceWriter(
                lambda data: listener(incarnation, data), header, core, ids
            )

    def kill(self) -> None:
        """SIGKILL: no last word, no last record."""
        self.core, self._writer, self.paused, self._missed = None, None, False, []
        self._set_timer(None)

    def doom(self, moment: Moment, kill: Callable[[], None]) -> None:
        """Have `kill` called at that moment of the record that is being written."""
        self._doom = moment, kill

    def _is_killed(self, moment: Moment) -> bool:
        if self._doom is None or self._doom[0] is not moment:
            return False
        (_, kill), self._doom = self._doom, None
        kill()
        return True

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True

    def resume(self) -> None:
        """SIGCONT: everything that came meanwhile is heard now."""
        self.paused = False
        missed, self._missed = self._missed, []
        for event in missed:
            self.hear(event)

    # ---- hearing -------------------------------------------------------------------------------
    def hear(self, event: Any) -> None:
        """One event: handle it, write the record, keep, perform."""
        if self.core is None:
            return
        if self.paused:
            self._missed.append(event)
            return
        self._batch += 1
        now_us = self.loop.now_us
        step = self.core.handle(event, now_us)
        self._came_to_nothing = step == NOTHING
        if self._writer is not None:
            self._writer.record(event, now_us, step, self._batch)
            self._writer.write()
        self._wake_at(self.core.next_deadline)
        if self._doom is not None and self._is_killed(Moment.UNKEPT):
            return
        to_do = []
        for effect in step.effects:
            if isinstance(effect, Persist):
                self._keep(effect)
            else:
                to_do.append(effect)
        if self._doom is not None and self._is_killed(Moment.UNSENT):
            return
        for effect in to_do:
            if self.core is not None:
                self.perform(effect)

    def _keep(self, effect: Persist) -> None:
        self.has_kept = True
        if effect.value is None:
            self.kept.pop(effect.key, None)
        else:
            self.kept[effect.key] = effect.value

    def perform(self, effect: Effect) -> None:
        """Do what the core wants done."""
        raise TypeError(f"{self.name} does not know how to {type(effect).__name__}")

    def opens(self, name: str) -> None:
        """From now on in this life effects may name a connection, a stream, or a request so."""
        self._known.add(name)

    def names(self, what: str, name: str) -> None:
        """An effect names one: it may have ended, but it must have been there."""
        if name not in self._known:
            self.astray.append(f"{what} {name}, where there never was any of that name")

    # ---- time ----------------------------------------------------------------------------------
    def _wake_at(self, due_us: int | None) -> None:
        if self._timer is not None and self._timer.do is not None and self._timer.due_us == due_us:
            return
        self._set_timer(due_us)

    def _set_timer(self, due_us: int | None) -> None:
        if self._timer is not None:
            if self._timer.do is not None and self.core is not None:
                self._call_off_late(self._timer.due_us)
            self._timer.cancel()
            self._timer = None
        if due_us is not None:
            self._timer = self.loop.at(due_us, self._tick)

    def _call_off_late(self, due_us: int) -> None:
        """Now and then the tick comes all the same."""
        if self._ticks.random() < TOO_LATE:
            life = self.life
            self.loop.at(due_us, lambda: self.hear(self.tick) if self.life == life else None)

    def _tick(self) -> None:
        self._timer = None
        if self.core is None:
            return
        if self.paused:
            self._missed.append(self.tick)
            return
        self.hear(self.tick)
        if self._came_to_nothing and self.core is not None and not self._has_idle_timer:
            self._may_wake_idly -= 1
            if self._may_wake_idly < 0:
                self.astray.append("woke up, and there was nothing to do, or to wait for")
