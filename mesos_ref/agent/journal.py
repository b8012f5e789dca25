"""The agent's journal: what its core wanted kept, in a file that only grows, and who may write it.

`<work_dir>/meta/agent.journal` is a line of JSON per batch, `{key: value}`, where null forgets a
key; the lines before it and a line's own order do not matter, so the file read from the top is the
state. One sync makes a batch durable. A kill may tear the last line, and that batch's effects were
never performed, so it never was. Any other damage is reported, never guessed around (RCV-7).

The first line says what the file is, and which *life* of the agent wrote it: starts are counted
there, because at each start what has grown is written anew, aside, synced, and renamed. So it is
when the file has outgrown what it says.

A kernel lock on `meta/agent.lock` keeps a second agent out of the same work directory; it goes with
the process that holds it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from mesos_ref.ports.disk import AppendFile, Disk
from mesos_ref.wire import json

FORMAT: Final = "mesos-ref agent"
VERSION: Final = 1

#: A journal below this size is left to grow; above, until it is `GROWTH` times what it began as.
SMALL_BYTES: Final = 16 << 20
GROWTH: Final = 4


class JournalError(Exception):
    """What was kept can't be read, or somebody else is using it; the sentence says which file."""


class Journal:
    """An open journal. Made by `open_journal`; `kept` is all that is durable."""

    def __init__(self, disk: Disk, path: Path, life: int, kept: dict[str, Any]) -> None:
        self.path = path
        #: Which start of this work directory this is, from 1.
        self.life = life
        self.kept = kept
        self._disk = disk
        self._file: AppendFile | None = None
        self._size = self._compact_at = 0

    async def begin(self) -> None:
        """Count this life. Whoever traces it has written that down before (or nobody would know
        whether a life that is counted, and left no trace, has done something). Raises `OSError`."""
        await self.compact()

    async def keep(self, changes: Mapping[str, Any]) -> None:
        """Make `changes` durable: once this returns, they are. Raises `OSError`."""
        for key, value in changes.items():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value
        line = json.dump(changes) + b"\n"
        if self._file is None or self._size + len(line) > self._compact_at:
            await self.compact()
            return
        await self._file.append(line)
        self._size += len(line)

    async def compact(self) -> None:
        """Replace the file by one that says the same in fewer words. Raises `OSError`."""
        await self.aclose()
        head = {"journal": FORMAT, "version": VERSION, "life": self.life}
        lines = [json.dump({key: value}) for key, value in self.kept.items()]
        data = b"\n".join([json.dump(head), *lines, b""])
        await self._disk.write_durable(self.path, data)
        self._file = await self._disk.open_append(self.path)
        self._size = len(data)
        self._compact_at = max(SMALL_BYTES, GROWTH * len(data))

    async def aclose(self) -> None:
        """Close the file; what was kept is kept."""
        if self._file is not None:
            file, self._file = self._file, None
            await file.aclose()


async def open_journal(disk: Disk, work_dir: Path) -> Journal:
    """Read what earlier lives kept; `begin` counts a new one. Raises `JournalError`, `OSError`."""
    path = work_dir / "meta" / "agent.journal"
    data = await disk.read(path)
    life, kept = (0, {}) if data is None else read(data, str(path))
    return Journal(disk, path, life + 1, kept)


def read(data: bytes, name: str) -> tuple[int, dict[str, Any]]:
    """The life that wrote a journal, and what it adds up to. Raises `JournalError`."""
    *lines, torn = data.split(b"\n")
    if not lines:
        raise JournalError(f"{name}: is no journal: not even its first line is whole")
    head = _line(lines[0], name, 1)
    life = head.get("life")
    if head.get("journal") != FORMAT or head.get("version") != VERSION or not isinstance(life, int):
        raise JournalError(
            f"{name}: expected a journal of {FORMAT!r}, version {VERSION}, found {lines[0][:200]!r}"
        )
    kept: dict[str, Any] = {}
    for number, line in enumerate(lines[1:], 2):
        for key, value in _line(line, name, number).items():
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = value
    del torn  # a batch that a kill interrupted, or nothing
    return life, kept


def _line(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise JournalError(f"{name}, line {number}: {error}, in {line[:200]!r}") from None
    if not isinstance(value, dict):
        raise JournalError(f"{name}, line {number}: expected an object, found {line[:200]!r}")
    return value


@contextmanager
def lock_work_dir(work_dir: Path) -> Iterator[None]:
    """Be the only agent of a work directory, which is made if need be. Raises `JournalError`."""
    folder = work_dir / "meta"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # what is noted there of executors has their secrets in it
        descriptor = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"the work directory {work_dir} can't be used: {error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise JournalError(
                f"the work directory {work_dir} is in use by another agent, pid {holder}: "
                "give each agent its own --work-dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
