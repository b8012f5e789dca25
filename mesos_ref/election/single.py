"""`single`: one master, elected from the start, never deposed.

For a cluster in one process, and for agents and schedulers that were told an address.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mesos_ref.election.interface import Candidate, Elected, Leader, Leadership


class SingleElection:
    """An election nobody can lose.

    A master that is started again should be given a higher `epoch` than before, or agents that
    remember the old one take its word for the old leader's.
    """

    def __init__(self, candidate: Candidate | None = None, epoch: int = 1) -> None:
        self.epoch = epoch
        self._candidate = candidate
        self._known = trio.Event()
        if candidate is not None:
            self._known.set()

    @asynccontextmanager
    async def contend(self, candidate: Candidate) -> AsyncIterator[AsyncIterator[Leadership]]:
        send, receive = trio.open_memory_channel[Leadership](1)
        self._candidate = candidate
        self._known.set()
        send.send_nowait(Elected(self.epoch))
        with send, receive:
            yield receive

    def look_now(self) -> None:
        """There is nothing to see: nobody else can be elected."""

    def watch(self) -> AsyncIterator[Leader | None]:
        return _Watch(self)

    async def known(self) -> Leader:
        """The leader, once there is one."""
        await self._known.wait()
        assert self._candidate is not None
        return Leader(self.epoch, self._candidate)

    @property
    def is_known(self) -> bool:
        return self._known.is_set()


class _Watch:
    """Nobody, if nobody has come forward yet; then the leader; then no more news."""

    def __init__(self, election: SingleElection) -> None:
        self._election = election
        self._said: list[Leader | None] = []

    def __aiter__(self) -> _Watch:
        return self

    async def __anext__(self) -> Leader | None:
        await trio.lowlevel.checkpoint()
        if not self._said and not self._election.is_known:
            self._said.append(None)
            return None
        if self._said and self._said[-1] is not None:
            await trio.sleep_forever()
        self._said.append(await self._election.known())
        return self._said[-1]
