"""Plans nobody thought of: whatever is drawn must conform, settle, and be the same when kept.

CI runs a thousand drawn plans on the code as it is, most of them little, and an alarm in any of
them is a failure: two hundred in `make test`, the others in `make bulk`.  All single faults of a
small plan (test_exhaustive) and the scenarios come on top.  The nightly run has twenty thousand of
all strategies (`mesos-chaos search --runs 20000`), and all pairs of faults.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import what_broke
from mesos_chaos.search.dice import Seeded
from mesos_chaos.search.drawing import BRIEF, LITTLE, draw_plan
from mesos_chaos.search.strategies import plans
from mesos_chaos.sim.run import simulate

BRIEF_ONES = 60
OTHERS = 10
LITTLE_ONES = 930
SOME = 130


def judged(plan: Plan) -> None:
    """Simulate it; all must be well."""
    result, cluster = simulate(plan)
    assert result.exit_code == 0, "\n".join(
        [*result.faults_done, *result.pending, result.verdict.text()]
    )
    for name, scheduler in cluster.schedulers.items():
        assert len(scheduler.items.done) == scheduler.workload.items, name


def little(seed: object) -> list[Plan]:
    """Drawn without Hypothesis, which would take as long as the runs."""
    drawn = [draw_plan(Seeded(f"little/{seed}/{n}"), LITTLE) for n in range(LITTLE_ONES)]
    assert len({plan.model_dump_json() for plan in drawn}) == LITTLE_ONES
    return drawn


def raise_no_alarm(drawn: list[Plan]) -> None:
    """Each is simulated and judged."""
    alarms = [(plan, broken) for plan in drawn if (broken := what_broke(plan)) is not None]
    assert not alarms, f"{len(alarms)}, the first: {alarms[0]}"


@pytest.mark.slow
def test_some_little_plans_raise_no_false_alarm(pytestconfig: pytest.Config) -> None:
    raise_no_alarm(little(pytestconfig.getoption("hypothesis_seed"))[:SOME])


@pytest.mark.bulk
def test_hundreds_of_little_plans_raise_no_false_alarm(pytestconfig: pytest.Config) -> None:
    raise_no_alarm(little(pytestconfig.getoption("hypothesis_seed"))[SOME:])


def test_ci_runs_a_thousand_drawn_plans() -> None:
    assert BRIEF_ONES + OTHERS + LITTLE_ONES == 1_000
    assert BRIEF_ONES + OTHERS + SOME == 200


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
