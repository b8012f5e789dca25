"""Election among the processes of one machine: `file:PATH`, with locks that die with their holder.

For epoch N there are `PATH.N.lock`, locked as long as its holder lives, and `PATH.N.json`, the
holder as it wants to be found and the stamp it renews.  The lock file appears already locked (it is
linked into place), and only whoever makes it ever locks it exclusively; everybody else asks with a
shared lock, which disturbs nobody.  What to do is decided by `ElectionCore`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_ref.election import core as election
from mesos_ref.election.interface import Candidate, Leader, Leadership
from mesos_ref.step import Effect
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import MasterInfo

DEFAULT_LEASE_S = 1.0
LOOK_EVERY_S = 0.025

_log = logging.getLogger("mesos_ref.election")


class Files:
    """The files of one election; every method is one atomic look or deed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._probe: tuple[int, int] | None = None  # (epoch, descriptor) last asked about

    def lock_of(self, epoch: int) -> Path:
        return self.folder / f"{self.path.name}.{epoch}.lock"

    def notice_of(self, epoch: int) -> Path:
        return self.folder / f"{self.path.name}.{epoch}.json"

    def epochs(self, suffix: str) -> list[int]:
        """The epochs that have such a file, newest first."""
        start = len(self.path.name) + 1
        names = [name for name in os.listdir(self.folder) if name.endswith(suffix)]
        numbers = [
            name[start : -len(suffix)] for name in names if name.startswith(f"{self.path.name}.")
        ]
        return sorted((int(number) for number in numbers if number.isdigit()), reverse=True)

    def newest(self) -> int:
        """The newest epoch there is; 0: none yet."""
        return max(self.epochs(".lock"), default=0)

    def is_held(self, epoch: int) -> bool:
        """Whether the maker of that epoch's file lives, and has not let go."""
        descriptor = self._descriptor_of(epoch)
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False

    def _descriptor_of(self, epoch: int) -> int | None:
        if self._probe is not None and self._probe[0] == epoch:
            return self._probe[1]
        self.close()
        try:
            descriptor = os.open(self.lock_of(epoch), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # pruned
            return None
        self._probe = (epoch, descriptor)
        return descriptor

    def close(self) -> None:
        if self._probe is not None:
            os.close(self._probe[1])
            self._probe = None

    def claim(self, epoch: int) -> int | None:
        """Make the epoch's file, locked; its descriptor.  None if somebody has been faster."""
        aside = self.folder / f".{self.path.name}.{epoch}.{os.getpid()}.{id(self)}"
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(aside, self.lock_of(epoch))
        except FileExistsError:
            os.close(descriptor)
            return None
        finally:
            aside.unlink()
        return descriptor

    def write_notice(self, epoch: int, stamp: int, candidate: Candidate) -> None:
        """Replace the epoch's notice.  Not synced: a power cut ends every reign anyway."""
        notice = {
            "epoch": epoch,
            "stamp": stamp,
            "link": candidate.link,
            "master": json.to_builtins(candidate.info),
        }
        aside = self.folder / f".{self.path.name}.{epoch}.json"
        aside.write_bytes(json.dump(notice))
        aside.rename(self.notice_of(epoch))

    def read_notice(self, epoch: int) -> dict[str, Any] | None:
        """The epoch's notice; None if there is none, or none that makes sense."""
        try:
            notice = msgspec.json.decode(self.notice_of(epoch).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return notice if isinstance(notice, dict) else None

    def prune(self, up_to: int) -> None:
        """Remove what is left of old epochs."""
        for suffix, name_of in ((".lock", self.lock_of), (".json", self.notice_of)):
            for epoch in self.epochs(suffix):
                if epoch <= up_to:
                    name_of(epoch).unlink(missing_ok=True)


def now_us() -> int:
    return int(trio.current_time() * 1e6)


class FileElection:
    """See `mesos_ref.election.interface.Election`.  `lease_s` must be the same for all."""

    def __init__(self, path: Path, lease_s: float = DEFAULT_LEASE_S) -> None:
        self.path = path
        self.lease_us = int(lease_s * 1e6)
        self.look_every_s = min(LOOK_EVERY_S, lease_s / 4)

    @asynccontextmanager
    async def contend(self, candidate: Candidate) -> AsyncIterator[AsyncIterator[Leadership]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        send, receive = trio.open_memory_channel[Leadership](2)  # Elected and Lost: never full
        contender = Contender(Files(self.path), candidate, self.lease_us, self.look_every_s, send)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(contender.run)
            yield receive
            nursery.cancel_scope.cancel()

    def watch(self) -> AsyncIterator[Leader | None]:
        return Watch(self.path, self.look_every_s)


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
        self._events: deque[election.Event] = deque()
        self._renewed = trio.Event()
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
            self.files.close()
            self.news.close()

    async def _wait(self) -> None:
        deadline = self.core.next_deadline
        until_s = float("inf") if deadline is None else (deadline + 1) / 1e6
        with trio.move_on_at(until_s):
            await self._renewed.wait()
        self._renewed = trio.Event()
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
        try:
            return self.files.claim(epoch)
        except OSError as error:  # no room, say: as if another had been faster
            _log.warning("cannot claim epoch %d: %s", epoch, error)
            return None

    def _look(self) -> election.Looked:
        began_us = now_us()
        newest = self.files.newest()
        if newest == 0:
            return election.Looked(began_us, 0, False, None)
        notice = self.files.read_notice(newest)
        stamp = None if notice is None else notice.get("stamp")
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
        self._renewed.set()

    def _release(self) -> None:
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


class Watch:
    """The leader now, then every change: the newest epoch that was made known, if it is held."""

    def __init__(self, path: Path, look_every_s: float) -> None:
        self.files = Files(path)
        self.look_every_s = look_every_s
        self._last: Leader | None = None
        self._has_said = False

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Leader | None:
        while True:
            leader = self.leader()
            if not self._has_said or leader != self._last:
                self._has_said, self._last = True, leader
                await trio.lowlevel.checkpoint()
                return leader
            await trio.sleep(self.look_every_s)

    async def aclose(self) -> None:
        """Let go of the file last asked about."""
        self.files.close()

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
