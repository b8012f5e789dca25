"""What the users of schedulers may ask for, in a model.

A `Program` says which kinds of call its user makes.  Tasks are launched once each, offers are used
while they are held, or while somebody else holds them (`steal`); killing and asking is possible at
any time.  Who has a connection of its own, and not our library, calls in anybody's name and names
any stream (`foreign_calls`).  Nobody calls while the line is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from mesos_spec.bounds import Program
from mesos_spec.domains import fresh_frameworks, is_fresh, streams
from mesos_spec.ids import (
    AgentId,
    FrameworkId,
    LineId,
    OfferId,
    SchedulerId,
    StreamId,
    TaskId,
    Uuid,
)
from mesos_spec.messages import (
    Accept,
    Acknowledge,
    AnyCall,
    Call,
    Decline,
    EndExecutor,
    KillTask,
    OtherCall,
    Reconcile,
    Revive,
    SendMessage,
    Subscribe,
    Suppress,
    TaskAsk,
    Teardown,
)
from mesos_spec.state import Mood, State

Caller = tuple[FrameworkId, StreamId]
SUBSCRIBE = "subscribe"  #: what `Program.foreign` says beside the kinds of call


def asks(s: State, scheduler: SchedulerId) -> list[Subscribe]:
    """How a scheduler asks to be taken on; as somebody new only while the model has ids."""
    program = s.bounds.schedulers[scheduler]
    framework = s.scheduler[scheduler].framework
    if framework is None and not fresh_frameworks(s):
        return []
    return [Subscribe(framework, program.info, program.suppressed, program.usable)]


def calls_of(s: State, scheduler: SchedulerId) -> Iterator[Call]:
    """Every call that a scheduler's user may make now."""
    me = s.scheduler[scheduler]
    if me.mood != Mood.SUBSCRIBED or me.line is None or len(s.calls[me.line]) >= s.bounds.room:
        return
    assert me.framework is not None
    assert me.stream is not None
    program = s.bounds.schedulers[scheduler]
    for kind in sorted(program.calls):
        yield from KINDS[kind](s, scheduler, program, (me.framework, me.stream))


def foreign_calls(s: State, line: LineId) -> Iterator[AnyCall]:
    """Every call that somebody may make on a connection of his own, whoever he says he is."""
    me = line.scheduler
    program = s.bounds.schedulers[me]
    if not program.foreign or len(s.calls[line]) >= s.bounds.room:
        return
    for who in product(s.bounds.frameworks, streams(s)):
        for kind in sorted(program.foreign & KINDS.keys()):
            yield from KINDS[kind](s, me, program, who)
    if SUBSCRIBE in program.foreign and is_fresh(s, line):
        for framework in (*[None for _ in fresh_frameworks(s)[:1]], *s.bounds.frameworks):
            yield Subscribe(framework, program.info, program.suppressed, program.usable)


def owed_tasks(s: State, scheduler: SchedulerId) -> list[TaskId]:
    """The tasks of which a scheduler has updates to acknowledge, if its line has room."""
    line = s.scheduler[scheduler].line
    if line is None or len(s.calls[line]) >= s.bounds.room:
        return []
    return list(dict.fromkeys(task for task, _ in s.owed[scheduler]))


def owed_uuids(s: State, scheduler: SchedulerId, task: TaskId) -> list[Uuid]:
    """The updates of a task that a scheduler has to acknowledge."""
    return [uuid for owed, uuid in s.owed[scheduler] if owed == task]


def owed_agent(s: State, scheduler: SchedulerId, task: TaskId, uuid: Uuid) -> tuple[AgentId]:
    """The agent that waits for an acknowledgement."""
    return (s.owed[scheduler][task, uuid],)


# ---- kinds of call -------------------------------------------------------------------------
def _new_tasks(s: State, program: Program, offer: OfferId) -> list[TaskAsk]:
    """The tasks that may still be launched, for the agent of an offer unless they say where."""
    new = (ask for ask in program.tasks if not s.asked_for[ask.task])
    return [ask if ask.agent else ask._replace(agent=offer.agent) for ask in new]


def _accept(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        for ask in _new_tasks(s, program, offer):
            yield Accept(*who, (offer,), (ask,))


def _accept_again(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        for ask in program.tasks:
            yield Accept(*who, (offer,), (ask._replace(agent=offer.agent),))


def _accept_all(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    offers = tuple(s.held[me])
    if offers and (tasks := _new_tasks(s, program, offers[0])):
        yield Accept(*who, offers, tuple(tasks), filtered=False)


def _accept_doubled(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        for ask in _new_tasks(s, program, offer):
            yield Accept(*who, (offer, offer), (ask,), filtered=False)


def _accept_twice(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        for ask in _new_tasks(s, program, offer):
            yield Accept(*who, (offer,), (ask, ask))


def _accept_nothing(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        yield Accept(*who, (offer,))
    if len(s.held[me]) > 1:
        yield Accept(*who, tuple(s.held[me]))


def _steal(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for other in s.bounds.schedulers:
        for offer in s.held[other]:
            if other != me:
                yield Decline(*who, (offer,))
                yield from (Accept(*who, (offer,), (a,)) for a in _new_tasks(s, program, offer))


def _decline(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        yield Decline(*who, (offer,))


def _decline_now(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for offer in s.held[me]:
        yield Decline(*who, (offer,), filtered=False)


def _kill(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for ask in program.tasks:
        if s.asked_for[ask.task]:
            yield KillTask(*who, ask.task)


def _kill_elsewhere(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for ask in program.tasks:
        if s.asked_for[ask.task]:
            yield KillTask(*who, ask.task, AgentId("elsewhere"))


def _reconcile(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Reconcile(*who)


def _reconcile_each(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for ask in program.tasks:
        for agent in (None, *s.bounds.agents):
            yield Reconcile(*who, ((ask.task, agent),))


def _end_executor(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    named = dict.fromkeys(ask.executor for ask in program.tasks if ask.executor is not None)
    for agent in s.bounds.agents:
        yield from (EndExecutor(*who, agent, executor) for executor in named)


def _message(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    named = dict.fromkeys(ask.executor or ask.task.id for ask in program.tasks)
    for agent in s.bounds.agents:
        yield from (SendMessage(*who, agent, executor, "data") for executor in named)


def _revive(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Revive(*who)


def _revive_one(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Revive(*who, program.info.roles[:1])


def _revive_other(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Revive(*who, ("not its role",))


def _suppress(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Suppress(*who)


def _suppress_other(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Suppress(*who, ("not its role",))


def _tear_down(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield Teardown(*who)


def _acknowledge(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    for other in s.bounds.schedulers:
        for (task, uuid), agent in s.owed[other].items():
            yield Acknowledge(*who, agent, task, uuid)


def _other(s: State, me: SchedulerId, program: Program, who: Caller) -> Iterator[Call]:
    yield OtherCall(*who, "REQUEST")


Kind = Callable[[State, SchedulerId, Program, Caller], Iterator[Call]]

KINDS: dict[str, Kind] = {
    "accept": _accept,
    "accept again": _accept_again,
    "accept all": _accept_all,
    "accept doubled": _accept_doubled,
    "accept twice": _accept_twice,
    "accept nothing": _accept_nothing,
    "steal": _steal,
    "decline": _decline,
    "decline now": _decline_now,
    "kill": _kill,
    "kill elsewhere": _kill_elsewhere,
    "reconcile": _reconcile,
    "reconcile each": _reconcile_each,
    "end executor": _end_executor,
    "message": _message,
    "revive": _revive,
    "revive one": _revive_one,
    "revive other": _revive_other,
    "suppress": _suppress,
    "suppress other": _suppress_other,
    "tear down": _tear_down,
    "acknowledge": _acknowledge,
    "other": _other,
}
