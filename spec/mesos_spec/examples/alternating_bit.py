"""Letters over a line that loses them: sent again until a receipt comes, told apart by one bit.

The alternating bit protocol (Bartlett, Scantlebury and Wilkinson, 1969).  That each letter arrives
once is safe whatever is lost.  That it arrives at all needs fairness, and shows both kinds: a line
that loses whatever is put on it, again and again, is fair in the weak sense, since nothing can be
taken from it for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mesos_spec.kernel import (
    Cells,
    Const,
    Fifo,
    Specification,
    action,
    eventually,
    receive,
    require,
    strong,
    weak,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """The letter of this bit."""

    bit: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The letter of this bit has come."""

    bit: int


class Line(Cells):
    """Who is at which letter, and what is on the line each way."""

    room: Const[int]
    sending: int = 0  #: the bit of the letter that is sent
    awaited: int = 0  #: the bit of the letter that is waited for
    letters: Fifo[Letter] = Fifo()
    receipts: Fifo[Receipt] = Fifo()


def bits(s: Line) -> Iterable[int]:
    """Both bits."""
    return (0, 1)


@action(changes="letters", by="sender")
def send(s: Line) -> None:
    """The letter is put on the line, once more if need be."""
    require(len(s.letters) < s.room, "the line has room")
    s.letters += Letter(s.sending)


@action(changes="letters receipts awaited", by="receiver")
def take_letter(s: Line) -> None:
    """A letter comes; it is acknowledged, new or not."""
    letter = receive(s.letters, Letter)
    require(len(s.receipts) < s.room, "the line has room")
    s.letters -= letter
    s.receipts += Receipt(letter.bit)
    if letter.bit == s.awaited:
        s.awaited = 1 - letter.bit


@action(changes="receipts sending", by="sender")
def take_receipt(s: Line) -> None:
    """A receipt comes; if it is of the letter that is sent, the next letter's turn has come."""
    receipt = receive(s.receipts, Receipt)
    s.receipts -= receipt
    if receipt.bit == s.sending:
        s.sending = 1 - receipt.bit


@action(changes="letters")
def lose_letter(s: Line) -> None:
    """The line loses a letter."""
    letter = receive(s.letters, Letter)
    s.letters -= letter


@action(changes="receipts")
def lose_receipt(s: Line) -> None:
    """The line loses a receipt."""
    receipt = receive(s.receipts, Receipt)
    s.receipts -= receipt


def is_sent(s: Line, bit: int) -> bool:
    """Whether the letter of a bit is sent, and has not come."""
    return s.sending == bit == s.awaited


@eventually(
    whenever=is_sent,
    fair=weak("send") + strong("take_letter take_receipt"),
    bit=bits,
)
def a_letter_that_is_sent_comes(s: Line, bit: int) -> bool:
    """A letter is received sooner or later, if the line does not lose every one."""
    return s.awaited != bit


SPEC = Specification(
    name="alternating_bit",
    init=lambda room: Line(room=room),
    actions=(send, take_letter, take_receipt, lose_letter, lose_receipt),
    eventually=(a_letter_that_is_sent_comes,),
    channels=("letters", "receipts"),
)
