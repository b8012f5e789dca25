"""Lives: processes that start, die without a last word, and start again.

A process incarnation is a *life*.  What one leaves behind when it is killed is the environment's
doing: a crash, the end of a reign.  An agent's next life begins with what the last one had kept.
Its last records before a kill are in doubt: they were written before what they say was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mesos_spec.ids import AgentId, FrameworkId, SchedulerId
from mesos_spec.kernel import Action, Disabled
from mesos_spec.kernel.cells import Effects, undo
from mesos_spec.state import AgentProcess, Reign, Scheduler, State
from mesos_spec.tools.judging import clocks, view
from mesos_spec.tools.judging.trace import MessageKey, Record, Trace
from mesos_spec.tools.judging.verdict import Kind


class Wrong(Exception):
    """What is wrong with the record under judgement."""

    def __init__(self, says: str, kind: Kind = Kind.CONFORMANCE, **more: Any) -> None:
        super().__init__(says)
        self.kind = kind
        self.more = more


class Unknowable(Exception):
    """What the traces hold is not enough to go on."""


class Doubtful(NamedTuple):
    """A record of which it is not known whether all it says was kept, and all that it changed."""

    did: Effects
    record: Record

    @property
    def changed(self) -> Effects:
        """What it changed of the agent's own."""
        own = view.SHOWN["agent"]
        return {cell: pair for cell, pair in self.did.items() if cell[0] in own}

    @property
    def sent(self) -> Iterator[tuple[str, MessageKey]]:
        """Direction and identity of each message."""
        for sent in self.record.sent:
            if sent.id is not None:
                yield "up" if sent.to == "master" else "down", sent.id


@dataclass(slots=True)
class Node:
    """One process incarnation, as far as it was followed."""

    trace: Trace
    role: str
    who: Any  #: epoch of a master that leads, agent id, scheduler id
    shown: dict[str, Any] = field(default_factory=dict)
    records: int = 0
    may_show_less: int = 0  #: records more that need not show the whole view
    clock: clocks.Clocks = field(default_factory=clocks.Clocks)
    batch: int = -1
    doubtful: list[Doubtful] = field(default_factory=list)  #: what an agent's last batch did
    crash: Effects = field(default_factory=dict)


class Lives:
    """Who lives, in which incarnation, on the judge's own state."""

    def __init__(self, s: State, actions: dict[str, Action[State, ...]]) -> None:
        self.s = s
        self._actions = actions
        self._nodes: dict[int, Node] = {}
        self._last: dict[tuple[str, str], Node] = {}
        self._silent: set[tuple[str, str, int]] = set()
        self.doubts: dict[str, None] = {}  #: sentences on what is missing, in order

    def __len__(self) -> int:
        return len(self._nodes)

    def foretell(self, traces: list[Trace]) -> None:
        """Lives that were killed before their first record have done nothing, and are not missed:
        a record is written before anything is kept or sent."""
        heads = (trace.header for trace in traces if not trace.records)
        self._silent |= {(head.role, head.node, head.life) for head in heads}

    def node(self, trace: Trace, first: Record) -> Node:
        """The process that wrote `trace`; it is born with its first record."""
        node = self._nodes.get(id(trace))
        if node is None:
            node = self._nodes[id(trace)] = self._born(trace, first)
        return node

    def environment(self, name: str, **bound: Any) -> Effects:
        """A step of the environment, which is always allowed where it is possible."""
        try:
            return self._actions[name].apply(self.s, bound)
        except Disabled as refused:
            raise Wrong(f"the environment cannot {name}: {refused}", Kind.HARNESS) from None

    # ---- births ------------------------------------------------------------------------------
    def _born(self, trace: Trace, first: Record) -> Node:
        """A process starts: whatever its node's last life left behind is over."""
        role, name = trace.header.role, trace.header.node
        node = Node(trace=trace, role=role, who=None)
        node.clock.config = trace.header.config
        last = self._last.get((role, name))
        shown = first.whole or {}
        if role == "agent":
            self._agent_born(node, shown, last)
        elif role == "scheduler":
            self._scheduler_born(node, shown)
        elif role == "master" and last is not None and last.who is not None:
            self._end_reign(last.who)
        self._last[role, name] = node
        return node

    def _end_reign(self, epoch: int) -> None:
        if self.s.reign[epoch] is Reign.LEADING:
            self.environment("end_reign", epoch=epoch)

    def _agent_born(self, node: Node, shown: dict[str, Any], last: Node | None) -> None:
        header = node.trace.header
        who = node.who = AgentId(str((shown.get("agent") or {}).get("id", header.node)))
        if last is not None and last.who == who:
            node.doubtful = last.doubtful
        if self.s.agent[who].up:
            node.crash = self.environment("crash_agent", agent=who)
        before = last.trace.header.life if last is not None else 0
        lives = range(before + 1, header.life)
        missing = next((n for n in lives if ("agent", header.node, n) not in self._silent), None)
        if missing is not None:
            self._missed_a_life(node, shown, missing)

    def _missed_a_life(self, node: Node, shown: dict[str, Any], life: int) -> None:
        """The trace of an earlier life is missing: what it kept is known only if it is nothing."""
        missing = f"no trace of life {life} of {node.trace.header.role} {node.trace.header.node}"
        if shown.keys() - {"agent"}:
            raise Unknowable(f"{missing}: what it left behind is not known; judged no further")
        self.doubts[f"{missing}: what it did was not judged"] = None
        epoch = (shown.get("agent") or {}).get("epoch") or 0
        for name in ("hosted", "runners", "runs", "updates"):
            self.s._put(name, node.who, self.s._layout[name].default)
        self.s._put("agent", node.who, AgentProcess(False, epoch))

    def _scheduler_born(self, node: Node, shown: dict[str, Any]) -> None:
        """Each incarnation is a scheduler by itself, which may know of a framework from before."""
        header = node.trace.header
        node.who = SchedulerId(f"{header.node}/{header.incarnation}")
        known = (shown.get("scheduler") or {}).get("framework")
        if known is not None:
            self.s._put("scheduler", node.who, Scheduler(FrameworkId(known)))

    def closed(self, node: Node) -> None:
        """A process ended in order: it hears nothing any more, and all it said was kept."""
        node.doubtful.clear()
        if node.role == "scheduler":
            self.environment("crash_scheduler", scheduler=node.who)

    # ---- what is in doubt --------------------------------------------------------------------
    def remember(self, node: Node, record: Record, did: Effects) -> None:
        """Keep what an agent's last batch changed: after a kill it may not have been kept."""
        if record.batch != node.batch:
            node.batch, node.doubtful = record.batch, []
        node.doubtful.append(Doubtful(did, record))

    def recover(
        self,
        node: Node,
        record: Record,
        did: Effects,
        steps: Callable[[Effects], None],
        was_heard: Callable[[str, MessageKey], bool],
    ) -> None:
        """Take an agent's first steps from what it had kept (D4).

        The records in doubt are taken back one by one, the last first, until `steps` are possible
        and lead to what the agent shows.  None is, if anybody heard of that batch: what it sent
        had left after all of it was kept.  Raises `Wrong` where nothing leads there.
        """
        if any(was_heard(*message) for one in node.doubtful for message in one.sent):
            node.doubtful = []
        said = record.whole if record.whole is not None else _without_gone(record.view or {})
        refused: Wrong | None = None
        for lost in [None, *(one.changed for one in reversed(node.doubtful))]:
            if lost is not None:
                undo(self.s, did)
                undo(self.s, node.crash)
                undo(self.s, lost)
                node.crash = self.environment("crash_agent", agent=node.who)
                did.clear()
            try:
                steps(did)
            except Wrong as wrong:
                if wrong.kind is not Kind.CONFORMANCE:
                    raise
                refused = refused or wrong
                continue
            refused = None
            if view.whole(self.s, "agent", node.who) == said:
                break
        if refused is not None:
            raise refused
        node.shown = {}


def _without_gone(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value is not None}
