"""The house rules: each is held against the whole tree, and against a planted violation.

The rules live beside this file in `tidy/`, with `ast` and nothing else.  Here is why each exists,
what is excepted and why, and for each a small tree in which it must find just what it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from model_tests.tidy import cores, imports, orders, tests, words
from model_tests.tidy.tree import Finding, Tree

ROOT = Path(__file__).parent.parent

Rule = Callable[[Tree], Iterator[Finding]]

RULES: dict[Rule, str] = {
    imports.strangers: "the implementation is judged by the specification, and neither leads",
    imports.spec_stands_alone: "the specification must be readable with Python alone",
    imports.spec_before_tools: "what is true does not depend on how it is checked",
    imports.folders_are_not_packages: "importing through spec/ or chaos/ loads every module twice",
    cores.cores_are_sans_io: "a core that looks at the world cannot be replayed",
    orders.sets_are_sorted_first: "the same events must give the same effects in every process",
    words.functions_fit_on_a_screen: "a function is read at one glance",
    words.files_are_one_idea: "a file has one subject; split it by subject, not by layer",
    words.files_say_what_they_are: "a stranger reads the docstring first",
    words.public_names_are_explained: "help() is the reference's source",
    words.nothing_is_left_for_later: "what is not done is not merged",
    words.the_workplace_is_not_named: "it must work on any machine",
    words.agents_are_called_agents: "one word for one thing",
    words.types_are_not_silenced: "spec and cores are typed without exception",
    words.errors_are_not_swallowed: "an error that nobody sees is found last",
    tests.no_test_holds_a_stopwatch: "a busy machine is no bug; count, or use a virtual clock",
    tests.skips_are_heard: "a test left out must say how to have it run: @pytest.mark.needs",
}

#: (rule, path) → why it may.  An exception that is no longer needed fails its own test.
EXCEPTIONS: dict[tuple[Rule, str], str] = {
    (tests.skips_are_heard, "model_tests/conftest.py"): "it is where `needs` skips",
    (words.nothing_is_left_for_later, "model_tests/test_tidy.py"): "it plants what is found",
    (words.the_workplace_is_not_named, "model_tests/test_tidy.py"): "it plants what is found",
    (words.agents_are_called_agents, "model_tests/test_tidy.py"): "it plants what is found",
    **{
        (words.public_names_are_explained, f"mesos_ref/wire/{module}.py"): (
            "its classes are the messages of the v1 API under their names there"
        )
        for module in ("executor", "scheduler", "v1")
    },
}


@cache
def here() -> Tree:
    """This checkout, read once."""
    return Tree(ROOT)


def named(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_house_rule(rule: Rule) -> None:
    broken = [f for f in rule(here()) if (rule, f.path) not in EXCEPTIONS]
    assert not broken, "\n".join([RULES[rule], *map(str, broken)])


@pytest.mark.parametrize(("rule", "path"), EXCEPTIONS)
def test_exceptions_are_still_needed(rule: Rule, path: str) -> None:
    assert path in {found.path for found in rule(here())}, EXCEPTIONS[rule, path]


# --- every rule can fail -----------------------------------------------------------------------


class Plant(NamedTuple):
    """A small tree, and the places in it that a rule must find: those, and no others.

    A line that must be found ends in `#!`.
    """

    rule: Rule
    files: dict[str, str]


SOME_CORE = "mesos_ref/master/core.py"

PLANTS = [
    Plant(
        imports.strangers,
        {
            "mesos_ref/agent/tasks.py": "import mesos_spec.ids  #!\nimport mesos_ref.step\n",
            "mesos_ref/trace.py": "def f():\n    from mesos_chaos import plan  #!\n",
            "spec/mesos_spec/offers.py": "from mesos_ref import step  #!\n",
            "chaos/mesos_chaos/judge.py": "import mesos_ref, mesos_spec\nimport model_tests  #!\n",
            "model_tests/test_x.py": "import mesos_ref, mesos_spec, mesos_chaos\n",
        },
    ),
    Plant(
        imports.spec_stands_alone,
        {
            "spec/mesos_spec/kernel.py": "import dataclasses\nimport numpy as np  #!\n",
            "spec/mesos_spec/tools/checker.py": "import numpy, networkx\nimport trio  #!\n",
            "mesos_ref/step.py": "import msgspec\n",
        },
    ),
    Plant(
        imports.spec_before_tools,
        {
            "spec/mesos_spec/models.py": "from mesos_spec.tools import checker  #!\n",
            "spec/mesos_spec/mesos.py": "from mesos_spec import kernel, toolshed\n",
            "spec/mesos_spec/tasks.py": "from mesos_spec import tools  #!\n",
            "spec/mesos_spec/__main__.py": "from mesos_spec.tools import checker\n",
        },
    ),
    Plant(
        imports.folders_are_not_packages,
        {
            "model_tests/a.py": "from spec.mesos_spec.state import Offer  #!\n",
            "mesos_ref/b.py": "import chaos  #!\n",
            "spec/__init__.py": "#!\n",
        },
    ),
    Plant(
        cores.cores_are_sans_io,
        {
            SOME_CORE: "from mesos_ref.master import offers\nimport msgspec, hashlib\n",
            "mesos_ref/master/__init__.py": "import trio  #!\n",
            "mesos_ref/master/offers.py": "from mesos_ref.step import Step\nimport time  #!\n",
            "mesos_ref/step.py": "from .resources import R\ndef f(): print(R)  #!\n",
            "mesos_ref/resources.py": "from os import path  #!\nimport attrs  #!\n",
            "mesos_ref/master/shell.py": "import time, trio\nfrom mesos_ref.master import core\n",
        },
    ),
    Plant(
        orders.sets_are_sorted_first,
        {
            SOME_CORE: """
from mesos_ref.master import state
class MasterCore:
    def __init__(self, late: set[str]):
        self.late: set[str] = late
        self.by_agent: dict[str, set[str]] = {}
    def f(self, agent, fields: frozenset[str], table: dict[str, list[str]]):
        for x in self.late: pass  #!
        for x in sorted(self.late): pass
        for x in {1, 2}: pass  #!
        for x in self.by_agent[agent]: pass  #!
        for x in self.by_agent.get(agent, ()): pass  #!
        for x in self.by_agent: pass
        for x in table[agent]: pass
        a = [x for x in fields]  #!
        b = sum(x for x in fields), any(x in a for x in fields), {x for x in fields}
        c = tuple(fields - {1}), ",".join(set(a))  #!
        d = set(a)
        e = {x: 1 for x in d}  #!
        for x in table.keys() & d: pass  #!
        return [*d]  #!
    def g(self, d: list[str]):
        return [*d], self.state.gone, [x for x in state.agents(self)]  #!
""",
            "mesos_ref/master/state.py": "def agents(x) -> set[str]: return {*x}\n",
            "mesos_ref/master/shell.py": "for x in {1, 2}: pass\n",
        },
    ),
    Plant(
        words.functions_fit_on_a_screen,
        {
            "a.py": "def long(): #!\n" + 70 * "    x = 1\n",
            "b.py": "async def short():\n" + 69 * "    x = 1\n",
        },
    ),
    Plant(
        words.files_are_one_idea,
        {"a.py": 500 * "x = 1\n" + "x = 2  #!\n", "b.py": 500 * "x = 1\n", "c.md": 900 * "x\n"},
    ),
    Plant(
        words.files_say_what_they_are,
        {
            "a.py": "import ast  #!\n",
            "b.py": '"""Utilities."""  #!\n',
            "c.py": '"""What the master says,\nand to whom."""\n',
            "d.py": "#!\n",
        },
    ),
    Plant(
        words.public_names_are_explained,
        {
            "mesos_ref/a.py": '''
def f(): pass  #!
def _g(): pass
class C:  #!
    def h(self):  #!
        x = [
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
        ]
    def short(self): pass
    def __init__(self): pass
    @x.setter
    def x(self, value): pass
    def told(self):
        """Says."""
        def inner(): pass
''',
            "model_tests/a.py": "def f(): pass\n",
        },
    ),
    Plant(
        words.nothing_is_left_for_later,
        {
            "a.py": "x = 1  # TODO: more  #!\n",
            "Makefile": "# FIXME #!\ntodo: all\n",
            "b.py": "raise NotImplementedError  #!\nraise NotImplemented\n",
        },
    ),
    Plant(
        words.the_workplace_is_not_named,
        {
            "a.md": "see /work/main/x #!\n",
            ".ci/run": "cd '/work/main' #!\ncd $tmp/work/x {root}/work/ ../work/ (a)/work/\n",
            ".venv/x.py": "/work/main\n",
        },
    ),
    Plant(
        words.agents_are_called_agents,
        {
            "mesos_ref/master/a.py": 'x = "Slave"  #!\n',
            "mesos_ref/wire/paths.py": 'x = "/slaves"\n',
            "mesos_ref/agent/a.py": 'x = "MESOS_SLAVE_ID", "/slave(1)/state"\n',
        },
    ),
    Plant(
        words.types_are_not_silenced,
        {
            "spec/mesos_spec/a.py": "x = 1  # type: ignore[x]  #!\n",
            SOME_CORE: "import mesos_ref.step\n",
            "mesos_ref/step.py": "x = 1  #type:ignore  #!\n",
            "mesos_ref/shell.py": "x = 1  # type: ignore[x]\n",
        },
    ),
    Plant(
        words.errors_are_not_swallowed,
        {
            "a.py": """
try: f()
except ValueError: pass  #!
try: f()
except:  #!
    g()
try: f()
except ValueError: g()
"""
        },
    ),
    Plant(
        tests.no_test_holds_a_stopwatch,
        {
            "model_tests/a.py": """
def test_a():
    began = time.monotonic()
    took = time.monotonic() - began
    assert took < 2  #!
    assert time.time() > 3, "late"  #!
    assert perf_counter() - began < 1  #!
    assert trio.current_time() == 30
def test_b(took):
    assert took < 2
""",
            "benchmarks/b.py": "def f():\n    assert time.time() > 3\n",
        },
    ),
    Plant(
        tests.skips_are_heard,
        {
            "model_tests/a.py": """
@pytest.mark.skipif(True)  #!
@pytest.mark.needs("curl")
def test_a():
    pytest.skip("not today")  #!
""",
        },
    ),
]


def planted(files: dict[str, str]) -> set[tuple[str, int]]:
    """(path, line) of every line that ends in `#!`."""
    return {
        (path, number)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if line.endswith("#!")
    }


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: named(plant.rule))
def test_planted_violations_are_found_and_nothing_else(plant: Plant, tmp_path: Path) -> None:
    for path, text in plant.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = {(f.path, f.line) for f in plant.rule(Tree(tmp_path))}
    assert found == planted(plant.files)


def test_every_rule_has_a_plant() -> None:
    assert [plant.rule for plant in PLANTS] == list(RULES)
