"""Which properties to ask after a step: those about what the step touched.

A property is bound to an agent, a framework or the whole.  After a step only those bindings are
asked again whose names are in the keys the step wrote; a property of a whole master is asked when
a node shows its whole view.  The choice of whom to offer, a rule of the whole cluster, is asked on
every offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


class Asking:
    """Asks a specification's properties of a state, as little as is enough."""

    def __init__(self, spec: Specification[State]) -> None:
        self._local = [p for p in spec.always if _is_local(p)]
        self._global = [p for p in spec.always if not _is_local(p)]
        self._steps = spec.each_step
        self._watched = frozenset(w for p in self._steps for w in p.watches)

    def broken(self, s: State, effects: Effects) -> str | None:
        """The first property that a step, just taken on `s`, broke: a sentence, or None."""
        touched = list(_touched(effects))
        for prop in self._local:
            wanted = (*prop.over, *prop.given)
            for names in touched:
                if set(wanted) <= names.keys():
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


def _is_local(prop: Any) -> bool:
    names = {*prop.over, *prop.given}
    return any(names <= set(keys) for keys in KEYS.values()) and bool(names)


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
