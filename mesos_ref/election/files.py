"""The files of an election: one lock and one notice per epoch.

For epoch N there are `PATH.N.lock`, locked as long as its maker lives, and `PATH.N.json`, the maker
as it wants to be found, its pid, and the stamp it renews.  The lock file appears already locked (it
is linked into place), and only whoever makes it ever locks it exclusively; everybody else asks with
a shared lock, which disturbs nobody.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec

from mesos_ref.election.interface import Candidate
from mesos_ref.wire import json


class Files:
    """The files of one election; every method is one atomic look or deed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._probe: tuple[int, int] | None = None  # (epoch, descriptor) last asked about

    def lock_of(self, epoch: int) -> Path:
        return self.folder / f"{self.path.name}.{epoch}.lock"

    def notice_of(self, epoch: int) -> Path:
        return self.folder / f"{self.path.name}.{epoch}.json"

    def epochs(self, suffix: str) -> list[int]:
        """The epochs that have such a file, newest first."""
        start = len(self.path.name) + 1
        names = [name for name in os.listdir(self.folder) if name.endswith(suffix)]
        numbers = [
            name[start : -len(suffix)] for name in names if name.startswith(f"{self.path.name}.")
        ]
        return sorted((int(number) for number in numbers if number.isdigit()), reverse=True)

    def newest(self) -> int:
        """The newest epoch there is; 0: none yet."""
        return max(self.epochs(".lock"), default=0)

    def is_held(self, epoch: int) -> bool:
        """Whether the maker of that epoch's file lives, and has not let go."""
        descriptor = self._descriptor_of(epoch)
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False

    def _descriptor_of(self, epoch: int) -> int | None:
        if self._probe is not None and self._probe[0] == epoch:
            return self._probe[1]
        self.close()
        try:
            descriptor = os.open(self.lock_of(epoch), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # pruned
            return None
        self._probe = (epoch, descriptor)
        return descriptor

    def close(self) -> None:
        if self._probe is not None:
            os.close(self._probe[1])
            self._probe = None

    def claim(self, epoch: int) -> int | None:
        """Make the epoch's file, locked; its descriptor.  None if somebody has been faster."""
        aside = self.folder / f".{self.path.name}.{epoch}.{os.getpid()}.{id(self)}"
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(aside, self.lock_of(epoch))
        except FileExistsError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        finally:
            aside.unlink()
        return descriptor

    def write_notice(self, epoch: int, stamp: int, candidate: Candidate) -> None:
        """Replace the epoch's notice.  Not synced: a power cut ends every reign anyway."""
        notice = {
            "epoch": epoch,
            "stamp": stamp,
            "pid": os.getpid(),
            "link": candidate.link,
            "master": json.to_builtins(candidate.info),
        }
        aside = self.folder / f".{self.path.name}.{epoch}.json"
        aside.write_bytes(json.dump(notice))
        aside.rename(self.notice_of(epoch))

    def read_notice(self, epoch: int) -> dict[str, Any] | None:
        """The epoch's notice; None if there is none, or none that makes sense."""
        try:
            notice = msgspec.json.decode(self.notice_of(epoch).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return notice if isinstance(notice, dict) else None

    def prune(self, up_to: int) -> None:
        """Remove what is left of old epochs."""
        for suffix, name_of in ((".lock", self.lock_of), (".json", self.notice_of)):
            for epoch in self.epochs(suffix):
                if epoch <= up_to:
                    name_of(epoch).unlink(missing_ok=True)
