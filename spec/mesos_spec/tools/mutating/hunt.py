"""The hunt for mutants of a specification: which claim notices each, in which model.

A mutant is followed only where it makes a difference: in models that reach its statement, smallest
first, until a claim is broken, something that must be seen is not, or an action happens and nothing
comes of it.  What it does wrong is held against weaker claims, too, and so are missteps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mesos_spec.kernel.model import Model
from mesos_spec.tools.mutating.ground import Ground
from mesos_spec.tools.mutating.missteps import weigh_missteps
from mesos_spec.tools.mutating.planting import planted
from mesos_spec.tools.mutating.pursuit import Pursuit
from mesos_spec.tools.mutating.sites import Site
from mesos_spec.tools.mutating.weakening import Claim, Weakened, body_of
from mesos_spec.tools.mutating.weighing import Scales, Weighing

CAUGHT, FAILS, SURVIVES, UNREACHED = "caught", "fails", "survives", "unreached"

STATES = 6_000  #: states of a model that are looked at
FOLLOWED = 2_000  #: states beyond them that a mutant is followed to
CLAIM = "claim"  #: the kind of a mutant that is a weaker claim

Say = Callable[[str], None]


@dataclass
class Fate:
    """What became of one mutant."""

    id: str
    kind: str  #: guard, effect, claim, clause or promise
    where: str  #: file and line
    fate: str = UNREACHED
    by: str = ""  #: the claim that noticed; of a weaker claim: the mutant it did not notice
    model: str = ""  #: the model it was noticed in
    tried: int = 0  #: the models it was followed in


@dataclass
class Hunt:
    """All that was found."""

    fates: list[Fate] = field(default_factory=list)
    cpu_s: float = 0.0

    def __add__(self, other: Hunt) -> Hunt:
        """What was found in both."""
        return Hunt([*self.fates, *other.fates], self.cpu_s + other.cpu_s)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many mutants of each kind had each fate."""
        table: dict[str, dict[str, int]] = {}
        for one in self.fates:
            row = table.setdefault(one.kind, dict.fromkeys((CAUGHT, FAILS, SURVIVES, UNREACHED), 0))
            row[one.fate] += 1
        return table


def hunt(
    models: Iterable[Model[Any]],
    sites: Sequence[Site],
    claims: Iterable[Claim] = (),
    *,
    states: int = STATES,
    say: Say = lambda text: None,
) -> Hunt:
    """What becomes of the mutant of each site, and of each weaker claim, in their order.

    Model by model, from the smallest: what was caught in one is not tried in the next.  Of each
    model the nearest `states` are looked at.  Raises ValueError where one does not hold as it is.
    """
    began = time.process_time()
    fates = {site: Fate(site.id, site.kind, site.where) for site in sites}
    scales = Scales(claims)
    for model in sorted(models, key=lambda m: (m.expect.states if m.expect else 0, m.name)):
        left = [site for site in sites if fates[site].fate != CAUGHT]
        if not left and not scales.left(model):
            continue
        say(f"{model.name}: which of {len(left)} statements make a difference?")
        ground = Ground(started(model), left, states)
        for n, site in enumerate(ground.reached, 1):
            say(f"{model.name}: {n} of {len(ground.reached)} mutants, {site.id}")
            _follow(site, ground, fates[site], scales)
        weigh_missteps(ground, scales)
    found = [*fates.values(), *(_weighed(weak, scales) for weak in scales.all)]
    return Hunt(found, time.process_time() - began)


def _follow(site: Site, ground: Ground, fate: Fate, scales: Scales) -> None:
    """Follow a mutant in a model; what it does wrong at once is held against the claims."""
    fate.tried += 1
    with planted(site):
        if scales.left(ground.model):
            Weighing(ground, site, 0, scales).run()
        pursuit = Pursuit(ground, site, FOLLOWED)
        pursuit.run()
    if pursuit.by:
        fate.fate, fate.by, fate.model = CAUGHT, pursuit.by, ground.model.name
    elif fate.fate != FAILS:
        fate.fate = FAILS if pursuit.failed else SURVIVES


def _weighed(weak: Weakened, scales: Scales) -> Fate:
    where = f"{Path(body_of(weak.claim).__code__.co_filename).name}:{weak.line}"
    fate = Fate(weak.id, CLAIM, where, SURVIVES)
    if weak in scales.told:
        fate.fate, (fate.by, fate.model) = CAUGHT, scales.told[weak]
    return fate


def claimed(models: Iterable[Model[Any]]) -> list[Claim]:
    """All that is claimed of states and steps in some model.

    Not the clauses of the contract: their claims are made by a function that wraps them, and
    `clauses` weakens what it wraps.
    """
    every: dict[Claim, None] = {}
    for model in models:
        every |= dict.fromkeys((*model.spec.always, *model.spec.each_step))
    return [one for one in every if not body_of(one).__code__.co_freevars]


def started(model: Model[Any]) -> Model[Any]:
    """The same model from the same state, which no mutant has a part in."""
    start = model.spec.start(model.bounds)
    return replace(model, spec=replace(model.spec, init=lambda bounds: start))
