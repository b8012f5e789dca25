"""A core may not look at the world: not at the clock, not at chance, not at a file.

A core is every `core.py` in mesos_ref and all that it imports there, however far.  Being imported
is what counts: a helper that reads a clock makes the core read it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from model_tests.tidy.imports import top
from model_tests.tidy.tree import Finding, Tree

#: Time, chance and the outside: they arrive as events, or through what the core is given.
OUTSIDE = {
    "asyncio", "concurrent", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver",
    "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip

#: The one library that a core may use: its events are msgspec structs.
CORES_MAY = {"mesos_ref", "msgspec"}

#: Calls that reach outside without an import that says so.
REACHES_OUT = {
    "breakpoint", "input", "open", "print",
    "date.today", "datetime.now", "datetime.utcnow", "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4",
}  # fmt: skip


def cores(tree: Tree) -> dict[str, str]:
    """Path of each file that belongs to a core, with the chain of imports that makes it one."""
    chains = {
        source.path: source.path
        for source in tree.under("mesos_ref/")
        if source.path.endswith("/core.py")
    }
    waiting = list(chains)
    by_path = {source.path: source for source in tree.sources}
    while waiting:
        path = waiting.pop(0)
        for imported in tree.imported(by_path[path]):
            if imported.path.startswith("mesos_ref/") and imported.path not in chains:
                chains[imported.path] = f"{chains[path]} → {imported.path}"
                waiting.append(imported.path)
    return chains


def cores_are_sans_io(tree: Tree) -> Iterator[Finding]:
    """Imports and calls by which a core would touch the world."""
    chains = cores(tree)
    for source in tree.sources:
        if source.path not in chains:
            continue
        for line, name in source.imports():
            if top(name) in OUTSIDE or not _known(top(name)):
                yield Finding(source.path, line, f"imports {top(name)} ({chains[source.path]})")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in REACHES_OUT:
                yield Finding(source.path, node.lineno, f"calls {ast.unparse(node.func)}")


def _known(package: str) -> bool:
    """Whether a core may use a package at all: the standard library, msgspec, our own."""
    return package in sys.stdlib_module_names or package in CORES_MAY
