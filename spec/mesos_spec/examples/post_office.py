"""Customers ask for stamps in a queue, and get them by mail, in any order.

A toy with both kinds of channel: a queue delivers its oldest message, the mail whichever it likes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mesos_spec.kernel import (
    Bag,
    Cells,
    Const,
    Fifo,
    Model,
    Per,
    Specification,
    action,
    always,
    each_step,
    per,
    receive,
    receive_any,
    require,
    sometimes,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """May I have a stamp?"""


@dataclass(frozen=True, slots=True)
class Bye:
    """Never mind."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Here it is."""

    value: int


class Post(Cells):
    """Customers ask in order; stamps come back in any order."""

    customers: Const[tuple[str, ...]]
    queue: Per[str, Fifo[Ask | Bye]] = per(Fifo())
    mail: Per[str, Bag[Stamp]] = per(Bag())
    asked: Per[str, int] = per(0)
    got: Per[str, int] = per(0)
    sold: int = 0


def customers(s: Post) -> Iterable[str]:
    """All customers."""
    return s.customers


def in_the_mail(s: Post, customer: str) -> Iterable[Stamp]:
    """The stamps on their way to a customer."""
    return s.mail[customer]


@action(changes="queue asked", by="customer", customer=customers)
def ask(s: Post, customer: str) -> None:
    """A customer asks for a stamp."""
    require(s.asked[customer] < 2, "the customer wants another")
    s.asked[customer] += 1
    s.queue[customer] += Ask()


@action(changes="queue mail sold", by="office", customer=customers)
def sell(s: Post, customer: str) -> None:
    """The office sends a stamp to who asked, each worth more than the one before."""
    request = receive(s.queue[customer], Ask)
    require(s.sold < 9, "there are stamps left")
    s.queue[customer] -= request
    s.sold += 1
    s.mail[customer] += Stamp(s.sold)


@action(changes="mail got", by="customer", customer=customers, stamp=in_the_mail)
def get(s: Post, customer: str, stamp: Stamp) -> None:
    """A stamp arrives."""
    arrived = receive_any(s.mail[customer], stamp, Stamp)
    s.mail[customer] -= arrived
    s.got[customer] += 1


@always(customer=customers)
def nothing_unasked_comes(s: Post, customer: str) -> bool:
    """Nobody gets more than they asked for."""
    return s.got[customer] <= s.asked[customer]


@each_step(watches="got", customer=customers)
def what_is_got_is_kept(before: Post, after: Post, customer: str) -> bool:
    """No stamp is lost again."""
    return before.got[customer] <= after.got[customer]


@sometimes(customer=customers)
def somebody_has_two(s: Post, customer: str) -> bool:
    """Two stamps can be had."""
    return s.got[customer] == 2


SPEC = Specification(
    name="post",
    init=lambda names: Post(customers=names),
    actions=(ask, sell, get),
    always=(nothing_unasked_comes,),
    each_step=(what_is_got_is_kept,),
    sometimes=(somebody_has_two,),
    channels=("queue", "mail"),
)


def everybody_is_served(s: Post) -> bool:
    """Everybody has all they want."""
    return all(s.got[customer] == 2 for customer in s.customers)


MODEL = Model(
    name="post_office",
    title="Two customers want two stamps each.",
    spec=SPEC,
    bounds=("a", "b"),
    quiescent=everybody_is_served,
)
