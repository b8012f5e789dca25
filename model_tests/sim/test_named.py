"""Workloads with a name do what their name says, at the pace it says; links of schedulers break."""

from __future__ import annotations

import pytest

from mesos_chaos.plan import Fault, FaultKind, Plan, load_scenario
from mesos_chaos.sim.cluster import SimCluster
from mesos_chaos.sim.loop import SECOND_US
from mesos_chaos.sim.named import busy50, calm50
from mesos_chaos.sim.run import simulate
from mesos_ref.scheduler.events import Asked
from mesos_ref.wire.scheduler import Call


@pytest.mark.parametrize(("plan", "rate"), [(calm50(8), 0.5), (busy50(2), 10.0)])
def test_a_named_workload_keeps_its_pace(plan: Plan, rate: float) -> None:
    result, cluster = simulate(plan)
    assert result.exit_code == 0
    assert len(cluster.agents) == 50
    done_s = result.simulated_s - 5.0  # the aftermath
    assert 0.5 * rate <= plan.workload[0].items / done_s <= 1.1 * rate


def test_uneven_agents_have_more_each() -> None:
    plan = load_scenario("broken_streams")[1]
    uneven = plan.model_copy(update={"cluster": plan.cluster.model_copy(update={"uneven": True})})
    _, cluster = simulate(uneven)
    view = cluster.masters["m1"].core.view()
    totals = [value["total"]["cpus"] for key, value in view.items() if key.startswith("agents/")]
    assert sorted(totals) == [4000, 8000]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_scheduler_that_is_cut_off_one_way_comes_back(direction: str) -> None:
    plan = load_scenario("broken_streams")[1]
    cut = Fault(
        kind=FaultKind.CUT,
        target="scheduler:few",
        at_s=0.5,
        for_s=3.0,
        direction=direction,  # type: ignore[arg-type]
    )
    expect = plan.expect.model_copy(update={"must_see": []})
    result, _ = simulate(plan.model_copy(update={"fault": [cut], "expect": expect}))
    assert result.faults_done == ["cut few"]
    assert result.exit_code == 0


def test_calm_is_calm() -> None:
    """Little happens but pings (3 events each) and tasks (about 30 each): no offers in circles.

    Everything is offered once, and again if the user's code, that took its time, asks for it.
    """
    plan = calm50(60)
    result, _ = simulate(plan)
    taken = result.verdict.taken
    tasks = plan.workload[0].items
    assert taken["ping"] == 50 * (result.simulated_s // 15)
    rounds = 1 + taken["revive"]
    assert rounds <= 3
    assert taken["offer"] <= 50 * rounds + 2 * tasks
    assert result.verdict.steps <= 3 * taken["ping"] + 30 * tasks + 10 * 50 * rounds


def test_a_patient_framework_asks_for_offers_when_none_come() -> None:
    """Somebody suppressed it; its own work is not done."""
    cluster = SimCluster.of(calm50(8))
    scheduler = cluster.schedulers["calm"]
    cluster.loop.at(SECOND_US, lambda: scheduler.hear(Asked(Call(type="SUPPRESS"))))
    assert cluster.loop.run(60 * SECOND_US, lambda: cluster.finished)
    cluster.judge.catch_up()
    assert cluster.judge.violation is None
    assert cluster.judge.judge.verdict.taken["suppress"] == 1
    assert cluster.judge.judge.verdict.taken["revive"] > 0


def test_who_is_not_judged_does_the_same() -> None:
    judged, _ = simulate(calm50(4))
    alone, cluster = simulate(calm50(4), judged=False)
    assert alone.events == judged.events
    assert alone.settled
    assert alone.verdict.records == 0
    assert cluster.schedulers["calm"].items.finished
