"""Nothing is left behind: whatever a cluster has started is found by a mark, and ended.

Every member is started with `MESOS_REF_CLUSTER=<uuid>` in its environment, agents hand it on to
their executors, and those to their tasks.  So a process that has lost its parent, its agent and its
session is still known for what it is.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

import msgspec
import trio

from mesos_ref.isolation import processes
from mesos_ref.isolation.environment import CLUSTER_VARIABLE

#: How long what was killed may take to be gone (a process can be stuck in the kernel).
PATIENCE_S: Final = 5.0
_LOOK_AGAIN_S = 0.01


class Left(msgspec.Struct, frozen=True):
    """A process that could not be ended, or has not been yet."""

    pid: int
    command: str


def marked(mark: str) -> list[Left]:
    """Every living process, but this one, that carries the mark."""
    wanted = f"{CLUSTER_VARIABLE}={mark}".encode()
    return [
        Left(pid, _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip())
        for pid in processes.all_pids()
        if pid != os.getpid()
        and wanted in _read(pid, "environ").split(b"\0")
        and processes.runs(pid)
    ]


async def end_marked(mark: str, patience_s: float = PATIENCE_S) -> list[Left]:
    """Kill all that carries the mark, with their children; what is still there in the end.

    One look may miss a process that is being forked meanwhile, so it takes two looks in a row that
    find nobody to be sure.
    """
    give_up_at_s = trio.current_time() + patience_s
    clean = 0
    while True:
        left = marked(mark)
        clean = 0 if left else clean + 1
        if clean == 2 or trio.current_time() > give_up_at_s:
            return left
        for each in left:
            tree = [each.pid, *processes.descendants(each.pid)]
            processes.send_signal([pid for pid in tree if pid != os.getpid()], signal.SIGKILL)
        await trio.sleep(_LOOK_AGAIN_S)


def _read(pid: int, what: str) -> bytes:
    """A file of /proc/PID; empty if the process is gone, or not ours to look into."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
