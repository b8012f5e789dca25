"""Two levels: a specification in detail, and the plainer one above it that it refines.

A *refinement mapping* says of each state what it looks like above.  It is right if every behaviour
of the detailed specification, looked at through it, is a behaviour of the one above: the first
state is an initial one there, and every step is a step there or changes nothing to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from mesos_spec.kernel.cells import Cells
from mesos_spec.kernel.claims import Specification

if TYPE_CHECKING:
    from mesos_spec.kernel.model import Model

S = TypeVar("S", bound=Cells)
A = TypeVar("A", bound=Cells)

Move = tuple[str, Mapping[str, Any]]  #: an action above, and its bound names


class Played(NamedTuple, Generic[S]):
    """A step that led to where a model starts."""

    before: S
    action: str
    bound: Mapping[str, Any]
    after: S


def nothing_before(model: Model[S]) -> Iterable[Played[S]]:
    """Most models start where their specification does."""
    return ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Refinement(Generic[S, A]):
    """How a specification's states show those of another, which it refines.

    `moves` says which step above a step is, from its action and what it changed there; None where
    there is none.  Without it every action above is tried, with all that its names range over.
    """

    name: str
    doc: str
    above: Specification[A]
    bounds: Callable[[S], Any]  #: what the specification above is given, from a state below
    seen: Callable[[S], A]  #: what a state below looks like above
    moves: Callable[[str, A, A], Move | None] | None = None
    before: Callable[[Model[S]], Iterable[Played[S]]] = (
        nothing_before  #: a model's way to its start
    )
