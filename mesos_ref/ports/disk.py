"""The disk port: what has been written survives a kill at any moment.

`write_durable` replaces a file whole: written aside, synced, renamed, the folder synced.  A reader
sees the old bytes or the new ones.  `open_append` gives a file that grows; what `append` has
returned from is on disk, and after a kill only the last, unreturned piece may be torn.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import trio


class AppendFile(Protocol):
    """A file that only grows."""

    async def append(self, data: bytes) -> None:
        """Write `data` at the end, and sync.  One call is one sync: batch what belongs together."""
        ...

    async def aclose(self) -> None: ...


class Disk(Protocol):
    """All operations raise `OSError` if the disk refuses."""

    async def read(self, path: Path) -> bytes | None:
        """The whole file; None if there is none."""
        ...

    async def write_durable(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Replace the file at once and for good.  Missing folders are made."""
        ...

    async def open_append(self, path: Path, mode: int = 0o600) -> AppendFile:
        """Open a file for appending.  It, and missing folders, are made."""
        ...

    async def listdir(self, path: Path) -> list[str]:
        """Sorted names; none if there is no such folder."""
        ...

    async def remove_tree(self, path: Path) -> None:
        """Remove a file, or a folder and all in it.  Nothing there is fine."""
        ...


class RealDisk:
    """The machine's own disk.  Each operation runs in a thread, so that a sync blocks nobody."""

    async def read(self, path: Path) -> bytes | None:
        return await trio.to_thread.run_sync(_read, path)

    async def write_durable(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        await trio.to_thread.run_sync(_write_durable, path, data, mode)

    async def open_append(self, path: Path, mode: int = 0o600) -> AppendFile:
        return _RealAppendFile(path, await trio.to_thread.run_sync(_open_append, path, mode))

    async def listdir(self, path: Path) -> list[str]:
        return await trio.to_thread.run_sync(_listdir, path)

    async def remove_tree(self, path: Path) -> None:
        await trio.to_thread.run_sync(_remove_tree, path)


class _RealAppendFile:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    async def append(self, data: bytes) -> None:
        if self._descriptor is None:
            raise ValueError("append to a closed file")
        await trio.to_thread.run_sync(_append, self._path, self._descriptor, data)

    async def aclose(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            await trio.to_thread.run_sync(os.close, descriptor)


# What the threads do --------------------------------------------------------------------------


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an `OSError` say which file it is about; a write by descriptor does not know."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write_durable(path: Path, data: bytes, mode: int) -> None:
    _make_folder(path.parent)
    descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with naming(path), open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(aside)
        raise
    _sync_folder(path.parent)


def _open_append(path: Path, mode: int) -> int:
    _make_folder(path.parent)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, mode)
    if is_new:
        _sync_folder(path.parent)
    return descriptor


def _append(path: Path, descriptor: int, data: bytes) -> None:
    with naming(path):
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)


def _listdir(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def _remove_tree(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return
    _sync_folder(path.parent)


def _make_folder(path: Path) -> None:
    """Make a folder and those above it, each entry synced."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
