"""Links that are abused, at both ends: what is no protocol, or too much of it.

Each costs the sender its link and leaves a line in the log; the core does not hear of it, and
others do not notice. What is long but honest (the whole load of an agent) gets through.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref.master.links import LinkLimits
from model_tests.core.agent_bench import Bench as AgentBench
from model_tests.core.agent_bench import custom, framework_info, task_info
from model_tests.shell.agent_stage import staged
from model_tests.shell.master_bench import Bench, hangs_up, mastering, run_one_task
from model_tests.shell.memory_net import run_virtually


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def said(kind: str, n: int = 0, **fields: Any) -> bytes:
    return framed(json.dumps({"kind": kind, "n": n, "epoch": 1, **fields}).encode())


def register(**changes: Any) -> bytes:
    info = {"hostname": "h", "port": 5051, **changes.pop("info", {})}
    fields = {"agent_id": "evil", "info": info, "version": "1.12.0", "newest_epoch": 1}
    return said("Register", **{**fields, **changes})


# --- at the master --------------------------------------------------------------------------------

MIB = "x" * (1 << 20)

NO_PROTOCOL: list[tuple[bytes, str]] = [
    (said("Pong"), "a link begins with a Register, not with Pong"),
    (said("Explode"), "an agent sends no 'Explode'"),
    (said("Pong", n=-1), "not a frame"),
    (said("Pong", n=10**30), f"frame {10**30} came where 0 was due"),
    (said("Pong", text=MIB), "expected at most 1048576"),
    (framed(b'{"kind":[],"n":0}'), "not a frame"),
    (framed(b'{"kind":"Pong","n":0,"epoch":1,"x":' + b"[" * 50_000), "not a frame"),
    (framed(b"\xff\xfe"), "not a frame"),
    (register(info={"port": -1}), "an agent's port is 0 to 65535, not -1"),
    (register(info={"port": 2**40}), f"an agent's port is 0 to 65535, not {2**40}"),
    (register(info={"hostname": "h" * 70_000}), "expected at most 65536"),
    (register(info={"attributes": [{"name": MIB, "type": "TEXT"}]}), "expected at most 65536"),
    (register(info={"domain": {"x": 10**30}}), "expected integers of at most 64 bits"),
    (register(tasks=[{"task_id": "t"}]), "a Register that can't be read"),
]


@pytest.mark.parametrize(("first", "why"), NO_PROTOCOL)
def test_no_protocol_costs_the_link_and_reaches_no_core(
    first: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with mastering() as bench:
            await wait_all_tasks_blocked()
            before = bench.core.view()
            agent = await bench.dial("evil")
            await agent.stream.send_all(first)
            assert await hangs_up(agent.stream)
            assert bench.core.view() == before
            await run_one_task(bench)

    run_virtually(main)
    [line] = [record.getMessage() for record in caplog.records if record.name == "mesos_ref.link"]
    assert "is cut: " in line
    assert why in line


def test_who_says_no_more_than_hello_does_not_stay(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with mastering(link_limits=LinkLimits(register_timeout_s=7)) as bench:
            start = trio.current_time()
            agent = await bench.dial()
            await agent.stream.send_all(struct.pack(">I", 1 << 20) + b"{")
            assert await hangs_up(agent.stream)
            assert trio.current_time() - start == pytest.approx(7)

    run_virtually(main)
    assert "no Register came within 7 seconds" in caplog.text


def test_who_has_registered_may_be_silent_for_as_long_as_pings_allow() -> None:
    async def main() -> None:
        async with mastering(link_limits=LinkLimits(register_timeout_s=7)) as bench:
            agent = await bench.agent()
            await trio.sleep(10)
            await agent.send(frames.Pong(epoch=1))
            await wait_all_tasks_blocked()
            assert bench.core.view()["agents/a1"]["standing"] == "registered"

    run_virtually(main)


def test_a_crowd_of_silent_connections_holds_nobody_up() -> None:
    async def test(bench: Bench) -> None:
        crowd = [await bench.net.connect("memory", bench.link_port) for _ in range(500)]
        crowd += [(await bench.dial(f"a{n}")).stream for n in range(2, 500)]
        await run_one_task(bench)
        await trio.sleep(31)
        for stream in crowd:
            assert await hangs_up(stream)

    async def main() -> None:
        async with mastering() as bench:
            await test(bench)

    run_virtually(main)


# --- at the agent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (said("Ping", connected=True, x=MIB), "expected at most 1048576"),
        (said("Ping", connected=3), "a Ping that can't be read"),
        (said("Register"), "a master sends no 'Register'"),
        (struct.pack(">I", (16 << 20) + 1), "expected 2 to 16777216"),
        (framed(b"[" * 50_000), "not a frame"),
    ],
)
def test_a_master_that_speaks_no_protocol_loses_the_agents_link(
    bad: bytes, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with staged(tmp_path) as (stage, _):
            link = await stage.master.linked()
            await link.expect(frames.Register)
            await link.stream.send_all(bad)
            again = await stage.master.linked()
            assert (await again.registered()).agent_id

    run_virtually(main)
    assert why in caplog.text


def test_an_agent_is_asked_about_as_many_tasks_as_it_may_report(tmp_path: Path) -> None:
    """AGT-9: a Registered that lists all tasks of a large agent is longer than other frames."""
    asked = [frames.TaskKey(framework_id="f", task_id=f"task-{n:036}") for n in range(15_000)]

    async def main() -> None:
        async with staged(tmp_path) as (stage, _):
            link = await stage.master.linked()
            await link.registered(*asked)
            for one in asked[:3]:
                update = await link.expect(frames.Update)
                assert (update.framework_id, update.status.task_id) == ("f", one.task_id)

    run_virtually(main)


# --- what is long but honest ----------------------------------------------------------------------


def test_an_agent_full_of_long_tasks_can_still_register() -> None:
    """R1: all of their TaskInfos would fill no Register, so it says what masters show of a task."""
    bench = AgentBench()
    bench.start()
    bench.lead()
    for n in range(60):
        executor = custom(f"e{n}") if n % 2 else None
        task = msgspec.structs.replace(task_info(f"t{n}", executor), data=bytes(300_000))
        bench.frame(
            frames.RunTask(
                epoch=1,
                framework=framework_info(),
                task=task,
                role="r",
                executor=executor,
                launch_executor=True,
            )
        )
    bench.break_link()
    bench.connect()
    again = bench.sent()[-1]
    assert isinstance(again, frames.Register)
    assert [one.task_id for one in again.tasks] == sorted(f"t{n}" for n in range(60))
    assert len(frames.encode(again, 0)) < 1 << 20
    assert {(one.info.data, one.info.command, one.info.executor) for one in again.tasks} == {
        (None, None, None)
    }


def test_a_leader_older_than_the_one_obeyed_is_ignored_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """S19; an election that was begun anew beside an old work directory looks like this."""

    async def main() -> None:
        async with staged(tmp_path) as (stage, _):
            link = await stage.master.linked()
            await link.registered()
            stage.leaders.show(0, stage.master.host, stage.master.port)
            await wait_all_tasks_blocked()

    run_virtually(main)
    assert "leads as epoch 0, which is ignored: this agent has obeyed epoch 1" in caplog.text
