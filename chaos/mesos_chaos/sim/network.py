"""The simulated network: connections that deliver in order, loosely, late, or not at all.

A `Connection` has two ends.  What one end sends arrives at the other in order, after the delay of
its link, unless the connection breaks first: then what is in flight is lost, and each end hears of
it by itself.  A link (a pair of node names) can be cut one way or both, which holds messages back;
a one-way cut is half-open.  Faults are undone by the function they return.

Every channel of ours is such a connection, and so first in, first out.  What the specification has
as a *bag* are calls of strangers, who use several connections (D5): a foreign scheduler makes a
connection for each call, and an executor of a framework's own may send *loose*: each call arrives
by itself, up to 200 ms late, and they overtake each other.

A few messages may be *held back*: that many of a run's, drawn early as likely as late, arrive up to
two seconds after they should, and so does what follows them on their connection.  That finds the
orders which equal delays never bring about.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from mesos_chaos.sim.loop import Loop

M = TypeVar("M")
Way = tuple[str, str]

MESSAGES = 3_000  #: those held back are among so many
LATE_US = (5_000, 50_000, 300_000, 1_000_000, 2_000_000)
LOOSE_US = 200_000  #: how late what is sent loose may come


class End(Generic[M]):
    """One end of a connection, as its node holds it."""

    def __init__(self, connection: Connection[M], side: int) -> None:
        self._connection = connection
        self.side = side
        self.open = True
        self.hear: Callable[[M], None] = lambda message: None
        self.ended: Callable[[], None] = lambda: None

    @property
    def other(self) -> End[M]:
        """The far end."""
        return self._connection.ends[1 - self.side]

    def send(self, message: M) -> None:
        """Send; it is lost if this end has closed or broken."""
        if self.open:
            self._connection.send(self.side, message)

    def send_loose(self, message: M) -> None:
        """Send on a connection of its own, as it were: it keeps no order with what is sent so.

        What was sent in order before it arrives before it; an end arrives after it.
        """
        if self.open:
            self._connection.send_loose(self.side, message)

    def close(self) -> None:
        """Close in good order: what was sent before still arrives, then the far end hears it."""
        if self.open:
            self.open = False
            self._connection.send(self.side, None)

    def abort(self) -> None:
        """Hear nothing more, and lose what is in flight both ways (a process died, a reset)."""
        self._connection.break_now(silent=self.side)


class Connection(Generic[M]):
    """Two ends and what travels between them."""

    def __init__(self, network: Network, near: str, far: str) -> None:
        self.network = network
        self.nodes = (near, far)
        self._ways: tuple[Way, Way] = ((near, far), (far, near))
        self.ends: tuple[End[M], End[M]] = (End(self, 0), End(self, 1))
        self._flight: tuple[deque[M | None], deque[M | None]] = (deque(), deque())
        self._last_us = [0, 0]  #: when the last that was sent in order arrives
        self._loose_us = [0, 0]  #: when all that was sent loose has arrived
        self._broken = False
        self._arrivals = (partial(self._arrive, 0), partial(self._arrive, 1))

    def way(self, side: int) -> Way:
        """From whom to whom what `side` sends travels."""
        return self._ways[side]

    def send(self, side: int, message: M | None) -> None:
        """Put `message`, or the end of the stream, in flight from `side`.

        What is sent on a broken connection is lost: only the sender does not know yet.
        """
        if self._broken:
            return
        last_us = self._last_us[side]
        if message is None:
            last_us = max(last_us, self._loose_us[side])
        self._flight[side].append(message)
        due_us = self.network.arrival_us(self._ways[side])
        self._last_us[side] = due_us = max(due_us, last_us)
        self.network.loop.at(due_us, self._arrivals[side])

    def send_loose(self, side: int, message: M) -> None:
        """Put `message` in flight from `side`, by itself."""
        if not self._broken:
            due = self.network.loose_us(self._ways[side], self._last_us[side])
            self._loose_us[side] = max(self._loose_us[side], due)
            self.network.loop.at(due, partial(self._arrive_loose, side, message))

    def _arrive_loose(self, side: int, message: M) -> None:
        way = self._ways[side]
        if self.network.is_cut(way):
            self.network.hold(way, partial(self._arrive_loose, side, message))
        elif not self._broken and self.ends[1 - side].open:
            self.ends[1 - side].hear(message)

    def _arrive(self, side: int) -> None:
        flight = self._flight[side]
        if not flight:
            return  # broken meanwhile
        way = self._ways[side]
        if self.network.is_cut(way):
            self.network.hold(way, self._arrivals[side])
            return
        message = flight.popleft()
        end = self.ends[1 - side]
        if not end.open:
            return
        if message is None:
            end.open = False
            end.ended()
        else:
            end.hear(message)

    def break_now(self, silent: int | None = None) -> None:
        """Lose what is in flight; both ends hear of it soon (not `silent`, which is dead)."""
        self._broken = True
        for side in (0, 1):
            self._flight[side].clear()
        for side in (0, 1):
            end = self.ends[side]
            if not end.open:
                continue
            if side == silent:
                end.open = False
                continue
            self.network.loop.at(
                self.network.arrival_us(self.way(1 - side)), partial(self._tell, side)
            )

    def _tell(self, side: int) -> None:
        """The end of `side` hears of the break, once anything can reach it."""
        way, end = self.way(1 - side), self.ends[side]
        if self.network.is_cut(way):
            self.network.hold(way, partial(self._tell, side))
        elif end.open:
            end.open = False
            end.ended()


class Network:
    """All connections, and what is wrong with the links between nodes."""

    def __init__(
        self,
        loop: Loop,
        delay_us: tuple[int, int] = (100, 1_000),
        held_back: int = 0,
        unordered: bool = False,
    ) -> None:
        self.loop = loop
        self.unordered = unordered  #: whether strangers use several connections
        self._least_us, most_us = delay_us
        self._kinds = most_us - self._least_us + 1  #: of delays
        self._bits = self._kinds.bit_length()
        dice = loop.random("held back")
        self._late = {
            round(MESSAGES ** dice.random()): dice.choice(LATE_US) for _ in range(held_back)
        }
        self._sent = 0
        self._extra: dict[Way, int] = {}
        self._cut: set[Way] = set()
        self._held: dict[Way, list[Callable[[], None]]] = {}
        #: The connections of each node, first come first; some have ended.
        self._of: dict[str, list[Connection[object]]] = {}
        self._dice: dict[Way, random.Random] = {}

    def connect(self, near: str, far: str) -> tuple[End[M], End[M]]:
        """A new connection between two nodes: near end, far end."""
        connection: Connection[M] = Connection(self, near, far)
        for node in (near, far):
            several = self._of.setdefault(node, [])
            if len(several) & (len(several) - 1) == 0:  # now and then, so that it costs nothing
                several[:] = [c for c in several if c.ends[0].open or c.ends[1].open]
            several.append(connection)  # type: ignore[arg-type]
        return connection.ends

    def arrival_us(self, way: Way) -> int:
        """When something sent now on `way` arrives, if nothing holds it back."""
        dice = self._dice.get(way)
        if dice is None:
            dice = self._dice[way] = self.loop.random(_link(way))
        self._sent += 1
        delay_us = dice.getrandbits(self._bits)
        while delay_us >= self._kinds:  # as `randint` draws, without its detours
            delay_us = dice.getrandbits(self._bits)
        due_us = self.loop.now_us + self._least_us + delay_us
        if self._extra:
            due_us += self._extra.get(way, 0)
        return due_us + self._late.get(self._sent, 0)

    def loose_us(self, way: Way, not_before_us: int) -> int:
        """When something arrives that is sent now on `way`, and waits for nothing else there."""
        late_us = self.loop.random("loose").randint(0, LOOSE_US)
        return max(self.arrival_us(way), not_before_us) + late_us

    def is_cut(self, way: Way) -> bool:
        """Whether `way` carries nothing now."""
        return way in self._cut

    def hold(self, way: Way, arrive: Callable[[], None]) -> None:
        """Keep an arrival until `way` is whole again."""
        self._held.setdefault(way, []).append(arrive)

    def cut(self, *ways: Way) -> Callable[[], None]:
        """Hold back everything on `ways`.  Returns the undo."""
        self._cut.update(ways)

        def mend() -> None:
            for way in ways:
                self._cut.discard(way)
                for arrive in self._held.pop(way, []):
                    self.loop.at(self.loop.now_us, arrive)

        return mend

    def delay(self, extra_us: int, *ways: Way) -> Callable[[], None]:
        """Deliver `extra_us` later on `ways`.  Returns the undo."""
        for way in ways:
            self._extra[way] = extra_us

        def mend() -> None:
            for way in ways:
                self._extra.pop(way, None)

        return mend

    def reset(self, one: str, other: str) -> int:
        """Break every connection between two nodes.  Returns how many there were."""
        hit = [c for c in self._of.get(one, ()) if set(c.nodes) == {one, other}]
        for connection in hit:
            connection.break_now()
        return len(hit)

    def forget(self, one: str, other: str) -> None:
        """Node `one` is gone for good, and so is its link to another."""
        self._of.pop(one, None)
        for way in ((one, other), (other, one)):
            self._dice.pop(way, None)
            self.loop.forget(_link(way))

    def drop_node(self, node: str) -> None:
        """A process died: its ends are silent from now on, the others hear of it."""
        for connection in self._of.get(node, ()):
            for side in (0, 1):
                if connection.nodes[side] == node and connection.ends[side].open:
                    connection.break_now(silent=side)


def _link(way: Way) -> str:
    """The name of the random stream of a link."""
    return f"link {way[0]}>{way[1]}"
