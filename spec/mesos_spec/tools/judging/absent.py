"""Who left no trace: what such a process said is taken as it was heard.

Then nothing wrong can be found in it, but the others can still be judged, each for what it made of
what it heard.  Each such process is a doubt: the verdict is *unknown* at best.  A scheduler or an
executor without a trace is none, since anybody may call; that is the environment's business.
"""

from __future__ import annotations

from typing import Any

from mesos_spec.ids import AgentId, LinkId
from mesos_spec.state import Reign, State
from mesos_spec.tools.judging import wire
from mesos_spec.tools.judging.lives import Node, Wrong
from mesos_spec.tools.judging.post import Post
from mesos_spec.tools.judging.trace import Record, Trace


class Absent:
    """Speaks for the absent, on the judge's own state, and notes a doubt for each."""

    def __init__(self, s: State, post: Post, doubts: dict[str, None]) -> None:
        self.s, self.post = s, post
        self._doubts = doubts
        self._ears: set[Any] = set()  #: channels at whose far end nobody left a trace
        self._unled = 0  #: lives of masters that may each have been elected, and ended on the spot

    def foretell(self, traces: list[Trace]) -> None:
        """A master is found by others before its first record as a leader: it may end in between.

        Then its reign did nothing, and only hearing of it is no doubt.
        """
        for trace in traces:
            heard = (record.heard for record in trace.records)
            led = any(event is not None and event.local == "elected" for event in heard)
            self._unled += trace.header.role == "master" and not led

    def is_to_hear(self, field: str, key: Any) -> bool:
        """Whether what is put into a channel is for somebody who left no trace."""
        return (field, key) in self._ears

    def heard(self, node: Node, record: Record, why: str) -> None:
        """No trace shows what was heard to have been sent: put it where it is heard from."""
        heard = record.heard
        assert heard is not None
        if heard.local == "leader":
            if heard.epoch is not None and self.s.reign[heard.epoch] is Reign.NONE:
                self.s._put("reign", heard.epoch, Reign.LEADING)
                self._unled -= 1
                if self._unled < 0:
                    self._doubt(why, f"the master of reign {heard.epoch}")
            return
        assert heard.id is not None
        name, msg = heard.id[0], heard.msg or {}
        if node.role == "master" and heard.sender == "agent" and name not in self.post.links:
            self.post.links[name] = LinkId(AgentId(str(msg.get("agent_id", "?"))), name)
        elif node.role == "scheduler":
            self._open_answer(node, name, msg)
        try:
            found = self.post.heard(node.role, heard)
        except (wire.Unreadable, *wire.MALFORMED) as error:
            raise Wrong(f"what it heard cannot be read: {error}") from None
        if found is not None:
            (field, key), said = found
            self._doubt(why, self._sender(field, key, node, msg))
            for message in said if isinstance(said, tuple) else (said,):
                self.s._put(field, key, self.s.look((field, key)) + message)

    def _sender(self, field: str, key: Any, node: Node, msg: dict[str, Any]) -> str:
        """Whose words these were; what is sent to it, nobody will hear."""
        if field == "up":
            return f"agent {key.agent}"
        if field == "calls":
            return f"scheduler {key.scheduler}"
        if field == "down":
            self._ears.add(("up", key))
            return f"the master of reign {msg.get('epoch')}"
        self._ears.add(("calls", self.s.scheduler[node.who].line))
        return f"the master that answered on stream {key.id}"

    def _open_answer(self, node: Node, stream: str, msg: dict[str, Any]) -> None:
        """A master that left no trace has answered a SUBSCRIBE."""
        line = self.s.scheduler[node.who].line
        if line is not None and self.s.answer[line] is None:
            told = msg.get("subscribed") or {}
            name = wire.maybe(told.get("framework_id"))
            self.s._put("answer", line, self.post.open_stream(line, stream, name, line.epoch))

    def _doubt(self, why: str, whose: str) -> None:
        self._doubts[f"{why} {whose}: what it said was taken as it was heard"] = None
