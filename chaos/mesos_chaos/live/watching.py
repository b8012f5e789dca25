"""Following traces while they are written: how often each action was claimed so far.

A process writes its record before it sends anything, so a site such as `master.accept#5` is seen
within one look (20 ms) of its happening, and the fault strikes in what follows from it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import trio

LOOK_S = 0.02


class _Line(msgspec.Struct):
    """What is looked at of a line of a trace: a header's role, or a record's actions."""

    role: str | None = None
    did: list[tuple[str, dict[str, Any]]] = []


_decode = msgspec.json.Decoder(_Line).decode


class Sites:
    """Counts `role.action` over all traces of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._role: dict[Path, str] = {}
        self.seen: Counter[str] = Counter()

    def look(self) -> None:
        """Count what was written since the last look."""
        for path in sorted(self._folder.glob("*.ndjson")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + whole
            for line in data[:whole].splitlines():
                self._count(path, line)

    def _count(self, path: Path, line: bytes) -> None:
        try:
            read = _decode(line)
        except msgspec.MsgspecError:
            return  # the judge will say what is wrong with it
        if path not in self._role:
            self._role[path] = read.role or "harness"
        for name, _ in read.did:
            self.seen[f"{self._role[path]}.{name}"] += 1

    async def until(self, site: str, times: int) -> None:
        """Wait until `site` was seen `times` times."""
        while self.seen[site] < times:
            await trio.sleep(LOOK_S)
            self.look()

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.look()
            await trio.sleep(0.1)
