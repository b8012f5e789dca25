"""What a judged run exercised: listens to a judge, which does not know.

Of a run that conforms it is told which actions were steps of it, which guards were asked and what
they answered, and which properties were asked.  A property is *put to the test* where its answer
was not vacuous (`vacuity`): where it could have been broken.

Guards of a step that was claimed hold, or the run does not conform; what else could have happened
is only tried by the blind judge, so only there do guards refuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesos_spec.kernel import Action, Disabled
from mesos_spec.kernel.actions import Hear
from mesos_spec.kernel.cells import Effects
from mesos_spec.state import State
from mesos_spec.tools.judging.changes import Change
from mesos_spec.tools.judging.judge import Judge
from mesos_spec.tools.judging.post import FOREIGN
from mesos_spec.tools.judging.vacuity import VACUOUS, Holds, marked

#: By which action of the environment a channel is emptied, and what its name binds.
DRAINS = {
    "up": ("lose_frames_up", "link"),
    "down": ("lose_frames_down", "link"),
    "calls": ("lose_calls", "line"),
    "events": ("lose_events", "stream"),
    "to_executor": ("executor_hears", "stream"),
}


@dataclass(slots=True)
class Overheard:
    """What was exercised, and how often."""

    judge: Judge
    held: Counter[tuple[str, str]] = field(default_factory=Counter)  #: by action and guard
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)  #: properties, whatever they answered
    tested: Counter[str] = field(default_factory=Counter)  #: those whose answer said something
    _environment: Counter[str] = field(default_factory=Counter)

    @property
    def taken(self) -> Counter[str]:
        """How often each action was a step of the run."""
        return self.judge.verdict.taken | self._environment

    def drain(self, changed: Sequence[Change]) -> None:
        """Take out what nobody judged will hear as the environment's actions do it, if they may.

        The judge does it without them afterwards: it need not know which they are.
        """
        for name, key in dict.fromkeys(one.cell for one in changed if one.cell[0] in DRAINS):
            judge, (action, names) = self.judge, DRAINS[name]
            stranger = name == "events" and key.scheduler == FOREIGN  # who may well hear it
            deaf = name == "to_executor" or judge._is_deaf(name, key)
            while deaf and not stranger and judge.s.look((name, key)).mail:
                try:
                    judge._actions[action].apply(judge.s, {names: key})
                except Disabled:  # who would have heard it left no trace
                    break
        Judge._drain(self.judge, changed)

    def _hear(self, action: str) -> Hear:
        def hear(says: str, held: bool) -> None:
            (self.held if held else self.refused)[action, says] += 1

        return hear

    def _asked(self, name: str, holds: Holds) -> Callable[..., bool]:
        judge = marked(holds)

        def asked(*about: Any) -> bool:
            answer = judge(*about)
            self.asked[name] += 1
            if answer is not VACUOUS:
                self.tested[name] += 1
            return bool(answer)

        return asked


@dataclass(frozen=True, eq=False, kw_only=True)
class _Loud(Action[State, ...]):
    """An action that says what it is asked, and, of the environment, that it was taken."""

    overheard: Overheard

    def apply(self, s: State, bound: Mapping[str, Any], hear: Hear | None = None) -> Effects:
        """As the action does."""
        effects = super().apply(s, bound, hear or self.overheard._hear(self.name))
        if self.by == "environment":
            self.overheard._environment[self.name] += 1
        return effects


def listen(judge: Judge) -> Overheard:
    """Listen to a judge that has seen nothing yet."""
    overheard = Overheard(judge)
    for name, action in list(judge._actions.items()):
        judge._actions[name] = _Loud(**vars(action), overheard=overheard)
    vars(judge)["_drain"] = overheard.drain
    for claim in judge._asking._claims:
        claim.holds = overheard._asked(claim.prop.name, claim.holds)
    return overheard
