"""A mutant followed from where it goes another way: what is broken there, or further on?

The search goes from each state of the model that the mutant still reaches and in which its
statement made a difference.  States the model has, and that are reached without the statement, are
not looked at again: the mutant does in them what the model does.  So a search that comes to its end
says of the whole mutant what a search from the beginning would have said.

A body that fails for want of its guard is noted, and the search goes on without that step: that the
specification would have crashed is no merit of its claims.
"""

from __future__ import annotations

from collections import deque

from mesos_spec.tools.mutating.ground import Ground, Noted
from mesos_spec.tools.mutating.sites import Site
from mesos_spec.tools.search.checker import DEADLOCK, HEADS
from mesos_spec.tools.search.memo import Tried, Way
from mesos_spec.tools.search.questions import Row
from mesos_spec.tools.search.worlds import Letter, Raised

IDLE = "every step changes something"


class Pursuit:
    """One mutant, followed in one model.  To be made and run while it is planted."""

    def __init__(self, ground: Ground, site: Site, most: int) -> None:
        """`most`: how many states beyond the model's to look at."""
        self.ground, self.site, self.most = ground, site, most
        self.world = ground.mutated(site)
        self.by = ""  #: what noticed
        self.failed = False  #: whether some step failed
        self._found: set[Row] = set()
        self._left: deque[Row] = deque()
        self._idle: set[str] = set()
        self._unseen = {
            name
            for name, node in ground.world.seen_in.items()
            if not ground.is_reached_without(site, node)
        }

    def run(self) -> None:
        """Follow it until something is noticed, or nothing is left, or it is too much."""
        for noted in self.ground.noted(self.site):
            self._ask_anew(noted)
            if self.by:
                return
        while self._left and not self._is_noticed() and len(self._found) <= self.most:
            self._expand(self._left.popleft())
        if self._is_noticed() or self._left or not self.ground.complete:
            return
        for name in sorted(self._unseen):
            if not self._is_seen(name):
                self._notice(f"never seen: {name}")

    def _is_noticed(self) -> bool:
        if self._idle - self.ground.world.idle:
            self._notice(IDLE)
        return bool(self.by)

    # ---- in the states of the model --------------------------------------------------------
    def _ask_anew(self, noted: Noted) -> None:
        """What it does in the states where its statement made a difference to an answer."""
        name = self.world.name_of(noted.at)
        known: dict[int, tuple[Tried, list[Way], set[Letter]]] = {}
        for node in noted.nodes:
            if not self.ground.is_reached_without(self.site, node):
                continue
            tried = self.world.answer(noted.at, node)
            if id(tried) not in known:
                known[id(tried)] = tried, *self._new_in(noted, tried)
            _, ways, lost = known[id(tried)]
            for way in ways:
                breaks = self.world.breaks(node, way)
                if breaks is not None:
                    self._notice(breaks[0])
                self._go(name, node, self.world.after(node, way))
            if lost:
                self._expand(node)
            if self.by:
                return

    def _new_in(self, noted: Noted, tried: Tried) -> tuple[list[Way], set[Letter]]:
        """The ways that were not there before; and the mail that is not taken any more."""
        old = [way for way in noted.ways if not isinstance(way, Raised)]
        new = [way for way in tried.ways if not isinstance(way, Raised)]
        self.failed |= len(new) < len(tried.ways)
        known = {way.writes for way in old}
        lost = {letter for way in old for letter in way.delivers}
        lost -= {letter for way in new for letter in way.delivers}
        return [way for way in new if way.writes not in known], lost

    # ---- further on ------------------------------------------------------------------------
    def _go(self, action: str, node: Row, to: Row) -> None:
        """Take up the state that a step leads to, if it is new."""
        if to == node:
            self._idle.add(action)
        if to in self._found or self.ground.is_reached_without(self.site, to):
            return
        if len(self._found) > self.most:
            return
        self._found.add(to)
        self._left.append(to)
        broken = self.world.broken(to)
        if broken is not None:
            self._notice(broken[0])
        if self._unseen:
            self._unseen.difference_update(self.world.seen(to, self._unseen))

    def _expand(self, node: Row) -> None:
        """Try everything in a state."""
        if self.world.is_cut(node):
            return
        delivered: set[Letter] = set()
        steps = 0
        for step in self.world.steps(node):
            if isinstance(step, Raised):
                self.failed = True
                continue
            steps += 1
            if step.breaks is not None:
                self._notice(step.breaks[0])
            delivered.update(step.delivers)
            self._go(step.action, node, step.to)
            if self.by:
                return
        quiescent = self.ground.model.quiescent
        if not steps and quiescent is not None and not quiescent(self.world.state(node)):
            self._notice(DEADLOCK)
        elif any(letter not in delivered for letter in self.world.mail(node)):
            self._notice(HEADS)

    def _notice(self, what: str) -> None:
        """Something is wrong: that is enough."""
        self.by = self.by or what

    def _is_seen(self, name: str) -> bool:
        return any(
            self.world.seen(node, {name})
            for node in self.ground.unavoidable
            if self.ground.is_reached_without(self.site, node)
        )
