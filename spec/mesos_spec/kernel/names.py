"""Bound names: what an action or a property is about, and where each name ranges.

A *domain* is a function of the state and of names bound before: `def outstanding(s, agent)`.
Only free choices have one.  A name that arrives in a message is no name at all: the action reads
it from the message, and whether it is stale is a guard's business.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.kernel.cells import Cells
from mesos_spec.kernel.values import Untold

Domain = Callable[..., Iterable[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Named:
    """Something with a name, a text, and names bound over domains."""

    name: str
    doc: str
    over: Mapping[str, Domain]  #: where each name ranges, in the order they are bound
    takes: Mapping[str, tuple[str, ...]]  #: the earlier names each domain depends on
    given: tuple[str, ...] = field(default=())  #: names without a domain: somebody must give them
    cites: tuple[str, ...] = ()  #: requirement ids

    def bindings(
        self, s: Cells, given: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every way to bind the names in `s`: the ∃ (or ∀) in front.

        `given` names stay as given.  Raises `Untold` if one without a domain is not.
        """
        bound = dict(given or {})
        missing = [name for name in self.given if name not in bound]
        if missing:
            raise Untold(f"{self.name} needs {', '.join(missing)} given: there is no domain for it")
        return self._bind(s, bound, [name for name in self.over if name not in bound])

    def _bind(self, s: Cells, bound: dict[str, Any], left: list[str]) -> Iterator[dict[str, Any]]:
        if not left:
            yield bound
            return
        name, *rest = left
        for value in self.over[name](s, *(bound[n] for n in self.takes[name])):
            yield from self._bind(s, {**bound, name: value}, rest)


def names(body: Callable[..., Any], states: int, over: Mapping[str, Domain]) -> dict[str, Any]:
    """What `Named` wants to know of `body`, whose first parameters are `states` states.

    Raises `Untold` where a domain is for no parameter, or needs a name that is bound later.
    """
    parameters = list(inspect.signature(body).parameters)[states:]
    name = body.__name__
    takes: dict[str, tuple[str, ...]] = {}
    for bound, domain in over.items():
        if bound not in parameters:
            raise Untold(f"{name} has a domain for {bound}, but no such parameter: {parameters}")
        takes[bound] = tuple(inspect.signature(domain).parameters)[1:]
        late = [n for n in takes[bound] if n not in takes or n == bound]
        late = [n for n in late if n in over or n not in parameters]
        if late:
            raise Untold(
                f"{name}: the domain of {bound} needs {late}, which is not bound before it"
            )
    return {
        "name": name,
        "doc": inspect.getdoc(body) or "",
        "over": dict(over),
        "takes": takes,
        "given": tuple(p for p in parameters if p not in over),
    }
