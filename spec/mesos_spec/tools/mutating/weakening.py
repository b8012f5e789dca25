"""Weaker claims: a property with one of its parts left out, or nothing left of it.

    return a and b          →  return a   ·   return b
    return not (a or b)     →  return not a   ·   return not b
    if c: return False      →  if c: return True

What is left holds wherever the whole held, so no correct specification notices.  A part is worth
its place if there is a wrong step or state, of some mutant, that only the whole claim refuses.
"""

from __future__ import annotations

import ast
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from mesos_spec.kernel import Always, EachStep
from mesos_spec.tools.mutating.sites import compiled, parsed

Claim = Always[Any, ...] | EachStep[Any, ...]

ALL = "all of it"  #: the part that is left out where nothing is left


@dataclass(frozen=True)
class Weakened:
    """A claim without one of its parts."""

    claim: Claim
    part: str  #: the part that is left out, as it is written; a second one like it is numbered
    line: int
    code: CodeType

    @property
    def id(self) -> str:
        """What this mutant is called."""
        return f"{self.claim.name}: {self.part}"


def body_of(claim: Claim) -> FunctionType:
    """The function that a claim is written as."""
    body: Any = claim.holds
    assert isinstance(body, FunctionType)
    return body


class Less(NamedTuple):
    """A predicate without one of its parts."""

    part: str  #: as `Weakened.part`
    line: int
    code: CodeType


def weakened(claim: Claim) -> Iterator[Weakened]:
    """The claim without each of its parts in turn, and at last without any."""
    return (Weakened(claim, *less) for less in less_of(body_of(claim)))


def less_of(body: FunctionType) -> Iterator[Less]:
    """A predicate without each of its parts in turn, and at last without any: it always holds."""
    times: Counter[str] = Counter()
    for nth in range(len(_parts(parsed(body)))):
        tree = parsed(body)
        part, leave_out = _parts(tree)[nth]
        text = ast.unparse(part)
        times[text] += 1
        text += f" ({times[text]})" if times[text] > 1 else ""
        leave_out()
        yield Less(text, part.lineno, compiled(body, tree))
    tree = parsed(body)
    line = tree.lineno
    tree.body = [ast.Return(ast.Constant(True))]
    yield Less(ALL, line, compiled(body, tree))


Part = tuple[ast.expr | ast.stmt, Callable[[], None]]  #: what can be left out, and how


def _parts(tree: ast.FunctionDef) -> list[Part]:
    """What can be left out of a claim, in the order it is written."""
    returns = [node for node in ast.walk(tree) if isinstance(node, ast.Return)]
    found: list[Part] = []
    for node in returns:
        if isinstance(node.value, ast.Constant) and node.value.value is False:
            found.append((node, _holds(node)))
        elif node.value is not None:
            found += _within(node.value, True)
    return found


def _within(node: ast.expr, positive: bool) -> Iterator[Part]:
    """The parts of a condition without which it is weaker; stronger, where it is denied."""
    if isinstance(node, ast.BoolOp):
        if isinstance(node.op, ast.And) == positive:
            yield from _each(node.values, positive)
        for value in node.values:
            yield from _within(value, positive)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield from _within(node.operand, not positive)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        inside = node.args[0]
        if node.func.id == ("all" if positive else "any"):
            if isinstance(inside, ast.Tuple | ast.List):
                yield from _each(inside.elts, positive)
                for value in inside.elts:
                    yield from _within(value, positive)
            elif isinstance(inside, ast.GeneratorExp):
                yield from _within(inside.elt, positive)


def _each(values: list[ast.expr], neutral: bool) -> Iterator[Part]:
    """Each of several values that all have a say; what says `neutral` says nothing."""
    if len(values) > 1:
        for at, value in enumerate(values):
            yield value, partial(operator.setitem, values, at, ast.Constant(neutral))


def _holds(node: ast.Return) -> Callable[[], None]:
    def hold() -> None:
        node.value = ast.Constant(True)

    return hold
