"""Trio is a function of a seed, and says so when it is not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import trio
from trio._core import _run

from mesos_chaos.virtual import seam
from mesos_chaos.virtual.seam import PROCESS, JumpClock, SeamError, Whims

SEEDS = range(12)


def order_of(seed: int, hold_back: float) -> str:
    """In which order five tasks take four turns each."""
    said: list[str] = []

    async def talk(name: str) -> None:
        for _ in range(4):
            said.append(name)
            await trio.lowlevel.checkpoint()

    async def main(whims: Whims) -> str:
        async with trio.open_nursery() as nursery:
            for name in "abcde":
                nursery.start_soon(talk, name)
        return "".join(said)

    return seam.run(main, seed, hold_back)


def most_ahead(order: str) -> int:
    """By how many turns one task was ahead of another."""
    ahead, turns = 0, dict.fromkeys("abcde", 0)
    for name in order:
        turns[name] += 1
        ahead = max(ahead, max(turns.values()) - min(turns.values()))
    return ahead


def test_a_seed_is_an_order_and_another_seed_another_one() -> None:
    orders = [order_of(seed, 0.3) for seed in SEEDS]
    assert orders == [order_of(seed, 0.3) for seed in SEEDS]
    assert len(set(orders)) == len(orders)


def test_only_who_is_held_back_falls_behind_and_never_for_ever() -> None:
    assert {most_ahead(order_of(seed, 0.0)) for seed in SEEDS} == {1}
    held = [order_of(seed, 0.5) for seed in SEEDS]
    assert max(map(most_ahead, held)) > 1
    assert all(len(order) == 20 for order in held), "everybody had every turn"


def test_time_jumps_to_the_next_deadline_and_not_further() -> None:
    async def main(whims: Whims) -> list[float]:
        seen = []
        async with trio.open_nursery() as nursery:

            async def wake(after_s: float) -> None:
                await trio.sleep(after_s)
                seen.append(trio.current_time())

            for after_s in (3600.0, 0.5, 86_400.0):
                nursery.start_soon(wake, after_s)
        return seen

    assert seam.run(main, 0) == [0.5, 3600.0, 86_400.0]


def test_alarms_are_done_at_their_time_in_the_order_they_were_set() -> None:
    async def main(whims: Whims) -> list[str]:
        said: list[str] = []

        def say(name: str) -> Callable[[], None]:
            return lambda: said.append(f"{name} {trio.current_time()}")

        for name, after_s in (("late", 2.0), ("one", 1.0), ("two", 1.0)):
            seam.after(after_s, say(name))
        seam.after(1.5, say("never")).cancel()
        await seam.sleep(1.0)
        said.append("slept")
        await trio.sleep(1.5)
        return said

    assert seam.run(main, 0) == ["one 1.0", "two 1.0", "slept", "late 2.0"]


def test_who_sleeps_can_be_cancelled_and_is_not_woken_then() -> None:
    async def main(whims: Whims) -> float:
        with trio.move_on_after(1) as patience:
            await seam.sleep(5)
        assert patience.cancelled_caught
        with trio.move_on_after(1) as patience:
            await seam.until(lambda: False, 0.3, 5)
        assert patience.cancelled_caught
        await trio.sleep(10)
        return trio.current_time()

    assert seam.run(main, 0) == 12


def test_what_is_waited_for_is_seen_when_it_is_looked_at_next() -> None:
    async def main(whims: Whims) -> list[float]:
        seen: list[float] = []
        assert await seam.until(lambda: True, 0.25, 1)
        assert await seam.until(lambda: trio.current_time() >= 0.6, 0.25, 2)
        seen.append(trio.current_time())
        assert not await seam.until(lambda: trio.current_time() >= 99, 0.25, 2)
        seen.append(trio.current_time())
        return seen

    assert seam.run(main, 0) == [0.75, 2.75]


def test_what_is_simulated_needs_virtual_time() -> None:
    with pytest.raises(SeamError, match="virtual time"):
        trio.run(seam.sleep, 1)


def test_where_nothing_can_happen_any_more_that_is_said() -> None:
    async def main(whims: Whims) -> None:
        await trio.Event().wait()

    with pytest.raises(SeamError, match="nothing can happen"):
        seam.run(main, 0)


def test_who_is_stopped_does_nothing_until_he_goes_on() -> None:
    said: list[str] = []

    async def talk(name: str) -> None:
        PROCESS.set(name)
        for n in range(6):
            await trio.sleep(1)
            said.append(f"{name}{n}")

    async def main(whims: Whims) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, "a")
            nursery.start_soon(talk, "b")
            await trio.sleep(2.5)
            whims.freeze("a")
            await trio.sleep(2)
            assert said[-2:] == ["b2", "b3"], "a was stopped"
            whims.thaw("a")

    seam.run(main, 1, 0.2)
    assert [word for word in said if word[0] == "a"] == [f"a{n}" for n in range(6)]


def test_who_never_waits_needs_time_for_it_all_the_same() -> None:
    async def main(whims: Whims) -> float:
        while trio.current_time() < 1:
            await trio.lowlevel.checkpoint()
        return trio.current_time()

    assert 1 <= seam.run(main, 0) < 1.1


def test_what_a_stopped_process_has_asked_others_for_is_done() -> None:
    async def main(whims: Whims) -> None:
        async with trio.open_nursery() as nursery:
            done = {name: trio.Event() for name in ("a", "b")}

            async def do(name: str) -> None:
                done[name].set()

            async def ask() -> None:
                whims.freeze("a")
                seam.start_as("a", nursery, do, "a")
                seam.start_as("b", nursery, do, "b")

            seam.start_as("a", nursery, ask)
            await trio.sleep(1)
            assert not done["a"].is_set()
            assert done["b"].is_set()
            whims.thaw("a")

    seam.run(main, 0)


def test_everything_is_as_it_was_afterwards() -> None:
    before = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r
    order_of(0, 0.1)

    async def main(whims: Whims) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        seam.run(main, 0)
    assert (_run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r) == before


def test_this_trio_is_one_we_know() -> None:
    """The canary: when it fails, trio has changed, and `seam` is the one file to mend."""
    seam.check()
    assert _run.unrolled_run.__code__.co_names.count("_ALLOW_DETERMINISTIC_SCHEDULING") == 1


@pytest.mark.parametrize("name", ["_r", "GLOBAL_RUN_CONTEXT", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_another_trio_is_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_run, name)
    with pytest.raises(SeamError, match=name):
        seam.check()


def test_a_trio_that_draws_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(__code__=SimpleNamespace(co_names=("random",)))
    monkeypatch.setattr(_run, "unrolled_run", other)
    with pytest.raises(SeamError, match="shuffle"):
        seam.check()


def test_the_clock_never_goes_back() -> None:
    clock = JumpClock()
    assert clock.deadline_to_sleep_time(5.0) == 0.0
    clock.deadline_to_sleep_time(2.0)
    assert clock.current_time() == 5.0
