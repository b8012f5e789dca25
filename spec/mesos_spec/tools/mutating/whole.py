"""The whole hunt: all that can be left out of the specification of Mesos, in all its models."""

from __future__ import annotations

from collections.abc import Collection

from mesos_spec.framework import CLAUSES
from mesos_spec.mesos import SUBJECTS
from mesos_spec.models import MODELS
from mesos_spec.tools.mutating.clauses import CLAUSE, hunt_clauses
from mesos_spec.tools.mutating.hunt import CLAIM, STATES, Hunt, Say, claimed, hunt
from mesos_spec.tools.mutating.lasting import PROMISE, hunt_promises
from mesos_spec.tools.mutating.sites import EFFECT, GUARD, sites

KINDS = (GUARD, EFFECT, CLAIM, CLAUSE, PROMISE)


def whole_hunt(
    kinds: Collection[str] = KINDS,
    only: str = "",
    states: int = STATES,
    say: Say = lambda text: None,
) -> Hunt:
    """What becomes of the mutants of these kinds, of those whose name begins with `only`."""
    claims = [one for one in claimed(MODELS) if CLAIM in kinds and one.name.startswith(only)]
    places = sites(SUBJECTS)  # with all of them claims are weighed
    wanted = [one for one in places if one.kind in kinds and one.name.startswith(only)]
    found = hunt(MODELS, wanted or places * bool(claims), claims, states=states, say=say)
    clauses = [one for one in CLAUSES if CLAUSE in kinds and one.name.startswith(only)]
    found += hunt_clauses(MODELS, clauses, say)
    lasting = [m for m in MODELS if any(one.name.startswith(only) for one in m.spec.eventually)]
    found += hunt_promises(lasting if PROMISE in kinds else (), say)
    found.fates = [one for one in found.fates if one.kind in kinds and one.id.startswith(only)]
    return found
