"""Models of the offer process with filters, and without: what frameworks get is the same (F2)."""

from __future__ import annotations

from mesos_spec import refusals
from mesos_spec.kernel import Counts, Model, Table
from mesos_spec.models.cases import A1, A2, F1, F2, cpus
from mesos_spec.refusals import Sizes, State

SIZES = Sizes(
    agents=Table({A1: cpus(2), A2: cpus(1)}), frameworks=(F1, F2), portions=(cpus(1), cpus(2))
)

FILTERED: Model[State] = Model(
    name="filtering",
    title="What two frameworks refuse is filtered: the master does not offer it.",
    spec=refusals.FILTERING,
    bounds=SIZES,
    expect=Counts(states=780, steps=3984, depth=13),
)

REJECTED: Model[State] = Model(
    name="rejecting",
    title="The same without filters: the frameworks reject at once what they refuse.",
    spec=refusals.REJECTING,
    bounds=SIZES,
    expect=Counts(states=1328, steps=5080, depth=14),
)

MODELS = (FILTERED, REJECTED)
