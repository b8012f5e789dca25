"""What must happen in the end: EVENTUALLY, and the lasso that shows where it does not.

A claim is broken by a behaviour that never ends, is fair to whom the claim names, and from some
moment on never does what is claimed.  In a finite model such a behaviour is a *lasso*: a way to a
state, and a cycle there that is gone round for ever; or no cycle, where nothing more has to happen.
The way is as short as any; the cycle visits what fairness demands and nothing else on purpose.

In a state that is cut nothing is known of what comes next.  A behaviour that gets there before what
is claimed breaks nothing, and proves nothing: such states are counted as *open*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from mesos_spec.kernel import Cells, Eventually, How, Untold
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import Result
from mesos_spec.tools.search.cycles import Duty, Fairness, Steps, Yes, fair_parts
from mesos_spec.tools.search.graph import Graph
from mesos_spec.tools.search.lassos import Tracks, Way, shortest_lasso
from mesos_spec.tools.search.memo import unrolled
from mesos_spec.tools.search.verdicts import Lasso, Verdict

S = TypeVar("S", bound=Cells)


class Unfinished(Exception):
    """The state graph was not completed.  The text says why."""


def check_liveness(
    model: Model[S], *, stop: Callable[[int], str] | None = None
) -> tuple[Verdict[S], ...]:
    """Each EVENTUALLY claim of `model`, asked of every fair behaviour.

    The whole state graph is kept: some 100 bytes a step.  `stop` is told now and then how many
    states there are, and ends it by giving a reason: then this raises `Unfinished`.
    """
    if not model.spec.eventually:
        return ()
    whole = explored(model, stop=stop)
    return tuple(whole.verdict(claim) for claim in model.spec.eventually)


def explored(model: Model[S], *, stop: Callable[[int], str] | None = None) -> Explored[S]:
    """The whole state graph of `model`, to ask claims of; as `check_liveness` in all else."""
    graph = Graph(model)
    reason = graph.explore(stop)
    if reason:
        raise Unfinished(reason)
    return Explored(graph)


def with_liveness(result: Result[S], *, stop: Callable[[int], str] | None = None) -> Result[S]:
    """A finished search, and what becomes of the model's EVENTUALLY claims.

    Where something else is wrong already they are not asked.
    """
    if not result.finished:
        return result
    try:
        return replace(result, eventually=check_liveness(result.model, stop=stop))
    except Unfinished as e:
        return replace(result, finished=False, stopped=str(e))


class Explored(Generic[S]):
    """The finished graph of a model, to ask claims of."""

    def __init__(self, graph: Graph[S]) -> None:
        self.graph = graph
        arrays = (np.array(a, np.int64) for a in (graph.source, graph.target, graph.label))
        self.steps = Steps(len(graph.nodes), *arrays)
        self.depth = np.array(graph.depth, np.int64)
        self.cut = np.zeros(len(graph.nodes), np.bool_)
        self.cut[list(graph.cut)] = True

    def verdict(self, claim: Eventually[S, ...]) -> Verdict[S]:
        """What becomes of one claim: the first binding for which it is broken, or all hold."""
        fairness = Fairness(tuple(self.duties(claim)), self.lasting(claim))
        owed = open_ends = 0
        for bound in static_bindings(claim, self.graph.model):
            late = ~self.ask(claim.name, claim.holds, bound)
            due = late if claim.whenever is None else late & self.ask("due", claim.whenever, bound)
            tracks = Tracks(self.steps, self.depth, starts=due, within=late)
            owed += int(due.sum())
            open_ends += int((tracks.reached & self.cut).sum())
            parts = fair_parts(self.steps, fairness, tracks.reached & ~self.cut)
            if (parts >= 0).any():
                lasso = self._lasso(claim, bound, shortest_lasso(tracks, fairness, parts))
                return Verdict(claim.name, owed, open_ends, lasso)
        return Verdict(claim.name, owed, open_ends, None)

    def ask(self, name: str, holds: Callable[..., bool], bound: Mapping[str, Any]) -> Yes:
        """In which states a predicate holds."""
        answer = self.graph.world.asker(name, partial(_holds, holds, bound))
        return np.fromiter(map(answer, self.graph.nodes), np.bool_, len(self.graph.nodes))

    def duties(self, claim: Eventually[S, ...]) -> Iterator[Duty]:
        """What must be taken, by the claim's fairness, part by part."""
        labels = self.graph.labels
        for fair in dict.fromkeys(fair for fair in claim.fair if fair.how is not How.FINITE):
            parts: dict[tuple[Any, ...], list[int]] = {}
            for number, (action, bound) in enumerate(labels):
                if action == fair.action:
                    parts.setdefault(fair.part(bound), []).append(number)
            for numbers in parts.values():
                of_it = np.zeros(len(labels), np.bool_)
                of_it[numbers] = True
                possible = np.zeros(len(self.graph.nodes), np.bool_)
                possible[self.steps.source[of_it[self.steps.label]]] = True
                yield Duty(fair.how is How.STRONG, of_it, possible)

    def lasting(self, claim: Eventually[S, ...]) -> Yes:
        """Which labels may be taken for ever, by the claim's fairness."""
        ends = {fair.action for fair in claim.fair if fair.how is How.FINITE}
        return np.array([action not in ends for action, _ in self.graph.labels], np.bool_)

    def _lasso(self, claim: Eventually[S, ...], bound: Mapping[str, Any], way: Way) -> Lasso[S]:
        names = ", ".join(f"{name}={value}" for name, value in bound.items())
        before, taken = self.graph.way_to(way.owed), self.graph.taken
        return Lasso(
            self.graph.state(0),
            tuple(map(taken, [*before, *way.stem])),
            claim.name,
            bound,
            f"{claim.name} need never hold" + (f" for {names}" if names else ""),
            cycle=tuple(map(taken, way.cycle)),
            since=len(before),
        )


def _holds(holds: Callable[..., bool], bound: Mapping[str, Any], s: S) -> bool:
    return bool(holds(s, **bound))


def static_bindings(claim: Eventually[S, ...], model: Model[S]) -> list[dict[str, Any]]:
    """Every way to bind the claim's names.

    Raises `Untold` where a domain looks at the state: what is promised to one may not depend on who
    is there just now.
    """
    found = unrolled(claim, model.spec.start(model.bounds))
    for bound in found:
        for name in claim.over:
            if name not in bound:
                raise Untold(
                    f"{claim.name} is about what happens in the end, and {name} ranges over what "
                    f"is there now: give it a domain that reads only constants"
                )
    return found
