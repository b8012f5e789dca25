"""Whether a property's answer says anything, or was given by its premise alone.

*Every offer is of something* is true where there are no offers, and proves nothing there.  An
answer is *vacuous* if one of these gave it:

* `return True`, where no loop before it had a turn that was not left early;
* the first part of `not premise or …`;
* an `all`, or a `not any`, that had nothing to go through.

The property is compiled anew with a mark in these places, and is otherwise the same.  What does not
look like a premise is taken to be none: so an answer may say less than is believed, never more than
nothing where it is called vacuous.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, Final

Holds = Callable[..., Any]


class _Vacuous:
    """True, of nothing."""

    def __repr__(self) -> str:
        return "VACUOUS"


VACUOUS: Final = _Vacuous()


def marked(holds: Holds) -> Holds:
    """`holds`, with `VACUOUS` (which counts as true) where its answer says nothing.

    Itself, where its source cannot be had: then every answer counts.
    """
    try:
        lines, first = inspect.getsourcelines(holds)
    except OSError:
        return holds
    function = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(function, ast.FunctionDef) or holds.__code__.co_freevars:
        return holds
    ast.increment_lineno(function, first - 1)
    function.decorator_list = []
    function.body = [_Marks().visit(statement) for statement in function.body]
    function.body.insert(0, ast.parse("__turned = False").body[0])
    module = ast.fix_missing_locations(ast.Module(body=[function], type_ignores=[]))
    flags = __future__.annotations.compiler_flag
    code = compile(module, holds.__code__.co_filename, "exec", flags, dont_inherit=True)
    scope = {**holds.__globals__, "__VACUOUS": VACUOUS, "__all": _all, "__none": _none}
    exec(code, scope)
    found: Holds = scope[function.name]
    return found


def _all(each: Iterable[object]) -> object:
    answer: object = VACUOUS
    for one in each:
        if not one:
            return False
        answer = True
    return answer


def _none(each: Iterable[object]) -> object:
    return _all(not one for one in each)


class _Marks(ast.NodeTransformer):
    """Puts the marks into a function's statements; those of functions inside it are left alone."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        inner = any(isinstance(one, ast.For) for one in ast.walk(node) if one is not node)
        self.generic_visit(node)
        if not inner:
            node.body.append(ast.parse("__turned = True").body[0])
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        if node.value is not None:
            node.value = _mark(node.value)
        return node


def _mark(value: ast.expr) -> ast.expr:
    """An expression with the same answer, vacuous where that says nothing."""
    match value:
        case ast.Constant(True):
            return _expression("__turned or __VACUOUS")
        case ast.BoolOp(ast.Or(), [ast.UnaryOp(ast.Not()) as absent, *rest]):
            said = rest[0] if len(rest) == 1 else ast.BoolOp(ast.Or(), rest)
            return ast.IfExp(absent, _expression("__VACUOUS"), _mark(said))
        case ast.Call(ast.Name("all"), [ast.GeneratorExp() as each]):
            return ast.Call(_expression("__all"), [each], [])
        case ast.UnaryOp(ast.Not(), ast.Call(ast.Name("any"), [ast.GeneratorExp() as each])):
            return ast.Call(_expression("__none"), [each], [])
        case _:
            return value


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
