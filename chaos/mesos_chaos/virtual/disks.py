"""A simulated disk: what was not synced when the process was killed may be there, or half of it.

Writing takes time.  A file that is replaced is the old one or the new one, whenever the kill comes;
a piece that is appended may be torn anywhere, if its `append` has not returned (A6, D4).
"""

from __future__ import annotations

import errno
import random
from pathlib import Path

import trio

from mesos_chaos.virtual import seam
from mesos_chaos.virtual.streams import Life
from mesos_ref.ports.disk import AppendFile

SYNC_S = (0.000_05, 0.000_6)


class Disk:
    """A machine's files, which outlive its processes."""

    def __init__(self, dice: random.Random) -> None:
        self.files: dict[Path, bytes | bytearray] = {}
        self.dice = dice


class SimDisk:
    """The disk port of one life of a process."""

    def __init__(self, disk: Disk, life: Life) -> None:
        self._disk, self._life = disk, life

    async def read(self, path: Path) -> bytes | None:
        await self._work()
        data = self._disk.files.get(path)
        return None if data is None else bytes(data)

    async def write_durable(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self._allow(path)
        await self._work()
        if not self._life.dead:
            self._disk.files[path] = data
        await self._work()

    async def open_append(self, path: Path, mode: int = 0o600) -> AppendFile:
        self._allow(path)
        await self._work()
        if not self._life.dead:
            self._disk.files.setdefault(path, b"")
        return _Growing(self, path)

    async def append(self, path: Path, data: bytes) -> None:
        """Write a piece at the end of a file, and sync."""
        is_there = False

        def write() -> None:
            nonlocal is_there
            is_there = True
            if not self._life.dead:
                self._put(path, data)

        half_s, rest_s = self._half_s(), self._half_s()
        alarm = seam.after(half_s, write)
        try:
            await seam.sleep(half_s + rest_s)
        except trio.Cancelled:
            alarm.cancel()
            if self._life.dead and not is_there:
                self._put(path, data[: self._disk.dice.randint(0, len(data))])
            raise

    def _put(self, path: Path, data: bytes) -> None:
        files = self._disk.files
        there = files.get(path, b"")
        if not isinstance(there, bytearray):
            there = files[path] = bytearray(there)
        there += data

    async def listdir(self, path: Path) -> list[str]:
        await self._work()
        self._allow(path / "any")
        below = (p.relative_to(path).parts[0] for p in self._disk.files if path in p.parents)
        return sorted(set(below))

    async def remove_tree(self, path: Path) -> None:
        await self._work()
        files = self._disk.files
        if not self._life.dead:
            self._disk.files = {
                p: d for p, d in files.items() if p != path and path not in p.parents
            }

    def _allow(self, path: Path) -> None:
        """Raise `OSError` where a file stands in the way of a folder."""
        for above in path.parents:
            if above in self._disk.files:
                raise NotADirectoryError(errno.ENOTDIR, "Not a directory", str(above))

    async def _work(self) -> None:
        await seam.sleep(self._half_s())

    def _half_s(self) -> float:
        """How long it takes until something is done, or the rest of the time that it takes."""
        return self._disk.dice.uniform(*SYNC_S) / 2


class _Growing:
    """A file that only grows."""

    def __init__(self, disk: SimDisk, path: Path) -> None:
        self._disk, self._path = disk, path
        self._is_open = True

    async def append(self, data: bytes) -> None:
        if not self._is_open:
            raise ValueError("append to a closed file")
        await self._disk.append(self._path, data)

    async def aclose(self) -> None:
        self._is_open = False
        await trio.lowlevel.checkpoint()
