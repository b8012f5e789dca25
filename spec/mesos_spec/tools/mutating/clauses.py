"""Weaker clauses of the framework contract: which call would nobody mind any more?

A clause says of a call whether it is in order, as its framework's border is.  So calls are taken
that the users of models make, as they are, and naming things twice; and the border answers as it
does, or one of its questions the other way round.  A part of a clause is worth its place if some
such call is refused by the whole clause, and by what is left is not.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import FunctionType
from typing import Any

from mesos_spec.domains import lines
from mesos_spec.framework import Border, Called, Clause
from mesos_spec.kernel.model import Model
from mesos_spec.messages import AnyCall
from mesos_spec.properties import sent
from mesos_spec.state import State
from mesos_spec.tools.mutating.hunt import CAUGHT, SURVIVES, Fate, Hunt, Say
from mesos_spec.tools.mutating.planting import running
from mesos_spec.tools.mutating.weakening import Less, less_of
from mesos_spec.tools.search.graph import Graph

CLAUSE = "clause"  #: the kind of these mutants
OFTEN = 3  #: states in which the same is called
LARGEST = 5_000  #: states of a model that is looked at

#: The actions by which schedulers call, of those in models.
CALLS = frozenset(("call", "ack", "ask_to_subscribe", "ask_again"))

#: What a border is asked.
QUESTIONS = tuple(name for name in vars(Border) if name.startswith(("has_", "was_")))


def hunt_clauses(
    models: Iterable[Model[State]], clauses: Iterable[Clause], say: Say = lambda text: None
) -> Hunt:
    """What becomes of each weaker clause, with calls from models, smallest first."""
    began = time.process_time()
    fates = {(one, less): _fate(one, less) for one in clauses for less in less_of(_body(one))}
    left = dict(fates)
    for model in sorted(models, key=lambda m: (m.expect.states if m.expect else 0, m.name)):
        if not left or model.expect is None or model.expect.states > LARGEST:
            break
        say(f"{model.name}: which of {len(left)} weaker clauses let a call pass?")
        for border, call, says in _borders(model):
            for one, less in list(left):
                if not one.kept(border, call) and _passes(one, less, border, call):
                    fate = left.pop((one, less))
                    fate.fate, fate.by, fate.model = CAUGHT, says, model.name
    return Hunt(list(fates.values()), time.process_time() - began)


def _body(one: Clause) -> FunctionType:
    body: Any = inspect.unwrap(one.kept)
    assert isinstance(body, FunctionType)
    return body


def _fate(one: Clause, less: Less) -> Fate:
    where = f"{Path(_body(one).__code__.co_filename).name}:{less.line}"
    return Fate(f"{one.name}: {less.part}", CLAUSE, where, SURVIVES, tried=1)


def _passes(one: Clause, less: Less, border: Border, call: AnyCall) -> bool:
    with running(_body(one), less.code):
        return one.kept(border, call)


# ---- calls ---------------------------------------------------------------------------------
def _borders(model: Model[State]) -> Iterator[tuple[Border, AnyCall, str]]:
    """Calls of a model, and borders they are made at, with what is wrong."""
    for border, call in _calls(model):
        kind = type(call).__name__
        yield border, call, f"{kind} as it is"
        for twice, what in _doubled(call):
            yield border, twice, f"{kind} with {what} twice"
        for question in QUESTIONS:
            yield _otherwise(border, question), call, f"{kind} where {question} is otherwise"


def _calls(model: Model[State]) -> Iterator[tuple[Border, AnyCall]]:
    """What schedulers call in a model, the first few times each."""
    graph = Graph(model)
    if graph.explore():
        return
    often: Counter[int] = Counter()
    for source, target, label in zip(graph.source, graph.target, graph.label, strict=True):
        often[label] += 1
        if graph.labels[label][0] not in CALLS or often[label] > OFTEN:
            continue
        before, after = graph.state(source), graph.state(target)
        for line in lines(before):
            for call in sent(before.calls, after.calls, line):
                yield Called(before, line.scheduler), call


def _doubled(call: AnyCall) -> Iterator[tuple[AnyCall, str]]:
    """A call that names things twice."""
    for one in fields(call):
        named = getattr(call, one.name)
        if isinstance(named, tuple) and named:
            twice: Any = {one.name: named + named}
            yield replace(call, **twice), one.name


def _otherwise(border: Border, question: str) -> Border:
    """A border that answers one question the other way round."""

    def ask(*about: Any) -> bool:
        return not getattr(border, question)(*about)

    answers = {name: getattr(border, name) for name in QUESTIONS}
    lying: Any = type("Otherwise", (), {**answers, question: staticmethod(ask)})
    found: Border = lying()
    return found
