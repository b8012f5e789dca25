"""The judge does not believe a core (D3): five liars, each refused for the right reason.

A clean run is recorded, judged and conforms.  Then one record is changed as a lying core would
have written it, and the same run is judged again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.run import simulate
from mesos_chaos.sim.traces import read
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.verdict import Outcome, Verdict
from mesos_spec.tools.judging.whole import WHOLE

Lines = dict[str, list[dict[str, Any]]]


@cache
def _clean() -> dict[str, bytes]:
    """The trace of one clean run, by process."""
    scenario = load_scenario("leader_killed")[1]
    result, cluster = simulate(scenario, keep_lines=True)
    assert result.exit_code == 0
    assert cluster.judge.lines is not None
    return {name: b"".join(lines) for name, lines in cluster.judge.lines.items()}


def _lines() -> Lines:
    return {name: [json.loads(x) for x in data.splitlines()] for name, data in _clean().items()}


def _judged(lines: Lines) -> Verdict:
    written = {
        name: "\n".join(map(json.dumps, content)).encode() for name, content in lines.items()
    }
    return judge(read(written), WHOLE, Bounds())


def _find(lines: Lines, role: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first record of a `role` that is `wanted`."""
    for _, content in sorted(lines.items()):
        if content[0]["role"] == role:
            for record in content[1:]:
                if wanted(record):
                    return record
    raise AssertionError(f"the clean run has no such record of a {role}")


def _did(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda record: any(action == name for action, _ in record["did"])


def test_the_clean_run_conforms_offline_too() -> None:
    verdict = _judged(_lines())
    assert verdict.outcome is Outcome.CONFORMS
    assert verdict.steps > 500


def _right_claim_wrong_deed(lines: Lines) -> str:
    """It says it forwarded the update, and did; but what it sent says another state."""
    record = _find(lines, "master", _did("forward"))
    record["sent"][0]["msg"]["update"]["status"]["state"] = "TASK_LOST"
    return "is not what its actions send"


def _right_deed_wrong_claim(lines: Lines) -> str:
    """It acknowledged, and says it dropped the acknowledgement."""
    record = _find(lines, "master", _did("acknowledge"))
    record["did"] = [["drop_acknowledgement", {}]]
    return "drop_acknowledgement is refused"


def _silent(lines: Lines) -> str:
    """It did everything, and claims to have done nothing."""
    record = _find(lines, "agent", _did("run"))
    record["did"] = []
    return "no action took it"


def _starting(record: dict[str, Any]) -> str | None:
    """The key of a task that the record shows to have left STAGING."""
    shown = record.get("view") or {}
    return next((k for k, v in shown.items() if v and v.get("state") == "TASK_STARTING"), None)


def _stale_view(lines: Lines) -> str:
    """It shows a task as it was before."""
    record = _find(lines, "master", lambda r: _did("forward")(r) and _starting(r) is not None)
    key = _starting(record)
    record["view"] = {k: v for k, v in record["view"].items() if k != key}
    return "the node shows tasks/"


def _one_message_more(lines: Lines) -> str:
    """It sends an update twice, and says so once."""
    record = _find(lines, "master", _did("forward"))
    again = dict(record["sent"][0])
    again["id"] = [again["id"][0], again["id"][1] + 100_000]
    record["sent"].append(again)
    return "is not what its actions send"


LIARS = [
    _right_claim_wrong_deed,
    _right_deed_wrong_claim,
    _silent,
    _stale_view,
    _one_message_more,
]


@pytest.mark.parametrize("lie", LIARS, ids=lambda lie: lie.__name__.strip("_"))
def test_a_liar_is_refused(lie: Callable[[Lines], str]) -> None:
    lines = _lines()
    reason = lie(lines)
    verdict = _judged(lines)
    assert verdict.outcome is Outcome.VIOLATES
    violation = verdict.violations[0]
    assert reason in violation.says, violation.text()
    assert violation.party in ("master", "agent")
    assert verdict.exit_code == 4


def test_a_message_nobody_sent_is_an_orphan() -> None:
    """What was heard must be what was sent: here the sender's record is taken away."""
    lines = _lines()
    for content in lines.values():
        if content[0]["role"] == "master":
            for record in content[1:]:
                record["sent"] = [s for s in record["sent"] if s.get("to") != "scheduler"]
            break
    verdict = _judged(lines)
    assert verdict.outcome is Outcome.VIOLATES


def test_a_truncated_trace_is_followed_to_its_end() -> None:
    """A process that was killed leaves a trace that stops; the others' records still conform."""
    lines = _lines()
    name = next(n for n, c in sorted(lines.items()) if c[0]["role"] == "agent")
    kept = len(lines[name]) // 2
    sent = {tuple(s["id"]) for r in lines[name][kept:] for s in r["sent"] if "id" in s}
    lines[name] = lines[name][:kept]
    heard_later = [
        r
        for content in lines.values()
        for r in content[1:]
        if tuple(r["heard"].get("id") or ()) in sent
    ]
    verdict = _judged(lines)
    # Where nothing at all is left of a connection's sender, its trace is missing: unknown.
    wrong = (Outcome.VIOLATES, Outcome.UNKNOWN)
    assert verdict.outcome in (wrong if heard_later else (Outcome.CONFORMS,))
