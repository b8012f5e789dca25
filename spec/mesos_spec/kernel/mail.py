"""What a model says of channels: which are served first, which are full, which must be served.

A model bounds the mail in flight.  It says so in data, so that a tool which knows what is meant
can ask it of many states at once; whoever does not know calls it like a function of the state.

    Quiet     a domain that is empty while mail waits in a *prompt* channel
    Crowded   a cut: the states in which a channel that is not prompt holds too much
    Heads     the channels whose oldest message some action must take
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from inspect import Signature, signature
from typing import Any, Generic, TypeVar

from mesos_spec.kernel.cells import Cell, Cells, Per
from mesos_spec.kernel.names import Domain, Named

S = TypeVar("S", bound=Cells)
A = TypeVar("A", bound=Named)


def channels_with_mail(s: Cells, fields: Iterable[str]) -> Iterator[tuple[Cell, Any]]:
    """Each channel of `fields` that is not empty, by field and key."""
    for field in fields:
        held = getattr(s, field)
        cells = held.items() if isinstance(held, Per) else [(None, held)]
        yield from (((field, key), channel) for key, channel in cells if len(channel) > 0)


@dataclass(frozen=True, eq=False)
class Quiet:
    """`domain`, but nothing while mail is in a channel of `fields`: its action is put off."""

    domain: Domain
    fields: tuple[str, ...]

    @property
    def __signature__(self) -> Signature:
        """It depends on the names that `domain` depends on."""
        return signature(self.domain)

    def __call__(self, s: Cells, *earlier: Any) -> Iterable[Any]:
        """Where the name ranges in `s`."""
        for _ in channels_with_mail(s, self.fields):
            return ()
        return self.domain(s, *earlier)


@dataclass(frozen=True, eq=False)
class Crowded:
    """The states in which a channel of `fields` holds more than `room` messages."""

    fields: tuple[str, ...]
    room: int

    def __call__(self, s: Cells) -> bool:
        """Whether `s` is beyond the bound."""
        return any(self.is_full(channel) for _, channel in channels_with_mail(s, self.fields))

    def is_full(self, channel: Any) -> bool:
        """Whether this is too much for one channel."""
        return len(channel) > self.room


@dataclass(frozen=True, eq=False)
class Heads(Generic[S]):
    """The channels to serve: the prompt ones that have mail, else all of `fields` that have.

    Of both only those that somebody hears: mail to who has left is lost, sooner or later.
    """

    fields: tuple[str, ...]
    prompt: tuple[str, ...]
    is_heard: Callable[[S, str, Any], bool]  #: asked only of channels with mail

    def __call__(self, s: S) -> list[Cell]:
        """The channels of `s` whose next message some action must take."""
        full = [cell for cell, _ in channels_with_mail(s, self.fields)]
        first = [cell for cell in full if cell[0] in self.prompt] or full
        return [cell for cell in first if self.is_heard(s, *cell)]


def without_quiet(named: A) -> tuple[A, tuple[str, ...]]:
    """What `named` is without its `Quiet`, and the fields whose mail it waits for (often none)."""
    fields: list[str] = []
    over: dict[str, Domain] = {}
    for name, domain in named.over.items():
        if isinstance(domain, Quiet):
            fields += domain.fields
            domain = domain.domain
        over[name] = domain
    return (replace(named, over=over), tuple(fields)) if fields else (named, ())
