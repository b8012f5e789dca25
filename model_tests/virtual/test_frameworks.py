"""Frameworks under test: what is wrong is found, made small, and put down to the right party."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from mesos_chaos.plan import Cluster, Fault, FaultKind, Plan, PlanError, Workload, load_scenario
from mesos_chaos.testing import Finding, Run, Site
from mesos_chaos.testing.finding import examine, shrunk
from mesos_chaos.testing.judged import USUAL, Asked, Mesos, plans_of, seeds_of
from mesos_ref.agent.core import AgentCore
from mesos_ref.master.effects import SendEvent
from mesos_ref.master.shell import MasterShell
from mesos_ref.scheduler.core import SchedulerCore

CALM = Plan(cluster=Cluster(masters=1, agents=1), workload=[Workload(name="mine")])
KILLED = CALM.model_copy(
    update={
        "fault": [
            Fault(kind=FaultKind.RESET, target="agent:1", at_s=1.0),
            Fault(kind=FaultKind.KILL, target="scheduler:mine", at_s=2.0),
        ]
    }
)


async def plain(site: Site) -> int:
    """One task, until it is finished; which of its lives this is."""
    async with site.connect() as framework:
        while True:
            offer = await framework.next_offer()
            task = await framework.launch(offer, "sleep 3", cpus=0.5, mem_mb=32)
            if (await task.finished()).state == "TASK_FINISHED":
                return site.life


def wrong(main: Any, plan: Plan = CALM, goal: Any = None) -> tuple[str, str]:
    """Whose fault it is, and what."""
    found = examine(main, plan, goal)
    assert isinstance(found, Finding)
    return found.party, found.broken.says


def test_all_is_well_with_a_plain_framework() -> None:
    run = examine(plain, CALM, lambda run: run.returned == {"mine": 1})
    assert isinstance(run, Run)
    assert not run.tasks
    assert run.result.verdict.records > 20


def test_who_is_killed_is_called_again_and_what_it_left_is_seen() -> None:
    run = examine(plain, KILLED)
    assert isinstance(run, Run)
    assert run.returned == {"mine": 2}
    assert run.result.faults_done == ["reset a1", "kill mine"]


def test_a_framework_that_raises_is_at_fault() -> None:
    async def clumsy(site: Site) -> None:
        async with site.connect() as framework:
            await framework.next_offer()
            raise KeyError("what I had in mind")

    party, says = wrong(clumsy)
    assert party == "framework"
    assert "KeyError('what I had in mind')" in says


def test_what_is_no_framework_is_at_fault_and_told_so() -> None:
    async def leaves(site: Site) -> None:
        async with site.connect() as framework:
            await framework.next_offer()
            sys.exit(3)

    party, says = wrong(leaves)
    assert (party, "left with SystemExit" in says) == ("framework", True)
    party, says = wrong(lambda site: 1)
    assert (party, "must be an async function" in says) == ("framework", True)


def test_the_end_of_a_killed_framework_is_no_failure_of_it() -> None:
    async def sulks(site: Site) -> None:
        try:
            async with site.connect():
                await trio.sleep(5)
        finally:
            if site.life == 1:
                raise RuntimeError("nobody hears of this")

    assert isinstance(examine(sulks, KILLED), Run)


def test_what_fails_in_the_library_by_itself_is_no_fault_of_the_framework(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SchedulerCore, "handle", None)
    party, says = wrong(plain)
    assert party == "library"
    assert "CoreFailed" in says


def test_a_framework_that_never_returns_is_at_fault() -> None:
    async def endless(site: Site) -> None:
        async with site.connect():
            await trio.sleep_forever()

    assert wrong(endless) == ("framework", "does not settle: mine has not returned")


def test_a_framework_that_keeps_offers_to_itself_breaks_its_contract() -> None:
    async def hoarder(site: Site) -> None:
        async with site.connect() as framework:
            await framework.next_offer()
            await trio.sleep(400)

    cluster = CALM.cluster.model_copy(update={"timers": {"offer_timeout_s": 3600.0}})
    expect = CALM.expect.model_copy(update={"settles_within_s": 600.0})
    late = CALM.model_copy(update={"cluster": cluster, "expect": expect})
    party, says = wrong(hoarder, late)
    assert party == "framework"
    assert "contract: " in says


def test_a_goal_may_say_no_in_two_ways() -> None:
    def it_ran_twice(run: Run) -> bool:
        return bool(run.returned["mine"] == 2)

    def there_is_one(run: Run) -> None:
        assert run.tasks, "there is no task"

    assert wrong(plain, goal=it_ran_twice) == ("framework", "the goal is not reached: it_ran_twice")
    assert wrong(plain, goal=there_is_one)[1] == "the goal is not reached: there is no task"


def test_what_is_wrong_with_us_is_no_fault_of_the_framework(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    perform = MasterShell._perform

    def twice(self: MasterShell, effects: Any) -> None:
        perform(self, [e for one in effects for e in [one] * (1 + isinstance(one, SendEvent))])

    monkeypatch.setattr(MasterShell, "_perform", twice)
    party, says = wrong(plain)
    assert party in ("library", "master")
    assert says

    def handle(self: AgentCore, event: object, now_us: int) -> None:
        raise ValueError("planted")

    monkeypatch.undo()
    monkeypatch.setattr(AgentCore, "handle", handle)
    assert wrong(plain)[0] == "library"


def test_a_run_in_which_nothing_struck_proves_nothing() -> None:
    never = Fault(kind=FaultKind.KILL, target="leader", after="master.accept#99")
    party, says = wrong(plain, CALM.model_copy(update={"fault": [never]}))
    assert party == "plan"
    assert "no fault of the plan struck anybody (master.accept#99)" in says


def test_a_run_that_did_not_show_what_it_must_proves_nothing() -> None:
    expect = CALM.expect.model_copy(update={"must_see": ["shut_down_agent"]})
    party, says = wrong(plain, CALM.model_copy(update={"expect": expect}))
    assert party == "plan"
    assert says == "the verdict is unknown: never seen, so nothing is proved of: shut_down_agent"


def test_the_smallest_plan_has_the_fault_that_matters() -> None:
    def it_lived_once(run: Run) -> bool:
        return bool(run.returned["mine"] == 1)

    found = examine(plain, KILLED, it_lived_once)
    assert isinstance(found, Finding)
    done, party = shrunk(plain, found, it_lived_once, 30)
    assert party == "framework"
    assert [(f.kind, f.target) for f in done.plan.fault] == [(FaultKind.KILL, "scheduler:mine")]
    assert done.broken.property == found.broken.property


def test_a_framework_that_polls_without_waiting_is_run_to_its_end() -> None:
    async def polls(site: Site) -> None:
        async with site.connect():
            began_s = trio.current_time()
            while trio.current_time() < began_s + 1:
                await trio.lowlevel.checkpoint()

    assert isinstance(examine(polls, CALM), Run)


@pytest.mark.parametrize("seeds", [0, -1, "two", True])
def test_a_mark_that_asks_for_no_run_is_refused(seeds: Any) -> None:
    assert seeds_of({"seeds": 3}) == 3
    with pytest.raises(PlanError, match=f"seeds={seeds!r} is no number of runs"):
        seeds_of({"seeds": seeds})
    with pytest.raises(PlanError, match="knows no 'seed'"):
        seeds_of({"seed": 3})


def test_a_plan_and_seeds_can_be_asked_for() -> None:
    assert [(n, p.seed) for n, p in plans_of((), 2, None)] == [("the plan", 0), ("the plan", 1)]
    named = plans_of(("leader_killed", CALM), 1, 7)
    assert [(name, plan.seed) for name, plan in named] == [("leader_killed", 7), ("the plan", 7)]
    assert named[0][1].fault == load_scenario("leader_killed")[1].fault
    with pytest.raises(PlanError, match="no scenario 'of_mine'"):
        plans_of(("of_mine",), 1, None)


def test_the_usual_faults_strike_and_a_plain_framework_outlives_them(tmp_path: Path) -> None:
    mesos = Mesos(Asked("t.py::test_it", plans_of((), 1, 3), tmp_path, tmp_path, 10))
    (run,) = mesos.run(plain)
    assert len(run.result.faults_done) == len(USUAL.fault)


def test_a_failure_tells_the_plan_and_how_to_see_it_again(tmp_path: Path) -> None:
    mesos = Mesos(Asked("t.py::test_it[1]", [("the plan", KILLED)], tmp_path, tmp_path, 0))
    with pytest.raises(pytest.fail.Exception) as told:
        mesos.run(plain, goal=lambda run: run.returned["mine"] == 1)
    text = str(told.value)
    assert "at fault: the framework under test" in text
    assert "kill scheduler:mine at 2 s" in text
    kept = tmp_path / "t_py_test_it_1.toml"
    assert f"again: pytest 't.py::test_it[1]' --mesos-plan {kept}" in text
    assert load_scenario(str(kept))[1].fault == KILLED.fault


@pytest.mark.live
@pytest.mark.slow
def test_a_command_is_judged_on_real_processes(tmp_path: Path) -> None:
    plan = CALM.model_copy(
        update={"fault": [Fault(kind=FaultKind.KILL, target="agent:1", at_s=0.5)]}
    )
    words = "-m mesos_ref run --master $MESOS_REF_MASTER --instances 2 -- sleep 0.3"
    mine = shlex.join(["sh", "-c", f"{shlex.quote(sys.executable)} {words}"])
    Mesos(Asked("t.py::a", [("calm", plan)], tmp_path, tmp_path, 0)).run_command(mine)
    with pytest.raises(pytest.fail.Exception, match=r"again: pytest 't\.py::b' --mesos-plan"):
        Mesos(Asked("t.py::b", [("bad", plan)], tmp_path, tmp_path, 0)).run_command("false")
    with pytest.raises(pytest.fail.Exception, match="there is no program 'not-there'"):
        Mesos(Asked("t.py::c", [("bad", plan)], tmp_path, tmp_path, 0)).run_command("not-there -x")
