"""Which properties to ask after a step: those that what it wrote could have broken.

A property is about an epoch, an agent, a framework, a scheduler or a task.  After each step it is
asked about all of these whose cells the step changed, if one of the fields it may read was changed.
A change of a framework's record also concerns every agent of that master; a master's tasks that
came or went concern themselves.  Asked less often are

* `RARELY`: what adds up all that a master knows;
* properties of a master *and* an agent, after a step of the agent: nobody but that master can ask;
* `MODELS_ONLY`: never, because they need a model's bounds.

So, at each whole view of a master and at the end, every property is asked of everything (`ONCE`:
at the end only).  Whom to offer to, a rule of the whole cluster, is asked on every offer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

from mesos_spec import allocation
from mesos_spec.kernel import Fifo, Specification, Table
from mesos_spec.kernel.cells import Cell, Effects, Window
from mesos_spec.state import State

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
}

#: Properties that only models have: they read an agent's size off the model's bounds.
MODELS_ONLY = frozenset(("agents_are_not_overloaded",))

#: Properties that add up everything a master knows.
RARELY = frozenset(("charges_add_up", "a_task_has_one_home"))

#: Properties that are asked of all tasks at the end only: each looks at every agent.
ONCE = frozenset(("a_task_is_sought_where_it_is",))

Names = tuple[str, ...]
Subject = tuple[Any, ...]  #: what some names are bound to, in their order
Pick = Callable[[State, Any, Any, Any], Iterable[Subject]]  #: state, key, old and new → subjects


#: The fields with an entry for each task, of agents and of masters.
BY_TASK = frozenset(("runs", "updates", "tasks", "unreachable"))

#: Properties that say something of each task by itself → what they read that is not of that task.
#: If none of it was changed, they are asked of the tasks that a step touched, and of no others.
EACH_TASK: dict[str, frozenset[str]] = {
    "a_task_ends_once": frozenset(),
    "a_task_that_ended_says_so": frozenset(),
    "a_task_has_an_executor": frozenset(("runners",)),
    "an_ended_task_stays_ended": frozenset(),
    "updates_leave_only_when_acknowledged": frozenset(),
    "what_is_launched_was_offered": frozenset(),
    "a_registered_agent_hides_nothing": frozenset(("agent", "agents", "frameworks")),
    "no_task_is_forgotten": frozenset(("agent", "agents")),
}


@dataclass(slots=True)
class _Claim:
    """A property, and what is needed to ask it."""

    prop: Any
    holds: Callable[..., bool]
    names: Names
    reads: frozenset[str]  #: fields whose change is a reason to ask

    def is_of_tasks(self, changed: frozenset[str]) -> bool:
        """Whether it is enough to ask it of the tasks that were touched."""
        others = EACH_TASK.get(self.prop.name)
        return others is not None and changed.isdisjoint(others)


@dataclass(slots=True)
class _Plan:
    """What to ask after a step that changed certain fields; of all tasks, or of those touched."""

    always: list[tuple[_Claim, bool]]
    steps: list[tuple[_Claim, bool]]
    picks: dict[str, list[tuple[Names, Pick]]] = field(default_factory=dict)  #: by field


class Asking:
    """Asks a specification's properties of a state, as little as is enough."""

    def __init__(self, spec: Specification[State]) -> None:
        asked = [p for p in spec.always if p.name not in MODELS_ONLY]
        self._always = [_Claim(p, p.holds, _names(p.holds, 1), fields_read(p.holds)) for p in asked]
        self._steps = [_Claim(p, p.holds, _names(p.holds, 2), p.watches) for p in spec.each_step]
        self._plans: dict[frozenset[str], _Plan] = {}
        self._windows: _Windows | None = None

    def broken(self, s: State, effects: Effects) -> str | None:
        """The first property that a step, just taken on `s`, broke: a sentence, or None."""
        changed = frozenset([cell[0] for cell, pair in effects.items() if _differs(*pair)])
        plan = self._plans.get(changed)
        if plan is None:
            plan = self._plans[changed] = self._plan(changed)
        if not plan.always and not plan.steps:
            return None
        about = _subjects(plan, s, effects)
        views = _Views(self._windows_on(s), s, effects)
        for claim, of_tasks in plan.always:
            holds = claim.holds
            for subject in about.get(claim.names, ()):
                if not holds(views.tasks if of_tasks else s, *subject):
                    return _sentence(claim, subject)
        for claim, of_tasks in plan.steps:
            holds = claim.holds
            for subject in about.get(claim.names, ()) if claim.names else ((),):
                before = views.tasks_before if of_tasks else views.before
                if not holds(before, views.tasks if of_tasks else s, *subject):
                    return _sentence(claim, subject)
        return None

    def _windows_on(self, s: State) -> _Windows:
        if self._windows is None or self._windows.state is not s:
            self._windows = _Windows(s)
        return self._windows

    def _plan(self, changed: frozenset[str]) -> _Plan:
        """The properties that a step which changed these fields might break, and of whom."""
        often = [claim for claim in self._always if claim.prop.name not in RARELY]
        plan = _Plan(
            always=[(c, c.is_of_tasks(changed)) for c in often if c.reads & changed],
            steps=[(c, c.is_of_tasks(changed)) for c in self._steps if c.reads & changed],
        )
        wanted = dict.fromkeys(claim.names for claim, _ in (*plan.always, *plan.steps))
        for name in changed:
            picks = [(names, _pick(name, names)) for names in wanted]
            plan.picks[name] = [(names, pick) for names, pick in picks if pick is not None]
        return plan

    def broken_anywhere(self, s: State, at_the_end: bool = False) -> str | None:
        """The first property of a state that does not hold in `s`: a sentence, or None."""
        everything: dict[Names, list[Subject]] = {}
        for claim in self._always:
            if claim.prop.name in ONCE and not at_the_end:
                continue
            if claim.names not in everything:
                everything[claim.names] = list(_everything(s, claim.names))
            for subject in everything[claim.names]:
                if not claim.holds(s, *subject):
                    return _sentence(claim, subject)
        return None

    def not_next(self, s: State, bound: Mapping[str, Any]) -> str | None:
        """A sentence if an offer goes to another than DRF's next claimant (ALC-15 to ALC-17)."""
        due = allocation.next_claimant(s, bound["epoch"], bound["agent"], bound["resources"])
        chosen = (bound["framework"], bound["role"])
        if due == chosen:
            return None
        return f"{bound['agent']} is offered to {chosen}, where DRF's next claimant is {due}"


def _differs(old: Any, new: Any) -> bool:
    """Whether a cell holds something else; of tables and channels only whether it is another."""
    return old is not new and (type(new) in (Table, Fifo) or bool(old != new))


# ---- after a step --------------------------------------------------------------------------
def _subjects(plan: _Plan, s: State, effects: Effects) -> dict[Names, dict[Subject, None]]:
    """Whom a step was about: for each kind of names, what they are bound to, each only once."""
    about: dict[Names, dict[Subject, None]] = {}
    for (name, key), (old, new) in effects.items():
        if old is new or name not in plan.picks:
            continue
        for names, pick in plan.picks[name]:
            found = about.setdefault(names, {})
            for subject in pick(s, key, old, new):
                found[subject] = None
    return about


class _Windows:
    """Windows on one state: as it was before a step, and with the touched tasks only."""

    def __init__(self, s: State) -> None:
        self.state = s
        self.before, self.tasks, self.tasks_before = Window(s), Window(s), Window(s)


class _Views:
    """What can be seen of one step, each view made when it is first asked for."""

    __slots__ = ("_before", "_effects", "_s", "_tasks", "_tasks_before", "_touched", "_windows")

    def __init__(self, windows: _Windows, s: State, effects: Effects) -> None:
        self._windows, self._s, self._effects = windows, s, effects
        self._before: State | None = None
        self._tasks: State | None = None
        self._tasks_before: State | None = None
        self._touched: dict[Cell, tuple[Any, ...]] | None = None

    @property
    def before(self) -> State:
        """The state before the step."""
        if self._before is None:
            old = {cell: pair[0] for cell, pair in self._effects.items()}
            self._before = self._windows.before.showing(old)
        return self._before

    @property
    def tasks(self) -> State:
        """The state, where the tables of who was touched hold the touched tasks only."""
        if self._tasks is None:
            s = self._s
            few = {cell: _only_of(s.look(cell), ids) for cell, ids in self._touched_cells().items()}
            self._tasks = self._windows.tasks.showing(few)
        return self._tasks

    @property
    def tasks_before(self) -> State:
        """The state before the step, cut down in the same way."""
        if self._tasks_before is None:
            old = {cell: pair[0] for cell, pair in self._effects.items()}
            for cell, ids in self._touched_cells().items():
                old[cell] = _only_of(old[cell] if cell in old else self._s.look(cell), ids)
            self._tasks_before = self._windows.tasks_before.showing(old)
        return self._tasks_before

    def _touched_cells(self) -> dict[Cell, tuple[Any, ...]]:
        """The tables to cut down, each with the tasks to leave in it."""
        if self._touched is None:
            ids: dict[Any, dict[Any, None]] = {}  # by agent
            cells: dict[Any, dict[Cell, None]] = {}
            for (name, key), (old, new) in self._effects.items():
                if name in BY_TASK and old is not new:
                    agent = key if name in ("runs", "updates") else key[1]
                    ids.setdefault(agent, {}).update(dict.fromkeys(new.differs(old)))
                    mine = cells.setdefault(
                        agent, {("runs", agent): None, ("updates", agent): None}
                    )
                    if agent is not key:
                        mine["tasks", key] = mine["unreachable", key] = None
            self._touched = {c: tuple(ids[agent]) for agent in cells for c in cells[agent]}
        return self._touched


def _only_of(table: Table[Any, Any], ids: tuple[Any, ...]) -> Table[Any, Any]:
    return Table([(task, table[task]) for task in ids if task in table])


def _pick(field_name: str, names: Names) -> Pick | None:
    """How a changed cell of a field says whom `names` may be; None if it does not."""
    kind = KEYS.get(field_name, ())
    if field_name == "frameworks" and set(names) == {"epoch", "agent"}:
        return lambda s, key, old, new: [_ordered(names, key[0], a) for a in s.met_agents[key[0]]]
    if field_name in ("tasks", "unreachable") and names == ("epoch", "task"):
        return lambda s, key, old, new: [
            (key[0], task) for task in new.differs(old) if (task in old) != (task in new)
        ]
    if not names or not set(names) <= set(kind):
        return None
    if kind == names:
        return (lambda s, key, old, new: (key,)) if len(kind) > 1 else _only
    places = [kind.index(name) for name in names]
    return lambda s, key, old, new: (tuple(key[at] for at in places),)


def _only(s: State, key: Any, old: Any, new: Any) -> Iterable[Subject]:
    return ((key,),)


def _ordered(names: Names, epoch: Any, agent: Any) -> Subject:
    return (epoch, agent) if names[0] == "epoch" else (agent, epoch)


def _names(holds: Callable[..., bool], states: int) -> Names:
    """The names of a property in the order of its parameters, after the states."""
    return tuple(inspect.signature(holds).parameters)[states:]


# ---- which fields --------------------------------------------------------------------------
def fields_read(function: Callable[..., Any]) -> frozenset[str]:
    """The fields of the state that a property may read, by the names in its code.

    Names are followed into functions of the specification and methods of its state, so this is
    never too little; it may be too much, where a name means something else.
    """
    found: set[str] = set()
    seen: set[CodeType] = set()
    todo: list[tuple[CodeType, Mapping[str, Any]]] = [(function.__code__, function.__globals__)]
    while todo:
        code, names = todo.pop()
        if code in seen:
            continue
        seen.add(code)
        found.update(code.co_names)
        todo += [(inner, names) for inner in code.co_consts if isinstance(inner, CodeType)]
        for name in code.co_names:
            for other in (names.get(name), getattr(State, name, None)):
                if isinstance(other, FunctionType):
                    todo.append((other.__code__, other.__globals__))
    return frozenset(found & State._layout.keys())


# ---- everything ----------------------------------------------------------------------------
def _everything(s: State, names: Names) -> Iterator[Subject]:
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


def _sentence(claim: _Claim, subject: Subject) -> str:
    where = ", ".join(f"{k}={v}" for k, v in zip(claim.names, subject, strict=True))
    meaning = claim.prop.doc.splitlines()[0]
    return f"the property {claim.prop.name}({where}) is broken: {meaning}"
