"""The framework contract in models: what holds if it is kept does not hold if it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesos_spec.domains import schedulers
from mesos_spec.framework import CLAUSES, CONTRACT, a_task_runs_on_one_agent
from mesos_spec.framework import what_is_launched_is_new as is_new
from mesos_spec.ids import AgentId, FrameworkId, OfferId, SchedulerId, StreamId, TaskId
from mesos_spec.kernel import EachStep, Table, action, require
from mesos_spec.kernel.model import Model
from mesos_spec.messages import (
    Accept,
    Acknowledge,
    AnyCall,
    Decline,
    Reconcile,
    Revive,
    Subscribe,
    TaskAsk,
    Teardown,
)
from mesos_spec.models import named
from mesos_spec.models.cases import AWARE, S1, cpus, task, user
from mesos_spec.state import State
from mesos_spec.tools.judging.contract import Account
from mesos_spec.tools.search.checker import DEADLOCK, check

F, A = FrameworkId("f"), AgentId("a")
NOW, BEFORE, NEVER = (StreamId(SchedulerId("s"), name) for name in ("now", "before", "never"))
GIVEN, OTHER = OfferId(A, "given"), OfferId(A, "other")
OLD, NEW = TaskId(F, "old"), TaskId(F, "new")


def ask(task: TaskId) -> TaskAsk:
    """A wish to launch a task."""
    return TaskAsk(task, A, cpus(1))


def account() -> Account:
    """A framework that was given one offer and told one update, and has launched one task."""
    one = Account(F, roles=("r",))
    one.listens(BEFORE)
    one.listens(NOW)
    one.offers[GIVEN] = None
    one.told.add((OLD, "u1"))
    one.used.add(OLD)
    return one


#: Calls that are in order, then those that break a clause.
GOOD: list[AnyCall] = [
    Accept(F, NOW, (GIVEN,), (ask(NEW),)),
    Decline(F, BEFORE, (GIVEN,)),
    Acknowledge(F, NOW, A, OLD, "u1"),
    Revive(F, NOW, ("r",)),
    Revive(F, NOW),
    Reconcile(F, NOW),
    Subscribe(F, AWARE),
    Teardown(F, NOW),
]
BAD: list[tuple[str, AnyCall]] = [
    ("it_uses_offers_that_it_has", Accept(F, NOW, (OTHER,), ())),
    ("it_uses_offers_that_it_has", Decline(F, NOW, (GIVEN, GIVEN))),
    ("it_gives_each_task_a_name_of_its_own", Accept(F, NOW, (GIVEN,), (ask(OLD),))),
    ("it_gives_each_task_a_name_of_its_own", Accept(F, NOW, (GIVEN,), (ask(NEW), ask(NEW)))),
    ("it_acknowledges_what_it_was_told", Acknowledge(F, NOW, A, OLD, "u2")),
    ("it_acknowledges_what_it_was_told", Acknowledge(F, NOW, A, NEW, "u1")),
    ("it_speaks_on_its_own_stream", Reconcile(F, NEVER)),
    ("it_names_roles_that_it_has", Revive(F, NOW, ("r", "q"))),
]


def broken(border: Account, call: AnyCall) -> list[str]:
    """The clauses that a call breaks."""
    return [one.name for one in CLAUSES if not one.kept(border, call)]


@pytest.mark.parametrize("call", GOOD, ids=lambda call: type(call).__name__)
def test_a_call_that_is_in_order_breaks_no_clause(call: AnyCall) -> None:
    assert broken(account(), call) == []


@pytest.mark.parametrize(("name", "call"), BAD)
def test_a_call_that_is_not_breaks_its_clause_alone(name: str, call: AnyCall) -> None:
    assert broken(account(), call) == [name]


def test_who_has_left_does_not_come_back() -> None:
    """S14: a SUBSCRIBE after TEARDOWN, once an ERROR has told it that it was heard."""
    gone = account()
    gone.left = True
    assert not broken(gone, Subscribe(F, AWARE)), "its TEARDOWN may have been lost"
    gone.refused = True
    assert broken(gone, Subscribe(F, AWARE)) == ["it_does_not_come_back_when_it_has_left"]


def test_each_clause_is_broken_by_some_call() -> None:
    late = {"it_does_not_come_back_when_it_has_left"}
    assert {name for name, _ in BAD} | late == {one.name for one in CLAUSES}


# ---- without the contract ------------------------------------------------------------------
def with_user(model: Model[State], *calls: str) -> Model[State]:
    """A model whose user makes other calls."""
    bounds = model.bounds._replace(schedulers=Table({S1: user(*calls, tasks=(task(), task("t2")))}))
    return replace(model, bounds=bounds)


@pytest.mark.parametrize("calls", ["accept again", "accept twice"])
def test_a_name_that_is_used_again_breaks_the_contract(calls: str) -> None:
    result = check(with_user(named("names-of-their-own"), calls))
    assert result.broken is not None
    assert result.broken.claim == "it_gives_each_task_a_name_of_its_own"


@pytest.mark.parametrize("claim", [a_task_runs_on_one_agent, is_new], ids=lambda c: str(c.name))
def test_without_names_of_their_own_tasks_are_confused(claim: EachStep[State, ...]) -> None:
    """S7 across masters: one name on two agents, or an end that is taken for another's."""
    model = named("twins" if claim is a_task_runs_on_one_agent else "reuse")
    asked = replace(model, spec=replace(model.spec, each_step=(*model.spec.each_step, claim)))
    result = check(asked)
    assert result.broken is not None
    assert result.broken.claim == claim.name


@action("owed", by="scheduler", scheduler=schedulers)
def forget_what_is_owed(s: State, scheduler: SchedulerId) -> None:
    """A framework does not acknowledge what it has seen."""
    require(bool(s.owed[scheduler]), "it owes something")

    s.owed[scheduler] = Table()


def test_who_forgets_to_acknowledge_has_queues_that_never_drain() -> None:
    model = named("acknowledged")
    forgetful = replace(
        model, spec=replace(model.spec, actions=(*model.spec.actions, forget_what_is_owed))
    )
    result = check(forgetful)
    assert result.broken is not None
    assert result.broken.claim == "a_queue_is_empty_when_nothing_is_owed"


def test_who_does_not_ask_is_not_told_that_a_task_was_lost() -> None:
    """MFO-5, REC-10: without asking there is an end in which it still waits."""
    model = named("asked-again")
    silent = tuple(one for one in model.spec.actions if one.name != "ask_again")
    result = check(replace(model, spec=replace(model.spec, actions=silent)))
    assert result.broken is not None
    assert result.broken.claim == DEADLOCK


def test_the_contract_is_claimed_where_it_is_assumed() -> None:
    for name in ("names-of-their-own", "acknowledged", "asked-again"):
        assert set(CONTRACT) <= set(named(name).spec.each_step)
