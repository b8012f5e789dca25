"""Every shipped scenario, simulated under several seeds: it conforms, settles, shows what it must.

What cannot settle, and what shows nothing, must be told apart from that by exit code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from functools import partial

import pytest

from mesos_chaos.plan import Plan, Scenario, load_scenario, shipped
from mesos_chaos.sim import cluster
from mesos_chaos.sim.run import SimResult, simulate
from mesos_ref.master.config import MasterConfig
from mesos_spec.mesos import ACTIONS
from mesos_spec.tools.judging.verdict import Outcome

SEEDS = 4

#: Actions of each party that no run of this module may leave out of sight.
OURS = {name for name, action in ACTIONS.items() if action.by != "environment"}
#: Rare ones: drawn plans and other seeds take them.
RARE = {"ignore_frame_up", "forget_agent", "forget_framework"}

taken: Counter[str] = Counter()


def scenario(name: str, **changes: object) -> Scenario:
    """A shipped scenario with some keys replaced."""
    return load_scenario(name)[1].model_copy(update=changes)


def run(plan: Plan) -> SimResult:
    """Simulate it; its result."""
    return simulate(plan)[0]


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.bulk if n > 1 else ()) for n in range(SEEDS)]
)
@pytest.mark.parametrize("name", shipped())
def test_it_conforms_and_settles(name: str, seed: int) -> None:
    result = run(scenario(name, seed=seed))
    assert result.exit_code == 0, "\n".join(
        [*result.faults_done, *result.pending, *result.missed, result.verdict.text()]
    )
    taken.update(result.verdict.taken)


def test_all_of_the_specification_was_exercised() -> None:
    """Runs after the scenarios; by itself it runs them all once."""
    if not taken:
        for name in shipped():
            taken.update(run(scenario(name)).verdict.taken)
    assert OURS - RARE - set(taken) == set()


def test_what_was_forgotten_was_forgotten_by_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """PRT-6, S14: a master that remembers one of each forgets the others, and conforms."""
    bounded = partial(MasterConfig, max_unreachable_agents=1, max_removed_frameworks=1)
    monkeypatch.setattr(cluster, "MasterConfig", bounded)
    result = run(scenario("unruly_framework"))
    assert result.verdict.outcome is Outcome.CONFORMS
    assert result.verdict.taken["forget_framework"] > 0


# ---- determinism --------------------------------------------------------------------------------

_TRACES = """
import sys
from hashlib import sha256
from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.run import simulate
plan = load_scenario(sys.argv[1])[1].model_copy(update={"seed": int(sys.argv[2])})
_, cluster = simulate(plan, keep_lines=True)
for name, lines in cluster.judge.lines.items():
    print(name, sha256(b"".join(lines)).hexdigest())
"""


def digests(name: str, seed: int, hash_seed: int) -> str:
    """A digest of each process' trace, from a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _TRACES, name, str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("name", ["unruly_framework", "executors_of_its_own"])
def test_the_same_seed_gives_the_same_bytes_in_another_process(name: str) -> None:
    first = digests(name, 1, hash_seed=1)
    assert len(first.splitlines()) >= 5
    assert digests(name, 1, hash_seed=2) == first


def test_another_seed_gives_another_run() -> None:
    assert digests("agent_killed", 1, hash_seed=1) != digests("agent_killed", 2, hash_seed=1)


# ---- what is not all right ----------------------------------------------------------------------


def test_a_plan_that_cannot_settle_ends_with_3_and_says_what_is_missing() -> None:
    plan = scenario("leader_killed")
    greedy = plan.workload[0].model_copy(update={"cpus": 100.0, "items": 2})
    hasty = plan.expect.model_copy(update={"settles_within_s": 2.0, "must_see": []})
    result = run(plan.model_copy(update={"workload": [greedy], "fault": [], "expect": hasty}))
    assert result.exit_code == 3
    assert result.pending == ["busy: 2 items are not done"]


def test_a_run_that_shows_nothing_of_what_it_must_ends_with_2() -> None:
    plan = scenario("leader_killed")
    expect = plan.expect.model_copy(update={"must_see": ["lead", "mark_unreachable"]})
    result = run(plan.model_copy(update={"expect": expect}))
    assert result.exit_code == 2
    assert result.missed == ["mark_unreachable"]
    assert "mark_unreachable" in result.verdict.text()


def test_a_fault_whose_target_is_nobody_is_noted_and_left() -> None:
    plan = scenario("leader_killed")
    missing = plan.fault[0].model_copy(update={"target": "agent:99"})
    expect = plan.expect.model_copy(update={"must_see": []})
    result = run(plan.model_copy(update={"fault": [missing], "expect": expect}))
    assert result.exit_code == 0
    assert result.faults_done == ["kill agent:99: nobody there"]
