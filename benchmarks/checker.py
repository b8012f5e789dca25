"""How many states a second the model checker looks at, in the specification's own models.

Models differ in what a state costs, so several are searched, of different subjects and of middling
size, and each is one run. The figure is what the middle one reached.
"""

from __future__ import annotations

import time
from typing import Final

from benchmarks.measuring import Figure
from mesos_spec.models import MODELS
from mesos_spec.tools.search.checker import check

SUBJECTS: Final = ("executors", "messages", "reconciliation", "deposed", "succession")
QUICK: Final = ("offers",)


def checker_states_per_s(quick: bool) -> Figure:
    """Distinct states, every property asked in each, by CPU time."""
    known = {model.name: model for model in MODELS}
    rates = []
    states = steps = 0
    names = QUICK if quick else SUBJECTS
    for name in names:
        began_s = time.process_time()
        result = check(known[name])
        rates.append(result.states / (time.process_time() - began_s))
        if result.counts != result.model.expect:
            raise RuntimeError(f"{name}: {result.counts}, but {result.model.expect} are pinned")
        states, steps = states + result.states, steps + result.steps
    return Figure(
        "checker_states_per_s",
        "states/s",
        f"models {', '.join(names)}: every state and step with all properties, one core, CPU time",
        rates,
        {"states": states, "steps": steps},
    )
