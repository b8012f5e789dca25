"""Virtual time and its random streams: order, cancelling, and independence."""

from __future__ import annotations

from mesos_chaos.sim.loop import Loop


def test_what_is_due_at_the_same_time_happens_in_the_order_it_was_asked_for() -> None:
    loop, seen = Loop(0), list[str]()
    loop.at(20, lambda: seen.append("late"))
    loop.at(10, lambda: seen.append("first"))
    loop.after(10, lambda: seen.append("second"))
    assert not loop.run(100)
    assert seen == ["first", "second", "late"]
    assert loop.now_us == 100
    assert loop.events == 3


def test_what_is_cancelled_does_not_happen_and_is_not_counted() -> None:
    loop, seen = Loop(0), list[str]()
    timer = loop.at(10, lambda: seen.append("never"))
    timer.cancel()
    loop.run(100)
    assert seen == []
    assert loop.events == 0


def test_nothing_happens_in_the_past() -> None:
    loop, seen = Loop(0), list[int]()
    loop.run(1_000)
    loop.at(5, lambda: seen.append(loop.now_us))
    loop.run(2_000)
    assert seen == [1_000]


def test_the_loop_stops_as_soon_as_it_is_told_to() -> None:
    loop, seen = Loop(0), list[int]()
    for due in (1, 2, 3):
        loop.at(due, lambda due=due: seen.append(due))  # type: ignore[misc]
    assert loop.run(10, lambda: len(seen) == 2)
    assert seen == [1, 2]
    assert loop.now_us == 2


def test_one_stream_knows_nothing_of_another() -> None:
    """One more draw on one link must not change what another link does."""
    quiet, busy = Loop(7), Loop(7)
    busy.random("link a").random()
    assert quiet.random("link b").random() == busy.random("link b").random()
    assert quiet.random("link b").random() != Loop(8).random("link b").random()
