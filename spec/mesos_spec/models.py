"""Models: the specification made finite, subject by subject, with what a complete search counts.

A model takes the choices that its subject needs, starts where the subject starts, and is as small
as it can be while its dangerous moments still happen: those are its SOMETIMES.  Every ALWAYS and
EACH_STEP property is asked of every model.  Counts are pinned: who changes them says which
behaviours came or went.
"""

from __future__ import annotations

from mesos_spec import models_of_agents, models_of_leaders, models_of_offers, models_of_tasks
from mesos_spec.model import Model
from mesos_spec.state import State

#: From the offer of a resource to the succession of a master.
MODELS: tuple[Model[State], ...] = (
    *models_of_offers.MODELS,
    *models_of_tasks.MODELS,
    *models_of_agents.MODELS,
    *models_of_leaders.MODELS,
)


def named(name: str) -> Model[State]:
    """The model of that name.  Raises KeyError if there is none."""
    return {one.name: one for one in MODELS}[name]
