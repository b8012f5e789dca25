"""The process port: only the contract.  Who starts processes owns the implementations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Process(Protocol):
    """A process this node has started."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Its wait status, once it has ended."""
        ...

    def kill(self, signal: int) -> None:
        """Send a signal to its whole process group.  Harmless once it has ended."""
        ...


class Proc(Protocol):
    """Starts processes."""

    async def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, log: Path
    ) -> Process:
        """Start `argv` in a session of its own, in `folder`, its output appended to `log`.

        Raises `OSError` if it can't be started.
        """
        ...
