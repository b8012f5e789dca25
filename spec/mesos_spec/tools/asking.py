"""Which properties to ask after a step: those about what the step touched.

A property is bound to an agent, a framework or the whole.  After a step those of the agents and
schedulers are asked again whose cells it wrote, if they may read what was written; a property of a
framework or of a whole master, which reads every agent, is asked when a node shows its whole view.
The choice of whom to offer, a rule of the whole cluster, is asked on every offer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from mesos_spec import allocation
from mesos_spec.cells import Effects
from mesos_spec.kernel import Specification
from mesos_spec.state import State

#: What the keys of a field's cells are called in a property.
KEYS: dict[str, tuple[str, ...]] = {
    "agents": ("epoch", "agent"),
    "offers": ("epoch", "agent"),
    "tasks": ("epoch", "agent"),
    "unreachable": ("epoch", "agent"),
    "executors": ("epoch", "agent"),
    "frameworks": ("epoch", "framework"),
    "filters": ("epoch", "framework"),
    "charged": ("epoch", "framework"),
    "reign": ("epoch",),
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


class Asking:
    """Asks a specification's properties of a state, as little as is enough."""

    def __init__(self, spec: Specification[State]) -> None:
        asked = [p for p in spec.always if p.name not in MODELS_ONLY]
        self._local = [(p, fields_read(p.holds), _names(p)) for p in asked if _is_local(p)]
        self._global = [p for p in asked if not _is_local(p)]
        self._steps = spec.each_step
        self._watched = frozenset(w for p in self._steps for w in p.watches)

    def broken(self, s: State, effects: Effects) -> str | None:
        """The first property that a step, just taken on `s`, broke: a sentence, or None."""
        if not self._local and not self._steps:
            return None
        touched = list(_touched(effects))
        written = {name for name, _ in effects}
        for prop, reads, wanted in self._local:
            if written.isdisjoint(reads):
                continue
            for names in touched:
                if wanted <= names.keys():
                    bound = {n: names[n] for n in wanted}
                    if not prop.holds(s, **bound):
                        return _sentence(prop, bound)
        return self._broken_step(s, effects, touched)

    def _broken_step(
        self, s: State, effects: Effects, touched: list[Mapping[str, Any]]
    ) -> str | None:
        written = {name for name, _ in effects}
        if not written & self._watched:
            return None
        before: State | None = None
        for prop in self._steps:
            if not prop.watches & written:
                continue
            wanted = (*prop.over, *prop.given)
            bindings = [{n: t[n] for n in wanted} for t in touched if set(wanted) <= t.keys()]
            for bound in bindings[:1] if not wanted else bindings:
                before = before or s.before(effects)
                if not prop.holds(before, s, **bound):
                    return _sentence(prop, bound)
        return None

    def broken_anywhere(self, s: State) -> str | None:
        """The first property of the whole that does not hold in `s`: a sentence, or None."""
        for prop in self._global:
            found = _first_broken(prop, s)
            if found is not None:
                return _sentence(prop, found)
        return None

    def not_next(self, s: State, bound: Mapping[str, Any]) -> str | None:
        """A sentence if an offer goes to another than DRF's next claimant (ALC-15 to ALC-17)."""
        due = allocation.next_claimant(s, bound["epoch"], bound["agent"])
        chosen = (bound["framework"], bound["role"])
        if due == chosen:
            return None
        return f"{bound['agent']} is offered to {chosen}, where DRF's next claimant is {due}"


def _names(prop: Any) -> frozenset[str]:
    return frozenset((*prop.over, *prop.given))


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


def _is_local(prop: Any) -> bool:
    """Whether a property is of one agent or one scheduler: cheap enough to ask at every step."""
    names = {*prop.over, *prop.given}
    return "agent" in names or "scheduler" in names


def _touched(effects: Effects) -> Iterator[Mapping[str, Any]]:
    """What the keys of the cells a step wrote are called, each only once."""
    seen: set[tuple[Any, ...]] = set()
    for name, key in effects:
        names = KEYS.get(name)
        if names is None:
            continue
        parts = key if len(names) > 1 else (key,)
        mark = (names, parts)
        if mark not in seen:
            seen.add(mark)
            yield dict(zip(names, parts, strict=True))


def _first_broken(prop: Any, s: State) -> dict[str, Any] | None:
    """Names under which a property of the whole does not hold, taken from the keys in the state."""
    wanted = (*prop.over, *prop.given)
    for names in _everything(s, wanted):
        if not prop.holds(s, **names):
            return names
    return None


def _everything(s: State, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not wanted:
        yield {}
        return
    seen: set[tuple[Any, ...]] = set()
    for name, keys in KEYS.items():
        if not set(wanted) <= set(keys):
            continue
        for key in s._fields[name]:
            parts = dict(zip(keys, key if len(keys) > 1 else (key,), strict=True))
            bound = tuple(parts[n] for n in wanted)
            if bound not in seen:
                seen.add(bound)
                yield dict(zip(wanted, bound, strict=True))


def _sentence(prop: Any, bound: Mapping[str, Any]) -> str:
    where = ", ".join(f"{k}={v}" for k, v in bound.items())
    meaning = prop.doc.splitlines()[0]
    return f"the property {prop.name}({where}) is broken: {meaning}"
