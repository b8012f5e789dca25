"""The guards of an action as they are written, and the action without one of them.

Only guards written in the action's own body are seen; those of functions it calls are not.
`mesos-spec mutants` leaves those out, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType
from typing import Any, TypeVar

from mesos_spec.kernel import Action, Cells, Untold
from mesos_spec.tools.mutating.sites import GUARD, parsed, sites_in, without

S = TypeVar("S", bound=Cells)


def written_guards(action: Action[S, ...]) -> tuple[str, ...]:
    """The sentences of an action's guards, in the order they are written."""
    found = []
    for node in ast.walk(parsed(_body(action))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            at = (node.lineno, node.col_offset)
            found += [(*at, n, says) for n, says in enumerate(_said_by(node.func.id, node.args))]
    return tuple(says for *_, says in sorted(found))


def _said_by(asking: str, args: list[ast.expr]) -> list[str]:
    """The sentences that a call of `require`, `receive` or `receive_any` asks."""
    if asking == "require":
        return [str(args[1].value) if isinstance(args[1], ast.Constant) else ast.unparse(args[1])]
    if asking == "receive":
        return [f"the next message is {ast.unparse(args[1])}"]
    if asking == "receive_any":
        return [f"the message is {ast.unparse(args[2])}", "the message is in flight"]
    return []


def drop_guards(action: Action[S, ...]) -> Iterator[tuple[str, Action[S, ...]]]:
    """Each `require` of `action`: its sentence, and the action without it.

    (A `receive` cannot be left out: what follows needs the message.)
    """
    body = _body(action)
    for site in sites_in(body):
        if site.kind == GUARD:
            less = FunctionType(without(site), body.__globals__, body.__name__)
            yield site.text, replace(action, body=less)


def _body(action: Action[S, ...]) -> FunctionType:
    """The function that an action is written as; without its decorator."""
    body: Any = action.body
    if body.__code__.co_freevars:
        raise Untold(f"{action.name} is written inside a function: guards are found in modules")
    assert isinstance(body, FunctionType)
    return body
