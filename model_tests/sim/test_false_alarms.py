"""Runs that were called wrong and were not: each is a plan that must stay clean."""

from __future__ import annotations

from mesos_chaos.plan import Plan
from mesos_chaos.search.breaking import what_broke

#: An executor subscribes at a paused agent, and has hung up before that goes on.
HUNG_UP_MEANWHILE = (
    '{"cluster":{"masters":1,"agents":1,"timers":{"offer_timeout_s":1.0,"status_update_retry_'
    's":0.3,"agent_ping_timeout_s":0.3,"max_agent_ping_timeouts":2.0,"agent_reregister_timeou'
    't_s":1.0,"ping_timeout_s":0.5},"foreign":1,"foreign_calls":143},"workload":[{"name":"alp'
    'ha","items":6,"command":"sleep 1.5","cpus":0.2,"executor":"custom"}],"fault":[{"kind":"p'
    'ause","target":"agent:1","after":"scheduler.hear_offers#7","for_s":0.2},{"kind":"pause",'
    '"target":"agent:1","at_s":1.4,"for_s":4.0},{"kind":"depose","target":"leader","after":"m'
    'aster.admit#8"},{"kind":"reset","target":"scheduler:alpha","at_s":1.0},{"kind":"cut","ta'
    'rget":"agent:1","at_s":1.6,"for_s":1.5,"direction":"down"}],"expect":{"settles_within_s"'
    ':240.0},"seed":5736}'
)


def test_who_hung_up_while_an_agent_was_paused_is_not_open_for_ever_afterwards() -> None:
    assert what_broke(Plan.model_validate_json(HUNG_UP_MEANWHILE)) is None
