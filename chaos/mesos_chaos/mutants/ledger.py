"""A ledger of hunts: a line of JSON for each mutant, written as it comes, so that nothing is lost.

A row counts as long as the mutant is the one that was hunted, to the letter, and was caught, or was
hunted as long as is asked for.  The plan that caught it is left out: it can be drawn again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mesos_chaos.mutants import Mutant

LEFT_OUT = ("plan", "restless")  #: of what is kept


class Ledger:
    """The rows in a file, if there is one."""

    def __init__(self, path: Path | None, budget_s: float = 0.0) -> None:
        """Read what is there; survivors count that were hunted for `budget_s` CPU seconds."""
        self._path, self._budget_s = path, budget_s
        self._rows: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self._rows[row["id"]] = row

    def row(self, mutant: Mutant) -> dict[str, Any] | None:
        """What came of hunting this mutant."""
        row = self._rows.get(mutant.id)
        if row is None or row["of"] != fingerprint(mutant):
            return None
        return row if row["caught"] or row["budget_s"] >= self._budget_s else None

    def add(self, mutant: Mutant, row: dict[str, Any]) -> None:
        """Keep what came of it."""
        row = {**row, "of": fingerprint(mutant), "budget_s": self._budget_s}
        self._rows[mutant.id] = row
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            kept = {key: value for key, value in row.items() if key not in LEFT_OUT}
            with self._path.open("a") as file:
                file.write(json.dumps(kept) + "\n")


def fingerprint(mutant: Mutant) -> str:
    """Of the edit, not of the words about it."""
    text = "\0".join((mutant.module, mutant.old, mutant.new))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
