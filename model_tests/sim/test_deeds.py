"""Deeds that no rule of the specification looks at, held against what they answer to.

Each check is asked what is right and what is wrong; that they are asked in every run of tier 1 is
shown by the mutants that only they catch (`greeting_names_no_master`, `grace_is_not_given`,
`executor_is_told_it_ends_with_its_agent`, `library_keeps_rescinds_to_itself`,
`disconnected_is_answered_like_unknown`).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from mesos_chaos.sim.answered import MAX_QUEUED, due_of_agent, due_of_master
from mesos_chaos.sim.delivered import misdelivered, misgreeted
from mesos_chaos.sim.graces import Graces
from mesos_chaos.sim.started import misstarted
from mesos_ref import link
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import ExecutorExited
from mesos_ref.wire import executor, scheduler
from mesos_ref.wire.v1 import FrameworkInfo, MasterInfo, TaskStatus
from model_tests.core.agent_bench import FW, Bench, framework_info, task_info, up

# ---- starting (LCH-4, EXE-8) ---------------------------------------------------------------------


def started(bench: Bench, own: bool = False) -> tuple[StartExecutor, link.RunTask]:
    """What an agent does on a RunTask, and that."""
    step = bench.run("t", "e" if own else None)
    [effect] = [one for one in step.effects if isinstance(one, StartExecutor)]
    info = effect.executor_info
    frame = link.RunTask(
        epoch=1, framework=framework_info(), task=task_info("t"), role="*", executor=info,
        launch_executor=True,
    )  # fmt: skip
    return effect, frame


@pytest.mark.parametrize("own", [False, True])
def test_what_is_started_is_what_was_asked_for(own: bool) -> None:
    bench = up()
    effect, frame = started(bench, own)
    frame = msgspec.structs.replace(frame, task=effect.task or frame.task)
    state, config = bench.core.state, bench.core.state.config
    assert list(misstarted(effect, frame, state, config)) == []
    assert list(misstarted(effect, None, state, config)) != []
    mistakes: list[dict[str, Any]] = [
        {"user": "nobody"},
        {"checkpoint": not effect.checkpoint},
        {"shutdown_grace_us": effect.shutdown_grace_us + 1},
        {"task": None if effect.task else task_info("t")},
        {"environment": effect.environment | {"MESOS_CHECKPOINT": "maybe"}},
        {"environment": effect.environment | {"MESOS_EXECUTOR_ID": "another"}},
        {"environment": {}},
    ]
    for wrong in mistakes:
        found = list(misstarted(msgspec.structs.replace(effect, **wrong), frame, state, config))
        assert found, wrong


# ---- graces (KIL-8) ------------------------------------------------------------------------------


def test_who_is_told_to_end_has_his_grace() -> None:
    graces = Graces()
    graces.told("c", 1_000_000)
    graces.told("c", 4_000_000)  # once more: the first time counts
    assert graces.destroyed("c", 5_000_000, 6_000_000) == []
    graces.told("c", 1_000_000)
    [says] = graces.destroyed("c", 5_000_000, 5_900_000)
    assert "4.90 s after it was told to end" in says
    assert graces.destroyed("never told", 5_000_000, 0) == []
    graces.told("c", 1_000_000)
    graces.goes_on("of before", 3_000_000)
    assert graces.destroyed("of before", 5_000_000, 3_500_000) == [], "it did not come back"
    graces.told("of before", 4_000_000)
    assert graces.destroyed("of before", 5_000_000, 8_000_000) == []
    graces.is_over = True
    assert graces.destroyed("c", 5_000_000, 1_000_001) == []


# ---- deliveries (UPD-12, S20, FWK-1) -------------------------------------------------------------


def test_what_a_library_is_told_its_user_gets_once() -> None:
    rescind, other = (
        scheduler.Event(type="RESCIND", rescind=scheduler.Rescind(offer_id=name))
        for name in ("o1", "o2")
    )
    assert list(misdelivered(rescind, False, [rescind])) == []
    assert list(misdelivered(rescind, True, [])) == []
    for known, given in ((False, []), (False, [rescind, rescind]), (True, [rescind])):
        assert list(misdelivered(rescind, known, given)) != []
    assert "which was another one" in next(misdelivered(rescind, False, [other]))


def test_a_greeting_names_the_master_that_was_dialled() -> None:
    info = MasterInfo(id="m1", ip=0, port=5050, hostname="m1")
    greeting = scheduler.Subscribed(
        framework_id="f", heartbeat_interval_seconds=15.0, master_info=info
    )
    assert list(misgreeted(greeting, "m1")) == []
    assert list(misgreeted(greeting, "m2")) != []
    for missing in ("master_info", "heartbeat_interval_seconds"):
        assert list(misgreeted(msgspec.structs.replace(greeting, **{missing: None}), "m1")) != []


# ---- answers (API) -------------------------------------------------------------------------------
SUBSCRIBE = scheduler.Call(
    type="SUBSCRIBE",
    subscribe=scheduler.Subscribe(framework_info=FrameworkInfo(user="u", name="n")),
)


@pytest.mark.parametrize(
    ("framework", "stream", "kind", "due"),
    [
        ("here", "s", "REVIVE", 202),
        ("here", "s", "UPDATE_FRAMEWORK", 501),
        ("here", "another", "REVIVE", 400),
        ("here", None, "REVIVE", 400),
        ("away", "s", "REVIVE", 403),
        ("unknown", "s", "REVIVE", 400),
    ],
)
def test_a_master_answers_as_the_api_has_it(
    framework: str, stream: str | None, kind: Any, due: int
) -> None:
    known = {"here": SimpleNamespace(stream="s"), "away": SimpleNamespace(stream=None)}
    master = SimpleNamespace(frameworks=known)
    call = scheduler.Call(type=kind, framework_id=framework)
    assert due_of_master(master, stream, call) == due
    assert due_of_master(master, None, SUBSCRIBE) == 200
    assert due_of_master(master, "s", SUBSCRIBE) == 400


def _says(state: Any) -> executor.Call:
    status = TaskStatus(task_id="t", state=state, uuid=b"u" * 16)
    return executor.Call(
        update=executor.Update(status=status), type="UPDATE", executor_id="e", framework_id="f"
    )


def test_an_agent_answers_as_the_api_has_it() -> None:
    there = SimpleNamespace(stream=None)
    full = SimpleNamespace(updates=[None] * MAX_QUEUED)
    framework = SimpleNamespace(executors={"e": there}, queues={"t": full})
    agent = SimpleNamespace(frameworks={"f": framework}, awaited={})
    runs, ends = _says("TASK_RUNNING"), _says("TASK_FINISHED")
    assert due_of_agent(agent, "g", "e", runs) == 400
    assert due_of_agent(agent, "f", "d", runs) == 400
    assert due_of_agent(agent, "f", "e", runs) == 403
    agent.awaited["f", "e"] = None
    assert due_of_agent(agent, "f", "e", runs) == 503
    assert (
        due_of_agent(
            agent, "f", "e", executor.Call(type="SUBSCRIBE", executor_id="e", framework_id="f")
        )
        == 200
    )
    there.stream = "s"
    assert (due_of_agent(agent, "f", "e", runs), due_of_agent(agent, "f", "e", ends)) == (503, 202)
    full.updates.pop()
    assert due_of_agent(agent, "f", "e", runs) == 202


def test_an_end_that_nobody_knows_the_status_of_is_heard_of_all_the_same() -> None:
    bench = up()
    started(bench, own=True)
    [container] = bench.core.state.containers
    bench.sent()
    bench.hear(ExecutorExited(container, None, "it could not be started"))
    assert link.Exited(epoch=1, framework_id=FW, executor_id="e", status=None) in bench.sent()
