"""Models: the specification made finite, subject by subject, with what a complete search counts.

A model takes the choices that its subject needs, starts where the subject starts, and is as small
as it can be while its dangerous moments still happen: those are its SOMETIMES.  Every ALWAYS and
EACH_STEP property is asked of every model.  Counts are pinned: who changes them says which
behaviours came or went.
"""

from __future__ import annotations

from typing import Any

from mesos_spec.kernel.model import Model
from mesos_spec.models import (
    of_agents,
    of_contracts,
    of_corners,
    of_leaders,
    of_ledger,
    of_likes,
    of_meetings,
    of_offers,
    of_progress,
    of_refusals,
    of_scale,
    of_tasks,
)
from mesos_spec.models.interactions import with_meetings
from mesos_spec.state import State

#: From the offer of a resource to the succession of a master.
MODELS: tuple[Model[State], ...] = with_meetings(
    (
        *of_offers.MODELS,
        *of_tasks.MODELS,
        *of_agents.MODELS,
        *of_leaders.MODELS,
        *of_meetings.MODELS,
        *of_contracts.MODELS,
        *of_progress.MODELS,
        *of_likes.MODELS,
        *of_corners.MODELS,
    )
)

#: Of specifications beside the protocol.
BESIDE: tuple[Model[Any], ...] = (*of_ledger.MODELS, *of_refusals.MODELS)


def named(name: str) -> Model[Any]:
    """The model of that name.  Raises KeyError if there is none."""
    return {one.name: one for one in (*MODELS, *BESIDE, *of_scale.MODELS)}[name]
