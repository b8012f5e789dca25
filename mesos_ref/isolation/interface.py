"""What an agent asks of isolation, whichever kind is plugged in.

A *run* is one life of one executor, known by its container id.  An isolator starts runs, signals
them, ends them without a trace, and says when one has ended; after a restart of the agent it takes
up again those that lived on.  It decides nothing about tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from mesos_ref.isolation.messages import RunSpec


class Exit(msgspec.Struct, frozen=True):
    """A run has ended and nothing of it is left.  Raw wait status; None: nobody could note it."""

    container_id: str
    wait_status: int | None


class Recovered(msgspec.Struct, frozen=True):
    """A run found after a restart: it lives (`pid`), or it ended as `Exit` would say."""

    container_id: str
    pid: int | None
    wait_status: int | None = None


class LaunchError(Exception):
    """The run was not started; the message says why."""


OnExit = Callable[[Exit], None]


class Isolator(Protocol):
    """One agent's isolation.  Between `prepare` and its `Exit` a container id is in use."""

    async def prepare(self, run: RunSpec) -> Path:
        """Make the run's directories and note it durably; its sandbox.  Raises LaunchError."""
        ...

    async def launch(self, run: RunSpec) -> int:
        """Start a prepared run; the pid of its first process.  Raises LaunchError.

        Exactly one `Exit` follows, possibly before this returns.
        """
        ...

    def signal(self, container_id: str, number: int) -> bool:
        """Signal every process of the run.  False if it isn't running."""
        ...

    async def destroy(self, container_id: str) -> None:
        """Kill every process of the run; returns after its `Exit`.  Ended already: does nothing."""
        ...

    async def recover(self, runs: Sequence[RunSpec]) -> list[Recovered]:
        """Take up runs of an earlier life of this agent; those that live get their `Exit` later."""
        ...

    async def end_others(self) -> list[str]:
        """Kill whatever else is noted in the work directory and not ended; its container ids."""
        ...


class IsolatorPlugin(Protocol):
    """An entry point of the group `mesos_ref.isolators`."""

    def __call__(
        self, work_dir: Path, on_exit: OnExit
    ) -> AbstractAsyncContextManager[Isolator]: ...
