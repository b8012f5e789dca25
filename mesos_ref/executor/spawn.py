"""Starting a command: its argv, its environment, its user.

The rule for users: root obeys `CommandInfo.user` and hands that user the sandbox; anybody else runs
commands as himself, whatever the framework asks for.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from mesos_ref.executor import demands
from mesos_ref.wire.v1 import CommandInfo, TaskInfo

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SpawnError(Exception):
    """The command can't be started; the message says why, for the framework's user."""


def argv_of(command: CommandInfo) -> tuple[tuple[str, ...], str | None]:
    """`(argv, executable)`: through the shell, or `value` with `arguments` as its whole argv.

    Raises SpawnError when there is nothing to run.
    """
    if command.shell:
        if command.value is None:
            raise SpawnError("the command has no value: with shell=true it is the shell's input")
        return ("/bin/sh", "-c", command.value), "/bin/sh"
    if not command.value:
        raise SpawnError("the command has no value: with shell=false it is the program to run")
    return (command.arguments or (command.value,)), command.value


def environment_of(task: TaskInfo, inherited: Mapping[str, str]) -> dict[str, str]:
    """The executor's environment, the task's role, and over both what the command asks for."""
    environment = {"PATH": DEFAULT_PATH, **inherited}
    for resource in task.resources:
        if resource.allocation_info is not None and resource.allocation_info.role is not None:
            environment["MESOS_ALLOCATION_ROLE"] = resource.allocation_info.role
            break
    return environment | demands.environment_of(task.command)


def start(task: TaskInfo, inherited: Mapping[str, str]) -> int:
    """Start the task's command; its pid.  Raises SpawnError."""
    if task.command is None:
        raise SpawnError("the task has no command")
    argv, executable = argv_of(task.command)
    return start_program(argv, executable, environment_of(task, inherited), task.command.user)


def start_program(
    argv: Sequence[str], executable: str | None, environment: Mapping[str, str], user: str | None
) -> int:
    """Start a program in its own process group; its pid.  The caller reaps it.

    Raises SpawnError.
    """
    try:
        process = subprocess.Popen(
            argv,
            executable=executable,
            env=environment,
            process_group=0,
            **_become(user),
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SpawnError(f"Failed to launch command: {error}") from error
    process.returncode = 0  # keeps Popen from waiting for it
    return process.pid


def how_it_ended(wait_status: int) -> tuple[int | None, str | None]:
    """`(exit code, None)` or `(None, signal's name)`, the name as strsignal(3) has it."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return code, None
    return None, signal.strsignal(-code) or f"{-code}"


def _become(user: str | None) -> dict[str, Any]:
    """What to tell `subprocess.Popen` so that the program runs as `user`."""
    if not user or user == "root" or os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise SpawnError(f"no user {user!r} on this machine") from None
    for path in (".", "stdout", "stderr"):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    groups = os.getgrouplist(user, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
