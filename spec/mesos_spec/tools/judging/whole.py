"""The whole specification as a trace is held against it: every action, nothing bounded."""

from __future__ import annotations

from mesos_spec import promises, properties
from mesos_spec.bounds import Bounds
from mesos_spec.kernel import Specification
from mesos_spec.mesos import ACTIONS, CHANNELS
from mesos_spec.state import State


def nothing_yet(bounds: Bounds) -> State:
    """No master was ever elected, and nobody has spoken."""
    return State(bounds=bounds)


WHOLE: Specification[State] = Specification(
    name="mesos",
    init=nothing_yet,
    actions=tuple(ACTIONS.values()),
    always=properties.ALWAYS + promises.ALWAYS,
    each_step=properties.EACH_STEP + promises.EACH_STEP,
    channels=CHANNELS,
)
