"""What is asked closely: whether a channel is empty, whether a step changed a cell.

Who asks no more than that is not asked again for each mail that may wait there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mesos_spec.kernel import (
    AFTER,
    BEFORE,
    WROTE,
    Cells,
    Closely,
    Fifo,
    Model,
    Per,
    Specification,
    action,
    always,
    each_step,
    per,
    require,
    whether_empty,
)
from mesos_spec.kernel.live import Window, alone
from mesos_spec.tools.search.checker import Limits, check
from mesos_spec.tools.search.fast import machine
from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named
from model_tests.spec.test_fast import EACH, agree


@dataclass(frozen=True)
class Note:
    """Something said."""

    n: int


class Post(Cells):
    """Queues, and how often somebody went by while one was empty."""

    queue: Per[int, Fifo[Note]] = per(Fifo())
    passed: Per[int, int] = per(0)


def places(s: Post) -> Iterable[int]:
    """Two."""
    return (0, 1)


def kinds(s: Post) -> Iterable[int]:
    """What may be said."""
    return range(5)


@action(changes="queue", place=places, kind=kinds)
def send(s: Post, place: int, kind: int) -> None:
    """Something is sent."""
    require(len(s.queue[place]) < 2, "there is room")
    s.queue[place] += Note(kind)


@action(changes="queue", place=places)
def lose(s: Post, place: int) -> None:
    """Something is lost."""
    require(len(s.queue[place]) > 0, "something waits")
    s.queue[place] -= s.queue[place].mail[0]


@action(changes="passed")
def go_by(s: Post) -> None:
    """Somebody goes by."""
    require(s.queue.is_empty(0) and s.queue.is_empty(1), "nothing waits")
    s.passed[0] = (s.passed[0] + 1) % 3


SPEC = Specification(name="post", init=lambda bounds: Post(), actions=(send, lose, go_by))
POST = Model(name="post", title="A post", spec=SPEC, bounds=None)


def asked_of(search: FastSearch[Any], name: str) -> int:
    """How many answers a question has that were given apart."""

    def leaves(node: Any) -> int:
        return sum(map(leaves, node[1].values())) if type(node) is tuple else 1

    return sum(leaves(ask.tree) for ask in search.machine.asker.asks if ask.name == name)


@EACH
def test_emptiness_is_asked_once_for_all_mail(kernel: str) -> None:
    found = agree(POST, kernel)
    assert found.states == 3 * 31 * 31
    search = FastSearch(POST, Limits(), kernel_named(kernel))
    search.run()
    assert asked_of(search, "go_by") == 3 + 2, "both empty, for each count; or one of them is not"


@EACH
def test_emptiness_that_is_asked_late_is_asked_of_the_whole_cell(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "WARM", 1)

    @action(changes="passed")
    def go_by_later(s: Post) -> None:
        """Somebody goes by, but only once something was sent."""
        require(len(s.queue[0]) == 2, "enough waits here")
        require(s.queue.is_empty(1), "nothing waits there")
        s.passed[0] = 1

    spec = Specification(name="post", init=lambda bounds: Post(), actions=(send, go_by_later))
    agree(Model(name="post", title="A post", spec=spec, bounds=None), kernel)


@EACH
def test_a_search_with_emptiness_is_resumed(kernel: str, tmp_path: Path) -> None:
    whole = FastSearch(POST, Limits(), kernel_named(kernel)).run()
    file = tmp_path / "post"
    part = FastSearch(POST, Limits(max_states=500), kernel_named(kernel)).run(keep=file)
    assert not part.finished
    rest = FastSearch(POST, Limits(), kernel_named(kernel), resume=file).run()
    assert rest.counts == whole.counts


@action(changes="passed")
def go_by_with_mail(s: Post) -> None:
    """Somebody goes by, who asks only when enough has come."""
    require(len(s.queue[0]) == 2, "enough waits here")
    require(s.queue.is_empty(1), "nothing waits there")
    s.passed[0] = 1


@EACH
@pytest.mark.parametrize(("kept_by", "resumed_by"), [(100, 1), (1, 100)])
def test_who_resumes_may_know_other_fields_whose_emptiness_is_asked(
    kernel: str, kept_by: int, resumed_by: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @always()
    def nobody_goes_by_with_mail(s: Post) -> bool:
        """Nobody goes by while six wait here."""
        return s.passed[0] == 0 or Note(4) not in s.queue[0].mail

    spec = replace(SPEC, actions=(send, go_by_with_mail), always=(nobody_goes_by_with_mail,))
    model, file = replace(POST, spec=spec), tmp_path / "post"
    monkeypatch.setattr(machine, "FIRST", kept_by)
    FastSearch(model, Limits(max_states=20), kernel_named(kernel)).run(keep=file)
    monkeypatch.setattr(machine, "FIRST", resumed_by)
    rest = FastSearch(model, Limits(), kernel_named(kernel), resume=file)
    assert bool(rest.machine.asker.packing.fields) == (resumed_by == 100)
    found, plain = rest.run(), check(model, plain=True)
    assert found.broken is not None
    assert plain.broken is not None
    assert len(found.broken.steps) == len(plain.broken.steps)


@EACH
def test_a_cell_that_was_never_written_is_not_empty_and_not_full(kernel: str) -> None:
    class Bare(Cells):
        """A queue whose cells hold nothing until they are written."""

        phase: int = 0
        queue: Per[int, Fifo[Note]]

    @action(changes="phase queue")
    def write(s: Bare) -> None:
        """The cell is written."""
        require(s.phase == 0, "it begins")
        s.phase, s.queue[1] = 2, Fifo((Note(1),))

    @action(changes="phase")
    def skip(s: Bare) -> None:
        """The cell is not written."""
        require(s.phase < 2, "it goes on")
        s.phase += 1

    @action(changes="phase")
    def ask(s: Bare) -> None:
        """Whether the cell is empty is asked."""
        require(s.phase == 2, "it is time")
        require(s.queue.is_empty(1), "the cell is empty")

    spec = Specification(
        name="bare",
        init=lambda bounds: Bare(queue=Per({0: Fifo()})),
        actions=(write, skip, ask),
    )
    found = agree(Model(name="bare", title="A bare post", spec=spec, bounds=None), kernel)
    assert found.broken is not None
    assert "queue has no cell for 1" in found.broken.why


@EACH
def test_a_default_may_be_written_to_a_cell_that_nobody_wrote(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "WARM", 5)

    @action(changes="passed")
    def count(s: Post) -> None:
        """It goes on."""
        require(s.queue.is_empty(0) and s.passed[0] < 50, "nothing waits")
        s.passed[0] += 1

    @action(changes="queue")
    def clear(s: Post) -> None:
        """What is known to be empty is cleared."""
        require(s.passed[0] == 40 and s.queue.is_empty(5), "it is late")
        s.queue[5] = Fifo()

    agree(replace(POST, spec=replace(SPEC, actions=(count, clear))), kernel)


@EACH
def test_a_claim_about_a_cell_that_was_not_written_is_settled_with_the_step(kernel: str) -> None:
    @each_step(watches="queue passed", place=places)
    def what_is_sent_stands_behind(before: Post, after: Post, place: int) -> bool:
        """Mail is put behind what is there."""
        if not before.queue.differs(after.queue, place):
            return True
        old, new = before.queue[place].mail, after.queue[place].mail
        return new[: len(old)] == old or new == old[1:]

    model = replace(POST, spec=replace(SPEC, each_step=(what_is_sent_stands_behind,)))
    agree(model, kernel)
    search = FastSearch(model, Limits(), kernel_named(kernel))
    search.run()
    assert search.machine.asker.claims.checks == 0
    assert search.machine.asker.claims.evaluations < 2 * (2 * 5 * 6 + 30 + 2)


@EACH
def test_a_claim_that_a_changed_cell_breaks_is_broken(kernel: str) -> None:
    @each_step(watches="queue passed")
    def nobody_passes_before_mail(before: Post, after: Post) -> bool:
        """While somebody goes by twice, nothing is sent to the second place."""
        changed = before.queue.differs(after.queue, 1)
        return not (changed and before.passed[0] == 2 and len(after.queue[1]) == 2)

    model = replace(POST, spec=replace(SPEC, each_step=(nobody_passes_before_mail,)))
    found = agree(model, kernel)
    assert found.broken is not None
    assert len(found.broken.steps) == 4


# ---- what is noted ---------------------------------------------------------------------------
def test_who_listens_closely_hears_that_only_emptiness_was_asked() -> None:
    s = Post(queue=Per({1: Fifo((Note(3),))}))

    def ask(s: Post) -> bool:
        return s.queue.is_empty(0) and not s.queue.is_empty(1)

    assert s.listen(ask) == (True, {("queue", 0): Fifo(), ("queue", 1): Fifo((Note(3),))})
    closely = Closely(frozenset({"queue"}))
    answer, reads = s.listen(ask, closely)
    assert answer
    assert reads == {whether_empty(("queue", 0)): True, whether_empty(("queue", 1)): False}
    assert closely.asked == {"queue"}
    elsewhere = Closely(frozenset())
    assert s.listen(ask, elsewhere)[1] == s.listen(ask)[1]
    assert elsewhere.asked == {"queue"}


def test_a_cell_that_was_read_whole_is_not_asked_for_its_emptiness_too() -> None:
    closely = Closely(frozenset({"queue"}))
    Post().listen(lambda s: (s.queue[0], s.queue.is_empty(0)), closely)
    assert [*closely] == [("queue", 0)]


def test_of_a_cell_that_a_step_did_not_write_nothing_is_read() -> None:
    before = Post(queue=Per({1: Fifo((Note(3),))}))
    after = before.copy()
    effects = send.apply(after, {"place": 1, "kind": 0})
    cells = ("queue", 0), ("queue", 1)

    def ask() -> list[bool]:
        return [before.queue.differs(after.queue, place) for place in (0, 1)]

    assert ask() == [False, True]
    answer, reads = before.compared(after, effects, ask)
    assert answer == [False, True]
    wrote = {(WROTE, cells[0]): False, (WROTE, cells[1]): True}
    assert {*reads} == {*wrote, (BEFORE, cells[1]), (AFTER, cells[1])}
    assert wrote.items() <= reads.items()


def test_states_of_one_owner_know_emptiness_too() -> None:
    s = alone(Post(queue=Per({1: Fifo((Note(3),))})))
    assert (s.queue.is_empty(0), s.queue.is_empty(1)) == (True, False)
    shown = Window(s).showing([(("queue", 0), Fifo((Note(1),))), (("queue", 1), Fifo())])
    assert (shown.queue.is_empty(0), shown.queue.is_empty(1)) == (False, True)
    assert [shown.queue.differs(s.queue, place) for place in (0, 1, 2)] == [True, True, False]
