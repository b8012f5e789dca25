"""Plans nobody thought of: whatever is drawn must conform, settle, and be the same when kept.

With all single faults of a small plan (test_exhaustive), and the scenarios, these are over a
thousand different plans that CI runs on the code as it is; an alarm in any of them is a failure.
The nightly run has all pairs of faults, and an hour of search besides: over twenty thousand.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesos_chaos.plan import Plan
from mesos_chaos.search.drawing import BRIEF
from mesos_chaos.search.strategies import plans
from mesos_chaos.sim.run import simulate

BRIEF_ONES = 60
OTHERS = 10


def judged(plan: Plan) -> None:
    """Simulate it; all must be well."""
    result, cluster = simulate(plan)
    assert result.exit_code == 0, "\n".join(
        [*result.faults_done, *result.pending, result.verdict.text()]
    )
    for name, scheduler in cluster.schedulers.items():
        assert len(scheduler.items.done) == scheduler.workload.items, name


@pytest.mark.slow
@settings(max_examples=BRIEF_ONES, suppress_health_check=[HealthCheck.too_slow])
@given(plans(BRIEF))
def test_a_brief_plan_conforms_and_settles(plan: Plan) -> None:
    judged(plan)


@pytest.mark.slow
@settings(max_examples=OTHERS, suppress_health_check=[HealthCheck.too_slow])
@given(plans())
def test_a_drawn_plan_conforms_and_settles(plan: Plan) -> None:
    judged(plan)


@pytest.mark.nightly
@settings(max_examples=1_000, suppress_health_check=[HealthCheck.too_slow])
@given(plans())
def test_a_thousand_drawn_plans_conform_and_settle(plan: Plan) -> None:
    judged(plan)


@settings(max_examples=30)
@given(plans())
def test_a_drawn_plan_can_be_kept(plan: Plan) -> None:
    """As JSON, to be run again: nothing of it is lost."""
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@settings(max_examples=30)
@given(st.data())
def test_drawn_plans_stay_small(data: st.DataObject) -> None:
    """A plan is a few dozen draws, so that shrinking one is quick (D11)."""
    plan = data.draw(plans())
    assert len(plan.fault) <= 8
    assert sum(workload.items for workload in plan.workload) <= 24
