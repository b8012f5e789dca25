"""Clusters of real processes: brought up, hurt, and taken down with nothing left of them."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import trio

from mesos_ref.cluster.cluster import ClusterError, open_cluster
from mesos_ref.cluster.member import Member
from mesos_ref.cluster.spec import ClusterSpec
from model_tests.live.commands import (
    MESOS_REF,
    asking,
    environment,
    mesos_ref,
    tasks_in,
    until,
    up,
)
from model_tests.live.hosting import live

pytestmark = [pytest.mark.live, pytest.mark.needs("linux")]


@live
async def test_work_outlives_the_leader_and_nothing_outlives_the_cluster(tmp_path: Path) -> None:
    async with up(tmp_path, "--masters", "3", "--agents", "2") as cluster, trio.open_nursery() as n:
        words = ["run", "--master", cluster.master, "--instances", "10", "--json"]
        ended: list[int] = []

        async def run() -> None:
            done = await mesos_ref(*words, "--", "sleep 0.5; echo I am $INSTANCE")
            verdict = msgspec.json.decode(done.out)
            assert (verdict["wanted"], verdict["done"], verdict["given_up"]) == (10, 10, [])
            ended.append(done.code)

        n.start_soon(run)
        async with asking(cluster.master) as ask:
            await tasks_in(ask, "TASK_RUNNING", 3)
            os.kill(cluster.pid_of(cluster.facts["leader"]), signal.SIGKILL)
            await until(lambda: bool(ended))
            assert ended == [0]
            leader = (await ask("GET_MASTER"))["master_info"]["port"]
        assert f"http://127.0.0.1:{leader}" in cluster.facts["masters"]
        assert f"http://127.0.0.1:{leader}" != cluster.facts["leader"]
        assert await cluster.end(signal.SIGINT) == 0
        assert cluster.left() == []


@live
async def test_a_cluster_that_is_told_to_end_takes_its_tasks_along(tmp_path: Path) -> None:
    async with up(tmp_path, "--masters", "1", "--agents", "1") as cluster:
        words = [*MESOS_REF, "run", "--master", cluster.master, "--", "sleep 1000 & sleep 1000"]
        runner = await trio.lowlevel.open_process(words)
        async with asking(cluster.master) as ask:
            await tasks_in(ask, "TASK_RUNNING", 1)
        sleepers = [command for command in cluster.left() if command == "sleep 1000"]
        assert len(sleepers) == 2, "tasks carry the mark, or nobody could tell whose they are"
        assert await cluster.end(signal.SIGTERM) == 0
        assert cluster.left() == []
        runner.send_signal(signal.SIGKILL)
        await runner.wait()


@live
async def test_clusters_side_by_side_do_not_meet(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    small = ("--masters", "1", "--agents", "1")
    async with up(here, *small) as one, up(there, *small) as other:
        assert not {*one.facts["masters"]} & {*other.facts["masters"]}
        refused = await mesos_ref("up", "--port", "0", "--work-dir", str(here))
        assert refused.code == 5
        assert f"in use by another cluster (pid {one.process.pid})" in refused.err
        assert await one.end() == 0
        assert one.left() == []
        assert (await mesos_ref("run", "--master", other.master, "--", "true")).code == 0


@live
async def test_members_die_with_a_launcher_that_is_killed(tmp_path: Path) -> None:
    async with up(tmp_path, "--masters", "2", "--agents", "1") as cluster:
        words = [*MESOS_REF, "run", "--master", cluster.master, "--", "sleep 1000"]
        runner = await trio.lowlevel.open_process(words)
        async with asking(cluster.master) as ask:
            await tasks_in(ask, "TASK_RUNNING", 1)
        runner.send_signal(signal.SIGKILL)
        await runner.wait()
        cluster.process.kill()
        await cluster.process.wait()
        await until(lambda: not [c for c in cluster.left() if "cluster.child" in c])
        assert "sleep 1000" in cluster.left(), "its framework checkpoints: the task may go on"
        async with open_cluster(ClusterSpec(work_dir=tmp_path, masters=1, agents=1)) as heir:
            assert cluster.left() == [], "whoever takes the directory over ends what was left"
            await heir.wait_ready()


@live
async def test_work_with_a_journal_outlives_everybody(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal")
    words = ["run", "--instances", "2", "--json", "--journal", journal, "--", "sleep 1"]
    async with up(tmp_path, "--masters", "1", "--agents", "1") as cluster:
        runner = await trio.lowlevel.open_process(
            [*MESOS_REF, *words], env=environment(cluster.master)
        )
        async with asking(cluster.master) as ask:
            await tasks_in(ask, "TASK_RUNNING", 2)
        runner.kill()
        cluster.process.kill()
        await runner.wait()
        await cluster.process.wait()
    async with up(tmp_path, "--masters", "1", "--agents", "1", "--cpus", "3") as cluster:
        done = await mesos_ref(*words, master=cluster.master)
    verdict = msgspec.json.decode(done.out)
    assert (done.code, verdict["done"], verdict["attempts"], verdict["lost"]) == (0, 2, 4, 2)


@live
async def test_a_leader_that_hangs_is_deposed_and_comes_back_as_a_standby(tmp_path: Path) -> None:
    said: list[str] = []
    spec = ClusterSpec(work_dir=tmp_path, masters=2, agents=1, lease_s=0.5)
    async with open_cluster(spec, tell=said.append) as cluster:
        first = await cluster.wait_ready()
        cluster.pause(first.name)
        await until(lambda: cluster.leader() not in (first, None))
        second = await cluster.wait_ready()
        cluster.resume(first.name)
        await until(lambda: first.lives == 2 and first.is_serving)
        assert cluster.leader() is second
        assert f"{first.name} was deposed, and is started again" in said
        assert f"{second.name} leads, epoch 2" in said


@live
async def test_members_are_killed_and_started_again_on_their_ports(tmp_path: Path) -> None:
    spec = ClusterSpec(work_dir=tmp_path, masters=1, agents=1, trace_dir=tmp_path)
    async with open_cluster(spec) as cluster:
        await cluster.wait_ready()
        [master, agent] = cluster.members
        traces = {cluster.incarnation_of(member.name) for member in cluster.members}
        before = [member.url for member in cluster.members]
        for member in (agent, master):
            old = member.pid
            await cluster.kill(member.name)
            assert (member.is_running, member.pid, member.fate) == (
                False, None, "was killed by SIGKILL",
            )  # fmt: skip
            with pytest.raises(ClusterError, match=f"{member.name} does not run"):
                await cluster.kill(member.name)
            assert cluster.headless.is_set() == (member is master)
            await cluster.restart(member.name)
            assert member.pid not in (old, None)
            assert await cluster.wait_ready() is master
        assert before == [member.url for member in cluster.members]
        assert [member.incarnation for member in cluster.members] == ["master-1.2", "agent-1.2"]
        traces |= {cluster.incarnation_of(member.name) for member in cluster.members}
        assert not cluster.headless.is_set()
    assert len(traces) == 4
    assert {name[-43:-7] for name in os.listdir(tmp_path) if name.endswith(".ndjson")} == traces


@live
async def test_agents_can_be_sent_by_another_way(tmp_path: Path) -> None:
    asked: list[tuple[str, list[str]]] = []
    nowhere = _taken_port()
    port = nowhere.getsockname()[1]

    async def detours(agent: Member, masters: Sequence[Member]) -> list[str]:
        master = masters[0]
        asked.append((agent.name, [master.name]))
        return [f"{master.host}:{master.link_port}:127.0.0.1:{port}"]

    spec = ClusterSpec(work_dir=tmp_path, masters=1, agents=1)
    with nowhere:
        async with open_cluster(spec, detours=detours) as cluster:
            with pytest.raises(ClusterError, match="agent-1 not registered with master-1"):
                await cluster.wait_ready(0.5)
            nowhere.setblocking(False)
            nowhere.accept()[0].close()  # it was dialled
    assert asked == [("agent-1", ["master-1"])]


@live
async def test_a_member_that_does_not_start_says_why(tmp_path: Path) -> None:
    with _taken_port() as taken:
        port = str(taken.getsockname()[1])
        words = ("up", "--masters", "1", "--agents", "0", "--work-dir", str(tmp_path))
        refused = await mesos_ref(*words, "--port", port)
    assert refused.code == 5
    assert "master-1 ended with status 5; its log" in refused.err
    assert "Address already in use" in refused.err
    assert refused.err.endswith("choose another --port; 0 takes any that are free\n")


def _taken_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


@live
async def test_what_is_killed_is_revived_if_so_wished(tmp_path: Path) -> None:
    spec = ClusterSpec(work_dir=tmp_path, masters=1, agents=1, revive=True)
    async with open_cluster(spec) as cluster:
        await cluster.wait_ready()
        [master, agent] = cluster.members
        for member in (master, agent):
            await cluster.kill(member.name)
            await until(lambda member=member: member.is_serving)  # type: ignore[misc]
        await cluster.wait_ready()
        assert not cluster.headless.is_set()


def test_a_member_without_its_launcher_does_not_begin() -> None:
    code = os.spawnl(
        os.P_WAIT, sys.executable, sys.executable, "-m", "mesos_ref.cluster.child", "0", "master"
    )
    assert code == 69
