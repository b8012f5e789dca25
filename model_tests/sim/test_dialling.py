"""Who has lost its leader dials again in time, by what its records show (AGT-4, L6)."""

from __future__ import annotations

import pytest

from mesos_chaos.sim.dialling import Dialler
from mesos_spec.tools.judging.trace import Heard, Record, Sent

AGENT = {"registration_backoff_us": 100, "registration_backoff_max_us": 300}
SCHEDULER = {"backoff_us": 100, "backoff_max_us": 300}


def dials(now_us: int, name: str) -> Record:
    return Record(seq=0, now=now_us, sent=[Sent(do="connect", link=name)])


def ends(now_us: int, name: str) -> Record:
    return Record(seq=0, now=now_us, heard=Heard(local="ended", link=name))


def does(now_us: int, name: str) -> Record:
    return Record(seq=0, now=now_us, did=[(name, {})])


def closes(now_us: int, name: str) -> Record:
    return Record(seq=0, now=now_us, sent=[Sent(do="close_link", link=name)])


DIALLED = [does(0, "turn_to"), dials(50, "l1")]


@pytest.mark.parametrize(
    ("records", "due_us"),
    [
        ([does(0, "turn_to")], None),  # there may be executors of before to wait for
        (DIALLED, None),
        ([dials(50, "l1"), ends(100, "l1")], 300),  # to a leader that it knew: no turn, one wait
        ([*DIALLED, ends(100, "another")], None),
        ([*DIALLED, ends(100, "l1")], 300),  # it has failed once, so the wait is twice as long
        ([*DIALLED, closes(100, "l1")], 300),
        ([*DIALLED, ends(100, "l1"), dials(200, "l2"), ends(300, "l2")], 600),  # the longest
        ([*DIALLED, does(60, "be_registered"), ends(100, "l1")], 200),
        ([*DIALLED, ends(100, "l1"), does(120, "turn_to")], 220),
        ([*DIALLED, ends(100, "l1"), dials(200, "l2")], None),
    ],
)
def test_an_agent_has_as_long_as_its_waits_may_take(
    records: list[Record], due_us: int | None
) -> None:
    dialler = Dialler("agent", AGENT)
    for record in records:
        dialler.hear(record)
    assert dialler.due_us == due_us
    if due_us is not None:
        assert dialler.overdue_us(due_us) == 0
        assert dialler.overdue_us(due_us + 7) == 7
        dialler.excuse(1_000)  # it was paused until then
        assert dialler.overdue_us(1_001) == 1


def test_a_scheduler_knows_its_connection_by_its_stream_too() -> None:
    dialler = Dialler("scheduler", SCHEDULER)
    dialler.hear(Record(seq=0, sent=[Sent(do="connect", connection="c")]))
    opened = Heard(local="opened", connection="c", stream="s")
    dialler.hear(Record(seq=1, heard=opened))
    dialler.hear(Record(seq=2, heard=Heard(local="ended", stream="of-before")))
    assert dialler.due_us is None
    dialler.hear(Record(seq=3, now=50, heard=Heard(local="ended", stream="s")))
    assert dialler.due_us == 150
    dialler.hear(Record(seq=4, now=60, sent=[Sent(do="stop")]))
    assert dialler.due_us is None
