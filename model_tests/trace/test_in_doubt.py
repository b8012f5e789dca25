"""The last batch of an agent that was killed: its next life decides how much was kept (D4).

A simulated agent is killed and comes back.  Its last records are made one batch, and its next life
is made to find what there would be if only the first few of them had been kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging import view
from mesos_spec.tools.judging.judge import Judge
from mesos_spec.tools.judging.merge import Merger, Placed, heard_way, sent_way
from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.verdict import Outcome, Violation
from mesos_spec.tools.judging.whole import WHOLE

BATCH = 1_000_000
IN_DOUBT = 3


@cache
def _traces() -> list[Trace]:
    plan = load_scenario("agent_killed")[1].model_copy(update={"seed": 0})
    return read(written_by(plan))


@cache
def _story() -> tuple[list[Placed], list[Placed], Placed]:
    """What came before the last records of a killed agent, these, and its next life's first."""
    placed = list(Merger(_traces()))
    back = next(p for p in placed if p.trace.header.life > 1 and p.trace.header.role == "agent")
    node = back.trace.header.node
    mine = [p for p in placed if p.trace.header.node == node and p.trace.header.life == 1]
    kept = [p for p in mine if _changes(p)]
    last = mine[mine.index(kept[-IN_DOUBT]) :]
    said = {message for p in last for message in _sent(p)}
    before, deaf = [], {back.trace.path}
    for p in placed:
        if _heard(p) in said:
            deaf.add(p.trace.path)
        if p.trace.path in deaf:
            said.update(_sent(p))
        elif p not in last:
            before.append(p)
    told = {message for p in before for message in _sent(p)}
    return before, [p for p in last if _is_from_outside(p) or _heard(p) in told], back


def _sent(placed: Placed) -> Iterator[Any]:
    for sent in placed.record.sent:
        if sent.id is not None:
            yield sent_way(sent.to, sent.id[0]), sent.id[1]


def _heard(placed: Placed) -> Any:
    heard = placed.record.heard
    if heard is None or heard.id is None:
        return None
    return heard_way(placed.trace.header.role, heard.id[0]), heard.id[1]


def _is_from_outside(placed: Placed) -> bool:
    heard = placed.record.heard
    return heard is None or heard.id is None or heard.id[0] == "ext"


def _changes(placed: Placed) -> bool:
    return any(k.startswith(("tasks/", "updates/")) for k in placed.record.view or {})


def _in_one_batch(last: list[Placed], batch: int = BATCH) -> list[Placed]:
    return [p._replace(record=msgspec.structs.replace(p.record, batch=batch)) for p in last]


def _fed(placed: list[Placed]) -> Judge:
    judge = Judge(WHOLE, Bounds())
    for one in placed:
        found = judge.take(one)
        assert found is None, found.text()
    return judge


def _found_after(placed: list[Placed], agent: Any) -> dict[str, Any]:
    """What an agent finds that comes back after these records."""
    judge = _fed(placed)
    judge._lives.environment("crash_agent", agent=agent)
    judge._actions["start_agent"].apply(judge.s, {"agent": agent})
    return view.whole(judge.s, "agent", agent)


def _back(judge: Judge, back: Placed, found: dict[str, Any]) -> Violation | None:
    record = msgspec.structs.replace(back.record, did=[("start_agent", {})], sent=[], whole=found)
    return judge.take(back._replace(record=record))


def _agent(back: Placed) -> Any:
    assert back.record.whole is not None
    return back.record.whole["agent"]["id"]


def _views() -> list[dict[str, Any]]:
    """What the agent finds if none, one, … all of its last records were kept."""
    before, last, back = _story()
    prefixes = ([*before, *last[:kept]] for kept in range(len(last) + 1))
    return [_found_after(prefix, _agent(back)) for prefix in prefixes]


def test_the_views_tell_the_prefixes_apart() -> None:
    views = [msgspec.json.encode(v) for v in _views()]
    assert len(set(views)) >= IN_DOUBT


@pytest.mark.parametrize("kept", range(IN_DOUBT + 1))
def test_whatever_was_kept_is_taken_up(kept: int) -> None:
    before, last, back = _story()
    found = _views()[kept]
    judge = _fed([*before, *_in_one_batch(last)])
    steps = judge.verdict.steps
    assert _back(judge, back, found) is None
    assert judge.verdict.steps == steps + 1
    assert judge.verdict.taken["start_agent"] == _fed(before).verdict.taken["start_agent"] + 1
    assert view.whole(judge.s, "agent", _agent(back)) == found


def test_what_no_prefix_leads_to_is_refused() -> None:
    before, last, back = _story()
    found = dict(_views()[1])
    found.pop(next(key for key in sorted(found) if key.startswith("tasks/")))
    judge = _fed([*before, *_in_one_batch(last)])
    violation = _back(judge, back, found)
    assert violation is not None
    assert "whole view is not" in violation.says
    assert violation.party == "agent"


def test_an_earlier_batch_was_kept() -> None:
    """Only the last batch may be lost: what was before it is promised."""
    before, last, back = _story()
    batches = [*_in_one_batch(last[:1], BATCH), *_in_one_batch(last[1:], BATCH + 1)]
    assert _back(_fed([*before, *batches]), back, _views()[1]) is None
    violation = _back(_fed([*before, *batches]), back, _views()[0])
    assert violation is not None
    assert violation.party == "agent"


def test_a_batch_of_which_somebody_heard_was_kept() -> None:
    """Nothing of a batch leaves before all of it is kept."""
    before, last, back = _story()
    at = next(i for i, p in enumerate(last) if any(s.to == "master" for s in p.record.sent))
    letter = next(s for s in last[at].record.sent if s.to == "master")
    judge = _fed([*before, *_in_one_batch(last)])
    assert letter.id is not None
    judge.post._counts["up", letter.id[0]].heard = letter.id[1] + 1
    violation = _back(judge, back, _views()[0])
    assert violation is not None
    assert "whole view is not" in violation.says


def test_without_a_next_life_they_are_taken_as_they_are_written() -> None:
    before, last, _ = _story()
    verdict = _fed([*before, *_in_one_batch(last)]).finish()
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.records == len(before) + len(last)
