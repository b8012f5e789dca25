"""What schedulers on our library owe: they keep what they hear, and say what they do."""

from __future__ import annotations

from mesos_spec.domains import lines, schedulers
from mesos_spec.ids import LineId, SchedulerId
from mesos_spec.kernel import Always, EachStep, always, each_step
from mesos_spec.messages import (
    Accept,
    Acknowledge,
    AnyCall,
    Decline,
    Error,
    Event,
    Offers,
    Rescind,
    Subscribe,
    Subscribed,
    TaskUpdate,
)
from mesos_spec.network import own_stream
from mesos_spec.properties import sent
from mesos_spec.state import HeldOffer, Mood, State


def heard_event(before: State, after: State, scheduler: SchedulerId) -> Event | None:
    """The event that a scheduler took from its stream."""
    stream = own_stream(before, scheduler)
    if not before.events.differs(after.events, stream):
        return None
    old, new = before.events[stream].mail, after.events[stream].mail
    return old[0] if old and new == old[1:] else None


def asked(before: State, after: State, scheduler: SchedulerId) -> tuple[AnyCall, ...]:
    """What a scheduler called in this step."""
    line = after.scheduler[scheduler].line
    return () if line is None else sent(before.calls, after.calls, line)


@each_step("events", cites=("OFR-3", "OFR-5", "UPD-11"), scheduler=schedulers)
def what_is_heard_is_kept(before: State, after: State, scheduler: SchedulerId) -> bool:
    """A scheduler has the offers it heard of until they are rescinded, and owes an acknowledgement
    for each reliable update (OFR-3, UPD-11)."""
    if after.scheduler[scheduler].line != before.scheduler[scheduler].line:
        return True
    heard, held = heard_event(before, after, scheduler), after.held[scheduler]
    if isinstance(heard, Offers):
        return held.get(heard.offer, None) == HeldOffer(heard.role, heard.resources)
    if isinstance(heard, Rescind):
        return heard.offer not in held
    if isinstance(heard, TaskUpdate) and heard.uuid is not None and heard.agent is not None:
        return (heard.task, heard.uuid) in after.owed[scheduler]
    if isinstance(heard, Subscribed):
        me = after.scheduler[scheduler]
        return me.mood == Mood.SUBSCRIBED and me.framework == heard.framework
    return not isinstance(heard, Error)


@each_step("scheduler", cites=("FWK-3", "FWK-5"), scheduler=schedulers)
def who_is_refused_stops(before: State, after: State, scheduler: SchedulerId) -> bool:
    """A scheduler that hears an ERROR stops (FWK-3)."""
    was, now = before.scheduler[scheduler], after.scheduler[scheduler]
    left = was.epoch == now.epoch and was.line is not None and now.line is None
    if not left or not isinstance(heard_event(before, after, scheduler), Error):
        return True
    alone = len(before.events[own_stream(before, scheduler)]) == 1
    return now.mood == Mood.STOPPED or alone


@each_step("calls", cites=("OFR-7", "OFR-8", "UPD-12"), scheduler=schedulers)
def what_is_said_is_done_with(before: State, after: State, scheduler: SchedulerId) -> bool:
    """Offers that a call names are used up, ids of tasks are used, and an acknowledgement is owed
    no more (OFR-7, UPD-12)."""
    calls = asked(before, after, scheduler)
    held, owed = after.held[scheduler], after.owed[scheduler]
    for one in calls:
        if isinstance(one, Accept | Decline) and any(offer in held for offer in one.offers):
            return False
        if isinstance(one, Accept) and not all(after.asked_for[ask.task] for ask in one.tasks):
            return False
        if isinstance(one, Acknowledge) and (one.task, one.uuid) in owed:
            return False
    return True


@each_step("scheduler", cites=("R4", "FWK-1"), scheduler=schedulers)
def who_asks_has_said_so(before: State, after: State, scheduler: SchedulerId) -> bool:
    """A scheduler that waits to be subscribed has asked; one that starts anew owes nothing (R4)."""
    was, now = before.scheduler[scheduler], after.scheduler[scheduler]
    if now.mood == Mood.SUBSCRIBING and was.mood != Mood.SUBSCRIBING:
        return any(isinstance(one, Subscribe) for one in asked(before, after, scheduler))
    anew = was.epoch > 0 and now.epoch == 0
    return not anew or (not after.owed[scheduler] and not after.held[scheduler])


@each_step("calls", at="calls", cites=("FWK-1",), line=lines)
def who_asks_waits_for_the_answer(before: State, after: State, line: LineId) -> bool:
    """A scheduler of ours that asks to be taken on waits on the line that it asked on (FWK-1)."""
    ours = not before.bounds.schedulers[line.scheduler].foreign
    calls = sent(before.calls, after.calls, line)
    me = after.scheduler[line.scheduler]
    asks = any(isinstance(one, Subscribe) for one in calls)
    return not (ours and asks) or (me.line, me.mood) == (line, Mood.SUBSCRIBING)


@always(cites=("S19", "FWK-12"), line=lines)
def a_line_is_to_the_newest_leader(s: State, line: LineId) -> bool:
    """A scheduler's line is to the newest leader it knows, and only its own line is answered."""
    me = s.scheduler[line.scheduler]
    mine = me.line == line
    return (not mine or line.epoch in (0, me.epoch)) and (mine or s.answer[line] is None)


ALWAYS = tuple(claim for claim in list(vars().values()) if isinstance(claim, Always))
EACH_STEP = tuple(claim for claim in list(vars().values()) if isinstance(claim, EachStep))
