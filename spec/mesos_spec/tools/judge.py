"""The judge: is what these processes did a behaviour of the specification?

It steps the specification beside the records, one at a time.  It does not believe a core (D3): what
a core says it did only tells which action to try.  Names come from the messages wherever they are
there; what was heard must be what was sent; what the specification sends must be what was sent;
its state afterwards must be what the node shows; and a record that claims nothing must have sent
and changed nothing.  The first record that fails is explained, and its node's party is named.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.cells import Cell, Effects, show, undo
from mesos_spec.ids import AgentId, SchedulerId
from mesos_spec.kernel import Action, Disabled, Specification, Untold
from mesos_spec.state import Reign, State
from mesos_spec.tools import clocks, view, wire
from mesos_spec.tools.asking import Asking
from mesos_spec.tools.binding import Scene, Unbound, bind
from mesos_spec.tools.merge import Merger, Placed
from mesos_spec.tools.post import CHANNELS, FOREIGN, Post, appended
from mesos_spec.tools.trace import Record, Sent, Trace
from mesos_spec.tools.verdict import PARTY, Guarded, Kind, Outcome, Verdict, Violation
from mesos_spec.values import Fifo

WHOLE = 256  #: every so many records of a node, properties of the whole are asked


class Wrong(Exception):
    """What is wrong with the record under judgement."""

    def __init__(self, says: str, kind: Kind = Kind.CONFORMANCE, **more: Any) -> None:
        super().__init__(says)
        self.kind = kind
        self.more = more


@dataclass(slots=True)
class Node:
    """One process incarnation, as far as it was followed."""

    trace: Trace
    who: Any  #: epoch of a master that leads, agent id, scheduler id
    shown: dict[str, Any] = field(default_factory=dict)
    records: int = 0
    clock: clocks.Clocks = field(default_factory=clocks.Clocks)
    batch: int = -1
    doubtful: list[Effects] = field(default_factory=list)
    crash: Effects = field(default_factory=dict)

    @property
    def role(self) -> str:
        """master, agent, scheduler or executor."""
        return self.trace.header.role


class Judge:
    """Follows a run record by record.  `take` returns the first thing that is wrong, if any."""

    def __init__(self, spec: Specification[State], bounds: Any) -> None:
        self.spec = spec
        self.s = spec.start(bounds)
        self.post = Post()
        self.verdict = Verdict(outcome=Outcome.CONFORMS)
        self._actions = {a.name: a for a in spec.actions}
        self._nodes: dict[int, Node] = {}
        self._living: dict[tuple[str, str], Node] = {}
        self._asking = Asking(spec)
        self._recent: deque[tuple[Node, Record]] = deque(maxlen=4)

    # ---- one record --------------------------------------------------------------------------
    def take(self, placed: Placed) -> Violation | None:
        """Judge one record.  After a violation the run cannot be followed any further."""
        record = placed.record
        node = self._node(placed.trace, record)
        try:
            if placed.orphan is not None:
                raise Wrong(f"it heard {_orphan(placed)}, which no trace shows to have been sent")
            self._follow(node, record)
        except Wrong as wrong:
            violation = self._violation(node, record, wrong)
            self.verdict.violations.append(violation)
            self.verdict.outcome = Outcome.VIOLATES
            return violation
        node.records += 1
        self.verdict.records += 1
        self._recent.append((node, record))
        return None

    def _node(self, trace: Trace, record: Record) -> Node:
        node = self._nodes.get(id(trace))
        if node is None:
            node = self._nodes[id(trace)] = self._born(trace, record)
            self.verdict.processes += 1
        return node

    def _born(self, trace: Trace, first: Record) -> Node:
        """A process starts: whatever its node's last life left behind is over."""
        header = trace.header
        key = (header.role, header.node)
        last = self._living.get(key)
        node = Node(trace=trace, who=None)
        node.clock.config = header.config
        if header.role == "agent":
            node.who = AgentId(str(((first.whole or {}).get("agent") or {}).get("id", header.node)))
            if last is not None:
                node.doubtful = last.doubtful
            if self.s.agent[node.who].up:
                node.crash = self._environment("crash_agent", agent=node.who)
        elif header.role == "scheduler":
            node.who = SchedulerId(header.node)
            if last is not None:
                self._environment("crash_scheduler", scheduler=node.who)
        elif header.role == "master" and last is not None and last.who is not None:
            self._end_reign(last)
        self._living[key] = node
        return node

    def _end_reign(self, node: Node) -> None:
        if self.s.reign[node.who] is Reign.LEADING:
            self._environment("end_reign", epoch=node.who)

    def _environment(self, name: str, **bound: Any) -> Effects:
        """A step of the environment, which is always allowed where it is possible."""
        try:
            return self._actions[name].apply(self.s, bound)
        except Disabled as refused:
            raise Wrong(f"the environment cannot {name}: {refused}", Kind.HARNESS) from None

    def _follow(self, node: Node, record: Record) -> None:
        if record.heard is not None and record.heard.local == "elected":
            node.who = record.heard.epoch
        said = self._hear(node, record)
        node.clock.now(record)
        did: Effects = {}
        scene = Scene(node.role, node.who, record, self.post, self._settled(node))
        scene.calls = self._calls(node, record)
        for name, names in record.did:
            scene.did = names
            self._step(node, record, name, scene, did)
        if said is not None:
            self._consumed(said, did, record)
        self._compare_sent(node, record, did)
        self._remember(node, record, did)
        self._compare_view(node, record, did)
        self._drain(node, did)
        node.clock.over(record)

    # ---- what was heard ----------------------------------------------------------------------
    def _hear(self, node: Node, record: Record) -> tuple[Cell, Any] | None:
        """Check that what was heard is the oldest of what was sent: its channel, and itself."""
        heard = record.heard
        if heard is None or heard.id is None:
            return None
        try:
            found = self.post.heard(node.role, heard)
        except wire.Unreadable as error:
            raise Wrong(f"what it heard cannot be read: {error}") from None
        if found is None:
            return None
        channel, said = found
        if channel[0] == "calls" and channel[1].scheduler == FOREIGN:
            if record.did:
                self._environment("foreign_call", line=channel[1], message=said)
            return found if record.did else None
        mail = self.s.look(channel).mail
        if not mail:
            if record.did and not _shrugs(record):
                raise Wrong(f"it acted on {said}, but nothing is in flight on {show(channel)}")
            return None
        if mail[0] != said:
            raise Wrong(
                f"what it heard on {show(channel)} is not what was sent",
                expected=(f"the oldest in flight, {mail[0]}",),
                found=(str(said),),
            )
        return found

    def _consumed(self, said: tuple[Cell, Any], did: Effects, record: Record) -> None:
        channel, message = said
        if channel not in did:
            claimed = ", ".join(name for name, _ in record.did) or "nothing"
            raise Wrong(f"{message} was heard, and no action took it (it claims: {claimed})")

    # ---- what was done -----------------------------------------------------------------------
    def _settled(self, node: Node) -> bool:
        return node.role == "master" and node.clock.settled()

    def _calls(self, node: Node, record: Record) -> list[Any]:
        """The calls that a scheduler's user made: all but SUBSCRIBE and ACKNOWLEDGE."""
        if node.role != "scheduler":
            return []
        own = [s for s in record.sent if s.msg is not None and s.to == "master"]
        others = [s for s in own if s.msg and s.msg.get("type") not in ("SUBSCRIBE", "ACKNOWLEDGE")]
        return [wire.call(s.msg, s.stream, self.post.ids) for s in others if s.msg]

    def _step(self, node: Node, record: Record, name: str, scene: Scene, did: Effects) -> None:
        action = self._actions.get(name)
        if action is None or action.by not in (node.role, "environment"):
            raise Wrong(f"it claims {name!r}, which is no action of a {node.role}")
        try:
            bound = bind(action, scene)
        except (Unbound, wire.Unreadable, KeyError, TypeError) as error:
            raise Wrong(f"it claims {name}, but cannot mean a step: {error}") from None
        self._learn(node, name, bound)
        if name == "offer" and (why := self._asking.not_next(self.s, bound)):
            raise Wrong(why, Kind.SAFETY, action=name, names=bound)
        try:
            effects = action.apply(self.s, bound)
        except Disabled as refused:
            raise self._refused(action, bound, refused) from None
        except Untold as error:
            raise Wrong(f"{name} is no step here: {error}", action=name, names=bound) from None
        too_soon = node.clock.too_soon(name, bound, record.now)
        if too_soon:
            raise Wrong(too_soon, action=name, names=bound)
        node.clock.took(name, bound, record.now, record)
        self._ask(name, bound, effects)
        self.verdict.steps += 1
        self.verdict.taken[name] += 1
        for cell, (old, new) in effects.items():
            did[cell] = (did[cell][0] if cell in did else old, new)

    def _learn(self, node: Node, name: str, bound: dict[str, Any]) -> None:
        if name == "ask_to_subscribe":
            self.post.lines[bound["line"].id] = bound["line"]

    def _refused(self, action: Action[Any, ...], bound: dict[str, Any], refused: Disabled) -> Wrong:
        guards = tuple(
            Guarded(
                says=g.says,
                held=g.held,
                values="; ".join(f"{show(c)} = {v!r}" for c, v in g.read.items())[:600],
            )
            for g in action.guards(self.s, bound)
        )
        return Wrong(
            f"{action.name} is refused: it does not hold that {refused}",
            action=action.name,
            names=bound,
            guards=guards,
        )

    def _ask(self, name: str, bound: dict[str, Any], effects: Effects) -> None:
        broken = self._asking.broken(self.s, effects)
        if broken is not None:
            raise Wrong(broken, Kind.SAFETY, action=name, names=bound)

    # ---- what was sent -----------------------------------------------------------------------
    def _compare_sent(self, node: Node, record: Record, did: Effects) -> None:
        expected = appended(did)
        found: dict[Cell, list[Any]] = {}
        for sent in record.sent:
            where = self._read(node, sent)
            if where is not None:
                found.setdefault(where[0], []).extend(where[1])
        for channel in [*expected, *(c for c in found if c not in expected)]:
            self._same(channel, expected.get(channel, []), found.get(channel, []))

    def _read(self, node: Node, sent: Sent) -> tuple[Cell, tuple[Any, ...]] | None:
        try:
            return self.post.sent(node.role, node.who, sent)
        except (wire.Unreadable, KeyError) as error:
            raise Wrong(f"what it sent cannot be read: {error}") from None

    def _same(self, channel: Cell, expected: list[Any], found: list[Any]) -> None:
        if expected == found:
            return
        at = next((i for i, (e, f) in enumerate(zip(expected, found, strict=False)) if e != f), -1)
        if at < 0:
            at = min(len(expected), len(found))
        want = str(expected[at]) if at < len(expected) else "nothing more"
        got = str(found[at]) if at < len(found) else "nothing more"
        raise Wrong(
            f"what it sent on {show(channel)} is not what its actions send",
            expected=(want,),
            found=(got,),
        )

    # ---- what it shows -----------------------------------------------------------------------
    def _compare_view(self, node: Node, record: Record, did: Effects) -> None:
        if record.whole is not None:
            self._compare_whole(node, record.whole)
            node.shown = dict(record.whole)
            return
        expected = view.changed(node.role, did)
        said = record.view or {}
        for key in [*expected, *(k for k in said if k not in expected)]:
            want = expected[key] if key in expected else node.shown.get(key)
            got = said[key] if key in said else node.shown.get(key)
            if want != got:
                raise Wrong(
                    f"after it, the node shows {key} otherwise than the specification",
                    expected=(f"{key} = {want}",),
                    found=(f"{key} = {got}",),
                )
        for key, value in said.items():
            if value is None:
                node.shown.pop(key, None)
            else:
                node.shown[key] = value

    def _compare_whole(self, node: Node, said: dict[str, Any]) -> None:
        expected = view.whole(self.s, node.role, node.who) if node.who is not None else {}
        different = list(view.differences(expected, said))
        if different:
            raise Wrong(
                "its whole view is not the specification's state",
                expected=tuple(f"{key} = {want}" for key, want, _ in different[:5]),
                found=tuple(f"{key} = {got}" for key, _, got in different[:5]),
            )
        broken = self._asking.broken_anywhere(self.s) if node.role == "master" else None
        if broken is not None:
            raise Wrong(broken, Kind.SAFETY)

    def _remember(self, node: Node, record: Record, did: Effects) -> None:
        """Keep an agent's last batch: after a kill it may not have been written down."""
        if node.role != "agent":
            return
        if any(name == "start_agent" for name, _ in record.did):
            self._recover(node, record, did)
        if record.batch != node.batch:
            node.batch, node.doubtful = record.batch, []
        own = view.SHOWN["agent"]
        kept = {cell: pair for cell, pair in did.items() if cell[0] in own}
        node.doubtful.append(kept)

    def _recover(self, node: Node, record: Record, did: Effects) -> None:
        """The last records of the life before are in doubt: the recovered view decides (D4)."""
        said = record.whole if record.whole is not None else _without_gone(record.view or {})
        for lost in [None, *reversed(node.doubtful)]:
            if lost is not None:
                undo(self.s, did)
                undo(self.s, node.crash)
                undo(self.s, lost)
                node.crash = self._environment("crash_agent", agent=node.who)
                did.clear()
                did.update(self._environment("start_agent", agent=node.who))
            if view.whole(self.s, "agent", node.who) == said:
                break
        node.shown = {}
        for cell, (_, new) in list(did.items()):
            if cell[0] in view.SHOWN["agent"]:
                did[cell] = (self.s._layout[cell[0]].default, new)

    # ---- housekeeping ------------------------------------------------------------------------
    def _drain(self, node: Node, did: Effects) -> None:
        """Deliver what goes to foreign ears; drop what nobody can hear any more."""
        for cell, (_, new) in did.items():
            name, key = cell
            if name not in CHANNELS or not isinstance(new, Fifo) or not new.mail:
                continue
            foreign = name == "to_executor" or (name == "events" and key.scheduler == FOREIGN)
            if foreign or self._is_deaf(name, key):
                self.s._put(name, key, Fifo())

    def _is_deaf(self, name: str, key: Any) -> bool:
        if name == "down":
            return bool(self.s.agent[key.agent].link != key)
        if name == "events":
            return not any(
                self.s.scheduler[key.scheduler].line == line
                for line, stream in self.s._fields["answer"].items()
                if stream == key
            )
        return False

    def finish(self) -> Verdict:
        """The verdict on everything taken so far."""
        verdict = self.verdict
        verdict.never = [
            a.name
            for a in self.spec.actions
            if a.by != "environment" and a.name not in verdict.taken
        ]
        if verdict.outcome is Outcome.CONFORMS and verdict.records == 0:
            verdict.doubts.append("the traces hold no record")
        if verdict.outcome is Outcome.CONFORMS and verdict.doubts:
            verdict.outcome = Outcome.UNKNOWN
        return verdict

    def _violation(self, node: Node, record: Record, wrong: Wrong) -> Violation:
        names = {k: str(v) for k, v in wrong.more.pop("names", {}).items()}
        party = "harness" if wrong.kind is Kind.HARNESS else PARTY.get(node.role, "harness")
        return Violation(
            kind=wrong.kind,
            party=party,
            who=node.trace.who,
            place=f"{node.trace.path}:{record.seq + 2}",
            seq=record.seq,
            now_us=record.now,
            says=str(wrong),
            names=names,
            before=tuple(_line(*recent) for recent in self._recent),
            **wrong.more,
        )


def _shrugs(record: Record) -> bool:
    return all(name in ("ignore_frame", "ignore_frame_up", "turn_away") for name, _ in record.did)


def _without_gone(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value is not None}


def _orphan(placed: Placed) -> str:
    return " ".join(map(str, placed.orphan or ()))


def _line(node: Node, record: Record) -> str:
    did = ", ".join(
        f"{name}({', '.join(f'{k}={v}' for k, v in names.items())})" for name, names in record.did
    )
    return f"{node.role} {node.trace.header.node} #{record.seq}: {did or 'nothing'}"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the cyclic garbage collector: traces are large, and make no cycles."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def judge(
    traces: list[Trace],
    spec: Specification[State],
    bounds: Any,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """The verdict on merged `traces`.  `progress(n)` is called every 1,000 records."""
    one = Judge(spec, bounds)
    with _no_collection():
        for n, placed in enumerate(Merger(traces)):
            if one.take(placed) is not None:
                break
            if progress is not None and n % 1000 == 0:
                progress(n)
    for trace in traces:
        if trace.torn:
            one.verdict.ignored["torn last lines"] += 1
    return one.finish()
