"""What goes wrong on real processes is looked for in simulation, where it can be had again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.plan import Cluster, Expect, Plan, Workload
from mesos_chaos.search import lifting
from mesos_chaos.search.breaking import Broken, Catch, run_plan
from mesos_chaos.search.lifting import Lifted, lift, told

#: More than there is: it never settles.
TOO_MUCH = Plan(
    cluster=Cluster(masters=1, agents=1),
    workload=[Workload(name="huge", items=1, cpus=100.0)],
    expect=Expect(settles_within_s=3),
)
GOOD = TOO_MUCH.model_copy(update={"workload": [Workload(name="huge", items=1)]})


def wanted() -> Broken:
    found = run_plan(TOO_MUCH).broken
    assert found is not None
    return found


def test_the_first_seed_that_breaks_the_same_is_found() -> None:
    found, _ = lift(TOO_MUCH.model_copy(update={"seed": 7}), wanted())
    assert found == Lifted(1, 7, wanted(), same=True)


def test_what_only_breaks_with_the_shells_is_found_in_tier_2(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def only_tier_2(plan: Plan, limit_s: float, tier: int) -> object:
        asked.append((tier, plan.seed))
        return run_plan(TOO_MUCH if tier == 2 else GOOD, limit_s, tier=tier)

    monkeypatch.setattr(lifting, "run_plan", only_tier_2)
    found, runs = lift(GOOD, wanted(), seeds=2)
    assert runs == 3
    assert found is not None
    assert (found.tier, found.seed, found.same) == (2, 0, True)
    assert asked == [(1, 0), (1, 1), (2, 0)]


def test_another_thing_that_breaks_is_better_than_nothing() -> None:
    other = Broken(Catch.VIOLATION, "the property P is broken", "")
    found, runs = lift(TOO_MUCH, other, seeds=1)
    assert found is not None
    assert not found.same
    assert "breaks another thing: does not settle" in told(found, runs, "runs/x/0")[0]


def test_what_simulation_knows_nothing_of_is_said() -> None:
    assert lift(GOOD, wanted(), seeds=1) == (None, 2)
    said = "in simulation, 2 runs of the plan break nothing"
    assert told(None, 2, "runs/x/0") == [said]


@pytest.mark.live
@pytest.mark.needs("linux")
def test_a_real_run_that_is_wrong_says_how_to_have_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("too_much.toml").write_text(
        'title = "More than there is"\nwhy = "A task that no agent can hold is never done."\n'
        '[cluster]\nmasters = 1\nagents = 1\n[[workload]]\nname = "huge"\nitems = 1\n'
        "cpus = 100.0\n[expect]\nsettles_within_s = 3\n"
    )
    assert main(["run", "too_much.toml", "--quiet"]) == 3
    said = capsys.readouterr().out
    folder = tmp_path / "runs" / "too_much" / "0"
    again = f"mesos-chaos run {folder}/plan.toml --tier 1 --seed 0"
    assert f"in simulation, seed 0 of tier 1 breaks the same\n  replay: {again}\n" in said
    assert again in (folder / "report.txt").read_text()
    assert main(again.split()[1:]) == 3
