"""What a record shows that must end, and does not, is overdue: pings, failovers, graces."""

from __future__ import annotations

from typing import Any

import pytest

from mesos_chaos.sim.punctual import SLACK_US, Punctuality
from mesos_spec.tools.judging.trace import Header, Heard, Record, Trace

CONFIG = {
    "agent_ping_timeout_us": 1_000_000,
    "max_agent_ping_timeouts": 2,
    "allocation_interval_us": 1_000_000,
    "executor_shutdown_grace_us": 3_000_000,
    "executor_registration_timeout_us": 2_000_000,
}
PING = Record(seq=0, now=0, did=[("ping", {"agent": "a"})])
PONG = Record(seq=1, now=1, did=[("hear_pong", {"agent": "a"})])
GONE = Record(seq=1, now=1, view={"agents/a": None})
SUBSCRIBE = Record(
    seq=0,
    heard=Heard(msg={"subscribe": {"framework_info": {"failover_timeout": 4.0}}}),
    did=[("subscribe", {"framework": "f"})],
)
IMPATIENT = Record(
    seq=0,
    heard=Heard(msg={"subscribe": {"framework_info": {"failover_timeout": 0.0}}}),
    did=[("subscribe", {"framework": "f"})],
)
AWAY: dict[str, Any] = {"frameworks/f": {"standing": "disconnected"}}
LEFT = Record(seq=1, now=0, view=AWAY)
ENDING: dict[str, Any] = {"executors/f/e": {"phase": "terminating"}}
TOLD = Record(seq=0, now=0, view=ENDING)
BORN = Record(seq=0, now=0, view={"executors/f/e": {"phase": "registering"}})
TOLD_LATER = Record(seq=1, now=1_000_000, view=ENDING)
FILTERED: dict[str, Any] = {"filters/f/a/*": [{"cpus": 1000}]}
DECLINED = Record(
    seq=0,
    now=0,
    heard=Heard(msg={"decline": {"filters": {"refuse_seconds": 3.0}}}),
    view=FILTERED,
)
DECLINED_NEGATIVELY = Record(
    seq=0,
    now=0,
    heard=Heard(msg={"decline": {"filters": {"refuse_seconds": -1.0}}}),
    whole=FILTERED,
)
ACCEPTED = Record(seq=1, now=1_000_000, heard=Heard(msg={"accept": {}}), view=FILTERED)
DECLINED_SHORTLY = Record(
    seq=0,
    now=0,
    heard=Heard(msg={"decline": {"filters": {"refuse_seconds": 0.1}}}),
    view=FILTERED,
)
FREE_AGAIN = Record(seq=2, now=2_000_000, view={"filters/f/a/*": None})
STILL = Record(seq=1, now=2_000_000, view=ENDING)


@pytest.mark.parametrize(
    ("role", "records", "view", "limit_us", "key"),
    [
        ("master", [PING], {}, 2_000_000, "pings/a"),
        ("master", [SUBSCRIBE, LEFT], AWAY, 4_000_000, "frameworks/f"),
        ("master", [IMPATIENT, LEFT], AWAY, 0, "frameworks/f"),
        ("agent", [TOLD], ENDING, 3_000_000, "executors/f/e"),
        ("agent", [TOLD, STILL], ENDING, 3_000_000, "executors/f/e"),
        ("agent", [BORN, TOLD_LATER], ENDING, 4_000_000, "executors/f/e"),
        ("master", [DECLINED], FILTERED, 3_000_000, "filters/f/a/*"),
        ("master", [DECLINED_NEGATIVELY], FILTERED, 5_000_000, "filters/f/a/*"),
        ("master", [DECLINED, ACCEPTED], FILTERED, 6_000_000, "filters/f/a/*"),
        ("master", [DECLINED_SHORTLY], FILTERED, 1_000_000, "filters/f/a/*"),
        ("master", [DECLINED, FREE_AGAIN], FILTERED, None, ""),
        ("master", [PING, PONG], {}, None, ""),
        ("master", [PING, GONE], {}, None, ""),
    ],
)
def test_what_lasts_too_long_is_overdue(
    role: str, records: list[Record], view: dict[str, Any], limit_us: int | None, key: str
) -> None:
    header = Header(
        trace="mesos-ref", version=1, role=role, node="n", incarnation="n.1", config=CONFIG
    )
    punctuality = Punctuality()
    for record in records:
        punctuality.hear("n.1", Trace(path="n.1", header=header, records=[]), record)
    if limit_us is None:
        assert punctuality.look("n.1", 1_000_000_000, lambda: view) == []
        return
    assert punctuality.look("n.1", limit_us + SLACK_US, lambda: view) == []
    [late] = punctuality.look("n.1", limit_us + SLACK_US + 1, lambda: view)
    assert late.startswith(f"n.1: {key} ")
