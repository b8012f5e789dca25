"""Planting a mutant: a function has other code for a while.

The function stays the same object, so everybody who has imported it runs the mutant.  Only code is
exchanged, and it is put back whatever happens.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any

from mesos_spec.kernel import Cell, Cells, Effects
from mesos_spec.tools.mutating.sites import GUARD, Site, compiled, parsed, statements, without

ASK = "__asked__"  #: what a marked function calls before a guard, with what it asks
BEFORE, AFTER = "__before__", "__after__"  #: and around an effect, with the state


@contextmanager
def running(function: FunctionType, code: CodeType) -> Iterator[None]:
    """`function` runs `code` for a while."""
    before = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = before


@contextmanager
def planted(site: Site) -> Iterator[None]:
    """The specification lacks the statement of a site for a while."""
    with running(site.function, without(site)):
        yield


@contextmanager
def noting(sites: Sequence[Site]) -> Iterator[set[Site]]:
    """The sites that make a difference while this lasts: guards that do not hold, and effects that
    change something.

    Who writes a cell without having read it may change something as well, where the cell holds
    something else: to an answer that is remembered by what was read, that is the same state.
    """
    reached: set[Site] = set()
    by_function: dict[FunctionType, list[Site]] = {}
    for site in sites:
        by_function.setdefault(site.function, []).append(site)
    numbers = {site: n for n, site in enumerate(sites)}
    with ExitStack() as stack:
        for function, its in by_function.items():
            stack.enter_context(_defined(function.__globals__, _listeners(sites, reached)))
            stack.enter_context(running(function, _marked(function, its, numbers)))
        yield reached


def _listeners(sites: Sequence[Site], reached: set[Site]) -> dict[str, Any]:
    """What marked functions call."""
    values: dict[int, dict[Cell, Any]] = {}

    def ask(n: int, holds: object) -> None:
        if not holds:
            reached.add(sites[n])

    def before(n: int, s: Cells) -> None:
        values[n] = {cell: new for cell, (_, new) in written(s).items()}

    def after(n: int, s: Cells) -> None:
        earlier, read = values[n], s.__dict__["_reads"]
        for cell, (old, new) in written(s).items():
            blindly = read is not None and cell not in read and cell not in earlier
            if blindly or earlier.get(cell, old) != new:
                reached.add(sites[n])

    return {ASK: ask, BEFORE: before, AFTER: after}


def written(s: Cells) -> Effects:
    """What the step that is under way has written so far."""
    effects: Effects = s.__dict__["_written"] or {}
    return effects


@contextmanager
def _defined(space: dict[str, Any], listeners: dict[str, Any]) -> Iterator[None]:
    mine = not space.keys() & listeners
    space.update(listeners)
    try:
        yield
    finally:
        if mine:
            for name in listeners:
                space.pop(name, None)


def _marked(function: FunctionType, sites: Iterable[Site], numbers: dict[Site, int]) -> CodeType:
    """The code of a function that says what its sites do."""
    tree = parsed(function)
    state = tree.args.args[0].arg
    all_of = statements(tree)
    marks = {id(all_of[site.nth]): (site, numbers[site]) for site in sites}

    def call(name: str, n: int, given: ast.expr, at: ast.AST) -> ast.stmt:
        calling = ast.Call(ast.Name(name, ast.Load()), [ast.Constant(n), given], [])
        return ast.copy_location(ast.Expr(calling), at)

    class Marking(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            if id(node) not in marks:
                return self.generic_visit(node)
            site, n = marks[id(node)]
            if site.kind != GUARD:
                s = ast.Name(state, ast.Load())
                return [call(BEFORE, n, s, node), node, call(AFTER, n, s, node)]
            assert isinstance(node, ast.Expr)
            assert isinstance(node.value, ast.Call)
            return [call(ASK, n, node.value.args[0], node), node]

    Marking().visit(tree)
    return compiled(function, tree)
