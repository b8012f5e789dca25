"""Schedulers on our library: what they hear, and what they say.

    DISCONNECTED ──ask_to_subscribe──▶ SUBSCRIBING ──be_subscribed──▶ SUBSCRIBED
         ▲◀──────────────────── lose_stream ───────────────────────────┘
    any of them ──hear_error──▶ STOPPED

What to launch is the user's business: a call is anything he may ask for.  The library adds that it
follows the newest leader, forgets the offers of a stream that ended, and acknowledges an update
once the user has seen it.  Foreign schedulers may do anything (`network.foreign_call`).
"""

from __future__ import annotations

from mesos_spec.domains import fresh_lines, newer_epochs, schedulers
from mesos_spec.ids import AgentId, Epoch, LineId, SchedulerId, TaskId, Uuid
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.messages import (
    Accept,
    Acknowledge,
    Call,
    Decline,
    Error,
    Failure,
    Message,
    Offers,
    Rescind,
    Subscribe,
    Subscribed,
    TaskUpdate,
)
from mesos_spec.network import hang_up, own_stream
from mesos_spec.state import HeldOffer, Mood, Scheduler, State
from mesos_spec.users import asks, calls_of, owed_agent, owed_tasks, owed_uuids


# ---- the subscription ----------------------------------------------------------------------
@action(
    "scheduler events answer held",
    by="scheduler",
    cites=("S19",),
    scheduler=schedulers,
    epoch=newer_epochs,
)
def turn_scheduler_to(s: State, scheduler: SchedulerId, epoch: Epoch) -> None:
    """A scheduler learns of a newer leader, and leaves the old one (S19)."""
    was = s.scheduler[scheduler]
    require(was.mood != Mood.STOPPED, "the scheduler goes on")
    require(epoch > was.epoch, "it knows of no leader this new")

    fall_silent(s, scheduler)
    s.scheduler[scheduler] = s.scheduler[scheduler]._replace(epoch=epoch)


@action(
    "scheduler calls",
    by="scheduler",
    cites=("FWK-1", "FWK-2", "FWK-6"),
    scheduler=schedulers,
    line=fresh_lines,
    ask=asks,
)
def ask_to_subscribe(s: State, scheduler: SchedulerId, line: LineId, ask: Subscribe) -> None:
    """A scheduler that knows of a leader asks to be taken on, by the id it has, if any."""
    was = s.scheduler[scheduler]
    require(was.mood == Mood.DISCONNECTED, "it is not subscribed, and has not asked")
    require(was.epoch > 0, "it knows of a leader")
    require(ask.framework == was.framework, "it asks as the framework it is")

    s.scheduler[scheduler] = was._replace(mood=Mood.SUBSCRIBING, line=line)
    s.calls[line] += ask


@action("scheduler events", by="scheduler", cites=("FWK-1",), scheduler=schedulers)
def be_subscribed(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears who it is, and where it listens."""
    stream = own_stream(s, scheduler)
    heard = receive(s.events[stream], Subscribed)

    s.events[stream] -= heard
    s.scheduler[scheduler] = s.scheduler[scheduler]._replace(
        framework=heard.framework, stream=stream, mood=Mood.SUBSCRIBED
    )


@action(
    "scheduler events answer held",
    by="scheduler",
    after="subscription_timeout",
    cites=("FWK-12", "OFR-6"),
    scheduler=schedulers,
)
def lose_stream(s: State, scheduler: SchedulerId) -> None:
    """A scheduler's stream breaks, or is never opened; the offers it has are void (OFR-6)."""
    mood = s.scheduler[scheduler].mood
    require(mood in (Mood.SUBSCRIBING, Mood.SUBSCRIBED), "it has asked, or is subscribed")

    fall_silent(s, scheduler)


@action(
    "scheduler events answer held",
    by="scheduler",
    cites=("FWK-3", "FWK-5", "FWK-7"),
    scheduler=schedulers,
)
def hear_error(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears that another speaks for its framework, or nobody may: it stops (FWK-3)."""
    heard = receive(s.events[own_stream(s, scheduler)], Error)

    s.events[own_stream(s, scheduler)] -= heard
    fall_silent(s, scheduler)
    s.scheduler[scheduler] = s.scheduler[scheduler]._replace(mood=Mood.STOPPED)


@action("scheduler events answer held owed", cites=("R4",), scheduler=schedulers)
def crash_scheduler(s: State, scheduler: SchedulerId) -> None:
    """A scheduler's process dies.  Which framework it was is kept by its user."""
    framework = s.scheduler[scheduler].framework

    fall_silent(s, scheduler)
    s.scheduler[scheduler] = Scheduler(framework)
    s.owed[scheduler] = Table()


def fall_silent(s: State, scheduler: SchedulerId) -> None:
    """A scheduler is subscribed no more."""
    hang_up(s, scheduler)
    s.scheduler[scheduler] = s.scheduler[scheduler]._replace(mood=Mood.DISCONNECTED)
    s.held[scheduler] = Table()


# ---- what it hears -------------------------------------------------------------------------
@action("events held", by="scheduler", cites=("OFR-3",), scheduler=schedulers)
def hear_offers(s: State, scheduler: SchedulerId) -> None:
    """A scheduler has an offer to use."""
    heard = receive(s.events[own_stream(s, scheduler)], Offers)

    s.events[own_stream(s, scheduler)] -= heard
    s.held[scheduler] += {heard.offer: HeldOffer(heard.role, heard.resources)}


@action("events held", by="scheduler", cites=("OFR-5", "S20"), scheduler=schedulers)
def hear_rescind(s: State, scheduler: SchedulerId) -> None:
    """A scheduler has an offer no more; it may have used it already."""
    heard = receive(s.events[own_stream(s, scheduler)], Rescind)

    s.events[own_stream(s, scheduler)] -= heard
    s.held[scheduler] -= heard.offer


@action("events owed", by="scheduler", cites=("UPD-11", "UPD-21"), scheduler=schedulers)
def hear_update(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears how a task is; if that came with a uuid, it owes an acknowledgement."""
    heard = receive(s.events[own_stream(s, scheduler)], TaskUpdate)

    s.events[own_stream(s, scheduler)] -= heard
    if heard.uuid is not None and heard.agent is not None:
        s.owed[scheduler] += {(heard.task, heard.uuid): heard.agent}


@action("events", by="scheduler", cites=("R3",), scheduler=schedulers)
def hear_failure(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears that an executor or an agent is gone (R3)."""
    heard = receive(s.events[own_stream(s, scheduler)], Failure)

    s.events[own_stream(s, scheduler)] -= heard


@action("events", by="scheduler", cites=("KIL-9",), scheduler=schedulers)
def hear_message(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears from its executor."""
    heard = receive(s.events[own_stream(s, scheduler)], Message)

    s.events[own_stream(s, scheduler)] -= heard


# ---- what it says --------------------------------------------------------------------------
@action(
    "calls held asked_for",
    by="scheduler",
    cites=("OFR-7", "OFR-8", "S13"),
    scheduler=schedulers,
    message=calls_of,
)
def call(s: State, scheduler: SchedulerId, message: Call) -> None:
    """A scheduler's user asks for something; offers that he names are given up."""
    me = s.scheduler[scheduler]
    require(me.mood == Mood.SUBSCRIBED, "the scheduler is subscribed")
    require(message.framework == me.framework, "it speaks for itself")
    require(message.stream == me.stream, "it names its stream")
    require(not isinstance(message, Acknowledge), "acknowledging is the library's business")
    assert me.line is not None

    s.calls[me.line] += message
    if isinstance(message, Accept | Decline):
        for offer in message.offers:
            s.held[scheduler] -= offer
    if isinstance(message, Accept):
        for ask in message.tasks:
            s.asked_for[ask.task] = True


@action(
    "calls owed",
    by="scheduler",
    cites=("UPD-12", "UPD-21"),
    scheduler=schedulers,
    task=owed_tasks,
    uuid=owed_uuids,
    agent=owed_agent,
)
def ack(s: State, scheduler: SchedulerId, task: TaskId, agent: AgentId, uuid: Uuid) -> None:
    """The user has seen an update, and the library acknowledges it (UPD-12)."""
    me = s.scheduler[scheduler]
    require(me.mood == Mood.SUBSCRIBED, "the scheduler is subscribed")
    require((task, uuid) in s.owed[scheduler], "it owes the acknowledgement")
    assert me.line is not None
    assert me.stream is not None
    assert me.framework is not None

    s.owed[scheduler] -= (task, uuid)
    s.calls[me.line] += Acknowledge(me.framework, me.stream, agent, task, uuid)
