"""What an agent and its template process say to each other: a line of JSON each.

Also `RunSpec`, which says all there is to know about one run: it goes over the wire to the
template and to disk beside the run.
"""

from __future__ import annotations

import msgspec

from mesos_ref.isolation.processes import Identity


class RLimit(msgspec.Struct, frozen=True):
    """One `setrlimit`: `name` as in `resource.RLIMIT_*` without the prefix, None = unlimited."""

    name: str
    soft: int | None = None
    hard: int | None = None


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of one executor.

    `argv` empty means the built-in command executor, run inside the forked process.  Otherwise
    `argv` is executed (`executable` if set, else looked up as `argv[0]`), exactly with
    `environment`.  `user` is obeyed by root only.
    """

    container_id: str
    agent_id: str
    framework_id: str
    executor_id: str
    environment: dict[str, str]
    argv: tuple[str, ...] = ()
    executable: str | None = None
    user: str | None = None
    checkpoint: bool = False
    shutdown_grace_us: int = 5_000_000
    rlimits: tuple[RLimit, ...] = ()


class Launch(msgspec.Struct, frozen=True, tag="launch"):
    """Agent to template: fork this run.  Its directories exist."""

    run: RunSpec


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Template to agent: the work directory is ours, every earlier template has gone."""

    pid: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Template to agent: it can't serve, and ends."""

    why: str


class Launched(msgspec.Struct, frozen=True, tag="launched"):
    """Template to agent: forked; the process notes its own pid before it does anything."""

    container_id: str
    who: Identity


class LaunchFailed(msgspec.Struct, frozen=True, tag="launch_failed"):
    """Template to agent: nothing was forked."""

    container_id: str
    why: str


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """Template to agent: nothing of the run lives, `exit` is written.  Raw wait status."""

    container_id: str
    wait_status: int | None


FromTemplate = Ready | Refused | Launched | LaunchFailed | Exited
