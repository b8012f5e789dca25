"""What a check has to tell to who reads code: findings, each at a line of the specification.

SARIF and GitHub's annotations are both made from these.  A broken property is an error at the
property; a specification that fails is one at its own line; what was never seen, is not finished
or not as pinned is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mesos_spec.kernel import Action, Specification
from mesos_spec.kernel.names import Named
from mesos_spec.tools.report.checks import changed
from mesos_spec.tools.report.show import as_text
from mesos_spec.tools.search.blame import Place, defined
from mesos_spec.tools.search.checker import ENDLESS, WRONG, Counterexample, Result, Taken

COUNTS, FINISHED = "the_counts_are_the_pinned_ones", "the_search_is_finished"

#: Rules that are no property of a specification, and what they say.
OWN_RULES = {
    "every_head_is_consumed": "Each message that may be delivered next is taken by some action.",
    "something_is_possible": "Something can happen wherever the model calls nothing quiescent.",
    ENDLESS: "The model is finite: nothing in it grows for ever.",
    WRONG: "No function of the specification fails in a reachable state.",
    COUNTS: "A complete search counts what was reviewed and pinned.",
    FINISHED: "The search looked at every state of the model.",
}


@dataclass(frozen=True)
class Finding:
    """One thing to tell."""

    rule: str
    level: str  #: "error" or "warning"
    of: str  #: the model, or the run
    says: str  #: in a line
    text: str  #: all of it: with the counterexample
    place: Place | None
    steps: tuple[tuple[Taken, Place | None], ...] = ()  #: the way there, each at its action
    demands: str = ""  #: what the rule says, where nothing else does


def findings(results: Iterable[Result[Any]]) -> list[Finding]:
    """Everything that is not well, in the order it was found."""
    return [one for result in results for one in _of(result)]


def _of(result: Result[Any]) -> Iterator[Finding]:
    model, spec = result.model, result.model.spec
    for broken in broken_of(result):
        place = broken.wrong.place if broken.wrong else place_of(spec, broken.claim)
        cycle: tuple[Taken, ...] = getattr(broken, "cycle", ())
        steps = tuple((s, place_of(spec, s.action)) for s in (*broken.steps, *cycle))
        rule = broken.claim
        if broken.wrong is not None and rule != ENDLESS:
            rule = WRONG
        text = as_text(broken)
        yield Finding(rule, "error", model.name, f"{model.name}: {broken.why}", text, place, steps)
    if any(broken_of(result)):
        return
    for name in result.unseen:
        says = f"{model.name}: no state was seen in which {name} holds"
        yield Finding(name, "warning", model.name, says, says, place_of(spec, name))
    for rule, sentences in ((COUNTS, changed(result)), (FINISHED, _unfinished(result))):
        if sentences:
            says = f"{model.name}: {'; '.join(sentences)}"
            yield Finding(rule, "warning", model.name, says, says, _init(spec))


def broken_of(result: Result[Any]) -> list[Counterexample[Any]]:
    """The counterexamples of a search: of safety, and lassos."""
    found = [result.broken] if result.broken is not None else []
    for verdict in getattr(result, "eventually", ()):
        if verdict.lasso is not None:
            found.append(verdict.lasso)
    return found


def _unfinished(result: Result[Any]) -> list[str]:
    return [] if result.finished else [result.stopped]


def named(spec: Specification[Any]) -> dict[str, Named]:
    """Everything of a specification that has a name."""
    parts: tuple[Named, ...] = (
        *spec.actions,
        *spec.always,
        *spec.each_step,
        *spec.sometimes,
        *spec.eventually,
    )
    return {one.name: one for one in parts}


def claims(spec: Specification[Any]) -> list[Named]:
    """The properties of a specification."""
    return [one for one in named(spec).values() if not isinstance(one, Action)]


def place_of(spec: Specification[Any], name: str) -> Place | None:
    """The line of an action or a property; for what has no name there, of the initial state."""
    one = named(spec).get(name)
    return defined(one.source) if one is not None and one.source is not None else _init(spec)


def _init(spec: Specification[Any]) -> Place:
    return defined(spec.init)
