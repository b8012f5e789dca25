"""What is asked after a step is enough: whatever asking everything would find, it finds.

Simulated runs are judged, and at some steps a fault is planted in what the specification wrote: an
entry is gone, is doubled, or says something else.  Then everything is asked of everything, and the
judge's own asking must find a broken property there if and only if that does.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.kernel.cells import Effects, undo
from mesos_spec.kernel.values import Fifo, Table
from mesos_spec.resources import Resources
from mesos_spec.state import Mood, Phase, Reign, Standing, State
from mesos_spec.tools.judging.asking import Asking, fields_read
from mesos_spec.tools.judging.aspects import CARES
from mesos_spec.tools.judging.changes import Change, changes
from mesos_spec.tools.judging.glasses import CUT, VIEWS
from mesos_spec.tools.judging.judge import Judge, follow
from mesos_spec.tools.judging.subjects import everything
from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.verdict import Outcome
from mesos_spec.tools.judging.whole import WHOLE

SCENARIOS = ["agent_given_up", "executors_of_its_own", "kills_in_the_dark", "unruly_framework"]

#: The tables that are cut down, and the words of changes that some property cares for.
CARED_FOR = {
    field: {word for cares in CARES.values() for word in cares.get(field, ())} for field in CUT
}

STATES = ("TASK_STAGING", "TASK_RUNNING", "TASK_FINISHED", "TASK_LOST")


@cache
def traces(name: str, seed: int) -> list[Trace]:
    """The traces of a simulated run."""
    plan = load_scenario(name)[1].model_copy(update={"seed": seed})
    return read(written_by(plan))


class Everything:
    """Asks every property of everything there is or was."""

    def __init__(self, asking: Asking) -> None:
        self._claims = asking._claims

    def broken(self, s: State, effects: Effects) -> set[str]:
        """The properties that do not hold after a step, or cannot even be asked."""
        before = s.copy()
        undo(before, effects)
        written = {cell[0] for cell in effects}
        found = set()
        for claim in self._claims:
            if claim.of_step and written.isdisjoint(claim.reads):
                continue
            about = dict.fromkeys((*everything(s, claim.names), *everything(before, claim.names)))
            states = (before, s) if claim.of_step else (s,)
            if any(_fails(claim.holds, *states, *subject) for subject in about):
                found.add(claim.prop.name)
        return found


def _fails(holds: Any, *args: Any) -> bool:
    try:
        return not holds(*args)
    except (KeyError, AttributeError, TypeError, IndexError, AssertionError):
        return True


class Planting(Asking):
    """Asks as ever; and at some steps once more, with a fault planted."""

    def __init__(self, rng: random.Random, share: float) -> None:
        super().__init__(WHOLE)
        self.rng, self.share = rng, share
        self.everything = Everything(self)
        self.planted = 0
        self.found: Counter[str] = Counter()
        self.problems: list[str] = []

    def broken(self, s: State, changed: Sequence[Change]) -> str | None:
        """The same as ever."""
        if self.rng.random() < self.share and changed:
            self._try(s, {one.cell: (one.old, one.new) for one in changed})
        return super().broken(s, changed)

    def _try(self, s: State, effects: Effects) -> None:
        cell = self.rng.choice(sorted(effects, key=repr))
        old, new = effects[cell]
        if cell[1] is None:
            return
        wrong = otherwise(new, self.rng)
        if wrong is None or wrong == new:
            return
        s._put(*cell, wrong)
        effects[cell] = (old, wrong)
        try:
            said = super().broken(s, changes(effects))
        except (KeyError, AttributeError, TypeError, IndexError, AssertionError):
            said = "raised"
        true = self.everything.broken(s, effects)
        s._put(*cell, new)
        self.planted += 1
        self.found.update(true)
        if bool(true) != (said is not None):
            self.problems.append(f"{cell}: {new} → {wrong}: all {sorted(true)}, asked: {said}")


def otherwise(value: Any, rng: random.Random) -> Any:
    """A value of the same kind that says something else; None if nothing comes to mind."""
    if isinstance(value, Table):
        if not len(value):
            return None
        key = rng.choice(value.keys())
        return value - key if rng.random() < 0.4 else value + {key: otherwise(value[key], rng)}
    if isinstance(value, Fifo):
        return Fifo(value.mail[:-1]) if rng.random() < 0.5 else Fifo((*value.mail, *value.mail[:1]))
    if isinstance(value, Resources):
        return value + value
    if hasattr(value, "_replace"):
        name = rng.choice(value._fields)
        return value._replace(**{name: otherwise(getattr(value, name), rng)})
    if isinstance(value, bool):
        return not value
    for kind in (Reign, Standing, Phase, Mood):
        if isinstance(value, kind):
            return rng.choice([*kind])
    if isinstance(value, tuple | frozenset):
        return type(value)()
    if isinstance(value, str):
        return rng.choice(STATES) if value.startswith("TASK_") else f"{value}?"
    return value + 1 if isinstance(value, int) else None


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_asked_is_enough(name: str) -> None:
    judge = Judge(WHOLE, Bounds())
    judge._asking = planting = Planting(random.Random(name), share=0.25)
    verdict = follow(judge, traces(name, 1))
    assert verdict.outcome is Outcome.CONFORMS
    assert planting.planted > 50
    assert len(planting.found) >= 10, planting.found
    assert planting.problems == []


@pytest.mark.parametrize("field", sorted(CARED_FOR))
def test_whatever_a_property_reads_of_what_is_cut_down_is_cut_down_for_it(field: str) -> None:
    """Else it would see what an earlier step had touched."""
    WHOLE.start(Bounds())
    asking = Asking(WHOLE)
    asked = set()
    for word in sorted(CARED_FOR[field]):
        plan = asking._plan(((field, (word,)),))
        for claim, _, before, after in plan.asks:
            if not {VIEWS[before or 0], VIEWS[after]} <= {"after", "before"}:
                asked.add(claim.prop.name)
                missing = (CUT.keys() & fields_read(claim.prop.holds)) - set(plan.look.tables)
                assert not missing, f"{claim.prop.name} reads {sorted(missing)}, after {word}"
    assert asked, f"nothing is asked of a cut down state when {field} changes"
