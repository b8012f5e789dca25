"""The page of handlers: what the paths of models exercise of them, and why not all."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from docs.pages.text import code, page, table

TABLE = Path(__file__).parent.parent.parent / "model_tests" / "paths" / "handlers.toml"


def handlers_page() -> str:
    """docs/reference/handlers.md."""
    told: dict[str, Any] = tomllib.loads(TABLE.read_text())
    measured, none = told["measured"], told["no_handlers"]
    share = 100 * measured["taken"] / measured["of"]
    return page(
        "Handlers",
        "A *handler* is a function that is called, directly or not, when a master, an agent or a "
        "scheduler of ours takes a specified message or a specified timer. "
        "[Paths of checked models](../../model_tests/paths) are played to the real cores, compared "
        "step by step; at the end of each the cores are left alone for a while, and what is over "
        f"is said to them once more. That alone takes **{measured['taken']} of {measured['of']} "
        f"branches ({share:.1f} %)** of handlers. The tests hold the measure to this page: below "
        f"{100 * measured['at_least']:.0f} % they fail, also with only the models that `make test` "
        "walks; and so they do where a branch that is listed here is taken after all, or is not "
        "there any more.",
        "## Where they are\n\n" + ", ".join(map(code, told["handlers"]["modules"])) + ".",
        "## What is none\n\nModules that cores import, too, and functions beside handlers.\n\n"
        + table(
            ("", "what it is"),
            [(code(name), why) for name, why in (*none["modules"].items(), *_sorted(none))],
        ),
        "## What no path takes",
        *(_group(one) for one in told["uncovered"]),
    )


def _sorted(none: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted(none["functions"].items())


def _group(one: dict[str, Any]) -> str:
    """Branches that no path takes for one reason."""
    rows = [
        (code(function.removeprefix("mesos_ref.")), _shown(branch))
        for function, branches in one["branches"].items()
        for branch in branches
    ]
    return f"{one['why']}\n\n" + table(("function", "branch"), rows)


def _shown(branch: str) -> str:
    """A branch, in a cell of a table."""
    before, _, after = branch.rpartition(" → ")
    return " → ".join(f"`{part.replace('|', chr(92) + '|')}`" for part in (before, after))
