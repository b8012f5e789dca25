"""Places where a specification could be wrong: its guards and its effects, each on its own.

A *site* is one statement: a `require`, or a statement that changes the state.  The mutant of a site
is the function without that statement.  A function that is called by many actions is one function,
so a site in it is a site of all of them.
"""

from __future__ import annotations
import __future__

import ast
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mesos_spec.kernel import Action, Always, EachStep, Sometimes

GUARD, EFFECT = "guard", "effect"
ASKING = {"require", "receive", "receive_any"}


@dataclass(frozen=True)
class Site:
    """One statement of one function of the specification."""

    kind: str  #: guard or effect
    function: FunctionType
    name: str  #: the module's and the function's
    nth: int  #: which of the function's statements, in the order they are written
    line: int
    text: str  #: the guard's sentence, or the statement

    @property
    def id(self) -> str:
        """What the mutant without it is called; stable while the text is."""
        return f"{self.name}: {self.text}"

    @property
    def where(self) -> str:
        """File and line."""
        return f"{Path(self.function.__code__.co_filename).name}:{self.line}"


def sites(modules: Iterable[ModuleType]) -> list[Site]:
    """Every site of these modules, in order; of equal ones in a function all but the first are
    numbered."""
    found: list[Site] = []
    for module in modules:
        for function in functions(module):
            found += sites_in(function)
    return found


def sites_in(function: FunctionType) -> list[Site]:
    """The sites of one function."""
    return [*_distinct(_sites(function))]


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions that a module defines, bodies of actions and claims among them."""
    for thing in vars(module).values():
        body: Any = thing
        if isinstance(thing, Action):
            body = thing.body
        elif isinstance(thing, Always | EachStep | Sometimes):
            body = thing.holds
        body = inspect.unwrap(body) if callable(body) else body
        if isinstance(body, FunctionType) and body.__module__ == module.__name__:
            yield body


def _sites(function: FunctionType) -> Iterator[Site]:
    tree = parsed(function)
    state = tree.args.args[0].arg if tree.args.args else ""
    short = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    for nth, statement in enumerate(statements(tree)):
        kind = _kind(statement, state)
        if kind:
            text = _sentence(statement) if kind == GUARD else ast.unparse(statement)
            yield Site(kind, function, short, nth, statement.lineno, text)


def _distinct(found: Iterable[Site]) -> Iterator[Site]:
    times: dict[str, int] = {}
    for site in found:
        n = times[site.text] = times.get(site.text, 0) + 1
        text = site.text if n == 1 else f"{site.text} ({n})"
        yield Site(site.kind, site.function, site.name, site.nth, site.line, text)


def _kind(statement: ast.stmt, state: str) -> str:
    """Whether a statement is a guard, an effect on the state called `state`, or neither."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called, args = statement.value.func, statement.value.args
        if isinstance(called, ast.Name) and called.id in ASKING:
            return GUARD if called.id == "require" else ""
        told = bool(args) and isinstance(args[0], ast.Name) and args[0].id == state
        return EFFECT if told else ""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AugAssign):
        targets = [statement.target]
    return EFFECT if any(_root(target) == state for target in targets) else ""


def _root(node: ast.expr) -> str:
    """The name at the front of `s.field[key]`; empty for a plain name."""
    if isinstance(node, ast.Name):
        return ""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _sentence(statement: ast.stmt) -> str:
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    text = statement.value.args[1]
    return str(text.value) if isinstance(text, ast.Constant) else ast.unparse(text)


# ---- source --------------------------------------------------------------------------------
@cache
def _module(filename: str) -> ast.Module:
    return ast.parse(Path(filename).read_text(encoding="utf-8"))


def parsed(function: FunctionType) -> ast.FunctionDef:
    """A fresh tree of a function as it is written, without its decorators."""
    code = function.__code__
    for node in _module(code.co_filename).body:
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__:
            again = ast.parse(ast.unparse(node)).body[0]
            assert isinstance(again, ast.FunctionDef)
            for new, old in zip(ast.walk(again), ast.walk(node), strict=True):
                ast.copy_location(new, old)
            again.decorator_list = []
            return again
    raise LookupError(f"{function.__name__} is not written at the top of {code.co_filename}")


def statements(tree: ast.FunctionDef) -> list[ast.stmt]:
    """All statements of a function, those in branches and loops too, in a fixed order."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node is not tree]


def compiled(function: FunctionType, tree: ast.FunctionDef) -> CodeType:
    """The code of a changed tree, for `function.__code__`."""
    module = ast.fix_missing_locations(ast.Module(body=[tree], type_ignores=[]))
    flags = __future__.annotations.compiler_flag
    code = compile(module, function.__code__.co_filename, "exec", flags, dont_inherit=True)
    defined: dict[str, Any] = {}
    exec(code, function.__globals__, defined)
    found: FunctionType = defined[function.__name__]
    return found.__code__


def changed(
    function: FunctionType, nth: int, put: Callable[[ast.stmt], ast.stmt | list[ast.stmt]]
) -> CodeType:
    """The code of a function with something else in the place of its `nth` statement."""
    tree = parsed(function)
    wanted = statements(tree)[nth]

    class Putting(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return put(wanted) if node is wanted else self.generic_visit(node)

    Putting().visit(tree)
    return compiled(function, tree)


def without(site: Site) -> CodeType:
    """The code of a site's function without its statement."""
    return changed(site.function, site.nth, lambda old: ast.copy_location(ast.Pass(), old))
