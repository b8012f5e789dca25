"""Doing again what a file says a model did: every step, and in the end the claim.

A file outlives the specification it was written from.  So each step is asked anew: is there a way
to bind the names that is written like this one, do its guards hold, does it change what it changed?
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import Action, Cells, Disabled, Model, Untold, show
from mesos_spec.tools.report.behaviours import Record, Written, view, whole, written_names
from mesos_spec.tools.report.explain import named, why
from mesos_spec.tools.report.values import itf_names
from mesos_spec.tools.search.blame import failure
from mesos_spec.tools.search.checker import DEADLOCK, HEADS, Behaviour, Taken
from mesos_spec.tools.search.worlds import Plain, Raised

S = TypeVar("S", bound=Cells)


class Differs(Exception):
    """The model does not do what the file says.  `step` is the first that it does not."""

    def __init__(self, step: int, text: str) -> None:
        super().__init__(f"step {step}: {text}" if step else text)
        self.step = step


@dataclass(frozen=True)
class Replayed(Generic[S]):
    """A behaviour that was done again."""

    states: tuple[S, ...]  #: the first, and the one after each step
    steps: tuple[Taken, ...]

    @property
    def behaviour(self) -> Behaviour[S]:
        """The same as a search finds it."""
        return Behaviour(self.states[0], self.steps)


def replay(model: Model[S], written: Written, up_to: int | None = None) -> Replayed[S]:
    """Take the steps of `written`, the first `up_to` of them if given.

    Raises `Differs` at the first that the model does not take like that.
    """
    s = model.spec.start(model.bounds)
    first = written.records[0]
    _compare(0, "the model begins otherwise: ", first.whole or {}, whole(s))
    states, steps = [s], []
    for record in written.steps[:up_to]:
        taken, s = _step(model, s, record)
        steps.append(taken)
        states.append(s)
    loop = written.header.loop
    if loop is not None and up_to is None and states[-1] != states[loop]:
        raise Differs(len(steps), f"the last step does not lead back to the state after {loop}")
    return Replayed(tuple(states), tuple(steps))


def _step(model: Model[S], s: S, record: Record) -> tuple[Taken, S]:
    [(name, names)] = record.did
    try:
        action = model.spec.action(name)
    except Untold as error:
        raise Differs(record.seq, str(error)) from None
    bound = binding(action, s, names)
    if bound is None:
        text = f"{name} cannot be done with {written_names(names) or 'no names'} here"
        raise Differs(record.seq, text)
    after = s.copy()
    try:
        effects = action.apply(after, bound)
    except Disabled:
        raise Differs(record.seq, str(why(s, action, bound))) from None
    except Exception as error:
        raise Differs(record.seq, f"{named(name, bound)} fails: {failure(error)}") from None
    changed = {cell: (old, new) for cell, (old, new) in effects.items() if old != new}
    says = f"{named(name, bound)} changes something else: "
    _compare(record.seq, says, record.view or {}, view(s, changed))
    return Taken(name, bound, changed), after


def binding(action: Action[S, ...], s: S, names: Mapping[str, Any]) -> dict[str, Any] | None:
    """The way to bind an action's names that is written as `names`; None if there is none."""
    wanted = _text(names)
    return next((b for b in action.bindings(s) if _text(itf_names(b, big=False)) == wanted), None)


def _compare(step: int, says: str, told: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    for cell in [*told, *(cell for cell in found if cell not in told)]:
        a, b = (_text(side.get(cell, "(nothing)")) for side in (told, found))
        if a != b:
            raise Differs(step, f"{says}{cell} is {b}, and the file says {a}")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


# ---- the claim -----------------------------------------------------------------------------
def judged(model: Model[S], written: Written, done: Replayed[S]) -> str:
    """What the end of the behaviour shows of the claim, as a sentence.

    Raises `Differs` if that is not what the file says.
    """
    header = written.header
    if header.shows == "wrong":
        return _still_wrong(model, header.claim, done)
    if header.loop is not None:
        _not_kept(model, written, done.states[header.loop :])
        return f"it can go on like that for ever, without {header.claim}"
    if not header.shows:
        return "it is a behaviour of the model"
    if header.shows == "seen":
        claims = {claim.name: claim for claim in model.spec.sometimes}
        holds = header.claim in claims and claims[header.claim].seen(done.states[-1])
        says = "is satisfied at its end"
    else:
        holds = _broken(model, header.claim, header.bound, done)
        says = "is broken at its end"
    if not holds:
        raise Differs(0, f"every step is as the file says, but {header.claim} no longer {says}")
    return f"{header.claim} {says}"


def _broken(model: Model[S], claim: str, names: Mapping[str, Any], done: Replayed[S]) -> bool:
    s = done.states[-1]
    for always in model.spec.always:
        if always.name == claim:
            return always.broken(s) is not None
    for each in model.spec.each_step:
        if each.name == claim and done.steps:
            return each.broken(done.states[-2], s) is not None
    if claim == DEADLOCK:
        return not list(Plain(model).steps(s))
    if claim == HEADS:
        return _left(model, s, names)
    return False


def _not_kept(model: Model[S], written: Written, cycle: tuple[S, ...]) -> None:
    """Raise `Differs` where an EVENTUALLY claim holds somewhere on the cycle of a lasso."""
    names = _text(written.header.bound)
    for claim in model.spec.eventually:
        if claim.name != written.header.claim:
            continue
        for s in cycle:
            for bound in claim.bindings(s):
                asked = _text(itf_names(bound, big=False)) == names
                if asked and claim.answer(claim.holds, s, **bound):
                    text = f"every step is as the file says, but {claim.name} is kept on its way"
                    raise Differs(0, text)


def _left(model: Model[S], s: S, names: Mapping[str, Any]) -> bool:
    """Whether nobody takes the message that the file names."""
    world = Plain(model)
    steps = [step for step in world.steps(s) if not isinstance(step, Raised)]
    taken = {letter for step in steps for letter in step.delivers}
    left = [{"channel": show(c), "message": m} for c, m in world.mail(s) if (c, m) not in taken]
    return any(_text(itf_names(one, big=False)) == _text(names) for one in left)


def _still_wrong(model: Model[S], claim: str, done: Replayed[S]) -> str:
    """The file shows that the specification fails: whether it still does."""
    world, s = Plain(model), done.states[-1]
    try:
        world.broken(s)
        for step in world.steps(s):
            if isinstance(step, Raised):
                return step.says
    except Exception as error:
        return str(failure(error))
    raise Differs(0, f"every step is as the file says, but nothing fails any more ({claim})")
