"""The evidence in a verdict: which guard failed, on what, what was possible, what was changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mesos_spec.ids import OfferId, TaskId
from mesos_spec.kernel import Action, Guard, Specification
from mesos_spec.kernel.cells import Cell, Effects
from mesos_spec.state import State
from mesos_spec.tools.judging import wire
from mesos_spec.tools.judging.candidates import possible
from mesos_spec.tools.judging.lives import Node, Wrong
from mesos_spec.tools.judging.merge import Placed
from mesos_spec.tools.judging.post import Post
from mesos_spec.tools.judging.trace import Record
from mesos_spec.tools.judging.verdict import PARTY, Guarded, Kind, Violation
from mesos_spec.tools.report import say

CHANGES = 12  #: lines of what a record changed
#: The name under which an action knows who acts.
WHO = {"master": "epoch", "agent": "agent", "scheduler": "scheduler"}

cell = say.cell


def guards(action: Action[State, ...], s: State, bound: Mapping[str, Any]) -> tuple[Guarded, ...]:
    """Each guard of a step as it is asked in `s`, with what it read."""
    asked = action.guards(s, bound)
    about = {*_hashable(bound.values())}
    for guard in asked:
        for value in guard.read.values():
            about |= {one for m in getattr(value, "mail", ())[:1] for one in mentioned(m)}
    return tuple(guarded(guard, about) for guard in asked)


def guarded(guard: Guard, about: Collection[Any] = ()) -> Guarded:
    """A guard with the values it read, in few words."""
    values = "; ".join(f"{cell(c)} = {say.brief(v, about)}" for c, v in guard.read.items())
    return Guarded(says=guard.says, held=guard.held, values=values)


def _hashable(values: Any) -> Iterator[Any]:
    for value in values:
        try:
            hash(value)
        except TypeError:
            continue
        yield value


def changed(did: Effects) -> tuple[str, ...]:
    """What a record's actions changed in the specification's state, a line for each cell."""
    lines = [say.difference(c, old, new) for c, (old, new) in did.items() if old != new]
    rest = len(lines) - CHANGES
    return tuple([*lines[:CHANGES], f"… {rest} cells more"] if rest > 0 else lines)


def given_to(node: Node, post: Post, record: Record) -> tuple[dict[str, Any], Cell | None]:
    """The names a record fixes whoever acts: who it is, and on which connection it heard what."""
    given: dict[str, Any] = {WHO[node.role]: node.who} if node.role in WHO else {}
    heard = record.heard
    if heard is None or heard.id is None:
        return given, None
    try:
        found = post.heard(node.role, heard)
    except (wire.Unreadable, KeyError, TypeError, ValueError, AttributeError):
        return given, None
    if found is None:
        return given, None
    channel = found[0]
    if channel[0] == "up":
        given |= {"link": channel[1], "agent": channel[1].agent}
    elif channel[0] == "calls":
        given["line"] = channel[1]
    return given, channel


def violation(
    spec: Specification[State],
    s: State,
    post: Post,
    node: Node,
    record: Record,
    wrong: Wrong,
    **more: Any,
) -> Violation:
    """What is to be said of a wrong record; `s` is the state before it."""
    details = dict(wrong.more)
    names = {k: say.brief(v) for k, v in details.pop("names", {}).items()}
    return Violation(
        kind=wrong.kind,
        party="harness" if wrong.kind is Kind.HARNESS else PARTY.get(node.role, "harness"),
        who=node.trace.who,
        place=node.trace.place(record),
        seq=record.seq,
        now_us=record.now,
        says=str(wrong),
        names=names,
        allowed=_allowed(spec, s, post, node, record),
        **details,
        **more,
    )


def _allowed(
    spec: Specification[State], s: State, post: Post, node: Node, record: Record
) -> tuple[str, ...]:
    """A few steps that its node could have taken instead, for what it heard."""
    given, channel = given_to(node, post, record)
    if node.who is None or node.role not in WHO:
        return ()
    if channel is not None and not s.look(channel).mail:
        return ()
    own = WHO[node.role]
    found = possible(spec, s, node.role, given, channel)
    return tuple(
        say.step(name, {k: v for k, v in bound.items() if k != own}) for name, bound in found
    )


def line(node: Node, record: Record) -> str:
    """A record in one line: who, which, and what it claims to have done."""
    did = ", ".join(
        f"{name}({', '.join(f'{k}={v}' for k, v in names.items())})" for name, names in record.did
    )
    return f"{node.role} {node.trace.header.node} #{record.seq}: {did or 'nothing'}"


def story(taken: Sequence[Placed]) -> tuple[str, ...]:
    """Where each offer and task that the last record is about was heard of before."""
    wanted = dict.fromkeys(ids_of(taken[-1].record))
    found: dict[str, str] = {}
    for at in range(len(taken) - 2, -1, -1):
        placed = taken[at]
        missing = [name for name in wanted if name not in found]
        if not missing:
            break
        text = msgspec.json.encode(placed.record)
        for name in missing:
            if b'"' + name.encode() + b'"' in text:
                found[name] = _seen_at(placed)
    return tuple(f"{name}: {found.get(name, 'nowhere before')}" for name in wanted)


def _seen_at(placed: Placed) -> str:
    did = ", ".join(name for name, _ in placed.record.did) or "which did nothing"
    return f"{placed.trace.place(placed.record)} ({placed.trace.who}: {did})"


def ids_of(record: Record) -> Iterator[str]:
    """Offers and tasks that a record's message or claim names."""
    for _, names in record.did:
        yield from (names[key] for key in ("offer", "task") if isinstance(names.get(key), str))
    if record.heard is not None and record.heard.msg is not None:
        yield from _ids_in(record.heard.msg)


def _ids_in(json: Any) -> Iterator[str]:
    if isinstance(json, list):
        for value in json:
            yield from _ids_in(value)
    if not isinstance(json, dict):
        return
    for key, value in json.items():
        ids = value if isinstance(value, list) else [value]
        if key in ("offer_id", "task_id", "offer_ids"):
            yield from (one["value"] for one in ids if isinstance(one, dict) and "value" in one)
            yield from (one for one in ids if isinstance(one, str))
        else:
            yield from _ids_in(value)


def mentioned(message: Any) -> Iterator[OfferId | TaskId]:
    """Offers and tasks that a message of the specification names."""
    for name in getattr(message, "__dataclass_fields__", ()):
        value = getattr(message, name)
        several = isinstance(value, tuple) and not isinstance(value, say.IDS)
        yield from (one for one in (value if several else (value,)) if isinstance(one, _NAMED))


_NAMED = (OfferId, TaskId)
