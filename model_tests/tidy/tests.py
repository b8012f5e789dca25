"""What a test may not do: hold a stopwatch to the machine, or leave itself out on its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from model_tests.tidy.tree import Finding, Tree

CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "time_ns", "monotonic_ns"}

#: Skips whose reason and remedy nobody would hear; `@pytest.mark.needs` is heard.
SILENT = {"pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif"}


def no_test_holds_a_stopwatch(tree: Tree) -> Iterator[Finding]:
    """Asserts that compare real seconds, which fail on a busy machine and prove nothing on a fast.

    A heuristic: calls of `time`'s clocks, and the names they were assigned to in that function.
    """
    for source in tree.under("model_tests/"):
        for function in ast.walk(source.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                timed = _timed_names(function)
                for node in ast.walk(function):
                    if isinstance(node, ast.Assert) and _is_timed(node.test, timed):
                        what = f"asserts on real time: {ast.unparse(node.test)}"
                        yield Finding(source.path, node.lineno, what)


def _timed_names(function: ast.AST) -> set[str]:
    """Names that hold a reading of a clock, or something made of one."""
    timed: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _is_timed(node.value, timed):
            timed |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return timed


def _is_timed(e: ast.expr, timed: set[str]) -> bool:
    """Whether a reading of a clock takes part in an expression."""
    for node in ast.walk(e):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=clock)):
                if clock in CLOCKS:
                    return True
            case ast.Call(func=ast.Name(id=clock)) if clock in CLOCKS:
                return True
            case ast.Name(id=name) if name in timed:
                return True
    return False


def skips_are_heard(tree: Tree) -> Iterator[Finding]:
    """Skips that do not go through `needs`."""
    for source in tree.under("model_tests/"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in SILENT:
                yield Finding(source.path, node.lineno, f"uses {ast.unparse(node)}")
