"""The clock port: microseconds that never wake a sleeper too early."""

from __future__ import annotations

from datetime import datetime

import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.ports.clock import Clock, TrioClock
from model_tests.shell.memory_net import run_virtually


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_a_sleeper_wakes_when_it_is_time(pauses_us: list[int]) -> None:
    async def main() -> None:
        clock: Clock = TrioClock()
        for pause_us in pauses_us:
            due_us = clock.now_us() + pause_us
            await clock.sleep_until_us(due_us)
            assert due_us <= clock.now_us() <= due_us + 1

    run_virtually(main)


def test_wall_time_can_be_given() -> None:
    async def main() -> None:
        clock = TrioClock(wall_start_us=1_000_000)
        assert clock.wall_us() == 1_000_000
        await trio.sleep(2.5)
        assert clock.wall_us() == 3_500_000

    run_virtually(main)


def test_real_time_is_real() -> None:
    async def main() -> None:
        clock = TrioClock()
        wall_us = clock.wall_us()
        assert datetime.fromtimestamp(wall_us / 1e6).year >= 2026
        due_us = clock.now_us() + 2000
        await clock.sleep_until_us(due_us)
        assert clock.now_us() >= due_us
        assert clock.wall_us() >= wall_us + 2000

    trio.run(main)
