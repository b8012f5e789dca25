"""Bounds on channels, called like functions: what is prompt, what is full, what must be served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from mesos_spec.kernel import (
    EVERY_KEY,
    Cells,
    Crowded,
    Fifo,
    Heads,
    Per,
    Quiet,
    Specification,
    action,
    per,
    receive,
    require,
)
from mesos_spec.kernel.mail import without_quiet
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import HEADS, check


@dataclass(frozen=True, slots=True)
class Note:
    """Something said."""

    n: int = 0


class Desk(Cells):
    """Two in-trays per clerk, of which one is read at once, and a count of what was read."""

    urgent: Per[str, Fifo[Note]] = per(Fifo())
    slow: Per[str, Fifo[Note]] = per(Fifo())
    read: int = 0
    away: bool = False


def clerks(s: Desk) -> tuple[str, ...]:
    """Both."""
    return ("a", "b")


@action("urgent slow", who=clerks)
def write(s: Desk, who: str) -> None:
    """A note goes into both trays."""
    require(s.read < 3, "there is somebody left to read")
    s.urgent[who] += Note()
    s.slow[who] += Note(1)


@action("urgent read", who=clerks)
def read_urgent(s: Desk, who: str) -> None:
    """An urgent note is read."""
    note = receive(s.urgent[who], Note)
    s.urgent[who] -= note
    s.read = min(3, s.read + 1)


@action("slow", who=clerks)
def read_slow(s: Desk, who: str) -> None:
    """Another note is read, by who is there."""
    require(not s.away, "the clerk is there")
    note = receive(s.slow[who], Note)
    s.slow[who] -= note


@action("away", who=clerks)
def leave(s: Desk, who: str) -> None:
    """The clerks go home."""
    require(not s.away, "they are there")
    s.away = True


def is_heard(s: Desk, field: str, key: Any) -> bool:
    """Nobody reads slow notes once the clerks are away."""
    return field == "urgent" or not s.away


def put_off(one: Any) -> Any:
    """The action waits while urgent notes do."""
    return action(" ".join(one.changes), who=Quiet(clerks, ("urgent",)))(one.body)


def desk(*actions: Any, heard: Any = is_heard) -> Model[Desk]:
    """A model of the desk."""
    spec = Specification(
        name="desk",
        init=lambda bounds: Desk(),
        actions=actions,
        heads=Heads(("urgent", "slow"), ("urgent",), heard),
    )
    return Model(
        name="desk", title="A desk", spec=spec, bounds=None, cut=Crowded(("slow",), room=2)
    )


ALL = (put_off(write), read_urgent, put_off(read_slow), put_off(leave))


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "memo"])
def test_nothing_else_happens_while_prompt_mail_waits(plain: bool) -> None:
    result = check(desk(*ALL), plain=plain)
    assert result.broken is None
    assert result.cut > 0
    assert result.guards["leave", "they are there", False] > 0
    unhurried = check(desk(write, read_urgent, read_slow, leave), plain=plain, max_states=5000)
    assert unhurried.states > 2 * result.states


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "memo"])
def test_mail_that_somebody_hears_and_nobody_takes_is_told(plain: bool) -> None:
    result = check(desk(*ALL, heard=lambda s, field, key: True), plain=plain)
    assert result.broken is not None
    assert result.broken.claim == HEADS
    assert result.broken.bound["channel"].startswith("slow")


def test_called_on_a_state_they_read_the_whole_field() -> None:
    s = Desk(slow=Per({"a": Fifo([Note(1)] * 3)}))
    for ask in (Crowded(("slow",), 2), Quiet(clerks, ("slow",))):
        _, reads = s.listen(ask)
        assert ("slow", EVERY_KEY) in reads
    assert Crowded(("slow",), 2)(s)
    assert not Crowded(("slow",), 3)(s)
    assert [*Quiet(clerks, ("slow",))(s)] == []
    assert [*Quiet(clerks, ("urgent",))(s)] == ["a", "b"]


def test_an_action_without_its_quiet_ranges_as_before() -> None:
    bare, fields = without_quiet(put_off(leave))
    assert fields == ("urgent",)
    assert bare.over["who"] is clerks
    assert without_quiet(read_urgent) == (read_urgent, ())
