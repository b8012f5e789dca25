"""Election over lock files: real files, real locks, real processes that are killed and stopped."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio

from mesos_ref.election.file import FileElection
from mesos_ref.election.files import Files
from mesos_ref.election.interface import Candidate, Elected, ElectionError, Leader, Lost
from mesos_ref.election.open import open_election
from mesos_ref.election.single import SingleElection
from mesos_ref.wire.v1 import Address, MasterInfo
from model_tests.live.hosting import live

pytestmark = pytest.mark.needs("linux")


def candidate(port: int, link: str | None = None) -> Candidate:
    address = Address(ip="127.0.0.1", port=port)
    return Candidate(MasterInfo(id=f"m{port}", ip=0, port=port, address=address), link)


# In one process -------------------------------------------------------------------------------


@live
async def test_the_first_is_elected_and_everybody_learns_of_it(tmp_path: Path) -> None:
    where = FileElection(tmp_path / "new" / "leader")
    watch = where.watch()
    assert await anext(watch) is None
    first = candidate(1, "127.0.0.1:99")
    async with where.contend(first) as leadership:
        assert await anext(leadership) == Elected(1)
        assert await anext(watch) == Leader(1, first)
        assert first.url == "http://127.0.0.1:1"
    assert await anext(watch) is None


@live
async def test_who_resigns_is_succeeded(tmp_path: Path) -> None:
    where = FileElection(tmp_path / "leader")
    watch = where.watch()
    assert await anext(watch) is None
    async with where.contend(candidate(1)) as first:
        assert await anext(first) == Elected(1)
        assert await anext(watch) == Leader(1, candidate(1))
        async with trio.open_nursery() as nursery, where.contend(candidate(2)) as second:
            with trio.move_on_after(0.1) as waited:
                await anext(second)
            assert waited.cancelled_caught, "two lead at once"
            nursery.cancel_scope.cancel()
    async with where.contend(candidate(3)) as third:
        assert await anext(third) == Elected(2)
        seen = [leader async for leader in until(watch, 2)]
    assert seen[-1] == Leader(2, candidate(3))


async def until(watch: AsyncIterator[Leader | None], epoch: int) -> AsyncIterator[Leader | None]:
    async for leader in watch:
        yield leader
        if leader is not None and leader.epoch >= epoch:
            return


@live
async def test_epochs_never_repeat_and_old_files_go(tmp_path: Path) -> None:
    where = FileElection(tmp_path / "leader")
    for epoch in range(1, 13):
        async with where.contend(candidate(epoch)) as leadership:
            assert await anext(leadership) == Elected(epoch)
            await trio.sleep(0.001)
    files = Files(tmp_path / "leader")
    assert files.epochs(".lock") == files.epochs(".json") == list(range(12, 4, -1))
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@live
async def test_a_holder_that_finds_a_newer_epoch_has_lost(tmp_path: Path) -> None:
    where = FileElection(tmp_path / "leader", lease_s=0.3)
    async with where.contend(candidate(1)) as leadership:
        assert await anext(leadership) == Elected(1)
        usurper = Files(tmp_path / "leader").claim(2)
        assert usurper is not None
        assert await anext(leadership) == Lost(1, "epoch 2 has begun")
        with pytest.raises(StopAsyncIteration):
            await anext(leadership)
        os.close(usurper)


@live
async def test_a_holder_looks_when_it_is_told_to(tmp_path: Path) -> None:
    """Its next renewal is ten seconds away; hearsay makes it look now, and only truth counts."""
    where = FileElection(tmp_path / "leader", lease_s=30)
    async with where.contend(candidate(1)) as leadership:
        assert await anext(leadership) == Elected(1)
        where.look_now()
        with trio.move_on_after(0.3) as waited:
            await anext(leadership)
        assert waited.cancelled_caught, "nobody else has been elected"
        usurper = Files(tmp_path / "leader").claim(2)
        assert usurper is not None
        where.look_now()
        with trio.fail_after(5):
            assert await anext(leadership) == Lost(1, "epoch 2 has begun")
        os.close(usurper)
    where.look_now()


@live
async def test_a_holder_that_cannot_write_has_lost(tmp_path: Path) -> None:
    where = FileElection(tmp_path / "leader", lease_s=0.3)
    async with where.contend(candidate(1)) as leadership:
        assert await anext(leadership) == Elected(1)
        (tmp_path / "leader.1.json").unlink()
        (tmp_path / "leader.1.json").mkdir()
        lost = await anext(leadership)
        assert isinstance(lost, Lost)
        assert "could not be written" in lost.why


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_claim_that_fails_keeps_nothing_open(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    files = Files(tmp_path / "x")
    before = len(os.listdir("/dev/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        for _ in range(5):
            with pytest.raises(OSError, match=re.escape(os.strerror(number))):
                files.claim(1)
    assert len(os.listdir("/dev/fd")) == before
    assert os.listdir(tmp_path) == []


@live
async def test_a_full_disk_is_told_of_once_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim, tries = Files.claim, []

    def full(files: Files, epoch: int) -> int | None:
        tries.append(epoch)
        if len(tries) < 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")
        return claim(files, epoch)

    monkeypatch.setattr(Files, "claim", full)
    async with FileElection(tmp_path / "leader").contend(candidate(1)) as leadership:
        assert await anext(leadership) == Elected(1)
    assert len(tries) == 5
    assert len([each for each in caplog.records if "cannot claim" in each.msg]) == 1


@live
async def test_a_folder_that_takes_no_files_holds_no_election(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(files: Files, epoch: int) -> int | None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "x")

    monkeypatch.setattr(Files, "claim", refuse)
    with pytest.raises(ExceptionGroup) as failure:
        async with FileElection(tmp_path / "leader").contend(candidate(1)):
            await trio.sleep_forever()
    assert failure.group_contains(PermissionError, depth=None)


# Files ------------------------------------------------------------------------------------------


def test_an_epoch_is_claimed_once_and_held_until_closed(tmp_path: Path) -> None:
    one, two = Files(tmp_path / "x"), Files(tmp_path / "x")
    assert one.newest() == 0
    lock = one.claim(3)
    assert lock is not None
    assert two.claim(3) is None
    assert two.is_held(3)
    assert one.newest() == two.newest() == 3
    os.close(lock)
    assert not two.is_held(3)
    assert two.claim(3) is None, "an epoch is never led twice"
    two.close()


def test_other_files_are_no_epochs(tmp_path: Path) -> None:
    for name in ("x.lock", "x..lock", "x.7.lock.old", "x.-1.lock", "y.9.lock", "x.y.1.lock"):
        (tmp_path / name).touch()
    assert Files(tmp_path / "x").newest() == 0
    (tmp_path / "x.10.lock").touch()
    (tmp_path / "x.9.lock").touch()
    assert Files(tmp_path / "x").newest() == 10


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"master": 7}', '{"master": {}}'])
@live
async def test_a_notice_that_makes_no_sense_names_nobody(tmp_path: Path, text: str) -> None:
    files = Files(tmp_path / "x")
    lock = files.claim(1)
    assert lock is not None
    files.notice_of(1).write_text(text)
    assert await anext(FileElection(tmp_path / "x").watch()) is None
    os.close(lock)


# Processes ---------------------------------------------------------------------------------------

MASTER = """
import sys, trio
from pathlib import Path
from mesos_ref.election.file import FileElection
from mesos_ref.election.interface import Candidate
from mesos_ref.wire.v1 import MasterInfo

async def main():
    where = FileElection(Path(sys.argv[1]), lease_s=0.5)
    me = Candidate(MasterInfo(id=sys.argv[2], ip=0, port=1))
    print("up", flush=True)
    async with where.contend(me) as leadership:
        async for news in leadership:
            print(type(news).__name__, news.epoch, flush=True)

trio.run(main)
"""


class Master:
    """A contender process, and what it says."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        argv = [sys.executable, "-c", MASTER, str(path), name]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    async def says(self) -> str:
        """Its next line; empty once it has ended."""
        assert self.process.stdout is not None
        line = await trio.to_thread.run_sync(self.process.stdout.readline, abandon_on_cancel=True)
        return line.strip()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


@contextmanager
def masters(path: Path, count: int) -> Iterator[dict[str, Master]]:
    started = {f"m{n}": Master(path, f"m{n}") for n in range(count)}
    try:
        yield started
    finally:
        for master in started.values():
            master.process.kill()
            master.process.communicate()


@asynccontextmanager
async def three_masters(
    tmp_path: Path,
) -> AsyncIterator[tuple[dict[str, Master], AsyncIterator[Leader | None]]]:
    watch = FileElection(tmp_path / "leader", lease_s=0.5).watch()
    with masters(tmp_path / "leader", 3) as started:
        for master in started.values():
            assert await master.says() == "up"
        yield started, watch


async def next_leader(watch: AsyncIterator[Leader | None]) -> Leader:
    async for leader in watch:
        if leader is not None:
            return leader
    raise AssertionError("a watch never ends")


@pytest.mark.live
@live
async def test_a_killed_leader_is_succeeded(tmp_path: Path) -> None:
    async with three_masters(tmp_path) as (started, watch):
        for epoch in (1, 2, 3):
            leader = await next_leader(watch)
            assert leader.epoch == epoch
            master = started.pop(leader.candidate.info.id)
            assert await master.says() == f"Elected {epoch}"
            master.signal(signal.SIGKILL)
            master.process.communicate()
        assert await anext(watch) is None


@pytest.mark.live
@live
async def test_a_stopped_leader_is_deposed_and_learns_of_it(tmp_path: Path) -> None:
    async with three_masters(tmp_path) as (started, watch):
        old = await next_leader(watch)
        master = started[old.candidate.info.id]
        assert await master.says() == "Elected 1"
        master.signal(signal.SIGSTOP)
        new = await next_leader(watch)
        assert new.epoch == 2
        assert new.candidate != old.candidate
        assert await started[new.candidate.info.id].says() == "Elected 2"
        master.signal(signal.SIGCONT)
        assert await master.says() == "Lost 1"
        assert await master.says() == "", "and ends"
        with trio.move_on_after(0.7) as waited:
            await next_leader(watch)
        assert waited.cancelled_caught, "the return of the old leader changes nothing"


# Other elections ---------------------------------------------------------------------------------


@live
async def test_single() -> None:
    where = SingleElection(epoch=5)
    watch = where.watch()
    assert await anext(watch) is None
    async with where.contend(candidate(1)) as leadership:
        assert await anext(leadership) == Elected(5)
        assert await anext(watch) == Leader(5, candidate(1))
        with trio.move_on_after(0.01) as waited:
            await anext(leadership)
        assert waited.cancelled_caught, "nobody loses this one"


@live
async def test_an_address_is_an_election_of_one() -> None:
    leader = await anext(open_election("[::1]:5050").watch())
    assert leader is not None
    assert leader.candidate.url == "http://[::1]:5050"


def test_elections_by_name(tmp_path: Path) -> None:
    assert isinstance(open_election("single"), SingleElection)
    by_file = open_election(f"file:{tmp_path}/leader", lease_s=0.3)
    assert isinstance(by_file, FileElection)
    assert (by_file.path, by_file.lease_us) == (tmp_path / "leader", 300_000)


@pytest.mark.parametrize(
    "name", ["", "file:", "nonsense", "host:", "host:http", "h:70000", "ftp://h:1", "h /x:1", "h:¹"]
)
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ElectionError, match="names no election"):
        open_election(name)


def test_a_lease_too_short() -> None:
    with pytest.raises(ElectionError, match="too short"):
        open_election("file:/x", lease_s=0.2)
