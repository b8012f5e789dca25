"""Who may import whom: the specification stands alone, and the implementation does not know it.

A constant that both sides share is a constant nobody checks; hence not even that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from model_tests.tidy.tree import Finding, Source, Tree

#: What the specification's tools may use beside the standard library.
TOOLS_MAY = {"llvmlite", "msgspec", "networkx", "numba", "numpy", "pydantic", "scipy"}

TOOLS = "spec/mesos_spec/tools/"

#: What each package may never import.
STRANGERS = {
    "mesos_ref/": {"mesos_spec", "mesos_chaos", "model_tests", "benchmarks", "docs"},
    "spec/mesos_spec/": {"mesos_ref", "mesos_chaos", "model_tests", "benchmarks", "docs"},
    "chaos/mesos_chaos/": {"model_tests", "benchmarks", "docs"},
}


def top(name: str) -> str:
    """The package that a dotted name belongs to."""
    return name.partition(".")[0]


def strangers(tree: Tree) -> Iterator[Finding]:
    """Imports across the line between specification, implementation and what judges them."""
    for folder, never in STRANGERS.items():
        for source in tree.under(folder):
            for line, name in source.imports():
                if top(name) in never:
                    yield Finding(source.path, line, f"imports {top(name)}")


def spec_stands_alone(tree: Tree) -> Iterator[Finding]:
    """Imports of the specification that are neither standard library nor itself."""
    ours = sys.stdlib_module_names | {"mesos_spec"} | set().union(*STRANGERS.values())
    for source in tree.under("spec/mesos_spec/"):
        may = ours | TOOLS_MAY if source.path.startswith(TOOLS) else ours
        for line, name in source.imports():
            if top(name) not in may:
                yield Finding(source.path, line, f"imports {top(name)}")


def spec_before_tools(tree: Tree) -> Iterator[Finding]:
    """Modules of the specification itself that lean on its tools; the command line may."""
    for source in tree.under("spec/mesos_spec/"):
        if source.path.startswith(TOOLS) or source.path == "spec/mesos_spec/__main__.py":
            continue
        for line, name in source.imports():
            if f"{name}.".startswith("mesos_spec.tools."):
                yield Finding(source.path, line, f"imports {name}")


def folders_are_not_packages(tree: Tree) -> Iterator[Finding]:
    """Imports through `spec` or `chaos`: possible in a checkout, and they load modules twice."""
    for source in tree.sources:
        yield from _through_a_folder(source)
    for path in ("spec/__init__.py", "chaos/__init__.py"):
        if path in tree.texts:
            yield Finding(path, 1, "makes the folder a package")


def _through_a_folder(source: Source) -> Iterator[Finding]:
    for line, name in source.imports():
        if top(name) in {"spec", "chaos"}:
            yield Finding(source.path, line, f"imports {name}; the package is mesos_{top(name)}")
