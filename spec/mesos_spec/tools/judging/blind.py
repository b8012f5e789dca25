"""Judging blind: what was done is guessed from the evidence, and what the core claims is not read.

A core's `did` only orders the judge's search (D3).  To show that it does no more, the blind judge
throws it away and looks for a sequence of actions that explains a record by itself: what was heard
gives the handlers to try, what was sent and what changed in the view give the names.  A record that
can be explained is then judged as ever; one that cannot is judged with its own claim, so that the
report says what is wrong with that.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from mesos_spec.ids import LinkId
from mesos_spec.kernel import Disabled, Specification, Untold
from mesos_spec.kernel.cells import Effects, undo
from mesos_spec.state import State
from mesos_spec.tools.judging import view, wire
from mesos_spec.tools.judging.binding import Scene, Unbound, bind, line_of, stream_of
from mesos_spec.tools.judging.changes import changes, put_in
from mesos_spec.tools.judging.judge import Judge, Node, Wrong
from mesos_spec.tools.judging.lives import Unknowable
from mesos_spec.tools.judging.merge import Merger, Placed
from mesos_spec.tools.judging.trace import Record, Trace
from mesos_spec.tools.judging.verdict import Verdict, Violation

Claim = tuple[str, dict[str, Any]]

#: Actions that answer a message, by the party that hears it (`executor`: agents, from executors).
HANDLERS: dict[str, tuple[str, ...]] = {
    "master": (
        *("admit", "shut_out", "ignore_frame_up", "hear_pong", "forward", "lose_executor"),
        *("pass_up", "subscribe", "refuse_subscription", "turn_away", "tear_down", "decline"),
        *("revive", "suppress", "accept", "refuse_accept", "kill", "answer_kill", "reconcile"),
        *("acknowledge", "drop_acknowledgement", "shut_executor", "pass_message"),
    ),
    "agent": (
        *("be_registered", "answer_ping", "run", "refuse_run", "kill_task", "hear_ack"),
        *("know_framework", "end_executor", "end_framework", "deliver_message"),
        *("shut_down_agent", "ignore_frame"),
    ),
    "executor": ("executor_subscribes", "executor_updates", "send_up"),
    "scheduler": (
        *("be_subscribed", "hear_offers", "hear_rescind", "hear_update", "hear_failure"),
        *("hear_message", "hear_error"),
    ),
}

#: Actions that something local sets off.
LOCAL: dict[tuple[str, str], tuple[str, ...]] = {
    ("master", "elected"): ("lead",),
    ("master", "deposed"): ("end_reign",),
    ("agent", "started"): ("start_agent",),
    ("agent", "leader"): ("turn_to",),
    ("agent", "linked"): ("register",),
    ("agent", "ended"): ("drop_link",),
    ("agent", "tick"): ("drop_link",),
    ("scheduler", "leader"): ("turn_scheduler_to",),
    ("scheduler", "connected"): ("ask_to_subscribe",),
    ("scheduler", "ended"): ("lose_stream",),
    ("scheduler", "tick"): ("lose_stream",),
    ("scheduler", "answered"): ("lose_stream",),
}


class BlindJudge(Judge):
    """Judges every record by its own guess of what was done.  `guessed` counts those it made."""

    guessed = 0
    helpless = 0

    def take(self, placed: Placed) -> Violation | None:
        """Judge one record without its claim."""
        try:
            node = self._node(placed.trace, placed.record)
        except (Unknowable, Wrong):
            return super().take(placed)  # which says so
        if placed.record.heard is not None and placed.record.heard.local == "elected":
            node.who = placed.record.heard.epoch
        found = self._guess(node, placed.record)
        if found is None and _starts(placed.record):
            found = self._restarted(node, placed.record)
        if found is None:
            self.helpless += 1
            return super().take(placed)
        self.guessed += 1
        record = msgspec.structs.replace(placed.record, did=found)
        return super().take(placed._replace(record=record))

    # ---- the search --------------------------------------------------------------------------
    def _guess(self, node: Node, record: Record) -> list[Claim] | None:
        """A sequence of actions that sends and shows what this record does; None if none does."""
        if record.heard is None or node.who is None:
            return []
        node.clock.now(record)
        self._meet(node, record)
        foreign: Effects = {}
        try:
            said = self._hear(node, msgspec.structs.replace(record, did=[("?", {})]))
            sent = self._sent(node, record)
        except Wrong:
            return None
        if said is not None and said[0][0] == "calls" and said[0][1].scheduler == "ext":
            cell = said[0]
            foreign = {cell: (self.s._layout["calls"].default, self.s.look(cell))}
        search = _Search(self, node, record, sent, said)
        try:
            return search.run()
        finally:
            undo(self.s, foreign)

    def _restarted(self, node: Node, record: Record) -> list[Claim]:
        """An agent is back; what it recovered may be older than what was judged (D4).

        It has given up the executors that would be kept and that it does not show.
        """
        s, shown = self.s, record.whole or {}
        gone = [
            {"framework": key.framework, "executor": key.executor}
            for key in s.runners[node.who]
            if f"executors/{key.framework}/{key.executor}" not in shown
            and (info := s.hosted[node.who].get(key.framework, None)) is not None
            and info.checkpoint
        ]
        return [("start_agent", {}), *(("recover_executor", names) for names in gone)]

    def _meet(self, node: Node, record: Record) -> None:
        """Enter the connections that this record begins in the directory."""
        heard, post = record.heard, self.post
        assert heard is not None
        if node.role == "agent" and heard.local == "linked" and heard.link is not None:
            post.links.setdefault(heard.link, LinkId(node.who, heard.link))
        elif heard.new_stream is not None and heard.msg is not None:
            if heard.msg.get("type") != "SUBSCRIBE":
                return
            if node.role == "master":
                framework = _names(self, record).get("framework")
                post.open_stream(post.line(heard), heard.new_stream, framework, node.who)
            else:
                scene = Scene(node.role, node.who, record, post)
                stream_of(scene)
        elif node.role == "scheduler" and heard.local == "connected":
            for sent in record.sent:
                if sent.id is not None and sent.to == "master":
                    scene = Scene(node.role, node.who, record, post)
                    post.lines.setdefault(sent.id[0], line_of(scene))

    def _sent(self, node: Node, record: Record) -> dict[Any, tuple[Any, ...]]:
        found: dict[Any, tuple[Any, ...]] = {}
        for sent in record.sent:
            where = self._read(node, sent)
            if where is not None:
                found[where[0]] = (*found.get(where[0], ()), *where[1])
        return {channel: messages for channel, messages in found.items() if messages}


def _starts(record: Record) -> bool:
    return record.heard is not None and record.heard.local == "started"


class _Search:
    """Depth first over the claims a record gives evidence of, on the judge's own state."""

    def __init__(
        self, judge: Judge, node: Node, record: Record, sent: dict[Any, tuple[Any, ...]], said: Any
    ) -> None:
        self.judge, self.node, self.record = judge, node, record
        self.sent, self.said = sent, said
        self.left = 400  # attempts, so that a hopeless record costs little

    def run(self) -> list[Claim] | None:
        """The first sequence that explains the record, the empty one first."""
        claims = list(evidence(self.judge, self.node, self.record))
        return self._extend([], {}, claims)

    def _extend(self, taken: list[Claim], did: Effects, claims: list[Claim]) -> list[Claim] | None:
        if self._explains(did):
            return taken
        for at, claim in enumerate(claims):
            self.left -= 1
            if self.left < 0:
                return None
            effects = self._try(claim, taken)
            if effects is None:
                continue
            merged = dict(did)
            for cell, (old, new) in effects.items():
                merged[cell] = (merged[cell][0] if cell in merged else old, new)
            found = None
            if self._may_go_on(merged):
                rest = claims if claim[0] == "call" else claims[:at] + claims[at + 1 :]
                found = self._extend([*taken, claim], merged, rest)
            undo(self.judge.s, effects)
            if found is not None:
                return found
        return None

    def _try(self, claim: Claim, taken: list[Claim]) -> Effects | None:
        name, names = claim
        judge, action = self.judge, self.judge._actions[name]
        scene = Scene(self.node.role, self.node.who, self.record, judge.post)
        scene.settled, scene.did = judge._settled(self.node), names
        scene.full = partial(judge._full, self.node)
        scene.calls = judge._calls(self.node, self.record)[sum(n == "call" for n, _ in taken) :]
        try:
            bound = bind(action, scene)
            if self.node.clock.too_soon(name, bound, self.record.now):
                return None
            return action.apply(judge.s, bound)
        except (Disabled, Untold, Unbound, wire.Unreadable, KeyError, TypeError, AssertionError):
            return None

    def _may_go_on(self, did: Effects) -> bool:
        """Whether what was sent so far is how the record begins, and only what it shows changed."""
        changed = changes(did)
        for channel, messages in put_in(changed).items():
            if self.sent.get(channel, ())[: len(messages)] != messages:
                return False
        said, shown = self.record.view, self.node.shown
        if said is None:
            return True
        expected = view.shown_after(self.node.role, changed)
        return all(key in said or value == shown.get(key) for key, value in expected.items())

    def _explains(self, did: Effects) -> bool:
        if self.said is not None and self.said[0] not in did:
            return False
        if put_in(changes(did)) != self.sent:
            return False
        return shows(self.judge.s, self.node, self.record, did)


def shows(s: State, node: Node, record: Record, did: Effects) -> bool:
    """Whether the record's view is what these effects leave."""
    if record.whole is not None:
        return view.whole(s, node.role, node.who) == record.whole
    expected, said = view.shown_after(node.role, changes(did)), record.view or {}
    return all(
        expected.get(key, node.shown.get(key)) == said.get(key, node.shown.get(key))
        for key in expected.keys() | said.keys()
    )


# ---- evidence --------------------------------------------------------------------------------
def evidence(judge: Judge, node: Node, record: Record) -> Iterator[Claim]:
    """Every claim that something in the record speaks for, in the order of a core's work."""
    heard = record.heard
    assert heard is not None
    if heard.local is not None:
        names = {k: v for k in ("epoch", "link") if (v := getattr(heard, k)) is not None}
        for name in LOCAL.get((node.role, heard.local), ()):
            yield name, names
    party = {"master": _of_master, "agent": _of_agent, "scheduler": _of_scheduler}[node.role]
    yield from party(judge, node, record)


def _names(judge: Judge, record: Record) -> dict[str, Any]:
    heard = record.heard
    names: dict[str, Any] = {}
    if heard is None or heard.id is None:
        return names
    link = judge.post.links.get(heard.id[0])
    if link is not None:
        names |= {"agent": link.agent, "link": link.id}
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("type") == "SUBSCRIBED":
            names["framework"] = wire.text(sent.msg["subscribed"]["framework_id"])
    return names


def _of_master(judge: Judge, node: Node, record: Record) -> Iterator[Claim]:
    heard, s = record.heard, judge.s
    assert heard is not None
    shown = record.whole if record.whole is not None else record.view or {}
    if heard.id is not None:
        names = _names(judge, record)
        yield from ((name, names) for name in HANDLERS["master"])
        yield "lose_agent", names
        yield from _forgotten(shown)
        return
    if heard.local == "ended":
        for (epoch, agent), each in s._fields["agents"].items():
            if epoch == node.who and each.link is not None and each.link.id == heard.link:
                yield "lose_agent", {"agent": agent}
        for (epoch, framework), other in s._fields["frameworks"].items():
            if epoch == node.who and other.stream and other.stream.id == heard.stream:
                yield "lose_framework", {"framework": framework}
    elif heard.local == "operator":
        for key, value in shown.items():
            if key.startswith("frameworks/") and value == {"standing": "removed"}:
                yield "tear_down_by_operator", {"framework": key.split("/", 1)[1]}
    elif heard.local == "tick":
        yield from _ticked(judge, node, record, shown)
    yield from _forgotten(shown)


def _forgotten(shown: dict[str, Any]) -> Iterator[Claim]:
    """What is shown no more was one too many (FWK-15, PRT-6)."""
    for key, value in sorted(shown.items()):
        kind, _, name = key.partition("/")
        if value is None and kind == "frameworks":
            yield "forget_framework", {"framework": name}
        elif value is None and kind == "agents":
            yield "forget_agent", {"agent": name}


def _ticked(judge: Judge, node: Node, record: Record, shown: dict[str, Any]) -> Iterator[Claim]:
    """What a master's tick may have done, in its order: filters, offers taken back, pings, …"""
    gone = node.shown.keys() if record.whole is not None else ()  # a whole view names no absent one
    for key in sorted({*shown, *gone}):
        if key.startswith("filters/"):
            _, framework, agent, role = key.split("/", 3)
            if _is_unreachable(shown.get(f"agents/{agent}")):
                continue  # they go with their agent, whether or not their time is up
            before, after = list(node.shown.get(key) or []), list(shown.get(key) or [])
            for amount in before:
                if amount in after:
                    after.remove(amount)
                    continue
                names = {"framework": framework, "agent": agent, "role": role}
                yield "forget_filter", {**names, "resources": amount}
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("type") == "RESCIND":
            offer = judge.post.ids.offer(sent.msg["rescind"]["offer_id"])
            yield "rescind", {"agent": offer.agent, "offer": offer.id}
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("kind") == "Ping" and sent.id is not None:
            yield "ping", {"agent": judge.post.link(sent.id[0]).agent}
    for key, value in sorted(shown.items()):
        if key.startswith("agents/") and _is_unreachable(value):
            yield "mark_unreachable", {"agent": key.split("/", 1)[1]}
    for key, value in sorted(shown.items()):
        if key.startswith("frameworks/") and value == {"standing": "removed"}:
            yield "give_up_framework", {"framework": key.split("/", 1)[1]}
    for sent in record.sent:
        for offered in ((sent.msg or {}).get("offers") or {}).get("offers", ()):
            made = wire._offer(offered, judge.post.ids)
            names = {"agent": made.offer.agent, "framework": wire.text(offered["framework_id"])}
            yield "offer", {**names, "role": made.role, "offer": made.offer.id}


def _is_unreachable(agent: Any) -> bool:
    return bool(agent) and agent.get("standing") == "unreachable"


def _of_agent(judge: Judge, node: Node, record: Record) -> Iterator[Claim]:
    heard = record.heard
    assert heard is not None
    if heard.id is not None:
        told_by = "executor" if heard.sender == "executor" else "agent"
        names = {} if told_by == "executor" else _names(judge, record)
        yield from ((name, names) for name in HANDLERS[told_by])
        return
    for key in sorted(judge.s.runners[node.who].keys() if node.who is not None else ()):
        names = {"framework": key.framework, "executor": key.executor}
        if heard.local in ("started", "tick"):
            yield "recover_executor", names
            yield "give_up_executor", names
        elif heard.local == "exited":
            yield "executor_ends", names
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("kind") == "Update" and heard.local == "tick":
            task = wire.text(sent.msg["status"]["task_id"])
            yield "resend", {"framework": sent.msg["framework_id"], "task": task}


def _of_scheduler(judge: Judge, node: Node, record: Record) -> Iterator[Claim]:
    heard = record.heard
    assert heard is not None
    if heard.id is not None:
        yield from ((name, {}) for name in HANDLERS["scheduler"])
    for sent in record.sent:
        if sent.msg is not None and sent.msg.get("type") == "ACKNOWLEDGE":
            yield "ack", {}
        elif sent.msg is not None and sent.msg.get("type") != "SUBSCRIBE":
            yield "call", {}


def judge_blind(traces: list[Trace], spec: Specification[State], bounds: Any) -> Verdict:
    """The verdict on merged `traces`, their claims unread."""
    judge = BlindJudge(spec, bounds)
    judge.foretell(traces)
    for placed in Merger(traces):
        if judge.take(placed) is not None or judge.over:
            break
    return judge.finish()
