"""The post office of the judge: which channel a traced message travelled on, and what it said.

A message is known by its connection and ordinal.  This module keeps the directory that the wire
leaves out: which agent a link belongs to, which scheduler dialled a line and listens on a stream,
which executor an executor's stream serves.
"""

from __future__ import annotations

from typing import Any

from mesos_spec.cells import Cell, Effects
from mesos_spec.ids import AgentId, FrameworkId, LineId, LinkId, SchedulerId, StreamId
from mesos_spec.tools import wire
from mesos_spec.tools.trace import Heard, Sent
from mesos_spec.values import Fifo

CHANNELS = frozenset(("up", "down", "calls", "events", "to_executor"))
FOREIGN = SchedulerId("ext")


class Post:
    """Connections by the names they have in traces."""

    def __init__(self) -> None:
        self.ids = wire.Ids()
        self.links: dict[str, LinkId] = {}
        self.lines: dict[str, LineId] = {}
        self.framework_of: dict[str, FrameworkId] = {}
        self.executor_of: dict[str, tuple[AgentId, FrameworkId, str]] = {}

    def link(self, name: str | None) -> LinkId:
        """The link called so; of the agent `?` if no agent ever opened it."""
        return self.links.get(name or "") or LinkId(AgentId("?"), name or "")

    def line(self, heard: Heard) -> LineId:
        """The line a call came on: a line of its own for each foreign call."""
        assert heard.id is not None
        connection, n = heard.id
        if connection == "ext":
            return LineId(FOREIGN, str(n))
        return self.lines.get(connection) or LineId(FOREIGN, f"{connection}/{n}")

    # ---- heard ---------------------------------------------------------------------------
    def heard(self, role: str, heard: Heard) -> tuple[Cell, Any] | None:
        """The channel a message was heard on, and what it says; None for what is in no channel.

        An event that makes several offers says several things.  Raises `wire.Unreadable`.
        """
        if heard.id is None or heard.msg is None:
            return None
        match role, heard.sender:
            case "master", "agent":
                return ("up", self.link(heard.id[0])), wire.frame_up(heard.msg)
            case "master", "scheduler":
                said = wire.call(heard.msg, heard.stream, self.ids)
                return ("calls", self.line(heard)), said
            case "agent", "master":
                return ("down", self.link(heard.id[0])), wire.frame_down(heard.msg)
            case "scheduler", "master":
                stream = self.ids.stream(heard.id[0])
                told = wire.event(heard.msg, self.framework_of.get(heard.id[0]), self.ids)
                return ("events", stream), told[0] if len(told) == 1 else told
            case _:
                return None

    # ---- sent ----------------------------------------------------------------------------
    def sent(self, role: str, who: Any, sent: Sent) -> tuple[Cell, tuple[Any, ...]] | None:
        """The channel a message was sent on, and what it says; None for deeds.

        Raises `wire.Unreadable`.
        """
        if sent.id is None or sent.msg is None:
            return None
        name = sent.id[0]
        match role, sent.to:
            case "master", "agent":
                return ("down", self.link(name)), (wire.frame_down(sent.msg),)
            case "master", "scheduler":
                told = wire.event(sent.msg, self.framework_of.get(name), self.ids)
                return ("events", self.ids.stream(name)), told
            case "agent", "master":
                return ("up", self.link(name)), (wire.frame_up(sent.msg),)
            case "agent", "executor":
                return self._told_executor(name, sent.msg)
            case "scheduler", "master":
                said = wire.call(sent.msg, sent.stream, self.ids)
                return ("calls", self.lines[name]), (said,)
            case _:
                return None

    def _told_executor(self, stream: str, msg: dict[str, Any]) -> tuple[Cell, tuple[Any, ...]]:
        key = self.executor_of.get(stream)
        if key is None:
            raise wire.Unreadable(f"stream {stream} belongs to no executor")
        told = wire.told_executor(msg, key[1])
        return ("to_executor", key), () if told is None else (told,)

    # ---- the directory -------------------------------------------------------------------
    def open_stream(self, line: LineId, stream: str, framework: str | None) -> StreamId:
        """A SUBSCRIBE on `line` is answered on `stream`."""
        made = self.ids.streams[stream] = StreamId(line.scheduler, stream)
        if framework is not None:
            self.framework_of[stream] = FrameworkId(framework)
        return made


def appended(effects: Effects) -> dict[Cell, list[Any]]:
    """What a step put into channels."""
    told: dict[Cell, list[Any]] = {}
    for cell, (old, new) in effects.items():
        if cell[0] in CHANNELS and isinstance(new, Fifo):
            more = _more(old.mail, new.mail)
            if more:
                told[cell] = more
    return told


def _more(old: tuple[Any, ...], new: tuple[Any, ...]) -> list[Any]:
    """The messages at the end of `new` that `old` has not, where a prefix of `old` is gone."""
    for gone in range(len(old) + 1):
        kept = len(old) - gone
        if new[:kept] == old[gone:]:
            return list(new[kept:])
    return list(new)
