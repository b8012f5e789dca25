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

MOST_VALUES = 10_000  #: a domain that gives more is taken to have no end


@dataclass(frozen=True, eq=False)
class Among:
    """A domain: those of `every` for which `which` holds.

    `every` reads nothing of the state, so a tool can ask of each value by itself whether it is in;
    called, it is a domain like any other.  `which` takes earlier names, and last the value.
    """

    every: Domain
    which: Callable[..., bool]

    @property
    def __signature__(self) -> inspect.Signature:
        """It depends on the names that `which` depends on, but for the value."""
        whole = inspect.signature(self.which)
        return whole.replace(parameters=[*whole.parameters.values()][:-1])

    def __call__(self, s: Cells, *earlier: Any) -> Iterable[Any]:
        """Where the name ranges in `s`."""
        return [value for value in self.every(s) if self.which(s, *earlier, value)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Named:
    """Something with a name, a text, and names bound over domains."""

    name: str
    doc: str
    over: Mapping[str, Domain]  #: where each name ranges, in the order they are bound
    takes: Mapping[str, tuple[str, ...]]  #: the earlier names each domain depends on
    given: tuple[str, ...] = field(default=())  #: names without a domain: somebody must give them
    cites: tuple[str, ...] = ()  #: requirement ids
    source: Callable[..., Any] | None = None  #: the function that says it, as it is written

    def bindings(
        self, s: Cells, given: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every way to bind the names in `s`: the ∃ (or ∀) in front.

        `given` names stay as given.  Raises `Untold` if one without a domain is not.
        """
        bound = dict(given or {})
        missing = [name for name in self.given if name not in bound]
        if missing:
            raise Untold(
                f"{self.name} needs {', '.join(missing)} given: there is no domain for it. Say "
                f"where it ranges ({missing[0]}=…), or read it from the message that carries it",
                self.source,
            )
        return self._bind(s, bound, [name for name in self.over if name not in bound])

    def allows(self, s: Cells, given: Mapping[str, Any]) -> bool:
        """Whether `given` names are where `Among` lets them be: for who went through `every`."""
        return all(
            domain.which(s, *(given[n] for n in self.takes[name]), given[name])
            for name, domain in self.over.items()
            if name in given and isinstance(domain, Among)
        )

    def _bind(self, s: Cells, bound: dict[str, Any], left: list[str]) -> Iterator[dict[str, Any]]:
        if not left:
            yield bound
            return
        name, *rest = left
        for value in self.values(s, name, bound):
            yield from self._bind(s, {**bound, name: value}, rest)

    def values(self, s: Cells, name: str, bound: Mapping[str, Any]) -> Iterator[Any]:
        """Where `name` ranges, the names before it being bound.

        Raises `Untold` if its domain gives nothing to go through, or has no end.
        """
        domain = self.over[name]
        listed = domain(s, *(bound[n] for n in self.takes[name]))
        if not isinstance(listed, Iterable):
            raise Untold(
                f"{self.name}: the domain of {name} gives {listed!r}: it must give the values "
                f"to go through",
                domain,
            )
        for count, value in enumerate(listed):
            if count == MOST_VALUES:
                raise Untold(
                    f"{self.name}: the domain of {name} has given {MOST_VALUES:,} values and goes "
                    f"on: give it an end, by the sizes of the model (a Const field) say",
                    domain,
                )
            yield value

    def answer(self, holds: Callable[..., bool], *states: Cells, **bound: Any) -> bool:
        """What a property says.  Raises `Untold`, from what it raised, if it cannot."""
        try:
            return holds(*states, **bound)
        except Untold:
            raise
        except Exception as e:
            names = ", ".join(f"{name}={value}" for name, value in bound.items())
            raise Untold(
                f"{self.name}({names}) raises {type(e).__name__}: {e}: "
                f"a property must have an answer in every state",
                holds,
            ) from e


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
        "source": body,
    }
