"""Generic mutants: edits of the cores that no story thought of, drawn from a seed (D12).

Each edit is one of a few mechanical ones, at any place in a core's functions where it makes sense:
a condition is negated, a statement dropped, an operator or two arguments exchanged, a bound moved
by one, a truth value turned.  What cannot matter to behaviour is left alone: text, types, asserts,
and the bodies of checks.  A dropped definition of a local name would only raise, so those are kept.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mesos_chaos.mutants import Mutant, MutantError

#: The modules that decide, of each core.
MODULES = (
    "mesos_ref.agent.calls",
    "mesos_ref.agent.checkpoint",
    "mesos_ref.agent.core",
    "mesos_ref.agent.executors",
    "mesos_ref.agent.frameworks",
    "mesos_ref.agent.launching",
    "mesos_ref.agent.recovery",
    "mesos_ref.agent.registration",
    "mesos_ref.agent.remembering",
    "mesos_ref.agent.tasks",
    "mesos_ref.agent.timers",
    "mesos_ref.agent.updates",
    "mesos_ref.allocator.drf",
    "mesos_ref.master.admission",
    "mesos_ref.master.agents",
    "mesos_ref.master.calls",
    "mesos_ref.master.core",
    "mesos_ref.master.frameworks",
    "mesos_ref.master.launch",
    "mesos_ref.master.offers",
    "mesos_ref.master.reconcile",
    "mesos_ref.master.state",
    "mesos_ref.master.statuses",
    "mesos_ref.master.task_validation",
    "mesos_ref.master.tasks",
    "mesos_ref.scheduler.core",
    "mesos_ref.scheduler.state",
    "mesos_ref.scheduler.subscription",
)
#: Functions that only look at a core, for tests.
LOOKS = frozenset({"violations", "__repr__"})

COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}


class Edit(NamedTuple):
    """A piece of a source to replace: from where to where, by what, and the kind of edit."""

    start: int
    end: int
    new: str
    kind: str
    where: str


def generic_mutants(many: int, seed: int = 0) -> dict[str, Mutant]:
    """So many edits of the cores, drawn evenly from all there are; by id.

    Each has its lot by what it is and in which function, not by its number: when a core changes,
    the other mutants stay as they are.
    """
    lots: dict[str, tuple[str, Edit]] = {}
    for module in MODULES:
        source = _source(module)
        for edit in edits(source):
            line = source[source.rfind("\n", 0, edit.start) + 1 : edit.end].strip()
            said = "/".join((str(seed), module, edit.where, edit.kind, line, edit.new))
            same = 0
            while (lot := _lot(f"{said}/{same}")) in lots:
                same += 1
            lots[lot] = module, edit
    if many > len(lots):
        raise MutantError(f"there are {len(lots)} generic edits, not {many}")
    drawn = sorted(lots)[:many]
    found = (_mutant(f"generic_{lot}", *lots[lot]) for lot in drawn)
    return {mutant.id: mutant for mutant in found}


def _lot(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def _mutant(name: str, module: str, edit: Edit) -> Mutant:
    old, new = _in_context(_source(module), edit)
    story = f"Generic: {edit.kind} in {edit.where} of {module.removeprefix('mesos_ref.')}."
    return Mutant(id=name, module=module, old=old, new=new, story=story, breaks="generic")


def _in_context(source: str, edit: Edit) -> tuple[str, str]:
    """The edit as old and new text, with as many whole lines around it as make the old unique."""
    start, end = source.rfind("\n", 0, edit.start) + 1, source.find("\n", edit.end)
    while source.count(source[start:end]) != 1:
        start = source.rfind("\n", 0, max(0, start - 1)) + 1
        end = source.find("\n", end + 1)
    before, after = source[start : edit.start], source[edit.end : end]
    return source[start:end], before + edit.new + after


# ---- where edits may be --------------------------------------------------------------------------
def edits(source: str) -> list[Edit]:
    """All edits of a source, in the order in which they stand."""
    found: dict[Edit, None] = {}
    lines = [0]
    for line in source.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    whole = source.encode()

    def at(line: int, column: int) -> int:
        return len(whole[: lines[line - 1] + column].decode())

    def span(part: Part) -> tuple[int, int]:
        last = at(part.end_lineno or 0, part.end_col_offset or 0)
        return at(part.lineno, part.col_offset), last

    def text(part: Part) -> str:
        return source[slice(*span(part))]

    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef) and function.name not in LOOKS:
            for node in _body(function):
                for part, new, kind in _of(node, text):
                    found[Edit(*span(part), new, kind, function.name)] = None
    return sorted(found)


def _body(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Every node of a function's statements but its docstring, asserts, and inner functions."""
    queue: list[ast.AST] = [*function.body]
    while queue:
        node = queue.pop()
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Assert | ast.FunctionDef | ast.JoinedStr | ast.Raise):
            continue
        yield node
        if isinstance(node, ast.AnnAssign):
            queue += [node.value] if node.value is not None else []
        else:
            queue += ast.iter_child_nodes(node)


Part = ast.expr | ast.stmt


def _of(node: ast.AST, text: Callable[[Part], str]) -> Iterator[tuple[Part, str, str]]:
    """The edits of one node: what to replace, by what, and which kind that is."""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield test, f"not ({text(test)})", "a negated condition"
        case ast.comprehension(ifs=[test, *_]):
            yield test, f"not ({text(test)})", "a negated condition"
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.AugAssign():
            yield node, "pass", "a dropped statement"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "pass", "a dropped statement"
        case ast.Return(value=None):
            yield node, "pass", "a dropped return"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARED:
            _, other = COMPARED[type(op)]
            yield node, f"{text(left)} {other} {text(right)}", "another comparison"
        case ast.BoolOp(op=op, values=values):
            other = "or" if isinstance(op, ast.And) else "and"
            joined = f" {other} ".join(f"({text(value)})" for value in values)
            yield node, f"({joined})", "and for or"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            _, other = BINARY[type(op)]
            yield node, f"{text(left)} {other} {text(right)}", "another operator"
        case ast.Constant(value=bool(value)):
            yield node, str(not value), "the other truth value"
        case ast.Constant(value=int(value)):
            yield node, str(value + 1), "a bound moved by one"
        case ast.Call(func=ast.Name(id="min" | "max" as name) as func):
            yield func, "max" if name == "min" else "min", "min for max"
        case _:
            return
