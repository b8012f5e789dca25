"""The kill matrix: which mutants are caught, in which tier and how, by what, how soon.

The tables it shows are the ledgers in `docs/kills/`, written by `make kills`: hunts of the shipped
mutants without and with hints, those of shells in virtual time and on real processes, and generic
ones.  `docs/kills/explained.toml` says of generic survivors why they survive.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from docs.pages.text import code, page, table
from mesos_chaos.__main__ import main
from mesos_chaos.mutants import Mutant, shipped_mutants
from mesos_chaos.mutants.generic import generic_mutants
from mesos_chaos.mutants.ledger import fingerprint

KILLS = Path(__file__).parent.parent / "kills"
EXPLAINED = KILLS / "explained.toml"
SURVEY = Path("runs/survey.json")
GENERIC = 300
SOON_S = 5.0

#: Hunts: how `mesos-chaos mutants` is called for each, and what it is.
HUNTS: dict[str, tuple[str, str]] = {
    "without-hints": (
        "--tier 1 --no-hints --budget-s 60",
        "tier 1, nothing told of where to look",
    ),
    "with-hints": ("--tier 1 --budget-s 60", "tier 1, corpus and named scenarios first"),
    "virtual": ("--tier 2 --budget-s 120", "tier 2, shells in virtual time"),
    "generic": (f"--generic {GENERIC} --budget-s 6", f"tier 1, {GENERIC} generic mutants"),
}
WHY = {
    "equivalent": "nothing that anybody can see depends on it",
    "late": "it costs time or a message more, which nobody promises",
    "unreached": "no plan of the survey comes there",
    "missing": "it is a bug, and no plan or property shows it yet",
}


def command(name: str) -> str:
    """What writes that ledger, in the repository's root."""
    simulated = "" if name == "virtual" else f" --survey {SURVEY}"
    return f"mesos-chaos mutants {HUNTS[name][0]}{simulated} --into docs/kills/{name}.jsonl"


def hunt() -> None:
    """Hunt what was not hunted as it is now.  Raises RuntimeError if a hunt cannot be had."""
    for name in HUNTS:
        print(command(name), flush=True)
        if main(command(name).split()[1:]) not in (0, 1):  # 1: some survive
            raise RuntimeError(f"the hunt {name} failed")


@cache
def rows(name: str) -> dict[str, dict[str, Any]]:
    """A committed ledger: the last row of each mutant."""
    file = KILLS / f"{name}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {row["id"]: row for row in map(json.loads, lines)}


@cache
def explained() -> dict[str, dict[str, str]]:
    """Why generic mutants survive: id → kind and reason."""
    return tomllib.loads(EXPLAINED.read_text())


def hunted(name: str) -> dict[str, Mutant]:
    """The mutants whose rows that ledger has to have."""
    if name == "generic":
        return generic_mutants(GENERIC)
    tier = 2 if name == "virtual" else 1
    return {one.id: one for one in shipped_mutants().values() if tier in one.tiers}


def stale(name: str) -> list[str]:
    """The mutants that were not hunted as they are now."""
    known = rows(name)
    return [
        one.id
        for one in hunted(name).values()
        if one.id not in known or known[one.id]["of"] != fingerprint(one)
    ]


# ---- the page ------------------------------------------------------------------------------
def kills_page() -> str:
    """docs/reference/kill-matrix.md."""
    generic = list(rows("generic").values())
    return page(
        "Kill matrix",
        "The quality of all checking is one number: the share of [planted bugs](mutants.md) that "
        "is caught, and how soon. `make kills` hunts them and writes what it finds to "
        "[`docs/kills`](../kills); what has been hunted already, and is the same, is not hunted "
        "again. Times are CPU seconds of one process. [How a hunt goes]"
        "(../explanation/chaos.md#mutants), and [how to add a mutant](../how-to/add-a-mutant.md).",
        "```sh\n" + "\n".join(command(name) for name in HUNTS) + "\n```",
        table(
            (
                "hunt",
                "mutants",
                "caught",
                f"within {SOON_S:g} s",
                "median plans",
                "survivors were given, CPU s",
                "CPU s in all",
            ),
            [_summary(name) for name in HUNTS],
        ),
        "*Without hints* is the honest figure: a bug that nobody has listed has no hints either.",
        "## How they were caught",
        table(("caught by", *HUNTS), [_by(kind) for kind in _kinds()]),
        "## Each mutant in simulation",
        table(
            ("mutant", "breaks", "without hints", "plan", "with hints", "property"),
            [_simulated(name) for name in hunted("without-hints")],
        ),
        "## Each mutant of shells, in virtual time",
        table(("mutant", "breaks", "caught", "scenario", "property"), _shells()),
        "## Generic mutants",
        _generic_figures(generic),
        table(("kind of edit", "mutants", "caught"), _edits(generic)),
        "### Survivors that were looked at",
        "A survivor is no bug, or a gap in the checking. "
        + "; ".join(f"*{kind}*: {says}" for kind, says in WHY.items())
        + ".",
        table(("mutant", "edit", "which", "why"), _explained()),
    )


def _generic_figures(generic: Sequence[Mapping[str, Any]]) -> str:
    """How many are caught: of all, and of those that change anything anybody can see."""
    caught = sum(row["caught"] for row in generic)
    alive = [row for row in generic if not row["caught"]]
    alike = [r for r in alive if explained().get(r["id"], {}).get("is") == "equivalent"]
    unseen = sum(row["reaching"] == 0 for row in alive)
    return (
        f"Of {len(generic)} edits of the cores, drawn from seed 0, "
        f"{_share(caught, len(generic))} are caught. Survivors that were looked at and found "
        f"*equivalent* are no bugs: without those {len(alike)} it is "
        f"{_share(caught, len(generic) - len(alike))}. All others count as missed, whether they "
        f"were looked at or not, and so do {unseen} at lines that no plan of the survey comes to."
    )


def _summary(name: str) -> tuple[str, ...]:
    known = list(rows(name).values())
    if not known:
        return f"{code(name)}: {HUNTS[name][1]}", "not hunted yet", *("–",) * 5
    caught = [row for row in known if row["caught"]]
    soon = sum(row["cpu_s"] <= SOON_S for row in caught)
    plans = sorted(row["plans"] for row in caught)
    return (
        f"{code(name)}: {HUNTS[name][1]}",
        str(len(known)),
        _share(len(caught), len(known)),
        _share(soon, len(known)),
        str(plans[len(plans) // 2]) if plans else "–",
        _given([row["budget_s"] for row in known if not row["caught"]]),
        f"{sum(row['cpu_s'] for row in known):,.0f}",
    )


def _given(budgets: Sequence[float]) -> str:
    if not budgets:
        return "–"
    low, high = min(budgets), max(budgets)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _share(some: int, many: int) -> str:
    return f"{some} ({some / many:.1%})"


def _kinds() -> list[str]:
    """What has caught any, what caught most first."""
    found = Counter(row["kind"] for name in HUNTS for row in rows(name).values() if row["caught"])
    return sorted(found, key=lambda kind: (-found[kind], kind))


def _by(kind: str) -> tuple[str, ...]:
    return kind, *(
        str(sum(row["caught"] and row["kind"] == kind for row in rows(name).values()))
        for name in HUNTS
    )


def _simulated(name: str) -> tuple[str, ...]:
    free, hinted = rows("without-hints").get(name), rows("with-hints").get(name)
    best = next((row for row in (free, hinted) if row and row["caught"]), None)
    return (
        f"[{code(name)}](mutants.md#{name})",
        shipped_mutants()[name].breaks,
        _effort(free),
        f"{free['strategy']} {free['scenario']} #{free['seed']}" if free and free["caught"] else "",
        _effort(hinted),
        _short(best["property"]) if best else "",
    )


def _effort(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    effort = f"{row['plans']} plans, {row['cpu_s']:.1f} s"
    return effort if row["caught"] else f"**survived** {effort}"


def _short(says: str, most: int = 90) -> str:
    says = says.replace("<", "‹").replace(">", "›")
    return says if len(says) <= most else says[: most - 1] + "…"


def _shells() -> list[tuple[str, ...]]:
    found = rows("virtual")
    return [
        (
            f"[{code(name)}](mutants.md#{name})",
            one.breaks,
            _effort(found.get(name)),
            found[name]["scenario"] if name in found else "",
            _short(found[name]["property"]) if name in found and found[name]["caught"] else "",
        )
        for name, one in hunted("virtual").items()
    ]


def _edits(generic: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    kinds = {row["id"]: _kind_of(row) for row in generic}
    every = Counter(kinds.values())
    caught = Counter(kinds[row["id"]] for row in generic if row["caught"])
    return [(kind, str(n), _share(caught[kind], n)) for kind, n in every.most_common()]


def _kind_of(row: Mapping[str, Any]) -> str:
    return str(row["story"]).removeprefix("Generic: ").partition(" in ")[0]


def _explained() -> list[tuple[str, ...]]:
    known = rows("generic")
    return [
        (code(name), _short(known[name]["story"].removeprefix("Generic: ")), one["is"], one["why"])
        for name, one in explained().items()
        if name in known and not known[name]["caught"]
    ]
