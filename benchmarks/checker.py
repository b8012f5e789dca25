"""How many states a second the model checker looks at, in the specification's own models."""

from __future__ import annotations

import time
from typing import Final

from benchmarks.measuring import Figure
from mesos_spec.models import MODELS
from mesos_spec.tools.checker import check

#: The largest model with no more states than this is measured.
MOST_STATES: Final = 60_000
MOST_STATES_QUICK: Final = 3_000


def checker_states_per_s(quick: bool) -> Figure:
    """Distinct states of one model, every property asked in each, by CPU time."""
    most, runs = (MOST_STATES_QUICK, 1) if quick else (MOST_STATES, 3)
    pinned = [(m.expect.states, m.name, m) for m in MODELS if m.expect is not None]
    states, name, model = max(each for each in pinned if each[0] <= most)
    rates = []
    steps = 0
    for _ in range(runs):
        began_s = time.process_time()
        result = check(model)
        rates.append(result.states / (time.process_time() - began_s))
        steps = result.steps
        if result.states != states:
            raise RuntimeError(f"{name} has {result.states} states, but {states} are pinned")
    return Figure(
        "checker_states_per_s",
        "states/s",
        f"model `{name}`, every state and step with all properties, one core, by CPU time",
        rates,
        {"states": states, "steps": steps},
    )
