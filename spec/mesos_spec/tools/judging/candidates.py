"""What names could mean in a state that a trace led to: the nearest binding, and what is possible.

A model gives every name a domain; a trace has no bounds to give one from.  Here each name ranges
over what the state mentions.  That is for explanations only: the judge itself never guesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from mesos_spec.kernel import Action, Disabled, Guard, Specification, Table
from mesos_spec.kernel.cells import Effects, undo
from mesos_spec.messages import ExecutorUpdate
from mesos_spec.resources import NOTHING
from mesos_spec.state import State

TRIES = 1500  #: bindings of one action before the best so far is good enough

Pools = dict[str, list[Any]]


def pools(s: State) -> Pools:
    """For each name, everything in `s` that it could mean."""
    at = s._fields
    tasks = [
        t for f in ("runs", "updates", "tasks", "unreachable") for c in at[f].values() for t in c
    ]
    agents = [*at["agent"], *(key[1] for key in at["agents"])]
    found: dict[str, Iterable[Any]] = {
        "epoch": at["reign"],
        "agent": agents,
        "framework": (key[1] for key in at["frameworks"]),
        "scheduler": at["scheduler"],
        "link": [*(a.link for a in at["agents"].values() if a.link), *at["up"], *at["down"]],
        "line": [*at["calls"], *(one.line for one in at["scheduler"].values() if one.line)],
        "stream": [*at["events"], *(stream for stream in at["answer"].values() if stream)],
        "offer": (offer for table in at["offers"].values() for offer in table),
        "task": tasks,
        "executor": (key.executor for table in at["runners"].values() for key in table),
        "role": (role for record in at["frameworks"].values() for role in record.roles),
        "resources": _amounts(s),
        "settled": (False, True),
        "full": (False, True),
        "usable": (True, False),
        "minted": (Table(),),
        "updates": ((),),
        "tasks": (frozenset(),),
        "status": (None,),
        "data": ("",),
        "total": (record.total for record in at["agents"].values()),
        "uuid": (uuid for table in at["owed"].values() for _, uuid in table),
        "update": (ExecutorUpdate(task, "TASK_RUNNING", "") for task in tasks),
    }
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def _amounts(s: State) -> Iterator[Any]:
    for epoch, agent in s._fields["agents"]:
        yield s.free(epoch, agent)
    for several in s._fields["filters"].values():
        for amounts in several.values():
            yield from amounts
    yield NOTHING


def bindings(
    action: Action[State, ...], known: Pools, given: Mapping[str, Any], first: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Ways to bind an action's names: as `given`, else `first`, else whatever is known."""
    wanted = (*action.over, *action.given)
    ranges = []
    for name in wanted:
        if name in given:
            ranges.append([given[name]])
        else:
            preferred = [first[name]] if name in first else []
            ranges.append([*preferred, *(v for v in known.get(name, ()) if v not in preferred)])
    for values in islice(product(*ranges), TRIES):
        yield dict(zip(wanted, values, strict=True))


def nearest(
    s: State,
    action: Action[State, ...],
    known: Pools,
    given: Mapping[str, Any],
    first: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], list[Guard]] | None:
    """The binding that gets farthest, with its guards: it happens, or most guards held.

    None if a name has nothing to range over.  Ties go to the first.
    """
    best: tuple[tuple[bool, int], dict[str, Any]] | None = None
    for bound in bindings(action, known, given, first or {}):
        heard: list[bool] = []
        rank = (_tried(s, action, bound, heard) is not None, sum(heard))
        if best is None or rank > best[0]:
            best = (rank, bound)
        if rank[0]:
            break
    return None if best is None else (best[1], action.guards(s, best[1]))


def _tried(
    s: State, action: Action[State, ...], bound: dict[str, Any], heard: list[bool] | None = None
) -> Effects | None:
    """What an action would write; None if it cannot happen.  `s` is as before afterwards."""

    def hear(says: str, held: bool) -> None:
        if heard is not None:
            heard.append(bool(held))

    try:
        effects = action.apply(s, bound, hear)
    except (Disabled, KeyError, AttributeError, TypeError, ValueError):
        return None
    undo(s, effects)
    return effects


def possible(
    spec: Specification[State],
    s: State,
    party: str,
    given: Mapping[str, Any],
    channel: Any = None,
    most: int = 6,
) -> list[tuple[str, dict[str, Any]]]:
    """Steps of a party that can be taken in `s`, one for each action, `most` at most.

    With a `channel`, only those that take a message from it; without, only those that take none.
    """
    known = pools(s)
    found: list[tuple[str, dict[str, Any]]] = []
    for action in spec.actions:
        if action.by == party and len(found) < most:
            bound = _first_possible(s, action, known, given, channel)
            if bound is not None:
                found.append((action.name, bound))
    return found


def _first_possible(
    s: State,
    action: Action[State, ...],
    known: Pools,
    given: Mapping[str, Any],
    channel: Any,
) -> dict[str, Any] | None:
    for bound in bindings(action, known, given, {}):
        effects = _tried(s, action, bound)
        if effects is None:
            continue
        taken = [cell for cell, (_, new) in effects.items() if _delivers(new)]
        if taken == ([] if channel is None else [channel]):
            return bound
    return None


def _delivers(new: Any) -> bool:
    return getattr(new, "delivered", None) is not None
