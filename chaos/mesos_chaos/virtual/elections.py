"""A simulated election: leases, epochs, and news of them that come a little later.

A master that dies loses at once; one that is stopped loses when its lease has run out, and hears of
it when it goes on.  Between losing and hearing it believes that it leads, and acts (D18).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from mesos_chaos.virtual.streams import Life
from mesos_ref.election.interface import Candidate, Elected, Leader, Leadership, Lost

DETECT_S = 0.01
NEWS_S = (0.001, 0.05)
DEPOSED_S = 0.1


@dataclass(eq=False, slots=True)
class Contender:
    """A master that would lead, or does."""

    master: Any  #: its process
    life: Life
    candidate: Candidate
    news: trio.MemorySendChannel[Leadership]
    epoch: int = 0  #: in which it was elected, if it was

    @property
    def can_lead(self) -> bool:
        """Whether it may be elected."""
        return not (self.epoch or self.life.dead or self.master.paused)


class Elections:
    """Who leads.  `after(seconds, do)` does something later."""

    def __init__(
        self, dice: random.Random, lease_s: float, after: Callable[[float, Callable[[], None]], Any]
    ) -> None:
        self.lease_s = lease_s
        self.epoch = 0
        self._dice = dice
        self._after = after
        self._contenders: list[Contender] = []
        self._leads: Contender | None = None
        self._stops: dict[Any, object] = {}  #: the last time that each master was stopped
        self._leader: Leader | None = None
        self._news = trio.Event()

    @property
    def leader(self) -> Any:
        """The process that leads, if one does."""
        return None if self._leads is None else self._leads.master

    # ---- masters -----------------------------------------------------------------------------
    def join(self, contender: Contender) -> None:
        """Take part from now on.  Who was killed did not withdraw."""
        self._contenders = [c for c in self._contenders if not c.life.dead or c is self._leads]
        self._contenders.append(contender)
        self._after(DETECT_S, self._elect)

    def withdraw(self, contender: Contender) -> None:
        """Take no part any more."""
        if contender in self._contenders:
            self._contenders.remove(contender)
        if contender is self._leads:
            self._vacate()

    def look(self, master: Any) -> None:
        """A master has heard that it may not lead any more: then it is told so now."""
        for one in self._contenders:
            if one.master is master and one.epoch and one is not self._leads:
                self._tell(one)

    # ---- faults ------------------------------------------------------------------------------
    def lost(self, master: Any) -> None:
        """A master has died."""
        for one in [c for c in self._contenders if c.master is master]:
            self.withdraw(one)

    def depose(self, master: Any) -> None:
        """Its lease is taken from it, and it will hear of it."""
        one = self._leads
        if one is not None and one.master is master:
            self._vacate()
            self._after(DEPOSED_S, lambda: self._tell(one))

    def paused(self, master: Any) -> None:
        """A master was stopped: if it still is when its lease runs out, another may lead."""
        epoch, stop = self.epoch, object()
        self._stops[master] = stop

        def run_out() -> None:
            still = master.paused and self._stops.get(master) is stop
            if self.leader is master and still and self.epoch == epoch:
                self._vacate()

        self._after(self.lease_s, run_out)

    def resumed(self, master: Any) -> None:
        """A master goes on: if it was replaced meanwhile, it will hear of it."""
        self._after(DEPOSED_S, lambda: self.look(master))
        self._after(DETECT_S, self._elect)

    def _tell(self, contender: Contender) -> None:
        if contender in self._contenders and contender.epoch:
            self._contenders.remove(contender)
            lost = Lost(contender.epoch, "a later epoch has begun")
            contender.news.send_nowait(lost)

    def _vacate(self) -> None:
        self._leads = None
        self._after(DETECT_S, self._elect)

    def _elect(self) -> None:
        if self._leads is not None:
            return
        able = [c for c in self._contenders if c.can_lead]
        if not able:
            return
        chosen = self._leads = self._dice.choice(able)
        self.epoch += 1
        chosen.epoch = self.epoch
        self._leader = Leader(self.epoch, chosen.candidate)
        chosen.news.send_nowait(Elected(self.epoch))
        self._news.set()
        self._news = trio.Event()

    # ---- everybody ---------------------------------------------------------------------------
    async def next_leader(self, known: Leader | None) -> Leader:
        """The leader, once it is another one than `known`."""
        while self._leader is None or self._leader == known:
            await self._news.wait()
        await trio.sleep(self._dice.uniform(*NEWS_S))
        return self._leader


class SimElection:
    """The election port of one life of a process."""

    def __init__(self, elections: Elections, process: Any, life: Life) -> None:
        self._elections, self._process, self._life = elections, process, life

    @asynccontextmanager
    async def contend(self, candidate: Candidate) -> AsyncIterator[AsyncIterator[Leadership]]:
        send, receive = trio.open_memory_channel[Leadership](4)
        contender = Contender(self._process, self._life, candidate, send)
        self._elections.join(contender)
        try:
            yield receive
        finally:
            if not self._life.dead:
                self._elections.withdraw(contender)

    def look_now(self) -> None:
        self._elections.look(self._process)

    def watch(self) -> AsyncIterator[Leader | None]:
        return _Watch(self._elections)


class _Watch:
    """Each leader, a little after it was elected."""

    def __init__(self, elections: Elections) -> None:
        self._elections = elections
        self._known: Leader | None = None

    def __aiter__(self) -> _Watch:
        return self

    async def __anext__(self) -> Leader | None:
        self._known = await self._elections.next_leader(self._known)
        return self._known
