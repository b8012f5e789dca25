"""Whom a change concerns: from a cell that a step wrote to what the names of a property may be.

Most cells have their subjects in their key: `tasks[epoch, agent]` is about an epoch and an agent.
Some are of interest to others, too: what an agent runs is the business of the master it follows,
and mail that of whoever hears it.  `pick` knows both.  Where a property says something of each task
by itself, it is enough to ask it of the tasks that were touched; `Running` knows which tasks those
are, if an executor was touched, or the way to a task's agent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from mesos_spec.ids import ExecutorKey
from mesos_spec.kernel import Table
from mesos_spec.state import Standing, State
from mesos_spec.tools.judging.changes import Change

#: What the keys of a field's cells are called in a property.
KEYS: dict[str, tuple[str, ...]] = {
    "reign": ("epoch",),
    "met_agents": ("epoch",),
    "met_frameworks": ("epoch",),
    "capacity": ("epoch",),
    "agents": ("epoch", "agent"),
    "offers": ("epoch", "agent"),
    "tasks": ("epoch", "agent"),
    "unreachable": ("epoch", "agent"),
    "executors": ("epoch", "agent"),
    "frameworks": ("epoch", "framework"),
    "filters": ("epoch", "framework"),
    "charged": ("epoch", "framework"),
    "home": ("epoch", "task"),
    "agent": ("agent",),
    "hosted": ("agent",),
    "runners": ("agent",),
    "runs": ("agent",),
    "updates": ("agent",),
    "scheduler": ("scheduler",),
    "held": ("scheduler",),
    "owed": ("scheduler",),
    "up": ("link",),
    "down": ("link",),
    "calls": ("line",),
    "answer": ("line",),
    "events": ("stream",),
}

OF_AGENTS = ("agent", "hosted", "runners", "runs", "updates")

Names = tuple[str, ...]
Subject = tuple[Any, ...]  #: what some names are bound to, in their order
Pick = Callable[[State, Change], Collection[Subject]]  #: each subject once


def pick(field: str, names: Names, of: str = "") -> Pick | None:
    """How a changed cell of a field says whom `names` may be; None if it concerns nobody.

    With the name of a property that is `OF_FEW`: only whom that property says something of.
    """
    found = _pick(field, names)
    may_be = OF_FEW.get(of)
    if found is None or may_be is None:
        return found
    every = found
    return lambda s, one: [subject for subject in every(s, one) if may_be(s, field, subject)]


def _pick(field: str, names: Names) -> Pick | None:
    if not names:
        return lambda s, one: ((),)
    kind = KEYS.get(field, ())
    if set(names) <= set(kind):
        return _from_key(kind, names)
    return _OTHERS.get((field, tuple(sorted(names))))


#: Properties of few: of whom, given the field that changed, they say something.
OF_FEW: dict[str, Callable[[State, str, Subject], bool]] = {
    "nothing_is_left_of_a_removed_framework": lambda s, field, subject: (
        s.frameworks[subject].standing is Standing.REMOVED
    ),
    "who_is_down_does_nothing": lambda s, field, subject: (
        field == "agent" or not s.agent[subject[0]].up
    ),
}


def _from_key(kind: Names, names: Names) -> Pick:
    if len(kind) == 1:
        return lambda s, one: ((one.cell[1],),)
    if kind == names:
        return lambda s, one: (one.cell[1],)
    places = [kind.index(name) for name in names]
    return lambda s, one: (tuple([one.cell[1][at] for at in places]),)


# ---- whom else -----------------------------------------------------------------------------
def _whom_it_follows(s: State, agent: Any) -> Collection[Subject]:
    return ((s.agent[agent].epoch, agent),)


def _listener(s: State, one: Change) -> Collection[Subject]:
    records = s._fields["frameworks"]
    return [key for key, record in records.items() if record.stream == one.cell[1]]


def _came_or_went(one: Change) -> Collection[Subject]:
    epoch = one.cell[1][0]
    return [(epoch, task) for task, was, now in one.entries if (was is None) != (now is None)]


def _members(one: Change) -> Collection[Subject]:
    return [(one.cell[1], member) for member in sorted(one.old ^ one.new)]


def _whose(one: Change) -> Collection[Subject]:
    epoch = one.cell[1][0]
    return {(epoch, thing.framework): None for thing, _, _ in one.entries}


#: For a field and names, in alphabetic order, that its keys do not have: whom it concerns.
_OTHERS: dict[tuple[str, Names], Pick] = {
    ("frameworks", ("agent", "epoch")): lambda s, one: [
        (one.cell[1][0], agent) for agent in sorted(s.met_agents[one.cell[1][0]])
    ],
    ("met_agents", ("agent", "epoch")): lambda s, one: _members(one),
    ("met_frameworks", ("epoch", "framework")): lambda s, one: _members(one),
    ("events", ("epoch", "framework")): _listener,
    ("home", ("agent", "epoch")): lambda s, one: [
        (one.cell[1][0], agent) for agent in dict.fromkeys((one.old, one.new)) if agent is not None
    ],
}
for _name in ("tasks", "unreachable"):
    _OTHERS[_name, ("epoch", "task")] = lambda s, one: _came_or_went(one)
for _name in ("tasks", "unreachable", "executors"):
    _OTHERS[_name, ("epoch", "framework")] = lambda s, one: _whose(one)
for _name in OF_AGENTS:
    _OTHERS[_name, ("agent", "epoch")] = lambda s, one: _whom_it_follows(s, one.cell[1])
for _name in ("up", "down"):
    _OTHERS[_name, ("agent", "epoch")] = lambda s, one: _whom_it_follows(s, one.cell[1].agent)
    _OTHERS[_name, ("agent",)] = lambda s, one: ((one.cell[1].agent,),)


# ---- everything ----------------------------------------------------------------------------
def everything(s: State, names: Names) -> Iterator[Subject]:
    """Everything in the state that `names` can be bound to, each once."""
    if not names:
        yield ()
        return
    seen: set[Subject] = set()
    for name, kind in KEYS.items():
        if not set(names) <= set(kind):
            continue
        places = [kind.index(wanted) for wanted in names]
        for key in s._fields[name]:
            parts = key if len(kind) > 1 else (key,)
            subject = tuple(parts[at] for at in places)
            if subject not in seen:
                seen.add(subject)
                yield subject


# ---- which tasks ---------------------------------------------------------------------------
class Running:
    """Which tasks each executor of an agent has, and which agents run a task.

    It follows the tables it is shown, whatever became of them meanwhile.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Table[Any, Any]] = {}
        self._tasks: dict[tuple[Any, Any], dict[Any, None]] = {}
        self._agents: dict[Any, dict[Any, None]] = {}

    def look(self, agent: Any, runs: Table[Any, Any]) -> None:
        """An agent's tasks are these now."""
        known = self._known.get(agent, _NONE)
        if runs is known:
            return
        for task, was, now in runs.changes(known):
            if was is not None and now is not None and was.executor == now.executor:
                continue
            if was is not None:
                self._drop(agent, task, was.executor)
            if now is not None:
                executor = ExecutorKey(task.framework, now.executor)
                self._tasks.setdefault((agent, executor), {})[task] = None
                self._agents.setdefault(task, {})[agent] = None
        self._known[agent] = runs

    def _drop(self, agent: Any, task: Any, executor: str) -> None:
        places: tuple[tuple[dict[Any, Any], Any, Any], ...] = (
            (self._tasks, (agent, ExecutorKey(task.framework, executor)), task),
            (self._agents, task, agent),
        )
        for index, key, value in places:
            several = index.get(key)
            if several is not None:
                several.pop(value, None)
                if not several:
                    del index[key]

    def tasks_of(self, agent: Any, executor: Any) -> Iterable[Any]:
        """The tasks that an executor has."""
        return self._tasks.get((agent, executor), ())

    def agents_of(self, task: Any) -> Iterable[Any]:
        """The agents that run a task: one, if all is well."""
        return self._agents.get(task, ())


_NONE: Table[Any, Any] = Table()
