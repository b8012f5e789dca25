"""What the parts of a claim are worth: a wrong step or state that only the whole claim refuses.

A claim that is weaker holds wherever the whole one held, so no model tells the two apart: the
mutants do.  Each is followed a little way, past what it breaks, and at each step that it takes
otherwise than the model every claim is asked, and where it is broken each weaker one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mesos_spec.kernel import EachStep, Effects
from mesos_spec.kernel.model import Model
from mesos_spec.tools.mutating.ground import Change, Ground
from mesos_spec.tools.mutating.planting import running
from mesos_spec.tools.mutating.pursuit import Pursuit
from mesos_spec.tools.mutating.sites import Site
from mesos_spec.tools.mutating.weakening import Claim, Weakened, body_of, weakened
from mesos_spec.tools.search.questions import Row

OFTEN = 3  #: states from which one wrong way is looked at


class Scales:
    """The weaker claims that nothing has told from the whole ones so far."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.all = [weak for claim in claims for weak in weakened(claim)]
        self.told: dict[Weakened, tuple[str, str]] = {}  #: what was wrong, in which model
        self._left: dict[Claim, list[Weakened]] = {}
        for weak in self.all:
            self._left.setdefault(weak.claim, []).append(weak)

    def left(self, model: Model[Any]) -> list[Claim]:
        """The claims of a model that have weaker ones which nothing told apart."""
        return [one for one in (*model.spec.always, *model.spec.each_step) if one in self._left]

    def weigh(self, claim: Claim, step: Wrong, wrong: str, model: str) -> None:
        """Hold a wrong step against a claim, and if it is broken against the weaker ones."""
        if claim not in self._left or not is_broken(claim, *step):
            return
        weaker = self._left[claim]
        for weak in list(weaker):
            with running(body_of(claim), weak.code):
                refused = is_broken(claim, *step)
            if not refused:
                self.told[weak] = wrong, model
                weaker.remove(weak)
        if not weaker:
            del self._left[claim]


#: A step: the state before it and after it, and the cells it wrote.
Wrong = tuple[Any, Any, Effects]


def is_broken(claim: Claim, before: Any, after: Any, effects: Effects) -> bool:
    """Whether a step breaks a claim."""
    if isinstance(claim, EachStep):
        return claim.broken_by(before, after, effects) is not None
    return claim.broken(after) is not None


class Weighing(Pursuit):
    """A mutant followed so far, whatever it breaks."""

    def __init__(self, ground: Ground, site: Site, most: int, scales: Scales) -> None:
        super().__init__(ground, site, most)
        self._scales = scales
        self._often: Counter[tuple[str, Change]] = Counter()

    def _notice(self, what: str) -> None:
        """Go on."""

    def _go(self, action: str, node: Row, to: Row) -> None:
        change = self.world.change(node, to)
        self._often[action, change] += 1
        if change and self._often[action, change] <= OFTEN:
            step = self.world.step(node, to)
            for claim in self._scales.left(self.ground.model):
                self._scales.weigh(claim, step, self.site.id, self.ground.model.name)
        super()._go(action, node, to)
