"""Which properties to ask after a step: those that what it wrote could have broken, all of them.

A property is about an epoch, an agent, a framework, a task, a connection.  After each step it is
asked about all of these that the cells which the step changed concern (`subjects`), if it reads
what was changed; of tasks, about those that were touched (`glasses`).  What adds up all that a
master knows is asked as a difference: what is charged must change by what the promises change by,
and a task that comes or goes must do so where its home says.

So nothing is ever missed that asking everything after each step would find, which a test holds
this module to.  All the same every property of a state is asked of everything at each whole view of
a master and at the end (`ONCE`: at the end only).  `MODELS_ONLY` need a model's bounds.  Whom to
offer to, a rule of the whole cluster, is asked on every offer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

from mesos_spec import allocation
from mesos_spec.kernel import Specification
from mesos_spec.state import EXECUTORS_HOLD, OFFERS_HOLD, TASKS_HOLD, State
from mesos_spec.tools.judging.aspects import Words, concerns, words
from mesos_spec.tools.judging.changes import Change
from mesos_spec.tools.judging.glasses import CUT, VIEWS, Glasses, Look
from mesos_spec.tools.judging.subjects import OF_FEW, Names, Pick, Subject, everything, pick

#: Properties that only models have: they read the model's bounds.
MODELS_ONLY = frozenset(
    (
        *("agents_are_not_overloaded", "nobody_is_shut_out_without_reason"),
        "only_usable_agents_are_registered",
    )
)

#: Properties that are asked of all tasks at the end only: each looks at every agent.
ONCE = frozenset(("a_task_is_sought_where_it_is",))

#: What is asked as a difference, of whom the step changed something.
SUMS = "charges_add_up"

#: Properties of where each task is: asked of the agents that may have those that were touched.
HOMES = frozenset(("a_task_is_sought_where_it_is", "a_task_has_one_home"))

#: Properties that say something of each task, or of each executor, by itself → what they read that
#: is of none.  If none of it was changed, they are asked of those that a step touched.
EACH_TASK: dict[str, frozenset[str]] = {
    "a_task_ends_once": frozenset(),
    "a_task_that_ended_says_so": frozenset(),
    "a_task_has_an_executor": frozenset(),
    "an_ended_task_stays_ended": frozenset(),
    "updates_leave_only_when_acknowledged": frozenset(),
    "what_is_launched_was_offered": frozenset(),
    "only_who_never_came_is_late": frozenset(),
    "only_who_is_away_is_given_up": frozenset(),
    "a_registered_agent_has_a_link": frozenset(("agent",)),
    "a_registered_agent_hides_nothing": frozenset(("agent", "agents", "frameworks")),
    "no_task_is_forgotten": frozenset(("agent", "agents")),
}

#: What a property does not read, though a name in its code says so.
NOT_READ: dict[str, frozenset[str]] = {
    "a_registered_agent_has_a_link": frozenset(("up",)),  # of an agent's process
    "a_task_is_sought_where_it_is": frozenset(("met_agents",)),  # who was not met has no tasks
    "a_task_has_one_home": frozenset(("met_agents",)),
    "nothing_is_left_of_a_removed_framework": frozenset(("met_agents",)),
}

TALLIES = {"offers": OFFERS_HOLD, "tasks": TASKS_HOLD, "executors": EXECUTORS_HOLD}


@dataclass(slots=True)
class _Claim:
    """A property, and what is needed to ask it."""

    prop: Any
    holds: Callable[..., bool]
    names: Names
    reads: frozenset[str]  #: fields whose change is a reason to ask
    looks_at: frozenset[str]  #: fields that it may read
    of_step: bool


@dataclass(slots=True)
class _Plan:
    """What to ask after a step that changed certain fields, and how to find whom about."""

    #: Each with the group of its subjects, and of which views of the step it is asked.
    asks: list[tuple[_Claim, int, int | None, int]] = field(default_factory=list)
    look: Look = field(default_factory=Look)
    #: For each group: the changed cells, by number, that have subjects for it, and their picks.
    groups: list[list[tuple[int, Pick]]] = field(default_factory=list)
    sums: bool = False


class Asking:
    """Asks a specification's properties of a state, as little as is enough."""

    def __init__(self, spec: Specification[State]) -> None:
        self._claims = [
            *(_claim(p, 1, fields_read(p.holds)) for p in spec.always),
            *(_claim(p, 2, p.watches) for p in spec.each_step),
        ]
        self._claims = [c for c in self._claims if c.prop.name not in MODELS_ONLY]
        self._plans: dict[tuple[tuple[str, Words], ...], _Plan] = {}
        self._glasses: Glasses | None = None

    def broken(self, s: State, changed: Sequence[Change]) -> str | None:
        """The first property that a step, just taken on `s`, broke: a sentence, or None."""
        said = tuple([(one.cell[0], words(one)) for one in changed])
        plan = self._plans.get(said)
        if plan is None:
            plan = self._plans[said] = self._plan(said)
        if not plan.asks:
            return None
        about: list[Collection[Subject]] = []
        for picks in plan.groups:
            if len(picks) == 1:
                at, whom = picks[0]
                about.append(whom(s, changed[at]))
                continue
            found: dict[Subject, None] = {}
            for at, whom in picks:
                found.update(dict.fromkeys(whom(s, changed[at])))
            about.append(found)
        glasses = self._glasses
        if glasses is None or glasses.s is not s:
            glasses = self._glasses = Glasses(s)
        views = glasses.through(plan.look, changed)
        for claim, group, before, after in plan.asks:
            holds = claim.holds
            for subject in about[group]:
                if before is None:
                    held = holds(views[after], *subject)
                else:
                    held = holds(views[before], views[after], *subject)
                if not held:
                    return _sentence(claim.prop, claim.names, subject)
        return self._sums_broken(changed) if plan.sums else None

    def _plan(self, changes: tuple[tuple[str, Words], ...]) -> _Plan:
        """The properties that a step which changed so much might break, and of whom."""
        said: dict[str, dict[str, None]] = {}
        for name, its in changes:
            if its:
                said.setdefault(name, {}).update(dict.fromkeys(its))
        plan = _Plan()
        seen: set[str | None] = set()
        cut: set[str] = set()
        groups: dict[tuple[Names, frozenset[str], str], int] = {}
        for claim in self._claims:
            name = claim.prop.name
            because = concerns(name, claim.reads, said)
            if not because:
                continue
            if name == SUMS:
                plan.sums = True
                continue
            key = (claim.names, because, name if name in OF_FEW else "")
            group = groups.setdefault(key, len(groups))
            before, after = _look(claim, said)
            seen |= {after, before}
            if after not in ("after", "before"):
                cut |= claim.looks_at
            at = None if before is None else VIEWS.index(before)
            plan.asks.append((claim, group, at, VIEWS.index(after)))
        if "few_before" in seen:
            seen.add("before")
        looked = tuple(view for view in VIEWS[1:] if view in seen)
        plan.look = Look(looked, tuple(name for name in CUT if name in cut))
        for names, because, name in groups:
            picks = [
                (at, pick(field_name, names, name))
                for at, (field_name, _) in enumerate(changes)
                if field_name in because
            ]
            plan.groups.append([(at, whom) for at, whom in picks if whom is not None])
        return plan

    def _sums_broken(self, changed: Sequence[Change]) -> str | None:
        """A sentence, if what is charged did not change by what the promises changed by."""
        rest: dict[tuple[Any, Any], dict[Any, int]] = {}
        for (name, key), old, new, entries, _ in changed:
            if name in TALLIES:
                was, now = old.tally(TALLIES[name]), new.tally(TALLIES[name])
                if was is not now:
                    for sums, sign in ((now, 1), (was, -1)):
                        for (framework, role, what), n in sums.items():
                            _add(rest, (key[0], framework), (role, what), sign * n)
            elif name == "charged":
                for role, was, now in entries:
                    for held, sign in ((now, -1), (was, 1)):
                        for what, n in () if held is None else held.items():
                            _add(rest, key, (role, what), sign * n)
        for subject, amounts in rest.items():
            if any(amounts.values()):
                claim = next(c for c in self._claims if c.prop.name == SUMS)
                return _sentence(claim.prop, claim.names, subject)
        return None

    def broken_anywhere(self, s: State, at_the_end: bool = False) -> str | None:
        """The first property of a state that does not hold in `s`: a sentence, or None."""
        subjects: dict[Names, list[Subject]] = {}
        for claim in self._claims:
            if claim.of_step or (claim.prop.name in ONCE and not at_the_end):
                continue
            if claim.names not in subjects:
                subjects[claim.names] = list(everything(s, claim.names))
            for subject in subjects[claim.names]:
                if not claim.holds(s, *subject):
                    return _sentence(claim.prop, claim.names, subject)
        return None

    def not_next(self, s: State, bound: Mapping[str, Any]) -> str | None:
        """A sentence if an offer goes to another than DRF's next claimant (ALC-15 to ALC-17)."""
        due = allocation.next_claimant(s, bound["epoch"], bound["agent"], bound["resources"])
        chosen = (bound["framework"], bound["role"])
        if due == chosen:
            return None
        return f"{bound['agent']} is offered to {chosen}, where DRF's next claimant is {due}"


def _look(claim: _Claim, said: Mapping[str, Any]) -> tuple[str | None, str]:
    """Of which views a property is asked: of the state, or both states, whole or cut down."""
    if claim.prop.name in HOMES:
        return None, "homes"
    others = EACH_TASK.get(claim.prop.name)
    few = others is not None and others.isdisjoint(said)
    after, before = ("few", "few_before") if few else ("after", "before")
    return (before if claim.of_step else None), after


def _claim(prop: Any, states: int, reads: Iterable[str]) -> _Claim:
    names = tuple(inspect.signature(prop.holds).parameters)[states:]
    reads = frozenset(reads) - NOT_READ.get(prop.name, frozenset())
    return _Claim(prop, prop.holds, names, reads, fields_read(prop.holds), states == 2)


def _add(rest: dict[Any, dict[Any, int]], key: Any, label: Any, n: int) -> None:
    amounts = rest.setdefault(key, {})
    amounts[label] = amounts.get(label, 0) + n


def _sentence(prop: Any, names: Names, subject: Subject) -> str:
    where = ", ".join(f"{k}={v}" for k, v in zip(names, subject, strict=True))
    return f"the property {prop.name}({where}) is broken: {prop.doc.splitlines()[0]}"


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
