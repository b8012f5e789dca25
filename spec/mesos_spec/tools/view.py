"""The specification's state as a node would show it: the views that traces carry.

A view is plain data in Mesos' words, by keys such as `tasks/<framework>/<task>`
(`docs/reference/trace.md`).  `entries` turns one cell into the view entries it stands for, so that
what a step wrote can be compared with what the node says changed, and `whole` puts together what a
node must show if it is asked for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mesos_spec.cells import Effects
from mesos_spec.resources import Resources
from mesos_spec.state import Reign, Standing, State, TaskRecord

Entries = dict[str, Any]


def amounts(resources: Resources) -> dict[str, int]:
    """A vector as views write it."""
    return dict(resources.items())


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


def _offers(key: Any, value: Any) -> Entries:
    return {
        f"offers/{offer.id}": {
            "agent": offer.agent,
            "framework": made.framework,
            "role": made.role,
            "resources": amounts(made.resources),
        }
        for offer, made in value._d.items()
    }


def _task(agent: str, record: TaskRecord) -> dict[str, Any]:
    return {
        "agent": agent,
        "role": record.role,
        "resources": amounts(record.resources),
        "executor": record.executor,
        "state": record.state,
        "told": record.told,
        "uuid": record.uuid,
        "killed": record.killed,
    }


def _tasks(key: Any, value: Any) -> Entries:
    return {f"tasks/{t.framework}/{t.id}": _task(key[1], r) for t, r in value._d.items()}


def _unreachable(key: Any, value: Any) -> Entries:
    return {f"unreachable/{t.framework}/{t.id}": _task(key[1], r) for t, r in value._d.items()}


def _executors(key: Any, value: Any) -> Entries:
    return {
        f"executors/{key[1]}/{e.framework}/{e.executor}": {
            "role": record.role,
            "resources": amounts(record.resources),
        }
        for e, record in value._d.items()
    }


def _filters(key: Any, value: Any) -> Entries:
    return {
        f"filters/{key[1]}/{agent}/{role}": [amounts(refused) for refused in several]
        for (agent, role), several in value._d.items()
    }


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


def _hosted(key: Any, value: Any) -> Entries:
    return {
        f"frameworks/{framework}": {
            "checkpoint": info.checkpoint,
            "partition_aware": info.partition_aware,
        }
        for framework, info in value._d.items()
    }


def _runners(key: Any, value: Any) -> Entries:
    return {
        f"executors/{e.framework}/{e.executor}": {
            "phase": runner.phase.value,
            "command": runner.command,
            "stream": runner.stream,
        }
        for e, runner in value._d.items()
    }


def _runs(key: Any, value: Any) -> Entries:
    return {
        f"tasks/{t.framework}/{t.id}": {
            "executor": run.executor,
            "phase": run.phase.value,
            "state": run.state,
            "role": run.role,
            "resources": amounts(run.resources),
        }
        for t, run in value._d.items()
    }


def _updates(key: Any, value: Any) -> Entries:
    return {
        f"updates/{t.framework}/{t.id}": [[u.uuid, u.state, u.reason] for u in queue]
        for t, queue in value._d.items()
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


def _held(key: Any, value: Any) -> Entries:
    return {f"offers/{offer.id}": offer.agent for offer in value._d}


Show = Callable[[Any, Any], Entries]

#: For each kind of node: the fields it shows, and how.
SHOWN: dict[str, dict[str, Show]] = {
    "master": {
        "reign": _reign,
        "agents": _agents,
        "frameworks": _frameworks,
        "offers": _offers,
        "tasks": _tasks,
        "unreachable": _unreachable,
        "executors": _executors,
        "filters": _filters,
    },
    "agent": {
        "agent": _agent,
        "hosted": _hosted,
        "runners": _runners,
        "runs": _runs,
        "updates": _updates,
    },
    "scheduler": {"scheduler": _scheduler, "held": _held},
}


def changed(role: str, effects: Effects) -> Entries:
    """The view entries that a step changed: key → new value, or None where an entry is gone."""
    shown = SHOWN.get(role, {})
    before: Entries = {}
    after: Entries = {}
    for (name, key), (old, new) in effects.items():
        show = shown.get(name)
        if show is None or old is new:
            continue
        if hasattr(old, "_d") and hasattr(new, "_d"):
            old, new = _differing(old, new)
        before.update(show(key, old))
        after.update(show(key, new))
    gone = {key: None for key in before if key not in after}
    return {key: value for key, value in after.items() if before.get(key) != value} | gone


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    """Two tables, cut down to the keys in which they differ."""
    olds, news = old._d, new._d
    kind = type(old)
    return (
        kind({k: v for k, v in olds.items() if news.get(k) is not v}),
        kind({k: v for k, v in news.items() if olds.get(k) is not v}),
    )


def _owned(role: str, who: Any, key: Any) -> bool:
    if role == "master":
        return bool(key == who or (isinstance(key, tuple) and key[0] == who))
    return bool(key == who)


def whole(s: State, role: str, who: Any) -> Entries:
    """Everything node `who` must show: the epoch of a master, the id of an agent or scheduler."""
    view: Entries = {}
    for name, show in SHOWN.get(role, {}).items():
        for key, value in s._fields[name].items():
            if _owned(role, who, key):
                view.update(show(key, value))
    if role == "scheduler" and "scheduler" not in view:
        view.update(_scheduler(who, s.scheduler[who]))
    return view


def differences(expected: Entries, found: Entries) -> Iterator[tuple[str, Any, Any]]:
    """Each key on which two views disagree, with what the first and the second say."""
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield key, expected.get(key), found.get(key)
