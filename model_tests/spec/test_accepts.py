"""ACCEPT, done wrongly in one way each: which claim notices, in which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mesos_spec.kernel import receive, require
from mesos_spec.masters import is_subscribed, lost_or
from mesos_spec.messages import Accept, TaskUpdate
from mesos_spec.models import named
from mesos_spec.network import tell_framework
from mesos_spec.offers import is_of, refuse, take
from mesos_spec.resources import NOTHING, Resources, total
from mesos_spec.state import Offer, State
from mesos_spec.tasks import launch, may_run, may_use
from mesos_spec.tools.search.checker import check

Pool = Callable[[list[Offer]], Resources]


def heard(s: State, epoch: int, line: Any, usable: bool) -> Accept:
    """The guards of `accept`, or of `refuse_accept`."""
    call = receive(s.calls[line], Accept)
    require(len(call.tasks) > 0, "the call launches something")
    require(is_subscribed(s, epoch, call), "its framework is subscribed, on the call's stream")
    require(may_use(s, epoch, call) == usable, "its offers may be used, or not")
    return call


def accepting(
    pool_of: Pool, left: Callable[[Resources], Resources] = lambda rest: rest, filters: bool = True
) -> Callable[..., None]:
    """`accept`, with another idea of what the offers have, or of what is left."""

    def body(s: State, epoch: int, line: Any) -> None:
        call = heard(s, epoch, line, True)
        s.calls[line] -= call
        made = [take(s, epoch, offer) for offer in call.offers]
        agent, role = call.offers[0].agent, made[0].role
        pool = pool_of(made)
        for ask in call.tasks:
            if may_run(s, epoch, agent, role, ask, pool):
                pool -= launch(s, epoch, agent, role, ask)
            else:
                reason = ask.flaw or "REASON_TASK_INVALID"
                error = TaskUpdate(ask.task, ask.agent, "TASK_ERROR", "SOURCE_MASTER", reason)
                tell_framework(s, epoch, call.framework, error)
        if filters and call.filtered and left(pool):
            refuse(s, epoch, call.framework, agent, role, left(pool))

    return body


def all_of_it(made: list[Offer]) -> Resources:
    """What several offers have together."""
    return total(*(offer.resources for offer in made))


def refusing(times: int = 1, keeps: bool = False, filters: bool = False) -> Callable[..., None]:
    """`refuse_accept`, that tells of its tasks so often, keeps the offers, or filters them."""

    def body(s: State, epoch: int, line: Any) -> None:
        call = heard(s, epoch, line, False)
        s.calls[line] -= call
        for offer in call.offers:
            if is_of(s, epoch, offer, call.framework) and not keeps:
                made = take(s, epoch, offer)
                if filters:
                    refuse(s, epoch, call.framework, offer.agent, made.role, made.resources)
        state = lost_or(s, epoch, call.framework, "TASK_DROPPED")
        for ask in call.tasks * times:
            lost = TaskUpdate(ask.task, ask.agent, state, "SOURCE_MASTER", "REASON_INVALID_OFFERS")
            tell_framework(s, epoch, call.framework, lost)

    return body


WRONG: dict[str, tuple[str, str, Callable[..., None], str]] = {
    "only the first offer counts (OFR-12)": (
        "together",
        "accept",
        accepting(lambda made: made[0].resources),
        "offers_are_used_as_one",
    ),
    "what is left is not filtered (OFR-19)": (
        "offers",
        "accept",
        accepting(all_of_it, filters=False),
        "what_is_not_used_is_refused",
    ),
    "all that was offered is filtered (FLT-12)": (
        "offers",
        "accept",
        accepting(all_of_it, left=lambda rest: rest + rest if rest else NOTHING),
        "what_is_not_used_is_refused",
    ),
    "a refused accept filters (OFR-10)": (
        "together",
        "refuse_accept",
        refusing(filters=True),
        "a_refused_accept_only_loses_its_tasks",
    ),
    "a refused accept keeps the good offers (OFR-10)": (
        "together",
        "refuse_accept",
        refusing(keeps=True),
        "an_answer_ends_its_offers",
    ),
    "a refused accept says nothing (OFR-10)": (
        "offers",
        "refuse_accept",
        refusing(0),
        "good_offers_are_honoured",
    ),
    "a refused accept says everything twice (OFR-10)": (
        "offers",
        "refuse_accept",
        refusing(2),
        "a_refused_accept_only_loses_its_tasks",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_accept_does_wrong_is_noticed(wrong: str) -> None:
    name, action, body, claim = WRONG[wrong]
    model = named(name)
    right = model.spec.action(action)
    bug = replace(right, body=body, changes=right.changes | {"filters"})
    actions = tuple(bug if one.name == action else one for one in model.spec.actions)
    broken = check(replace(model, spec=replace(model.spec, actions=actions))).broken
    assert broken is not None
    assert broken.claim == claim


@pytest.mark.parametrize("name", ["offers", "accepts", "together"])
def test_done_as_it_is_written_nothing_is_broken(name: str) -> None:
    """The parts that the wrong ones are made of are right."""
    model = named(name)
    right = {"accept": accepting(all_of_it), "refuse_accept": refusing()}
    actions = tuple(
        replace(one, body=right[one.name]) if one.name in right else one
        for one in model.spec.actions
    )
    result = check(replace(model, spec=replace(model.spec, actions=actions)))
    assert result.broken is None
    assert result.counts == model.expect
