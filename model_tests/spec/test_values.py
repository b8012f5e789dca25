"""The values in a specification's cells keep the laws of what they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_spec.kernel import (
    Bag,
    Fifo,
    Table,
    Untold,
    check_message_types,
)
from mesos_spec.kernel.values import alike


@dataclass(frozen=True, slots=True)
class Coin:
    """A message."""

    worth: int


@dataclass(frozen=True, slots=True)
class Note:
    """A message of another kind."""

    worth: int


class Pair(NamedTuple):
    """No message: it equals any other tuple of the same parts."""

    worth: int


tables = st.dictionaries(st.integers(0, 5), st.integers(0, 5))
mails = st.lists(st.builds(Coin, st.integers(0, 2)) | st.builds(Note, st.integers(0, 2)))


@given(tables, tables, st.integers(0, 5))
def test_a_table_is_a_dict_that_does_not_change(
    d: dict[int, int], e: dict[int, int], k: int
) -> None:
    t = Table(d)
    assert dict((t + e).items()) == d | e
    assert t + Table(e) == t + e
    assert (t - k).items() == sorted((i, v) for i, v in d.items() if i != k)
    assert t.items() == sorted(d.items())
    assert t == Table(d)
    assert list(t) == t.keys() == sorted(d)
    assert t.values() == [d[i] for i in sorted(d)]
    assert (t == Table(e)) == (d == e)
    assert t.get(k, -1) == d.get(k, -1)
    assert (k in t, len(t), bool(t)) == (k in d, len(d), bool(d))


@given(tables)
def test_equal_tables_look_and_hash_alike_however_they_were_made(d: dict[int, int]) -> None:
    backwards = Table(sorted(d.items(), reverse=True))
    assert hash(Table(d)) == hash(backwards)
    assert repr(Table(d)) == repr(backwards)
    assert hash(Table(d) + {9: 9} - 9) == hash(backwards)


def test_a_table_whose_keys_have_no_order_says_so() -> None:
    with pytest.raises(Untold, match="must have an order"):
        Table({Coin(1): 1, Coin(2): 2}).items()


@given(mails)
def test_a_fifo_delivers_in_the_order_sent(mail: list[Any]) -> None:
    f: Fifo[Any] = Fifo()
    for message in mail:
        f += message
    assert f == Fifo(mail)
    assert hash(f) == hash(Fifo(mail))
    assert len(f) == len(mail)
    for message in mail:
        f -= message
        assert f.delivered == message
    assert f == Fifo()


@given(mails, st.randoms(use_true_random=False))
def test_a_bag_delivers_in_any_order(mail: list[Any], random: Any) -> None:
    b: Bag[Any] = Bag(mail)
    assert len(b) == len(mail)
    assert sorted(map(repr, b.mail)) == sorted(map(repr, mail))
    assert list(b) == sorted(set(mail), key=repr)
    random.shuffle(mail)
    assert b == Bag(mail)
    assert hash(b) == hash(Bag(mail))
    assert repr(b) == repr(Bag(mail))
    for message in mail:
        assert message in b
        b -= message
        assert b.delivered == message
    assert b == Bag()
    assert hash(b) == hash(Bag())


@pytest.mark.parametrize("channel", [Fifo(), Bag()])
def test_what_could_equal_another_kind_is_no_message(channel: Any) -> None:
    with pytest.raises(Untold, match="Pair may not be a message"):
        channel + Pair(1)
    with pytest.raises(Untold, match="str may not be a message"):
        check_message_types(Coin, str)


def test_equal_is_not_alike() -> None:
    class Other(NamedTuple):
        worth: int

    pair: tuple[int] = Pair(1)
    assert pair == Other(1)
    assert not alike(Pair(1), Other(1))
    assert not alike(Table({1: (1, True)}), Table({1: (1, 1)}))
    assert not alike(frozenset({1}), frozenset({True}))
    assert not alike(Table({Pair(1): 0}), Table({Other(1): 0}))
    assert alike(Fifo([Coin(1)]), Fifo([Coin(1)]))
