"""The template: one small single-threaded process per agent, which forks that agent's executors.

A new Python costs some 100 ms; a fork of one that has imported what a command executor needs costs
about two.  The template forks, reaps, and tells: when a run's first process has ended it ends
whatever that left behind (as a subreaper it inherits it), notes the wait status in the run
directory, and only then tells the agent.  When the agent goes, the template goes; runs live on.

At most one template serves a work directory.  It holds a lock on `meta/template.lock` that a forked
process shares until it has noted its own pid, so whoever holds the lock next finds every process
its predecessor forked written down.

    python -m mesos_ref.isolation.template --control-fd N --lifeline-fd N --work-dir DIR
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mesos_ref.executor import command
from mesos_ref.isolation import firstprocess, processes
from mesos_ref.isolation.messages import (
    Exited,
    FromTemplate,
    Launch,
    Launched,
    LaunchFailed,
    Ready,
    Refused,
    RunSpec,
)
from mesos_ref.isolation.rundir import RunDir

LOCK_PATIENCE_S = 1.0  # how long an earlier template may take to notice its agent's death
SWEEP_RETRY_S = 0.02
MAX_LINE = 1 << 20


class Holder(msgspec.Struct, frozen=True):
    """Written into the lock file: who serves this work directory, and for which agent process."""

    template: processes.Identity
    agent: processes.Identity


class InUseError(Exception):
    """Another living agent has this work directory."""


class Ended(msgspec.Struct):
    """A run whose first process was reaped, but whose leftovers may still be dying."""

    run: RunSpec
    wait_status: int
    give_up_at_s: float


class Template:
    """The process's one loop: requests from the control socket, deaths from SIGCHLD."""

    def __init__(self, control: socket.socket, lifeline: int, work_dir: Path) -> None:
        self.control = control
        self.lifeline = lifeline
        self.work_dir = work_dir
        self.unread = b""
        self.running: dict[int, RunSpec] = {}
        self.ended: list[Ended] = []
        self.decoder = msgspec.json.Decoder(Launch)

    def serve(self) -> None:
        """Until the agent hangs up."""
        self.tell(Ready(os.getpid()))
        with selectors.DefaultSelector() as selector, child_deaths() as deaths:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(deaths, selectors.EVENT_READ)
            while True:
                ready = {
                    key.fd for key, _ in selector.select(SWEEP_RETRY_S if self.ended else None)
                }
                if deaths in ready:
                    os.read(deaths, 4096)
                    self.reap()
                if self.ended:
                    self.settle()
                if self.control.fileno() in ready and not self.hear():
                    return

    def hear(self) -> bool:
        """Read requests and fork.  False when the agent has hung up."""
        try:
            data = self.control.recv(1 << 16)
        except ConnectionError:
            data = b""
        *lines, self.unread = (self.unread + data).split(b"\n")
        if not data or len(self.unread) > MAX_LINE:
            return False
        for line in lines:
            self.launch(self.decoder.decode(line).run)
        return True

    def launch(self, run: RunSpec) -> None:
        """Fork a run's first process."""
        try:
            where = RunDir.of(self.work_dir, run)
            pid = os.fork()
        except (OSError, ValueError) as error:
            self.tell(LaunchFailed(run.container_id, str(error)))
            return
        if pid == 0:
            firstprocess.begin(run, where, self.lifeline)
        who = processes.identity(pid)
        assert who is not None, "an unreaped child is there"
        self.running[pid] = run
        self.tell(Launched(run.container_id, who))

    def reap(self) -> None:
        """Collect the dead: our runs, and without a word what dead runs left to us."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            run = self.running.pop(pid, None)
            if run is not None:
                give_up_at_s = time.monotonic() + processes.SWEEP_TIMEOUT_S
                self.ended.append(Ended(run, wait_status, give_up_at_s))

    def settle(self) -> None:
        """Kill leftovers; once there are none, note the ends and tell the agent.

        A child we didn't fork was orphaned by a run's first process.  What a killed child leaves is
        ours before its own death is, so there is nothing left when no such child is left.
        """
        leftovers = [pid for pid in processes.children(os.getpid()) if pid not in self.running]
        processes.send_signal(leftovers, signal.SIGKILL)
        now_s = time.monotonic()
        waiting = [end for end in self.ended if leftovers and now_s < end.give_up_at_s]
        for end in self.ended:
            if end not in waiting:
                self.note(end)
        self.ended = waiting

    def note(self, end: Ended) -> None:
        wait_status: int | None = end.wait_status
        try:
            wait_status = RunDir.of(self.work_dir, end.run).write_exit(end.wait_status)
        except (OSError, ValueError) as error:
            print(f"cannot note the end of {end.run.container_id}: {error}", file=sys.stderr)
        self.tell(Exited(end.run.container_id, wait_status))

    def tell(self, message: FromTemplate) -> None:
        """Blocks while the agent doesn't read: an agent that is stopped stops its template."""
        try:
            self.control.sendall(msgspec.json.encode(message) + b"\n")
        except ConnectionError:
            return  # the read side sees it too, and ends us


@contextmanager
def child_deaths() -> Iterator[int]:
    """A descriptor that becomes readable when a child dies."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    yield readable


def claim(work_dir: Path, agent: processes.Identity) -> int:
    """Lock the work directory, waiting for a predecessor to end; returns the lock's descriptor.

    A predecessor that outlives its agent by `LOCK_PATIENCE_S` (it was stopped) is killed.
    Raises InUseError when another living agent has the directory.
    """
    (work_dir / "meta").mkdir(parents=True, exist_ok=True)
    path = work_dir / "meta" / "template.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    patience_ends_s = time.monotonic() + LOCK_PATIENCE_S
    while not _try_lock(lock):
        if time.monotonic() > patience_ends_s:
            _depose(work_dir, os.pread(lock, 4096, 0), agent)
        time.sleep(0.005)
    mine = processes.identity(os.getpid())
    assert mine is not None
    os.ftruncate(lock, 0)
    os.pwrite(lock, msgspec.json.encode(Holder(template=mine, agent=agent)), 0)
    return lock


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _depose(work_dir: Path, content: bytes, agent: processes.Identity) -> None:
    try:
        holder = msgspec.json.decode(content, type=Holder)
    except msgspec.MsgspecError:
        return  # it has the lock and is just about to write
    if holder.agent != agent and processes.is_alive(holder.agent):
        raise InUseError(f"{work_dir} is in use by the agent with pid {holder.agent.pid}")
    pidfd = processes.open_pidfd(holder.template)
    if pidfd is not None:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


def main(arguments: list[str]) -> int:
    """Claim the work directory, say so, and serve."""
    parser = argparse.ArgumentParser(prog="mesos_ref.isolation.template", description=__doc__)
    parser.add_argument("--control-fd", type=int, required=True, help="our end of a socketpair")
    parser.add_argument("--work-dir", type=Path, required=True, help="the agent's work directory")
    parser.add_argument(
        "--lifeline-fd", type=int, required=True, help="a pipe that ends when the agent does"
    )
    options = parser.parse_args(arguments)
    control = socket.socket(fileno=options.control_fd)
    control.set_inheritable(False)
    os.set_inheritable(options.lifeline_fd, False)
    template = Template(control, options.lifeline_fd, options.work_dir.absolute())
    agent = processes.identity(os.getppid())
    try:
        if agent is None:
            raise InUseError("the agent that started this template is gone already")
        claim(template.work_dir, agent)
    except (InUseError, OSError) as error:
        template.tell(Refused(str(error)))
        return 1
    processes.become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's ^C is the agent's business
    command.preload()
    gc.collect()
    gc.freeze()  # forked children then leave these pages shared
    template.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
