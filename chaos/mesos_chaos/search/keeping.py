"""Keeping a plan that broke something: as a scenario, as a line of a test, as a corpus entry.

A *corpus entry* is what lasts: the plan, the property, the tier, and the mutant it was found with,
if any, as JSON.  The shipped ones (`mesos_chaos/corpus/`) are run by the tests: what was found with
a mutant must be found with it again, and everything must conform without.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from mesos_chaos.plan import Plan, PlanError, Scenario, Strict, complaints
from mesos_chaos.search.breaking import Broken, what_broke
from mesos_chaos.writing import given, scenario_text


class Entry(Strict):
    """One plan of a corpus, and why it is there."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    plan: Plan
    breaks: str = Field(min_length=3)
    kind: str
    tier: Literal[1, 2, 3] = 1  #: where it breaks that
    mutant: str | None = None


def entry(plan: Plan, broken: Broken, mutant: str | None = None, tier: int = 1) -> Entry:
    """A corpus entry; its id follows from what it is."""
    said = f"{broken.property}/{mutant}/{plan.model_dump_json()}" + f"/{tier}" * (tier > 1)
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    word = mutant or str(broken.kind)
    return Entry.model_validate(
        {
            "id": f"{word}_{digest}",
            "plan": plan,
            "breaks": broken.property,
            "kind": broken.kind,
            "tier": tier,
            "mutant": mutant,
        }
    )


def entry_text(one: Entry) -> str:
    """The entry as its file holds it."""
    return json.dumps(given(one), indent=1, ensure_ascii=False) + "\n"


def parse_entry(text: str, name: str) -> Entry:
    """The entry in the JSON `text`.  Raises `PlanError` with the path to each wrong key."""
    try:
        return Entry.model_validate_json(text)
    except ValidationError as error:
        raise PlanError("\n".join(complaints(name, error))) from None


def shipped_corpus() -> dict[str, Entry]:
    """The corpus that comes with the package, by id; of all tiers."""
    folder = resources.files("mesos_chaos") / "corpus"
    texts = sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name)
    return {one.id: one for one in (parse_entry(f.read_text(), f.name) for f in texts)}


# ---- a scenario --------------------------------------------------------------------------------
def as_scenario(plan: Plan, broken: Broken, tier: int = 1) -> Scenario:
    """The plan with a title and a reason that say what it breaks."""
    why = f"Found by search, and made small.  {broken.kind.capitalize()}: {broken.says}."
    title = f"It breaks: {broken.property}"
    bare = plan.bare().model_dump()
    return Scenario.model_validate({**bare, "title": title, "why": f"{why:<40}", "tiers": (tier,)})


# ---- a test ------------------------------------------------------------------------------------
def as_test(one: Entry) -> str:
    """A test module of one statement that fails while the plan breaks something."""
    plan = json.dumps(given(one.plan), ensure_ascii=False)
    tier = "" if one.tier == 1 else f", tier={one.tier}"
    return (
        "from mesos_chaos.search.keeping import must_be_well\n\n\n"
        f"def test_{one.id}() -> None:\n    must_be_well({plan!r}{tier})\n"
    )


def must_be_well(plan_json: str, tier: int = 1) -> None:
    """Run the plan in the JSON text.  Raises `AssertionError` with what it breaks."""
    broken = what_broke(Plan.model_validate_json(plan_json), tier=tier)
    if broken is not None:
        raise AssertionError(f"{broken.kind}: {broken.says}\n{broken.evidence}")


def keep(
    folder: Path, plan: Plan, broken: Broken, mutant: str | None = None, tier: int = 1
) -> dict[str, Path]:
    """Write all three into `folder`: `scenario`, `test`, `corpus` → the file."""
    one = entry(plan, broken, mutant, tier)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "scenario": (f"{one.id}.toml", scenario_text(as_scenario(plan, broken, tier))),
        "test": (f"test_{one.id}.py", as_test(one)),
        "corpus": (f"{one.id}.json", entry_text(one)),
    }
    for name, text in texts.values():
        (folder / name).write_text(text)
    return {kind: folder / name for kind, (name, _) in texts.items()}
