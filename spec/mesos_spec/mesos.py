"""Mesos: every action of every party, and all that is claimed of them.

The parties are independent: masters, agents and schedulers share nothing but the connections
between them.  `ACTIONS` is the whole protocol by name, as traces speak of it; a model takes the
part of it that its subject needs.
"""

from __future__ import annotations

from typing import Any

from mesos_spec import (
    agents,
    answers,
    continuity,
    executors,
    frameworks,
    masters,
    network,
    offers,
    processes,
    promises,
    promises_of_agents,
    promises_of_masters,
    promises_of_schedulers,
    properties,
    queues,
    reconciliation,
    runs,
    schedulers,
    tasks,
    updates,
)
from mesos_spec.kernel import Action, Always, EachStep
from mesos_spec.state import State

SUBJECTS = (
    masters,
    agents,
    frameworks,
    offers,
    tasks,
    updates,
    processes,
    executors,
    runs,
    queues,
    schedulers,
    network,
)

CHANNELS = ("up", "down", "calls", "events", "to_executor")

ACTIONS: dict[str, Action[State, ...]] = {
    thing.name: thing
    for subject in SUBJECTS
    for thing in vars(subject).values()
    if isinstance(thing, Action) and thing.body.__module__ == subject.__name__
}

#: Modules of claims: of states, and of single steps.
CLAIMS: tuple[Any, ...] = (
    properties,
    continuity,
    promises,
    reconciliation,
    answers,
    promises_of_masters,
    promises_of_agents,
    promises_of_schedulers,
)
#: All that is claimed of every state, and of every step.
ALWAYS: tuple[Always[State, ...], ...] = tuple(c for module in CLAIMS for c in module.ALWAYS)
EACH_STEP: tuple[EachStep[State, ...], ...] = tuple(
    c for module in CLAIMS for c in module.EACH_STEP
)


def of(party: str) -> dict[str, Action[State, ...]]:
    """The actions that are one party's to decide: master, agent, scheduler or environment."""
    return {name: found for name, found in ACTIONS.items() if found.by == party}


def named(*names: str) -> tuple[Action[State, ...], ...]:
    """Actions by name, in the order of `ACTIONS`.  Raises KeyError for one there is not."""
    wanted: dict[str, Any] = {name: ACTIONS[name] for name in names}
    return tuple(found for name, found in ACTIONS.items() if name in wanted)
