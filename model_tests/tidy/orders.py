"""A core may not let the order of a set show: it differs from run to run.

A heuristic, and it says what it goes by: literals, annotations (of fields, arguments, locals and
results) and plain assignments.  It does not follow values through calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from model_tests.tidy.cores import cores
from model_tests.tidy.tree import Finding, Source, Tree

SETS = {"set", "frozenset", "AbstractSet", "MutableSet", "Set"}
TABLES = {"dict", "defaultdict", "Mapping", "MutableMapping"}

#: What gives the same answer in any order.
ORDER_FREE = {"sorted", "sum", "any", "all", "len", "min", "max", "set", "frozenset"}

#: What hands the order on.
ORDERED = {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "reversed"}

#: Methods of a set that give another.
GIVES_A_SET = {"union", "intersection", "difference", "symmetric_difference", "copy"}


def sets_are_sorted_first(tree: Tree) -> Iterator[Finding]:
    """Places in a core where the order of a set would show."""
    paths = cores(tree)
    in_cores = [source for source in tree.sources if source.path in paths]
    fields = Typed()
    for source in in_cores:
        fields.learn_fields(source.tree)
    for source in in_cores:
        yield from sorted(set(_shown_in(source, fields)))


def _shown_in(source: Source, fields: Typed) -> Iterator[Finding]:
    """What shows in one file; the same place may come up more than once."""
    for scope in ast.walk(source.tree):
        if isinstance(scope, ast.Module | ast.FunctionDef):
            eye = Eye(fields)
            if isinstance(scope, ast.FunctionDef):
                eye.learn(scope)
            for e in _iterated(scope):
                if eye.is_set(e):
                    what = f"the order of a set shows: {ast.unparse(e)}"
                    yield Finding(source.path, e.lineno, what)


class Typed:
    """Which names hold sets, and which hold tables of sets."""

    def __init__(self) -> None:
        self._sets: set[str] = set()
        self._tables: set[str] = set()
        self._others: set[str] = set()

    def learn_fields(self, tree: ast.AST) -> None:
        """Read the annotations of fields, and of what functions and properties return."""
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef(body=body):
                    for field in body:
                        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                            self.add(field.target.id, field.annotation)
                case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=annotation):
                    self.add(name, annotation)
                case ast.FunctionDef(name=name, returns=ast.expr() as annotation):
                    self.add(name, annotation)
                case _:
                    pass

    def learn_locals(self, scope: ast.FunctionDef) -> None:
        """Read the annotations of arguments and local names."""
        for node in ast.walk(scope):
            match node:
                case ast.arg(arg=name, annotation=ast.expr() as annotation):
                    self.add(name, annotation)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    self.add(name, annotation)
                case _:
                    pass

    def add(self, name: str, annotation: ast.expr) -> None:
        """Learn that `name` is annotated so."""
        match annotation:
            case ast.Constant(value=str(quoted)):
                self.add(name, ast.parse(quoted, mode="eval").body)
            case ast.BinOp(left=left):  # set[str] | None
                self.add(name, left)
            case ast.Subscript(value=table, slice=ast.Tuple(elts=[_, held])) if (
                _head(table) in TABLES and _head(held) in SETS
            ):
                self._tables.add(name)
            case _ if _head(annotation) in SETS:
                self._sets.add(name)
            case _:
                self._others.add(name)

    def assign(self, name: str, *, is_set: bool) -> None:
        """Learn from `name = …`."""
        (self._sets if is_set else self._others).add(name)

    def is_set(self, name: str) -> bool:
        """Whether the name holds a set wherever it occurs; if it differs, nothing is known."""
        return name in self._sets - self._others - self._tables

    def is_table(self, name: str) -> bool:
        """Whether the name holds a table of sets wherever it occurs."""
        return name in self._tables - self._others - self._sets


def _head(annotation: ast.expr) -> str:
    """`set` of `set[str]`, of `collections.abc.Set[str]` it is `Set`."""
    match annotation:
        case ast.Subscript(value=value):
            return _head(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


class Eye:
    """Tells, within one function, which expressions are sets."""

    def __init__(self, fields: Typed) -> None:
        self._fields = fields
        self._locals = Typed()

    def learn(self, scope: ast.FunctionDef) -> None:
        """Read what the function says of its local names."""
        self._locals.learn_locals(scope)
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._locals.assign(node.targets[0].id, is_set=self.is_set(node.value))

    def is_set(self, e: ast.expr) -> bool:
        """Whether `e` is a set, as far as names and annotations tell."""
        match e:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return self._locals.is_set(name)
            case ast.Attribute(attr=name):
                return self._fields.is_set(name)
            case ast.Subscript(value=table):
                return self._is_table(table)
            case ast.Call(func=ast.Name(id=name)):
                return name in ("set", "frozenset") or self._fields.is_set(name)
            case ast.Call(func=ast.Attribute(value=held, attr=name)):
                return (
                    self._fields.is_set(name)
                    or (name in GIVES_A_SET and self.is_set(held))
                    or (name in ("get", "pop", "setdefault") and self._is_table(held))
                )
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub(), right=right):
                return any(self.is_set(side) or _is_keys(side) for side in (left, right))
            case _:
                return False

    def _is_table(self, e: ast.expr) -> bool:
        match e:
            case ast.Name(id=name):
                return self._locals.is_table(name)
            case ast.Attribute(attr=name):
                return self._fields.is_table(name)
            case _:
                return False


def _is_keys(e: ast.expr) -> bool:
    """`table.keys()`: in order by itself, but not after `&`, `|` or `-`."""
    return isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) and e.func.attr == "keys"


def _iterated(scope: ast.AST) -> Iterator[ast.expr]:
    """Every expression below whose order of iteration can be seen."""
    free: set[ast.AST] = set()
    for node in ast.walk(scope):  # parents come before their children
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if name in ORDER_FREE:
                free.update(args)
            case ast.Call(func=ast.Name(id=name), args=args) if name in ORDERED:
                yield from args
            case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
                yield joined
            case ast.Call(func=ast.Attribute(value=held, attr="pop"), args=[]):
                yield held
            case ast.Set(elts=elements):
                free.update(elements)
            case ast.For(iter=iterated):
                yield iterated
            case ast.Starred(value=iterated) if node not in free:
                yield iterated
            case ast.GeneratorExp() | ast.ListComp() | ast.DictComp() if node not in free:
                yield from (generator.iter for generator in node.generators)
            case _:
                pass
