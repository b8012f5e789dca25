"""Two worlds: the plain one asks everything anew, and the remembering one must never differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_spec.examples.post_office import Bye
from mesos_spec.kernel import (
    Action,
    Cells,
    Fifo,
    Per,
    Specification,
    Untold,
    action,
    always,
    each_step,
    per,
    require,
)
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import check
from mesos_spec.tools.search.worlds import delivered
from model_tests.spec.toys import modelled


# ---- two worlds ----------------------------------------------------------------------------
class Dials(Cells):
    """Four dials, three positions each."""

    dial: Per[int, int] = per(0)


@dataclass(frozen=True)
class Turn:
    """An action by numbers: if this dial is so, the dial it and another point at is turned."""

    if_dial: int
    if_so: int
    look_at: int
    by: int
    blind: bool

    def body(self, s: Dials, start: int) -> None:
        """A dial is turned."""
        require(s.dial[self.if_dial] == self.if_so, "the first dial is so")
        target = (s.dial[self.look_at] + start) % 4
        require(s.dial[target] != 2 or self.blind, "the dial is not at its end")
        s.dial[target] = self.by % 3 if self.blind else (s.dial[target] + self.by) % 3


positions = st.integers(0, 3)
turns = st.builds(Turn, positions, st.integers(0, 2), positions, st.integers(1, 2), st.booleans())


def dials(turns: list[Turn], limit: int, dynamic: bool) -> Model[Dials]:
    """A model with these actions, a claim of each kind that may or may not hold, and a cut."""

    @always()
    def not_all_at_the_end(s: Dials) -> bool:
        """Some dial is not at its end."""
        return not all(s.dial[i] == 2 for i in range(limit))

    @each_step(watches="dial", i=lambda s: s.dial.keys() if dynamic else range(4))
    def no_dial_jumps_from_two_to_one(before: Dials, after: Dials, i: int) -> bool:
        """From its end a dial goes to the start, while the next is at its end."""
        return not (after.dial[i] == 1 and after.dial[(i + 1) % 4] == 2 and before.dial[i] == 2)

    @each_step(watches="dial", at="dial", i=lambda s: range(4))
    def no_dial_leaps_beside_an_end(before: Dials, after: Dials, i: int) -> bool:
        """A dial that was turned did not go to its end at once while the one opposite was there."""
        opposite = after.dial[(i + 2) % 4] if limit % 2 else before.dial[(i + 2) % 4]
        return not (before.dial[i] == 0 and after.dial[i] == 2 and opposite == 2)

    def starts(s: Dials) -> Iterable[int]:
        return range(2) if s.dial[0] else [0] if not dynamic else s.dial.keys() or [3]

    def made(n: int, turn: Turn) -> Action[Dials, ...]:
        def body(s: Dials, start: int) -> None:
            """A dial is turned."""
            turn.body(s, start)

        body.__name__ = f"turn{n}"
        return action(changes="dial", start=starts)(body)

    spec = Specification(
        name="dials",
        init=lambda bounds: Dials(),
        actions=tuple(made(n, turn) for n, turn in enumerate(turns)),
        always=(not_all_at_the_end,),
        each_step=(no_dial_jumps_from_two_to_one, no_dial_leaps_beside_an_end),
    )
    return Model(
        name="dials",
        title="Dials",
        spec=spec,
        bounds=None,
        cut=lambda s: s.dial[3] == 2 and s.dial[1] == 1,
    )


@given(st.lists(turns, min_size=1, max_size=4), st.integers(1, 6), st.booleans())
def test_remembering_changes_nothing(turns: list[Turn], limit: int, dynamic: bool) -> None:
    model = dials(turns, limit, dynamic)
    plain, memo = check(model, plain=True), check(model)
    assert plain.counts == memo.counts
    assert plain.deadlocks == memo.deadlocks
    assert plain.finished == memo.finished
    if plain.finished:
        assert plain.taken == memo.taken
        assert plain.guards == memo.guards
    else:
        assert plain.broken == memo.broken


def test_what_a_two_state_claim_reads_is_remembered_with_the_step() -> None:
    @action(changes="dial")
    def turn_first(s: Dials) -> None:
        """Reads nothing itself."""
        s.dial[0] = 1

    @action(changes="dial")
    def turn_second(s: Dials) -> None:
        """Reads nothing either."""
        s.dial[1] = 1

    @each_step(watches="dial")
    def first_is_never_last(before: Dials, after: Dials) -> bool:
        """The first dial is not turned when the second is."""
        return not (after.dial[0] == 1 and after.dial[1] == 1 and before.dial[0] == 0)

    spec = Specification(
        name="x",
        init=lambda b: Dials(),
        actions=(turn_first, turn_second),
        each_step=(first_is_never_last,),
    )
    for plain in (True, False):
        found = check(modelled(spec, None), plain=plain).broken
        assert found is not None
        assert [step.action for step in found.steps] == ["turn_second", "turn_first"]


def test_a_claim_is_asked_as_often_as_what_it_reads_differs() -> None:
    asked: list[tuple[int, int]] = []

    @action(changes="dial", which=lambda s: range(4))
    def turn(s: Dials, which: int) -> None:
        """A dial goes on, to its end and not farther."""
        require(s.dial[which] < 2, "the dial is not at its end")
        s.dial[which] += 1

    @each_step(watches="dial")
    def the_first_does_not_fall(before: Dials, after: Dials) -> bool:
        """The first dial only goes on."""
        asked.append((before.dial[0], after.dial[0]))
        return after.dial[0] >= before.dial[0]

    spec = Specification(
        name="x", init=lambda b: Dials(), actions=(turn,), each_step=(the_first_does_not_fall,)
    )
    plain = check(modelled(spec, None), plain=True)
    assert plain.steps == 216 <= len(asked)
    asked.clear()
    memo = check(modelled(spec, None))
    assert memo.counts == plain.counts
    assert sorted(asked) == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]


def test_an_action_that_depends_on_more_than_the_state_is_told() -> None:
    calls: list[int] = []

    @action(changes="dial", start=lambda s: [*range(4)])
    def fickle(s: Dials, start: int) -> None:
        """Reads another dial each time."""
        calls.append(0)
        s.dial[start] = (s.dial[len(calls) % 4] + s.dial[(len(calls) + 1) % 4] + 1) % 3

    spec = Specification(name="x", init=lambda b: Dials(), actions=(fickle,))
    with pytest.raises(Untold, match=r"fickle reads dial\[.\] or not, and not by the state alone"):
        check(modelled(spec, None))


def test_equal_values_of_two_kinds_are_told() -> None:
    @action(changes="dial")
    def confuses(s: Dials) -> None:
        """One and True are not the same."""
        s.dial[0] = 1 if s.dial[0] == 0 else True

    spec = Specification(name="x", init=lambda b: Dials(), actions=(confuses,))
    broken = check(modelled(spec, None)).broken
    assert broken is not None
    assert broken.wrong
    assert "confuses: dial[0] holds 1 and True, which are equal and not the same" in broken.why


def test_a_channel_that_is_left_as_it_was_delivers_nothing() -> None:
    queue: Fifo[Bye] = Fifo([Bye(), Bye()]) - Bye()
    assert delivered({("queue", "a"): (queue, queue)}) == ()
    assert delivered({("queue", "a"): (Fifo([Bye(), Bye()]), queue)}) == ((("queue", "a"), Bye()),)
