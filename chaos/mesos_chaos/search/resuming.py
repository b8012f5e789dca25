"""What of a long list of plans was run already, in a file, so that another process can go on.

The file is lines of JSON: first of what it is (these plans, run by this code), then one for each
chunk that was run.  A line that was cut off by a kill counts for nothing, and its chunk is run
again.  After any change of code or plans nothing in it is true any more, and it is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeAlias

from mesos_chaos.search.breaking import Broken, Catch

#: Of each plan of a chunk: whether all faults struck, what broke, how the harness failed.
Result: TypeAlias = tuple[bool, Broken | None, str]
PACKAGES = ("mesos_ref", "mesos_spec", "mesos_chaos")


class ResumeError(ValueError):
    """The file is of other plans, or of other code, or is no such file."""


class Resumed:
    """The chunks that were run.  Without a file nothing is kept."""

    def __init__(self, path: Path | None, plans: Iterable[str]) -> None:
        """Raises `ResumeError`, OSError."""
        self.done: dict[int, list[Result]] = {}
        self._path = path
        if path is None:
            return
        of = digest_of(plans)
        first = json.dumps({"of": of})
        whole, _, torn = (path.read_text() if path.exists() else "").rpartition("\n")
        if not whole and first.startswith(torn):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(first + "\n")
            return
        self._read(whole.split("\n"), of)
        if torn:
            path.write_text(whole + "\n")

    def _read(self, lines: list[str], of: str) -> None:
        try:
            is_of = json.loads(lines[0])["of"]
            for line in lines[1:]:
                told = json.loads(line)
                self.done[told["chunk"]] = [_result(*one) for one in told["results"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ResumeError(f"{self._path} holds no runs to go on from: {error!r}") from None
        if is_of != of:
            raise ResumeError(
                f"{self._path} is of other plans, or of other code: nothing in it is true any "
                "more; remove it, or name another file"
            )

    def keep(self, chunk: int, results: list[Result]) -> None:
        """A chunk was run."""
        self.done[chunk] = results
        if self._path is not None:
            listed = [(s, None if b is None else asdict(b), harness) for s, b, harness in results]
            with self._path.open("a") as file:
                file.write(json.dumps({"chunk": chunk, "results": listed}) + "\n")


def _result(struck: bool, broken: dict[str, Any] | None, harness: str) -> Result:
    if broken is None:
        return struck, None, harness
    return struck, Broken(**{**broken, "kind": Catch(broken["kind"])}), harness


def digest_of(plans: Iterable[str]) -> str:
    """The same for the same plans and the same code."""
    found = hashlib.sha256()
    for package in PACKAGES:
        for name, text in _sources(resources.files(package)):
            found.update(f"{package}/{name}\0".encode() + text)
    for plan in plans:
        found.update(plan.encode() + b"\0")
    return found.hexdigest()


def _sources(folder: Traversable, name: str = "") -> Iterable[tuple[str, bytes]]:
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir():
            yield from _sources(one, f"{name}{one.name}/")
        elif one.name.endswith(".py"):
            yield f"{name}{one.name}", one.read_bytes()
