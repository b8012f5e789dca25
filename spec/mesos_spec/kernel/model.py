"""A model: a specification, its bounds, and what a complete search of it must count.

Counts are pinned: who changes the specification changes them, and reviews which behaviours came
or went.  What lies beyond the bounds is *cut*: such a state is reached, checked and counted, but
nothing is tried in it.  A cut is never a guard, so that the specification stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mesos_spec.kernel.cells import Cells
from mesos_spec.kernel.claims import Specification

S = TypeVar("S", bound=Cells)


#: Groups of names that may be exchanged; names that go together, as a tuple:
#: `((("a1",), ("a2",)), (("f1", "s1"), ("f2", "s2")))`.
Alike = tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a complete search counts."""

    states: int  #: distinct, cut ones included
    steps: int  #: enabled (action, bound names) in all expanded states
    depth: int  #: the steps to the farthest state
    cut: int = 0  #: states reached but not expanded


@dataclass(frozen=True, eq=False, kw_only=True)
class Model(Generic[S]):
    """A specification made finite."""

    name: str
    title: str  #: what is modelled, in a sentence
    spec: Specification[S]
    bounds: Any  #: what `spec.init` is given
    expect: Counts | None = None  #: None: not meant to be finished
    cut: Callable[[S], bool] | None = None  #: holds in the states beyond the model's bounds
    quiescent: Callable[[S], bool] | None = None  #: states where nothing need be possible any more
    alike: Alike = ()  #: names that may be exchanged without changing anything
