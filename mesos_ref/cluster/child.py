"""What a member of a cluster runs: `mesos-ref`, but bound to die with whoever launched it.

    python -m mesos_ref.cluster.child LAUNCHER_PID master --port 5050 …

The kernel kills the member when its launcher ends, however it ends, and also if the member is
stopped just then.  Executors are not bound so: what becomes of them when their agent is gone is
their framework's choice (checkpointing), and the next launcher on the same directory ends the rest.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1

#: As exit code: the launcher was gone before the member could be bound to it.
ORPHANED: Final = 69


def die_with(launcher: int) -> bool:
    """Have this process killed when its parent ends.  False if that is no longer `launcher`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    return os.getppid() == launcher  # asked after the deed: whoever dies from now on kills us


def main(arguments: list[str]) -> int:
    """Bind, then be `mesos-ref` with what follows the pid."""
    launcher, *rest = arguments
    if not die_with(int(launcher)):
        return ORPHANED
    from mesos_ref.cli import main as mesos_ref  # not before it is bound: importing takes a while

    return mesos_ref(rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
