"""A survey: which lines of the cores each of many plans reaches, seen once on the clean code.

A mutant can be caught only by a plan that gets to its lines, and most plans get to few of the rare
ones.  So the plans are run once without any mutant, with every line of the cores counted; a hunt
then tries first those that come to the mutant's lines often and cheaply, and knows at once that
none does.  This is no hint of whoever wrote the mutant: it follows from where the edit is.

A survey is kept as a file, and made anew when the cores have changed, or what draws the plans.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any

from mesos_chaos.mutants import Mutant
from mesos_chaos.mutants.generic import MODULES
from mesos_chaos.mutants.planting import plant_source
from mesos_chaos.mutants.scratch import in_scratch
from mesos_chaos.mutants.tries import Try, single_faults, surveyed
from mesos_chaos.search.breaking import run_plan

PLAN_S = 60.0
MEAN_S = 6.0  #: of CPU time, that a plan may take on average
VERSION = 4
#: What says which plans there are.
DRAWN_BY = tuple(
    f"mesos_chaos.{name}"
    for name in ("mutants.tries", "search.drawing", "search.exhaustive", "search.portfolio")
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one plan reached: `module:line` → how often; and what it cost without counting."""

    one: Try
    cpu_s: float
    lines: dict[str, int]


@dataclass(slots=True)
class Survey:
    """What all plans reached, and what is wrong with the clean code."""

    digest: str
    seen: list[Seen] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)  #: plan → what it broke without a mutant

    def reaching(self, mutant: Mutant) -> list[Seen]:
        """The plans that come to the mutant's lines: those first that do so often and cheaply.

        Ways of drawing take turns, since each sees what others do not.  So do scenarios, each of
        which is there for something that nothing else shows; and single faults of tiny plans, in
        no order.
        """
        lines = [f"{mutant.module}:{line}" for line in edited_lines(mutant)]
        total = Counter[str]()
        for one in self.seen:
            total.update({line: one.lines[line] for line in lines if line in one.lines})

        def worth(one: Seen) -> float:
            share = sum(one.lines.get(line, 0) / total[line] for line in lines if total[line])
            return share / (0.1 + one.cpu_s)

        found = [one for one in self.seen if any(line in one.lines for line in lines)]
        found.sort(key=worth, reverse=True)
        return _in_turns(found)

    def text(self) -> str:
        """As its file holds it."""
        seen = [[*one.one.key, one.cpu_s, one.lines] for one in self.seen]
        return json.dumps({"digest": self.digest, "seen": seen, "broken": self.broken})


def _in_turns(found: list[Seen]) -> list[Seen]:
    tiny = [one for one in found if one.one.strategy == "single"]
    named = [one for one in found if one.one.strategy == "scenario"]
    others = [one for one in found if one.one.strategy not in ("single", "scenario")]
    tiny.sort(key=lambda one: hashlib.sha256(one.one.text.encode()).digest())
    ways: dict[str, list[Seen]] = {}
    for one in others:
        ways.setdefault(one.one.strategy, []).append(one)
    mixed = [one for turn in zip_longest(*ways.values()) for one in turn if one is not None]
    turns = zip_longest(mixed, named, tiny)
    return [one for turn in turns for one in turn if one is not None]


def survey(path: Path, plans: int, tell: Callable[[str], object] = lambda line: None) -> Survey:
    """The survey in the file, if it is of these sources and has so many plans; else a new one."""
    known = read_survey(path)
    if known is not None and len(known.seen) + len(known.broken) >= plans:
        return known
    surveyed(plans)  # which runs tiny plans: here, where nothing counts
    seen, broken = in_scratch(None, _look, plans, cpu_s=plans * MEAN_S, before=_plant)
    made = Survey(digest(), [one for one in seen if one.one.text not in broken], broken)
    for name, says in broken.items():
        tell(f"BROKEN without a mutant: {name}: {says}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made.text())
    return made


def read_survey(path: Path) -> Survey | None:
    """The survey in the file; None if there is none, or it is of other sources."""
    if not path.exists():
        return None
    said = json.loads(path.read_text())
    if said["digest"] != digest():
        return None
    seen = [Seen(Try(*row[:3]), row[3], row[4]) for row in said["seen"]]
    for name in {one.one.name for one in seen if one.one.strategy == "single"}:
        single_faults(name)
    return Survey(said["digest"], seen, said["broken"])


def _plant() -> None:
    for module in MODULES:
        plant_source(module, partial(counting, module))


def digest() -> str:
    """Of the sources of all modules that are surveyed, and of those that draw the plans."""
    every = hashlib.sha256(str(VERSION).encode())
    for module in (*MODULES, *DRAWN_BY):
        every.update(_file(module).read_bytes())
    return every.hexdigest()


def _file(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


# ---- counting ----------------------------------------------------------------------------------
def _look(many: int) -> tuple[list[Seen], dict[str, str]]:
    """Run the plans in this process, in which the cores count their statements."""
    seen, broken = [], {}
    for one in surveyed(many):
        for counted in COUNTS.values():
            counted.clear()
        began_s = time.process_time()
        wrong = run_plan(one.plan, PLAN_S).broken
        cost_s = round(time.process_time() - began_s, 3)
        if wrong is not None:
            broken[one.text] = wrong.says
        lines = {f"{m}:{n}": many for m, found in COUNTS.items() for n, many in found.items()}
        seen.append(Seen(one, cost_s, lines))
    return seen, broken


#: How often each statement of each module was run, by its line; counted where `counting` was.
COUNTS: dict[str, Counter[int]] = {}


def counting(module: str, source: str) -> ast.Module:
    """The module, with a count before every statement of its functions."""
    COUNTS[module] = Counter()
    tree: ast.Module = _Counting().visit(ast.parse(source))
    start = ast.parse(f"from {__name__} import COUNTS as _c; _c = _c[{module!r}]").body
    at = next(i for i, one in enumerate(tree.body) if not _leads(one))
    tree.body[at:at] = start
    return ast.fix_missing_locations(tree)


def _leads(one: ast.stmt) -> bool:
    """Whether that must stay in front: the docstring, imports from the future."""
    return isinstance(one, ast.Expr) or (
        isinstance(one, ast.ImportFrom) and one.module == "__future__"
    )


class _Counting(ast.NodeTransformer):
    """Puts counts into functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Count what is in it."""
        for part in ast.walk(node):
            for name in ("body", "orelse", "finalbody"):
                inside = getattr(part, name, None)
                if isinstance(inside, list) and not isinstance(part, ast.ClassDef):
                    setattr(part, name, [one for stmt in inside for one in self._with(stmt)])
        return node

    def _with(self, stmt: ast.stmt) -> list[ast.stmt]:
        if isinstance(stmt, ast.Global | ast.Nonlocal):
            return [stmt]
        return [*ast.parse(f"_c[{stmt.lineno}] += 1").body, stmt]


# ---- where a mutant is -----------------------------------------------------------------------
def edited_lines(mutant: Mutant) -> list[int]:
    """Where the statements begin that the mutant changes."""
    source = _file(mutant.module).read_text()
    was, now = source.splitlines(), mutant.edited(source).splitlines()
    before = _alike(was, now)
    after = _alike(was[before:][::-1], now[before:][::-1])
    first, last = before + 1, max(before + 1, len(was) - after)
    spans = [_head(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    inside = [span for span in spans if span[0] <= last and span[1] >= first]
    return sorted({low for low, _ in inside})


def _alike(some: Sequence[str], others: Sequence[str]) -> int:
    """How many at their beginnings are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others)))


def _head(node: ast.stmt) -> tuple[int, int]:
    """From where to where a statement goes, without those in it."""
    body: Sequence[Any] = getattr(node, "body", None) or getattr(node, "cases", None) or ()
    if not body:
        return node.lineno, node.end_lineno or node.lineno
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.lineno, node.lineno  # only run when it is defined
    first = body[0].pattern.lineno if isinstance(node, ast.Match) else body[0].lineno
    return node.lineno, max(node.lineno, first - 1)
