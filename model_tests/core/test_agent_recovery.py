"""Restarts: what survives, what is given up, and that no promise is lost at any point.

Ids in names are those of docs/explanation/steps.md, in lower case.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesos_ref import link
from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.core import AgentCore
from mesos_ref.agent.effects import Connect, Exit
from mesos_ref.agent.events import LeaderSeen, Started
from mesos_ref.resources import Resources
from model_tests.core.agent_bench import (
    FW,
    SECOND_US,
    Bench,
    CountedIds,
    framework_info,
    running,
    up,
)
from model_tests.core.agent_world import CHECKPOINTS, FORGETS, Killed, World

# start_agent --------------------------------------------------------------------------------------


def restarted(bench: Bench, alive: list[str] | None = None) -> None:
    """The process dies, and another one starts."""
    bench.boot()
    bench.start(alive)


def test_start_agent_remembers_what_it_ran_rcv_1() -> None:
    bench = up()
    bench.run("t1", "e")
    bench.run("t2", "e", launch=False)
    bench.subscribe("e")
    bench.update("e", "t1", "TASK_RUNNING", 1)
    bench.update("e", "t2", "TASK_FINISHED", 2)
    before = bench.core.view()
    restarted(bench)
    after = bench.core.view()
    assert bench.did_take() == ["start_agent"]
    agent = after.pop("agent")
    assert agent == {"id": agent["id"], "epoch": 1, "link": None, "registered": False}
    assert after.pop(f"executors/{FW}/e") == {
        "phase": "registering",
        "command": False,
        "stream": None,
    }
    assert after.items() <= before.items()
    assert len(after) == len(before) - 2


def test_executors_come_back_and_get_what_waited_for_them_rcv_1() -> None:
    bench = up()
    bench.run("t")
    restarted(bench)
    bench.subscribe("t")
    assert bench.events() == ["SUBSCRIBED", "LAUNCH"]


def test_a_task_that_was_sent_but_never_arrived_is_dropped_exe_3() -> None:
    bench = running("t")
    restarted(bench)
    bench.subscribe("t", tasks=())
    assert bench.queue("t") == [("TASK_DROPPED", "REASON_AGENT_RESTARTED")]


def test_updates_that_were_not_acknowledged_are_resent_rcv_9() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_STARTING", 1)
    bench.update("t", "t", "TASK_RUNNING", 2)
    bench.ack("t")
    restarted(bench)
    bench.subscribe("t")
    bench.lead(2)
    updates = [f for f in bench.sent() if isinstance(f, link.Update)]
    assert [f.status.state for f in updates] == ["TASK_RUNNING"]


def test_uuids_seen_before_the_restart_are_known_after_it_upd_3() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    bench.ack("t")
    restarted(bench)
    bench.subscribe("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    assert bench.queue("t") == []


def test_queued_tasks_keep_their_order_over_a_restart_lch_5() -> None:
    bench = up()
    for task_id in ("z", "a", "m"):
        bench.run(task_id, "e", launch=task_id == "z")
    restarted(bench)
    bench.subscribe("e")
    launched = [event.launch.task.task_id for event in bench.told() if event.launch]
    assert launched == ["z", "a", "m"]


def test_what_does_not_checkpoint_is_gone_and_destroyed_rcv_2() -> None:
    bench = running("t", checkpoint=False)
    containers = list(bench.alive)
    restarted(bench)
    assert bench.destroyed() == containers
    assert set(bench.view) == {"agent"}
    bench.lead(2)
    bench.registered((FW, "t"))
    assert bench.queue("t") == [("TASK_LOST", "REASON_RECONCILIATION")]


# recover_executor ---------------------------------------------------------------------------------


@pytest.mark.parametrize("aware", [True, False])
def test_an_executor_that_did_not_survive_is_answered_for_rcv_3(aware: bool) -> None:
    """RCV-6: as after a reboot, where none has survived."""
    bench = up()
    info = framework_info(partition_aware=aware)
    bench.run("t1", "e", info=info)
    bench.subscribe("e")
    bench.run("t2", info=info)
    restarted(bench, alive=[])
    state = "TASK_GONE" if aware else "TASK_LOST"
    assert bench.did_take() == ["start_agent", "recover_executor", "recover_executor"]
    for task_id in ("t1", "t2"):
        assert bench.queue(task_id) == [(state, "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")]
    assert bench.phase("e") is None


@pytest.mark.parametrize("late_us", [-1, 0])
def test_an_executor_that_does_not_come_back_in_time_is_destroyed_rcv_3(late_us: int) -> None:
    bench = running("t")
    restarted(bench)
    bench.pass_time(2 * SECOND_US + late_us)
    assert ("recover_executor" in bench.did) == (late_us == 0)
    assert bench.destroyed() == (bench.alive if late_us == 0 else [])
    expected = [("TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")] if late_us == 0 else []
    assert bench.queue("t") == expected


def test_an_ended_task_is_not_ended_again_by_recovery_s10() -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_FINISHED", 1)
    restarted(bench, alive=[])
    assert bench.queue("t") == [("TASK_FINISHED", None)]


def test_a_recovered_executor_that_ends_while_it_is_awaited() -> None:
    bench = running("t")
    restarted(bench)
    bench.exit("t")
    assert bench.queue("t") == [("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")]
    assert bench.core.next_deadline is None


def test_calls_of_an_executor_that_is_awaited_are_put_off_rcv_8() -> None:
    bench = running("t")
    restarted(bench)
    assert bench.update("t", "t", "TASK_RUNNING", 1) == 503
    bench.subscribe("t", tasks=("t",))
    assert bench.update("t", "t", "TASK_RUNNING", 1) == 202


def test_no_master_is_dialled_before_everybody_is_back_or_given_up_rcv_8() -> None:
    bench = running("t")
    restarted(bench)
    bench.hear(LeaderSeen(2, "http://m2"))
    bench.pass_time(SECOND_US)
    assert bench.take(Connect) == []
    bench.subscribe("t")
    bench.pass_time(SECOND_US)
    assert len(bench.take(Connect)) == 1


def test_a_terminating_executor_goes_on_terminating() -> None:
    bench = running("t")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    restarted(bench)
    assert bench.phase("t") == "terminating"
    bench.subscribe("t")
    assert bench.events() == ["SUBSCRIBED", "SHUTDOWN"]
    bench.pass_time(5 * SECOND_US)
    assert bench.destroyed() == bench.alive


def test_a_terminating_executor_that_does_not_come_back_is_given_up_rcv_3() -> None:
    bench = running("t")
    bench.frame(link.ShutdownExecutor(epoch=1, framework_id=FW, executor_id="t"))
    restarted(bench)
    bench.hear(LeaderSeen(2, "http://m2"))
    bench.pass_time(2 * SECOND_US - 1)
    assert bench.take(Connect) == []
    bench.pass_time(1)
    assert bench.did_take()[-1] == "recover_executor"
    assert bench.destroyed() == bench.alive
    assert bench.queue("t") == [("TASK_GONE", "REASON_EXECUTOR_REREGISTRATION_TIMEOUT")]


def test_an_executor_of_a_removed_framework_stays_unmentioned_after_a_restart() -> None:
    bench = up()
    bench.run("t", "e")
    bench.subscribe("e")
    bench.frame(link.ShutdownFramework(epoch=1, framework_id=FW))
    restarted(bench)
    bench.sent()
    bench.hear(LeaderSeen(2, "http://m2"))
    bench.connect()
    [register] = bench.sent()
    assert isinstance(register, link.Register)
    assert register.executors == ()


# S19 over restarts --------------------------------------------------------------------------------


def test_the_newest_epoch_is_known_after_a_restart_s19() -> None:
    bench = up()
    bench.hear(LeaderSeen(7, "http://m7"))
    restarted(bench)
    assert bench.view["agent"]["epoch"] == 7
    bench.hear(LeaderSeen(6, "http://m6"))
    assert bench.core.next_deadline is None, "an older leader is nobody"
    assert bench.hear(LeaderSeen(7, "http://m7")).did == (), "nothing new, but somebody to dial"
    bench.connect()
    assert bench.did_take() == ["start_agent", "register"]


# What can't be started ----------------------------------------------------------------------------


def test_an_agent_that_has_changed_does_not_start_rcv_5() -> None:
    bench = up()
    bench.config = AgentConfig(resources=Resources.of(cpus=9).to_wire())
    bench.boot()
    step = bench.core.handle(Started((), 0), 0)
    assert step.did == ()
    [effect] = step.effects
    assert isinstance(effect, Exit)
    assert "resources changed" in effect.why


def test_an_agent_that_may_change_starts_and_keeps_what_it_is_now_rcv_5() -> None:
    bench = up()
    resources = Resources.of(cpus=9).to_wire()
    bench.config = AgentConfig(resources=resources, reconfiguration_policy="any")
    restarted(bench)
    assert bench.did_take() == ["start_agent"]


def test_another_port_is_not_another_agent() -> None:
    bench = up()
    bench.config = AgentConfig(port=6000, resources=bench.config.resources)
    restarted(bench)
    assert bench.did_take() == ["start_agent"]
    assert bench.kept["agent"]["info"]["port"] == 6000


@pytest.mark.parametrize("damage", [None, {}, 7, "x", {"framework_id": FW}])
@pytest.mark.parametrize("kind", ["framework", "executor", "task", "progress", "update"])
def test_what_cannot_be_read_back_is_a_reason_not_to_start_rcv_7(kind: str, damage: Any) -> None:
    bench = running("t")
    bench.update("t", "t", "TASK_RUNNING", 1)
    key = next(key for key in sorted(bench.kept) if key.startswith(kind + "/"))
    core = AgentCore(bench.config, CountedIds(), {**bench.kept, key: damage})
    step = core.handle(Started((), 0), 0)
    [effect] = step.effects
    assert isinstance(effect, Exit)
    assert effect.code != 0
    assert "can't be read" in effect.why


def test_leftovers_are_wiped() -> None:
    bench = up()
    bench.kept["task/gone/t"] = json.loads(json.dumps(kept_task()))
    restarted(bench)
    assert set(bench.kept) == {"agent", "epoch"}


def kept_task() -> dict[str, Any]:
    """What is kept of a task whose framework is not kept."""
    other = running("t")
    value: dict[str, Any] = {**other.kept[f"task/{FW}/t"], "framework_id": "gone"}
    return value


# Killed at every point ----------------------------------------------------------------------------


def story(world: World) -> None:
    """A bit of everything; two frameworks, of which one checkpoints."""
    world.start()
    world.join()
    for framework_id in (CHECKPOINTS, FORGETS):
        world.launch(framework_id, "c1")
        world.launch(framework_id, "t1", "e")
        world.launch(framework_id, "t2", "e")
        for executor_id in ("c1", "e"):
            if (executor := world.find(framework_id, executor_id)) is not None:
                world.come(executor)
        world.launch(framework_id, "t3", "e")
    for framework_id in (CHECKPOINTS, FORGETS):
        executor = world.find(framework_id, "e")
        assert executor is not None
        world.report(executor, "t1", "TASK_STARTING")
        world.report(executor, "t1", "TASK_RUNNING")
        world.acknowledge((framework_id, "t1"))
        world.kill("t2", framework_id)
        world.report(executor, "t2", "TASK_KILLED")
        world.report(executor, "t1", "TASK_FINISHED")
        world.acknowledge((framework_id, "t2"))
        world.acknowledge((framework_id, "t1"))
        world.launch(framework_id, "c2")
        world.kill("c2", framework_id)
        world.acknowledge((framework_id, "t1"))
        command = world.find(framework_id, "c1")
        assert command is not None
        world.report(command, "c1", "TASK_RUNNING")
        world.die(command.container)
        world.reap()
    world.launch(CHECKPOINTS, "c3")
    executor = world.find(CHECKPOINTS, "c3")
    assert executor is not None
    world.come(executor)
    world.report(executor, "c3", "TASK_FINISHED")


def told(kill_after: int | None) -> World:
    """The story, up to the moment of the kill, and what becomes of it."""
    world = World(kill_after)
    try:
        story(world)
    except Killed:
        world.restart()
    world.heal()
    world.verify()
    return world


def effects_of_the_story() -> int:
    """How many moments there are."""
    world = World()
    story(world)
    return world.performed


def test_the_story_without_a_kill_keeps_its_promises() -> None:
    world = told(None)
    assert {task_id for _, task_id in world.promised} == {"c1", "t1", "t2", "t3", "c3"}
    assert len(world.delivered) == 11


@pytest.mark.parametrize("kill_after", range(effects_of_the_story()))
def test_nothing_promised_is_lost_wherever_the_agent_is_killed(kill_after: int) -> None:
    told(kill_after)


@pytest.mark.parametrize("first", range(0, effects_of_the_story(), 7))
def test_nothing_promised_is_lost_if_it_is_killed_again_while_it_recovers(first: int) -> None:
    second = 0
    while True:
        world = World(first)
        with pytest.raises(Killed):
            story(world)
        before = world.performed
        world.kill_after = before + second
        try:
            world.restart()
            world.heal()
        except Killed:
            world.restart()
            world.heal()
            world.verify()
            second += 3
            continue
        world.verify()
        break
    assert second > 0
