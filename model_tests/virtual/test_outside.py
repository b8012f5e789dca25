"""The simulated outside of the second tier: what its network, disk and processes promise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from mesos_chaos.virtual import seam
from mesos_chaos.virtual.cluster import Alarms
from mesos_chaos.virtual.disks import Disk, SimDisk
from mesos_chaos.virtual.elections import Contender, Elections, SimElection
from mesos_chaos.virtual.processes import Process
from mesos_chaos.virtual.seam import Whims
from mesos_chaos.virtual.streams import UNREAD_BYTES, Life, Network, SimNet
from mesos_ref.election.interface import Leadership
from mesos_ref.ports.net import Stream

FILE = Path("/state/journal")


def on_two_machines(
    use: Callable[[Network, Stream, Stream, Life, Life], Awaitable[None]], seed: int = 0
) -> None:
    """Run `use(network, near, far, near's life, far's life)` with a connection from a to b."""

    async def main(whims: Whims) -> None:
        network = Network(lambda name: Random(f"{seed}/{name}"))
        a, b = Life("a"), Life("b")
        listener = await SimNet(network, b).listen("b", 80)
        near = await SimNet(network, a).connect("b", 80)
        far = await listener.accept()
        with trio.fail_after(3600):
            await use(network, near, far, a, b)

    seam.run(main, seed)


def test_a_cut_holds_back_one_way_until_it_is_mended() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        mend = network.cut(("a", "b"))
        await near.send_all(b"held")
        await far.send_all(b"through")
        assert await near.receive_some() == b"through"
        with trio.move_on_after(60) as waiting:
            await far.receive_some()
        assert waiting.cancelled_caught, "neither the bytes nor an end of the connection"
        mend()
        mend()  # undone once, however often it is asked for
        assert await far.receive_some() == b"held"

    on_two_machines(use)


def test_nobody_can_be_reached_over_a_cut() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        mend = network.cut(("b", "a"))
        with trio.move_on_after(60) as waiting:
            await SimNet(network, a).connect("b", 80)
        assert waiting.cancelled_caught
        mend()
        await SimNet(network, a).connect("b", 80)

    on_two_machines(use)


def test_a_slow_way_takes_longer_and_keeps_the_order() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        undo = network.delay(2_000_000, ("a", "b"))
        began_s = trio.current_time()
        await near.send_all(b"one,")
        undo()
        await near.send_all(b"two")
        got = b""
        while len(got) < 7:
            got += await far.receive_some()
        assert got == b"one,two"
        assert trio.current_time() - began_s >= 2

    on_two_machines(use)


def test_a_reset_is_seen_at_both_ends() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        assert network.reset("b", "a") == 2
        for end in (near, far):
            with pytest.raises(trio.BrokenResourceError):
                await end.receive_some()
            with pytest.raises(trio.BrokenResourceError):
                await end.send_all(b"x")
        assert network.reset("a", "c") == 0

    on_two_machines(use)


def test_what_was_sent_before_a_kill_arrives_and_then_the_connection_breaks() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        await near.send_all(b"last words")
        a.end(network)
        await near.send_all(b"of a ghost")
        await near.aclose()
        assert await far.receive_some() == b"last words"
        with pytest.raises(trio.BrokenResourceError):
            await far.receive_some()

    on_two_machines(use)


def test_nobody_listens_where_the_process_was_killed() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        b.end(network)
        with pytest.raises(ConnectionRefusedError, match="nobody listens on b:80"):
            await SimNet(network, a).connect("b", 80)
        with pytest.raises(trio.BrokenResourceError):
            await near.receive_some()

    on_two_machines(use)


def test_who_sends_more_than_is_read_has_to_wait() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        most = b"x" * (UNREAD_BYTES + 1)
        with trio.move_on_after(60) as waiting:
            await near.send_all(most)
        assert waiting.cancelled_caught
        got = 0
        while got < len(most):
            got += len(await far.receive_some())
        with trio.fail_after(60):
            await near.send_all(b"y")

    on_two_machines(use)


def test_who_aborts_takes_back_what_has_not_arrived() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        network.delay(1_000_000, ("a", "b"))
        await near.send_all(b"never mind")
        near.abort()
        with pytest.raises(trio.BrokenResourceError):
            await far.receive_some()

    on_two_machines(use)


def test_a_connection_that_both_have_closed_is_forgotten() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        there, back = network.way("a", "b"), network.way("b", "a")
        assert (len(there.pipes), len(back.pipes)) == (1, 1)
        await near.aclose()
        await far.aclose()
        assert not [*there.pipes, *back.pipes, *a.streams, *b.streams]
        assert network.reset("a", "b") == 0

    on_two_machines(use)


def test_who_gives_up_dialling_leaves_no_connection() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        listener = await SimNet(network, b).listen("b", 81)
        mend = network.cut(("b", "a"))
        with trio.move_on_after(5):
            await SimNet(network, a).connect("b", 81)
        mend()
        assert len(a.streams) == 1, "the other one is not kept"
        with trio.fail_after(5):
            theirs = await listener.accept()
            with pytest.raises(trio.BrokenResourceError):
                await theirs.receive_some()

    on_two_machines(use)


def test_who_is_killed_while_he_dials_knocks_at_no_door() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        listener = await SimNet(network, b).listen("b", 81)

        async def dial() -> None:
            with trio.CancelScope(shield=True), pytest.raises(ConnectionAbortedError):
                await SimNet(network, a).connect("b", 81)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial)
            await trio.lowlevel.checkpoint()
            a.end(network)
        with trio.move_on_after(60) as waiting:
            await listener.accept()
        assert waiting.cancelled_caught

    on_two_machines(use)


def test_who_waits_at_a_door_that_closes_is_sent_away() -> None:
    async def use(network: Network, near: Stream, far: Stream, a: Life, b: Life) -> None:
        listener = await SimNet(network, b).listen("b", 81)
        mine = await SimNet(network, a).connect("b", 81)
        await listener.aclose()
        with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
            await mine.receive_some()

    on_two_machines(use)


def torn(seed: int) -> bytes:
    """What is on the disk after a process was killed while it appended ``second``."""
    machine = Disk(Random(seed))

    async def main(whims: Whims) -> bytes:
        life = Life("a")
        disk = SimDisk(machine, life)
        file = await disk.open_append(FILE)
        await file.append(b"first\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.append, b"second\n")
            await trio.sleep(machine.dice.uniform(0, 0.000_6))
            life.dead = True
            nursery.cancel_scope.cancel()
        return bytes(machine.files[FILE])

    return seam.run(main, seed)


def test_a_kill_tears_what_was_not_synced_and_nothing_else() -> None:
    found = {torn(seed) for seed in range(60)}
    assert all(b"first\nsecond\n".startswith(data) and data[:6] == b"first\n" for data in found)
    assert {b"first\n", b"first\nsecond\n"} < found, "it may have been too early, or too late"
    assert len(found) > 4, "and anything between"


class Talker(Process):
    """Says hello to b for as long as it lives, and would say goodbye."""

    role = "talker"

    async def main(self, life: Life) -> None:
        stream = await self.net(life).connect("b", 80)
        disk = self.files(life)
        trace = self.trace(life)("talker")
        try:
            while True:
                await stream.send_all(b"hello ")
                await trio.sleep(1)
        finally:
            with trio.CancelScope(shield=True):
                trace(b"goodbye")
                await stream.send_all(b"goodbye")
                await disk.write_durable(FILE, b"goodbye")
                await stream.aclose()


class World(SimpleNamespace):
    """What a process lives in."""

    def random(self, stream: str) -> Random:
        return Random(stream)

    def wrote(self, trace: str, data: bytes) -> None:
        self.written.append(data)


def test_who_is_killed_says_nothing_more_to_anybody_and_lives_again() -> None:
    heard: list[bytes] = []

    async def listen(listener: Any) -> None:
        while True:
            stream = await listener.accept()
            try:
                while True:
                    heard.append(await stream.receive_some())
            except trio.BrokenResourceError:
                heard.append(b"| ")

    async def main(whims: Whims) -> tuple[World, Talker]:
        async with trio.open_nursery() as nursery:
            network = Network(lambda name: Random(name))
            world = World(nursery=nursery, network=network, whims=whims, crashes=[], written=[])
            nursery.start_soon(listen, await SimNet(network, Life("b")).listen("b", 80))
            talker = Talker(world, "a")
            for _ in range(2):
                talker.start()
                await trio.sleep(2.5)
                talker.kill()
                await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return world, talker

    world, talker = seam.run(main, 3, 0.2)
    assert b"".join(heard) == b"hello hello hello | hello hello hello | "
    assert not world.written
    assert not talker.disk.files
    assert not world.crashes
    assert (talker.lives, talker.alive) == (2, False)


class Lingerer(Process):
    """Takes long to end."""

    role = "lingerer"

    async def main(self, life: Life) -> None:
        self.world.wrote(self.name, f"begin {self.lives}".encode())
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            self.world.wrote(self.name, f"end {self.lives - 1}".encode())


def test_the_next_life_begins_when_the_last_one_is_gone() -> None:
    async def main(whims: Whims) -> World:
        async with trio.open_nursery() as nursery:
            network = Network(lambda name: Random(name))
            world = World(nursery=nursery, network=network, whims=whims, crashes=[], written=[])
            lingerer = Lingerer(world, "a")
            for _ in range(3):
                lingerer.start()
                await trio.sleep(1)
                lingerer.kill()
            lingerer.start()
            await trio.sleep(20)
            nursery.cancel_scope.cancel()
        return world

    written = seam.run(main, 0).written
    assert written[:3] == [b"begin 1", b"end 3", b"begin 4"], "two were killed before they began"


def of_masters(count: int, use: Callable[[Elections, list[Contender]], Awaitable[None]]) -> None:
    """Run `use(elections, its contenders)`, a second after these have joined."""

    async def main(whims: Whims) -> None:
        async with trio.open_nursery() as nursery:
            alarms = Alarms(nursery, 0)

            def later(seconds: float, do: Callable[[], None]) -> None:
                alarms.after(round(seconds * 1e6), do)

            elections, candidate, contenders = Elections(Random(0), 10.0, later), cast(Any, "m"), []
            for n in range(count):
                send, _ = trio.open_memory_channel[Leadership](4)
                master = Lingerer(World(), f"m{n}")
                contenders.append(Contender(master, Life("m"), candidate, send))
                elections.join(contenders[-1])
            await trio.sleep(1)
            await use(elections, contenders)

    seam.run(main, 0)


async def stop(elections: Elections, one: Contender, for_s: float) -> bool:
    """Stop a master for a while; whether it led all the same at the end of it."""
    one.master.paused = True
    elections.paused(one.master)
    await trio.sleep(for_s)
    leads = elections.leader is one.master
    one.master.paused = False
    elections.resumed(one.master)
    return leads


def test_a_lease_runs_out_only_in_one_long_stop() -> None:
    async def use(elections: Elections, contenders: list[Contender]) -> None:
        (one,) = contenders
        assert await stop(elections, one, 6)
        await trio.sleep(1)
        assert await stop(elections, one, 6)
        await trio.sleep(1)
        assert not await stop(elections, one, 12)

    of_masters(1, use)


def test_who_was_stopped_when_the_leader_died_is_elected_when_it_goes_on() -> None:
    async def use(elections: Elections, contenders: list[Contender]) -> None:
        (leads,) = [one for one in contenders if one.master is elections.leader]
        (other,) = [one for one in contenders if one is not leads]
        other.master.paused = True
        elections.lost(leads.master)
        await stop(elections, other, 5)
        await trio.sleep(1)
        assert elections.leader is other.master

    of_masters(2, use)


def test_a_deposed_leader_that_looks_is_told_at_once_and_once() -> None:
    async def use(elections: Elections, contenders: list[Contender]) -> None:
        (one,) = contenders
        news: Any = one.news
        SimElection(elections, one.master, one.life).look_now()
        assert news.statistics().current_buffer_used == 1, "elected, and nothing else"
        elections.depose(one.master)
        SimElection(elections, one.master, one.life).look_now()
        assert news.statistics().current_buffer_used == 2
        await trio.sleep(5)
        assert news.statistics().current_buffer_used == 2

    of_masters(1, use)
