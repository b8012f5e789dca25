"""What a reader meets: short functions, files with a first sentence, and one word for one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from model_tests.tidy.cores import cores
from model_tests.tidy.tree import Finding, Tree

FUNCTION_LINES = 70
FILE_LINES = 500

#: A method shorter than this says what it does itself; callbacks and accessors are no reading.
SELF_EXPLAINING_LINES = 10

#: The packages whose public names are documented.
PACKAGES = ("mesos_ref/", "spec/mesos_spec/", "chaos/mesos_chaos/")

#: Apache Mesos' old word for an agent lives on in its HTTP API; only what speaks it may say it.
#: What executors find in their environment, and libprocess' path of an agent, anybody may name.
OLD_WORD = re.compile(r"(?<!MESOS_)slav[e](?!\(1\)|%281%29)", re.IGNORECASE)
OLD_WORD_MAY = (
    "mesos_ref/wire/*",  # its fields
    "mesos_ref/http/*",  # its paths
    "mesos_ref/*/http_api.py",
    "mesos_ref/*/operator.py",
    "mesos_ref/isolation/rundir.py",  # where tools look for a sandbox
    "mesos_ref/agent/files.py",  # the same
    "model_tests/live/*",  # the same
    "model_tests/shell/test_wire_*.py",
    "model_tests/api/*",
    "model_tests/wire/*",
)

UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|NotImplemented[E]rror)\b")

#: A path of the place where this was written; `tmp/work/…` and `{root}/work/…` are none.
WORKPLACE = re.compile(r"(?<![\w.})\]*~-])/wor[k]/")


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions_fit_on_a_screen(tree: Tree) -> Iterator[Finding]:
    """Functions longer than a screen."""
    for source in tree.sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if (lines := _lines(node)) > FUNCTION_LINES:
                yield Finding(source.path, node.lineno, f"{node.name} has {lines} lines")


def files_are_one_idea(tree: Tree) -> Iterator[Finding]:
    """Files too long to be about one thing."""
    for source in tree.sources:
        lines = len(source.text.splitlines())
        if lines > FILE_LINES:
            yield Finding(source.path, lines, f"has {lines} lines")


def files_say_what_they_are(tree: Tree) -> Iterator[Finding]:
    """Modules whose docstring does not begin with a whole sentence."""
    for source in tree.sources:
        first = (ast.get_docstring(source.tree) or "").partition("\n\n")[0]
        sentence = " ".join(first.split())
        if len(sentence.split()) < 4 or not re.search(r"[.:!?]$", sentence):
            yield Finding(source.path, 1, f"begins with {sentence!r}, which is no sentence")


def public_names_are_explained(tree: Tree) -> Iterator[Finding]:
    """Public functions, classes and methods of some length that have no docstring."""
    for source in tree.under(*PACKAGES):
        for owner, node in _public(source.tree, ""):
            if ast.get_docstring(node) is None:
                yield Finding(source.path, node.lineno, f"{owner}{node.name} has no docstring")


Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public(body: ast.Module | ast.ClassDef, owner: str) -> Iterator[tuple[str, Documented]]:
    """(owner, definition) of what can be named from outside, and is no repetition."""
    for node in body.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        if any(_repeats(decorator) for decorator in node.decorator_list):
            continue
        if not owner or isinstance(node, ast.ClassDef) or _lines(node) > SELF_EXPLAINING_LINES:
            yield owner, node
        if isinstance(node, ast.ClassDef):
            yield from _public(node, f"{owner}{node.name}.")


def _repeats(decorator: ast.expr) -> bool:
    """An overload, a setter or an override is explained where its first form is."""
    return ast.unparse(decorator).rpartition(".")[2] in {"overload", "setter", "override"}


def nothing_is_left_for_later(tree: Tree) -> Iterator[Finding]:
    """Notes to oneself, and methods that are only promised."""
    yield from _lines_with(tree, UNFINISHED)


def the_workplace_is_not_named(tree: Tree) -> Iterator[Finding]:
    """Paths that exist only where this was written."""
    yield from _lines_with(tree, WORKPLACE)


def agents_are_called_agents(tree: Tree) -> Iterator[Finding]:
    """The old word for an agent, outside of what speaks Apache Mesos' API."""
    for found in _lines_with(tree, OLD_WORD):
        if not any(fnmatch(found.path, pattern) for pattern in OLD_WORD_MAY):
            yield found


def types_are_not_silenced(tree: Tree) -> Iterator[Finding]:
    """Ignored type errors in the specification and in cores."""
    careful = {source.path for source in tree.under("spec/mesos_spec/")} | cores(tree).keys()
    for found in _lines_with(tree, re.compile(r"#\s*type:\s*ignore")):
        if found.path in careful:
            yield found


def errors_are_not_swallowed(tree: Tree) -> Iterator[Finding]:
    """Handlers that only `pass`, and those that catch even a request to stop."""
    for source in tree.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    yield Finding(source.path, node.lineno, "catches everything")
                elif len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
                    yield Finding(source.path, node.lineno, "swallows; contextlib.suppress says so")


def _lines_with(tree: Tree, pattern: re.Pattern[str]) -> Iterator[Finding]:
    for path, text in tree.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                yield Finding(path, number, f"says {found[0]!r}: {line.strip()[:80]}")
