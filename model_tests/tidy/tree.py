"""A source tree as the house rules see it: files by path, syntax trees, and who imports whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

#: Folders that tools and experiments make; nothing in them is ours to judge.
MADE = {"__pycache__", "dist", "runs"}

#: The roots of our import packages.  `spec` and `chaos` are folders, and never imported.
ROOTS = ("spec/", "chaos/", "")


class Finding(NamedTuple):
    """One place that breaks a rule."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class Source:
    """One Python file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text, path)

    @property
    def module(self) -> str:
        """Its dotted name: `mesos_ref.master` for `mesos_ref/master/__init__.py`."""
        root = next(root for root in ROOTS if self.path.startswith(root))
        return (
            self.path.removeprefix(root)
            .removesuffix(".py")
            .removesuffix("/__init__")
            .replace("/", ".")
        )

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, dotted name) of all that is imported, anywhere; `from a import b` is `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def _base(self, node: ast.ImportFrom) -> str:
        """What `from … import` names, with the dots of a relative import resolved."""
        if not node.level:
            return node.module or ""
        package = self.module.split(".")
        up = node.level - self.path.endswith("/__init__.py")
        return ".".join([*package[: len(package) - up], *([node.module] if node.module else [])])


class Tree:
    """All text files under a root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def texts(self) -> dict[str, str]:
        """Path (with slashes, from the root) to text, of every file that is text."""
        found = {}
        for path in sorted(_files(self.root)):
            try:
                found[path.relative_to(self.root).as_posix()] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # an image
        return found

    @cached_property
    def sources(self) -> list[Source]:
        """The Python files, parsed."""
        return [Source(path, text) for path, text in self.texts.items() if path.endswith(".py")]

    def under(self, *folders: str) -> list[Source]:
        """The Python files in these folders, at any depth."""
        return [source for source in self.sources if source.path.startswith(folders)]

    @cached_property
    def modules(self) -> dict[str, Source]:
        """The Python files by dotted name."""
        return {source.module: source for source in self.sources}

    def imported(self, source: Source) -> Iterator[Source]:
        """The files of this tree that importing `source` runs, its packages' own included."""
        names = [name for _, name in source.imports()]
        for name in [*names, source.module]:
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                module = self.modules.get(".".join(parts[:length]))
                if module is not None and module is not source:
                    yield module


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, without what tools made; of the hidden folders only .ci is ours."""
    for entry in folder.iterdir():
        if entry.is_file():
            yield entry
        elif entry.name == ".ci" or not (entry.name in MADE or entry.name.startswith(".")):
            yield from _files(entry)
