"""Ways in which a wrong implementation could once have passed: each is refused, and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.verdict import Outcome, Verdict
from mesos_spec.tools.judging.whole import WHOLE

Json = dict[str, Any]
Run = dict[str, list[Json]]


@cache
def _clean(scenario: str) -> dict[str, bytes]:
    return written_by(load_scenario(scenario)[1])


def run_of(scenario: str) -> Run:
    """The lines of a clean run, by process; to be changed."""
    lines = _clean(scenario)
    return {name: [json.loads(line) for line in data.splitlines()] for name, data in lines.items()}


def judged(run: Run) -> Verdict:
    """The verdict on a run."""
    written = {name: "\n".join(map(json.dumps, lines)).encode() for name, lines in run.items()}
    return judge(read(written), WHOLE, Bounds())


def first(run: Run, role: str, wanted: Callable[[Json], bool]) -> Json:
    """The first record of a `role` that is `wanted`."""
    lines = (c for _, c in sorted(run.items()) if c[0]["role"] == role)
    return next(record for content in lines for record in content[1:] if wanted(record))


def did(name: str) -> Callable[[Json], bool]:
    """Whether a record claims an action."""
    return lambda record: any(action == name for action, _ in record["did"])


def a_message_without_a_connection(run: Run) -> tuple[Json, str]:
    """It kills a task, and its trace does not say on which link."""
    record = first(run, "master", did("forward"))
    kill = {"kind": "Kill", "epoch": 1, "framework_id": "f", "task_id": "t"}
    record["sent"].append({"to": "agent", "msg": kill})
    return record, "belongs to no connection"


def a_message_heard_from_nowhere(run: Run) -> tuple[Json, str]:
    """What it heard has no number, so that nobody can have sent it."""
    record = first(run, "agent", did("run"))
    del record["heard"]["id"]
    return record, "belongs to no connection"


def another_leader(run: Run) -> tuple[Json, str]:
    """It hears who leads, and turns to a reign that nobody named."""
    record = first(run, "agent", did("turn_to"))
    record["did"] = [["turn_to", {"epoch": 7}]]
    shown = record.get("view") or record["whole"]
    shown["agent"] = {**shown["agent"], "epoch": 7}
    return record, "of epoch 7, but heard of 1"


def another_executor(run: Run) -> tuple[Json, str]:
    """One executor speaks, and the agent takes it for another."""
    record = first(run, "agent", did("executor_updates"))
    record["did"][0][1]["executor"] = "another"
    return record, "of executor 'another', but heard of"


def another_agents_link(run: Run) -> tuple[Json, str]:
    """Some old link ends, and the master loses an agent that is there."""
    record = first(run, "master", did("lose_agent"))
    record["heard"] = {"local": "ended", "link": "some-old-link"}
    return record, "but heard that 'some-old-link' ended"


def another_link_of_its_own(run: Run) -> tuple[Json, str]:
    """An old link ends, and the agent leaves the one it has."""
    record = first(run, "agent", lambda r: did("drop_link")(r) and "link" in r["heard"])
    record["heard"]["link"] = "some-old-link"
    return record, "but heard that 'some-old-link' ended"


def never_a_whole_view(run: Run) -> tuple[Json, str]:
    """It says what changes, and never what there is."""
    name = next(n for n, c in sorted(run.items()) if c[0]["role"] == "master")
    for record in run[name][2:]:
        whole = record.pop("whole", None)
        if whole is not None:
            record["view"] = {}
    return run[name][1 + 256], "does not show its whole view"


HOLES = [
    (a_message_without_a_connection, "leader_killed"),
    (a_message_heard_from_nowhere, "leader_killed"),
    (another_leader, "leader_killed"),
    (another_executor, "leader_killed"),
    (another_agents_link, "agent_killed"),
    (another_link_of_its_own, "leader_killed"),
    (never_a_whole_view, "unruly_framework"),
]


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole[0].__name__)
def test_a_hole_is_closed(hole: tuple[Callable[[Run], tuple[Json, str]], str]) -> None:
    lie, scenario = hole
    run = run_of(scenario)
    record, reason = lie(run)
    verdict = judged(run)
    assert verdict.outcome is Outcome.VIOLATES
    violation = verdict.violations[0]
    assert (violation.seq, reason in violation.says) == (record["seq"], True), violation.text()
