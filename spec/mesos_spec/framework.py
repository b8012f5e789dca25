"""The contract: what a framework owes to a cluster that it uses, and what it gets for it.

A framework is somebody else's program.  It may make any well-formed call at any time, and all that
is claimed of masters and agents holds whatever it does.  What it gets *out* of a cluster is another
matter: who never acknowledges is told of one update for ever, and who gives two tasks one name
cannot know which has ended.  So there is a contract: *clauses*, of each call by itself, and
*duties*, which what a framework hears lays on it, and what it says does away with.

It is judged at the *border*, by what a framework heard and called as its masters wrote it down.
What it may not have heard yet is not held against it: an offer counts until it answers, though it
be rescinded.  A breach is the framework's, and no fault of anybody else.

Below are the properties that hold if the contract is kept, and need not if it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mesos_spec.domains import lines, links, named_tasks, streams
from mesos_spec.ids import (
    FrameworkId,
    LineId,
    LinkId,
    OfferId,
    Role,
    SchedulerId,
    StreamId,
    TaskId,
    Uuid,
)
from mesos_spec.kernel import EachStep, always, each_step
from mesos_spec.messages import (
    Accept,
    Acknowledge,
    AnyCall,
    Call,
    Decline,
    Event,
    Offers,
    Reconcile,
    Revive,
    RunTask,
    Subscribe,
    Subscribed,
    Suppress,
    TaskUpdate,
)
from mesos_spec.properties import sent
from mesos_spec.state import State


class Border(Protocol):
    """A framework, as seen from outside: what it was told, and what it has said."""

    def has_offer(self, offer: OfferId) -> bool:
        """Whether it was given an offer on its stream, and has not answered."""

    def was_told(self, task: TaskId, uuid: Uuid) -> bool:
        """Whether it was ever sent a reliable update."""

    def has_used(self, task: TaskId) -> bool:
        """Whether it has launched a task of that name."""

    def has_had(self, stream: StreamId) -> bool:
        """Whether it listens on a stream, or did."""

    def has_role(self, role: Role) -> bool:
        """Whether it subscribed in a role."""

    def has_left(self, framework: FrameworkId) -> bool:
        """Whether it has torn a framework down, and heard an ERROR since."""


# ---- clauses: of each call -----------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Clause:
    """Something that a framework never does, or always: a predicate of border and call."""

    kept: Callable[[Border, AnyCall], bool]
    cites: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.kept.__name__

    @property
    def doc(self) -> str:
        """What it says."""
        return " ".join((self.kept.__doc__ or "").split())


def clause(*cites: str) -> Callable[[Callable[[Border, AnyCall], bool]], Clause]:
    """Make a predicate a clause of the contract."""
    return lambda kept: Clause(kept, cites)


@clause("A3", "OFR-9", "S20")
def it_uses_offers_that_it_has(border: Border, call: AnyCall) -> bool:
    """An ACCEPT or DECLINE names offers that it was given on its stream and has not answered, each
    once."""
    if not isinstance(call, Accept | Decline):
        return True
    return len(set(call.offers)) == len(call.offers) and all(map(border.has_offer, call.offers))


@clause("S7", "TSK-3", "OFR-22")
def it_gives_each_task_a_name_of_its_own(border: Border, call: AnyCall) -> bool:
    """A task id is launched once, whatever became of it."""
    named = [ask.task for ask in call.tasks] if isinstance(call, Accept) else []
    return len(set(named)) == len(named) and not any(map(border.has_used, named))


@clause("UPD-11", "UPD-12")
def it_acknowledges_what_it_was_told(border: Border, call: AnyCall) -> bool:
    """An ACKNOWLEDGE is of an update with a uuid that it was sent."""
    return not isinstance(call, Acknowledge) or border.was_told(call.task, call.uuid)


@clause("S13", "FWK-3")
def it_speaks_on_its_own_stream(border: Border, call: AnyCall) -> bool:
    """A call names the stream that it listens on; or one of before, if it does not know better."""
    return not isinstance(call, Call) or border.has_had(call.stream)


@clause("FLT-9")
def it_names_roles_that_it_has(border: Border, call: AnyCall) -> bool:
    """A REVIVE or SUPPRESS names roles that it subscribed in."""
    return not isinstance(call, Revive | Suppress) or all(map(border.has_role, call.roles))


@clause("S14", "FWK-5", "FWK-16")
def it_does_not_come_back_when_it_has_left(border: Border, call: AnyCall) -> bool:
    """No SUBSCRIBE with the id of a framework that it has torn down, once it heard that it is gone.

    Until then it may: its TEARDOWN may have been lost with its connection.
    """
    if not isinstance(call, Subscribe) or call.framework is None:
        return True
    return not border.has_left(call.framework)


CLAUSES = tuple(thing for thing in list(vars().values()) if isinstance(thing, Clause))


# ---- duties: sooner or later ---------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Duty:
    """Something that a framework does before long: laid on it by an event, done by a call.

    Whatever it is owed for is named by a key; the end of its stream does away with it.
    """

    name: str
    doc: str
    cites: tuple[str, ...]
    within: str  #: what the time it has is called
    laid_by: Callable[[Event], Any]  #: the key, or None
    done_by: Callable[[AnyCall], tuple[Any, ...] | None]  #: the keys it does; None: all of them


def _told(event: Event) -> Any:
    wants = isinstance(event, TaskUpdate) and event.uuid is not None
    return (event.task, event.uuid) if wants and isinstance(event, TaskUpdate) else None


def _acknowledged(call: AnyCall) -> tuple[Any, ...]:
    return ((call.task, call.uuid),) if isinstance(call, Acknowledge) else ()


def _offered(event: Event) -> Any:
    return event.offer if isinstance(event, Offers) else None


def _answered(call: AnyCall) -> tuple[Any, ...]:
    return call.offers if isinstance(call, Accept | Decline) else ()


def _subscribed(event: Event) -> Any:
    return event.framework if isinstance(event, Subscribed) else None


def _asked(call: AnyCall) -> tuple[Any, ...] | None:
    return None if isinstance(call, Reconcile) else ()


ACKNOWLEDGING = Duty(
    "it_acknowledges_each_update",
    "An update with a uuid is acknowledged; till then its task's next one is not sent.",
    ("UPD-2", "UPD-12", "S9"),
    "acknowledge_within",
    _told,
    _acknowledged,
)
ANSWERING = Duty(
    "it_answers_offers",
    "An offer is accepted or declined, if it is not rescinded: what is offered is nobody else's.",
    ("A3", "F4", "F5", "F6"),
    "answer_within",
    _offered,
    _answered,
)
ASKING = Duty(
    "it_asks_when_it_is_back",
    "Who subscribes again, with tasks of which it knows no end, asks how they are: nobody tells.",
    ("REC-10", "MFO-5"),
    "reconcile_within",
    _subscribed,
    _asked,
)
DUTIES = (ACKNOWLEDGING, ANSWERING, ASKING)


# ---- in models -----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Called:
    """The border of a scheduler in a model, which holds and owes what it was told, as it calls."""

    s: State
    me: SchedulerId

    def has_offer(self, offer: OfferId) -> bool:
        return offer in self.s.held[self.me]

    def was_told(self, task: TaskId, uuid: Uuid) -> bool:
        return (task, uuid) in self.s.owed[self.me]

    def has_used(self, task: TaskId) -> bool:
        return self.s.asked_for[task]

    def has_had(self, stream: StreamId) -> bool:
        return stream == self.s.scheduler[self.me].stream

    def has_role(self, role: Role) -> bool:
        return role in self.s.bounds.schedulers[self.me].info.roles

    def has_left(self, framework: FrameworkId) -> bool:
        return False  # a model's scheduler does not note it


def _claim(one: Clause) -> EachStep[State, ...]:
    """A clause as a claim of every step in which a scheduler calls."""

    def holds(before: State, after: State, line: LineId) -> bool:
        said = sent(before.calls, after.calls, line)
        return all(one.kept(Called(before, line.scheduler), call) for call in said)

    holds.__name__, holds.__doc__ = one.name, one.doc
    return each_step("calls", cites=one.cites, line=lines)(holds)


#: The contract as claims of a model; they hold where its users are well-behaved.
CONTRACT: tuple[EachStep[State, ...], ...] = tuple(map(_claim, CLAUSES))


# ---- what a framework gets for it ----------------------------------------------------------
@each_step("runs", cites=("S7", "TSK-3", "A1"))
def a_task_runs_on_one_agent(before: State, after: State) -> bool:
    """A task is on one agent, whoever leads and whoever led: if each has a name of its own.

    No master can see to it: none remembers what was launched under another.
    """
    runs = [task for agent in after.bounds.agents for task in after.runs[agent]]
    return len(set(runs)) == len(runs)


@each_step("down", cites=("TSK-3", "S8", "UPD-21"), link=links)
def what_is_launched_is_new(before: State, after: State, link: LinkId) -> bool:
    """No agent has anything to say yet of a task that is launched: if each has a name of its own.

    Else the end of the first is taken for the end of the second.
    """
    launched = [f.task for f in sent(before.down, after.down, link) if isinstance(f, RunTask)]
    return not any(task in before.updates[a] for task in launched for a in before.bounds.agents)


@always(cites=("UPD-5", "S9", "L1", "L2"))
def a_queue_is_empty_when_nothing_is_owed(s: State) -> bool:
    """Where no connection breaks, an update waits only while it, or its acknowledgement, is under
    way, or a framework owes it: if frameworks do not forget what they owe."""
    owed = any(s.owed[one] for one in s.bounds.schedulers)
    waits = any(s.updates[agent] for agent in s.bounds.agents)
    return not waits or owed or not is_quiet(s)


def is_quiet(s: State) -> bool:
    """Whether nothing is under way to anybody."""
    return not (
        any(s.up[link] or s.down[link] for link in links(s))
        or any(s.calls[line] for line in lines(s))
        or any(s.events[stream] for stream in streams(s))
    )


def who_asked_knows(s: State) -> bool:
    """Where nothing is left to do, frameworks have heard of each task they launched: if they ask
    after they have subscribed again.

    Else a task that was lost with a master is lost without a word (REC-10, MFO-5).  It is said of
    ends alone, so it is what a model calls quiescent.
    """
    return all(s.noted[task] is not None for task in named_tasks(s) if s.asked_for[task])


GAINS = (a_task_runs_on_one_agent, what_is_launched_is_new, a_queue_is_empty_when_nothing_is_owed)
