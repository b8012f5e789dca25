"""The specification's state as a node would show it: the views that traces carry.

A view is plain data in Mesos' words, by keys such as `tasks/<framework>/<task>`
(`docs/reference/trace.md`).  `changed` turns what a step wrote into the view entries it stands for,
to be compared with what the node says changed; `whole` puts together what a node must show if it is
asked for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mesos_spec.resources import Resources
from mesos_spec.state import Reign, Standing, State
from mesos_spec.tools.judging.changes import Change

Entries = dict[str, Any]


def amounts(resources: Resources) -> dict[str, int]:
    """A vector as views write it.  (Not to be written to.)"""
    return resources._amounts


# ---- masters ---------------------------------------------------------------------------------
def _reign(key: Any, value: Any) -> Entries:
    return {"epoch": key} if value is Reign.LEADING else {}


def _agents(key: Any, value: Any) -> Entries:
    if value.standing is Standing.UNKNOWN:
        return {}
    shown = {
        "standing": value.standing.value,
        "link": None if value.link is None else value.link.id,
        "total": amounts(value.total),
    }
    return {f"agents/{key[1]}": shown}


def _frameworks(key: Any, value: Any) -> Entries:
    if value.standing is Standing.UNKNOWN:
        return {}
    if value.standing is Standing.REMOVED:
        return {f"frameworks/{key[1]}": {"standing": "removed"}}
    shown = {
        "standing": value.standing.value,
        "stream": None if value.stream is None else value.stream.id,
        "roles": sorted(value.roles),
        "suppressed": sorted(value.suppressed),
        "partition_aware": value.partition_aware,
        "checkpoint": value.checkpoint,
    }
    return {f"frameworks/{key[1]}": shown}


def _offer(key: Any, offer: Any, made: Any) -> dict[str, Any]:
    return {
        "agent": offer.agent,
        "framework": made.framework,
        "role": made.role,
        "resources": amounts(made.resources),
    }


def _task(key: Any, task: Any, record: Any) -> dict[str, Any]:
    return {
        "agent": key[1],
        "role": record.role,
        "resources": amounts(record.resources),
        "executor": record.executor,
        "state": record.state,
        "told": record.told,
        "uuid": record.uuid,
        "killed": record.killed,
    }


def _executor(key: Any, executor: Any, record: Any) -> dict[str, Any]:
    return {"role": record.role, "resources": amounts(record.resources)}


# ---- agents ----------------------------------------------------------------------------------
def _agent(key: Any, value: Any) -> Entries:
    if not value.up:
        return {}
    shown = {
        "id": key,
        "epoch": value.epoch or None,
        "link": None if value.link is None else value.link.id,
        "registered": value.registered,
    }
    return {"agent": shown}


def _runner(key: Any, executor: Any, runner: Any) -> dict[str, Any]:
    return {"phase": runner.phase.value, "command": runner.command, "stream": runner.stream}


def _run(key: Any, task: Any, run: Any) -> dict[str, Any]:
    return {
        "executor": run.executor,
        "phase": run.phase.value,
        "state": run.state,
        "role": run.role,
        "resources": amounts(run.resources),
    }


# ---- schedulers ------------------------------------------------------------------------------
def _scheduler(key: Any, value: Any) -> Entries:
    shown = {
        "framework": value.framework,
        "stream": None if value.stream is None else value.stream.id,
        "epoch": value.epoch or None,
        "standing": value.mood.value,
    }
    return {"scheduler": shown}


def _in_order(refused: Iterable[dict[str, int]]) -> list[dict[str, int]]:
    """By amounts, not by age: of two filters of one amount either may end first, and no offer
    depends on which.
    """
    return sorted(refused, key=lambda one: sorted(one.items()))


# ---- who shows what --------------------------------------------------------------------------
Show = Callable[[Any, Any], Entries]  #: a cell's key and value → its view entries
Label = Callable[[Any, Any], str]  #: a cell's key and a key in its table → the view key
Item = Callable[[Any, Any, Any], Any]  #: both keys and the value → the view's value

#: For each kind of node: the fields it shows as one entry, and how.
RECORDS: dict[str, dict[str, Show]] = {
    "master": {"reign": _reign, "agents": _agents, "frameworks": _frameworks},
    "agent": {"agent": _agent},
    "scheduler": {"scheduler": _scheduler},
}

#: For each kind of node: the fields that are tables, and how an entry of one is called and shown.
TABLES: dict[str, dict[str, tuple[Label, Item]]] = {
    "master": {
        "offers": (lambda key, offer: f"offers/{offer.id}", _offer),
        "tasks": (lambda key, task: f"tasks/{task.framework}/{task.id}", _task),
        "unreachable": (lambda key, task: f"unreachable/{task.framework}/{task.id}", _task),
        "executors": (lambda key, e: f"executors/{key[1]}/{e.framework}/{e.executor}", _executor),
        "filters": (
            lambda key, on: f"filters/{key[1]}/{on[0]}/{on[1]}",
            lambda key, on, several: _in_order(amounts(refused) for refused in several),
        ),
    },
    "agent": {
        "hosted": (
            lambda key, framework: f"frameworks/{framework}",
            lambda key, framework, info: {
                "checkpoint": info.checkpoint,
                "partition_aware": info.partition_aware,
            },
        ),
        "runners": (lambda key, e: f"executors/{e.framework}/{e.executor}", _runner),
        "runs": (lambda key, task: f"tasks/{task.framework}/{task.id}", _run),
        "updates": (
            lambda key, task: f"updates/{task.framework}/{task.id}",
            lambda key, task, queue: [[u.uuid, u.state, u.reason] for u in queue],
        ),
    },
    "scheduler": {
        "held": (lambda key, offer: f"offers/{offer.id}", lambda key, offer, held: offer.agent)
    },
}

#: The fields that a kind of node shows.
SHOWN: dict[str, frozenset[str]] = {
    role: frozenset((*RECORDS[role], *TABLES[role])) for role in RECORDS
}


def shown_after(role: str, changed: Iterable[Change]) -> Entries:
    """The view entries that a step may have changed: key → its value now, or None where gone."""
    records, tables = RECORDS.get(role, {}), TABLES.get(role, {})
    found: Entries = {}
    for (name, key), old, new, entries, _ in changed:
        if name in tables:
            label, item = tables[name]
            for k, _, now in entries:
                found[label(key, k)] = None if now is None else item(key, k, now)
        elif name in records:
            show = records[name]
            after = show(key, new)
            found.update(after or dict.fromkeys(show(key, old)))
    return found


def _owned(role: str, who: Any, key: Any) -> bool:
    if role == "master":
        return bool(key == who or (isinstance(key, tuple) and key[0] == who))
    return bool(key == who)


def whole(s: State, role: str, who: Any) -> Entries:
    """Everything node `who` must show: the epoch of a master, the id of an agent or scheduler."""
    view: Entries = {}
    for name, show in RECORDS.get(role, {}).items():
        for key, value in s._fields[name].items():
            if _owned(role, who, key):
                view.update(show(key, value))
    for name, (label, item) in TABLES.get(role, {}).items():
        for key, table in s._fields[name].items():
            if _owned(role, who, key):
                view.update((label(key, k), item(key, k, v)) for k, v in table.items())
    if role == "scheduler" and "scheduler" not in view:
        view.update(_scheduler(who, s.scheduler[who]))
    return view


def differences(expected: Entries, found: Entries) -> Iterator[tuple[str, Any, Any]]:
    """Each key on which two views disagree, with what the first and the second say."""
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield key, expected.get(key), found.get(key)
