"""Nothing comes before its time: at agents and schedulers, by the clock of their process (D7)."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_spec.tools.judging.clocks import Clocks
from mesos_spec.tools.judging.trace import Heard, Record, Sent

TICK = Heard(local="tick")
SECOND_US = 1_000_000
CONFIG = {
    "ping_timeout_us": 10 * SECOND_US,
    "missed_heartbeats": 4,
    "reconcile_us": 2 * SECOND_US,
    "reconcile_max_us": 6 * SECOND_US,
}
SUBSCRIBED = Heard(id=("s", 0), msg={"subscribed": {"heartbeat_interval_seconds": 1.0}})
EVENT = Heard(id=("s", 1), msg={"type": "HEARTBEAT"})
ELSEWHERE = Heard(id=("r", 1), msg={"type": "HEARTBEAT"})
ENDED = Heard(local="ended", stream="s")
ASKED = Heard(local="asked")
UNREACHABLE = Heard(id=("s", 1), msg={"update": {"status": {"state": "TASK_UNREACHABLE"}}})
RUNNING = Heard(id=("s", 1), msg={"update": {"status": {"state": "TASK_RUNNING"}}})
ASKS = Sent(msg={"type": "RECONCILE", "reconcile": {"tasks": [{"task_id": {"value": "t"}}]}})
ASKS_FOR_ALL = Sent(msg={"type": "RECONCILE", "reconcile": {}})

Step = tuple[int, Heard | None, str | None, list[Sent]]


def play(*steps: Step) -> Clocks:
    """The clock of a process that has done all that: when, what it heard, did, and sent."""
    clocks = Clocks(config=CONFIG)
    for second, heard, name, sent in steps:
        now_us = second * SECOND_US
        did: list[tuple[str, dict[str, Any]]] = [] if name is None else [(name, {})]
        record = Record(seq=0, now=now_us, heard=heard, did=did, sent=sent)
        clocks.now(record)
        if name is not None:
            assert clocks.too_soon(name, {}, now_us) is None
            clocks.took(name, {}, now_us, record)
        clocks.over(record)
    return clocks


def due_s(clocks: Clocks, name: str, heard: Heard | None = TICK) -> int | None:
    """From which second on `name` may be done; None: at any time."""
    clocks.now(Record(seq=1, now=0, heard=heard))
    seconds = range(100)
    return next((s for s in seconds if clocks.too_soon(name, {}, s * SECOND_US) is None), None)


@pytest.mark.parametrize("sign", ["register", "be_registered", "answer_ping"])
def test_an_agent_leaves_a_silent_leader_after_a_while(sign: str) -> None:
    """AGT-10: of itself; a link that ends may end at any time."""
    clocks = play((3, None, sign, []))
    assert due_s(clocks, "drop_link") == 13
    assert due_s(clocks, "drop_link", ENDED) == 0


def test_a_scheduler_leaves_a_stream_that_was_silent_for_some_heartbeats() -> None:
    begun: Step = (1, SUBSCRIBED, "be_subscribed", [])
    assert due_s(play(begun), "lose_stream") == 5
    assert due_s(play(begun, (3, EVENT, None, [])), "lose_stream") == 7
    assert due_s(play(begun, (3, ELSEWHERE, None, [])), "lose_stream") == 5
    assert due_s(play(begun, (3, EVENT, None, [])), "lose_stream", ENDED) == 0
    assert due_s(play(begun, (3, ENDED, "lose_stream", [])), "lose_stream") == 0


def test_who_asks_asks_again_at_growing_intervals() -> None:
    """REC-10."""
    begun: Step = (0, SUBSCRIBED, "be_subscribed", [ASKS, ASKS, ASKS_FOR_ALL])
    assert due_s(play(begun), "call") == 2
    assert due_s(play(begun, (2, TICK, "call", [ASKS, ASKS])), "call") == 6
    twice: list[Step] = [(2, TICK, "call", [ASKS]), (6, TICK, "call", [ASKS])]
    assert due_s(play(begun, *twice), "call") == 12  # as long as it ever waits
    assert due_s(play(begun, *twice, (7, RUNNING, "hear_update", [])), "call") == 12
    assert due_s(play(begun, *twice, (7, UNREACHABLE, "hear_update", [])), "call") == 8
    assert due_s(play(begun, (1, ASKED, "call", [ASKS])), "call") == 2
    assert due_s(play(begun), "call", ASKED) == 0  # users may ask whenever they like
    assert due_s(play((0, SUBSCRIBED, "be_subscribed", [ASKS_FOR_ALL])), "call") == 0
