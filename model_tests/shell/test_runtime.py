"""The loop that owns a core: what comes before what, who waits, and what a broken core does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mesos_ref import runtime
from mesos_ref.ports.clock import TrioClock
from mesos_ref.step import Answer, Effect, Persist, Step

S = 1_000_000


class EchoCore:
    """Answers each event with itself, after persisting it; wakes at the times it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.deadlines: list[int] = []

    @property
    def next_deadline(self) -> int | None:
        return min(self.deadlines, default=None)

    def handle(self, event: str, now_us: int) -> Step:
        if event == "break":
            raise KeyError("a guard was forgotten")
        self.heard.append((event, now_us))
        if event == "tick":
            self.deadlines = [at for at in self.deadlines if at > now_us]
            return Step()
        if event.startswith("wake "):
            self.deadlines.append(now_us + int(event.removeprefix("wake ")) * S)
        return Step(effects=(Persist(event, len(self.heard)), Answer(event, 202)))


class Log:
    """Everything the owner does, in order; stands in for trace, disk and network."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def record(self, event: str, now_us: int, step: Step, batch: int) -> None:
        self.lines.append(f"record {event}")

    def write(self) -> None:
        self.lines.append("write")

    def close(self, now_us: int) -> None:
        self.lines.append("close")

    async def keep(self, values: Mapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        self.lines.append(f"keep {' '.join(values)}")

    def perform(self, effects: Sequence[Effect]) -> None:
        assert not any(isinstance(effect, Persist) for effect in effects)
        self.lines.append(f"do {' '.join(e.request for e in effects if isinstance(e, Answer))}")


def owner_of(core: EchoCore, log: Log, queue_events: int = 100) -> runtime.Owner[str]:
    return runtime.Owner(
        core,
        clock=TrioClock(),
        tick="tick",
        perform=log.perform,
        keep=log.keep,
        recorder=log,
        queue_events=queue_events,
    )


def test_a_batch_is_recorded_then_kept_then_done() -> None:
    log = Log()

    async def main() -> None:
        owner = owner_of(EchoCore(), log)
        for event in ("a", "b", "c"):
            await owner.post(event)
        owner.stop()
        await owner.run()

    trio.run(main)
    assert log.lines == [
        *("record a", "record b", "record c"),
        *("write", "keep a b c", "do a b c", "close"),
    ]


class Laborious(EchoCore):
    """Every event takes it a while."""

    def __init__(self, clock: MockClock, takes_s: float) -> None:
        super().__init__()
        self.clock, self.takes_s = clock, takes_s

    def handle(self, event: str, now_us: int) -> Step:
        self.clock.jump(self.takes_s)
        return super().handle(event, now_us)


@pytest.mark.parametrize(("takes_s", "most"), [(0.0, 256), (0.001, 50), (0.02, 3), (1.0, 1)])
def test_a_batch_ends_when_it_has_taken_long(takes_s: float, most: int) -> None:
    """However much is queued, others have the loop soon."""
    log, clock = Log(), MockClock()

    async def main() -> None:
        owner = owner_of(Laborious(clock, takes_s), log, queue_events=1000)
        for n in range(600):
            await owner.post(f"event {n}")
        owner.stop()
        await owner.run()

    trio.run(main, clock=clock)
    lengths = [0]
    for line in log.lines:
        if line.startswith("record"):
            lengths[-1] += 1
        elif line == "write":
            lengths.append(0)
    assert (sum(lengths), max(lengths)) == (600, most)


def test_what_comes_while_a_batch_is_kept_is_the_next_batch() -> None:
    log = Log()

    async def main() -> None:
        owner = owner_of(EchoCore(), log)
        keep = log.keep

        async def slow_disk(values: Mapping[str, Any]) -> None:
            if "a" in values:
                owner.post_nowait("b")
                owner.post_nowait("c")
                owner.stop()
            await keep(values)

        owner._keep = slow_disk
        owner.post_nowait("a")
        await owner.run()

    trio.run(main)
    assert [line for line in log.lines if line.startswith("do")] == ["do a", "do b c"]


def test_a_core_is_woken_when_it_asked_to_be_and_not_otherwise() -> None:
    core = EchoCore()

    async def main() -> None:
        owner = owner_of(core, Log())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            start = trio.current_time()
            for event in ("wake 30", "wake 10", "wake 20"):
                await owner.post(event)
            await trio.sleep(5)
            await owner.post("wake 1")
            await trio.sleep(60)
            owner.stop()
        ticks = [round(at / S - start) for event, at in core.heard if event == "tick"]
        assert ticks == [6, 10, 20, 30]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_deadline_that_moves_later_wakes_nobody_in_between() -> None:
    core = EchoCore()

    async def main() -> None:
        owner = owner_of(core, Log())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            start = trio.current_time()
            await owner.post("wake 10")
            await trio.sleep(1)
            core.deadlines = [int((start + 40) * S)]
            await trio.sleep(60)
            owner.stop()
        assert [round(at / S - start) for event, at in core.heard if event == "tick"] == [40]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_what_is_due_at_once_is_part_of_the_batch() -> None:
    log = Log()

    async def main() -> None:
        owner = owner_of(EchoCore(), log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            await owner.post("wake 0")
            await wait_all_tasks_blocked()
            owner.stop()

    trio.run(main)
    assert log.lines[:3] == ["record wake 0", "record tick", "write"]


def test_whoever_posts_into_a_full_queue_waits() -> None:
    core = EchoCore()

    async def main() -> None:
        owner = owner_of(core, Log(), queue_events=2)

        async def post_many() -> None:
            for number in range(5):
                await owner.post(str(number))
            owner.stop()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(post_many)
            await wait_all_tasks_blocked()
            assert len(owner._queue) == 2
            owner.post_nowait("cannot wait")
            nursery.start_soon(owner.run)

    trio.run(main)
    assert [event for event, _ in core.heard] == ["0", "1", "cannot wait", "2", "3", "4"]


def test_a_core_that_raises_ends_everything_and_sends_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Log()

    async def main() -> None:
        owner = owner_of(EchoCore(), log)
        for event in ("a", "break", "b"):
            await owner.post(event)
        with pytest.raises(runtime.CoreFailed, match="a guard was forgotten"):
            await owner.run()
        await owner.post("nobody listens")
        assert owner.is_stopping

    trio.run(main)
    assert log.lines == ["record a", "write"]  # what was heard before is known, nothing is sent
    assert "a guard was forgotten" in caplog.text
    assert "Traceback" in caplog.text


def test_nothing_is_lost_silently_when_there_is_nowhere_to_keep_it() -> None:
    async def main() -> None:
        log = Log()
        owner: runtime.Owner[str] = runtime.Owner(
            EchoCore(), clock=TrioClock(), tick="tick", perform=log.perform
        )
        owner.post_nowait("a")
        with pytest.raises(runtime.CoreFailed, match="nowhere to keep a"):
            await owner.run()
        assert log.lines == []

    trio.run(main)
