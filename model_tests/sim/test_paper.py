"""What the paper and Mesos promise of failures, seen to happen in runs of shipped scenarios.

That nothing forbidden happens is the judge's business.  Here the records of a run are read for what
must have happened, by whom and to whom.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from mesos_chaos.plan import Scenario, load_scenario
from mesos_chaos.sim.traces import written_by

Record = dict[str, Any]


@cache
def records(name: str, **changes: Any) -> dict[str, list[Record]]:
    """The records of each life of each process, in a run of a scenario."""
    plan = load_scenario(name)[1]
    return told(plan.model_copy(update=changes))


def told(plan: Scenario) -> dict[str, list[Record]]:
    """The records of each life of each process, in a run of a plan."""
    lines = written_by(plan)
    return {life: [json.loads(line) for line in data.splitlines()] for life, data in lines.items()}


def of_role(run: dict[str, list[Record]], role: str) -> dict[str, list[Record]]:
    """The lives of processes of a role, without their headers."""
    return {life: found[1:] for life, found in run.items() if found[0]["role"] == role}


def did(found: list[Record], action: str) -> list[Record]:
    """The records that hold an action."""
    return [one for one in found if action in (name for name, _ in one["did"])]


def sent(found: list[Record], kind: str) -> Iterator[Record]:
    """The messages of a kind that were sent."""
    for one in found:
        messages = (effect["msg"] for effect in one["sent"] if "msg" in effect)
        yield from (msg for msg in messages if kind in (msg.get("kind"), msg.get("type")))


def updates(found: list[Record]) -> list[tuple[str, str]]:
    """The tasks and states in the UPDATE events that were sent."""
    told = [event["update"]["status"] for event in sent(found, "UPDATE")]
    return [(status["task_id"]["value"], status["state"]) for status in told]


def heard_updates(found: list[Record]) -> list[tuple[str, str]]:
    """The tasks and states in the UPDATE events that were heard."""
    events = [((one["heard"] or {}).get("msg") or {}) for one in found]
    told = [event["update"]["status"] for event in events if event.get("type") == "UPDATE"]
    return [(status["task_id"]["value"], status["state"]) for status in told]


def test_a_new_leader_goes_on_with_the_tasks_of_the_one_before() -> None:
    """R2, FWK-17, A1: one leads at a time; tasks run on, though their master has died."""
    masters = of_role(records("leader_killed"), "master")
    reigns = {life: found for life, found in masters.items() if did(found, "lead")}
    assert len(reigns) == 2
    first, second = sorted(reigns.values(), key=lambda found: found[0]["heard"]["epoch"])
    assert first[-1]["now"] < second[0]["now"], "one leads at a time"
    launched = [
        [r["task"]["task_id"]["value"] for r in sent(f, "RunTask")] for f in (first, second)
    ]
    assert set(Counter(launched[0] + launched[1]).values()) == {1}, "each was launched once"
    finished = [{t for t, state in updates(f) if state == "TASK_FINISHED"} for f in (first, second)]
    carried = (set(launched[0]) - finished[0]) & finished[1]
    assert carried, "some ran all through it"


def test_the_loss_of_an_agent_is_told_to_those_concerned() -> None:
    """R3, PRT-1: FAILURE with the agent to everyone, and the state of each of its tasks."""
    masters = of_role(records("agent_given_up"), "master")
    [(lost, *_)] = [
        found for found in (did(f, "mark_unreachable") for f in masters.values()) if found
    ]
    [[agent]] = [[names["agent"]] for name, names in lost["did"] if name == "mark_unreachable"]
    failures = [event["failure"] for event in sent([lost], "FAILURE")]
    assert [failure["agent_id"]["value"] for failure in failures] == [agent] * len(failures)
    streams = {e["id"][0] for e in lost["sent"] if e.get("msg", {}).get("type") == "UPDATE"}
    states = {state for _, state in updates([lost])}
    assert failures
    assert states == {"TASK_UNREACHABLE"}
    assert streams <= {
        e["id"][0] for e in lost["sent"] if e.get("msg", {}).get("type") == "FAILURE"
    }


def test_a_second_scheduler_hears_how_the_tasks_of_the_first_end() -> None:
    """R4, FWK-17: the tasks survive that another scheduler speaks for their framework."""
    lives = of_role(records("two_schedulers_one_id"), "scheduler")
    mine = [found for life, found in sorted(lives.items()) if life.startswith("contested.")]
    assert len(mine) > 1
    assert any(did(found, "hear_error") for found in mine)
    launched: set[str] = set()
    survived: set[str] = set()
    for found in mine:
        ended = {task for task, state in heard_updates(found) if state == "TASK_FINISHED"}
        survived |= ended & launched
        for call in sent(found, "ACCEPT"):
            for operation in call["accept"]["operations"]:
                infos = operation["launch"]["task_infos"]
                launched |= {info["task_id"]["value"] for info in infos}
    assert survived


@pytest.mark.parametrize(
    ("direction", "role", "action"),
    [("up", "master", "mark_unreachable"), ("down", "agent", "drop_link")],
)
def test_a_link_that_carries_one_way_only_is_noticed_at_its_deaf_end(
    direction: str, role: str, action: str
) -> None:
    """PRT-11, AGT-8, AGT-10: a master misses the pongs, an agent misses the pings."""
    plan = load_scenario("one_way_cut")[1]
    cut = plan.fault[0].model_copy(update={"direction": direction, "for_s": 15.0})
    for fault, noticed in (([cut], True), ([], False)):
        run = told(plan.model_copy(update={"fault": fault}))
        found = [one for life in of_role(run, role).values() for one in did(life, action)]
        assert bool([one for one in found if one["heard"] == {"local": "tick"}]) == noticed
