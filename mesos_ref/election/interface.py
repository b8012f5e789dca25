"""What masters, agents and schedulers ask of an election, whichever kind is plugged in.

An *epoch* is a number; each is led by one master at most, and a later leader has a higher one.
Agents and schedulers obey only the newest they know (S19), so a deposed leader that doesn't know it
yet does no harm.

    async with election.contend(candidate) as leadership:     # a master
        async for news in leadership:                         # Elected, later perhaps Lost: end
            ...
    async for leader in election.watch():                     # everybody; None: nobody leads now
        ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import msgspec

from mesos_ref.wire.v1 import MasterInfo


class Candidate(msgspec.Struct, frozen=True):
    """A master as it wants to be found.  `link` is where agents connect, `host:port`, if elsewhere
    than its HTTP port."""

    info: MasterInfo
    link: str | None = None

    @property
    def host(self) -> str:
        """Where its HTTP port is: address, else host name, else this machine."""
        address = self.info.address
        known = (address.ip or address.hostname) if address is not None else None
        return known or self.info.hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        return self.info.port if self.info.address is None else self.info.address.port

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Leader(msgspec.Struct, frozen=True):
    """Who leads in `epoch`."""

    epoch: int
    candidate: Candidate


class Elected(msgspec.Struct, frozen=True, tag=True):
    """We lead, in this epoch, from now on."""

    epoch: int


class Lost(msgspec.Struct, frozen=True, tag=True):
    """We lead no longer, and may not act: end."""

    epoch: int
    why: str


Leadership: TypeAlias = Elected | Lost


class ElectionError(ValueError):
    """The election named on the command line can't be had; says what would be right."""


class Election(Protocol):
    """One place where masters compete.  Also the contract of entry points `mesos_ref.elections`."""

    def contend(
        self, candidate: Candidate
    ) -> AbstractAsyncContextManager[AsyncIterator[Leadership]]:
        """Compete, and keep what was won, inside the `async with`; leaving it resigns.

        The iterator gives Elected at most once, then Lost at most once, and then ends.
        """
        ...

    def look_now(self) -> None:
        """Somebody says that a newer epoch has begun: who leads here had better look.

        Called on hearsay, perhaps often: it must be cheap, and must depose nobody who leads.
        """
        ...

    def watch(self) -> AsyncIterator[Leader | None]:
        """The leader now, then every change.  Never ends."""
        ...
