"""The fast search where cells come into being that no state had when it began.

Then there are more questions, or others: what was looked up, settled or grouped before must not be
taken for an answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mesos_spec.kernel import Heads, Specification, action, each_step, require
from mesos_spec.tools.search.checker import Limits, check
from mesos_spec.tools.search.fast import driver, machine, two
from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named
from model_tests.spec.test_fast import EACH, Net, Note, agree, model_of, who


@EACH
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_comes_into_being_meanwhile_is_asked_too(
    kernel: str, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registers and channels that no state had when questions were first grouped."""

    @action(changes="held queue", one=who)
    def reach_farther(s: Net, one: int) -> None:
        """The first register counts, and something is sent to where it points."""
        require(s.held[0] < 5, "the register is not full")
        s.held[0] += 1
        s.queue[s.held[0]] += Note(one)

    @action(changes="held queue", one=who)
    def hear(s: Net, one: int) -> None:
        """Registers say what was heard."""
        key = s.held[0] - one
        require(len(s.queue[key]) > 0, "something is there")
        heard = s.queue[key].mail[0]
        s.queue[key] -= heard
        s.held[10 + key] = heard.n + sum(s.held[k] for k in s.held.keys()) % 3  # noqa: SIM118

    @each_step(watches="held")
    def nothing_grows_by_ten(before: Net, after: Net) -> bool:
        """No register grows by ten."""
        return all(after.held[k] - before.held[k] < 10 for k in after.held.keys())  # noqa: SIM118

    monkeypatch.setattr(machine, "WARM", 1)
    monkeypatch.setattr(driver, "REGROUP", (5, 20, 100))
    begun: list[int] = []
    begin_again = FastSearch.begin_again

    def noted(self: FastSearch[Any]) -> None:
        begun.append(self.at)
        begin_again(self)

    monkeypatch.setattr(FastSearch, "begin_again", noted)
    model = model_of(
        Specification(
            name="net",
            init=lambda bounds: Net(),
            actions=(reach_farther, hear),
            each_step=(nothing_grows_by_ten,),
            heads=Heads(("queue",), (), lambda s, field, key: key == s.held[0]),
        ),
        None,
    )
    fast = FastSearch(model, Limits(), kernel_named(kernel), jobs=jobs).run()
    plain = check(model, plain=True)
    assert plain.finished
    assert len(begun) > 3, "nothing came into being after the first states"
    assert fast.finished
    assert fast.counts == plain.counts


@EACH
def test_channels_that_come_into_being_while_rows_are_looked_up_again(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of two states at a time: those that come after have other groups."""

    @action(changes="held", one=lambda s: range(8))
    def choose(s: Net, one: int) -> None:
        """Once, a channel is chosen."""
        require(s.held[1] == 0, "none was chosen")
        s.held[1], s.held[2] = 1, one

    @action(changes="queue")
    def send(s: Net) -> None:
        """Something is sent there."""
        require(s.held[1] == 1, "one was chosen")
        require(len(s.queue[10 + s.held[2]]) == 0, "nothing was sent")
        s.queue[10 + s.held[2]] += Note(1)

    monkeypatch.setattr(machine, "WARM", 1)
    monkeypatch.setattr(kernel_named(kernel), "BATCH", 1)

    def little_room(self: FastSearch[Any], states: int, all_rows: bool = True) -> Any:
        return np.zeros((2 * states * len(self.machine.groups), 3), np.int64)

    monkeypatch.setattr(FastSearch, "_missed", little_room)
    heads: Heads[Net] = Heads(("queue",), (), lambda s, field, key: False)
    spec: Specification[Net] = Specification(
        name="net", init=lambda bounds: Net(), actions=(choose, send), heads=heads
    )
    assert agree(model_of(spec, None), kernel).states == 17


@EACH
def test_a_claim_of_steps_about_all_keys_is_asked_again_when_there_are_more(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a step that was found to keep it while there were fewer."""

    @action(changes="held")
    def turn(s: Net) -> None:
        """The first register goes round."""
        s.held[0] = (s.held[0] + 1) % 3

    @action(changes="held")
    def set_another(s: Net) -> None:
        """Later there is a second one."""
        require(s.held[0] == 2, "the first register is two")
        s.held[5] = 1

    @each_step(watches="held")
    def the_first_is_not_turned_beside_others(before: Net, after: Net) -> bool:
        """The first register becomes one only while no other is set."""
        return after.held[0] != 1 or not any(after.held[k] for k in after.held.keys() if k)  # noqa: SIM118

    monkeypatch.setattr(machine, "WARM", 1)
    spec: Specification[Net] = Specification(
        name="net",
        init=lambda bounds: Net(),
        actions=(turn, set_another),
        each_step=(the_first_is_not_turned_beside_others,),
    )
    found = agree(model_of(spec, None), kernel)
    assert found.broken is not None
    assert len(found.broken.steps) == 5


@EACH
@pytest.mark.parametrize("jobs", [1, 2])
def test_mail_that_nobody_takes_is_told_where_all_rows_are_looked_up_again(
    kernel: str, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two cores, one found the mail while the other's states brought channels into being."""

    @action(changes="held queue", bit=who)
    def double(s: Net, bit: int) -> None:
        """A number is made of nine bits; with large ones goes mail that nobody takes."""
        require(s.held[0] < 9, "there is a bit to choose")
        s.held[0] += 1
        s.held[1] = 2 * s.held[1] + bit
        if s.held[0] == 9 and s.held[1] >= 300:
            s.queue[0] += Note(1)

    @action(changes="held")
    def go_on(s: Net) -> None:
        """The number is chosen."""
        require(s.held[0] == 9, "all bits are chosen")
        s.held[0] = 10

    @action(changes="queue")
    def send(s: Net) -> None:
        """Something is sent to where nobody sent before."""
        require(s.held[0] == 10, "the number was chosen")
        require(s.held[1] > 250, "it is large")
        s.queue[s.held[1] // 16] += Note(1)

    monkeypatch.setattr(machine, "WARM", 1)
    monkeypatch.setattr(two, "AHEAD", 8)
    monkeypatch.setattr(two, "PART", 2)
    heads: Heads[Net] = Heads(("queue",), (), lambda s, field, key: key == 0)
    spec: Specification[Net] = Specification(
        name="net", init=lambda bounds: Net(), actions=(double, go_on, send), heads=heads
    )
    model = model_of(spec, None)
    fast = FastSearch(model, Limits(), kernel_named(kernel), jobs=jobs).run()
    plain = check(model, plain=True)
    assert plain.broken is not None
    assert fast.broken is not None
    assert fast.broken.why == plain.broken.why
    assert len(fast.broken.steps) == len(plain.broken.steps) == 9
