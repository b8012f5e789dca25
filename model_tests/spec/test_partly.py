"""Queues that note how far they were looked into, and are queues all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mesos_spec.kernel import Cells, Fifo, Per, action, per
from mesos_spec.kernel.partly import Head, Partly, Some


@dataclass(frozen=True)
class Note:
    """Something said."""

    n: int


class Post(Cells):
    """Queues."""

    mail: Per[str, Fifo[Note]] = per(Fifo())


ONE, TWO = Note(1), Note(2)
FULL = Post(mail=Per({"a": Fifo((ONE, TWO)), "b": Fifo((ONE, TWO))}))
SOME, HEAD, REST = ("mail", Some("a")), ("mail", Head("a")), ("mail", "a")

LOOKS: list[tuple[Callable[[Any], Any], list[Any]]] = [
    (bool, [SOME]),
    (lambda q: not q, [SOME]),
    (lambda q: bool(q.mail), [SOME]),
    (lambda q: q.mail[0], [SOME, HEAD]),
    (lambda q: q.mail[:1], [SOME, HEAD]),
    (lambda q: next(iter(q.mail)), [SOME, HEAD]),
    (len, [SOME, HEAD, REST]),
    (lambda q: len(q.mail), [SOME, HEAD, REST]),
    (lambda q: q.mail[-1], [SOME, HEAD, REST]),
    (lambda q: (*q.mail, ONE), [SOME, HEAD, REST]),
    (lambda q: q.mail + (ONE,), [SOME, HEAD, REST]),
    (lambda q: (ONE,) + q.mail, [SOME, HEAD, REST]),
    (lambda q: TWO in q.mail, [SOME, HEAD, REST]),
    (lambda q: q + ONE, [SOME, HEAD, REST]),
    (lambda q: q - ONE, [SOME, HEAD, REST]),
    (lambda q: q == Fifo((ONE, TWO)), [SOME, HEAD, REST]),
    (lambda q: Fifo((ONE, TWO)) == q, [SOME, HEAD, REST]),
    (lambda q: q.mail == (ONE, TWO), [SOME, HEAD, REST]),
    (lambda q: q.mail == (ONE, TWO), [SOME, HEAD, REST]),
    (hash, [SOME, HEAD, REST]),
    (repr, [SOME, HEAD, REST]),
]


@pytest.mark.parametrize(("look", "parts"), LOOKS)
def test_a_queue_notes_how_far_it_is_looked_into(
    look: Callable[[Any], Any], parts: list[Any]
) -> None:
    answer, reads = FULL.listen(lambda s: look(s.mail["a"]), Partly())
    assert answer == look(Fifo((ONE, TWO)))
    assert [*reads] == parts


def test_of_an_empty_queue_there_is_nothing_more_to_know() -> None:
    for look in (bool, len, lambda q: q.mail[:1], lambda q: [*q.mail], lambda q: q == Fifo()):
        answer, reads = Post().listen(lambda s, look=look: look(s.mail["a"]), Partly())  # type: ignore[misc]
        assert answer == look(Fifo())
        assert [*reads] == [SOME]


def test_two_queues_are_compared_whole() -> None:
    same, reads = FULL.listen(lambda s: s.mail["a"] == s.mail["b"], Partly())
    assert same
    assert REST in reads
    assert ("mail", "b") in reads


def test_what_is_written_is_the_queue_itself() -> None:
    @action("mail")
    def copy(s: Post) -> None:
        """One queue is made like the other."""
        s.mail["b"] = s.mail["a"]

    draft = FULL.copy()
    effects, reads = draft.listen(lambda s: copy.apply(s, {}), Partly())
    assert type(effects["mail", "b"][1]) is Fifo
    assert REST in reads


def test_who_listens_as_ever_is_told_of_cells() -> None:
    _, reads = FULL.listen(lambda s: bool(s.mail["a"]))
    assert [*reads] == [REST]
