"""A process in virtual time: it lives, is stopped and goes on, is killed, and lives again.

To be killed is to fall silent before anything else: its ports are dead first, so that no `finally`
in it can say another word to anybody; only then are its tasks cancelled.  Its trace ends there,
too.  The next life begins when the last one's tasks are gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import trio

from mesos_chaos.sim.node import SimIds
from mesos_chaos.virtual.disks import Disk, SimDisk
from mesos_chaos.virtual.seam import Whims, start_as
from mesos_chaos.virtual.streams import Life, Network, SimNet
from mesos_ref.ports.clock import TrioClock

#: The date of every run.
WALL_START_US = 1_700_000_000_000_000


class World(Protocol):
    """What processes live in."""

    nursery: trio.Nursery
    network: Network
    whims: Whims
    crashes: list[str]

    def random(self, stream: str) -> Any:
        """The random stream of that name."""
        ...

    def wrote(self, trace: str, data: bytes) -> None:
        """A process has written to its trace."""
        ...


class Process(ABC):
    """One process by name, over all of its lives, on a machine of the same name if none is given.

    Who derives from it says in `main` what one life does.
    """

    role = ""

    def __init__(self, world: World, name: str, machine: str = "") -> None:
        self.world = world
        self.name = name
        self.machine = machine or name
        self.paused = False
        self.disk = Disk(world.random(f"disk {name}"))
        self.life = Life(self.machine)
        self.life.dead = True
        self.lives = 0
        self.outcome: Any = None  #: what the last life that ended by itself came to
        self.error: Exception | None = None  #: what its life failed with
        self._gone = trio.Event()
        self._gone.set()

    @property
    def is_done(self) -> bool:
        """Whether it has done all it wanted, and is not started again."""
        return False

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return not self.life.dead

    @abstractmethod
    async def main(self, life: Life) -> Any:
        """One life: until it ends by itself, or is killed."""

    def ended(self, outcome: Any) -> None:
        """A life has ended by itself."""
        self.outcome = outcome

    # ---- life and death ----------------------------------------------------------------------
    def start(self) -> None:
        """Begin the next life, if it is not alive, and has something left to do."""
        if self.alive or self.is_done:
            return
        self.lives += 1
        self.life = life = Life(self.machine)
        before, self._gone = self._gone, trio.Event()
        me = f"{self.role} {self.name}"
        start_as(me, self.world.nursery, self._live, life, before, self._gone)

    async def _live(self, life: Life, before: trio.Event, gone: trio.Event) -> None:
        await before.wait()
        try:
            with life.scope:
                outcome = None if life.dead else await self.main(life)
                if not life.dead:
                    life.end(self.world.network)
                    self.ended(outcome)
        except Exception as error:  # the harness goes on, and tells
            if life.killed:
                return  # it has failed at nothing: it was no more
            self.error = error
            self.world.crashes.append(f"{self.role} {self.name} failed: {_bare(error)!r}")
            life.end(self.world.network)
        finally:
            gone.set()

    def kill(self) -> None:
        """As SIGKILL does."""
        if self.alive:
            self.life.killed = True
            self.life.end(self.world.network)
            self.life.scope.cancel()
        self.resume()

    def pause(self) -> None:
        """As SIGSTOP does."""
        if self.alive and not self.paused:
            self.paused = True
            self.world.whims.freeze(f"{self.role} {self.name}")

    def resume(self) -> None:
        """As SIGCONT does."""
        if self.paused:
            self.paused = False
            self.world.whims.thaw(f"{self.role} {self.name}")
            self.world.network.stir()

    # ---- ports -------------------------------------------------------------------------------
    def net(self, life: Life) -> SimNet:
        """Its network."""
        return SimNet(self.world.network, life)

    def files(self, life: Life) -> SimDisk:
        """Its disk."""
        return SimDisk(self.disk, life)

    def clock(self) -> TrioClock:
        """Its clock."""
        return TrioClock(WALL_START_US)

    def ids(self, what: str = "") -> SimIds:
        """Ids for this life."""
        return SimIds(self.world.random(f"ids {self.role} {self.name} {self.lives} {what}"))

    def trace(self, life: Life) -> Callable[[str], Callable[[bytes], object]]:
        """Where its traces go: by the name of each, whatever takes its bytes."""

        def of(name: str) -> Callable[[bytes], object]:
            def take(data: bytes) -> None:
                if not life.dead:
                    self.world.wrote(name, data)

            return take

        return of


def _bare(error: BaseException) -> BaseException:
    """What a group of one is about."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
