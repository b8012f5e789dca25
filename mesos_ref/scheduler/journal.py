"""The journal of items: a file that only grows, a line of JSON per entry.

What `append` has returned from is on disk, and whatever it makes possible (a launch, an
acknowledgement) happens after. A kill may tear the last piece; it was never acted upon, so the torn
line is dropped and the file written anew without it. Any other damage is reported, never guessed
around.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_ref.ports.disk import AppendFile, Disk
from mesos_ref.scheduler.items import Entry, Item, Items, Kept, Wanted

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


class JournalError(ValueError):
    """A journal that can't be read; says which line, and why."""


def lines_of(entries: Iterable[Entry]) -> bytes:
    """Entries as they are in the file."""
    return b"".join(_encoder.encode(entry) + b"\n" for entry in entries)


def read(data: bytes) -> tuple[list[Entry], bool]:
    """The entries of a file, and whether its last line was torn (and is not among them).

    Raises `JournalError` for a line that is whole and no entry.
    """
    *whole, rest = data.split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(whole, 1):
        try:
            entries.append(_decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise JournalError(f"line {number} is no entry: {error}") from None
    return entries, bool(rest)


class Journal:
    """An open journal, and the items it adds up to."""

    def __init__(self, items: Items, file: AppendFile | None) -> None:
        self.items = items
        self._file = file
        #: Entries happen in the order they are in the file.
        self._one_at_a_time = trio.Lock()

    async def append(self, entries: Sequence[Entry]) -> None:
        """Make entries durable, with one sync, and let them have happened. Raises `OSError`."""
        if not entries:
            return
        async with self._one_at_a_time:
            if self._file is not None:
                await self._file.append(lines_of(entries))
            for entry in entries:
                self.items.apply(entry)

    async def keep(self, kept: Mapping[str, Any]) -> None:
        """Keep what the scheduler core wants kept."""
        await self.append([Kept(key, value) for key, value in kept.items()])

    async def aclose(self) -> None:
        """Close the file."""
        if self._file is not None:
            await self._file.aclose()


async def open_journal(
    disk: Disk, path: Path | None, wanted: Iterable[Item], max_failures: int = 10
) -> Journal:
    """The journal at `path`, with `wanted` added to what it wants; without a path, one in memory.

    Raises `JournalError`, also if an item has changed since it was written, and `OSError`.
    """
    data = b"" if path is None else await disk.read(path) or b""
    try:
        entries, is_torn = read(data)
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from None
    if path is not None and is_torn:
        await disk.write_durable(path, lines_of(entries))
    items = Items(entries, max_failures)
    new: dict[str, Wanted] = {}
    for item in wanted:
        known = items.wanted.get(item.name, item)
        known = new[item.name].item if item.name in new else known
        if known != item:
            raise JournalError(f"item {item.name!r} is wanted as {item}, but was {known}")
        if item.name not in items.wanted:
            new[item.name] = Wanted(item)
    journal = Journal(items, None if path is None else await disk.open_append(path))
    await journal.append(list(new.values()))
    return journal
