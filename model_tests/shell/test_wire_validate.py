"""Whether calls are whole: every sentence of the validation is heard once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.wire import executor, scheduler, v1
from mesos_ref.wire.validate import id_fault, validate_call, validate_executor_call

UUID = bytes(16)


def info(**more: Any) -> scheduler.Subscribe:
    return scheduler.Subscribe(framework_info=v1.FrameworkInfo(user="u", name="n", **more))


ACKNOWLEDGE = scheduler.Acknowledge(agent_id="a", task_id="t", uuid=UUID)


@pytest.mark.parametrize(
    "call",
    [
        scheduler.Call(type="SUBSCRIBE", subscribe=info()),
        scheduler.Call(type="SUBSCRIBE", subscribe=info(id="f"), framework_id="f"),
        scheduler.Call(type="SUBSCRIBE", subscribe=info(principal="p")),
        scheduler.Call(type="TEARDOWN", framework_id="f"),
        scheduler.Call(type="REVIVE", framework_id="f"),
        scheduler.Call(type="SUPPRESS", framework_id="f"),
        scheduler.Call(type="DECLINE", framework_id="f", decline=scheduler.Decline()),
        scheduler.Call(type="RECONCILE", framework_id="f", reconcile=scheduler.Reconcile()),
        scheduler.Call(type="ACKNOWLEDGE", framework_id="f", acknowledge=ACKNOWLEDGE),
        scheduler.Call(type="ACCEPT_INVERSE_OFFERS", framework_id="f", accept_inverse_offers={}),
    ],
)
def test_whole_calls(call: scheduler.Call) -> None:
    assert validate_call(call) is None
    assert validate_call(call, principal="p") is None


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (scheduler.Call(), "Expecting 'type' to be present"),
        (scheduler.Call(type="NOVEL", framework_id="f"), "Expecting 'type' to be present"),
        (scheduler.Call(type="SUBSCRIBE"), "Expecting 'subscribe' to be present"),
        (scheduler.Call(type="ACCEPT", framework_id="f"), "Expecting 'accept' to be present"),
        (scheduler.Call(type="TEARDOWN"), "Expecting 'framework_id' to be present"),
        (
            scheduler.Call(type="SUBSCRIBE", subscribe=info(id="f")),
            "'framework_id' differs from 'subscribe.framework_info.id'",
        ),
        (
            scheduler.Call(type="SUBSCRIBE", subscribe=info(), framework_id="f"),
            "'framework_id' differs from 'subscribe.framework_info.id'",
        ),
        (
            scheduler.Call(type="SUBSCRIBE", subscribe=info(principal="q")),
            "Authenticated principal 'p' does not match principal 'q' set in `FrameworkInfo`",
        ),
        (
            scheduler.Call(
                type="ACKNOWLEDGE",
                framework_id="f",
                acknowledge=msgspec.structs.replace(ACKNOWLEDGE, uuid=b"short"),
            ),
            "Expecting 'acknowledge.uuid' to be 16 bytes, but it has 5",
        ),
        (
            scheduler.Call(
                type="UPDATE_FRAMEWORK",
                framework_id="f",
                update_framework=scheduler.UpdateFramework(
                    framework_info=v1.FrameworkInfo(user="u", name="n", id="g")
                ),
            ),
            "'framework_id' differs from 'update_framework.framework_info.id'",
        ),
    ],
)
def test_calls_that_are_not_whole(call: scheduler.Call, sentence: str) -> None:
    assert validate_call(call, "p") == f"Failed to validate scheduler::Call: {sentence}"


def test_without_authentication_any_principal_is_believed() -> None:
    assert validate_call(scheduler.Call(type="SUBSCRIBE", subscribe=info(principal="q"))) is None


def update(call: dict[str, Any] | None = None, **status: Any) -> executor.Call:
    whole: dict[str, Any] = {
        "task_id": "t",
        "state": "TASK_RUNNING",
        "source": "SOURCE_EXECUTOR",
        "uuid": UUID,
    }
    told = executor.Update(status=v1.TaskStatus(**(whole | status)))
    fields: dict[str, Any] = {"type": "UPDATE", "update": told} | (call or {})
    return executor.Call(executor_id="e", framework_id="f", **fields)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (update(), None),
        (update(executor_id="e"), None),
        (update({"type": "HEARTBEAT", "update": None}), None),
        (update({"type": None}), "Expecting 'type' to be present"),
        (update({"type": "LAUNCH"}), "Expecting 'type' to be present"),
        (update({"update": None}), "Expecting 'update' to be present"),
        (update({"type": "SUBSCRIBE"}), "Expecting 'subscribe' to be present"),
        (update({"type": "MESSAGE"}), "Expecting 'message' to be present"),
        (update(uuid=None), "Expecting 'uuid' to be present"),
        (update(uuid=b""), "Expecting 'update.status.uuid' to be 16 bytes, but it has 0"),
        (update(executor_id="x"), "ExecutorID in Call doesn't match ExecutorID in TaskStatus"),
        (
            update(source=None),
            "Received Call from executor with invalid source: expecting 'SOURCE_EXECUTOR'",
        ),
        (
            update(source="SOURCE_AGENT"),
            "Received Call from executor with invalid source: expecting 'SOURCE_EXECUTOR'",
        ),
        (
            update(state="TASK_STAGING"),
            "Received TASK_STAGING from executor, which is not allowed",
        ),
    ],
)
def test_executor_calls(call: executor.Call, sentence: str | None) -> None:
    prefixed = sentence and f"Failed to validate executor::Call: {sentence}"
    assert validate_executor_call(call) == prefixed


@pytest.mark.parametrize("good", ["a", "...", "a b", "é", "x" * 255, "task.1-2_3"])
def test_good_ids(good: str) -> None:
    assert id_fault(good) is None


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "a\\b", "a\n", "\x00", "\x7f", "x" * 256])
def test_bad_ids(bad: str) -> None:
    assert id_fault(bad)


@given(st.text(max_size=300))
def test_a_good_id_is_one_name_in_a_folder(text: str) -> None:
    if id_fault(text) is None:
        assert text not in ("", ".", "..")
        assert not set(text) & set("/\\\0\n\r\t")
