"""The quick models, each searched once for all tests that want to know what was found."""

from __future__ import annotations

from collections import Counter
from functools import cache

from mesos_spec.kernel.model import Model
from mesos_spec.models import MODELS
from mesos_spec.state import State
from mesos_spec.tools.cli.check import is_quick
from mesos_spec.tools.search.checker import Result, check

QUICK: tuple[Model[State], ...] = tuple(model for model in MODELS if is_quick(model))
SLOW: tuple[Model[State], ...] = tuple(model for model in MODELS if not is_quick(model))


@cache
def search(name: str) -> Result[State]:
    """What a complete search of a model found."""
    return check({model.name: model for model in MODELS}[name])


@cache
def guards() -> Counter[tuple[str, str, bool]]:
    """How often each guard of each action held, and did not, in the quick models."""
    asked: Counter[tuple[str, str, bool]] = Counter()
    for model in QUICK:
        asked.update(search(model.name).guards)
    return asked
