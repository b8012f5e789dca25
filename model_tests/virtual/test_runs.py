"""Whole clusters of real shells on virtual time: judged, and the same again for the same seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from mesos_chaos.__main__ import main
from mesos_chaos.plan import Cluster, Fault, FaultKind, Plan, Workload, load_scenario, shipped
from mesos_chaos.sim.named import busy50
from mesos_chaos.virtual.run import run_virtually
from mesos_ref.agent.core import AgentCore
from mesos_spec.tools.judging.trace import Record

PERTURBED = """
import hashlib, sys
heap = [object() for _ in range(int(sys.argv[1]))]
from mesos_chaos.plan import load_scenario
from mesos_chaos.virtual.run import run_virtually
plan = load_scenario("everything_dies")[1].model_copy(update={"seed": 7})
_, cluster = run_virtually(plan, keep_lines=True)
for name in sorted(cluster.judge.lines):
    print(name, hashlib.sha256(b"".join(cluster.judge.lines[name])).hexdigest())
print(cluster.network.pieces, cluster.whims.turns)
"""


def logs_of(hash_seed: str, garbage: int) -> str:
    """What one process says of the traces of a run."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", PERTURBED, str(garbage)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_seed_is_a_run_in_every_process() -> None:
    """Bit for bit, whatever the hash seed and the heap."""
    first = logs_of("1", 0)
    assert first.count("\n") > 8, "a trace for each life of each process"
    assert logs_of("4242", 100_003) == first


def test_another_seed_is_another_run() -> None:
    plan = load_scenario("leader_killed")[1]
    digests = set()
    for seed in (1, 2):
        _, cluster = run_virtually(plan.model_copy(update={"seed": seed}), keep_lines=True)
        assert cluster.judge.lines is not None
        lines = (b"".join(each) for _, each in sorted(cluster.judge.lines.items()))
        digests.add(hashlib.sha256(b"".join(lines)).hexdigest())
    assert len(digests) == 2


TIER_2 = [name for name in shipped() if 2 in load_scenario(name)[1].tiers]


@pytest.mark.parametrize("name", TIER_2)
def test_a_scenario_conforms_and_settles(name: str) -> None:
    result, cluster = run_virtually(load_scenario(name)[1])
    assert result.exit_code == 0, (result.pending, result.missed, result.leaks, result.verdict)
    assert result.faults_done, "a scenario without a fault is none"
    assert cluster.finished


@pytest.mark.parametrize("seed", [10, 22])
def test_a_record_of_what_was_not_stepped_has_sent_nothing(seed: int) -> None:
    """A frame on a line that is given up is ignored, whatever the record before it has sent."""
    plan = load_scenario("deposed_leader")[1].model_copy(update={"seed": seed})
    result, _ = run_virtually(plan)
    assert not result.verdict.violations, result.verdict.text()


def test_a_stopped_agent_is_away_and_comes_back() -> None:
    plan = Plan(
        cluster=Cluster(
            masters=1,
            agents=2,
            timers={
                "agent_ping_timeout_s": 0.3,
                "max_agent_ping_timeouts": 3,
            },
        ),
        workload=[Workload(name="w", items=30, command="sleep 1", cpus=1.0)],
        fault=[Fault(kind=FaultKind.PAUSE, target="agent:1", at_s=1.5, for_s=4.0)],
    )
    result, cluster = run_virtually(plan)
    assert result.exit_code == 0, (result.pending, result.verdict.text())
    assert cluster.judge.seen["master.mark_unreachable"] >= 1
    assert cluster.agents["a1"].lives == 1


def test_a_leader_stopped_by_its_own_deed_loses_its_lease_and_goes_on() -> None:
    fault = Fault(kind=FaultKind.PAUSE, target="leader", after="master.accept#2", for_s=2.0)
    plan = Plan(
        cluster=Cluster(masters=2, agents=2),
        workload=[Workload(name="w", items=10, command="sleep 1", cpus=1.0)],
        fault=[fault],
    )
    result, cluster = run_virtually(plan)
    assert result.exit_code == 0, (result.pending, result.verdict.text())
    assert cluster.election.epoch == 2
    assert result.simulated_s < 30, "it went on when it should, not at the heal"


def test_who_is_killed_while_he_stands_by_is_not_elected() -> None:
    plan = Plan(
        seed=3,
        cluster=Cluster(masters=3, agents=1),
        workload=[Workload(name="w", items=6, command="sleep 1", cpus=1.0)],
        fault=[
            Fault(kind=FaultKind.KILL, target="standby", at_s=1.0),
            Fault(kind=FaultKind.KILL, target="leader", at_s=3.0),
        ],
    )
    result, _ = run_virtually(plan)
    assert result.exit_code == 0, result.pending


def test_a_run_that_breaks_while_somebody_is_stopped_ends() -> None:
    class Listener:
        def hear(self, incarnation: str, role: str, record: object) -> None: ...

        def struck(self, kind: str) -> None:
            if kind == "reset":
                raise ZeroDivisionError

    plan = Plan(
        cluster=Cluster(masters=1, agents=1),
        workload=[Workload(name="w", items=9, command="sleep 1", cpus=1.0)],
        fault=[
            Fault(kind=FaultKind.PAUSE, target="agent:1", at_s=1.5),
            Fault(kind=FaultKind.RESET, target="agent:1", at_s=2.0),
        ],
    )
    with pytest.raises(ExceptionGroup) as told:
        run_virtually(plan, listener=Listener())
    assert told.group_contains(ZeroDivisionError)


def test_a_shell_that_fails_is_told_of_and_the_run_is_no_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Plan(
        cluster=Cluster(masters=1, agents=1), workload=[Workload(name="w", items=1, cpus=1.0)]
    )
    assert run_virtually(plan)[0].exit_code == 0

    def handle(self: AgentCore, event: object, now_us: int) -> None:
        raise ValueError("planted")

    monkeypatch.setattr(AgentCore, "handle", handle)
    result, cluster = run_virtually(plan)
    assert result.exit_code == 3
    assert "agent a1 failed" in cluster.crashes[0]
    assert "planted" in result.pending[-1]


def test_the_command_runs_a_scenario_in_virtual_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "agent_killed", "--tier", "2", "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tier"] == 2
    assert told["faults"] == ["kill a1"]
    assert told["verdict"]["records"] > 100
    assert main(["run", "agent_killed", "--tier", "2", "--seed", "3"]) == 0
    assert "pieces sent" in capsys.readouterr().out


def test_offers_are_not_made_in_circles() -> None:
    """Each agent is offered once; then what tasks give back is, and is used."""
    plan = busy50(4)
    result, _ = run_virtually(plan)
    assert result.exit_code == 0, (result.pending, result.verdict.text())
    taken = result.verdict.taken
    rounds = 1 + taken["revive"]
    assert rounds <= 2
    assert taken["offer"] <= 50 * rounds + 1.5 * plan.workload[0].items


def test_what_was_refused_is_asked_for_when_nothing_else_comes() -> None:
    """One task at a time: the other agent is refused for an hour, and then it is the only one."""
    timers = {"agent_ping_timeout_s": 0.3, "max_agent_ping_timeouts": 3}
    plan = Plan(
        cluster=Cluster(masters=1, agents=2, timers=timers),
        workload=[Workload(name="w", items=4, command="sleep 1", parallel=1)],
        fault=[Fault(kind=FaultKind.CUT, target="agent-of:w.1", at_s=2.0, for_s=15.0)],
    )
    done_s: list[float] = []

    class Watch:
        def hear(self, incarnation: str, role: str, record: Record) -> None:
            if role == "scheduler" and str(record.heard).count("TASK_FINISHED"):
                done_s.append(record.now / 1e6)

        def struck(self, kind: str) -> None: ...

    result, _ = run_virtually(plan, listener=Watch())
    assert result.exit_code == 0, (result.pending, result.verdict.text())
    assert result.verdict.taken["revive"] == 1
    assert done_s[-1] < 2 + 15
