"""The post office of the judge: which channel a traced message travelled on, and what it said.

A message is known by its connection and ordinal.  This module keeps the directory that the wire
leaves out: which agent a link belongs to, which scheduler dialled a line and listens on a stream,
which executor an executor's stream serves.  It also keeps count: on each direction of a connection
messages are sent as 0, 1, 2, … and heard in that order, each once and none left out.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from mesos_spec.ids import AgentId, Epoch, FrameworkId, LineId, LinkId, SchedulerId, StreamId
from mesos_spec.kernel.cells import Cell
from mesos_spec.tools.judging import wire
from mesos_spec.tools.judging.merge import Way, heard_way, sent_way
from mesos_spec.tools.judging.trace import Heard, MessageKey, Sent

FOREIGN = SchedulerId("ext")


#: Who hears whom in a channel.
_HEARD = frozenset(
    (
        *(("master", "agent"), ("master", "scheduler")),
        *(("agent", "master"), ("scheduler", "master")),
    )
)


class OutOfOrder(Exception):
    """A message has the wrong ordinal: said twice, or one is left out."""


class Letter(NamedTuple):
    """A message under way: as it was sent, and what it said."""

    msg: Any
    stream: str | None
    told: tuple[Any, ...]


class Count:
    """One direction of one connection: what comes next at each end, and what is under way."""

    __slots__ = ("heard", "letters", "sent")

    def __init__(self) -> None:
        self.heard = 0
        self.sent = 0
        self.letters: dict[int, Letter] = {}

    def took(self, n: int) -> None:
        """Message `n` was heard."""
        self.heard = n + 1
        self.letters.pop(n, None)


class Foreign:
    """The calls that one process heard of schedulers and executors that are not ours."""

    __slots__ = ("numbers",)

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    def took(self, n: int) -> None:
        """Call `n` was heard."""
        self.numbers.add(n)


class Post:
    """Connections by the names they have in traces."""

    def __init__(self) -> None:
        self.ids = wire.Ids()
        self.links: dict[str, LinkId] = {}
        self.lines: dict[str, LineId] = {}
        self.sought: dict[SchedulerId, Epoch] = {}  #: which reign each scheduler turned to
        self.reign: Epoch = 0  #: of the master that hears, to which foreign schedulers have come
        self.framework_of: dict[str, FrameworkId] = {}
        self.executor_of: dict[str, tuple[AgentId, FrameworkId, str]] = {}
        self._counts: defaultdict[Way, Count] = defaultdict(Count)
        self._foreign: defaultdict[str, Foreign] = defaultdict(Foreign)

    def link(self, name: str | None) -> LinkId:
        """The link called so; of the agent `?` if no agent ever opened it."""
        return self.links.get(name or "") or LinkId(AgentId("?"), name or "")

    def line(self, heard: Heard) -> LineId:
        """The line a call came on: a line of its own for each foreign call."""
        assert heard.id is not None
        connection, n = heard.id
        if connection == "ext":
            return LineId(FOREIGN, str(n), self.reign)
        return self.lines.get(connection) or LineId(FOREIGN, f"{connection}/{n}", self.reign)

    # ---- counting ------------------------------------------------------------------------
    def expect(self, role: str, by: str, heard: Heard) -> Count | Foreign | None:
        """Where to count a message that is heard, if it is the next.  Raises `OutOfOrder` if not.

        Foreign calls share the connection `ext`, and come in any order: whoever hears them (`by`)
        knows them by their numbers.
        """
        if heard.id is None:
            return None
        connection, n = heard.id
        if connection == "ext":
            foreign = self._foreign[by]
            if n in foreign.numbers:
                raise OutOfOrder(f"it heard call {n} on {connection} again")
            return foreign
        count = self._counts[heard_way(role, connection)]
        if n < count.heard:
            raise OutOfOrder(f"it heard message {n} on {connection} again")
        if n > count.heard:
            raise OutOfOrder(
                f"it heard message {n} on {connection}, where message {count.heard} comes next"
            )
        return count

    def count_sent(self, sent: Sent, told: tuple[Any, ...]) -> None:
        """Note that a message was sent, and what it said.  Raises `OutOfOrder`."""
        if sent.id is None:
            return
        connection, n = sent.id
        count = self._counts[sent_way(sent.to, connection)]
        if n != count.sent:
            raise OutOfOrder(
                f"it sent message {n} on {connection}, where message {count.sent} comes next"
            )
        count.sent = n + 1
        if sent.to != "executor":
            count.letters[n] = Letter(sent.msg, sent.stream, told)

    def was_heard(self, direction: str, message: MessageKey) -> bool:
        """Whether somebody has heard a message that was sent in a direction, `up` or `down`."""
        count = self._counts.get((direction, message[0]))
        return count is not None and message[1] < count.heard

    def forget(self, to: str, connection: str) -> None:
        """Nobody will hear what is under way to `to` on a connection."""
        count = self._counts.get(sent_way(to, connection))
        if count is not None:
            count.letters.clear()

    def _as_sent(self, role: str, heard: Heard) -> tuple[Any, ...] | None:
        """What a message said, if it is what a trace shows to have been sent."""
        assert heard.id is not None
        count = self._counts.get(heard_way(role, heard.id[0]))
        letter = None if count is None else count.letters.get(heard.id[1])
        if letter is None or letter.msg != heard.msg:
            return None
        return letter.told if heard.sender != "scheduler" or letter.stream == heard.stream else None

    # ---- heard ---------------------------------------------------------------------------
    def heard(self, role: str, heard: Heard) -> tuple[Cell, Any] | None:
        """The channel a message was heard on, and what it says; None for what is in no channel.

        An event that makes several offers says several things.  Raises `wire.Unreadable`.
        """
        if heard.id is None or heard.msg is None:
            return None
        name, sender = heard.id[0], heard.sender
        if (role, sender) not in _HEARD:
            return None
        told = self._as_sent(role, heard)
        if role == "master" and sender == "agent":
            channel: Cell = ("up", self.link(name))
            told = told or (wire.frame_up(heard.msg),)
        elif role == "master":
            channel = ("calls", self.line(heard))
            told = told or (wire.call(heard.msg, heard.stream, self.ids),)
        elif role == "agent":
            channel = ("down", self.link(name))
            told = told or (wire.frame_down(heard.msg),)
        else:
            channel = ("events", self.ids.stream(name))
            told = told or wire.event(heard.msg, self.framework_of.get(name), self.ids)
        return channel, told[0] if len(told) == 1 else told

    # ---- sent ----------------------------------------------------------------------------
    def sent(self, role: str, who: Any, sent: Sent) -> tuple[Cell, tuple[Any, ...]] | None:
        """The channel a message was sent on, and what it says; None for deeds.

        Raises `wire.Unreadable`.
        """
        if sent.id is None or sent.msg is None:
            return None
        name, to = sent.id[0], sent.to
        if role == "master":
            if to == "agent":
                return ("down", self.link(name)), (wire.frame_down(sent.msg),)
            if to == "scheduler":
                told = wire.event(sent.msg, self.framework_of.get(name), self.ids)
                return ("events", self.ids.stream(name)), told
        elif role == "agent":
            if to == "master":
                return ("up", self.link(name)), (wire.frame_up(sent.msg),)
            if to == "executor":
                return self._told_executor(name, sent.msg)
        elif role == "scheduler" and to == "master":
            said = wire.call(sent.msg, sent.stream, self.ids)
            line = self.lines.get(name)
            if line is None:
                raise wire.Unreadable(f"nobody has asked to subscribe on {name}")
            return ("calls", line), (said,)
        return None

    def _told_executor(self, stream: str, msg: dict[str, Any]) -> tuple[Cell, tuple[Any, ...]]:
        key = self.executor_of.get(stream)
        if key is None:
            raise wire.Unreadable(f"stream {stream} belongs to no executor")
        told = wire.told_executor(msg, key[1])
        return ("to_executor", key), () if told is None else (told,)

    # ---- the directory -------------------------------------------------------------------
    def open_stream(
        self, line: LineId, stream: str, framework: str | None, epoch: Epoch
    ) -> StreamId:
        """A SUBSCRIBE on `line` is answered on `stream` by the master of a reign."""
        made = self.ids.streams[stream] = StreamId(line.scheduler, stream, epoch)
        if framework is not None:
            self.framework_of[stream] = FrameworkId(framework)
        return made
