"""ACCEPT: what is launched, what is refused, and where the resources go."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_ref.link import Kill, RunTask
from mesos_ref.master.config import MasterConfig
from mesos_ref.resources import Resources
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import (
    AllocationInfo,
    CommandInfo,
    DurationInfo,
    Environment,
    KillPolicy,
    Launch,
    LaunchGroup,
    Operation,
    Resource,
    Scalar,
    TaskGroup,
    TaskInfo,
    Variable,
)
from model_tests.core.master_rig import (
    EPOCH,
    WALL_US,
    Rig,
    Scheduler,
    executor,
    task,
    with_executor,
)

ERROR = ("TASK_ERROR", "REASON_TASK_INVALID")
DROPPED = ("TASK_DROPPED", "REASON_INVALID_OFFERS")


def offered(**changes: Any) -> tuple[Rig, Scheduler, str]:
    """A framework that holds an offer of all of a1 (4 CPUs, 1 GB); the agent's link."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe(**changes)
    rig.tick()
    return rig, who, link


def free(rig: Rig) -> str:
    """What is free on a1."""
    return str(rig.core.state.agents["a1"].free)


# accept -------------------------------------------------------------------------------------------


def test_accept() -> None:
    """OFR-21: the task is STAGING and charged, the agent is told, the rest is free and filtered.

    TSK-5: nothing is charged for a command's executor, and it is nobody's.
    """
    rig, who, link = offered()
    info = task("t1")
    rig.accept(who, info)
    assert rig.last.did == (("accept", {}),)
    (run,) = rig.frames[link][1:]
    framework = rig.core.state.frameworks[who.framework_id].info
    assert run == RunTask(
        epoch=EPOCH, framework=framework, task=info, role="r", launch_executor=True
    )
    assert framework.id == who.framework_id
    view = rig.core.view()
    assert view[f"tasks/{who.framework_id}/t1"] == {
        "agent": "a1",
        "role": "r",
        "resources": {"cpus": 1000, "mem": 64000},
        "executor": None,
        "state": "TASK_STAGING",
        "told": None,
        "uuid": None,
        "killed": False,
    }
    assert view[f"filters/{who.framework_id}/a1/r"] == [{"cpus": 3000, "mem": 960000}]
    assert not any(key.startswith("offers") for key in view)
    assert free(rig) == "cpus:3;mem:960"
    assert rig.answers[-1].status == 202


def test_accept_two_good_tasks_and_one_bad() -> None:
    """steps.md: one record, one action; RunTask, RunTask and one UPDATE, in order of the tasks."""
    rig, who, link = offered()
    rig.accept(who, task("t1"), task("t2", cpus=99), task("t3"))
    assert rig.did == ["accept"]
    assert [frame.task.task_id for frame in rig.frames[link][1:]] == ["t1", "t3"]
    assert rig.statuses(who) == [("t2", *ERROR)]
    (status,) = [event.update.status for event in rig.events[who.stream] if event.update]
    assert status.uuid is None
    assert status.source == "SOURCE_MASTER"
    assert status.agent_id == "a1"
    assert status.timestamp == WALL_US / 1e6
    assert status.message == "Task uses more resources cpus:99;mem:64 than available cpus:3;mem:960"


def test_accept_merges_offers() -> None:
    """OFR-12: two offers of one agent are one pool; the rest is filtered as one amount (FLT-12)."""
    rig, who, link = offered()
    rig.accept(who, task("t1", cpus=3, mem=100), refuse_s=0)
    rig.tick()
    rig.update(link, who, "t1", "TASK_FAILED")
    rig.tick()
    assert len(rig.offers(who)) == 2
    rig.accept(who, task("t2", cpus=3.5, mem=1000))
    assert rig.statuses(who)[1:] == []
    assert rig.core.view()[f"filters/{who.framework_id}/a1/r"] == [{"cpus": 500, "mem": 24000}]


def test_accept_of_everything_leaves_no_filter() -> None:
    """Nothing left is nothing to refuse."""
    rig, who, _ = offered()
    rig.accept(who, task("t1", cpus=4, mem=1024))
    assert rig.core.state.filters == {}


def test_accept_fills_in_the_role() -> None:
    """OFR-24: resources without a role are of the offer's role; another role is an error."""
    rig, who, _ = offered()

    def cpus(role: str | None) -> tuple[Resource, ...]:
        info = AllocationInfo(role=role)
        scalar = Scalar(value=1.0)
        return (Resource(name="cpus", type="SCALAR", scalar=scalar, allocation_info=info),)

    bad = task("t3", resources=cpus("s"))
    rig.accept(who, task("t1", resources=cpus("r")), task("t2", resources=cpus(None)), bad)
    assert rig.statuses(who) == [("t3", *ERROR)]


def test_exact_sums() -> None:
    """MESOS-1187: ten times 0.1 CPU is one CPU, and nothing is left over."""
    rig = Rig()
    rig.register("a1", total=Resources.of(cpus=1, mem=640))
    who = rig.subscribe()
    rig.tick()
    rig.accept(who, *[task(f"t{n}", cpus=0.1) for n in range(10)])
    assert rig.statuses(who) == []
    assert free(rig) == ""


# Executors ----------------------------------------------------------------------------------------


def test_an_executor_is_charged_once() -> None:
    """OFR-18: with its first task, not with the second."""
    rig, who, link = offered()
    rig.accept(who, with_executor("t1"), with_executor("t2"), refuse_s=0)
    runs = rig.frames[link][1:]
    assert [run.launch_executor for run in runs] == [True, False]
    assert [run.executor.framework_id for run in runs] == [who.framework_id] * 2
    assert free(rig) == "cpus:1.5;mem:864"
    view = rig.core.view()
    assert view[f"executors/a1/{who.framework_id}/e1"]["resources"] == {"cpus": 500, "mem": 32000}
    assert view[f"tasks/{who.framework_id}/t1"]["executor"] == "e1"


def test_an_executor_must_fit_beside_its_task() -> None:
    """Section 6, rule 15: both, one after the other, even where they ask for the same port."""
    rig = Rig()
    rig.register("a1", total=Resources.parse("cpus:4;ports:[1-2]"))
    who = rig.subscribe()
    rig.tick()
    port = Resources.parse("cpus:1;ports:[1-1]").to_wire()
    both = with_executor("t1", executor(resources=port), resources=port)
    rig.accept(who, both)
    assert rig.statuses(who) == [("t1", *ERROR)]


def test_another_executor_of_the_same_id_is_an_error() -> None:
    """TSK-4, S15: on this agent; elsewhere it is fine."""
    rig, who, _ = offered()
    rig.accept(who, with_executor("t1", executor(name="one")), refuse_s=0)
    rig.tick()
    rig.accept(who, with_executor("t2", executor(name="two")), refuse_s=0)
    assert rig.statuses(who) == [("t2", *ERROR)]
    rig.register("a2")
    rig.tick()
    offers = [o for o in rig.offers(who) if rig.core.state.offers[o].agent_id == "a2"]
    rig.accept(who, with_executor("t3", executor(name="two"), agent_id="a2"), offers=offers)
    assert len(rig.statuses(who)) == 1


def test_an_executor_of_another_role_is_another_executor() -> None:
    """TSK-4: what an executor takes is allocated to a role, and so is part of what it is."""
    rig, who, _ = offered(roles=("r", "s"))
    rig.accept(who, with_executor("t1"), refuse_s=0)
    rig.tick()
    role = next(o.role for o in rig.core.state.agents["a1"].offers.values())
    assert role == "s", "the other role has less"
    rig.accept(who, with_executor("t2"))
    assert rig.core.state.agents["a1"].executors[(who.framework_id, "e1")].role == "r"
    assert "t2" not in rig.core.state.frameworks[who.framework_id].tasks


def test_an_executor_after_a_failover_is_taken_as_it_is() -> None:
    """An executor known by its id alone agrees with any ExecutorInfo."""
    rig, who, link = offered()
    rig.accept(who, with_executor("t1"), refuse_s=0)
    rig.core.state.agents["a1"].executors[(who.framework_id, "e1")].info = None
    rig.tick()
    rig.accept(who, with_executor("t2", executor(name="other")))
    assert rig.frames[link][-1].launch_executor is False


# Bad tasks ----------------------------------------------------------------------------------------

MINUS = DurationInfo(nanoseconds=-1)
RESERVED = Resource(name="cpus", type="SCALAR", scalar=Scalar(value=1.0), role="x")


def command(**variable: Any) -> CommandInfo:
    """A command with one environment variable."""
    return CommandInfo(environment=Environment(variables=(Variable(name="V", **variable),)))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (task(""), "must not be empty"),
        (task("a/b"), "invalid character"),
        (task("x" * 256), "longer than 255"),
        (task("t1", agent_id="a2"), "the offer is of agent 'a1'"),
        (task("t1", kill_policy=KillPolicy(grace_period=MINUS)), "kill_policy"),
        (task("t1", max_completion_time=MINUS), "max_completion_time"),
        (task("t1", resources=()), "no resources"),
        (task("t1", cpus=0, mem=0), "no resources"),
        (task("t1", cpus=4.001), "more resources"),
        (task("t1", resources=(RESERVED,)), "reserved"),
        (task("t1", command=None), "exactly one"),
        (task("t1", executor=executor()), "exactly one"),
        (task("t1", command=command(value=None)), "just a value"),
        (task("t1", command=command(type="SECRET", value="v")), "just a secret"),
        (task("t1", container={"type": "DOCKER"}), "DockerInfo"),
        (task("t1", limits={"disk": {"value": 1}}), "not for disk"),
        (task("t1", data=b"x" * 600_000), "bytes"),
        (with_executor("t1", executor(type="DEFAULT")), "LAUNCH_GROUP only"),
        (with_executor("t1", executor(command=None)), "'command'"),
        (with_executor("t1", executor("e/1")), "invalid character"),
        (with_executor("t1", executor(framework_id="f9")), "framework id 'f9'"),
        (with_executor("t1", executor(shutdown_grace_period=MINUS)), "shutdown_grace_period"),
        (with_executor("t1", executor(cpus=3.5)), "and its executor"),
        (with_executor("t1", executor(command=command(value=None))), "just a value"),
        (with_executor("t1", executor(resources=(RESERVED,))), "reserved"),
    ],
)
def test_a_bad_task(bad: TaskInfo, why: str) -> None:
    """Section 6, OFR-15, TSK-9, A3: an error with a sentence; it never exists, nobody pays."""
    rig, who, link = offered()
    rig.accept(who, bad)
    assert rig.statuses(who) == [(bad.task_id, *ERROR)]
    status = rig.events[who.stream][-1].update.status
    assert why in status.message
    assert status.agent_id == bad.agent_id
    assert len(rig.frames[link]) == 1
    assert free(rig) == "cpus:4;mem:1024"
    assert not any(key.startswith("tasks") for key in rig.core.view())


def test_a_task_id_is_used_once() -> None:
    """S7, OFR-22, MESOS-6805: not twice in a call, not beside an active or unreachable task."""
    rig, who, link = offered()
    rig.accept(who, task("t1"), task("t1"), refuse_s=0)
    rig.tick()
    rig.accept(who, task("t1"), refuse_s=0)
    rig.end_link(link)
    rig.run_for(600)
    rig.register("a2")
    rig.tick()
    rig.accept(who, task("t1", "a2"))
    errors = [status for status in rig.statuses(who) if status[1] == "TASK_ERROR"]
    assert errors == [("t1", *ERROR)] * 3


def test_a_task_id_is_free_again_once_its_end_is_acknowledged() -> None:
    """TSK-3: the master only looks at what it holds."""
    rig, who, link = offered()
    rig.accept(who, task("t1"), refuse_s=0)
    rig.update(link, who, "t1", "TASK_FINISHED", n=1)
    rig.acknowledge(who, "t1", n=1)
    rig.tick()
    rig.accept(who, task("t1"))
    assert ("t1", *ERROR) not in rig.statuses(who)


def test_a_task_group_is_not_supported() -> None:
    """OFR-16: each of its tasks gets an error of a group's kind; nothing is launched."""
    rig, who, link = offered()
    group = LaunchGroup(executor=executor(), task_group=TaskGroup(tasks=(task("t1"), task("t2"))))
    part = scheduler.Accept(
        offer_ids=tuple(rig.offers(who)),
        operations=(
            Operation(type="LAUNCH_GROUP", launch_group=group),
            Operation(type="LAUNCH", launch=Launch(task_infos=(task("t3"),))),
        ),
    )
    rig.call(who, "ACCEPT", part)
    assert rig.did == ["accept"]
    group_error = ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
    assert rig.statuses(who) == [("t1", *group_error), ("t2", *group_error)]
    assert [frame.task.task_id for frame in rig.frames[link][1:]] == ["t3"]


def test_a_launch_takes_no_operation_id() -> None:
    """OFR-17."""
    rig, who, _ = offered()
    launch = Operation(type="LAUNCH", id={"value": "o"}, launch=Launch(task_infos=(task("t1"),)))
    part = scheduler.Accept(offer_ids=tuple(rig.offers(who)), operations=(launch,))
    rig.call(who, "ACCEPT", part)
    assert rig.statuses(who) == [("t1", *ERROR)]


# Calls without tasks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations",
    [
        (),
        (Operation(type="LAUNCH", launch=Launch()),),
        (Operation(type="RESERVE", reserve={"resources": []}),),
        (Operation(),),
    ],
)
def test_accept_without_tasks_is_a_decline(operations: tuple[Operation, ...]) -> None:
    """OFR-8: known offers are filtered for 5 s, others ignored; other operations are dropped."""
    rig, who, _ = offered()
    part = scheduler.Accept(offer_ids=(*rig.offers(who), "M-O9"), operations=operations)
    rig.call(who, "ACCEPT", part)
    assert rig.did == ["decline"]
    assert len(rig.core.state.filters) == 1
    assert rig.told(who) == ["SUBSCRIBED", "OFFERS"]


# refuse_accept ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("aware", "state"), [(True, "TASK_DROPPED"), (False, "TASK_LOST")])
def test_refuse_accept(aware: bool, state: str) -> None:
    """OFR-10, S20, MESOS-1400: no task runs; the good offers are void, free and unfiltered."""
    rig, who, link = offered(partition_aware=aware)
    rig.accept(who, task("t1"), task("t2"), offers=[*rig.offers(who), "M-O77"])
    assert rig.last.did == (("refuse_accept", {}),)
    assert rig.statuses(who) == [(t, state, "REASON_INVALID_OFFERS") for t in ("t1", "t2")]
    assert "M-O77" in rig.events[who.stream][-1].update.status.message
    assert rig.events[who.stream][-1].update.status.uuid is None
    assert len(rig.frames[link]) == 1
    assert rig.core.state.filters == {}
    assert rig.offers(who) == []
    assert [name for name, _ in rig.tick().did] == ["offer"]


def test_refuse_accept_of_anothers_offer() -> None:
    """OFR-9: the other framework keeps it."""
    rig, who, _ = offered()
    thief = rig.subscribe()
    rig.accept(thief, task("t1"), offers=rig.offers(who))
    assert rig.statuses(thief) == [("t1", *DROPPED)]
    assert len(rig.offers(who)) == 1


def test_refuse_accept_of_two_agents() -> None:
    """OFR-9."""
    rig, who, _ = offered()
    rig.register("a2")
    rig.tick()
    rig.accept(who, task("t1"))
    assert rig.did == ["refuse_accept"]
    assert rig.offers(who) == []


def test_refuse_accept_of_two_roles() -> None:
    """OFR-9."""
    rig = Rig()
    link = rig.register("a1")
    who = rig.subscribe(roles=("r", "s"))
    rig.tick()
    rig.accept(who, task("t1", cpus=2), refuse_s=0)
    rig.tick()
    rig.update(link, who, "t1", "TASK_FINISHED")
    rig.tick()
    assert {rig.core.state.offers[o].role for o in rig.offers(who)} == {"r", "s"}
    rig.accept(who, task("t2"))
    assert rig.did == ["refuse_accept"]


@pytest.mark.parametrize("ids", [[], ["M-O0", "M-O0"]])
def test_refuse_accept_of_none_or_one_twice(ids: list[str]) -> None:
    """OFR-9: what was named and stood is void."""
    rig, who, _ = offered()
    rig.accept(who, task("t1"), offers=ids)
    assert rig.did == ["refuse_accept"]
    assert rig.statuses(who) == [("t1", *DROPPED)]
    assert len(rig.offers(who)) == (0 if ids else 1)


def test_offers_are_void_once_their_agent_is_away() -> None:
    """OFR-5, OFR-11, S6, MESOS-1418: a disconnected agent's offers can't be accepted any more."""
    rig, who, link = offered()
    offers = rig.offers(who)
    rig.end_link(link)
    rig.accept(who, task("t1"), offers=offers)
    assert rig.did == ["refuse_accept"]
    assert not any(isinstance(frame, RunTask | Kill) for frame in rig.frames[link])


def test_a_frame_can_carry_the_largest_task() -> None:
    """Bounds: TaskInfo and FrameworkInfo of the longest taken fit the agent link."""
    from mesos_ref import link as frames

    config = MasterConfig()
    rig, who, link = offered(name="\x01" * ((config.max_framework_bytes - 1000) // 6))
    rig.accept(who, task("t1", data=b"x" * ((config.max_task_bytes - 1000) * 3 // 4)))
    assert isinstance(rig.frames[link][-1], RunTask)
    assert len(frames.encode(rig.frames[link][-1], 1)) < frames.MAX_FRAME_BYTES
