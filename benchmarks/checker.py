"""How many states a second the model checker looks at, in the specification's own models.

Models differ in what a state costs, so several are searched, of different subjects and of middling
size, and each is one run. The figure is what the middle one reached.
"""

from __future__ import annotations

import time
from typing import Final

from benchmarks.measuring import Figure
from mesos_spec.models import MODELS, named, of_scale
from mesos_spec.tools.search.checker import Limits, check
from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named

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


def checker_numba_states_per_s(quick: bool) -> Figure:
    """The compiled kernel on the large models."""
    return _fast("numba", quick)


def checker_numpy_states_per_s(quick: bool) -> Figure:
    """The kernel without a compiler, on the large models."""
    return _fast("numpy", quick)


def _fast(engine: str, quick: bool) -> Figure:
    """Distinct states by CPU time, with all that is asked of the specification, and the kernel's
    own pace beside it; what is compiled is compiled before."""
    models = [named(QUICK[0])] if quick else [*of_scale.MODELS]
    kernel = kernel_named(engine)
    check(named(QUICK[0]), engine=engine, max_states=500)
    rates: list[float] = []
    facts: dict[str, float | int | str] = {}
    for model in models:
        began_s = time.process_time()
        search = FastSearch(model, Limits(), kernel)
        facts[f"set_up_s {model.name}"] = time.process_time() - began_s
        result = search.run()
        rates.append(result.states / (time.process_time() - began_s))
        if model.expect is not None and result.counts != model.expect:
            raise RuntimeError(f"{model.name}: {result.counts}, but {model.expect} are pinned")
        facts[f"states {model.name}"] = result.states
        facts[f"words {model.name}"] = search.machine.store.words
        facts[f"bytes_per_state {model.name}"] = search.bytes / result.states
        facts[f"evaluations {model.name}"] = search.machine.asker.evaluations
    return Figure(
        f"checker_{engine}_states_per_s",
        "states/s",
        f"models {', '.join(m.name for m in models)} with the {engine} kernel, one core, CPU time",
        rates,
        facts,
    )
