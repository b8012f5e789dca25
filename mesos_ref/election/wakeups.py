"""Waiting for a lock's holder to die, or for a folder to change, without asking all the time.

Both are the kernel's own news (a pidfd, inotify).  Where they can't be had, the wait is a short
sleep instead: then one asks all the time after all.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

import trio

ASK_EVERY_S = 0.025

_IN_MOVED_TO = 0x80
_libc = ctypes.CDLL(None, use_errno=True)


class HolderWatch:
    """The process behind a lock."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._pidfd: int | None = None
        self._has_died = False

    def follow(self, epoch: int, pid: object) -> None:
        """Watch this pid for the holder of `epoch`.  It may have passed to somebody else just now:
        so look at the lock afterwards, and now and then."""
        if epoch == self._epoch and (self._pidfd is not None or self._has_died):
            return
        self.close()
        self._epoch = epoch
        if isinstance(pid, int) and pid > 0 and hasattr(os, "pidfd_open"):
            with suppress(OSError):  # gone, or in another namespace
                self._pidfd = os.pidfd_open(pid)

    async def dies(self) -> None:
        """Return when the holder has died (once), or it is time to ask again."""
        if self._pidfd is None:
            await trio.sleep(ASK_EVERY_S)
            return
        await trio.lowlevel.wait_readable(self._pidfd)
        epoch = self._epoch
        self.close()
        self._epoch, self._has_died = epoch, True

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._epoch = self._pidfd = None
        self._has_died = False


class FolderWatch:
    """Files moved into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inotify: int | None = None

    async def changes(self, at_most_s: float) -> None:
        """Return when the folder may have changed since `open`, at the latest after `at_most_s`."""
        if self._inotify is None:
            await trio.sleep(min(ASK_EVERY_S, at_most_s))
            return
        with trio.move_on_after(at_most_s):
            await trio.lowlevel.wait_readable(self._inotify)
            os.read(self._inotify, 1 << 16)

    def open(self) -> None:
        """Begin to watch, if there is such a folder yet and inotify is to be had."""
        if self._inotify is not None or not hasattr(_libc, "inotify_init1"):
            return
        descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            return
        if _libc.inotify_add_watch(descriptor, os.fsencode(self._folder), _IN_MOVED_TO) < 0:
            os.close(descriptor)
            return
        self._inotify = descriptor

    def close(self) -> None:
        if self._inotify is not None:
            os.close(self._inotify)
            self._inotify = None
