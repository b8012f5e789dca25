"""However much comes in one moment: little is done before others have the loop again.

What is counted are rounds of the loop: a leader renews its lease between any two of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref.http.messages import Request, Response
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.turns import ROUND_BYTES, TURN_BYTES, Turns
from model_tests.shell.master_bench import mastering
from model_tests.shell.memory_net import run_virtually, serving

CROWD = 1000
AT_ONCE = ROUND_BYTES // TURN_BYTES
ASK = b"POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"


class Rounds(trio.abc.Instrument):
    """Counts what happens in each round of the loop."""

    def __init__(self) -> None:
        self.round = 0
        self.counts: Counter[int] = Counter()

    def after_io_wait(self, timeout: float) -> None:
        self.round += 1

    def count(self) -> None:
        self.counts[self.round] += 1


def counting(then: Callable[..., None]) -> tuple[Rounds, Callable[..., None]]:
    """Rounds, and `then` counted in them; to be called where trio runs."""
    rounds = Rounds()
    trio.lowlevel.add_instrument(rounds)

    def counted(*args: object) -> None:
        rounds.count()
        then(*args)

    return rounds, counted


def test_turns_are_dealt_out_in_rounds_and_everybody_has_one() -> None:
    async def main() -> None:
        turns, start = Turns(round_bytes=1000, turn_bytes=100), trio.Event()
        rounds, work = counting(lambda: None)

        async def worker(size: int) -> None:
            await start.wait()
            await turns.take(size)
            work()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(turns.deal)
            for _ in range(CROWD):
                nursery.start_soon(worker, 0)
            nursery.start_soon(worker, 5000)
            await wait_all_tasks_blocked()
            start.set()
            await wait_all_tasks_blocked()
            assert (rounds.counts.total(), max(rounds.counts.values())) == (CROWD + 1, 10)
            nursery.cancel_scope.cancel()

    run_virtually(main)


def test_a_budget_that_is_not_used_up_wakes_nobody() -> None:
    """What is quiet costs no more than its turns: nothing else runs."""

    async def main() -> None:
        turns = Turns(round_bytes=1000, turn_bytes=100)
        steps: Counter[str] = Counter()

        class Steps(trio.abc.Instrument):
            def before_task_step(self, task: trio.lowlevel.Task) -> None:
                steps[task.name.rpartition(".")[2]] += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(turns.deal)
            await wait_all_tasks_blocked()
            trio.lowlevel.add_instrument(Steps())
            for _ in range(9):
                await turns.take()
                await trio.lowlevel.checkpoint()
            assert not steps["deal"]
            await turns.take()
            await turns.take()
            assert steps["deal"]
            nursery.cancel_scope.cancel()

    run_virtually(main)


def test_who_stops_waiting_for_a_turn_takes_none() -> None:
    async def main() -> None:
        turns = Turns(round_bytes=1, turn_bytes=1)
        async with trio.open_nursery() as nursery:
            await turns.take()
            with trio.move_on_after(1) as waited:
                await turns.take()
            assert waited.cancelled_caught, "nobody deals"
            nursery.start_soon(turns.deal)
            await turns.take()
            nursery.cancel_scope.cancel()

    run_virtually(main)


def test_a_thousand_links_that_end_at_once_are_seen_to_in_turns() -> None:
    async def main() -> None:
        async with mastering() as bench:
            links = [await bench.dial(f"a{n}") for n in range(CROWD)]
            await wait_all_tasks_blocked()
            rounds, bench.shell.links._post_nowait = counting(bench.shell.links._post_nowait)
            for link in links:
                link.stream.abort()
            await wait_all_tasks_blocked()
            assert rounds.counts.total() == CROWD
            assert max(rounds.counts.values()) <= AT_ONCE

    run_virtually(main)


def test_a_thousand_subscribers_that_go_at_once_are_seen_to_in_turns() -> None:
    async def main() -> None:
        rounds, lost = counting(lambda why: None)

        async def subscribed(request: Request) -> Response | StreamResponse:
            return StreamResponse(on_lost=lost)

        async with serving(subscribed) as listener:
            clients = [listener.dial() for _ in range(CROWD)]
            for client in clients:
                await client.send_all(ASK)
            await wait_all_tasks_blocked()
            for client in clients:
                client.abort()
            await wait_all_tasks_blocked()
            assert rounds.counts.total() == CROWD
            assert max(rounds.counts.values()) <= AT_ONCE

    run_virtually(main)


def test_a_thousand_requests_at_once_are_read_in_turns() -> None:
    async def main() -> None:
        rounds, answered = counting(lambda: None)

        async def handler(request: Request) -> Response:
            answered()
            return Response(200)

        async with serving(handler) as listener:
            clients = [listener.dial() for _ in range(CROWD)]
            await wait_all_tasks_blocked()
            async with trio.open_nursery() as nursery:
                for client in clients:
                    nursery.start_soon(client.send_all, ASK)
            await wait_all_tasks_blocked()
            assert rounds.counts.total() == CROWD
            assert max(rounds.counts.values()) <= AT_ONCE

    run_virtually(main)
