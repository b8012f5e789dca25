"""Isolation that any Unix user has: sessions, process groups, rlimits, and a template that forks.

While the template lives it is the parent of every run it forked, and says when one has ended and
left nothing.  A run without that parent (its agent or its template died) is watched by pidfd; when
it ends we kill what it left, found by session and by the container id in the environment.  (Killed
by a stranger while it has no such parent, it may leave a process that shed both.)
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from mesos_ref.isolation import processes
from mesos_ref.isolation.client import TemplateClient, TemplateError, TemplateGone, open_template
from mesos_ref.isolation.interface import Exit, LaunchError, OnExit, Recovered
from mesos_ref.isolation.messages import Exited, Launched, LaunchFailed, Ready, Refused, RunSpec
from mesos_ref.isolation.rundir import RunDir, all_runs

RESTART_PAUSE_S = 0.1
LOOK_AGAIN_S = 0.005


class Run:
    """A run that has not ended, as the agent knows it."""

    def __init__(self, where: RunDir) -> None:
        self.where = where
        self.asked_of: TemplateClient | None = None  # its parent; None: nobody's we can ask
        self.launched = trio.Event()  # or not: then there is no `who`
        self.who: processes.Identity | None = None
        self.failure = ""
        self.gone = trio.Event()


class PosixIsolator:
    """See `mesos_ref.isolation.interface.Isolator`; made by `open_posix_isolator`."""

    def __init__(
        self, work_dir: Path, on_exit: OnExit, lifeline: int, nursery: trio.Nursery
    ) -> None:
        self.work_dir = work_dir
        self.on_exit = on_exit
        self.nursery = nursery
        self.runs: dict[str, Run] = {}
        self.lifeline = lifeline
        self.template: TemplateClient | None = None
        self.template_ready = trio.Event()

    # Asked by the agent -----------------------------------------------------------------------

    async def prepare(self, run: RunSpec) -> Path:
        """In a thread: it is a dozen file operations."""
        try:
            where = RunDir.of(self.work_dir, run)
            await trio.to_thread.run_sync(where.create, run)
        except (OSError, ValueError) as error:
            raise LaunchError(f"cannot make the run's directories: {error}") from error
        return where.sandbox

    async def launch(self, run: RunSpec) -> int:
        """Ask the template, and wait for its word or, if it dies first, its successor's finding."""
        if run.container_id in self.runs:
            raise LaunchError(f"container {run.container_id} is there already")
        mine = self.runs[run.container_id] = Run(RunDir.of(self.work_dir, run))
        while self.template is None:
            await self.template_ready.wait()
        mine.asked_of = self.template
        with contextlib.suppress(TemplateGone):  # it may have forked: `_take_over` finds out
            await self.template.ask(run)
        await mine.launched.wait()
        if mine.who is None:
            raise LaunchError(mine.failure)
        return mine.who.pid

    def signal(self, container_id: str, number: int) -> bool:
        run = self.runs.get(container_id)
        if run is None or run.who is None or not processes.is_alive(run.who):
            return False
        members = [run.who.pid, *processes.descendants(run.who.pid)]
        return processes.send_signal(members, number) > 0

    async def destroy(self, container_id: str) -> None:
        run = self.runs.get(container_id)
        if run is None:
            return
        await run.launched.wait()
        if run.who is not None:
            await _end_tree(run.who)
            await run.gone.wait()

    async def recover(self, runs: Sequence[RunSpec]) -> list[Recovered]:
        """Watch those whose first process lives; end and note what is left of the others."""
        recovered = []
        for spec in runs:
            run = Run(RunDir.of(self.work_dir, spec))
            run.who = run.where.read_pid()
            run.launched.set()
            if run.who is not None and processes.is_alive(run.who):
                self.runs[spec.container_id] = run
                self.nursery.start_soon(self._watch, spec.container_id, run.who)
                recovered.append(Recovered(spec.container_id, run.who.pid))
            else:
                await end_leftovers(spec.container_id, run.where)
                wait_status = run.where.read_exit()
                recovered.append(Recovered(spec.container_id, None, wait_status))
        return recovered

    async def end_others(self) -> list[str]:
        ended = []
        for where in all_runs(self.work_dir):
            container_id = where.meta.name
            if container_id not in self.runs and not where.is_over():
                await end_leftovers(container_id, where)
                ended.append(container_id)
        return ended

    # The template -----------------------------------------------------------------------------

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep a template running; a new one for each that dies.  Raises TemplateError."""
        started = False
        while True:
            with contextlib.suppress(TemplateGone):
                async with open_template(self.work_dir, self.lifeline) as template:
                    self._take_over(template)
                    if not started:
                        task_status.started()
                        started = True
                    await self._listen(template)
            self.template = None
            self.template_ready = trio.Event()
            await trio.sleep(RESTART_PAUSE_S)

    def _take_over(self, template: TemplateClient) -> None:
        """A template is ready: so its predecessor is dead, and whatever that forked is noted."""
        for container_id, run in list(self.runs.items()):
            if run.asked_of is None:
                continue
            run.asked_of = None
            run.who = run.where.read_pid()
            if run.who is None:
                self._failed(container_id, "the template died before it forked the executor")
            else:
                run.launched.set()
                self.nursery.start_soon(self._watch, container_id, run.who)
        self.template = template
        self.template_ready.set()

    async def _listen(self, template: TemplateClient) -> None:
        while True:
            for message in await template.hear():
                match message:
                    case Launched():
                        if message.container_id in self.runs:
                            run = self.runs[message.container_id]
                            run.who = message.who
                            run.launched.set()
                    case LaunchFailed():
                        self._failed(message.container_id, message.why)
                    case Exited():
                        self._ended(message.container_id, message.wait_status)
                    case Ready() | Refused():
                        pass  # a first word, heard by `open_template`

    # Ends -------------------------------------------------------------------------------------

    async def _watch(self, container_id: str, who: processes.Identity) -> None:
        """Wait for the end of a run whose parent isn't our template."""
        pidfd = processes.open_pidfd(who)
        if pidfd is not None:
            try:
                await trio.lowlevel.wait_readable(pidfd)
            finally:
                trio.lowlevel.notify_closing(pidfd)
                os.close(pidfd)
        run = self.runs[container_id]
        await end_leftovers(container_id, run.where)
        self._ended(container_id, run.where.read_exit())

    def _failed(self, container_id: str, why: str) -> None:
        run = self.runs.pop(container_id, None)
        if run is not None:
            run.failure = why
            run.launched.set()
            run.gone.set()

    def _ended(self, container_id: str, wait_status: int | None) -> None:
        run = self.runs.pop(container_id, None)
        if run is not None:
            run.gone.set()
            self.on_exit(Exit(container_id, wait_status))


async def _end_tree(who: processes.Identity) -> None:
    """Kill a run from its leaves: as long as the first process is there, it is everyone's ancestor.

    It is stopped first, so that it neither tells nor starts anything meanwhile.
    """
    pidfd = processes.open_pidfd(who)
    if pidfd is None:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        give_up_at_s = trio.current_time() + processes.SWEEP_TIMEOUT_S
        while trio.current_time() < give_up_at_s:
            members = [pid for pid in processes.descendants(who.pid) if processes.runs(pid)]
            if not members:
                break
            processes.send_signal(members, signal.SIGKILL)
            await trio.sleep(LOOK_AGAIN_S)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended by itself, and what it left is found otherwise
    finally:
        os.close(pidfd)


async def end_leftovers(container_id: str, where: RunDir) -> None:
    """End every process of a run that has no parent to do it, and note its end."""
    who = where.read_pid()
    if who is not None:
        await _end_tree(who)
    give_up_at_s = trio.current_time() + processes.SWEEP_TIMEOUT_S
    while trio.current_time() < give_up_at_s:
        session = None if who is None else processes.session_of(who)
        members = processes.members(container_id, session)
        if not members:
            break
        processes.send_signal(members, signal.SIGKILL)
        await trio.sleep(LOOK_AGAIN_S)
    with contextlib.suppress(OSError):  # a full disk: then the next start looks again
        where.write_exit(None)


@asynccontextmanager
async def open_posix_isolator(work_dir: Path, on_exit: OnExit) -> AsyncIterator[PosixIsolator]:
    """An isolator with its template running.  On exit the template ends; checkpointed runs live on.

    `on_exit` is called once for each run that ends, in the isolator's own task: it must not block.
    Raises TemplateError, when another agent has the work directory for instance.
    """
    refused: TemplateError | None = None
    with _lifeline() as lifeline:
        async with trio.open_nursery() as nursery:
            isolator = PosixIsolator(Path.cwd() / work_dir, on_exit, lifeline, nursery)
            try:
                await nursery.start(isolator.serve)
            except TemplateError as error:
                refused = error  # raised below, on its own: not as one of a group
            else:
                yield isolator
            nursery.cancel_scope.cancel()
    if refused is not None:
        raise refused


@contextmanager
def _lifeline() -> Iterator[int]:
    """The read end of a pipe that ends when we do, however that comes about."""
    readable, writable = os.pipe()
    try:
        yield readable
    finally:
        os.close(readable)
        os.close(writable)
