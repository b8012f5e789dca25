"""Processes, as /proc tells of them: who is whose child, who is who after a restart.

A process is named by its pid, its start time and the boot it belongs to: a pid alone may have been
given to somebody else since.  A run's processes are found three ways, each where the one before
can't reach: as descendants of the run's first process, by its session, and by the container id
they carry in their environment.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Set
from contextlib import suppress
from pathlib import Path

import msgspec

PR_SET_CHILD_SUBREAPER = 36
CONTAINER_VARIABLE = "MESOS_CONTAINER_ID"
SWEEP_TIMEOUT_S = 5.0
#: Longest wait asked of a selector: epoll counts milliseconds in 31 bits.
LONGEST_WAIT_S = 86_400.0

_libc = ctypes.CDLL(None, use_errno=True)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Identity(msgspec.Struct, frozen=True):
    """Which process this is, for ever: safe to write down and to compare after a restart."""

    pid: int
    starttime: int
    boot_id: str


class Stat(msgspec.Struct, frozen=True):
    """The part of `/proc/PID/stat` we use.  `starttime` is in clock ticks since boot."""

    pid: int
    state: str
    ppid: int
    pgrp: int
    session: int
    starttime: int


def stat(pid: int) -> Stat | None:
    """What the kernel says of `pid`; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = text[text.rindex(b")") + 2 :].split()
    return Stat(
        pid=pid,
        state=after_name[0].decode(),
        ppid=int(after_name[1]),
        pgrp=int(after_name[2]),
        session=int(after_name[3]),
        starttime=int(after_name[19]),
    )


def identity(pid: int) -> Identity | None:
    """The identity of a process that lives now; a zombie counts, as nobody else has its pid."""
    seen = stat(pid)
    return None if seen is None else Identity(pid, seen.starttime, _BOOT_ID)


def is_alive(who: Identity) -> bool:
    """Whether that very process still runs (a zombie doesn't)."""
    if who.boot_id != _BOOT_ID:
        return False
    seen = stat(who.pid)
    return seen is not None and seen.starttime == who.starttime and seen.state not in "ZX"


def session_of(leader: Identity) -> int | None:
    """The session `leader` made with setsid, unless that number may mean another one by now.

    A pid isn't given out again while it is somebody's session, so only a newer process of that
    very pid makes it doubtful.
    """
    if leader.boot_id != _BOOT_ID:
        return None
    seen = stat(leader.pid)
    return leader.pid if seen is None or seen.starttime == leader.starttime else None


def runs(pid: int) -> bool:
    """Whether some process of that pid runs (a zombie doesn't)."""
    seen = stat(pid)
    return seen is not None and seen.state not in "ZX"


def open_pidfd(who: Identity) -> int | None:
    """A pidfd of that very process, or None when it is gone.  Readable once the process ends."""
    if who.boot_id != _BOOT_ID:
        return None
    try:
        fd = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return None
    if is_alive(who):  # asked after opening: from here on the fd can't mean anybody else
        return fd
    os.close(fd)
    return None


def become_subreaper() -> None:
    """Let orphaned descendants become this process's children instead of init's."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def children(pid: int) -> list[int]:
    """The children of every thread of `pid`, zombies included; empty when it is gone."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def descendants(pid: int) -> list[int]:
    """The children of `pid`, theirs, and so on; parents come before children."""
    found = children(pid)
    for each in found:
        found += children(each)  # the list grows while we walk it
    return found


def all_pids() -> list[int]:
    """Every process of the machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def members(container_id: str, session: int | None) -> list[int]:
    """The living processes of a run nobody supervises: by session and by environment."""
    mark = f"{CONTAINER_VARIABLE}={container_id}".encode()
    found = []
    for pid in all_pids():
        seen = stat(pid)
        if seen is None or seen.state in "ZX" or pid == os.getpid():
            continue
        if (session is not None and seen.session == session) or mark in _environment(pid):
            found.append(pid)
    return found


def members_of(container_ids: Set[str], sessions: Set[int]) -> list[int]:
    """The living processes of any of these runs: `members`, for many at the price of one."""
    prefix = f"{CONTAINER_VARIABLE}=".encode()
    found = []
    for pid in all_pids():
        seen = stat(pid)
        if seen is None or seen.state in "ZX" or pid == os.getpid():
            continue
        carried = [v for v in _environment(pid) if v.startswith(prefix)]
        names = {v.removeprefix(prefix).decode(errors="replace") for v in carried}
        if seen.session in sessions or names & container_ids:
            found.append(pid)
    return found


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # gone, or somebody else's
        return []


def send_signal(pids: Iterable[int], number: int) -> int:
    """Signal each; those already gone don't matter.  Returns how many were there."""
    sent = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            sent += 1
        except ProcessLookupError:
            continue
    return sent


def patience_s(until_s: float | None, now_s: float) -> float | None:
    """How long a selector may wait; never longer than the kernel can be asked to."""
    return None if until_s is None else min(max(0.0, until_s - now_s), LONGEST_WAIT_S)


def sweep_descendants(timeout_s: float = SWEEP_TIMEOUT_S) -> bool:
    """SIGKILL and reap all that descends from this process (a subreaper) until nothing does.

    Returns False if something is left after `timeout_s` (stuck in the kernel).
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        send_signal(descendants(os.getpid()), signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
