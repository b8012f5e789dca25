"""The page of the specification's mutants: what the claims notice, and what they need not.

The table it shows is `docs/hunted.toml`, written by `make mutants`: the hunt of `mesos-spec
mutants`, all of it.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from docs.pages.text import code, page, table
from mesos_spec.models import MODELS
from mesos_spec.models.equivalent import EQUIVALENT, UNREACHED
from mesos_spec.tools.mutating.hunt import CAUGHT, FAILS, STATES, SURVIVES
from mesos_spec.tools.mutating.sites import EFFECT, GUARD
from mesos_spec.tools.mutating.whole import whole_hunt

TABLE = Path(__file__).parent.parent / "hunted.toml"

HEAD = """\
# Written by `make mutants`, which hunts them.  How many mutants of each kind had each fate, the
# CPU time in all, and of each claim how many mutants of guards and effects it was first to notice.
"""

KINDS = {
    "guard": "a guard is left out",
    "effect": "a statement that changes the state is left out",
    "claim": "a part of a property is left out, or all of it",
    "clause": "a part of a clause of the framework contract is left out, or all of it",
    "promise": "what happens in the end rests on one promise less, or is not claimed",
}


# ---- the table -----------------------------------------------------------------------------
def measured() -> str:
    """The text of the table, from a hunt of every mutant.

    Raises ValueError where something survives, and nobody says why.
    """
    found = whole_hunt()
    left = {one.id for one in found.fates if one.fate != CAUGHT}
    wrong = sorted(left ^ {*EQUIVALENT, *UNREACHED})
    if wrong:
        raise ValueError(f"caught, and said not to be, or the other way round: {wrong}")
    left_out = [one for one in found.fates if one.kind in (GUARD, EFFECT)]
    noticed = Counter(one.by for one in left_out if one.by)
    lines = [f"cpu_s = {round(found.cpu_s)}", f"models = {len(MODELS)}", "", "[fates]"]
    for kind, row in found.counts().items():
        told = ", ".join(f"{fate} = {n}" for fate, n in row.items())
        lines.append(f"{kind} = {{ {told} }}")
    lines += ["", "[noticed]", *(f'"{by}" = {n}' for by, n in sorted(noticed.items()))]
    return HEAD + "\n".join(lines) + "\n"


@cache
def rows() -> dict[str, Any]:
    """The committed table."""
    return tomllib.loads(TABLE.read_text())


# ---- the page ------------------------------------------------------------------------------
def hunted_page() -> str:
    """docs/reference/specification-mutants.md."""
    said = rows()
    fates, noticed = said["fates"], said["noticed"]
    caught = sum(row[CAUGHT] for row in fates.values())
    reached = caught + sum(row[FAILS] + row[SURVIVES] for row in fates.values())
    by = sorted(noticed.items(), key=lambda row: (-row[1], row[0]))
    return page(
        "Mutants of the specification",
        "What the properties are worth: every guard, every effect and every part of a property is "
        "left out in turn, and somebody has to notice. `make mutants` hunts them all, in "
        f"{said['models']} [models](models.md), the nearest {STATES:,} states of each; it took "
        f"{said['cpu_s']} s of CPU time. `mesos-spec mutants` prints the same, and says of each "
        "who noticed it; `--only offers.decline` of a few.",
        "A mutant is followed in the models that reach its statement, smallest first, from the "
        "states where the statement made a difference. It is *caught* when a property is broken, "
        "mail is left lying, what a model must show is not seen, or an action does nothing; it "
        "*fails* when all that happens is that an action cannot go on. A weaker property is "
        "caught by a wrong step that only the whole one refuses: one of those mutants, or a step "
        "of a model with one cell otherwise.",
        table(
            ("kind", "the mutant", "mutants", "reached", "caught", "fail", "survive"),
            [_kind(kind, fates[kind]) for kind in KINDS],
        ),
        f"Of {reached} mutants that make a difference in a model {caught} are caught: "
        f"{caught / reached:.1%}. Each of the others is listed here with the reason, and so is "
        "what no model reaches.",
        "A clause of the framework contract says of a call whether it is in order. A weaker one is "
        "caught by a call that only the whole refuses: one that a model's user makes, or the same "
        "naming things twice, or at a border that answers one question otherwise. A claim of what "
        "happens in the end names whom it relies on; with one promise less it is caught when "
        "somebody waits for ever then.",
        "## Not noticed",
        table(("mutant", "why"), [(code(one), why) for one, why in EQUIVALENT.items()]),
        "## Not reached",
        "Guards that hold whenever a model asks them, and effects that change nothing there.",
        table(("mutant", "why"), [(code(one), why) for one, why in UNREACHED.items()]),
        "## Who noticed",
        "How many guards and effects each was the first to miss.",
        table(("property", "mutants"), [(one.replace("_", " "), str(n)) for one, n in by]),
    )


def _kind(kind: str, row: dict[str, int]) -> tuple[str, ...]:
    number = sum(row.values())
    counts = number, number - row["unreached"], row[CAUGHT], row[FAILS], row[SURVIVES]
    return kind, KINDS[kind], *map(str, counts)
