"""Every row of the table of reconciliation happens in some finished model.

A row is a way in which a RECONCILE is answered.  That it never happens is claimed of the smallest
model in which it does, and the search must find the step that does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mesos_spec.domains import lines
from mesos_spec.heard import served, updates_told
from mesos_spec.ids import LineId
from mesos_spec.kernel import Table, each_step
from mesos_spec.kernel.model import Model
from mesos_spec.messages import Reconcile, TaskUpdate
from mesos_spec.models import named
from mesos_spec.reconciliation import is_known, is_report
from mesos_spec.state import Standing, State
from mesos_spec.tools.search.checker import check

Row = Callable[[State, LineId, Reconcile, list[TaskUpdate]], bool]


def one(
    state: str | None, of: Callable[[State, LineId, TaskUpdate], bool], *, aware: bool = True
) -> Row:
    """A row in which some task is answered for with a state (None: any)."""

    def row(s: State, line: LineId, call: Reconcile, said: list[TaskUpdate]) -> bool:
        if s.frameworks[line.epoch, call.framework].partition_aware is not aware:
            return False
        return any(bool(call.tasks) and state in (None, u.state) and of(s, line, u) for u in said)

    return row


def of_known(s: State, line: LineId, u: TaskUpdate) -> bool:
    """The master knows the task."""
    return is_report(s, line.epoch, u)


def of_cut_off(s: State, line: LineId, u: TaskUpdate) -> bool:
    """The master knows the task, and its agent is disconnected, but not given up."""
    home = s.home[line.epoch, u.task]
    cut_off = home and s.agents[line.epoch, home].standing == Standing.DISCONNECTED
    return bool(cut_off) and of_known(s, line, u)


def of_lost_sight(s: State, line: LineId, u: TaskUpdate) -> bool:
    """The task was on an agent that was given up."""
    return not of_known(s, line, u) and s.home[line.epoch, u.task] is not None


def of_unknown(standing: Standing | None) -> Callable[[State, LineId, TaskUpdate], bool]:
    """The master does not know the task; and its agent in such a standing, or no agent is named."""

    def holds(s: State, line: LineId, u: TaskUpdate) -> bool:
        if s.home[line.epoch, u.task] is not None:
            return False
        if standing is None:
            return u.agent is None or s.agents[line.epoch, u.agent].standing == Standing.UNKNOWN
        return u.agent is not None and s.agents[line.epoch, u.agent].standing == standing

    return holds


def unanswered(s: State, line: LineId, call: Reconcile, said: list[TaskUpdate]) -> bool:
    """A task of an agent that may still come is not answered for."""
    return any(not is_known(s, line.epoch, t, agent) for t, agent in call.tasks) and not said


def all_of_them(s: State, line: LineId, call: Reconcile, said: list[TaskUpdate]) -> bool:
    """Nothing is named, and what is known is told."""
    return not call.tasks and bool(said)


GONE, LOST, UNREACHABLE = "TASK_GONE", "TASK_LOST", "TASK_UNREACHABLE"
ROWS: dict[str, Row] = {
    "REC-1": one(None, of_known),
    "REC-2": unanswered,
    "REC-3": one(GONE, of_unknown(Standing.REGISTERED)),
    "REC-3, not partition aware": one(LOST, of_unknown(Standing.REGISTERED), aware=False),
    "REC-4": one(UNREACHABLE, of_unknown(Standing.UNREACHABLE)),
    "REC-4, not partition aware": one(LOST, of_unknown(Standing.UNREACHABLE), aware=False),
    "REC-6": one("TASK_UNKNOWN", of_unknown(None)),
    "REC-6, not partition aware": one(LOST, of_unknown(None), aware=False),
    "REC-7": one(UNREACHABLE, of_lost_sight),
    "REC-7, not partition aware": one(LOST, of_lost_sight, aware=False),
    "REC-8": all_of_them,
    "REC-9": one(None, of_cut_off),
}


#: A finished model in which each happens.  The other rows of the requirements are left out of the
#: specification, and cores are held to that: no agent is gone for good (REC-5,
#: `api/test_operator_api.py`), operations are not in (REC-12, `core/test_master_border.py`).
WHERE = {
    "REC-1": "reconciliation",
    "REC-2": "asked-again",
    "REC-3": "calls-to-nobody",
    "REC-3, not partition aware": "calls-to-nobody",
    "REC-4": "reconciliation",
    "REC-4, not partition aware": "reconciliation",
    "REC-6": "asked-again",
    "REC-6, not partition aware": "asked-again",
    "REC-7": "answered-in-the-end",
    "REC-7, not partition aware": "answered-in-the-end",
    "REC-8": "reconciliation",
    "REC-9": "reconciliation",
}


def unaware(model: Model[State]) -> Model[State]:
    """The same model of frameworks that cannot tell unreachable and gone tasks from lost ones."""
    found = {
        scheduler: program._replace(info=program.info._replace(partition_aware=False))
        for scheduler, program in model.bounds.schedulers.items()
    }
    return replace(model, bounds=model.bounds._replace(schedulers=Table(found)))


@pytest.mark.parametrize("name", ROWS)
def test_each_row_happens_in_a_finished_model(name: str) -> None:
    @each_step("calls events", line=lines)
    def never(before: State, after: State, line: LineId) -> bool:
        """No RECONCILE is answered so."""
        call = served(before, after, line)
        if not isinstance(call, Reconcile):
            return True
        said = updates_told(before, after, line.epoch, call.framework)
        return not ROWS[name](before, line, call, said)

    model = named(WHERE[name])
    if "not partition aware" in name:
        model = unaware(model)
    assert model.expect is not None, "it is finished"
    spec = replace(model.spec, always=(), each_step=(never,), sometimes=(), eventually=())
    broken = check(replace(model, spec=spec)).broken
    assert broken is not None
    assert (broken.claim, broken.steps[-1].action) == ("never", "reconcile")
