"""Traces as documented: golden files, schema, and back again; secrets out; one write a batch."""

from __future__ import annotations

import errno
import json
import os
import stat
import typing
from pathlib import Path
from typing import Any

import pytest

from mesos_ref.agent import events as agent_events
from mesos_ref.executor import events as executor_events
from mesos_ref.master import events as master_events
from mesos_ref.scheduler import events as scheduler_events
from mesos_ref.scheduler.tracing import config_of
from mesos_ref.step import SendEvent, Step
from mesos_ref.trace import WHOLE_EVERY, TraceFile, TraceWriter, file_name, header, tracing_of
from mesos_ref.wire import json as wire_json
from mesos_ref.wire import scheduler
from mesos_ref.wire.executor import SHUTDOWN
from model_tests.trace import values
from model_tests.trace.examples import EXAMPLES, HARNESS, golden
from model_tests.trace.schema import faults
from model_tests.trace.scripted import Line, Scripted, written

DOCS = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((DOCS / "trace.schema.json").read_text())
GOLDENS = [*EXAMPLES, "harness"]


def lines_of(data: bytes) -> list[dict[str, Any]]:
    """The JSON of each line."""
    return [json.loads(line) for line in data.splitlines()]


# Goldens and schema -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_goldens_are_what_is_written(name: str) -> None:
    """If this change of the format is wanted: python -m model_tests.trace.examples."""
    role, lines = EXAMPLES[name]
    assert written(role, lines).decode().splitlines() == golden(name).read_text().splitlines()


def test_the_harness_golden_is_the_one_shown() -> None:
    assert golden("harness").read_bytes() == HARNESS


@pytest.mark.parametrize("name", GOLDENS)
def test_goldens_fit_the_schema(name: str) -> None:
    for number, line in enumerate(lines_of(golden(name).read_bytes())):
        assert list(faults(line, SCHEMA, SCHEMA)) == [], f"line {number}: {line}"


def test_the_schema_refuses_what_is_wrong() -> None:
    good = lines_of(golden("master").read_bytes())[3]
    spoiled: list[dict[str, Any]] = [
        {"seq": -1},
        {"seq": "0"},
        {"heard": {"local": "elected"}},
        {"heard": {"local": "guessed"}},
        {"heard": {"id": ["c"], "msg": {"type": "X"}, "from": "agent"}},
        {"heard": {"id": ["c", 0], "msg": {}, "from": "agent"}},
        {"sent": [{"do": "something"}]},
        {"sent": [{"id": ["c", 0], "msg": {"type": "X"}, "to": "nobody"}]},
        {"did": [["offer"]]},
        {"whole": {}},
    ]
    for spoil in spoiled:
        assert list(faults({**good, **spoil}, SCHEMA, SCHEMA)), spoil
    assert list(faults({"trace": "other"}, SCHEMA, SCHEMA))


EVENTS: dict[str, Any] = {
    "agent": agent_events.Event,
    "executor": executor_events.Event,
    "master": master_events.Event,
    "scheduler": scheduler_events.Event,
}


@pytest.mark.parametrize("role", EVENTS)
def test_goldens_have_every_event(role: str) -> None:
    shown = {type(line.event) for line in EXAMPLES[role][1]}
    assert shown == set(typing.get_args(EVENTS[role]))


def test_goldens_have_everything_the_schema_knows() -> None:
    locals_: set[str | None] = set()
    done: set[str | None] = set()
    for name in GOLDENS:
        for line in lines_of(golden(name).read_bytes()):
            locals_.add(line.get("heard", {}).get("local"))
            done.update(entry.get("do") for entry in line.get("sent", ()))
    known = json.dumps(SCHEMA["$defs"]["local"]) + json.dumps(SCHEMA["$defs"]["done"])
    for word in (locals_ | done) - {None}:
        assert f'"{word}"' in known
    assert len(locals_ - {None}) == 21
    assert len(done - {None}) == 16


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_event_comes_back(name: str) -> None:
    """`event_of` undoes `heard_of`, up to what was redacted."""
    role, lines = EXAMPLES[name]
    tracing = tracing_of(role)
    for line in lines:
        heard = json.loads(wire_json.dump(tracing.heard_of(line.event)))
        event = tracing.event_of(heard)
        assert type(event) is type(line.event)
        assert json.loads(wire_json.dump(tracing.heard_of(event))) == heard
        if "redacted" not in str(heard):
            assert event == line.event


@pytest.mark.parametrize("role", EVENTS)
def test_what_no_core_hears_is_refused(role: str) -> None:
    with pytest.raises(ValueError, match="hears no 'guessed'"):
        tracing_of(role).event_of({"local": "guessed"})


# The document -------------------------------------------------------------------------------------


def test_the_document_shows_lines_of_the_goldens() -> None:
    shown = [
        line
        for line in (DOCS / "trace.md").read_text().splitlines()
        if line.startswith(('{"seq', '{"trace'))
    ]
    counterexamples = (DOCS.parent.parent / "model_tests" / "spec" / "goldens").glob("*.ndjson")
    files = [*map(golden, GOLDENS), *counterexamples]
    known = {line for file in files for line in file.read_text().splitlines()}
    assert len(shown) >= 5
    assert set(shown) <= known


def test_the_document_names_every_word() -> None:
    text = (DOCS / "trace.md").read_text()
    for name in GOLDENS:
        for line in lines_of(golden(name).read_bytes()):
            words = {*line, *line.get("heard", {}), line.get("heard", {}).get("local")}
            for sent in line.get("sent", ()):
                words |= {*sent, sent.get("do")}
            for word in words - {None}:
                assert f"`{word}`" in text or f'"{word}"' in text, word


# The writer ---------------------------------------------------------------------------------------


def a_header() -> dict[str, Any]:
    return header(role="scheduler", node="s", incarnation="i", wall_us=0, config={})


def test_a_batch_is_one_write() -> None:
    pieces: list[bytes] = []
    writer = TraceWriter(pieces.append, a_header(), Scripted())
    for n in range(3):
        writer.record(scheduler_events.Heartbeat("s"), n, Step(), 7)
    assert len(pieces) == 1, "only the header is written before `write`"
    writer.write()
    writer.write()
    assert len(pieces) == 2
    assert [line["batch"] for line in lines_of(pieces[1])] == [7, 7, 7]


def test_whole_views_come_first_often_and_last() -> None:
    pieces: list[bytes] = []
    writer = TraceWriter(pieces.append, a_header(), Scripted())
    for n in range(2 * WHOLE_EVERY + 10):
        writer.record(scheduler_events.Heartbeat("s"), n, Step(), n)
    writer.write()
    writer.close(0)
    records = lines_of(b"".join(pieces))[1:]
    whole = [record["seq"] for record in records if "whole" in record]
    assert whole == [0, WHOLE_EVERY, 2 * WHOLE_EVERY, 2 * WHOLE_EVERY + 10]
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert records[-1]["heard"] == {"local": "closed"}


def test_a_large_view_is_written_whole_less_often() -> None:
    pieces: list[bytes] = []
    core = Scripted()
    writer = TraceWriter(pieces.append, a_header(), core)
    core.follow({f"offers/{n}": "a" for n in range(1_000)})
    for n in range(1_001):
        writer.record(scheduler_events.Heartbeat("s"), n, Step(), n)
    writer.write()
    whole = [line["seq"] for line in lines_of(b"".join(pieces))[1:] if "whole" in line]
    assert whole == [0, 1_000]


@pytest.mark.parametrize("role", EVENTS)
def test_a_tick_without_effect_leaves_no_record(role: str) -> None:
    tick = next(e for e in typing.get_args(EVENTS[role]) if e.__name__ == "Tick")()
    assert lines_of(written(role, [Line(tick)]))[1]["heard"] == {"local": "closed"}


def test_events_on_an_executors_broken_stream_are_counted_on() -> None:
    """An agent goes on speaking to an executor whose stream broke (EXE-4)."""
    say = Line(agent_events.Tick(), [SendEvent("s", SHUTDOWN)], [("end_executor", {})])
    lines = written("agent", [say, Line(agent_events.ExecutorStreamEnded("s")), say])
    sent = [each["id"] for line in lines_of(lines)[1:] for each in line["sent"]]
    assert sent == [["s", 0], ["s", 1]]


def test_secrets_are_redacted_everywhere() -> None:
    for name in EXAMPLES:
        role, lines = EXAMPLES[name]
        text = written(role, lines).decode()
        assert "hush" not in text
    assert "(redacted)" in golden("scheduler").read_text()
    top = header(
        role="agent",
        node="a",
        incarnation="i",
        wall_us=0,
        config={},
        recovered={"tasks": [{"variables": [{"type": "SECRET", "value": "hush"}]}]},
    )
    pieces: list[bytes] = []
    TraceWriter(pieces.append, top, Scripted())
    assert b"hush" not in pieces[0]
    assert b"(redacted)" in pieces[0]


def test_redaction_takes_nothing_else() -> None:
    """Names that merely look like it stay, and so does everything beside a secret."""
    name = "secret"
    info = wire_json.decode(
        wire_json.encode(values.ACCEPT).replace(b'"name":"t"', b'"name":"%s"' % name.encode()),
        scheduler.Call,
    )
    heard = tracing_of("scheduler").heard_of(scheduler_events.Asked(info))
    text = wire_json.dump(heard)
    assert b'"name":"secret"' in text
    assert b'"name":"PASSWORD","type":"SECRET"' in text
    assert b'"value":"true"' in text


def test_a_trace_is_for_its_owner_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / file_name("scheduler", "s/1", "i")
    assert path.name == "scheduler-s_1-i.ndjson"
    writer = TraceWriter(path, a_header(), Scripted())
    writer.close(0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(lines_of(path.read_bytes())) == 2
    with pytest.raises(FileExistsError):
        TraceWriter(path, a_header(), Scripted())


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = TraceFile(tmp_path / "t.ndjson")
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match=r"No space left on device: '.*t\.ndjson'"):
        file(b"{}\n")
    file.close()


def test_lines_are_ascii() -> None:
    """A reader may cut anywhere, and count bytes or characters."""
    for name in EXAMPLES:
        assert golden(name).read_bytes().isascii()


def test_config_comes_back() -> None:
    from mesos_ref.scheduler.core import SchedulerConfig
    from model_tests.core.scheduler_world import CountedIds

    config = SchedulerConfig(framework=values.INFO, suppressed_roles=("a",), backoff_us=7)
    top = header(
        role="scheduler",
        node="s",
        incarnation="i",
        wall_us=0,
        config=config_of(config),
        recovered={"framework_id": "F", "tasks": {"t": None}},
    )
    core = tracing_of("scheduler").core_of(json.loads(wire_json.dump(top)), CountedIds())
    assert core.config == config
    assert core.state.framework_id == "F"
    assert core.state.tasks == {"t": None}
