"""The state graph: every state of a model and every step between them, kept.

A search for what is broken looks at each step once and forgets it.  Whether something happens in
the end is a question about cycles, so here all steps are kept, each as three numbers: from which
state, to which, and its *label*, the action with its bound names.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import Cells, Untold
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import Taken
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.questions import Row
from mesos_spec.tools.search.worlds import Raised

S = TypeVar("S", bound=Cells)

Label = tuple[str, Mapping[str, Any]]  #: an action, and its bound names

FIRST = -1  #: the step by which the initial state was found: none


class Graph(Generic[S]):
    """States are numbered in the order they are found, breadth first; steps likewise."""

    def __init__(self, model: Model[S]) -> None:
        self.model = model
        unasked = replace(model.spec, always=(), each_step=(), sometimes=())
        self.world = Memoised(replace(model, spec=unasked))
        self.nodes: list[Row] = []
        self.found_by = array("q")  #: per state, the step that found it first
        self.depth = array("q")  #: per state, the length of a shortest way there
        self.source, self.target, self.label = array("q"), array("q"), array("q")
        self.labels: list[Label] = []
        self.cut: set[int] = set()  #: the states that were not expanded
        self._at = 0  # the state that is being expanded
        self._numbers: dict[Row, int] = {}
        self._labels: dict[tuple[str, tuple[Any, ...]], int] = {}

    def explore(self, stop: Callable[[int], str] | None = None) -> str:
        """Find every state and step.  Why it was not finished, if `stop` gave a reason; else "".

        `stop` is told how many states there are, now and then.  Raises `Untold` where the body of
        an action fails: such a specification says nothing about what happens.
        """
        self._visit(self.world.first, FIRST)
        at = 0
        while at < len(self.nodes):
            if at % 256 == 0 and stop is not None and (reason := stop(len(self.nodes))):
                return reason
            self._expand(at)
            at += 1
        return ""

    def _visit(self, node: Row, step: int) -> int:
        number = self._numbers.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
            self.found_by.append(step)
            self.depth.append(0 if step == FIRST else self.depth[self._at] + 1)
        return number

    def _expand(self, at: int) -> None:
        self._at, node = at, self.nodes[at]
        if self.world.is_cut(node):
            self.cut.add(at)
            return
        for step in self.world.steps(node):
            if isinstance(step, Raised):
                raise Untold(f"{step.action} fails: {step.error}")
            self.target.append(self._visit(step.to, len(self.source)))
            self.source.append(at)
            self.label.append(self._number(step.action, step.bound))

    def _number(self, action: str, bound: Mapping[str, Any]) -> int:
        key = action, tuple(bound.items())
        number = self._labels.setdefault(key, len(self.labels))
        if number == len(self.labels):
            self.labels.append((action, bound))
        return number

    # ---- steps and ways --------------------------------------------------------------------
    def way_to(self, number: int) -> list[int]:
        """The steps of a shortest way to a state."""
        way: list[int] = []
        while (step := self.found_by[number]) != FIRST:
            way.append(step)
            number = self.source[step]
        return way[::-1]

    def state(self, number: int) -> S:
        """A state by its number."""
        return self.world.state(self.nodes[number])

    def taken(self, step: int) -> Taken:
        """A step, with what it changed."""
        name, bound = self.labels[self.label[step]]
        s = self.state(self.source[step])
        effects = self.model.spec.action(name).apply(s, bound)
        return Taken(
            name, bound, {c: (old, new) for c, (old, new) in effects.items() if old != new}
        )
