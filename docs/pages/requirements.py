"""The page of requirements: each rule, who says it, which test tries it, which mutant breaks it.

The catalogue is `docs/requirements.toml`; everything else on the page is found.  The specification
cites ids in its actions and properties, mutants name the one they break, and tests mention them in
docstrings, comments and strings.
"""

from __future__ import annotations

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from docs.pages.specification import KINDS, claims
from docs.pages.text import code, page, table
from mesos_chaos.mutants import shipped_mutants
from mesos_spec import ledger, refusals
from mesos_spec.framework import CLAUSES, DUTIES
from mesos_spec.kernel import Named
from mesos_spec.mesos import ACTIONS

ROOT = Path(__file__).parent.parent.parent
CATALOGUE = ROOT / "docs" / "requirements.toml"

#: `OFR-10`, `S8`; then what `OFR-9, 12…14` adds to it.
ID = re.compile(
    r"(?<![\w-])(?P<family>[A-Z]{3}-|[SLAFIR](?=\d))(?P<first>\d+)(?!\w|\.\d)(?P<more>"
    r"(?:(?:…|, ?| to | and )(?:(?P=family))?\d+(?!\w|\.\d))*)"
)

#: A string that is nothing but an id with one letter.
A_NAME = re.compile(r"['\"][A-Z]\d+['\"]")


class Rule(NamedTuple):
    """A row of the catalogue."""

    id: str
    says: str
    is_out: bool


class Found(NamedTuple):
    """Where a rule is, in the specification, in the tests, among the mutants."""

    actions: list[str]
    claims: list[str]
    beside: list[str]  #: clauses of the specifications beside the protocol
    tests: list[str]
    mutants: list[str]

    @property
    def is_said(self) -> bool:
        """Whether a clause of a specification cites it."""
        return bool(self.actions or self.claims or self.beside)


@cache
def catalogue() -> dict[str, list[Rule]]:
    """The rules of each family, by its title."""
    found = {}
    for family in tomllib.loads(CATALOGUE.read_text())["family"]:
        rules = [Rule(id, says, False) for id, says in family.get("rules", {}).items()]
        rules += [Rule(id, says, True) for id, says in family.get("out", {}).items()]
        found[family["title"]] = rules
    return found


@cache
def reasons() -> dict[str, str]:
    """Why a rule has no clause, by its id."""
    found: dict[str, str] = tomllib.loads(CATALOGUE.read_text())["beside"]
    return found


# ---- who mentions it -----------------------------------------------------------------------
def ids_in(text: str) -> Iterator[str]:
    """The requirement ids in a text, with `OFR-9, 12…14` read as OFR-9, OFR-12, OFR-13, OFR-14."""
    for match in ID.finditer(text):
        family, last = match["family"], int(match["first"])
        yield f"{family}{last}"
        for sign, number in re.findall(
            r"(…|, ?| to | and )(?:[A-Z]{3}-|[A-Z])?(\d+)", match["more"]
        ):
            between = range(last + 1, int(number)) if sign in ("…", " to ") else ()
            last = int(number)
            yield from (f"{family}{n}" for n in (*between, last))


@cache
def mentioned() -> dict[str, list[str]]:
    """The test files that mention each id, in order."""
    found: dict[str, dict[str, None]] = {}
    for path in sorted((ROOT / "model_tests").rglob("test_*.py")):
        if path.name != "test_docs.py":
            for id in _said(path.read_text(encoding="utf-8")):
                found.setdefault(id, {})[path.relative_to(ROOT).as_posix()] = None
    return {id: list(paths) for id, paths in found.items()}


def _said(source: str) -> Iterator[str]:
    """Ids in the comments and strings of a source, and in the names of its tests.

    A string that is nothing but `S1` is somebody's name; `test_x_lch_2_s10` names LCH-2 and S10.
    """
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string
        if token.type == tokenize.NAME and text.startswith("test_"):
            yield from _named(text)
        elif token.type in (tokenize.COMMENT, tokenize.STRING) and not A_NAME.fullmatch(text):
            yield from ids_in(text)


def _named(test: str) -> Iterator[str]:
    known = {rule.id for family in catalogue().values() for rule in family}
    for family, number in re.findall(r"(?<=_)([a-z]{3}_|[slafir])(\d+)(?=_|$)", test):
        id = f"{family.upper().replace('_', '-')}{number}"
        if id in known:
            yield id


@cache
def beside() -> dict[str, Named]:
    """The actions and claims of the ledger, and of filters on a page of their own."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{one.name}": one
        for module in (ledger, refusals)
        for one in vars(module).values()
        if isinstance(one, Named)
    }


def where(id: str) -> Found:
    """Everything that cites a rule."""
    return Found(
        [name for name, one in ACTIONS.items() if id in one.cites],
        [
            *(one.name for kind, _ in KINDS.values() for one in claims(kind) if id in one.cites),
            *(one.name for one in (*CLAUSES, *DUTIES) if id in one.cites),
        ],
        [name for name, one in beside().items() if id in one.cites],
        mentioned().get(id, []),
        [name for name, one in shipped_mutants().items() if id in set(ids_in(one.breaks))],
    )


# ---- the page ------------------------------------------------------------------------------
def requirements_page() -> str:
    """docs/reference/requirements.md."""
    rules = [rule for family in catalogue().values() for rule in family if not rule.is_out]
    found = {rule.id: where(rule.id) for rule in rules}
    specified = [id for id, at in found.items() if at.is_said]
    tested = [id for id, at in found.items() if at.tests]
    return page(
        "Requirements",
        "What Mesos does, rule by rule, in our own words: the safety and liveness rules and "
        "those with three letters after the last Apache Mesos (1.12), the rules A, F, I and R "
        "after the NSDI'11 paper. The same ids stand in the specification, in the code, in "
        "the tests and in the mutants, so that `grep -rn OFR-10` finds all of it.",
        f"{len(rules)} rules: {len(specified)} are said by an action or a property, "
        f"{len(tested)} are named by a test, {sum(bool(at.mutants) for at in found.values())} "
        "are broken by a shipped mutant. An action or property is asked in every state of "
        "every [model](models.md) and of every step of every trace that is judged, whether or "
        "not a test names its rule.",
        _gaps(found),
        *(_family(title, family, found) for title, family in catalogue().items()),
    )


def _gaps(found: dict[str, Found]) -> str:
    """The honest part: rules that lack a test, or a clause, or both."""
    neither = [id for id, at in found.items() if not (at.tests or at.is_said)]
    untested = [id for id, at in found.items() if not at.tests and id not in neither]
    unsaid = [id for id, at in found.items() if at.tests and not at.is_said]
    lacking = [id for id, at in found.items() if not at.is_said]
    return "\n\n".join(
        [
            "## Not yet covered",
            f"**By nothing that names them** ({len(neither)}: by code, and by tests that do not "
            f"say so): {_ids(neither)}.",
            f"**By no test that names them** ({len(untested)}: by the models and the judge "
            f"alone): {_ids(untested)}.",
            f"**By no action or property** ({len(unsaid)}: by tests alone): {_ids(unsaid)}.",
            "Why there is no clause for some:",
            table(
                ("rules", "why"),
                [
                    (_ids([id for id in lacking if reasons().get(id) == why]), why)
                    for why in dict.fromkeys(reasons()[id] for id in lacking if id in reasons())
                ],
            ),
        ]
    )


def _ids(ids: list[str]) -> str:
    return ", ".join(f"[{id}](#{id.lower()})" for id in ids) or "none"


def _family(title: str, rules: list[Rule], found: dict[str, Found]) -> str:
    rows = [
        (
            f'<a id="{rule.id.lower()}"></a>{rule.id}',
            rule.says,
            ", ".join(_clauses(found[rule.id])),
            _tests(found[rule.id].tests),
            ", ".join(f"[{code(m)}](mutants.md#{m})" for m in found[rule.id].mutants),
        )
        for rule in rules
        if not rule.is_out
    ]
    out = [f'* <a id="{r.id.lower()}"></a>{r.id}: {r.says}' for r in rules if r.is_out]
    head = ("id", "rule", "specification", "tests", "mutants")
    blocks = [f"## {title}", table(head, rows)]
    return "\n\n".join([*blocks, *(["Not in this edition:\n\n" + "\n".join(out)] if out else [])])


def _clauses(found: Found) -> list[str]:
    """The specification's clauses, linked where they have a place of their own."""
    return [
        *(f"[{name}](actions.md#{name})" for name in found.actions),
        *(f"[*{name}*](properties.md#{name})" for name in found.claims),
        *(code(name) for name in found.beside),
    ]


def _tests(paths: list[str]) -> str:
    return ", ".join(f"[{Path(path).stem.removeprefix('test_')}](../../{path})" for path in paths)
