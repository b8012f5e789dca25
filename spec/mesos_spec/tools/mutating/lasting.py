"""What is claimed to happen in the end, with less to rest on: who would wait for ever?

A claim names whom it relies on: each promise is left out in turn, and of a strong one only the weak
is kept.  Where there is a behaviour then that never does what is claimed, the promise is needed.
Where there is none the claim holds all the same, and says less than it could.  The same behaviours
tell the claim from one that claims nothing.

A promise that is written once for several claims is one mutant: it is needed if any of them needs
it.  Only promises about what happens in a model are of any weight there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mesos_spec.kernel import Eventually, Fair, How
from mesos_spec.kernel.model import Model
from mesos_spec.tools.mutating.hunt import CAUGHT, SURVIVES, Fate, Hunt, Say
from mesos_spec.tools.mutating.weakening import ALL
from mesos_spec.tools.search.liveness import Explored, explored

PROMISE = "promise"  #: the kind of these mutants
SEVERAL = "several"  #: whose promise it is, if not one claim's

Lasting = Eventually[Any, ...]


def hunt_promises(models: Iterable[Model[Any]], say: Say = lambda text: None) -> Hunt:
    """What becomes of each EVENTUALLY claim that rests on less, in the models that claim it."""
    began = time.process_time()
    fates: dict[str, Fate] = {}
    claiming = [model for model in models if model.spec.eventually]
    shared = _shared(claim for model in claiming for claim in model.spec.eventually)
    for model in sorted(claiming, key=lambda m: (m.expect.states if m.expect else 0, m.name)):
        say(f"{model.name}: every state of it")
        found = explored(model)
        for claim in model.spec.eventually:
            whole = f"{claim.name}: {ALL}"
            nothing = fates.setdefault(whole, _fate(claim, whole))
            for name, less in resting_on_less(claim, found, shared):
                fate = fates.setdefault(name, _fate(claim, name))
                if fate.fate != CAUGHT or nothing.fate != CAUGHT:
                    say(f"{model.name}: {name}")
                    _weigh(claim, less, found, fate, nothing)
    return Hunt(list(fates.values()), time.process_time() - began)


def _shared(claims: Iterable[Lasting]) -> frozenset[Fair]:
    """The promises that are written once, and several claims rest on."""
    every = Counter(fair for claim in dict.fromkeys(claims) for fair in set(claim.fair))
    return frozenset(fair for fair, times in every.items() if times > 1)


def resting_on_less(
    claim: Lasting, found: Explored[Any], shared: Collection[Fair] = ()
) -> Iterator[tuple[str, Lasting]]:
    """The claim without each promise that has a part in a model, and with weaker ones."""
    acting = {action for action, _ in found.graph.labels}
    for fair in dict.fromkeys(claim.fair):
        if fair.action not in acting:
            continue
        name = f"{SEVERAL if fair in shared else claim.name}: {fair.says}"
        rest = tuple(one for one in claim.fair if one != fair)
        yield name, replace(claim, fair=rest)
        if fair.how is How.STRONG:
            weaker = Fair(fair.action, How.WEAK, fair.each)
            yield f"{name} (only if for good)", replace(claim, fair=(*rest, weaker))


def _weigh(claim: Lasting, less: Lasting, found: Explored[Any], *fates: Fate) -> None:
    """Whatever breaks a claim that rests on less tells it from the whole, and that from nothing."""
    broken = found.verdict(less).lasso is not None
    for fate in fates:
        fate.tried += 1
        if broken and fate.fate != CAUGHT:
            fate.fate, fate.by, fate.model = CAUGHT, claim.name, found.graph.model.name


def _fate(claim: Lasting, name: str) -> Fate:
    code = claim.holds.__code__
    where = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
    return Fate(name, PROMISE, where, SURVIVES)
