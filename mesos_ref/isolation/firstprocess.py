"""A run's first process, from the fork to its last note.

It leads its own session and is a subreaper: whatever its run starts, however it daemonises, stays
below it.  For a command task it *is* the executor: nothing more is executed but the command.
For any other executor it supervises: starts the program, waits, and, if the framework asked for no
checkpointing, ends it when the agent is gone.  Last, it ends what is left below it, notes in `exit`
how the executor ended, and goes.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import sys
import time
import traceback
from typing import NoReturn

from mesos_ref.executor import command as command_executor
from mesos_ref.executor.spawn import SpawnError, start_program
from mesos_ref.isolation import processes
from mesos_ref.isolation.messages import RLimit, RunSpec
from mesos_ref.isolation.rundir import RunDir

FAILED = 1 << 8  # as a wait status: exit code 1
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def begin(run: RunSpec, where: RunDir, lifeline: int) -> NoReturn:
    """Be the first process of `run`.  Called in a fresh fork of the template; never returns."""
    wait_status = FAILED
    try:
        _note_pid(where)
        _cut_loose(lifeline)
        _move_in(run, where)
        if run.argv:
            wait_status = supervise(run, lifeline)
        else:
            wait_status = command_executor.execute(run.environment) << 8
    except SpawnError as error:
        print(error, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    _end(where, wait_status)


def _note_pid(where: RunDir) -> None:
    """First of all: whoever takes the template's lock after us must find us in the books."""
    os.setsid()
    mine = processes.identity(os.getpid())
    assert mine is not None
    where.write_pid(mine)


def _cut_loose(lifeline: int) -> None:
    """Keep nothing of the template's but the lifeline: not its sockets, locks or handlers."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.closerange(3, lifeline)
    os.closerange(lifeline + 1, 1 << 20)
    processes.become_subreaper()


def _move_in(run: RunSpec, where: RunDir) -> None:
    """Into the sandbox: standard streams, working directory, limits."""
    os.chdir(where.sandbox)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for fd, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, fd)
        os.close(file)
    for limit in run.rlimits:
        _limit(limit)


def _limit(limit: RLimit) -> None:
    which: int = getattr(resource, f"RLIMIT_{limit.name}")
    unlimited = resource.RLIM_INFINITY
    soft = unlimited if limit.soft is None else limit.soft
    hard = unlimited if limit.hard is None else limit.hard
    resource.setrlimit(which, (soft, hard))


def supervise(run: RunSpec, lifeline: int) -> int:
    """Run the executor's program to its end.  Returns its raw wait status."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, *FORWARDED):
        # Handled, not ignored: an ignored signal would stay ignored in the program.  Whoever
        # signals a run signals all of it, so there is nothing to pass on.
        signal.signal(number, lambda _number, _frame: None)
    program = start_program(run.argv, run.executable, run.environment, run.user)
    return _wait_for(program, run, lifeline, readable)


def _wait_for(program: int, run: RunSpec, lifeline: int, deaths: int) -> int:
    kill_at_s: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(deaths, selectors.EVENT_READ)
        if not run.checkpoint:
            selector.register(lifeline, selectors.EVENT_READ)
        while True:
            patience_s = processes.patience_s(kill_at_s, time.monotonic())
            ready = {key.fd for key, _ in selector.select(patience_s)}
            if lifeline in ready:  # the agent is gone: the executor may end by itself first
                selector.unregister(lifeline)
                kill_at_s = time.monotonic() + run.shutdown_grace_us / 1e6
            if kill_at_s is not None and time.monotonic() >= kill_at_s:
                processes.send_signal(processes.descendants(os.getpid()), signal.SIGKILL)
                kill_at_s = None
            if deaths in ready:
                os.read(deaths, 4096)
                wait_status = reap_until(program)
                if wait_status is not None:
                    return wait_status


def reap_until(pid: int) -> int | None:
    """Reap every child that is dead.  Returns the wait status of `pid` if it was among them."""
    found = None
    while True:
        try:
            dead, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if dead == 0:
            return found
        if dead == pid:
            found = wait_status


def _end(where: RunDir, wait_status: int) -> NoReturn:
    """End what is left below us, note how it went, and go without any of Python's ceremonies."""
    try:
        processes.sweep_descendants()
        where.write_exit(wait_status)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    sys.stdout.flush()
    code = os.waitstatus_to_exitcode(wait_status)
    os._exit(code if code >= 0 else 128 - code)
