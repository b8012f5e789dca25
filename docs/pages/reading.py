"""What an action says of itself, read from its source: what it asks, what it hears, what it sends.

Guards are sentences in calls of `require`, messages are classes that are called; both are found in
the action's body and in the functions of the specification that it calls, in the order of the text.
An action that writes into a channel without naming a class has a message among its parameters.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, UnionType
from typing import Any, get_type_hints

from mesos_spec import messages
from mesos_spec.kernel import Action

Function = Callable[..., Any]

#: The language itself; its functions are not what an action says.
LANGUAGE = {f"mesos_spec.{name}" for name in ("kernel", "values", "cells", "names", "claims")}


def guards(action: Action[Any, ...]) -> list[str]:
    """The sentences of an action's guards, in order, each once."""
    return list(dict.fromkeys(_guards(action.body)))


def _guards(function: Function) -> Iterator[str]:
    for call, scope in _calls(function):
        match call:
            case ast.Call(func=ast.Name("require"), args=[_, ast.Constant(str(says))]):
                yield says
            case ast.Call(func=ast.Name("receive"), args=[_, kind]):
                yield f"the next message is {' or '.join(k.__name__ for k in _kinds(kind, scope))}"
            case _:
                continue


def hears(action: Action[Any, ...]) -> list[type]:
    """The kinds of message an action takes from its channel; empty for one that hears none.

    A base class stands for all its kinds.  A body that looks for itself what the next message is
    says so in an `assert isinstance`.
    """
    found: list[type] = []
    for call, scope in _calls(action.body, inside=False):
        match call:
            case ast.Call(func=ast.Name("receive"), args=[_, kind]):
                found += _kinds(kind, scope)
            case _:
                continue
    for node in ast.walk(_tree(action.body)):
        match node:
            case ast.Assert(test=ast.Call(func=ast.Name("isinstance"), args=[_, kind])):
                found += _kinds(kind, action.body.__globals__)
            case _:
                continue
    return list(dict.fromkeys(found))


def sends(action: Action[Any, ...]) -> list[type]:
    """The kinds of message an action makes, by itself or in what it calls, or is given to send."""
    made = [
        scope[call.func.id]
        for call, scope in _calls(action.body)
        if isinstance(call.func, ast.Name) and _is_message(scope.get(call.func.id))
    ]
    given = [t for t in get_type_hints(action.body).values() if _is_message(t)]
    return list(dict.fromkeys([*made, *given]))


def _is_message(thing: object) -> bool:
    return isinstance(thing, type) and thing in _messages()


@cache
def _messages() -> frozenset[type]:
    return frozenset(
        kind
        for union in (
            messages.FrameUp,
            messages.FrameDown,
            messages.AnyCall,
            messages.Event,
            messages.ToldExecutor,
        )
        for kind in concrete(union)
    )


def concrete(union: Any) -> list[type]:
    """The kinds of a union; a base class stands for those made of it."""
    return [kind for one in union.__args__ for kind in (made_of(one) or [one])]


def made_of(base: type) -> list[type]:
    """The classes of the module that are made of `base`, as it knows them."""
    named = vars(messages).values()
    return [k for k in named if isinstance(k, type) and issubclass(k, base) and k is not base]


def _kinds(node: ast.expr, scope: dict[str, Any]) -> tuple[type, ...]:
    """The classes an expression names: `A`, `A | B`, or a union's name."""
    if isinstance(node, ast.BinOp):
        return (*_kinds(node.left, scope), *_kinds(node.right, scope))
    named = scope[ast.unparse(node)]
    return named.__args__ if isinstance(named, UnionType) else (named,)


# ---- following calls -----------------------------------------------------------------------
@cache
def _tree(function: Function) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _calls(
    function: Function, inside: bool = True, seen: set[Function] | None = None
) -> Iterator[tuple[ast.Call, dict[str, Any]]]:
    """Every call in a function's body, with the scope it is made in; `inside`: and in those."""
    seen = seen if seen is not None else set()
    seen.add(function)
    scope: dict[str, Any] = function.__globals__
    body = _tree(function).body[0]
    assert isinstance(body, ast.FunctionDef)
    for call in _in_order(body.body):
        yield call, scope
        called = scope.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if inside and isinstance(called, FunctionType) and called not in seen and _ours(called):
            yield from _calls(called, inside, seen)


def _in_order(body: list[ast.stmt]) -> list[ast.Call]:
    found = [n for stmt in body for n in ast.walk(stmt) if isinstance(n, ast.Call)]
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def _ours(function: FunctionType) -> bool:
    module = function.__module__
    return module.startswith("mesos_spec.") and module not in LANGUAGE
