"""One child process: a session of its own, a log file, and an end that is told once.

Children are started by the launcher's main thread, not by one of trio's: the kernel binds a child's
life (see `child`) to the *thread* that made it.  That costs the loop the millisecond a fork takes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

_READ_BYTES: Final = 65_536
#: How long the last words of a dead child may take to arrive, if a child of its own has its stdout.
_LAST_WORDS_S: Final = 0.2


class ChildProcess:
    """A running child.  Exactly one task calls `live`."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it, its stderr appended to `log`.  Raises `OSError`."""
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                list(argv),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        assert self._popen.stdout is not None
        self._stdout = trio.lowlevel.FdStream(os.dup(self._popen.stdout.fileno()))
        self._popen.stdout.close()
        self.pid = self._popen.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._ended = trio.Event()

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it: negative for a signal; None while it runs, or is not reaped."""
        return self._popen.returncode

    async def live(self, hear: Callable[[bytes], None]) -> int:
        """Hand each line it prints to `hear`, wait for its end, and reap it; the return code."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, hear)
            await trio.lowlevel.wait_readable(self._pidfd)
            nursery.cancel_scope.deadline = trio.current_time() + _LAST_WORDS_S
        returncode = self._popen.wait()
        trio.lowlevel.notify_closing(self._pidfd)
        os.close(self._pidfd)
        self._ended.set()
        return returncode

    async def _read(self, hear: Callable[[bytes], None]) -> None:
        unread = b""
        async with self._stdout:
            while data := await self._stdout.receive_some(_READ_BYTES):
                *lines, unread = (unread + data).split(b"\n")
                for line in lines:
                    hear(line)

    async def ended(self) -> None:
        """Return once it is reaped, and its last words are heard."""
        await self._ended.wait()

    def signal(self, number: int) -> bool:
        """Signal this very process; False if it has ended."""
        if self._popen.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
            return True
        return False


def how(returncode: int | None) -> str:
    """An end in words: ``ended with status 5``, ``was killed by SIGKILL``."""
    if returncode is None:
        return "is running"
    if returncode >= 0:
        return f"ended with status {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    return f"was killed by {name}"


def tail(log: Path, lines: int = 12, max_bytes: int = 8192) -> str:
    """The last lines of a log, for an error message; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - max_bytes))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
