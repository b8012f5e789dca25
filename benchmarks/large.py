"""How fast the fast search goes through models of millions of states, each to its end.

By CPU time, whole searches: from the first import of the kernel, whose compiled form is on disk,
to the last state.  What is found must be what is pinned.  Setting up is the part before the second
state; bytes are what states, their table and the rows of two levels take at the end.
"""

from __future__ import annotations

import importlib.util
import resource
import time
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.measuring import Figure
from mesos_spec.kernel import Model
from mesos_spec.models.of_scale import MODELS
from mesos_spec.tools.search.checker import Limits
from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named

QUICK: Final = 20_000  #: states that are enough to see that it works
ENOUGH: Final = 6_000_000  #: states that are enough to compare: with fewer, most is Python's


@dataclass(frozen=True)
class _Run:
    states: int
    steps: int
    rate: float
    bytes_a_state: float
    words: int
    evaluations: int


def compiled_states_per_s(quick: bool) -> Figure:
    """Distinct states with the numba kernel; without numba, with the other."""
    kernel = "numba" if importlib.util.find_spec("numba") is not None else "numpy"
    return _figure("compiled_states_per_s", kernel, MODELS[:1] if quick else MODELS, quick)


def numpy_states_per_s(quick: bool) -> Figure:
    """The same with numpy alone, of the smallest of these models."""
    return _figure("numpy_states_per_s", "numpy", MODELS[:1], quick)


def two_cores_times_one(quick: bool) -> Figure:
    """How many times as fast two cores get to six million states, by the clock: on a quiet machine.

    What else runs takes a core away, so `load` beside this figure says what it is worth.
    """
    most = QUICK if quick else ENOUGH
    module = kernel_named("numba" if importlib.util.find_spec("numba") is not None else "numpy")
    model = MODELS[3]
    FastSearch(model, Limits(max_states=QUICK), module, jobs=2).run()  # all is compiled
    took_s, cpu_s = {}, {}
    for jobs in (1, 2):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        FastSearch(model, Limits(max_states=most), module, jobs=jobs).run()
        took_s[jobs] = time.perf_counter() - began_s
        cpu_s[jobs] = time.process_time() - began_cpu_s
    return Figure(
        "two_cores_times_one",
        "times",
        f"model {model.name} to {most:,} states: time with one core by time with two",
        [took_s[1] / took_s[2]],
        {"one_core_cpu_s": cpu_s[1], "two_cores_cpu_s": cpu_s[2]},
    )


def _figure(name: str, kernel: str, models: tuple[Model[Any], ...], quick: bool) -> Figure:
    began_s = time.process_time()
    module = kernel_named(kernel)
    FastSearch(models[0], Limits(max_states=1), module).run()
    setup_s = time.process_time() - began_s
    runs = {model.name: _run(model, module, quick) for model in models}
    facts: dict[str, float | int | str] = {"kernel": kernel, "setup_s": setup_s}
    for model, run in runs.items():
        facts[model] = (
            f"{run.rate:,.0f} a second, {run.states:,} states, {run.steps:,} steps, "
            f"{run.words} words, "
            f"{run.bytes_a_state:.0f} bytes a state, {run.evaluations:,} evaluations"
        )
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figure(
        name,
        "states/s",
        f"models {', '.join(runs)}: whole searches with all properties, one core, CPU time",
        [run.rate for run in runs.values()],
        facts,
    )


def _run(model: Model[Any], module: Any, quick: bool) -> _Run:
    began_s = time.process_time()
    search = FastSearch(model, Limits(max_states=QUICK if quick else None), module)
    result = search.run()
    cpu_s = time.process_time() - began_s
    if result.broken is not None or (not quick and result.counts != model.expect):
        raise RuntimeError(f"{model.name}: {result.counts}, but {model.expect} are pinned")
    machine = search.machine
    asked = machine.asker.evaluations + machine.asker.claims.evaluations
    size = search.bytes / result.states
    rate = result.states / cpu_s
    return _Run(result.states, result.steps, rate, size, machine.layout.words, asked)
