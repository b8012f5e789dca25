"""What of the handlers the paths exercise, in branches; and of each other branch, why it is not.

A *handler* is a function that is called, directly or not, when a core takes a specified message or
a specified timer.  `handlers.toml` says which modules those are in, which functions in them are
none, and why; and which branches no path takes, with the reason of each.  A branch is named by its
function, the line that decides, and the line that it leads to.
"""

from __future__ import annotations

import ast
import json
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from coverage import Coverage

ROOT = Path(__file__).parent.parent.parent
TABLE = Path(__file__).with_name("handlers.toml")
CORES = ("mesos_ref.master.core", "mesos_ref.agent.core", "mesos_ref.scheduler.core")
#: Packages that handlers are in; what else cores import, they share with everybody.
PACKAGES = ("mesos_ref.master", "mesos_ref.agent", "mesos_ref.scheduler", "mesos_ref.allocator")

Branch = tuple[str, str]  #: a function, as `mesos_ref.agent.calls:hear_call`, and the branch in it


@dataclass(frozen=True)
class Handlers:
    """What `handlers.toml` says."""

    modules: tuple[str, ...]
    no_modules: dict[str, str]  #: with reasons, here and below
    no_functions: dict[str, str]
    uncovered: dict[Branch, str]
    at_least: float
    taken: int
    of: int


@cache
def handlers() -> Handlers:
    """The table.  Raises ValueError where a branch is listed twice."""
    told: dict[str, Any] = tomllib.loads(TABLE.read_text())
    listed = [
        ((function, branch), group["why"])
        for group in told["uncovered"]
        for function, branches in group["branches"].items()
        for branch in branches
    ]
    twice = [branch for branch, times in Counter(b for b, _ in listed).items() if times > 1]
    if twice:
        raise ValueError(f"listed twice: {twice}")
    return Handlers(
        modules=tuple(told["handlers"]["modules"]),
        no_modules=told["no_handlers"]["modules"],
        no_functions=told["no_handlers"]["functions"],
        uncovered=dict(listed),
        at_least=told["measured"]["at_least"],
        taken=told["measured"]["taken"],
        of=told["measured"]["of"],
    )


# ---- modules and functions -----------------------------------------------------------------------
def imported_by_cores() -> set[str]:
    """Every module of `PACKAGES` that a core imports, directly or not, and that holds code."""
    found: set[str] = set()
    left = list(CORES)
    while left:
        name = left.pop()
        path = path_of(name)
        if name not in found and path.is_file():
            found.add(name)
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module is not None:
                    left += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    return {name for name in found if name.startswith(tuple(f"{one}." for one in PACKAGES))}


def path_of(module: str) -> Path:
    """Its file."""
    return ROOT / f"{module.replace('.', '/')}.py"


def functions_of(module: str) -> Iterator[str]:
    """Its functions, and its classes' methods."""
    for node in ast.parse(path_of(module).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield f"{module}:{node.name}"
        elif isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef):
                    yield f"{module}:{node.name}.{one.name}"


# ---- measuring -----------------------------------------------------------------------------------
class Measuring:
    """Counts branches of handlers while it is on."""

    def __init__(self) -> None:
        files = [str(path_of(module)) for module in handlers().modules]
        self._coverage = Coverage(data_file=None, branch=True, include=files, config_file=False)
        self._coverage.set_option("run:disable_warnings", ["already-imported"])

    @contextmanager
    def on(self) -> Iterator[None]:
        """Count what is called within."""
        self._coverage.start()
        try:
            yield
        finally:
            self._coverage.stop()

    def branches(self) -> tuple[set[Branch], set[Branch]]:
        """Those that were taken, and those that were not."""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            self._coverage.json_report(outfile=file.name)
            files = json.loads(Path(file.name).read_text())["files"]
        taken: set[Branch] = set()
        missed: set[Branch] = set()
        for module in handlers().modules:
            path = path_of(module)
            told = files.get(str(path), files.get(str(path.relative_to(Path.cwd()))))
            if told is None:
                continue  # nothing in it decides anything
            lines = path.read_text().splitlines()
            for function, region in told["functions"].items():
                name = f"{module}:{function}"
                if function and name not in handlers().no_functions:
                    taken |= {(name, words(lines, *one)) for one in region["executed_branches"]}
                    missed |= {(name, words(lines, *one)) for one in region["missing_branches"]}
        return taken, missed


def words(lines: list[str], start: int, to: int) -> str:
    """A branch, as the two lines say it; what leads out of the function ends it."""
    return f"{lines[start - 1].strip()} → {lines[to - 1].strip() if to > 0 else 'end'}"
