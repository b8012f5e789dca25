"""What a specification says for itself: its guards, why not, what else, behaviours on paper."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from mesos_spec.examples.post_office import SPEC as POST
from mesos_spec.examples.post_office import Post, Stamp, ask, get, sell
from mesos_spec.kernel import (
    Bag,
    Fifo,
    Per,
)
from mesos_spec.kernel.model import Model
from mesos_spec.tools.report.explain import can_happen, enabled, nearest, why
from mesos_spec.tools.report.show import as_json, as_mermaid, as_text, difference, sent
from mesos_spec.tools.search.checker import HEADS, check
from mesos_spec.tools.search.guards import drop_guards, written_guards
from model_tests.spec.toys import leave, modelled


# ---- guards --------------------------------------------------------------------------------
def test_guards_are_found_as_they_are_written() -> None:
    assert written_guards(get) == ("the message is Stamp", "the message is in flight")
    assert written_guards(sell) == ("the next message is Ask", "there are stamps left")


def test_an_action_without_a_guard_is_otherwise_the_same() -> None:
    [(sentence, without)] = drop_guards(ask)
    assert sentence == "the customer wants another"
    served = Post(customers=("a",), asked=Per({"a": 2}))
    assert ask.explain(served, {"customer": "a"}) == [("the customer wants another", False)]
    assert without.explain(served, {"customer": "a"}) == []
    assert without(served, customer="a").asked["a"] == 3
    assert (without.name, without.over, without.by) == (ask.name, ask.over, ask.by)
    assert [sentence for sentence, _ in drop_guards(sell)] == ["there are stamps left"]


# ---- on paper ------------------------------------------------------------------------------
def test_a_refusal_says_why() -> None:
    s = ask(POST.start(("a", "b")), "a")
    assert str(why(replace_sold(s, 9), sell, {"customer": "a"})) == (
        "sell(customer=a) cannot happen\n"
        "    holds     the next message is Ask  queue[a] = ⟨Ask()⟩\n"
        "    DOES NOT  there are stamps left    sold = 9"
    )
    assert str(why(s, sell, {"customer": "a"})).startswith("sell(customer=a) can happen\n")


def replace_sold(s: Post, sold: int) -> Post:
    """`s` with so many sold."""
    return s.after({("sold", None): (0, sold)})


def test_the_nearest_binding_is_the_one_that_gets_farthest() -> None:
    s = replace_sold(ask(POST.start(("a", "b")), "b"), 9)
    close = nearest(s, sell)
    assert close is not None
    assert close.bound == {"customer": "b"}
    assert close.refused is not None
    assert close.refused.says == "there are stamps left"
    assert nearest(s, get) is None
    happens = nearest(s, ask)
    assert happens is not None
    assert happens.happens


def test_what_can_happen_is_numbered_and_what_cannot_has_a_reason() -> None:
    s = ask(POST.start(("a", "b")), "b")
    assert can_happen(POST, s) == (
        "   1  ask(customer=a)\n"
        "   2  ask(customer=b)\n"
        "   3  sell(customer=b)\n"
        "   -  get: nothing to do it with"
    )
    assert [c.number for c in enabled(POST, s)] == [1, 2, 3]
    assert can_happen(replace(POST, actions=(sell,)), POST.start(("a",))) == (
        "      nothing can happen\n   -  sell: not: the next message is Ask"
    )


def broken() -> tuple[Model[Post], Any]:
    """A counterexample: an ask, a sale, and a farewell that nobody takes."""
    model = modelled(replace(POST, actions=(*POST.actions, leave)), ("a", "b"))
    return model, check(model).broken


def test_a_counterexample_as_text() -> None:
    _, found = broken()
    assert as_text(found) == (
        "every_head_is_consumed does not hold for channel=queue[a], message=Bye(), after 3 steps:\n"
        "   1  ask(customer=a)\n"
        "          asked[a]: 0 → 1\n"
        "          queue[a]: + Ask()\n"
        "   2  sell(customer=a)\n"
        "          queue[a]: - Ask()\n"
        "          sold: 0 → 1\n"
        "          mail[a]: + Stamp(value=1)\n"
        "   3  leave(customer=a)\n"
        "          queue[a]: + Bye()"
    )


def test_a_counterexample_as_a_sequence_diagram() -> None:
    model, found = broken()
    assert as_mermaid(model.spec, found).splitlines()[:8] == [
        "sequenceDiagram",
        "    participant p0 as a",
        "    participant p1 as office",
        "    participant p2 as mail[a]",
        "    participant p3 as queue[a]",
        "    Note over p0: ask(customer=a)",
        "    p0->>p1: Ask()",
        "    Note over p1: sell(customer=a)",
    ]

    def ends(cell: tuple[str, Any]) -> tuple[str, str]:
        return (cell[1], "office") if cell[0] == "queue" else ("office", cell[1])

    assert as_mermaid(model.spec, found, ends).splitlines()[1:5] == [
        "    participant p0 as a",
        "    participant p1 as office",
        "    Note over p0: ask(customer=a)",
        "    p0->>p1: Ask()",
    ]


def test_a_counterexample_as_json() -> None:
    _, found = broken()
    told = json.loads(as_json(found))
    assert told["claim"] == HEADS
    assert told["bound"] == {"channel": "queue[a]", "message": {"is": "Bye"}}
    assert told["steps"][1]["changed"]["mail[a]"] == [[], [{"is": "Stamp", "value": 1}]]


def test_sent_is_what_a_channel_has_now_and_had_not() -> None:
    one, two, three = Stamp(1), Stamp(2), Stamp(3)
    assert sent(Fifo([one, two]), Fifo([two, three])) == [three]
    assert sent(Fifo([one]), Fifo([one, one])) == [one]
    assert sent(Fifo([one]), Fifo()) == []
    assert sent(Bag([one]), Bag([two, one, one])) == [one, two]
    assert sent(1, 2) == []
    assert difference(("x", None), Fifo([one]), Fifo([two])) == f"x: - {one!r}, + {two!r}"
