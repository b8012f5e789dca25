"""A scheduler that has not heard of a new leader finds it at the old one's address: whose rules?

The line was meant for a reign that is over, and a later one hears it.  What that one may say is
judged by what it believes, not by what the one before believed.
"""

from __future__ import annotations

import pytest

from mesos_spec.heard import heard_call, served
from mesos_spec.ids import LineId, StreamId
from mesos_spec.kernel import Fifo
from mesos_spec.mesos import ACTIONS
from mesos_spec.messages import Error, Subscribe, Teardown
from mesos_spec.models.cases import F1, S1
from mesos_spec.models.of_leaders import RETURNED
from mesos_spec.models.settings import LED, Beginning, Script, play, subscribed
from mesos_spec.network import hearer
from mesos_spec.promises import refusals_have_a_reason
from mesos_spec.promises_of_masters import who_is_done_is_removed, who_subscribes_is_what_it_says
from mesos_spec.state import FrameworkRecord, Standing, State

LINE = LineId(S1, "1", 1)

#: The second master leads where the first did, and the scheduler looks for the first there.
ASKED: Script = (
    *(*LED, *subscribed(), ("end_reign", {"epoch": 1}), ("lead", {"epoch": 2})),
    *(("lose_stream", {}), ("ask_to_subscribe", {})),
)
TAKEN_ON: Script = (*ASKED, ("subscribe", {"epoch": 2}), ("be_subscribed", {}))
DONE: Script = (
    *TAKEN_ON,
    ("call", {"message": lambda call: isinstance(call, Teardown)}),
    ("tear_down", {"epoch": 2}),
)
REFUSED: Script = (
    *(*DONE, ("lose_stream", {}), ("ask_to_subscribe", {})),
    ("refuse_subscription", {"epoch": 2}),
)


def last(script: Script) -> tuple[State, State]:
    """The states before and after the last step of a script."""
    steps = play(Beginning(()).empty(RETURNED.bounds), script, ACTIONS)
    return steps[-2].after, steps[-1].after


def but(s: State, *cells: tuple[str, object, object]) -> State:
    """A state with some cells, each by name and key, otherwise."""
    return s.after({(name, key): (s.look((name, key)), value) for name, key, value in cells})


def test_who_answers_a_line_is_the_reign_that_named_the_stream() -> None:
    before, after = last((*ASKED, ("subscribe", {"epoch": 2})))
    assert hearer(before, LINE) == 1, "as long as nobody has answered, the one that was meant"
    assert hearer(after, LINE) == 2
    assert isinstance(heard_call(before, after, LINE), Subscribe)


def test_a_later_reign_may_refuse_whom_it_removed() -> None:
    """FWK-5: it leads, and it has removed the framework; the reign that was meant is over."""
    before, after = last(REFUSED)
    assert before.frameworks[2, F1].standing is Standing.REMOVED
    assert refusals_have_a_reason.holds(before, after, LINE)


@pytest.mark.parametrize("standing", [Standing.CONNECTED, Standing.DISCONNECTED])
def test_a_later_reign_may_not_refuse_whom_it_knows(standing: Standing) -> None:
    """S14: what the reign that was meant knows of the framework is no reason."""
    before, after = last(REFUSED)
    known = ("frameworks", (2, F1), FrameworkRecord(standing))
    assert not refusals_have_a_reason.holds(but(before, known), but(after, known), LINE)


def test_nobody_refuses_who_leads_no_more() -> None:
    before, after = last(REFUSED)
    old = StreamId(S1, "old", 1)
    after = but(after, ("answer", LINE, old), ("events", old, Fifo((Error(),))))
    assert not refusals_have_a_reason.holds(before, after, LINE)


def test_calls_on_such_a_line_are_served_by_who_answered() -> None:
    before, after = last(DONE)
    assert isinstance(served(before, after, LINE), Teardown)
    assert who_is_done_is_removed.holds(before, after, LINE)
    after = but(after, ("frameworks", (2, F1), before.frameworks[2, F1]))
    assert not who_is_done_is_removed.holds(before, after, LINE), "FWK-15"


def test_a_subscription_on_such_a_line_is_held_against_who_answered() -> None:
    before, after = last((*ASKED, ("subscribe", {"epoch": 2})))
    assert who_subscribes_is_what_it_says.holds(before, after, LINE)
    after = but(after, ("frameworks", (2, F1), before.frameworks[2, F1]))
    assert not who_subscribes_is_what_it_says.holds(before, after, LINE), "FWK-4"
