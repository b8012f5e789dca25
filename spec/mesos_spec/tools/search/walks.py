"""Random walks: for a model too large to be finished.

A walk starts at the initial state and takes steps drawn from a seed, an action first and then one
of its ways, so that an action with many names to bind is not taken more often than others.  On the
way it is asked what a search asks.  Walks show what is wrong, never that nothing is: their result
is not finished.  What they find is shortened: first by leaving out detours, then steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Generic, NamedTuple, TypeVar

from mesos_spec.kernel import Cells, show
from mesos_spec.kernel.model import Model
from mesos_spec.tools.search.checker import (
    DEADLOCK,
    HEADS,
    Behaviour,
    Counterexample,
    Limits,
    Progress,
    Result,
    Taken,
    fault_of,
)
from mesos_spec.tools.search.memo import Memoised
from mesos_spec.tools.search.questions import Row
from mesos_spec.tools.search.worlds import Broken, Raised, Step

S = TypeVar("S", bound=Cells)

Deed = tuple[str, Mapping[str, Any]]  #: an action, and its bound names


class Found(NamedTuple):
    """Something that is broken at the end of some steps."""

    claim: str
    bound: Mapping[str, Any]
    why: str
    way: list[Deed]


def walk(
    model: Model[S],
    *,
    walks: int,
    seed: int = 0,
    max_depth: int = 1000,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], str] | None = None,
) -> Result[S]:
    """Take so many walks of at most `max_depth` steps, or go as far as the first thing broken.

    The same seed takes the same walks.  `steps` of the result are those taken, `states` the
    different states they came to.
    """
    limits = Limits(None, max_seconds, progress, stop)
    return _Walks(model, limits).run(walks, Random(seed), max_depth)


class _Walks(Generic[S]):
    def __init__(self, model: Model[S], limits: Limits) -> None:
        self.model, self.limits = model, limits
        self.world = Memoised(model)
        self.seen: set[Row] = set()
        self.witnesses: dict[str, list[Deed]] = {}
        self.steps = self.depth = self.cut = self.deadlocks = 0
        self.deadlock: list[Deed] | None = None

    def run(self, walks: int, random: Random, max_depth: int) -> Result[S]:
        """Walk until there is something to say."""
        stopped = f"{walks} walks of at most {max_depth} steps are not all there is"
        found = None
        for number in range(1, walks + 1):
            found = self._walk(random, max_depth)
            if found is not None:
                found, stopped = self._shortened(found), ""
                break
            if self.limits.progress is not None:
                self.limits.progress(
                    Progress(
                        *(len(self.seen), self.steps, self.depth, walks - number),
                        self.limits.seconds(),
                    )
                )
            if reason := self.limits.reached(0):
                stopped = f"{reason}, after {number} of {walks} walks"
                break
        return self._result(found, stopped)

    def _walk(self, random: Random, max_depth: int) -> Found | None:
        """One walk; what it found broken."""
        at, way = self.world.first, list[Deed]()
        while True:
            new = at not in self.seen
            self.seen.add(at)
            self.depth = max(self.depth, len(way))
            if new:
                self._note(at, way)
            cut = self.world.is_cut(at)
            self.cut += new and cut
            steps = [] if cut else list(self.world.steps(at))
            if (found := self._judge(at, None if cut else steps, way)) is not None:
                return found
            if not steps or len(way) == max_depth:
                if new and not steps and not cut and not self._may_end(at):
                    self.deadlocks += 1
                    self.deadlock = self.deadlock or way.copy()
                return None
            step = _drawn(random, steps)
            at = step.to
            way.append((step.action, step.bound))
            self.steps += 1

    def _note(self, at: Row, way: list[Deed]) -> None:
        """What is seen for the first time."""
        left = [one.name for one in self.model.spec.sometimes if one.name not in self.witnesses]
        for name in self.world.seen(at, left) if left else ():
            self.witnesses[name] = way.copy()

    def _may_end(self, at: Row) -> bool:
        quiescent = self.model.quiescent
        return quiescent is not None and quiescent(self.world.state(at))

    def _judge(
        self, at: Row, steps: Sequence[Step[Row] | Raised] | None, way: list[Deed]
    ) -> Found | None:
        """What is wrong with a state, and with what may happen in it (None: that is cut)."""
        if (broken := self.world.broken(at)) is not None:
            return _found(broken, way)
        if steps is None:
            return None
        for step in steps:
            if isinstance(step, Raised):
                return Found(step.action, step.bound, step.says, way)
            if step.breaks is not None:
                return _found(step.breaks, [*way, (step.action, step.bound)])
        taken = {at for step in steps if not isinstance(step, Raised) for at in step.delivers}
        for cell, message in self.world.mail(at):
            if (cell, message) not in taken:
                return _found((HEADS, {"channel": show(cell), "message": message}), way)
        if steps or self.model.quiescent is None or self._may_end(at):
            return None
        return _found((DEADLOCK, {}), way)

    # ---- shorter ---------------------------------------------------------------------------
    def _shortened(self, found: Found) -> Found:
        """The same claim broken in fewer steps, as far as leaving out steps goes."""
        found = self._again(found, self._without_detours(found.way)) or found
        size = max(len(found.way) // 2, 1)
        while size:
            at = 0
            while at < len(found.way):
                shorter = self._again(found, found.way[:at] + found.way[at + size :])
                found, at = (found, at + size) if shorter is None else (shorter, at)
            size //= 2
        return found

    def _without_detours(self, way: list[Deed]) -> list[Deed]:
        """The steps, without those between a state and the same state again."""
        at, kept, rows = self.world.first, list[Deed](), [self.world.first]
        for deed in way:
            step = self._step(at, deed)
            if step is None:
                break
            at = step.to
            if at in rows:
                del kept[rows.index(at) :], rows[rows.index(at) + 1 :]
            else:
                kept.append(deed)
                rows.append(at)
        return kept

    def _step(self, at: Row, deed: Deed) -> Step[Row] | None:
        for step in self.world.steps(at):
            if not isinstance(step, Raised) and (step.action, step.bound) == deed:
                return step
        return None

    def _again(self, found: Found, way: list[Deed]) -> Found | None:
        """The same claim, broken by those steps of `way` that are possible; if these are fewer."""
        at, taken = self.world.first, list[Deed]()
        for deed in (*way, None):
            steps = None if self.world.is_cut(at) else list(self.world.steps(at))
            if (fault := self._judge(at, steps, taken)) is not None:
                same = fault.claim == found.claim and len(fault.way) < len(found.way)
                return fault if same else None
            step = None if deed is None else self._step(at, deed)
            if step is not None:
                taken.append((step.action, step.bound))
                at = step.to
        return None

    # ---- reports ---------------------------------------------------------------------------
    def _taken(self, way: list[Deed]) -> tuple[Taken, ...]:
        """The steps of a way, with what they changed."""
        s, taken = self.world.state(self.world.first), list[Taken]()
        for action, bound in way:
            effects = self.model.spec.action(action).apply(s, bound)
            changed = {cell: (old, new) for cell, (old, new) in effects.items() if old != new}
            taken.append(Taken(action, bound, changed))
        return tuple(taken)

    def _result(self, found: Found | None, stopped: str) -> Result[S]:
        taken, guards = self.world.coverage()
        first = self.world.state(self.world.first)
        ways = {name: Behaviour(first, self._taken(way)) for name, way in self.witnesses.items()}
        stuck = None if self.deadlock is None else Behaviour(first, self._taken(self.deadlock))
        broken = None
        if found is not None:
            way = self._taken(found.way)
            broken = Counterexample(first, way, found.claim, found.bound, found.why)
        return Result(
            model=self.model,
            states=len(self.seen),
            steps=self.steps,
            depth=self.depth,
            cut=self.cut,
            finished=False,
            stopped=stopped,
            seconds=self.limits.seconds(),
            taken=taken,
            guards=guards,
            witnesses=ways,
            deadlocks=self.deadlocks,
            deadlock=stuck,
            broken=broken,
        )


def _found(broken: Broken, way: list[Deed]) -> Found:
    claim, bound = broken
    return Found(claim, bound, fault_of(broken, 0).why, way)


def _drawn(random: Random, steps: Sequence[Step[Row] | Raised]) -> Step[Row]:
    """An action that is possible, and then one of its ways."""
    possible = [step for step in steps if not isinstance(step, Raised)]
    action = random.choice(list(dict.fromkeys(step.action for step in possible)))
    return random.choice([step for step in possible if step.action == action])
