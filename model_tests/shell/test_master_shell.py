"""The master's shell: connections, leadership, order of deeds; in memory, on a clock that jumps."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref import replay, runtime
from mesos_ref.election.interface import Candidate, Leader
from mesos_ref.http.messages import Limits
from mesos_ref.master import tracing
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore, violations
from mesos_ref.master.events import Event
from mesos_ref.ports.net import STREAM_OVER
from mesos_ref.step import Step
from mesos_ref.trace import TraceWriter, header
from mesos_ref.wire.v1 import MasterInfo
from model_tests.shell.master_bench import (
    NODE,
    ChosenElection,
    accept,
    hangs_up,
    make,
    mastering,
    run_one_task,
    subscribe_call,
    task,
)
from model_tests.shell.memory_net import MemoryListener, MemoryNet, run_virtually

# --- one task's life ------------------------------------------------------------------------------


def test_a_task_runs_through_all_of_it() -> None:
    async def main() -> None:
        async with mastering() as bench:
            await run_one_task(bench)
            assert violations(bench.core) == []
        assert bench.outcome == "stopped"
        assert [what for what, _ in bench.said] == ["serving", "leading"]

    run_virtually(main)


def test_what_the_shell_traces_replays_to_the_same_effects() -> None:
    lines: list[bytes] = []

    def recorder(core: MasterCore, config: MasterConfig) -> TraceWriter:
        first = header(
            role="master",
            node="m",
            incarnation=NODE,
            wall_us=0,
            config=tracing.config_of(config, NODE),
        )
        return TraceWriter(lines.append, first, core)

    async def main() -> None:
        async with mastering(recorder_of=recorder) as bench:
            await run_one_task(bench)

    run_virtually(main)
    said = [json.loads(line) for line in b"".join(lines).splitlines()]
    heard = [record["heard"] for record in said[1:]]
    assert heard[0]["local"] == "elected"
    assert [one["local"] for one in heard[-2:]] == ["deposed", "closed"]
    foreign = [one["id"] for one in heard if one.get("from") == "scheduler"]
    assert foreign == [["ext", 2**32], ["ext", 2**32 + 1], ["ext", 2**32 + 2]]
    assert replay.replay(b"".join(lines).splitlines()) == []


# --- streams --------------------------------------------------------------------------------------


def test_a_heartbeat_follows_subscribed_at_once_and_then_every_interval() -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()
            assert framework.subscribed["heartbeat_interval_seconds"] == 15.0
            start, times = trio.current_time(), []
            for _ in range(4):
                assert await framework.next_event() == {"type": "HEARTBEAT"}
                times.append(round(trio.current_time() - start))
            assert times == [0, 15, 30, 45]

    run_virtually(main)


def test_a_scheduler_that_goes_away_is_noticed_at_once() -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()
            await framework.leave()
            await wait_all_tasks_blocked()
            view = bench.core.view()
            assert view[f"frameworks/{framework.framework_id}"]["standing"] == "disconnected"
            answer = await framework.call("REVIVE")
            assert (answer.status, answer.body) == (403, b"Framework is not subscribed")

    run_virtually(main)


def test_a_scheduler_that_does_not_keep_up_loses_its_stream() -> None:
    async def main() -> None:
        async with mastering(http_limits=Limits(outbox_records=5)) as bench:
            await bench.agent()
            framework = await bench.subscribe()
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            bad = [task(f"t{n}", cpus=100) for n in range(10)]  # ten updates at once
            assert (await framework.call("ACCEPT", accept(offers, *bad))).status == 202
            await wait_all_tasks_blocked()
            view = bench.core.view()
            assert view[f"frameworks/{framework.framework_id}"]["standing"] == "disconnected"
            again = await bench.subscribe(framework.framework_id)
            assert again.framework_id == framework.framework_id

    run_virtually(main)


def test_a_scheduler_that_hangs_up_before_it_is_answered_is_disconnected() -> None:
    async def main() -> None:
        async with mastering() as bench:
            stream = await bench.net.connect("memory", bench.port)
            body = json.dumps(subscribe_call("fw")).encode()
            head = (
                b"POST /api/v1/scheduler HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
            )
            await stream.send_all(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
            await stream.aclose()
            await wait_all_tasks_blocked()
            assert bench.core.view()["frameworks/fw"]["standing"] == "disconnected"

    run_virtually(main)


# --- leadership -----------------------------------------------------------------------------------


def test_a_master_that_does_not_lead_hears_neither_agents_nor_schedulers() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            agent = await bench.net.connect("memory", bench.link_port)
            assert await hangs_up(agent)
            answer = await bench.post(subscribe_call())
            assert (answer.status, answer.body) == (503, b"No leader elected")
            assert bench.core.view() == {}
            election.elect(3)
            await wait_all_tasks_blocked()
            assert bench.said[-1] == ("leading", {"epoch": 3})
            agent2 = await bench.dial(epoch=3)
            await agent2.register()
            assert (await agent2.expect(frames.Registered)).epoch == 3

    run_virtually(main)


def test_an_agent_may_hear_of_a_reign_before_its_master_does() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            agent = await bench.dial(epoch=3)
            await agent.register()
            await trio.sleep(0.2)
            assert bench.core.view() == {}
            election.elect(3)
            assert (await agent.expect(frames.Registered)).epoch == 3

    run_virtually(main)


def test_a_deposed_master_tells_its_core_closes_everything_and_ends() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            framework = await bench.subscribe()
            election.depose(1)
            while (event := await framework.next_event()) is not None:
                assert event["type"] == "HEARTBEAT"  # then it ends in order
            await wait_all_tasks_blocked()
            assert bench.outcome == "deposed"
            assert election.has_resigned
            assert bench.core.view() == {}
            with pytest.raises(STREAM_OVER):
                await bench.net.connect("memory", bench.port)

    run_virtually(main)


def test_only_the_election_deposes_whatever_an_agent_says() -> None:
    """MFO-6: one who reaches the agents' port makes the master look, and no more."""

    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            agent = await bench.dial()
            await agent.register(newest_epoch=2**40)
            await wait_all_tasks_blocked()
            assert (bench.outcome, election.looks) == (None, 1)
            await bench.agent("other")
            election.depose(1)
            await wait_all_tasks_blocked()
            assert bench.outcome == "deposed"
            assert election.has_resigned

    run_virtually(main)


def test_calls_that_nobody_will_answer_are_answered_503() -> None:
    answers: list[int] = []

    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(1)
            await wait_all_tasks_blocked()
            framework = await bench.subscribe()
            owner = bench.shell._owner
            post = owner.post

            async def post_and_fall(event: Event) -> None:
                await post(event)
                bench.shell._fall("the test said so")

            bench.shell.schedulers._post = post_and_fall
            answers.append((await framework.call("REVIVE")).status)

    run_virtually(main)
    assert answers == [503]


def test_a_core_that_raises_ends_the_master_with_nothing_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe()

            def broken(event: Event, now_us: int) -> Step:
                raise KeyError("planted")

            bench.core.handle = broken  # type: ignore[method-assign]
            answer = await framework.call("REVIVE")
            assert answer.status == 503
            await wait_all_tasks_blocked()
            assert isinstance(bench.outcome, runtime.CoreFailed)

    run_virtually(main)
    assert "planted" in caplog.text


def test_a_port_that_is_taken_is_said_and_the_other_is_let_go() -> None:
    class OnePortNet(MemoryNet):
        closed = 0

        async def listen(self, host: str, port: int) -> MemoryListener:
            if self.listeners:
                raise OSError("address already in use")
            listener = await super().listen(host, port)
            aclose = listener.aclose

            async def counted() -> None:
                self.closed += 1
                await aclose()

            listener.aclose = counted  # type: ignore[method-assign]
            return listener

    net = OnePortNet()

    async def main() -> None:
        bench = make(net=net)
        await bench.run()
        assert isinstance(bench.outcome, OSError)

    run_virtually(main)
    assert net.closed == 1


def leader_at(epoch: int, port: int) -> Leader:
    """Another master that leads."""
    return Leader(epoch, Candidate(MasterInfo(id="x", ip=0, port=port, hostname="h")))


def test_the_newest_leader_known_is_shown() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            places: list[Sequence[str | None]] = []
            for shown in (leader_at(1, 1), leader_at(2, 2), None):
                election.show(shown)
                await wait_all_tasks_blocked()
                answer = await bench.request("GET", "/redirect")
                said = answer.headers.get("location"), answer.headers.get("mesos-ref-epoch")
                places.append(said)
            election.show(leader_at(2, 2))
            election.elect(3)
            await wait_all_tasks_blocked()
            answer = await bench.request("GET", "/redirect")
            places.append((answer.headers.get("location"), answer.headers.get("mesos-ref-epoch")))
            assert places == [
                ("//h:1", "1"),
                ("//h:2", "2"),
                (None, None),
                (f"//memory:{bench.port}", "3"),
            ]

    run_virtually(main)


def test_a_leader_that_is_over_does_not_send_anybody_to_itself() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            election.elect(4)
            await wait_all_tasks_blocked()
            assert bench.shell._leader() is not None
            bench.shell._fall("the test said so")
            election.show(leader_at(4, 1))
            await wait_all_tasks_blocked()
            assert bench.shell._leader() is None
            bench.shell._seen = leader_at(5, 2)
            assert bench.shell._leader() == leader_at(5, 2)

    run_virtually(main)
