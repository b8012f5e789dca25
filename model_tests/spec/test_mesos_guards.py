"""Each guard left out in turn: some property of some quick model must notice.

A guard that nobody misses is either redundant, with a reason in `REDUNDANT`, or nobody claims what
it is for.  A body that fails for want of its guard has not been noticed by a property.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesos_spec.kernel.model import Model
from mesos_spec.mesos import ACTIONS
from mesos_spec.state import State
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.guards import drop_guards
from model_tests.spec.searches import QUICK, search
from model_tests.spec.test_models import IDLE, NEVER_BROKEN

NEEDED = "the body can't go on without it: it looks up what the guard says is there"
NOTHING = "without it the step changes nothing that was not so before"
LOST = "a master that hears nothing and one that is not heard are the same"
STALE = "what was said on an older stream names only offers that have ended with it"

REDUNDANT = {
    ("ignore_frame_up", "the master leads"): LOST,
    ("turn_away", "the master leads"): LOST,
    ("give_up_framework", "the framework is disconnected"): (
        "an operator may remove a framework that is connected, and the state does not know who did"
    ),
    ("subscribe", "there is room for it"): (
        "how many frameworks a master may know is in no state; the judge counts them"
    ),
    ("decline", "the next call declines offers"): NEEDED,
    ("decline", "its framework is subscribed, on the call's stream"): STALE,
    ("accept", "its framework is subscribed, on the call's stream"): STALE,
    ("accept", "the call launches something"): "an ACCEPT of nothing does what a DECLINE does",
    ("kill", "the task is known, on an agent that is not given up"): NEEDED,
    ("drop_acknowledgement", "its framework is subscribed, on the call's stream"): (
        "whether it is dropped or turned away is the same"
    ),
    ("lose_executor", "the master knows the executor"): NEEDED,
    ("crash_agent", "the agent is up"): NOTHING,
    ("drop_link", "the agent has a link"): NOTHING,
    ("ignore_frame", "something is in flight to the agent"): NEEDED,
    ("send_up", "the agent is up"): NOTHING,
    ("end_executor", "the executor is there, and not ending"): NEEDED,
    ("know_framework", "the agent has something of the framework"): NOTHING,
    ("end_framework", "the agent has something of the framework"): NOTHING,
    ("resend", "the agent is registered"): NOTHING,
    ("ack", "the scheduler is subscribed"): NEEDED,
    ("lose_frames_up", "something is in flight to the master"): NEEDED,
    ("lose_frames_down", "something is in flight to the agent"): NOTHING,
    ("lose_calls", "something is in flight to the master"): NOTHING,
    ("lose_events", "something is in flight to the scheduler"): NOTHING,
    ("executor_hears", "something is in flight to the executor"): NEEDED,
}

GUARDS = [
    (name, says)
    for name, one in ACTIONS.items()
    for says, _ in drop_guards(one)
    if name not in IDLE and (name, says) not in NEVER_BROKEN
]


def without(model: Model[State], action: str, guard: str) -> Model[State]:
    """A model whose action lacks a guard."""
    found = model.spec.action(action)
    mutant = next(one for says, one in drop_guards(found) if says == guard)
    actions = tuple(mutant if one is found else one for one in model.spec.actions)
    return replace(model, spec=replace(model.spec, actions=actions))


def who_notices(action: str, guard: str) -> str:
    """Model and property that miss a guard; empty if none does."""
    asking = [m for m in QUICK if search(m.name).guards[action, guard, False]]
    for model in sorted(asking, key=lambda m: search(m.name).states):
        result = check(without(model, action, guard), max_states=2 * search(model.name).states)
        if result.broken is not None and result.broken.claim not in ACTIONS:
            return f"{model.name}: {result.broken.claim}"
    return ""


@pytest.mark.parametrize(("action", "guard"), [pair for pair in GUARDS if pair not in REDUNDANT])
def test_a_guard_is_missed(action: str, guard: str) -> None:
    assert who_notices(action, guard), f"nothing is claimed that needs: {guard}"


@pytest.mark.nightly
@pytest.mark.parametrize(("action", "guard"), list(REDUNDANT))
def test_a_redundant_guard_is_not_missed(action: str, guard: str) -> None:
    assert not who_notices(action, guard), "a property needs it: take it out of REDUNDANT"


def test_every_redundant_guard_is_there() -> None:
    assert REDUNDANT.keys() <= set(GUARDS)
