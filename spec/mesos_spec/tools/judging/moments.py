"""A moment of a run: the specification's state just before one record, and questions to it.

The merged traces are followed up to the record.  Then one can ask what the record claims, guard by
guard, and whether another action would have been possible, and with which names it comes closest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mesos_spec.bounds import Bounds
from mesos_spec.kernel import Action, Disabled, Guard, Untold
from mesos_spec.state import State
from mesos_spec.tools.cli.common import Misused
from mesos_spec.tools.judging import evidence, wire
from mesos_spec.tools.judging.binding import Scene, Unbound, bind, giver
from mesos_spec.tools.judging.candidates import nearest, pools
from mesos_spec.tools.judging.judge import Judge, Node
from mesos_spec.tools.judging.merge import Merger, Placed
from mesos_spec.tools.judging.post import FOREIGN
from mesos_spec.tools.judging.trace import Record, Trace
from mesos_spec.tools.judging.verdict import Violation
from mesos_spec.tools.judging.whole import WHOLE
from mesos_spec.tools.report import say


@dataclass(slots=True)
class Moment:
    """A record that is about to be judged.  `s` is a state of its own, to try things in."""

    judge: Judge
    placed: Placed
    node: Node
    s: State
    earlier: Violation | None = None  #: what was wrong before this record was reached

    @property
    def record(self) -> Record:
        """The record."""
        return self.placed.record

    def scene(self) -> Scene:
        """What names may be drawn from."""
        node, judge = self.node, self.judge
        scene = Scene(node.role, node.who, self.record, judge.post, judge._settled(node))
        scene.full = partial(judge._full, node)
        scene.calls = judge._calls(node, self.record)
        return scene


def split(target: str) -> tuple[Path, int]:
    """`path:line` in its parts.  Raises `Misused`."""
    name, colon, number = target.rpartition(":")
    if not colon or not number.isdigit():
        raise Misused(f"{target!r} names no record: give FILE:LINE, as reports do")
    return Path(name), int(number)


def before(traces: list[Trace], path: Path, line: int) -> Moment:
    """The moment before the record in `line` of the trace at `path`.

    Raises `Misused` where there is no such record.
    """
    wanted = next((t for t in traces if Path(t.path).resolve() == path.resolve()), None)
    if wanted is None:
        raise Misused(f"{path} is none of the traces that were read")
    last = len(wanted.records) + 1
    if not 2 <= line <= last:
        what = "line 1 is the header; " if line == 1 else ""
        raise Misused(
            f"{path} has no record in line {line}: {what}records are in lines 2 to {last}"
        )
    judge = Judge(WHOLE, Bounds())
    for placed in Merger(traces):
        if placed.trace is wanted and placed.record.seq == line - 2:
            return _arrived(judge, placed, None)
        earlier = judge.take(placed)
        if judge.over:
            return _arrived(judge, Placed(wanted, wanted.records[line - 2]), earlier)
    raise Misused(f"{path}:{line} is never reached")


def _arrived(judge: Judge, placed: Placed, earlier: Violation | None) -> Moment:
    node = judge._node(placed.trace, placed.record)
    record = placed.record
    heard = record.heard
    if heard is not None and heard.local == "elected":
        node.who = heard.epoch
    if placed.untold:
        judge._absent.heard(node, record, placed.untold)
        placed = Placed(placed.trace, record, placed.orphan)
    node.clock.now(record)
    s = judge.s.copy()
    try:
        found = judge.post.heard(node.role, heard) if heard is not None else None
    except (wire.Unreadable, *wire.MALFORMED):
        found = None
    if found is not None and found[0][0] == "calls" and found[0][1].scheduler == FOREIGN:
        line, said = found[0][1], found[1]
        judge._actions["foreign_call"].apply(s, {"line": line, "message": said})
    return Moment(judge, placed, node, s, earlier)


# ---- the record itself -------------------------------------------------------------------------
def what_it_is(moment: Moment) -> Iterator[str]:
    """What the record says: who, what was heard, what was sent."""
    record, trace = moment.record, moment.placed.trace
    yield f"{trace.place(record)}: record {record.seq} of {trace.who}, {record.now} µs on its clock"
    heard = record.heard
    if heard is None:
        yield "  heard     nothing"
    elif heard.id is None:
        yield f"  heard     {heard.local}"
    else:
        yield f"  heard     {_said(moment)} [{heard.id[0]} {heard.id[1]}]"
    for sent in record.sent:
        if sent.msg is not None:
            kind = sent.msg.get("kind") or sent.msg.get("type")
            yield f"  sent      {kind} to {sent.to} [{sent.id[0]} {sent.id[1]}]" if sent.id else ""
        elif sent.do is not None:
            yield f"  did also  {sent.do}"


def _said(moment: Moment) -> str:
    heard = moment.record.heard
    assert heard is not None
    try:
        found = moment.judge.post.heard(moment.node.role, heard)
    except (wire.Unreadable, *wire.MALFORMED) as error:
        return f"what cannot be read: {error}"
    if found is not None:
        return say.brief(found[1])
    return str((heard.msg or {}).get("type") or (heard.msg or {}).get("kind"))


def its_claims(moment: Moment) -> Iterator[str]:
    """Each action the record claims, guard by guard, with what was read; one after another."""
    scene = moment.scene()
    if not moment.record.did:
        yield "  it claims to have done nothing"
    for name, names in moment.record.did:
        action = moment.judge._actions.get(name)
        if action is None:
            yield f"  claims    {name}, which is no action of the specification"
            return
        scene.did = names
        try:
            bound = bind(action, scene)
        except (Unbound, wire.Unreadable, *wire.MALFORMED) as error:
            yield f"  claims    {name}, but cannot mean a step: {error}"
            return
        yield f"  claims    {say.step(name, bound)}"
        if name == "ask_to_subscribe":
            moment.judge.post.lines[bound["line"].id] = bound["line"]
        yield from _guards(evidence.guards(action, moment.s, bound))
        try:
            effects = action.apply(moment.s, bound)
        except (Disabled, Untold):
            return
        yield from (f"    changes   {line}" for line in evidence.changed(effects))


def its_verdict(moment: Moment) -> tuple[str, bool]:
    """Whether the record is a step: a text, and yes or no.  The moment is over then."""
    found = moment.earlier or moment.judge.take(moment.placed)
    if moment.earlier is not None:
        return f"the run went wrong before it:\n{moment.earlier.text()}", False
    if found is not None:
        return found.text(), False
    return "it is a step of the specification", True


def _guards(asked: tuple[Any, ...]) -> Iterator[str]:
    for guard in asked:
        yield from guard.lines(values=True)


# ---- another action ----------------------------------------------------------------------------
def another(moment: Moment, name: str, words: Mapping[str, str]) -> Iterator[str]:
    """Whether action `name` is possible here, with names as in `words`, and where it fails."""
    action = moment.judge._actions[name]
    known = pools(moment.s)
    unknown = [word for word in words if word not in (*action.over, *action.given)]
    if unknown:
        takes = ", ".join((*action.over, *action.given))
        raise Misused(f"{name} has no name {unknown[0]!r}; it has {takes}")
    first = _drawn(moment, action)
    given: dict[str, Any] = {}
    own = evidence.WHO.get(moment.node.role)
    if own in (*action.over, *action.given) and action.by == moment.node.role:
        given[str(own)] = moment.node.who
    for word, text in words.items():
        given[word] = _meant(
            text, [*([first[word]] if word in first else []), *known.get(word, [])]
        )
    found = nearest(moment.s, action, known, given, first)
    if found is None:
        has = {**known, **first, **given}
        empty = [n for n in (*action.over, *action.given) if not has.get(n, True)] or ["its names"]
        yield f"{name}: nothing in the state or in the record gives {', '.join(empty)}"
        return
    bound, guards = found
    happens = all(guard.held for guard in guards)
    yield f"{say.step(name, bound)} {'can' if happens else 'cannot'} happen here"
    yield from _guards(tuple(_guarded(guards, bound)))


def _guarded(guards: list[Guard], bound: dict[str, Any]) -> Iterator[Any]:
    about = {*bound.values()} if all(map(_is_hashable, bound.values())) else set()
    return (evidence.guarded(guard, about) for guard in guards)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _drawn(moment: Moment, action: Action[State, ...]) -> dict[str, Any]:
    """The names of an action that the record itself gives."""
    drawn: dict[str, Any] = {}
    claimed = moment.record.did or [("", {})]
    for _, names in claimed:
        for name in (*action.over, *action.given):
            scene = moment.scene()
            scene.did = names
            try:
                drawn.setdefault(name, giver(action, name)(scene))
            except (Unbound, wire.Unreadable, *wire.MALFORMED, AssertionError):
                continue
    return drawn


def _meant(text: str, candidates: list[Any]) -> Any:
    """The candidate that somebody means by `text`: its own text, or its last part."""
    for value in candidates:
        last = value[-1] if isinstance(value, tuple) and value else value
        if text in (str(value), say.brief(value), str(last), str(getattr(value, "id", ""))):
            return value
    return int(text) if text.lstrip("-").isdigit() else text
