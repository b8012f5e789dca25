"""Where a framework under test lives: one process of a cluster in virtual time.

A framework is an async function of a `Site`.  It runs as a scheduler's process: a plan may kill it,
and then it is called again, with nothing left but what it wrote to the site's disk.  It is done
when it returns.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mesos_chaos.plan import Workload
from mesos_chaos.virtual.nodes import MASTER_PORT
from mesos_chaos.virtual.processes import Process, World
from mesos_chaos.virtual.streams import Life
from mesos_ref.ports.disk import Disk
from mesos_ref.scheduler.connecting import connect
from mesos_ref.scheduler.library import Framework


class Misuse(Exception):
    """What is under test is no framework as it must be written here."""


class Site:
    """What a framework under test has of the world."""

    def __init__(
        self, process: FrameworkUnderTest, life: Life, dice: random.Random, masters: str
    ) -> None:
        self.name = process.name
        self.workload: Workload = process.workload  #: of the plan: what it is asked to do
        self.masters = masters  #: what `mesos_ref.scheduler.connect` takes for a master
        self.life = process.lives  #: 1 at first, 2 after it was killed once
        self.disk: Disk = process.files(life)  #: outlives the process
        self.random = dice  #: the same in every run of a seed
        self._process, self._life = process, life

    def connect(self, **options: Any) -> AbstractAsyncContextManager[Framework]:
        """`mesos_ref.scheduler.connect` at this cluster; `options` are its own."""
        process, life = self._process, self._life
        given: dict[str, Any] = {"name": self.name, "user": "nobody", **options}
        return connect(
            self.masters,
            node=self.name,
            trace=process.trace(life),
            net=process.net(life),
            clock=process.clock(),
            ids=process.ids(),
            **given,
        )


Main = Callable[[Site], Awaitable[Any]]


class FrameworkUnderTest(Process):
    """The process of a framework under test."""

    role = "scheduler"

    def __init__(self, world: World, workload: Workload, masters: list[str], main: Main) -> None:
        super().__init__(world, workload.name)
        self.workload = workload
        self._is_done = False
        self._masters = ",".join(f"http://{name}:{MASTER_PORT}" for name in masters)
        self._main = main

    async def main(self, life: Life) -> Any:
        """One life of it: until the function returns."""
        dice = self.world.random(f"framework {self.name} {self.lives}")
        try:
            begun: Any = self._main(Site(self, life, dice, self._masters))
            if not inspect.isawaitable(begun):
                raise Misuse(f"a framework must be an async function: {self._main!r} is none")
            return await begun
        except* SystemExit as exits:
            raise Misuse("a framework must return: this one left with SystemExit") from exits

    def ended(self, outcome: Any) -> None:
        super().ended(outcome)
        self._is_done = True

    @property
    def is_done(self) -> bool:
        """Whether the function has returned."""
        return self._is_done

    def pending(self) -> list[str]:
        """Why it is not done."""
        return [] if self.is_done else [f"{self.name} has not returned"]
