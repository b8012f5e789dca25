"""Sandboxes as the outside may see them: `/files/…`, LIST_FILES and READ_FILE, and nothing else.

A path is that of a file in some sandbox of this work directory, as `directory` in `/state` has it,
or below `/frameworks/<framework>/executors/<executor>/runs/…`, which stands for the same place.
Where a path leads is looked up by the kernel, and what was opened must lie among the sandboxes: a
task may put links there that point elsewhere, and they are not followed out.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

#: Most bytes of one read, as in Mesos (16 pages); readers ask again.
MAX_READ_BYTES: Final = 64 * 1024

#: How deep things lie: <agent>/frameworks/<framework>/executors/<executor>/runs/<container>.
_FRAMEWORKS: Final = 2
_SANDBOX: Final = 7


#: No file is longer than a signed 64-bit number of bytes.
MAX_OFFSET = 2**62


class FileError(Exception):
    """What was asked for can't be had: an HTTP status, and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class OpenFile:
    """One file that was found, and is read at places."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor

    def read(self, offset: int, length: int) -> bytes:
        """Some bytes; fewer at the end. Blocks."""
        return os.pread(self._descriptor, length, offset)

    def close(self) -> None:
        """Once."""
        os.close(self._descriptor)


class Files:
    """The sandboxes below one work directory. All methods block: call them in a thread."""

    def __init__(self, work_dir: Path) -> None:
        self._root = work_dir / "slaves"

    def read(self, path: str, offset: int, length: int | None) -> tuple[int, bytes]:
        """The file's size now, and its bytes from `offset` on. Raises `FileError`."""
        if offset < 0 or (length is not None and length < 0):
            raise FileError(400, f"offset {offset} and length {length} must not be negative")
        if offset > MAX_OFFSET:
            raise FileError(400, f"offset {offset} is beyond any file; at most {MAX_OFFSET}")
        with self._opened(path) as (descriptor, info):
            if not stat.S_ISREG(info.st_mode):
                raise FileError(400, f"{path!r} is no regular file")
            most = MAX_READ_BYTES if length is None else min(length, MAX_READ_BYTES)
            return info.st_size, os.pread(descriptor, most, offset)

    def open(self, path: str) -> OpenFile:
        """The file as it is now, to be read piece by piece and closed. Raises `FileError`."""
        with self._opened(path) as (descriptor, info):
            if not stat.S_ISREG(info.st_mode):
                raise FileError(400, f"{path!r} is no regular file")
            return OpenFile(os.dup(descriptor), info.st_size)

    def browse(self, path: str) -> list[dict[str, Any]]:
        """A folder's entries, by name, links not followed. Raises `FileError`.

        Above the sandboxes that is whose there are: those folders hold nothing else.
        """
        with self._opened(path, least=_FRAMEWORKS) as (descriptor, info):
            if not stat.S_ISDIR(info.st_mode):
                raise FileError(400, f"{path!r} is no folder")
            shown = []
            for name in sorted(os.listdir(descriptor)):
                try:
                    entry = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone since
                shown.append(_shown(os.path.join(path, name), entry))
            return shown

    @contextmanager
    def _opened(self, path: str, least: int = _SANDBOX) -> Iterator[tuple[int, os.stat_result]]:
        """A descriptor of what lies at `path`, if that is at least so deep below our root."""
        if not path:
            raise FileError(400, "Expecting 'path=value' in query.")
        try:
            target = os.path.realpath(self._meant(path))
            self._check(target, path, least)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(target, flags)
        except (OSError, ValueError) as error:
            raise FileError(404, f"{path!r} is not there") from error
        try:
            # What was swapped for a link meanwhile is found out here.
            self._check(_where(descriptor, target), path, least)
            yield descriptor, os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def _meant(self, path: str) -> str:
        if not f"{path}/".startswith("/frameworks/"):
            return path
        for agent in sorted(os.listdir(self._root)):
            found = self._root / agent / path.lstrip("/")
            if found.exists():
                return str(found)
        raise FileNotFoundError(path)

    def _check(self, target: str, path: str, least: int) -> None:
        root = os.path.realpath(self._root)
        below = Path(target).relative_to(root).parts if target.startswith(root + "/") else ()
        if len(below) < least:
            raise FileError(404, f"{path!r} is in no sandbox of this agent")


def _where(descriptor: int, target: str) -> str:
    """Where an open file really lies; on kernels that do not tell, where it was looked for."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        return target


def _shown(path: str, info: os.stat_result) -> dict[str, Any]:
    return {
        "path": path,
        "nlink": info.st_nlink,
        "size": info.st_size,
        "mtime": int(info.st_mtime),
        "mode": stat.filemode(info.st_mode),
        "uid": _user(info.st_uid),
        "gid": _group(info.st_gid),
    }


@lru_cache(256)
def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(256)
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def file_info_v1(shown: dict[str, Any]) -> dict[str, Any]:
    """An entry of `browse` as LIST_FILES has it: modes are numbers there, times nanoseconds."""
    mtime = {"nanoseconds": shown["mtime"] * 1_000_000_000}
    return {**shown, "mtime": mtime, "mode": _mode_number(shown["mode"])}


def _mode_number(text: str) -> int:
    """The permission bits of ``-rw-r--r--``."""
    return sum(1 << (8 - at) for at, letter in enumerate(text[1:10]) if letter not in "-ST")
