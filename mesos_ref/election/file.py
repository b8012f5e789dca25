"""Election among the processes of one machine: `file:PATH`, with locks that die with their holder.

The shell around `ElectionCore`: it does what the core wants with the files.  It hears of a holder's
death and of a new leader from the kernel, and looks at the files now and then besides.
"""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from mesos_ref.election import core as election
from mesos_ref.election.files import Files
from mesos_ref.election.interface import Candidate, Leader, Leadership
from mesos_ref.election.wakeups import FolderWatch, HolderWatch
from mesos_ref.step import Effect
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import MasterInfo

DEFAULT_LEASE_S = 1.0
LOOK_EVERY_S = 0.1  # at a holder that lives; its death is heard at once
WATCH_EVERY_S = 0.25  # at a leader that lives; a new one is heard of at once

#: What waiting does not mend: an election can't be held here.
_LASTING_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP})

_log = logging.getLogger("mesos_ref.election")


def now_us() -> int:
    """The loop's monotonic clock."""
    return int(trio.current_time() * 1e6)


class FileElection:
    """See `mesos_ref.election.interface.Election`.  `lease_s` must be the same for all."""

    def __init__(self, path: Path, lease_s: float = DEFAULT_LEASE_S) -> None:
        self.path = path
        self.lease_us = int(lease_s * 1e6)
        self.look_every_s = min(LOOK_EVERY_S, lease_s / 4)
        self._contenders: list[Contender] = []

    @asynccontextmanager
    async def contend(self, candidate: Candidate) -> AsyncIterator[AsyncIterator[Leadership]]:
        """Compete, as the interface has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        send, receive = trio.open_memory_channel[Leadership](2)  # Elected and Lost: never full
        contender = Contender(Files(self.path), candidate, self.lease_us, self.look_every_s, send)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(contender.run)
            self._contenders.append(contender)
            try:
                yield receive
            finally:
                self._contenders.remove(contender)
            nursery.cancel_scope.cancel()

    def look_now(self) -> None:
        for contender in self._contenders:
            contender.stir()

    def watch(self) -> AsyncIterator[Leader | None]:
        return Watch(self.path)


class Contender:
    """One master's part: does what the core wants, and lets go when it is cancelled."""

    def __init__(
        self,
        files: Files,
        candidate: Candidate,
        lease_us: int,
        look_every_s: float,
        news: trio.MemorySendChannel[Leadership],
    ) -> None:
        self.files = files
        self.candidate = candidate
        self.core = election.ElectionCore(lease_us, int(look_every_s * 1e6))
        self.news = news
        self.lock: int | None = None
        #: Why the last claim failed.
        self.trouble: str | None = None
        self._events: deque[election.Event] = deque()
        self._holder = HolderWatch()
        self._woken = trio.Event()
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Until it is over with us, or we are cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                while not self.core.is_over:
                    await self._wait()
                    self._drain()
                self._nursery.cancel_scope.cancel()
        finally:
            self._release()
            self._holder.close()
            self.files.close()
            self.news.close()

    def stir(self) -> None:
        """Look soon, whatever was planned."""
        if not self._woken.is_set():
            self._events.append(election.Stirred())
            self._woken.set()

    async def _wait(self) -> None:
        deadline = self.core.next_deadline
        until_s = float("inf") if deadline is None else (deadline + 1) / 1e6
        with trio.move_on_at(until_s):
            if self.lock is None:
                await self._holder.dies()
                self._events.append(election.Stirred())
            else:
                await self._woken.wait()
        self._woken = trio.Event()
        self._events.append(election.Tick())

    def _drain(self) -> None:
        while self._events:
            for effect in self.core.handle(self._events.popleft(), now_us()).effects:
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case election.Look():
                self._events.append(self._look())
            case election.Claim():
                self.lock = self._claim(effect.epoch)
                self._events.append(election.Claimed(effect.epoch, self.lock is not None))
            case election.Renew():
                self._nursery.start_soon(self._renew, effect)
            case election.Release():
                self._release()
            case election.Prune():
                self.files.prune(effect.up_to)
            case election.Announce():
                self.news.send_nowait(effect.news)
            case _:
                raise AssertionError(f"an election has no effect like {effect}")

    def _claim(self, epoch: int) -> int | None:
        """The lock; None if another was faster, or the disk is full. Raises `OSError`."""
        trouble = None
        try:
            return self.files.claim(epoch)
        except OSError as error:
            if error.errno in _LASTING_ERRORS:
                raise
            trouble = error.strerror
            if trouble != self.trouble:  # it is tried again and again, and told once
                _log.warning("cannot claim epoch %d: %s", epoch, error)
            return None
        finally:
            self.trouble = trouble

    def _look(self) -> election.Looked:
        began_us = now_us()
        newest = self.files.newest()
        if newest == 0:
            return election.Looked(began_us, 0, False, None)
        notice = self.files.read_notice(newest)
        stamp, pid = (None, None) if notice is None else (notice.get("stamp"), notice.get("pid"))
        self._holder.follow(newest, pid)
        return election.Looked(began_us, newest, self.files.is_held(newest), stamp)

    async def _renew(self, effect: election.Renew) -> None:
        """In a thread: a slow disk may cost us the lead, but must not hold up the master."""
        began_us = now_us()
        try:
            await trio.to_thread.run_sync(
                self.files.write_notice, effect.epoch, effect.stamp, self.candidate
            )
        except OSError as error:
            self._events.append(election.RenewFailed(effect.epoch, str(error)))
        else:
            newest = self.files.newest()
            self._events.append(election.Renewed(effect.epoch, began_us, newest))
        self._woken.set()

    def _release(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


class Watch:
    """The leader now, then every change: the newest epoch that was made known, if it is held."""

    def __init__(self, path: Path) -> None:
        self.files = Files(path)
        self._folder = FolderWatch(path.parent)
        self._last: Leader | None = None
        self._has_said = False

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Leader | None:
        while True:
            self._folder.open()
            leader = self.leader()
            if not self._has_said or leader != self._last:
                self._has_said, self._last = True, leader
                await trio.lowlevel.checkpoint()
                return leader
            await self._folder.changes(WATCH_EVERY_S)

    async def aclose(self) -> None:
        """Let go of what is watched."""
        self.files.close()
        self._folder.close()

    def leader(self) -> Leader | None:
        """Who leads, as far as one look can tell."""
        with suppress(FileNotFoundError):  # the folder: no master has ever been here
            for epoch in self.files.epochs(".json")[:1]:
                if self.files.is_held(epoch):
                    if self._last is not None and self._last.epoch == epoch:
                        return self._last
                    return _leader(epoch, self.files.read_notice(epoch))
        return None


def _leader(epoch: int, notice: dict[str, Any] | None) -> Leader | None:
    if notice is None:
        return None
    with suppress(WireError):
        info = json.from_builtins(notice.get("master"), MasterInfo)
        link = notice.get("link")
        return Leader(epoch, Candidate(info, link if isinstance(link, str) else None))
    return None
