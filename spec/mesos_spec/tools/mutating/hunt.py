"""The hunt for mutants of a specification: which claim notices each, in which model.

A mutant is looked for only where it can make a difference: in models that reach its statement,
smallest first, until a claim is broken, something that must be seen is not, or an action happens
and nothing comes of it.  A body that fails for want of its guard is noted, and the search goes on
without that step: that the specification would have crashed is no merit of its claims.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

from mesos_spec.kernel import Always, EachStep, redo
from mesos_spec.kernel.model import Model
from mesos_spec.tools.mutating.planting import noting, planted, running
from mesos_spec.tools.mutating.sites import Site
from mesos_spec.tools.mutating.weakening import Claim, Evidence, Weakened, body_of, weakened
from mesos_spec.tools.search.checker import Limits, Result, search
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.worlds import Raised, Step

CAUGHT, FAILS, SURVIVES, UNREACHED = "caught", "fails", "survives", "unreached"

IDLE = "every step changes something"

Say = Callable[[str], None]


@dataclass
class Fate:
    """What became of one mutant."""

    id: str
    kind: str  #: guard, effect or claim
    where: str  #: file and line
    fate: str = UNREACHED
    by: str = ""  #: the claim that noticed
    model: str = ""  #: the model it was noticed in
    depth: int = 0  #: the steps of the shortest way there
    tried: int = 0  #: the models that were searched
    cpu_s: float = 0.0


@dataclass
class Hunt:
    """All that was found."""

    fates: list[Fate] = field(default_factory=list)
    cpu_s: float = 0.0

    def counts(self) -> dict[str, dict[str, int]]:
        """How many mutants of each kind had each fate."""
        table: dict[str, dict[str, int]] = {}
        for one in self.fates:
            row = table.setdefault(one.kind, dict.fromkeys((CAUGHT, FAILS, SURVIVES, UNREACHED), 0))
            row[one.fate] += 1
        return table


class Forgiving(Memoised[Any]):
    """A world that notes which actions fail, and which do nothing, and goes on without them."""

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        self.failed: set[str] = set()
        self.idle: set[str] = set()

    def steps(self, node: Any) -> list[Step[Any] | Raised]:
        """What is possible, without the steps that fail."""
        sound: list[Step[Any] | Raised] = []
        for step in super().steps(node):
            if isinstance(step, Raised):
                self.failed.add(step.action)
                continue
            if step.to == node:
                self.idle.add(step.action)
            sound.append(step)
        return sound


class Hunter:
    """Searches models with mutants planted, and keeps what claims were broken on."""

    def __init__(self, models: Iterable[Model[Any]], say: Say = lambda text: None) -> None:
        self.say = say
        by_size = sorted(models, key=lambda m: (m.expect.states if m.expect else 0, m.name))
        self.models = [started(model) for model in by_size]
        self.sizes: dict[str, int] = {}
        self.idle: dict[str, set[str]] = {}
        self.reached: dict[str, list[Site]] = {}
        self.evidence: dict[str, list[Evidence]] = {}
        self.broke: dict[str, list[tuple[Site, Model[Any]]]] = {}

    def hunt(self, sites: Sequence[Site]) -> list[Fate]:
        """What becomes of the mutant of each site; in the order of the sites.

        Model by model, from the smallest: those that were caught in one are not tried in the next.
        Raises ValueError where a model does not hold as it is.
        """
        fates = {site: Fate(site.id, site.kind, site.where) for site in sites}
        for model in self.models:
            left = [site for site in sites if fates[site].fate != CAUGHT]
            for n, site in enumerate(reached := self._survey(model, left), 1):
                self.say(f"{model.name}: {n} of {len(reached)} mutants, {site.id}")
                began = time.process_time()
                self._try(site, model, fates[site])
                fates[site].cpu_s += time.process_time() - began
        return [fates[site] for site in sites]

    def _survey(self, model: Model[Any], sites: Sequence[Site]) -> list[Site]:
        """The sites that make a difference in a model."""
        self.say(f"{model.name}: which of {len(sites)} statements make a difference?")
        world = Forgiving(model)
        with noting(sites) as reached:
            result = search(model, world, Limits())
        if not result.ok or world.failed:
            why = result.broken.why if result.broken else result.stopped or result.unseen
            why = why or f"{sorted(world.failed)} fail"
            raise ValueError(f"{model.name} does not hold as it is: {why}")
        self.sizes[model.name] = result.states
        self.idle[model.name] = world.idle
        found = [site for site in sites if site in reached]
        self.reached[model.name] = found
        return found

    def _try(self, site: Site, model: Model[Any], fate: Fate) -> None:
        fate.tried += 1
        with planted(site):
            world = Forgiving(model)
            result = search(model, world, Limits(2 * self.sizes[model.name] + 1000))
        by, depth = noticed(result)
        if not by and world.idle > self.idle[model.name]:
            by = IDLE
        if by:
            fate.fate, fate.by, fate.model, fate.depth = CAUGHT, by, model.name, depth
            self._keep(site, model, result)
        elif fate.fate != FAILS:
            fate.fate = FAILS if world.failed else SURVIVES

    def _keep(self, site: Site, model: Model[Any], result: Result[Any]) -> None:
        """Keep the state or step a claim was broken on: weaker claims are held against it."""
        if result.broken is None:
            return
        state = result.broken.first.copy()
        before = state
        for taken in result.broken.steps:
            before = state.copy()
            redo(state, taken.changed)
        claim = result.broken.claim
        self.evidence.setdefault(claim, []).append(Evidence(before, state))
        self.broke.setdefault(claim, []).append((site, model))

    # ---- claims ----------------------------------------------------------------------------
    def weigh(self, weak: Weakened, patience_s: float) -> Fate:
        """Whether some wrong state or step is refused by the whole claim, and not by the weak one.

        First among what was kept; then by looking for such a one, for so long.
        """
        fate = Fate(weak.id, "claim", f"{body_of(weak.claim).__code__.co_filename}:{weak.line}")
        fate.where = fate.where.rpartition("/")[2]
        fate.fate = SURVIVES
        began = time.process_time()
        for kept in self.evidence.get(weak.claim.name, []):
            if kept.breaks(weak.claim) and not self._refuses(weak, kept):
                fate.fate, fate.by = CAUGHT, "a mutant that only the whole claim notices"
                break
        else:
            for site, model in self._likely(weak.claim):
                if time.process_time() - began > patience_s:
                    break
                fate.tried += 1
                if self._tells_apart(weak, site, model):
                    fate.fate, fate.by, fate.model = CAUGHT, site.id, model.name
                    break
        fate.cpu_s = time.process_time() - began
        return fate

    def _refuses(self, weak: Weakened, kept: Evidence) -> bool:
        with running(body_of(weak.claim), weak.code):
            return kept.breaks(weak.claim)

    def _likely(self, claim: Claim) -> Iterator[tuple[Site, Model[Any]]]:
        """Mutants and models where a claim may be broken: where it was first, then the smallest."""
        yield from self.broke.get(claim.name, [])
        for model in self.models:
            if any(one.name == claim.name for one in (*model.spec.always, *model.spec.each_step)):
                yield from ((site, model) for site in self.reached.get(model.name, ()))

    def _tells_apart(self, weak: Weakened, site: Site, model: Model[Any]) -> bool:
        """Whether a mutant reaches what the whole claim refuses and the weak one does not."""
        with planted(site):
            only = _only(model, _between(weak))
            result = search(only, Forgiving(only), Limits(self.sizes[model.name]))
        return result.broken is not None


def started(model: Model[Any]) -> Model[Any]:
    """The same model from the same state, which no mutant has a part in."""
    start = model.spec.start(model.bounds)
    return replace(model, spec=replace(model.spec, init=lambda bounds: start))


def noticed(result: Result[Any]) -> tuple[str, int]:
    """The claim that was broken, or what should have been seen; and after how many steps."""
    if result.broken is not None:
        return result.broken.claim, len(result.broken.steps)
    if result.finished and result.unseen:
        return f"never seen: {result.unseen[0]}", result.depth
    return "", 0


def _between(weak: Weakened) -> Claim:
    """A claim that is broken just where the whole one is, and the weak one is not."""
    whole = body_of(weak.claim)
    rest = FunctionType(weak.code, whole.__globals__, whole.__name__, whole.__defaults__)

    def holds(*given: Any, **bound: Any) -> bool:
        return bool(whole(*given, **bound)) or not rest(*given, **bound)

    claim: Any = weak.claim
    changed: Claim = replace(claim, holds=holds)
    return changed


def _only(model: Model[Any], claim: Claim) -> Model[Any]:
    """A model of which nothing is claimed but this."""
    spec = replace(
        model.spec,
        always=(claim,) if isinstance(claim, Always) else (),
        each_step=(claim,) if isinstance(claim, EachStep) else (),
        sometimes=(),
        heads=None,
    )
    return replace(model, spec=spec)


def hunt_all(
    hunter: Hunter, sites: Sequence[Site], claims: Sequence[Claim], patience_s: float = 3.0
) -> Hunt:
    """Hunt every mutant: guards and effects first, since they are what claims are held against."""
    began = time.process_time()
    found = Hunt()
    found.fates += hunter.hunt(sites)
    weak = [one for claim in claims for one in weakened(claim)]
    for n, part in enumerate(weak, 1):
        hunter.say(f"claims, {n} of {len(weak)}: {part.id}")
        found.fates.append(hunter.weigh(part, patience_s))
    found.cpu_s = time.process_time() - began
    return found
