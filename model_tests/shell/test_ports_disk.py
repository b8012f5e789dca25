"""What holds for every disk port, and that the real one survives a kill at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
import trio

from mesos_chaos.virtual import seam
from mesos_chaos.virtual.disks import Disk as SimulatedMachine
from mesos_chaos.virtual.disks import SimDisk
from mesos_chaos.virtual.streams import Life
from mesos_ref.ports.disk import Disk, RealDisk


def simulated_disk() -> Disk:
    """The second tier's."""
    return SimDisk(SimulatedMachine(Random(0)), Life("here"))


IMPLEMENTATIONS: list[Callable[[], Disk]] = [RealDisk, simulated_disk]

every_disk = pytest.mark.parametrize("make_disk", IMPLEMENTATIONS)


def run(make_disk: Callable[[], Disk], use: Callable[[Disk], Awaitable[None]]) -> None:
    async def main() -> None:
        await use(make_disk())

    if make_disk is simulated_disk:
        seam.run(lambda whims: main(), 0)
    else:
        trio.run(main)


@every_disk
def test_a_file_is_replaced_whole(make_disk: Callable[[], Disk], tmp_path: Path) -> None:
    async def use(disk: Disk) -> None:
        path = tmp_path / "a" / "b" / "file"
        assert await disk.read(path) is None
        await disk.write_durable(path, b"old")
        await disk.write_durable(path, b"new and longer")
        assert await disk.read(path) == b"new and longer"
        await disk.write_durable(path, b"")
        assert await disk.read(path) == b""
        assert await disk.listdir(path.parent) == ["file"], "nothing is left aside"

    run(make_disk, use)


@every_disk
def test_appending_goes_on_where_it_ended(make_disk: Callable[[], Disk], tmp_path: Path) -> None:
    async def use(disk: Disk) -> None:
        path = tmp_path / "a" / "log"
        file = await disk.open_append(path)
        await file.append(b"one\n")
        await file.append(b"two\n")
        assert await disk.read(path) == b"one\ntwo\n"
        await file.aclose()
        await file.aclose()
        with pytest.raises(ValueError, match="closed"):
            await file.append(b"late")
        file = await disk.open_append(path)
        await file.append(b"three\n")
        await file.aclose()
        assert await disk.read(path) == b"one\ntwo\nthree\n"

    run(make_disk, use)


@every_disk
def test_folders_are_listed_in_order_and_removed(
    make_disk: Callable[[], Disk], tmp_path: Path
) -> None:
    async def use(disk: Disk) -> None:
        assert await disk.listdir(tmp_path / "none") == []
        for name in ("c", "a", "b/inner"):
            await disk.write_durable(tmp_path / "d" / name, b"x")
        assert await disk.listdir(tmp_path / "d") == ["a", "b", "c"]
        await disk.remove_tree(tmp_path / "d" / "a")
        await disk.remove_tree(tmp_path / "d" / "a")
        assert await disk.listdir(tmp_path / "d") == ["b", "c"]
        await disk.remove_tree(tmp_path / "d")
        assert await disk.listdir(tmp_path / "d") == []

    run(make_disk, use)


@every_disk
def test_a_disk_that_refuses_says_so(make_disk: Callable[[], Disk], tmp_path: Path) -> None:
    async def use(disk: Disk) -> None:
        await disk.write_durable(tmp_path / "file", b"x")
        with pytest.raises(OSError, match="file"):
            await disk.write_durable(tmp_path / "file" / "below", b"x")
        with pytest.raises(OSError, match="file"):
            await disk.listdir(tmp_path / "file")

    run(make_disk, use)


def test_files_are_private_unless_told_otherwise(tmp_path: Path) -> None:
    async def main() -> None:
        disk = RealDisk()
        await disk.write_durable(tmp_path / "a", b"x")
        await disk.write_durable(tmp_path / "b", b"x", mode=0o644)
        await (await disk.open_append(tmp_path / "c")).aclose()

    trio.run(main)
    modes = [oct((tmp_path / name).stat().st_mode & 0o777) for name in "abc"]
    assert modes == ["0o600", "0o644", "0o600"]


WRITER = """
import itertools, sys, trio
from pathlib import Path
from random import Random
from mesos_ref.ports.disk import RealDisk

async def main():
    disk, folder = RealDisk(), Path(sys.argv[1])
    log = await disk.open_append(folder / "log")
    for n in itertools.count():
        await disk.write_durable(folder / "state", b"%d " % n * 5000)
        await log.append(b"%d\\n" % n)
        print(n, flush=True)

trio.run(main)
"""


def test_what_was_promised_is_there_after_a_kill(tmp_path: Path) -> None:
    """Killed between two promises: the file is old or new, never torn; the log has each promise."""
    for round_ in range(3):
        folder = tmp_path / str(round_)
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        promised = -1
        for line in process.stdout:
            promised = int(line)
            if promised == 10 + round_:
                os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        state = (folder / "state").read_text().split()
        assert len(state) == 5000
        assert len(set(state)) == 1
        assert int(state[0]) >= promised
        logged = (folder / "log").read_text().split("\n")[: promised + 1]
        assert logged == [str(n) for n in range(promised + 1)]


@pytest.mark.needs("linux")
def test_an_error_names_its_file() -> None:
    """An operator who reads "No space left on device" has to know on which."""

    async def main() -> None:
        file = await RealDisk().open_append(Path("/dev/full"))
        with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
            await file.append(b"x")
        await file.aclose()

    trio.run(main)
