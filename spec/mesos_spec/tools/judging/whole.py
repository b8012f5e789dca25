"""The whole specification as a trace is held against it: every action, nothing bounded."""

from __future__ import annotations

from mesos_spec.bounds import Bounds
from mesos_spec.kernel import Specification
from mesos_spec.mesos import ACTIONS, CHANNELS
from mesos_spec.properties import ALWAYS, EACH_STEP
from mesos_spec.state import State


def nothing_yet(bounds: Bounds) -> State:
    """No master was ever elected, and nobody has spoken."""
    return State(bounds=bounds)


WHOLE: Specification[State] = Specification(
    name="mesos",
    init=nothing_yet,
    actions=tuple(ACTIONS.values()),
    always=ALWAYS,
    each_step=EACH_STEP,
    channels=CHANNELS,
)
