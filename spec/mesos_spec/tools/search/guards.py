"""The guards of an action as they are written, and the action without one of them.

Leaving out a guard ought to break a claim.  Where it does not, the guard is redundant, a property
is missing, or the model is too small to tell: `drop_each` says which guards to think about.
Only guards written in the action's own body are seen; those of functions it calls are not.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mesos_spec.kernel import Action, Cells, Untold
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import Result, check

S = TypeVar("S", bound=Cells)


@dataclass(frozen=True)
class Dropped:
    """What became of a model when one guard of one action was left out."""

    action: str
    guard: str
    result: Result[Any]

    @property
    def fate(self) -> str:
        """`caught` by a claim, `failed` in an action's body, `survives`, or `unfinished`."""
        if self.result.broken is not None:
            raised = self.result.broken.claim in {a.name for a in self.result.model.spec.actions}
            return "failed" if raised else "caught"
        if not self.result.finished:
            return "unfinished"
        return "survives" if not self.result.unseen else "caught"


def written_guards(action: Action[S, ...]) -> tuple[str, ...]:
    """The sentences of an action's guards, in the order they are written."""
    found = []
    for node in ast.walk(_function(action)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "require":
                found.append((node.lineno, node.col_offset, _sentence(node)))
            if node.func.id == "receive":
                kind = ast.unparse(node.args[1])
                found.append((node.lineno, node.col_offset, f"the next message is {kind}"))
            if node.func.id == "receive_any":
                kind = ast.unparse(node.args[2])
                found.append((node.lineno, node.col_offset, f"the message is {kind}"))
                found.append((node.lineno, node.col_offset + 1, "the message is in flight"))
    return tuple(sentence for _, _, sentence in sorted(found))


def drop_guards(action: Action[S, ...]) -> Iterator[tuple[str, Action[S, ...]]]:
    """Each `require` of `action`: its sentence, and the action without it.

    (A `receive` cannot be left out: what follows needs the message.)
    """
    for at, sentence in enumerate(_requires(_function(action))):
        function = _function(action)
        _Without(at).visit(function)
        yield sentence, replace(action, body=_compiled(action, function))


def drop_each(model: Model[S], **limits: Any) -> Iterator[Dropped]:
    """Check `model` once for each guard, without that guard; `limits` are `check`'s."""
    spec = model.spec
    for action in spec.actions:
        for sentence, without in drop_guards(action):
            actions = tuple(without if a is action else a for a in spec.actions)
            mutant = replace(model, spec=replace(spec, actions=actions))
            yield Dropped(action.name, sentence, check(mutant, **limits))


# ---- source --------------------------------------------------------------------------------
def _function(action: Action[S, ...]) -> ast.FunctionDef:
    """The action's body as it is written, without its decorator."""
    if action.body.__code__.co_freevars:
        raise Untold(f"{action.name} is written inside a function: guards are found in modules")
    lines, first = inspect.getsourcelines(action.body)
    function = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(function, ast.FunctionDef)
    ast.increment_lineno(function, first - 1)
    function.decorator_list = []
    return function


def _compiled(action: Action[S, ...], function: ast.FunctionDef) -> Callable[..., None]:
    """A function that sees the same module as the action's own body."""
    module = ast.fix_missing_locations(ast.Module(body=[function], type_ignores=[]))
    flags = __future__.annotations.compiler_flag
    code = compile(module, action.body.__code__.co_filename, "exec", flags, dont_inherit=True)
    defined: dict[str, Any] = {}
    exec(code, action.body.__globals__, defined)
    body: Callable[..., None] = defined[function.name]
    return body


def _is_require(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "require"
    )


def _requires(function: ast.FunctionDef) -> list[str]:
    """The sentences of the `require` statements, in the order `_Without` meets them."""
    counting = _Without(-1)
    counting.visit(function)
    return counting.met


def _sentence(call: ast.Call) -> str:
    text = call.args[1] if len(call.args) > 1 else call.keywords[0].value
    if isinstance(text, ast.Constant):
        return str(text.value)
    return ast.unparse(text)


class _Without(ast.NodeTransformer):
    """Puts `pass` for the `at`-th `require` statement."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.met: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        if _is_require(node):
            assert isinstance(node.value, ast.Call)
            self.met.append(_sentence(node.value))
            if len(self.met) - 1 == self.at:
                return ast.copy_location(ast.Pass(), node)
        return node
