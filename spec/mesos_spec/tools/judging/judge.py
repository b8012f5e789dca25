"""The judge: is what these processes did a behaviour of the specification?

It steps the specification beside the records, one at a time.  It does not believe a core (D3): what
a core says it did only tells which action to try.  Names come from the messages wherever they are
there; what was heard must be what was sent; what the specification sends must be what was sent;
its state afterwards must be what the node shows; and a record that claims nothing must have sent
and changed nothing.  The first record that fails is explained, and its node's party is named.

Where a process left no trace, the others are judged all the same: what it said is taken as it was
heard.  Then nothing wrong can be found in it, and the verdict is *unknown* at best.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mesos_spec.kernel import Disabled, Specification, Untold
from mesos_spec.kernel.cells import Cell, Effects, undo
from mesos_spec.kernel.live import alone
from mesos_spec.kernel.values import Fifo
from mesos_spec.state import Standing, State
from mesos_spec.tools.judging import evidence, view, wire
from mesos_spec.tools.judging.absent import Absent
from mesos_spec.tools.judging.asking import Asking
from mesos_spec.tools.judging.binding import Scene, Unbound, bind, contradicts
from mesos_spec.tools.judging.changes import Change, changes, put_in
from mesos_spec.tools.judging.contract import Contracts
from mesos_spec.tools.judging.lives import Lives, Node, Unknowable, Wrong
from mesos_spec.tools.judging.merge import Merger, Order, Placed
from mesos_spec.tools.judging.post import (
    FOREIGN,
    Count,
    Foreign,
    OutOfOrder,
    Post,
)
from mesos_spec.tools.judging.trace import Record, Sent, Trace, without_collection
from mesos_spec.tools.judging.verdict import Kind, Outcome, Verdict, Violation
from mesos_spec.tools.judging.view import SHOWN

__all__ = ["Judge", "Node", "Wrong", "follow", "judge"]


class Judge:
    """Follows a run record by record.  `take` returns the first thing that is wrong, if any."""

    def __init__(self, spec: Specification[State], bounds: Any) -> None:
        self.spec = spec
        self.s = alone(spec.start(bounds))
        self.post = Post()
        self.verdict = Verdict(outcome=Outcome.CONFORMS)
        self.contracts = Contracts()
        self.over = False  #: whether there is no going on
        self._actions = {a.name: a for a in spec.actions}
        self._lives = Lives(self.s, self._actions)
        self._asking = Asking(spec)
        self._last_step: Sequence[Change] = ()
        self._recent: deque[tuple[Node, Record]] = deque(maxlen=4)
        self._offered: set[str] = set()
        self._absent = Absent(self.s, self.post, self._lives.doubts)

    def foretell(self, traces: list[Trace]) -> None:
        """All that will be judged: what of it was killed before it did anything is not missed."""
        self._lives.foretell(traces)
        self._absent.foretell(traces)

    # ---- one record --------------------------------------------------------------------------
    def take(self, placed: Placed) -> Violation | None:
        """Judge one record.  After a violation the run cannot be followed any further."""
        trace, record = placed.trace, placed.record
        did: Effects = {}
        node: Node | None = None
        try:
            node = self._node(trace, record)
            if placed.orphan is not None:
                self._orphaned(placed)
            if placed.untold:
                self._absent.heard(node, record, placed.untold)
            changed = self._follow(node, record, did)
        except Unknowable as why:
            self._lives.doubts[str(why)] = None
            self.over = True
            return None
        except Wrong as wrong:
            unborn = Node(trace=trace, role=trace.header.role, who=None)
            return self._violated(node or unborn, record, wrong, did)
        if node.role == "master":
            self.contracts.saw(placed, changed)
        node.records += 1
        self.verdict.records += 1
        self._recent.append((node, record))
        return None

    def _node(self, trace: Trace, record: Record) -> Node:
        return self._lives.node(trace, record)

    def _violated(self, node: Node, record: Record, wrong: Wrong, did: Effects) -> Violation:
        after = evidence.changed(did)
        undo(self.s, did)
        before = tuple(evidence.line(*each) for each in self._recent)
        violation = evidence.violation(
            self.spec, self.s, self.post, node, record, wrong, changed=after, before=before
        )
        self.verdict.violations.append(violation)
        self.verdict.outcome = Outcome.VIOLATES
        self.over = True
        return violation

    def _follow(self, node: Node, record: Record, did: Effects) -> Sequence[Change]:
        """Judge what a record says was done, which is written to `did`; what it changed."""
        self._last_step = ()
        heard = record.heard
        if heard is not None and heard.local == "elected":
            node.who = heard.epoch
        if node.role == "master":
            self.post.reign = node.who or 0
        count = self._expect(node, record)
        said = self._hear(node, record)
        node.clock.now(record)
        scene = Scene(node.role, node.who, record, self.post)
        if node.role == "master":
            scene.settled, scene.full = self._settled(node), partial(self._full, node)
        elif node.role == "scheduler":
            scene.calls = self._calls(node, record)
        if node.role == "agent" and _starts(record):
            self._recover(node, record, scene, did)
        elif count is None or said is not None or not _shrugs(record):
            self._steps(node, record, scene, did)
        changed = self._last_step if len(record.did) == 1 else changes(did)
        if said is not None:
            self._consumed(said, did, record)
        self._compare_sent(node, record, changed)
        if node.role == "agent":
            self._lives.remember(node, record, did)
        self._compare_view(node, record, changed)
        self._drain(changed)
        node.clock.over(record)
        if count is not None and heard is not None and heard.id is not None:
            count.took(heard.id[1])
        elif heard is not None and heard.local == "closed":
            self._lives.closed(node)
        return changed

    def _recover(self, node: Node, record: Record, scene: Scene, did: Effects) -> None:
        """An agent is back: several tries, of which one counts."""
        steps, taken = self.verdict.steps, self.verdict.taken.copy()

        def attempt(effects: Effects) -> None:
            self.verdict.steps, self.verdict.taken = steps, taken.copy()
            self._steps(node, record, scene, effects)

        self._lives.recover(node, record, did, attempt, self.post.was_heard)

    # ---- what was heard ----------------------------------------------------------------------
    def _expect(self, node: Node, record: Record) -> Count | Foreign | None:
        if record.heard is None:
            return None
        try:
            return self.post.expect(node.role, node.trace.header.incarnation, record.heard)
        except OutOfOrder as error:
            raise Wrong(str(error)) from None

    def _hear(self, node: Node, record: Record) -> tuple[Cell, Any] | None:
        """Check that what was heard is the oldest of what was sent: its channel, and itself."""
        heard = record.heard
        if heard is None or heard.id is None:
            if heard is not None and heard.msg is not None and heard.local is None:
                raise Wrong("it heard a message that belongs to no connection")
            return None
        try:
            found = self.post.heard(node.role, heard)
        except (wire.Unreadable, *wire.MALFORMED) as error:
            raise Wrong(f"what it heard cannot be read: {error}") from None
        if found is None:
            return None
        channel, said = found
        if channel[0] == "calls" and channel[1].scheduler == FOREIGN:
            self.verdict.ignored["calls of schedulers without a trace (anybody may call)"] += 1
            if record.did:
                self._environment("foreign_call", line=channel[1], message=said)
            return found if record.did else None
        mail = self.s.look(channel).mail
        if not mail:
            if record.did and not _shrugs(record):
                place = evidence.cell(channel)
                raise Wrong(f"it acted on {said}, but nothing is in flight on {place}")
            return None
        if mail[0] is not said and mail[0] != said:
            raise Wrong(
                f"what it heard on {evidence.cell(channel)} is not what was sent",
                expected=(f"the oldest in flight, {mail[0]}",),
                found=(str(said),),
            )
        return found

    def _consumed(self, said: tuple[Cell, Any], did: Effects, record: Record) -> None:
        channel, message = said
        if channel not in did:
            claimed = ", ".join(name for name, _ in record.did) or "nothing"
            raise Wrong(f"{message} was heard, and no action took it (it claims: {claimed})")

    # ---- who left no trace -------------------------------------------------------------------
    def _orphaned(self, placed: Placed) -> None:
        """A record waited in vain for what a trace should have shown."""
        kind, *rest = placed.orphan or ("",)
        if kind == "life":
            raise Wrong("its node's life before has not ended", Kind.HARNESS)
        if kind == "epoch":
            raise Wrong(f"it speaks of reign {rest[0]}, which has not begun", Kind.HARNESS)
        connection, n = rest
        sentence = f"it heard message {n} on {connection}, which no trace shows to have been sent"
        raise Wrong(sentence)

    # ---- what was done -----------------------------------------------------------------------
    def _environment(self, name: str, **bound: Any) -> Effects:
        return self._lives.environment(name, **bound)

    def _steps(self, node: Node, record: Record, scene: Scene, did: Effects) -> None:
        for name, names in record.did:
            scene.did = names
            self._step(node, record, name, scene, did)

    def _settled(self, node: Node) -> bool:
        return node.role == "master" and node.clock.settled()

    def _full(self, node: Node) -> bool:
        """Whether a master knows as many frameworks as it may, by the limit it was started with."""
        most = node.clock.setting("max_frameworks")
        if node.role != "master" or most is None:
            return False
        absent = (Standing.UNKNOWN, Standing.REMOVED)
        known = (self.s.frameworks[node.who, each] for each in self.s.met_frameworks[node.who])
        return sum(each.standing not in absent for each in known) >= most

    def _calls(self, node: Node, record: Record) -> list[Any]:
        """The calls that a scheduler's user made: all but SUBSCRIBE and ACKNOWLEDGE."""
        if node.role != "scheduler":
            return []
        own = [s for s in record.sent if s.msg is not None and s.to == "master"]
        others = [s for s in own if s.msg and s.msg.get("type") not in ("SUBSCRIBE", "ACKNOWLEDGE")]
        try:
            return [wire.call(s.msg, s.stream, self.post.ids) for s in others if s.msg]
        except wire.Unreadable as error:
            raise Wrong(f"what it sent cannot be read: {error}") from None

    def _step(self, node: Node, record: Record, name: str, scene: Scene, did: Effects) -> None:
        action = self._actions.get(name)
        if action is None or action.by not in (node.role, "environment"):
            raise Wrong(f"it claims {name!r}, which is no action of a {node.role}")
        other = contradicts(name, scene, self.s)
        if other is not None:
            raise Wrong(f"it claims {name} {other}", action=name)
        try:
            bound = bind(action, scene)
        except (Unbound, wire.Unreadable, *wire.MALFORMED) as error:
            raise Wrong(f"it claims {name}, but cannot mean a step: {error}") from None
        if name == "ask_to_subscribe":
            self.post.lines[bound["line"].id] = bound["line"]
        elif name == "turn_scheduler_to":
            self.post.sought[node.who] = bound["epoch"]
        elif name == "offer":
            self._may_offer(bound)
        try:
            effects = action.apply(self.s, bound)
        except Disabled as refused:
            guards = evidence.guards(action, self.s, bound)
            sentence = f"{name} is refused: it does not hold that {refused}"
            raise Wrong(sentence, action=name, names=bound, guards=guards) from None
        except Untold as error:
            raise Wrong(f"{name} is no step here: {error}", action=name, names=bound) from None
        if did:
            for cell, (old, new) in effects.items():
                did[cell] = (did[cell][0] if cell in did else old, new)
        else:
            did.update(effects)
        self._timed(node, record, name, bound)
        changed = self._last_step = changes(effects)
        broken = self._asking.broken(self.s, changed)
        if broken is not None:
            raise Wrong(broken, Kind.SAFETY, action=name, names=bound)
        self.verdict.steps += 1
        self.verdict.taken[name] += 1

    def _timed(self, node: Node, record: Record, name: str, bound: dict[str, Any]) -> None:
        """Nothing comes before its timer has run out."""
        too_soon = node.clock.too_soon(name, bound, record.now)
        if too_soon:
            raise Wrong(too_soon, action=name, names=bound)
        try:
            node.clock.took(name, bound, record.now, record)
        except wire.MALFORMED as error:
            raise Wrong(f"its record of {name} cannot be read: {error!r}") from None

    def _may_offer(self, bound: dict[str, Any]) -> None:
        """An offer's id is new, and its framework is DRF's next claimant."""
        offer = bound["offer"]
        if offer.id in self._offered:
            says = f"the property S5 is broken: offer {offer.id} is made, and there was one before"
            raise Wrong(says, Kind.SAFETY, action="offer", names=bound)
        why = self._asking.not_next(self.s, bound)
        if why is not None:
            raise Wrong(why, Kind.SAFETY, action="offer", names=bound)
        self._offered.add(offer.id)

    # ---- what was sent -----------------------------------------------------------------------
    def _compare_sent(self, node: Node, record: Record, changed: Sequence[Change]) -> None:
        """What was sent, in order, is what the steps put into each channel, and all of it."""
        expected = put_in(changed)
        if not record.sent and not expected:
            return
        found: dict[Cell, int] = {}
        for one in record.sent:
            where = self._read(node, one)
            if where is None:
                if one.msg is not None and node.role in SHOWN:
                    raise Wrong(f"it sent a message to {one.to} that belongs to no connection")
                if one.do is not None:
                    self.verdict.ignored[f"deed {one.do}"] += 1
                continue
            channel, told = where
            at = found.get(channel, 0)
            until = found[channel] = at + len(told)
            every = expected.get(channel, ())
            mine = every[at:until]
            if mine != told:
                raise _otherwise_sent(channel, mine, told)
            try:
                self.post.count_sent(one, mine)  # from now on it *is* the specification's
            except OutOfOrder as error:
                raise Wrong(str(error)) from None
        for channel, every in expected.items():
            if found.get(channel, 0) != len(every):
                raise _otherwise_sent(channel, every[found.get(channel, 0) :], ())

    def _read(self, node: Node, sent: Sent) -> tuple[Cell, tuple[Any, ...]] | None:
        try:
            return self.post.sent(node.role, node.who, sent)
        except (wire.Unreadable, *wire.MALFORMED) as error:
            raise Wrong(f"what it sent cannot be read: {error}") from None

    # ---- what it shows -----------------------------------------------------------------------
    def _compare_view(self, node: Node, record: Record, changed: Sequence[Change]) -> None:
        if node.role in SHOWN:
            self._demand_whole(node, record)
        if record.whole is not None:
            self._compare_whole(node, record.whole)
            node.shown = dict(record.whole)
            return
        expected = view.shown_after(node.role, changed)
        said = record.view or {}
        shown = node.shown
        for key, want in expected.items():
            got = said[key] if key in said else shown.get(key)
            if want != got:
                raise _shows(key, want, got)
        for key, value in said.items():
            if key not in expected and value != shown.get(key):
                raise _shows(key, shown.get(key), value)
            if value is None:
                shown.pop(key, None)
            else:
                shown[key] = value

    def _demand_whole(self, node: Node, record: Record) -> None:
        """A node shows everything in its first record, now and then, and in its last (D3)."""
        last = record.heard is not None and record.heard.local == "closed"
        node.may_show_less -= 1
        if record.whole is not None:
            node.may_show_less = max(WHOLE_EVERY, len(record.whole))
        elif last or node.may_show_less <= 0:
            raise Wrong("it does not show its whole view, where it must")

    def _compare_whole(self, node: Node, said: dict[str, Any]) -> None:
        expected = view.whole(self.s, node.role, node.who) if node.who is not None else {}
        different = list(view.differences(expected, said)) if expected != said else []
        if different:
            raise Wrong(
                "its whole view is not the specification's state",
                expected=tuple(f"{key} = {want}" for key, want, _ in different[:5]),
                found=tuple(f"{key} = {got}" for key, _, got in different[:5]),
            )
        broken = self._asking.broken_anywhere(self.s) if node.role == "master" else None
        if broken is not None:
            raise Wrong(broken, Kind.SAFETY)

    # ---- housekeeping ------------------------------------------------------------------------
    def _drain(self, changed: Sequence[Change]) -> None:
        """Deliver what goes to foreign ears; drop what nobody can hear any more."""
        for (name, key), _, new, _, mail in changed:
            if mail is None or not new.mail:
                continue
            foreign = name == "to_executor" or (name == "events" and key.scheduler == FOREIGN)
            if foreign or self._is_deaf(name, key):
                self.s._put(name, key, _SILENCE)
                if not foreign:
                    self.post.forget("agent" if name == "down" else "scheduler", key.id)

    def _is_deaf(self, name: str, key: Any) -> bool:
        if name == "down":
            return bool(self.s.agent[key.agent].link != key)
        if name == "events":
            line = self.s.scheduler[key.scheduler].line
            return line is None or self.s.answer[line] != key
        return self._absent.is_to_hear(name, key)

    def finish(self) -> Verdict:
        """The verdict on everything taken so far."""
        verdict = self.verdict
        verdict.processes = len(self._lives)
        self.contracts.finish()
        verdict.breaches, verdict.broken = self.contracts.breaches, self.contracts.counts
        if verdict.outcome is Outcome.CONFORMS and not self.over and self._recent:
            broken = self._asking.broken_anywhere(self.s, at_the_end=True)
            if broken is not None:
                self._violated(*self._recent[-1], Wrong(broken, Kind.SAFETY), {})
        doubts = dict.fromkeys([*verdict.doubts, *self._lives.doubts])
        verdict.doubts = list(doubts)
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


_SILENCE: Fifo[Any] = Fifo()

WHOLE_EVERY = 256  #: records, or as many as a view has keys, that may pass without a whole view


def _otherwise_sent(channel: Cell, expected: tuple[Any, ...], found: tuple[Any, ...]) -> Wrong:
    """What is wrong where something else was sent: the first message that is not as expected."""
    at = next((i for i, (e, f) in enumerate(zip(expected, found)) if e != f), -1)
    if at < 0:
        at = min(len(expected), len(found))
    return Wrong(
        f"what it sent on {evidence.cell(channel)} is not what its actions send",
        expected=(str(expected[at]) if at < len(expected) else "nothing more",),
        found=(str(found[at]) if at < len(found) else "nothing more",),
    )


def _shows(key: str, want: Any, got: Any) -> Wrong:
    """What is wrong where a node shows something else than the specification."""
    return Wrong(
        f"after it, the node shows {key} otherwise than the specification",
        expected=(f"{key} = {want}",),
        found=(f"{key} = {got}",),
    )


def _shrugs(record: Record) -> bool:
    return all(name in ("ignore_frame", "ignore_frame_up", "turn_away") for name, _ in record.did)


def _starts(record: Record) -> bool:
    return any(name == "start_agent" for name, _ in record.did)


def judge(
    traces: list[Trace],
    spec: Specification[State],
    bounds: Any,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """The verdict on merged `traces`.  `progress(n)` is called every 1,000 records."""
    return follow(Judge(spec, bounds), traces, progress)


def follow(
    one: Judge, traces: list[Trace], progress: Callable[[int], None] | None = None
) -> Verdict:
    """The verdict of a judge that has seen nothing yet, on merged `traces`."""
    order = Order(traces)
    one.foretell(traces)
    with without_collection():
        for placed in Merger(traces):
            one.take(placed)
            order.add(placed)
            if one.over:
                break
            if progress is not None and len(order) % 1000 == 0:
                progress(len(order))
    verdict = one.finish()
    verdict.of = sum(len(t.records) for t in traces if t.header.role != "harness")
    if verdict.violations:
        told = replace(verdict.violations[0], story=evidence.story(order))
        verdict.violations[0] = told
    return verdict
