"""Models of frameworks that keep their contract, and of what they get for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mesos_spec.domains import schedulers
from mesos_spec.framework import (
    CONTRACT,
    a_queue_is_empty_when_nothing_is_owed,
    a_task_runs_on_one_agent,
    what_is_launched_is_new,
    who_asked_knows,
)
from mesos_spec.ids import SchedulerId, TaskId
from mesos_spec.kernel import Table, action, receive, require
from mesos_spec.kernel.model import Counts, Model
from mesos_spec.messages import Reconcile, TaskUpdate
from mesos_spec.models import witnesses as seen
from mesos_spec.models.cases import A1, A2, S1, WORK, cluster, cpus, model, task, user
from mesos_spec.models.settings import CLUSTER, LAUNCHED, RUNNING, agent_up
from mesos_spec.network import own_stream
from mesos_spec.state import Mood, State

TWO = (task(), task("t2"))

NAMED = model(
    "names-of-their-own",
    "Each task has a name of its own: none is on two agents, though masters come and go.",
    "lead turn_to register offer call executor_subscribes turn_scheduler_to ask_to_subscribe",
    cluster(
        epochs=(1, 2),
        agents=Table({A1: cpus(1), A2: cpus(1)}),
        schedulers=Table({S1: user(tasks=TWO)}),
    ),
    Counts(states=17020, steps=34394, depth=34),
    script=(*CLUSTER, *agent_up("a2"), *LAUNCHED[len(CLUSTER) :], ("run", {})),
    prompt="calls events up down",
    claims=(*CONTRACT, a_task_runs_on_one_agent, what_is_launched_is_new),
)

_WORKED = model(
    "acknowledged",
    "Each update is acknowledged: where no connection breaks, every queue drains.",
    "call resend " + WORK,
    cluster(schedulers=Table({S1: user("kill")}), words=("TASK_RUNNING", "TASK_FINISHED")),
    Counts(states=6906, steps=10993, depth=31, cut=2046),
    script=RUNNING,
    prompt="calls",
    room=1,
    claims=CONTRACT,
    sometimes=(seen.updates_wait_in_line, seen.a_task_is_done_with),
)
ACKNOWLEDGED = replace(
    _WORKED,
    spec=replace(
        _WORKED.spec, always=(*_WORKED.spec.always, a_queue_is_empty_when_nothing_is_owed)
    ),
)


# ---- asking again --------------------------------------------------------------------------
@action("events owed noted", by="scheduler", cites=("UPD-11",), scheduler=schedulers)
def hear_and_note(s: State, scheduler: SchedulerId) -> None:
    """A scheduler hears how a task is, and its user notes it."""
    heard = receive(s.events[own_stream(s, scheduler)], TaskUpdate)

    s.events[own_stream(s, scheduler)] -= heard
    s.noted[heard.task] = heard.state
    if heard.uuid is not None and heard.agent is not None:
        s.owed[scheduler] += {(heard.task, heard.uuid): heard.agent}


def wondered_about(s: State, scheduler: SchedulerId) -> Iterable[TaskId]:
    """The tasks that a scheduler has launched, and has heard nothing of."""
    tasks = (ask.task for ask in s.bounds.schedulers[scheduler].tasks)
    return [task for task in tasks if s.asked_for[task] and s.noted[task] is None]


@action("calls", by="scheduler", cites=("REC-10",), scheduler=schedulers, task=wondered_about)
def ask_again(s: State, scheduler: SchedulerId, task: TaskId) -> None:
    """A scheduler asks how a task is, and asks again until it hears (REC-10)."""
    me = s.scheduler[scheduler]
    require(me.mood == Mood.SUBSCRIBED, "the scheduler is subscribed")
    assert me.line is not None
    assert me.framework is not None
    assert me.stream is not None

    s.calls[me.line] += Reconcile(me.framework, me.stream, ((task, None),))


_ASKED = model(
    "asked-again",
    "A framework asks a new master until it hears: no task is lost without a word.",
    "turn_to register turn_scheduler_to ask_to_subscribe",
    cluster(epochs=(1, 2)),
    Counts(states=86, steps=122, depth=12, cut=1),
    script=(*LAUNCHED, ("end_reign", {"epoch": 1}), ("lead", {"epoch": 2})),
    prompt="calls events up",
    room=1,
    own=(hear_and_note, ask_again),
    claims=CONTRACT,
    sometimes=(seen.an_unknown_task_is_asked_about,),
)


def noting(asked: Model[State]) -> Model[State]:
    """A model whose schedulers note what they hear, and whose ends are those where they know."""
    actions = tuple(one for one in asked.spec.actions if one.name != "hear_update")
    return replace(asked, spec=replace(asked.spec, actions=actions), quiescent=who_asked_knows)


ASKED_AGAIN = noting(_ASKED)

MODELS = (NAMED, ACKNOWLEDGED, ASKED_AGAIN)
