"""After the agents are gone: end every run of a work directory, and see that none is left.

Only for work directories no agent serves: whoever takes a cluster down, or reuses its folders.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
import trio

from mesos_ref.isolation import processes
from mesos_ref.isolation.posix import end_leftovers
from mesos_ref.isolation.rundir import all_runs

#: How long a template may take to notice that its agent is gone.
_TEMPLATE_PATIENCE_S = 5.0
_LOOK_AGAIN_S = 0.01


class Swept(msgspec.Struct, frozen=True):
    """Containers that had to be ended, and pids that would not go; both sorted."""

    ended: tuple[str, ...]
    left: tuple[int, ...]


class StillServedError(Exception):
    """An agent, or its template, is still there; its runs are its own business."""


async def end_runs(work_dir: Path) -> Swept:
    """End every run noted in a work directory, then look for survivors on the whole machine.

    Raises StillServedError if the template of a living agent does not go away.
    """
    await _outlive_template(work_dir / "meta" / "template.lock")
    runs = list(all_runs(work_dir))
    ended = []
    for where in runs:
        if not where.is_over():
            await end_leftovers(where.meta.name, where)
            ended.append(where.meta.name)
    leaders = [who for where in runs if (who := where.read_pid()) is not None]
    sessions = {s for who in leaders if (s := processes.session_of(who)) is not None}
    left = processes.members_of({where.meta.name for where in runs}, sessions)
    return Swept(tuple(sorted(ended)), tuple(sorted(left)))


async def _outlive_template(path: Path) -> None:
    """Return once nobody holds the lock: whatever its holder forked is noted then."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    give_up_at_s = trio.current_time() + _TEMPLATE_PATIENCE_S
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if trio.current_time() > give_up_at_s:
                    raise StillServedError(f"{path} is held: end the agent first") from None
                await trio.sleep(_LOOK_AGAIN_S)
            else:
                return
    finally:
        os.close(lock)
