"""`did` only orders the judge's search: judged blind, a run gets the same verdict (D3)."""

from __future__ import annotations

import json

import pytest

from mesos_chaos.plan import load_scenario, shipped
from mesos_chaos.sim.run import simulate
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.blind import BlindJudge
from mesos_spec.tools.judging.merge import Merger
from mesos_spec.tools.judging.trace import Trace, parse_header, parse_record
from mesos_spec.tools.judging.verdict import Outcome
from mesos_spec.tools.judging.whole import WHOLE


def _traces(name: str, without_claims: bool = True) -> list[Trace]:
    """The traces of a simulated run, every claim taken out of them."""
    result, cluster = simulate(load_scenario(name)[1], keep_lines=True)
    assert result.verdict.outcome is Outcome.CONFORMS
    assert cluster.judge.lines is not None
    traces = []
    for process, pieces in sorted(cluster.judge.lines.items()):
        header, *lines = b"".join(pieces).splitlines()
        records = []
        for seq, line in enumerate(lines):
            record = json.loads(line)
            if without_claims:
                record["did"] = []
            records.append(parse_record(json.dumps(record).encode(), process, seq))
        traces.append(Trace(path=process, header=parse_header(header, process), records=records))
    return traces


def _judged(traces: list[Trace]) -> BlindJudge:
    judge = BlindJudge(WHOLE, Bounds())
    for placed in Merger(traces):
        if judge.take(placed) is not None:
            break
    return judge


@pytest.mark.parametrize("name", sorted(shipped()))
def test_blind_the_verdict_is_the_same(name: str) -> None:
    """Nothing of the claims is left in the records, and every one of them is explained."""
    judge = _judged(_traces(name))
    assert judge.helpless == 0
    verdict = judge.finish()
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.steps > 0.5 * verdict.records


def test_blind_a_wrong_deed_is_refused_too() -> None:
    traces = _traces("leader_killed")
    for trace in traces:
        assert isinstance(trace.records, list)
        for at, record in enumerate(trace.records):
            if trace.header.role != "master" or len(record.sent) != 1:
                continue
            text = json.dumps(record.sent[0].msg)
            if '"TASK_RUNNING"' in text:
                msg = json.loads(text.replace("TASK_RUNNING", "TASK_LOST"))
                sent = type(record.sent[0])(id=record.sent[0].id, to=record.sent[0].to, msg=msg)
                changed = {f: getattr(record, f) for f in record.__struct_fields__}
                trace.records[at] = type(record)(**{**changed, "sent": [sent]})
                judge = _judged(traces)
                assert judge.verdict.outcome is Outcome.VIOLATES
                return
    raise AssertionError("no master forwarded TASK_RUNNING")
