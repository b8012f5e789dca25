"""The page of coverage: which run exercised each action and each property.

The table it shows is `docs/coverage.toml`, written by `make coverage`: every shipped scenario is
run in simulation, with a few seeds, and one in virtual time, where processes also end in order; a
listener at the judge notes what the run exercised.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from docs.pages.text import code, page, table
from mesos_chaos.plan import Scenario, load_scenario, shipped
from mesos_chaos.sim.run import simulate
from mesos_chaos.virtual.run import run_virtually
from mesos_spec.bounds import Bounds
from mesos_spec.framework import CONTRACT, GAINS
from mesos_spec.kernel import Named
from mesos_spec.mesos import ACTIONS, ALWAYS, EACH_STEP
from mesos_spec.models import MODELS
from mesos_spec.tools.judging.asking import MODELS_ONLY
from mesos_spec.tools.judging.judge import Judge, follow
from mesos_spec.tools.judging.overheard import Overheard, listen
from mesos_spec.tools.judging.trace import read_traces
from mesos_spec.tools.judging.verdict import Outcome, Verdict
from mesos_spec.tools.judging.whole import WHOLE

TABLE = Path(__file__).parent.parent / "coverage.toml"
SEEDS = range(3)
VIRTUAL = "leader_killed"  #: also run in virtual time
IN_VIRTUAL_TIME = (VIRTUAL, "0 in virtual time")
SHOWN = 3  #: runs that are named on the page, of those that exercised a clause

PROPERTIES: dict[str, Named] = {one.name: one for one in (*ALWAYS, *EACH_STEP)}

#: Properties that a judge asks.
ASKED = {one.name for one in (*WHOLE.always, *WHOLE.each_step)} - MODELS_ONLY

#: Why no run exercises a clause.
WHY = {
    **dict.fromkeys(
        ("lose_frames_up", "lose_calls", "calls_are_lost_with_their_line"),
        "what is sent to a master that does not hear it any more, the judge leaves in its channel: "
        "nobody looks there again, so it is never lost",
    ),
    "offers_do_not_change": "asked of a trace where an offer that stands is another than before; "
    "in a run that conforms there is none",
}

CONTRACT_AND_GAINS = {*CONTRACT, *GAINS}

HEAD = """\
# Written by `make coverage`, which runs the scenarios.  Of each clause: how many of the runs
# exercised it, and of each scenario that did the first seed.
"""


class Exercised(NamedTuple):
    """What one run exercised: actions it took, properties it put to the test."""

    actions: frozenset[str]
    properties: frozenset[str]


class Row(NamedTuple):
    """A clause in the table."""

    runs: int
    first: tuple[str, ...]  #: `scenario/seed`


# ---- the table -----------------------------------------------------------------------------
def run(scenario: str, seed: int) -> Exercised:
    """What a run of a shipped scenario exercises.  Raises ValueError where it does not conform."""
    plan = load_scenario(scenario)[1].model_copy(update={"seed": seed})
    heard: list[Overheard] = []
    result, _ = simulate(plan, watch=lambda judge: heard.append(listen(judge)))
    if result.verdict.outcome is not Outcome.CONFORMS:
        raise ValueError(f"{scenario} with seed {seed}: {result.verdict.text()}")
    return _exercised(heard[0])


def run_in_virtual_time(scenario: str) -> Exercised:
    """The same of a run in virtual time, whose traces are judged when everybody has ended."""
    lines = run_virtually(load_scenario(scenario)[1], keep_lines=True)[1].judge.lines
    assert lines is not None
    with tempfile.TemporaryDirectory() as folder:
        for name, said in lines.items():
            (Path(folder) / name).write_bytes(b"".join(said))
        traces = read_traces([Path(folder)])
    judge = Judge(WHOLE, Bounds())
    heard = listen(judge)
    verdict: Verdict = follow(judge, traces)
    if verdict.outcome is not Outcome.CONFORMS:
        raise ValueError(f"{scenario} in virtual time: {verdict.text()}")
    return _exercised(heard)


def _exercised(heard: Overheard) -> Exercised:
    return Exercised(frozenset(heard.taken), frozenset(heard.tested))


def scenarios() -> dict[str, Scenario]:
    """The shipped scenarios that can be simulated."""
    loaded = {name: load_scenario(name)[1] for name in shipped()}
    return {name: one for name, one in loaded.items() if 1 in one.tiers}


def measured() -> str:
    """The text of the table, from runs of every scenario with every seed."""
    names = scenarios()
    runs = {(name, str(seed)): run(name, seed) for name in names for seed in SEEDS}
    runs[IN_VIRTUAL_TIME] = run_in_virtual_time(VIRTUAL)
    lines = [f"seeds = {list(SEEDS)}", f"scenarios = {list(names)}".replace("'", '"')]
    for title, known in (("actions", ACTIONS), ("properties", PROPERTIES)):
        lines += ["", f"[{title}]"]
        for clause in known:
            did = [at for at, found in runs.items() if clause in getattr(found, title)]
            first = dict(reversed(did))  # of each scenario, the first seed
            listed = ", ".join(f'"{name}/{first[name]}"' for name in names if name in first)
            lines.append(f"{clause} = {{ runs = {len(did)}, first = [{listed}] }}")
    return HEAD + "\n".join(lines) + "\n"


@cache
def rows(title: str) -> dict[str, Row]:
    """The committed table's rows of `actions`, or of `properties`."""
    found = tomllib.loads(TABLE.read_text())[title]
    return {name: Row(row["runs"], tuple(row["first"])) for name, row in found.items()}


# ---- the page ------------------------------------------------------------------------------
def coverage_page() -> str:
    """docs/reference/coverage.md."""
    said = tomllib.loads(TABLE.read_text())
    actions, properties = rows("actions"), rows("properties")
    asked = {name: row for name, row in properties.items() if name in ASKED}
    of_models = [name for name in properties if name not in ASKED]
    took = sum(bool(row.runs) for row in actions.values())
    tested = sum(bool(row.runs) for row in asked.values())
    runs = len(said["scenarios"]) * len(said["seeds"]) + 1
    return page(
        "Coverage",
        "Which test run exercised each clause of the specification. `make coverage` runs the "
        f"[scenarios](scenarios.md) in simulation, each with seeds {said['seeds'][0]} to "
        f"{said['seeds'][-1]}, and {code(VIRTUAL)} in virtual time, {runs} runs in all, and "
        "listens at their judge; "
        "`mesos-chaos run NAME --tier 1 --seed N` does one again, and `mesos-spec trace DIR "
        "--coverage` tells the same of any traces.",
        "An action is exercised when it was a step of a run that conforms. A property is when it "
        "was asked where it could have been broken: it does not count where its premise alone "
        "gave the answer, as an early `return True`, the `not …` of `not … or …`, an `all` or "
        "`not any` of nothing.",
        f"{took} of {len(actions)} actions were taken; {tested} of the {len(asked)} properties "
        "that are asked of traces were put to the test.",
        "## Not yet run",
        f"**Actions** ({len(actions) - took}): {_links('actions', _never(actions))}.",
        f"**Properties** ({len(asked) - tested}): {_links('properties', _never(asked))}.",
        table(
            ("not run", "why"),
            [
                (", ".join(code(name) for name, why in WHY.items() if why == reason), reason)
                for reason in dict.fromkeys(WHY.values())
            ],
        ),
        "All of it happens in [models](models.md), whose every step is asked all claims.",
        f"**Properties that only models are asked for** ({len(of_models)}): a judge compares each "
        "step with what the action would do, and these say what actions do, or read bounds that "
        "only a model has. Every [model](models.md) is asked them, `offers` first: "
        f"{_links('properties', of_models)}.",
        f"## {took} actions that were taken",
        _table("actions", actions, runs),
        f"## {tested} properties that were put to the test",
        _table("properties", asked, runs),
        *of_models_alone(),
    )


def of_models_alone() -> list[str]:
    """What is claimed of models by name: what must be seen, what happens in the end, the contract.

    A model that does not see it, or does not keep it, fails `mesos-spec check`.
    """
    seen: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = {}
    contract: dict[str, list[str]] = {}
    for model in MODELS:
        if model.expect is None:
            continue
        for wanted in model.spec.sometimes:
            seen.setdefault(wanted.name, []).append(model.name)
        for claim in model.spec.eventually:
            ends.setdefault(claim.name, []).append(model.name)
        for one in (*model.spec.always, *model.spec.each_step):
            if one in CONTRACT_AND_GAINS:
                contract.setdefault(one.name, []).append(model.name)
    titles = (
        ("SOMETIMES: what must be possible", seen),
        ("EVENTUALLY: what happens in the end", ends),
        ("The framework contract, and what it gains", contract),
    )
    blocks = [
        "## What models are asked by name",
        "`mesos-spec check MODEL` exercises it: the search must see it, or go to the end and find "
        "it kept.  The clauses of the contract are also asked of each scenario's frameworks "
        "(`model_tests/sim/test_contract.py`), each broken by some call in "
        "`model_tests/spec/test_contract_models.py`.",
    ]
    for title, found in titles:
        rows = [(code(name), ", ".join(map(code, names))) for name, names in found.items()]
        blocks += [f"### {title} ({len(rows)})", table(("claim", "models"), rows)]
    return blocks


def _never(found: dict[str, Row]) -> list[str]:
    return [name for name, row in found.items() if not row.runs]


def _links(title: str, names: Iterable[str]) -> str:
    return ", ".join(_link(title, name) for name in names) or "none"


def _link(title: str, name: str) -> str:
    return f"[{name}]({title}.md#{name})"


def _table(title: str, found: dict[str, Row], runs: int) -> str:
    reached = ((name, row) for name, row in found.items() if row.runs)
    lines = [(_link(title, n), _shown(row), f"{row.runs} of {runs}") for n, row in reached]
    return table(("clause", "exercised by (scenario and seed)", "runs"), lines)


def _shown(row: Row) -> str:
    named = [one.split("/") for one in row.first[:SHOWN]]
    rest = len(row.first) - SHOWN
    shown = ", ".join(f"[{code(name)}](scenarios.md#{name}) {seed}" for name, seed in named)
    return f"{shown}, and {rest} scenarios more" if rest > 0 else shown
