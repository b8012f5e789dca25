"""What no peer may do to a cluster by saying too much, too deep or too strange.

Each wrong word gets a clear answer (a 4xx with a sentence, an ERROR event, a TASK_ERROR update),
changes nothing else, and harms nobody else: above all, no call may become a frame that is too long
for the agent link, since that would cost an agent its link.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref.http.messages import Limits
from mesos_ref.master.core import violations
from model_tests.api.test_executor_api import Door, at_the_door, event, update
from model_tests.api.test_executor_api import call as executor_call
from model_tests.shell.master_bench import Bench, accept, mastering, subscribe_call, task
from model_tests.shell.memory_net import run_virtually

LONG = "e" * 256
MIB = "x" * (1 << 20)
AGENT = {"agent_id": {"value": "a1"}}
UUID_TEXT = base64.b64encode(bytes(16)).decode()


def bytes_of(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


def on_a_bench(test: Callable[[Bench], Any], **chosen: Any) -> None:
    """Run a test among a master, and see that the master has kept its rules."""

    async def main() -> None:
        async with mastering(**chosen) as bench:
            await test(bench)
            assert violations(bench.core) == []
        assert bench.outcome == "stopped"

    run_virtually(main)


# --- calls that would become frames ---------------------------------------------------------------

TOO_MUCH: list[tuple[str, dict[str, Any], str]] = [
    (
        "MESSAGE",
        {**AGENT, "executor_id": {"value": "e"}, "data": bytes_of(512 * 1024 + 1)},
        "'message.data' has 524289 bytes; at most 524288 are taken",
    ),
    (
        "MESSAGE",
        {**AGENT, "executor_id": {"value": LONG}, "data": ""},
        "'message.executor_id' is invalid: ID must not be longer than 255 characters, but has 256",
    ),
    (
        "MESSAGE",
        {**AGENT, "executor_id": {"value": "a/b"}, "data": ""},
        "'message.executor_id' is invalid: 'a/b' contains an invalid character",
    ),
    (
        "SHUTDOWN",
        {**AGENT, "executor_id": {"value": MIB}},
        "'shutdown.executor_id' is invalid: ID must not be longer than 255 characters",
    ),
    (
        "ACKNOWLEDGE",
        {**AGENT, "task_id": {"value": MIB}, "uuid": UUID_TEXT},
        "'acknowledge.task_id' is invalid: ID must not be longer than 255 characters",
    ),
]


def test_a_call_that_fits_no_frame_is_refused_and_costs_no_link() -> None:
    async def test(bench: Bench) -> None:
        agent = await bench.agent()
        framework = await bench.subscribe("fw")
        for kind, part, sentence in TOO_MUCH:
            answer = await framework.call(kind, part)
            begins = f"Failed to validate scheduler::Call: {sentence}"
            assert (answer.status, answer.body.decode()[: len(begins)]) == (400, begins)
        most = {**AGENT, "executor_id": {"value": "e" * 255}, "data": bytes_of(512 * 1024)}
        assert (await framework.call("MESSAGE", most)).status == 202
        assert len((await agent.expect(frames.Message)).data) == 512 * 1024
        assert agent.heard == 2  # Registered and this: the link is still the first one

    on_a_bench(test)


SMILE = "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("size", "text"), [(90_000, "\x01"), (600_000, "x"), (90_000, SMILE), (200_000, "é")]
)
def test_a_task_is_measured_as_the_link_writes_it(size: int, text: str) -> None:
    """Control characters and what is beyond ASCII grow six- and threefold on the wire."""

    async def test(bench: Bench) -> None:
        agent = await bench.agent()
        framework = await bench.subscribe("fw")
        offers = (await framework.expect("OFFERS"))["offers"]["offers"]
        long = {**task("t1"), "command": {"value": text * size}}
        await framework.call("ACCEPT", accept(offers, long, task("t2")))
        status = (await framework.expect("UPDATE"))["update"]["status"]
        assert (status["task_id"], status["state"]) == ({"value": "t1"}, "TASK_ERROR")
        assert "bytes; at most" in status["message"]
        assert (await agent.expect(frames.RunTask)).task.task_id == "t2"

    on_a_bench(test)


def test_an_executor_counts_twice_for_it_travels_twice() -> None:
    async def test(bench: Bench) -> None:
        agent = await bench.agent()
        framework = await bench.subscribe("fw")
        offers = (await framework.expect("OFFERS"))["offers"]["offers"]
        executor = {"executor_id": {"value": "e"}, "command": {"value": "x" * 300_000}}
        heavy = {**task("t1"), "command": None, "executor": executor}
        executor = {"executor_id": {"value": "e"}, "command": {"value": "x" * 200_000}}
        light = {**task("t2"), "command": None, "executor": executor}
        await framework.call("ACCEPT", accept(offers, heavy, light))
        status = (await framework.expect("UPDATE"))["update"]["status"]
        assert (status["task_id"], status["state"]) == ({"value": "t1"}, "TASK_ERROR")
        assert (await agent.expect(frames.RunTask)).task.task_id == "t2"

    on_a_bench(test)


@pytest.mark.parametrize("name", ["\x01" * 30_000, "é" * 30_000, "x" * 140_000])
def test_a_framework_is_measured_as_the_link_writes_it(name: str) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.client.stream(
            "POST",
            f"{bench.url}/api/v1/scheduler",
            headers={"Content-Type": "application/json"},
            body=json.dumps(subscribe_call(name=name)).encode(),
        )
        record = await answer.next_record()
        assert record is not None
        said = json.loads(record)
        assert said["type"] == "ERROR"
        assert "bytes; at most 131072 are taken" in said["error"]["message"]
        assert await answer.next_record() is None
        assert bench.core.state.frameworks == {}

    on_a_bench(test)


# --- numbers no machine has -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**64, 10**30, -(2**63) - 1, 10**4000])
def test_numbers_beyond_64_bits_are_refused_wherever_they_are(number: int) -> None:
    """Where nobody looks (labels), too: something further on could not write them."""

    async def test(bench: Bench) -> None:
        labels = {"labels": [{"key": "k", "value": "v", "weight": number}]}
        answer = await bench.post(subscribe_call("fw", labels=labels))
        assert answer.status == 400
        assert b"expected integers of at most 64 bits" in answer.body
        assert bench.core.state.frameworks == {}
        framework = await bench.subscribe("fw")
        part = accept([], {**task("t1"), "labels": labels})
        assert (await framework.call("ACCEPT", part)).status == 400

    on_a_bench(test)


def test_a_range_beyond_64_bits_is_a_bad_task() -> None:
    async def test(bench: Bench) -> None:
        await bench.agent()
        framework = await bench.subscribe("fw")
        offers = (await framework.expect("OFFERS"))["offers"]["offers"]
        ports = {
            "name": "ports",
            "type": "RANGES",
            "ranges": {"range": [{"begin": 0, "end": 2**70}]},
        }
        await framework.call("ACCEPT", accept(offers, {**task("t1"), "resources": [ports]}))
        status = (await framework.expect("UPDATE"))["update"]["status"]
        assert (status["state"], status["reason"]) == ("TASK_ERROR", "REASON_TASK_INVALID")
        assert "ports must be ranges within 0-18446744073709551615" in status["message"]

    on_a_bench(test)


def test_the_type_unknown_is_answered_last_of_all_501() -> None:
    """API, section 1.5, row 18: after the framework and its stream have been checked."""

    async def test(bench: Bench) -> None:
        framework = await bench.subscribe("fw")
        call = {"type": "UNKNOWN", "framework_id": {"value": "fw"}}
        assert (await bench.post({"type": "UNKNOWN"})).status == 400
        assert (await bench.post({**call, "framework_id": {"value": "other"}})).status == 400
        assert (await bench.post(call)).status == 400
        assert (await bench.post(call, {"Mesos-Stream-Id": framework.stream_id})).status == 501

    on_a_bench(test)


# --- how much at once -----------------------------------------------------------------------------


def test_a_thousand_tasks_in_one_accept() -> None:
    async def test(bench: Bench) -> None:
        agent = await bench.agent(cpus=10)
        framework = await bench.subscribe("fw")
        offers = (await framework.expect("OFFERS"))["offers"]["offers"]
        tasks = [task(f"t{n}", cpus=0.01) for n in range(1000)]
        await framework.call("ACCEPT", accept(offers, *tasks))
        for n in range(1000):
            assert (await agent.expect(frames.RunTask)).task.task_id == f"t{n}"

    on_a_bench(test)


def test_all_the_answers_one_call_can_ask_for_reach_who_reads() -> None:
    """As many tasks as a body can name: a subscriber that reads is not taken for a slow one."""
    count = 60_000

    async def test(bench: Bench) -> None:
        await bench.agent()
        framework = await bench.subscribe("fw", capabilities=[], roles=[])
        asked = [{"task_id": {"value": f"t{n}"}, **AGENT} for n in range(count)]
        assert (await framework.call("RECONCILE", {"tasks": asked})).status == 202
        for n in range(count):
            status = (await framework.expect("UPDATE"))["update"]["status"]
            assert (status["task_id"], status["state"]) == ({"value": f"t{n}"}, "TASK_LOST")

    on_a_bench(test)


def test_who_does_not_read_is_dropped_and_nobody_else() -> None:
    limits = Limits(outbox_records=50)

    async def test(bench: Bench) -> None:
        await bench.agent()
        slow, quick = await bench.subscribe("slow"), await bench.subscribe("quick")
        asked = [{"task_id": {"value": f"t{n}"}, **AGENT} for n in range(200)]
        assert (await slow.call("RECONCILE", {"tasks": asked})).status == 202
        await wait_all_tasks_blocked()
        assert bench.core.state.frameworks["slow"].standing == "disconnected"
        assert bench.core.state.frameworks["quick"].standing == "connected"
        assert (await quick.expect("OFFERS"))["offers"]["offers"]

    on_a_bench(test, http_limits=limits)


def test_thousands_of_subscriptions_are_just_frameworks() -> None:
    async def test(bench: Bench) -> None:
        await bench.agent()
        crowd = [await bench.subscribe(failover_timeout=0.0) for _ in range(1000)]
        assert len(bench.core.state.streams) == 1000
        for one in crowd:
            await one.leave()
        await wait_all_tasks_blocked()
        late = await bench.subscribe("late")
        assert (await late.expect("OFFERS"))["offers"]["offers"]
        assert list(bench.core.state.frameworks) == ["late"]

    on_a_bench(test)


# --- executors ------------------------------------------------------------------------------------


@at_the_door
async def test_an_executor_that_says_too_much_is_refused(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    await event(stream, "LAUNCH")
    too_long = [
        executor_call("MESSAGE", message={"data": bytes_of(512 * 1024 + 1)}),
        update(1, data=bytes_of(512 * 1024)),
        update(2, message="é" * 100_000),
        update(3, labels={"labels": [{"key": "k" * 600_000}]}),
    ]
    for said in too_long:
        answer = await there.post(said)
        assert answer.status == 400
        assert b"bytes; at most 524288 are taken" in answer.body
    assert (await there.post(update(4))).status == 202
    heard = await there.link.expect(frames.Update)
    assert heard.status.uuid == UUID(int=4).bytes


@at_the_door
async def test_updates_an_executor_brings_are_measured_too(there: Door) -> None:
    def brought(number: int, **more: Any) -> dict[str, Any]:
        part: dict[str, Any] = update(number, **more)["update"]
        return part

    first = await there.subscribe()
    await event(first, "SUBSCRIBED")
    await event(first, "LAUNCH")
    long, good = brought(1, message="x" * 600_000), brought(2)
    stream = await there.subscribe(unacknowledged_updates=[long, good])
    await event(stream, "SUBSCRIBED")
    acknowledged = await event(stream, "ACKNOWLEDGED")
    assert acknowledged["acknowledged"]["uuid"] == good["status"]["uuid"]
    assert (await there.link.expect(frames.Update)).status.uuid == UUID(int=2).bytes


@at_the_door
async def test_numbers_beyond_64_bits_harm_no_agent(there: Door) -> None:
    stream = await there.subscribe()
    await event(stream, "SUBSCRIBED")
    answer = await there.post(update(1, labels={"weight": 10**30}))
    assert answer.status == 400
    assert (await there.post(update(2))).status == 202
