"""The agent's journal: what was kept is there again, whenever the agent was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.agent import journal as journals
from mesos_ref.agent.journal import Journal, JournalError, open_journal, read
from mesos_ref.ports.disk import Disk, RealDisk
from model_tests.shell.agent_stage import MemoryDisk

WORK = Path("/w")
PATH = WORK / "meta" / "agent.journal"

batches = st.lists(
    st.dictionaries(
        st.sampled_from(["agent", "epoch", "task/f/é", "update/f/t/0"]),
        st.none() | st.integers() | st.text() | st.lists(st.booleans()),
        min_size=1,
    ),
    max_size=8,
)


def applied(changes: list[dict[str, Any]]) -> dict[str, Any]:
    """What batches add up to, the plain way."""
    kept: dict[str, Any] = {}
    for batch in changes:
        kept |= batch
    return {key: value for key, value in kept.items() if value is not None}


async def begun(disk: Disk, work_dir: Path) -> Journal:
    """As an agent opens it: read, and this life counted."""
    journal = await open_journal(disk, work_dir)
    await journal.begin()
    return journal


@given(batches, st.data())
def test_a_kill_leaves_whole_batches_and_loses_none_before(
    changes: list[dict[str, Any]], data: st.DataObject
) -> None:
    async def main() -> None:
        disk = MemoryDisk()
        journal = await begun(disk, WORK)
        sizes = [len(disk.files[PATH])]
        for batch in changes:
            await journal.keep(batch)
            sizes.append(len(disk.files[PATH]))
        cut = data.draw(st.integers(sizes[0], sizes[-1]), label="bytes that reached the disk")
        durable = sum(size <= cut for size in sizes) - 1
        assert read(disk.files[PATH][:cut], "j") == (1, applied(changes[:durable]))

    trio.run(main)


@given(batches)
def test_each_start_writes_it_anew_and_counts(changes: list[dict[str, Any]]) -> None:
    async def main() -> None:
        disk = MemoryDisk()
        for life in (1, 2, 3):
            journal = await begun(disk, WORK)
            assert journal.life == life
            assert journal.kept == (applied(changes) if life > 1 else {})
            lines = disk.files[PATH].splitlines()
            assert len(lines) == 1 + len(journal.kept), "nothing is written twice"
            for batch in changes:
                await journal.keep(batch)
            await journal.aclose()

    trio.run(main)


def test_it_is_written_anew_when_it_has_outgrown_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journals, "SMALL_BYTES", 1000)

    async def main() -> None:
        disk = MemoryDisk()
        journal = await begun(disk, WORK)
        largest = 0
        for number in range(200):
            await journal.keep({"epoch": number, "note": "x" * 50})
            largest = max(largest, len(disk.files[PATH]))
        assert largest <= 1000
        assert read(disk.files[PATH], "j") == (1, {"epoch": 199, "note": "x" * 50})

    trio.run(main)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not even its first line is whole"),
        (b'{"journal":"mesos-ref agent","version":1,"life":1}', "not even its first line is whole"),
        (b'{"journal":"mesos-ref agent","version":2,"life":1}\n', "expected a journal of"),
        (b'{"journal":"somebody","version":1,"life":1}\n', "expected a journal of"),
        (b'{"journal":"mesos-ref agent","version":1}\n', "expected a journal of"),
        (b'{"journal":"mesos-ref agent","version":1,"life":1}\n{"a":\n{}\n', "j, line 2"),
        (
            b'{"journal":"mesos-ref agent","version":1,"life":1}\n{}\n[1]\n',
            "j, line 3: expected an",
        ),
    ],
)
def test_other_damage_is_named_not_guessed_around(text: bytes, why: str) -> None:
    with pytest.raises(JournalError, match=why):
        read(text, "j")


def test_a_failed_sync_is_not_kept_silent() -> None:
    class FullDisk(MemoryDisk):
        async def append(self, path: Path, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    async def main() -> None:
        journal = await begun(FullDisk(), WORK)
        with pytest.raises(OSError, match="No space"):
            await journal.keep({"epoch": 1})

    trio.run(main)


def test_on_a_real_disk(tmp_path: Path) -> None:
    async def main() -> None:
        journal = await begun(RealDisk(), tmp_path)
        await journal.keep({"agent": {"id": "é"}, "epoch": 1})
        await journal.keep({"epoch": None})
        await journal.aclose()
        path = tmp_path / "meta" / "agent.journal"
        assert path.stat().st_mode & 0o777 == 0o600
        head, *lines = path.read_bytes().splitlines()
        assert msgspec.json.decode(head)["life"] == 1
        assert lines == [b'{"agent":{"id":"\\u00e9"},"epoch":1}', b'{"epoch":null}']
        again: Journal = await begun(RealDisk(), tmp_path)
        assert (again.life, again.kept) == (2, {"agent": {"id": "é"}})
        await again.aclose()

    trio.run(main)
