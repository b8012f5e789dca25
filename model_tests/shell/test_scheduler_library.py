"""Frameworks of the library among real masters and agents, in memory, on a clock that jumps."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio

import mesos_ref.scheduler as scheduler
from mesos_ref.http.client import Answer
from mesos_ref.replay import replay
from mesos_ref.scheduler.events import LeaderSeen
from mesos_ref.scheduler.items import Item, Progress
from mesos_ref.scheduler.journal import read
from mesos_ref.scheduler.leaders import read_redirect, watch_leaders
from mesos_ref.scheduler.library import Framework, FrameworkEnded, OfferGone
from mesos_ref.wire.v1 import TaskStatus
from model_tests.shell.memory_cluster import MASTERS, Cluster, Ids, MemoryDisk, cluster
from model_tests.shell.memory_net import MemoryNet, run_virtually

Test = Callable[[Cluster], Awaitable[None]]


def in_cluster(folder: Path, test: Test, agents: int = 1) -> None:
    """Run a test in a cluster, for at most an hour of its clock."""

    async def main() -> None:
        with trio.fail_after(3_600):
            async with cluster(folder, agents) as made:
                await test(made)

    run_virtually(main)


def connected(made: Cluster, **options: Any) -> AbstractAsyncContextManager[Framework]:
    """A framework in that cluster."""
    chosen = {"name": "demo", "net": made.net, "ids": Ids(1), "user": "u", **options}
    return scheduler.connect(MASTERS, **chosen)


# Ten lines ----------------------------------------------------------------------------------------


def test_ten_lines_run_a_task(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        async with connected(made) as framework:
            async for offer in framework.offers():
                task = await framework.launch(offer, command="echo hi", cpus=1, mem_mb=32)
                assert (await task.finished()).state == "TASK_FINISHED"
                break
            assert framework.tasks == {}
        core = made.masters[-1].core
        assert core.view()[f"frameworks/{framework.id}"] == {"standing": "removed"}

    in_cluster(tmp_path, test)


def test_an_offer_serves_once(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        async with connected(made) as framework:
            offer = await framework.next_offer()
            with pytest.raises(ValueError, match="5 cpus wanted, 4"):
                await framework.launch(offer, command="true", cpus=5)
            await framework.launch(offer, command="true")
            with pytest.raises(OfferGone, match=offer.id):
                await framework.launch(offer, command="true")
            await framework.decline(offer)

    in_cluster(tmp_path, test)


def test_an_error_of_the_block_is_raised_as_it_is(tmp_path: Path) -> None:
    """And the framework is left alone: its tasks have `failover_timeout_s` to be taken over."""

    async def test(made: Cluster) -> None:
        framework_id = ""

        async def fail() -> None:
            nonlocal framework_id
            async with connected(made) as framework:
                framework_id = await framework.subscribed()
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await fail()
        await trio.sleep(1)
        view = made.masters[-1].core.view()
        assert view[f"frameworks/{framework_id}"]["standing"] == "disconnected"

    in_cluster(tmp_path, test)


def test_a_framework_taken_over_by_another_ends(tmp_path: Path) -> None:
    """FWK-3."""

    async def test(made: Cluster) -> None:
        async with connected(made) as old:
            framework_id = await old.subscribed()
            task = await old.launch(await old.next_offer(), command="true")
            await task.finished()
            async with connected(made, recovered={"framework_id": framework_id}) as new:
                assert await new.subscribed() == framework_id
                with pytest.raises(FrameworkEnded, match="Framework failed over"):
                    await old.next_offer()

    in_cluster(tmp_path, test)


def test_a_launch_while_nobody_leads_is_dropped(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        async with connected(made, teardown=False) as framework:
            offer = await framework.next_offer()
            made.kill_master()
            await trio.sleep(1)
            with pytest.raises(OfferGone):
                await framework.launch(offer, command="true")
            assert not framework.is_subscribed

    in_cluster(tmp_path, test)


# Fail-overs ---------------------------------------------------------------------------------------


def test_the_framework_follows_the_leader(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        async with connected(made) as framework:
            framework_id = await framework.subscribed()
            for _ in range(3):
                await made.fail_over()
                await trio.sleep(5)
                task = await framework.launch(await framework.next_offer(), command="true")
                assert (await task.finished()).state == "TASK_FINISHED"
                assert framework.id == framework_id

    in_cluster(tmp_path, test)


def test_a_task_launched_with_the_last_breath_of_a_master_is_accounted_for(tmp_path: Path) -> None:
    """The ACCEPT goes nowhere; reconciliation with the next master tells (REC-3)."""

    async def test(made: Cluster) -> None:
        async with connected(made) as framework:
            offer = await framework.next_offer()
            await made.fail_over()
            task = await framework.launch(offer, command="true")
            assert (await task.finished()).reason == "REASON_RECONCILIATION"

    in_cluster(tmp_path, test)


def test_updates_are_seen_before_they_are_acknowledged(tmp_path: Path) -> None:
    """A master fails over while the user's code looks at an update: it comes once all the same."""
    seen: list[TaskStatus] = []

    async def test(made: Cluster) -> None:
        async def on_updates(statuses: Sequence[TaskStatus]) -> None:
            seen.extend(statuses)
            if len(seen) == 1:
                await made.fail_over()
                await trio.sleep(30)

        async with connected(made, on_updates=on_updates) as framework:
            task = await framework.launch(await framework.next_offer(), command="true")
            await task.finished()
            await trio.sleep(60)

    in_cluster(tmp_path, test)
    reliable = [(status.state, status.uuid) for status in seen if status.uuid is not None]
    assert [state for state, _ in reliable] == ["TASK_RUNNING", "TASK_FINISHED"]


# Items --------------------------------------------------------------------------------------------


def items(count: int) -> list[Item]:
    return [Item(name=f"item{n}", command="true", cpus=1.0) for n in range(count)]


def test_items_finish_through_fail_overs(tmp_path: Path) -> None:
    heard: list[Progress] = []

    async def test(made: Cluster) -> None:
        async with trio.open_nursery() as nursery:

            def break_things(progress: Progress) -> None:
                heard.append(progress)
                if progress.done > 50 * len(made.masters) and made.is_led:
                    made.kill_master()
                    nursery.start_soon(made.start_master)

            verdict = await scheduler.run_items(
                MASTERS, items(200), name="demo", net=made.net, on_progress=break_things
            )
        assert len(made.masters) == 4
        assert verdict.is_complete
        assert verdict.unsettled == verdict.given_up == ()
        assert verdict.progress.done == 200

    in_cluster(tmp_path, test, agents=2)
    assert [p.done for p in heard] == sorted(p.done for p in heard)
    for p in heard:
        assert p.wanted == p.done + p.given_up + p.running + p.waiting


def test_a_runner_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    disk, path = MemoryDisk(), Path("/items.ndjson")

    async def test(made: Cluster) -> None:
        half = trio.CancelScope()

        def stop_half_way(progress: Progress) -> None:
            if progress.done >= 20:
                half.cancel()

        with half:
            await scheduler.run_items(
                MASTERS,
                items(40),
                name="demo",
                net=made.net,
                disk=disk,
                journal=path,
                on_progress=stop_half_way,
            )
        assert half.cancelled_caught
        done_before = [entry for entry in read(disk.files[path])[0] if "Ended" in str(entry)]
        assert 20 <= len(done_before) < 40
        verdict = await scheduler.run_items(
            MASTERS, items(40), name="demo", net=made.net, disk=disk, journal=path
        )
        assert verdict.is_complete
        assert verdict.twice == ()
        assert len(made.masters[-1].core.state.removed) == 1, "one framework, all the time"

    in_cluster(tmp_path, test)


def test_work_that_can_not_be_done_in_time_is_named(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        big = Item(name="big", command="true", cpus=64.0)
        verdict = await scheduler.run_items(
            MASTERS, [big, *items(3)], name="demo", net=made.net, timeout_s=60
        )
        assert not verdict.is_complete
        assert verdict.unsettled == ("big",)
        assert verdict.progress.done == 3

    in_cluster(tmp_path, test)


def test_nothing_to_do_is_done(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        verdict = await scheduler.run_items(MASTERS, [], name="demo", net=made.net)
        assert verdict.is_complete

    in_cluster(tmp_path, test)


def test_a_run_whose_framework_is_taken_over_says_so(tmp_path: Path) -> None:
    async def test(made: Cluster) -> None:
        big = Item(name="big", command="true", cpus=64.0)
        async with trio.open_nursery() as nursery:

            async def take_over() -> None:
                await trio.sleep(5)
                (key,) = [k for k in made.masters[-1].core.view() if k.startswith("frameworks/")]
                framework_id = key.removeprefix("frameworks/")
                async with connected(made, recovered={"framework_id": framework_id}) as other:
                    await other.subscribed()

            nursery.start_soon(take_over)
            with pytest.raises(FrameworkEnded, match="Framework failed over"):
                await scheduler.run_items(MASTERS, [big], name="demo", net=made.net)

    in_cluster(tmp_path, test)


# Traces -------------------------------------------------------------------------------------------


def test_a_trace_of_the_library_replays(tmp_path: Path) -> None:
    traces = tmp_path / "traces"
    traces.mkdir()

    async def test(made: Cluster) -> None:
        async with connected(made, trace=traces, node="s1") as framework:
            for _ in range(2):
                task = await framework.launch(await framework.next_offer(), command="true")
                await task.finished()
                await made.fail_over()
            await framework.subscribed()
            await trio.sleep(60)

    in_cluster(tmp_path, test)
    (file,) = traces.iterdir()
    assert file.name.startswith("scheduler-s1-")
    lines = file.read_bytes().splitlines()
    assert replay(lines) == []
    records = [json.loads(line) for line in lines[1:]]
    assert records[-1]["heard"] == {"local": "closed"}
    did = {name for record in records for name, _ in record["did"]}
    assert {"turn_scheduler_to", "ask_to_subscribe", "be_subscribed", "ack", "call"} <= did


# Leaders ------------------------------------------------------------------------------------------


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def test_redirects_are_read() -> None:
    asked = "http://m1:5050"
    ours = answer(307, location="//m2:5051", mesos_ref_epoch="7")
    assert read_redirect(ours, asked, None) == LeaderSeen(7, "http://m2:5051")
    foreign = answer(307, location="//m2:5051")
    first = read_redirect(foreign, asked, None)
    assert first == LeaderSeen(1, "http://m2:5051")
    assert read_redirect(foreign, asked, first) == first
    other = answer(307, location="//m3:5051")
    assert read_redirect(other, asked, first) == LeaderSeen(2, "http://m3:5051")
    assert read_redirect(answer(404), asked, None) == LeaderSeen(1, asked)
    with pytest.raises(ValueError, match="503"):
        read_redirect(answer(503), asked, None)


@pytest.mark.parametrize("master", ["", "nonsense", "http://a:1,nonsense"])
def test_a_master_that_names_nothing_is_refused(master: str) -> None:
    with pytest.raises(ValueError, match=r"names no election|expected http"):
        watch_leaders(master, MemoryNet())
