"""The pages about the specification: its actions, properties, messages and models."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from docs.pages import reading
from docs.pages.text import code, codes, page, paragraphs, requirements, sentence, table
from mesos_spec import allocation, framework, messages, progress
from mesos_spec.framework import CLAUSES, DUTIES
from mesos_spec.kernel import Action, Always, EachStep, Eventually, Named, Sometimes
from mesos_spec.kernel.model import Model
from mesos_spec.mesos import ACTIONS, CLAIMS, SUBJECTS, of
from mesos_spec.models import BESIDE, MODELS, meetings, witnesses
from mesos_spec.tools.judging.asking import MODELS_ONLY
from mesos_spec.tools.judging.whole import WHOLE

PARTIES = ("master", "agent", "scheduler", "environment")

#: The four kinds of claim, in the order in which the page explains them.
KINDS: dict[str, tuple[type, str]] = {
    "ALWAYS": (Always, "holds in every state that can be reached."),
    "EACH_STEP": (EachStep, "holds of every step, from the state before to the state after."),
    "EVENTUALLY": (Eventually, "comes about, if the actions it names are treated fairly."),
    "SOMETIMES": (Sometimes, "can happen: a model in which it never does proves nothing."),
}


def claims(kind: type) -> list[Named]:
    """All properties of one kind, in the order of their modules."""
    modules = (*CLAIMS, allocation, framework, witnesses, meetings, progress, *SUBJECTS)
    found = [thing for module in modules for thing in vars(module).values()]
    return list(
        {one.name: one for one in found if isinstance(one, Named) and type(one) is kind}.values()
    )


#: Claims that are in no trace's specification.
NOT_ASKED = frozenset(
    one.name
    for wanted in (Always, EachStep)
    for one in claims(wanted)
    if one not in (*WHOLE.always, *WHOLE.each_step)
)


# ---- actions -------------------------------------------------------------------------------
def actions() -> str:
    """docs/reference/actions.md."""
    blocks = [
        "An action is one decision of one party: first what must hold for it, as sentences, "
        "then what it does. How nodes' doings are cut into actions is told in "
        "[steps](../explanation/steps.md).",
        "*Hears* is the message it takes; *sends* what it may send; *writes* the only fields "
        "of the state it may change; *timer* what arms it, where a clock does. Names without "
        "a message are chosen.",
    ]
    for party in PARTIES:
        theirs = of(party)
        blocks += [f"## {party.capitalize()}: {len(theirs)} actions", codes_to(theirs)]
        blocks += [_action(one) for one in theirs.values()]
    return page("Actions", *blocks)


def codes_to(named: Any) -> str:
    """Names, each a link to its heading on the same page."""
    return " · ".join(f"[{name}](#{name})" for name in named)


def _action(one: Action[Any, ...]) -> str:
    names = ", ".join((*one.takes, *one.given)) or "nothing"
    facts = [f"*bound by* {names}"]
    if heard := reading.hears(one):
        facts.append(f"*hears* {_to_messages(heard)}")
    if sent := reading.sends(one):
        facts.append(f"*sends* {_to_messages(sent)}")
    facts.append(f"*writes* {codes(sorted(one.changes))}")
    if one.after is not None:
        facts.append(f"*timer* {code(one.after)}")
    if one.cites:
        facts.append(f"*cites* {requirements(one.cites)}")
    asked = "\n".join(f"{n}. {says}" for n, says in enumerate(reading.guards(one), 1))
    return "\n\n".join([f"### {one.name}", paragraphs(one.doc), asked, " · ".join(facts)]).replace(
        "\n\n\n\n", "\n\n"
    )


def _to_messages(kinds: list[type]) -> str:
    return ", ".join(map(_to_message, kinds))


def _to_message(kind: type) -> str:
    """A link to a message's row; a base class has none, and is any of its kinds."""
    if reading.made_of(kind):
        return f"any {kind.__name__}"
    return f"[{kind.__name__}](messages.md#{kind.__name__.lower()})"


# ---- properties ----------------------------------------------------------------------------
def properties_page() -> str:
    """docs/reference/properties.md."""
    blocks = [
        "What is claimed of every behaviour. The checker asks all of it in every state of every "
        "[model](models.md). The judge asks ALWAYS and EACH_STEP of traces: after each step, of "
        "whatever the step could have broken. "
        "Claims about answers and continuity are of models only: of a trace, what is sent is "
        "compared word by word."
    ]
    for kind, (wanted, means) in KINDS.items():
        rows = [
            (
                f'<a id="{one.name}"></a>{code(one.name)}',
                sentence(one.doc) + _asked(one.name),
                requirements(one.cites),
            )
            for one in claims(wanted)
        ]
        count = f"{len(rows)} claims" if len(rows) != 1 else "1 claim"
        blocks.append(f"## {kind}: {count}\n\nIt {means}")
        blocks.append(table(("claim", "which says", "cites"), rows) if rows else "None so far.")
    return page("Properties", *blocks, *_contract())


def _asked(name: str) -> str:
    """Where a claim is not asked after each step that touches it."""
    return " *(Of models only.)*" if name in MODELS_ONLY or name in NOT_ASKED else ""


def _contract() -> list[str]:
    """The clauses and duties of frameworks, which are claims about others."""
    rows = [(one.name, one.doc, one.cites, "each call") for one in CLAUSES]
    rows += [(one.name, one.doc, one.cites, f"`{one.within}`") for one in DUTIES]
    return [
        f"## The framework contract: {len(CLAUSES)} clauses, {len(DUTIES)} duties",
        "What a framework owes. The judge holds each framework to it, and reports a breach apart "
        "from what is wrong with the cluster. What holds only if it is kept is claimed of models "
        "in which it is.",
        table(
            ("clause", "which says", "of", "cites"),
            [
                (f'<a id="{name}"></a>{code(name)}', sentence(doc), of_, requirements(cites))
                for name, doc, cites, of_ in rows
            ],
        ),
    ]


# ---- messages ------------------------------------------------------------------------------
ROADS = (
    ("Frames from an agent to a master", "up", messages.FrameUp, "agent", "master"),
    ("Frames from a master to an agent", "down", messages.FrameDown, "master", "agent"),
    ("Calls of a scheduler", "calls", messages.AnyCall, "scheduler", "master"),
    ("Events to a scheduler", "events", messages.Event, "master", "scheduler"),
    ("Events to an executor", "to_executor", messages.ToldExecutor, "agent", "environment"),
)  # fmt: skip


def messages_page() -> str:
    """docs/reference/messages.md."""
    blocks = [
        "Message → from → to → which action. In the specification's words, which leave out "
        "what no rule depends on (texts, times, labels); the wire's own form is in [the trace "
        "format](trace.md).",
        "Each channel is FIFO, but for calls of foreign schedulers, which are a bag. Every "
        "message at the head of a channel is taken by some action: what is of no use to "
        "`turn_away`, `ignore_frame` and `ignore_frame_up` is lost with its connection.",
    ]
    for title, channel, union, sender, hearer in ROADS:
        kinds = reading.concrete(union)
        rows = [(_anchored(k), sentence(_doc(k)), *_ends(k, sender, hearer)) for k in kinds]
        head = ("message", "which says", f"sent by ({sender})", f"heard by ({hearer})")
        blocks += [f"## {title}: `{channel}`", table(head, rows)]
    return page("Messages", *blocks)


def _anchored(kind: type) -> str:
    return f'<a id="{kind.__name__.lower()}"></a>{code(kind.__name__)}'


def _doc(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _ends(kind: type, sender: str, hearer: str) -> tuple[str, str]:
    sent = [name for name, one in of(sender).items() if kind in reading.sends(one)]
    if sender == "scheduler" and not sent:
        sent = ["call"]  # what the user's code asks for
    heard = [name for name, one in of(hearer).items() if kind in reading.hears(one)]
    if hearer == "environment":
        heard = ["executor_hears"]
    elif not heard:
        heard = ["turn_away"]
    return _to_actions(sent), _to_actions(heard)


def _to_actions(named: list[str]) -> str:
    return ", ".join(f"[{name}](actions.md#{name})" for name in named)


# ---- models --------------------------------------------------------------------------------
def models() -> str:
    """docs/reference/models.md."""
    head = ("model", "of what", "states", "steps", "depth", "cut")
    finished = [model.expect for model in MODELS if model.expect is not None]
    return page(
        "Models",
        "The specification made finite, subject by subject. A model is small on purpose: it "
        "holds the moments that are dangerous for its subject, and is searched to the end. "
        "`mesos-spec check NAME` searches one.",
        "*States* are distinct ones, *steps* the actions that can be taken in them, *depth* "
        "the steps to the farthest. States beyond the bounds are *cut*: checked, and not gone "
        "on from. The counts are pinned: whoever changes the specification changes them, and "
        "says which behaviours came or went.",
        table(head, _counted(MODELS)),
        f"{len(finished)} models with pinned counts: {sum(n.states for n in finished):,} states, "
        f"{sum(n.steps for n in finished):,} steps. {len(ACTIONS)} actions, "
        f"{len(claims(Always))} + {len(claims(EachStep))} claims asked of each.",
        "Of specifications beside the protocol:",
        table(head, _counted(BESIDE)),
        "## Two levels",
        "The protocol refines the ledger: every step that a model can take is a step of the "
        "ledger, or moves no resources. `mesos-spec check NAME --refines` asks that of a model.",
        "## What a finished model says, and what not",
        "Every behaviour within its bounds has every property it was asked for. It says "
        "nothing of more agents, schedulers, tasks or messages than it has, of liveness "
        "without the fairness that is named, or of time: a timer may fire whenever it is "
        "armed.",
    )


def _counted(models: Iterable[Model[Any]]) -> list[tuple[str, ...]]:
    rows = []
    for model in models:
        n = model.expect
        counts = (
            ("not finished", "", "", "")
            if n is None
            else (f"{n.states:,}", f"{n.steps:,}", f"{n.depth}", f"{n.cut:,}")
        )
        rows.append((code(model.name), model.title, *counts))
    return rows
