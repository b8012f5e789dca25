"""The page of a run: what it draws is what the traces hold, and it needs nothing but itself."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.__main__ import main
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import Header, Record, Trace
from mesos_spec.tools.judging.whole import WHOLE
from mesos_spec.tools.report import page as pages
from mesos_spec.tools.report.page import page
from mesos_spec.tools.report.timeline import Timeline, timeline


@cache
def traces() -> list[Trace]:
    """A small run in which an agent is killed."""
    return read(written_by(load_scenario("agent_killed")[1]))


def harness(*faults: tuple[float, str]) -> Trace:
    """What a harness says it did."""
    header = Header(
        trace="mesos-ref", version=1, role="harness", node="harness", incarnation="h", wall=0.0
    )
    records = [
        Record(seq=n, wall=at_s, fault={"kind": kind}) for n, (at_s, kind) in enumerate(faults)
    ]
    return Trace(path="harness.ndjson", header=header, records=records)


class Reader(HTMLParser):
    """Takes a page apart."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[tuple[str, str]] = Counter()
        self.urls: list[str] = []
        self.data = ""
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag, given.get("class") or ""] += 1
        self.urls += [str(v) for k, v in attrs if k in ("src", "href", "action")]
        self._in_data = given.get("id") == "data"

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False


def drawn(of: list[Trace], **more: Any) -> tuple[Reader, str]:
    """The page of a run, taken apart, and its text."""
    text = page(of, judge(of, WHOLE, Bounds()), title="a run", **more)
    reader = Reader()
    reader.feed(text)
    return reader, text


def test_every_record_message_and_life_is_there_once() -> None:
    reader, _ = drawn(traces())
    line = timeline(traces(), 10_000)
    records = sum(len(trace.records) for trace in traces())
    sent = sum(s.id is not None for t in traces() for r in t.records for s in r.sent)
    assert reader.tags["circle", "mark"] == records == len(json.loads(reader.data))
    assert reader.tags["line", "arrow"] + reader.tags["line", "lost"] == sent
    assert reader.tags["line", "life"] == len(traces())
    assert reader.tags["text", "name"] == len({(t.header.role, t.header.node) for t in traces()})
    assert reader.tags["rect", "tasks"] > 10
    assert reader.tags["rect", "offers"] > 0
    assert {arrow.hearer is None for arrow in line.arrows} == {True, False}


def test_an_arrow_leads_from_who_said_it_to_who_heard_it() -> None:
    line = timeline(traces(), 10_000)
    heard = [arrow for arrow in line.arrows if arrow.hearer is not None]
    for arrow in heard:
        assert arrow.hearer is not None
        said, got = line.marks[arrow.sender].record, line.marks[arrow.hearer].record
        assert got.heard is not None
        assert got.heard.msg in [s.msg for s in said.sent]


def test_what_a_killed_agent_did_not_hear_is_lost() -> None:
    """Leaving out one message's hearing turns its arrow into a stub."""
    before = Counter(arrow.hearer is None for arrow in timeline(traces(), 10_000).arrows)
    master = next(t for t in traces() if t.header.role == "master")
    at = next(n for n, r in enumerate(master.records) if r.heard is not None and r.heard.id)
    deaf = msgspec.structs.replace(master.records[at], heard=None)
    records = [*master.records[:at], deaf, *master.records[at + 1 :]]
    other = Trace(path=master.path, header=master.header, records=records)
    changed = [other if t is master else t for t in traces()]
    assert timeline(changed, 10_000).arrows != timeline(traces(), 10_000).arrows
    after = Counter(arrow.hearer is None for arrow in timeline(changed, 10_000).arrows)
    assert after[True] == before[True] + 1


def test_faults_are_bands_at_their_time() -> None:
    began_s = min(t.header.wall or 0.0 for t in traces())
    line = timeline([*traces(), harness((began_s + 1.5, "kill"), (began_s + 2, "cut"))], 10_000)
    assert [says for _, says in line.faults] == ["kill", "cut"]
    assert line.faults[0][0] == pytest.approx(1.5)
    reader, _ = drawn([*traces(), harness((began_s + 1.5, "kill"))])
    assert reader.tags["rect", "fault"] == 1


def test_a_task_is_drawn_from_when_it_is_shown_until_it_is_not() -> None:
    line = timeline(traces(), 10_000)
    for one in line.held:
        assert 0 <= one.from_s <= one.to_s <= line.ends_s
    agent = next(n for n, name in enumerate(line.lanes) if name.startswith("agent"))
    names = [one.name for one in line.held if one.lane == agent and one.name.startswith("tasks/")]
    shown = {
        key
        for trace in traces()
        if f"agent {trace.header.node}" == line.lanes[agent]
        for record in trace.records
        for key in (record.view or record.whole or {})
        if key.startswith("tasks/")
    }
    assert set(names) == shown


def test_the_page_needs_nothing_from_anywhere() -> None:
    reader, text = drawn(traces(), commands=["mesos-spec trace here"])
    assert not reader.urls
    assert "@import" not in text
    assert "mesos-spec trace here" in text


def test_what_a_trace_holds_is_quoted() -> None:
    """A message is from outside, and may hold anything."""
    evil = "</script><script>alert(1)</script><b>"
    first = traces()[0]
    record = msgspec.structs.replace(first.records[0], fault={"kind": evil})
    header = msgspec.structs.replace(first.header, node=evil)
    planted = Trace(path=evil, header=header, records=[record, *first.records[1:]])
    verdict = judge(traces(), WHOLE, Bounds())
    text = page([planted, *traces()[1:], harness((0.0, evil))], verdict, title=evil)
    reader = Reader()
    reader.feed(text)
    assert evil not in text
    assert reader.tags["script", ""] == 2
    assert not reader.tags["b", ""]
    assert json.loads(reader.data)[0], "and is whole behind the quotes"


def test_a_long_run_is_drawn_as_far_as_a_page_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_RECORDS", 50)
    reader, text = drawn(traces())
    assert reader.tags["circle", "mark"] == 50
    records = sum(len(trace.records) for trace in traces())
    assert f"The first 50 records; {records - 50:,} more are not drawn." in text


def test_the_record_that_is_wrong_is_red() -> None:
    run = traces()
    agent = next(t for t in run if t.header.role == "agent")
    at = next(n for n, r in enumerate(agent.records) if r.sent and r.sent[0].msg)
    mute = msgspec.structs.replace(agent.records[at], sent=[])
    records = [*agent.records[:at], mute, *agent.records[at + 1 :]]
    wrong = Trace(path=agent.path, header=agent.header, records=records)
    reader, text = drawn([wrong if t is agent else t for t in run])
    assert reader.tags["circle", "mark wrong"] == 1
    assert "<span class=violates>violates</span>" in text


def test_nothing_at_all_is_a_page_too() -> None:
    assert timeline([], 10) == Timeline()
    text = page([], judge([], WHOLE, Bounds()), title="nothing")
    assert "<svg" in text


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in written_by(load_scenario("agent_killed")[1]).items():
        (tmp_path / f"{name}.ndjson").write_bytes(data)
    where = tmp_path / "run.html"
    assert main(["trace", str(tmp_path), "--html", str(where)]) == 0
    assert "CONFORMS" in capsys.readouterr().out
    assert where.read_text().startswith("<!doctype html>")
    assert main(["trace", str(tmp_path), "--html", str(tmp_path / "no" / "run.html")]) == 5
    assert "cannot be written" in capsys.readouterr().err
