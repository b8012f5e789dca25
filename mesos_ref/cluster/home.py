"""A cluster's work directory: one launcher at a time, and what an earlier one has left is ended.

WORK_DIR/cluster.lock        held by the launcher as long as it lives
WORK_DIR/cluster.json        the mark its processes carry
WORK_DIR/logs/NAME.log       a log of each member
WORK_DIR/election/leader.*   who leads
WORK_DIR/agent-N/            what an agent keeps, and its sandboxes
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mesos_ref.cluster.leftovers import Left, end_marked
from mesos_ref.isolation.rundir import write_durably
from mesos_ref.isolation.sweep import StillServedError, end_runs


class InUse(Exception):
    """Another launcher has the work directory."""


class Note(msgspec.Struct, frozen=True):
    """What `cluster.json` says."""

    mark: str
    launcher: int


@contextmanager
def claimed(work_dir: Path) -> Iterator[None]:
    """Have the work directory for oneself.  Raises `InUse`, `OSError`."""
    work_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(work_dir / "cluster.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note = read_note(work_dir)
            whose = "" if note is None else f" (pid {note.launcher})"
            raise InUse(
                f"{work_dir} is in use by another cluster{whose}: give this one another --work-dir"
            ) from None
        yield
    finally:
        os.close(lock)


def new_mark(work_dir: Path) -> str:
    """A mark for the processes of a new cluster, noted before any of them is started."""
    mark = uuid.uuid4().hex
    write_durably(work_dir / "cluster.json", msgspec.json.encode(Note(mark, os.getpid())))
    return mark


def read_note(work_dir: Path) -> Note | None:
    """What an earlier launcher has noted; None if there was none."""
    try:
        return msgspec.json.decode((work_dir / "cluster.json").read_bytes(), type=Note)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


async def sweep(work_dir: Path) -> list[Left]:
    """End all executors of the agents here, and whatever else carries the mark; what would not go.

    Only when no member runs any more.  Executors are ended by the books of their agents first, so
    that their ends are noted there.
    """
    note = read_note(work_dir)
    for agent in _agents(work_dir):
        try:
            await end_runs(agent)
        except StillServedError:
            continue  # its template is stuck; the mark finds it, and all that it forked
    return [] if note is None else await end_marked(note.mark)


def _agents(work_dir: Path) -> list[Path]:
    return sorted(folder for folder in work_dir.glob("agent-[0-9]*") if folder.is_dir())
