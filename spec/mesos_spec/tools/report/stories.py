"""A surprise told as a story: who did what, in the specification's sentences, and told whom.

A story begins where its model does.  The last step is the one after which nobody can believe it
any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mesos_spec.kernel import Always, EachStep, Model, Surprise
from mesos_spec.mesos import ACTIONS, CHANNELS
from mesos_spec.models import named as model_named
from mesos_spec.models.settings import play
from mesos_spec.state import State
from mesos_spec.tools.report.say import brief
from mesos_spec.tools.report.show import plain, sent
from mesos_spec.tools.search.checker import Behaviour, Counterexample, Taken


# ---- what happened ---------------------------------------------------------------------------
def model_of(surprise: Surprise[State]) -> Model[State]:
    """Where a surprise is seen, with nothing claimed but the belief."""
    model, belief = model_named(surprise.model), surprise.believed
    spec = replace(
        model.spec,
        always=(belief,) if isinstance(belief, Always) else (),
        each_step=(belief,) if isinstance(belief, EachStep) else (),
        sometimes=(),
        eventually=(),
        heads=None,
    )
    return replace(model, spec=spec, expect=None, quiescent=None)


def behaviour_of(surprise: Surprise[State]) -> Behaviour[State]:
    """A surprise's path, done again.  Raises ValueError where a step of it is not possible."""
    model = model_named(surprise.model)
    first: State = model.spec.start(model.bounds)
    actions = {one.name: one for one in model.spec.actions}
    steps = []
    for step in play(first, surprise.path, actions):
        effects = actions[step.action].apply(step.before.copy(), step.bound)
        changed = {cell: (old, new) for cell, (old, new) in effects.items() if old != new}
        steps.append(Taken(step.action, step.bound, changed))
    why = f"it is not so that: {belief_of(surprise)}"
    return Counterexample(first, tuple(steps), surprise.name, {}, why)


# ---- in sentences ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    """A step of a story."""

    who: str
    action: str
    says: str  #: the action's sentence
    told: tuple[tuple[str, str], ...]  #: what was sent, and to whom


def belief_of(surprise: Surprise[Any]) -> str:
    """The belief as a sentence."""
    return " ".join(surprise.believed.doc.split())


def story(surprise: Surprise[State]) -> list[Line]:
    """A surprise, step by step."""
    return [_line(step) for step in behaviour_of(surprise).steps]


def _line(step: Taken) -> Line:
    action = ACTIONS[step.action]
    sentence = " ".join(action.doc.partition("\n\n")[0].split())
    return Line(_who(action.by, step), step.action, sentence, tuple(_told(step)))


def _who(party: str, step: Taken) -> str:
    """The party, and which of them."""
    if party == "master":
        return f"master {step.bound['epoch']}"
    if step.action == "executor_hears":
        return f"executor {step.bound['stream'][2]}"
    named = (step.bound.get(name) for name in (party, "agent", "scheduler"))
    return str(next((name for name in named if name is not None), party))


def _told(step: Taken) -> Iterator[tuple[str, str]]:
    """What a step sends, and to whom."""
    for (field, key), (old, new) in step.changed.items():
        if field in CHANNELS:
            for message in sent(old, new):
                yield said(message), _to(field, key, message)


def _to(field: str, key: Any, message: Any) -> str:
    """Who is to hear what is put into a channel."""
    if field == "up":
        return f"master {message.epoch}"
    if field == "calls":
        return f"master {key.epoch}"
    if field == "down":
        return str(key.agent)
    return str(key.scheduler) if field == "events" else f"executor {key[2]}"


def said(message: Any) -> str:
    """A message in a few words: its kind, and what it is about."""
    about = [
        getattr(message, "state", None) or getattr(getattr(message, "status", None), "state", None),
        *(getattr(message, name, None) for name in ("task", "offer", "update", "executor")),
        *(one for one in getattr(message, "offers", ())),
        *(_task(one) for one in getattr(message, "tasks", ())),
        getattr(message, "reason", None),
    ]
    words = [brief(one) if not isinstance(one, str) else one for one in about if one]
    return " ".join([type(message).__name__, *words])


def _task(one: Any) -> Any:
    """A task that is asked for, or asked about."""
    return getattr(one, "task", one[0] if isinstance(one, tuple) else one)


# ---- for people and machines -----------------------------------------------------------------
def as_text(surprise: Surprise[State]) -> str:
    """A surprise with its story, for a terminal."""
    lines = [
        f"{surprise.name}",
        f"  believed   {belief_of(surprise)}",
        f"  but        {surprise.because}",
        f"  so         {surprise.instead}",
        f"  seen in    {surprise.model}: {model_named(surprise.model).title}",
        "",
    ]
    for at, line in enumerate(story(surprise), 1):
        lines.append(f"{at:4}  {line.who:<10} {line.action:<22} {line.says}")
        lines += [f"{'':41}{what} → {whom}" for what, whom in line.told]
    return "\n".join(lines)


def as_mermaid(surprise: Surprise[State]) -> str:
    """A surprise's story as a sequence diagram."""
    people: dict[str, str] = {}
    lines = []

    def person(name: str) -> str:
        return people.setdefault(name, f"p{len(people)}")

    for line in story(surprise):
        lines.append(f"Note over {person(line.who)}: {line.action}")
        for what, whom in line.told:
            lines.append(f"{person(line.who)}->>{person(whom)}: {what}")
    heads = [f"participant {p} as {name}" for name, p in people.items()]
    return "\n".join(["sequenceDiagram", *(f"    {line}" for line in heads + lines)])


def as_plain(surprise: Surprise[State]) -> dict[str, Any]:
    """A surprise as JSON has it."""
    behaviour = behaviour_of(surprise)
    steps = [
        {
            "action": step.action,
            "bound": {name: plain(value) for name, value in step.bound.items()},
            "who": line.who,
            "says": line.says,
            "told": [{"what": what, "whom": whom} for what, whom in line.told],
        }
        for step, line in zip(behaviour.steps, map(_line, behaviour.steps))
    ]
    return {
        "name": surprise.name,
        "believed": belief_of(surprise),
        "because": surprise.because,
        "instead": surprise.instead,
        "cites": list(surprise.believed.cites),
        "model": surprise.model,
        "steps": steps,
    }
