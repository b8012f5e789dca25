"""Frames of the agent link: what is written is read, and nonsense gets a sentence."""

from __future__ import annotations

import struct
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref import link
from mesos_ref.link import LinkError
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import AgentInfo, TaskStatus
from model_tests.core.master_rig import executor, framework_info, report, task, uuid

REGISTER = link.Register(
    epoch=1,
    agent_id="a1",
    info=AgentInfo(hostname="h", resources=Resources.parse("cpus:4;ports:[1-9]").to_wire()),
    version="1.12.0",
    tasks=(report("t1", status_state="TASK_RUNNING", status_uuid=uuid(1)),),
    executors=(
        link.ExecutorReport(framework_id="f1", executor_id="e1", role="r", info=executor()),
    ),
    frameworks=(framework_info("f1"),),
    newest_epoch=1,
)
STATUS = TaskStatus(task_id="t1", state="TASK_RUNNING", uuid=uuid(2), timestamp=1.5, data=b"\xff")

FROM_AGENT: list[link.FromAgent] = [
    REGISTER,
    link.Pong(epoch=1),
    link.Update(epoch=1, framework_id="f1", status=STATUS, latest_state="TASK_KILLED"),
    link.Exited(epoch=1, framework_id="f1", executor_id="e1", status=-9),
    link.Message(epoch=1, framework_id="f1", executor_id="e1", data=b"\x00"),
]
FROM_MASTER: list[link.FromMaster] = [
    link.Registered(
        epoch=1, agent_id="a1", reconcile=(link.TaskKey(framework_id="f", task_id="t"),)
    ),
    link.Ping(epoch=1, connected=False),
    link.RunTask(
        epoch=1,
        framework=framework_info("f1"),
        task=task("t1"),
        role="r",
        executor=executor(),
        launch_executor=True,
    ),
    link.Kill(epoch=1, framework_id="f1", task_id="t1"),
    link.Ack(epoch=1, framework_id="f1", task_id="t1", uuid=uuid(3)),
    link.ShutdownExecutor(epoch=1, framework_id="f1", executor_id="e1"),
    link.ShutdownFramework(epoch=1, framework_id="f1"),
    link.UpdateFramework(epoch=1, framework=framework_info("f1")),
    link.Message(epoch=1, framework_id="f1", executor_id="e1", data=b""),
    link.Shutdown(epoch=1, message="no"),
]


@pytest.mark.parametrize("frame", FROM_AGENT, ids=lambda frame: type(frame).__name__)
def test_what_an_agent_writes_is_read(frame: link.FromAgent) -> None:
    """Prefix, ordinal and content come back."""
    raw = link.encode(frame, 5)
    assert link.body_length(raw[:4]) == len(raw) - 4
    assert link.decode_from_agent(raw[4:]) == (5, frame)


@pytest.mark.parametrize("frame", FROM_MASTER, ids=lambda frame: type(frame).__name__)
def test_what_a_master_writes_is_read(frame: link.FromMaster) -> None:
    """And it names its kind, its number and its epoch."""
    raw = link.encode(frame, 6)
    assert link.decode_from_master(raw[4:]) == (6, frame)
    plain = msgspec.json.decode(raw[4:])
    assert plain == {"n": 6, **link.plain(frame)}
    assert (plain["kind"], plain["epoch"]) == (type(frame).__name__, 1)


def test_hello() -> None:
    """The first bytes on a link."""
    raw = link.encode_hello(link.Hello(version=1, connection="c-1"))
    assert link.decode_hello(raw[4:]).connection == "c-1"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"version":2,"connection":"c"}', "version 2"),
        (b'{"version":1,"connection":""}', "1 to 64"),
        (b'{"version":1}', "connection"),
        (b"[]", "expected an object"),
        (b"\xff", "not JSON"),
    ],
)
def test_a_hello_that_is_none(body: bytes, why: str) -> None:
    """A wrong version is named, with the right one."""
    with pytest.raises(LinkError, match=why):
        link.decode_hello(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not a frame"),
        (b"{}", "missing required field `kind`"),
        (b'{"kind":"Pong","epoch":1}', "missing required field `n`"),
        (b'{"kind":"Pong","n":-1,"epoch":1}', "n"),
        (b'{"kind":"Pong","n":0}', "epoch"),
        (b'{"kind":"Ping","n":0,"epoch":1,"connected":true}', "an agent sends no 'Ping'"),
        (b'{"kind":"Update","n":0,"epoch":1,"framework_id":"f"}', "status"),
        (b"[" * 5000, "not a frame"),
    ],
)
def test_a_frame_that_is_none(body: bytes, why: str) -> None:
    """The sentence says what is missing."""
    with pytest.raises(LinkError, match=why):
        link.decode_from_agent(body)


@pytest.mark.parametrize("length", [0, 1, link.MAX_REGISTER_BYTES + 1, 2**32 - 1])
def test_an_absurd_length(length: int) -> None:
    """Nothing is read that would not be taken."""
    with pytest.raises(LinkError, match="expected 2 to"):
        link.body_length(struct.pack(">I", length))


def test_frames_are_bounded() -> None:
    """1 MiB a frame; a Register may be longer."""
    long = b"x" * link.MAX_FRAME_BYTES
    with pytest.raises(LinkError, match="too long"):
        link.encode(link.Message(epoch=1, framework_id="f", executor_id="e", data=long), 0)
    many = msgspec.structs.replace(REGISTER, tasks=REGISTER.tasks * 5000)
    raw = link.encode(many, 0)
    assert len(raw) > link.MAX_FRAME_BYTES
    assert link.decode_from_agent(raw[4:]) == (0, many)
    padded = b'{"kind":"Pong","n":0,"epoch":1' + b" " * link.MAX_FRAME_BYTES + b"}"
    with pytest.raises(LinkError, match="at most"):
        link.decode_from_agent(padded)


def test_reading_forgives_what_the_api_forgives() -> None:
    """An executor's infinite timestamp or null field does not break its agent's link."""
    status = msgspec.structs.replace(STATUS, timestamp=float("inf"))
    update = link.Update(epoch=1, framework_id="f", status=status, latest_state="TASK_RUNNING")
    assert link.decode_from_agent(link.encode(update, 0)[4:]) == (0, update)
    text = b'{"kind":"Exited","n":0,"epoch":1,"framework_id":"f","executor_id":"e","status":null}'
    assert link.decode_from_agent(text)[0] == 0


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode)
)
def test_any_bytes_are_a_frame_or_an_error(body: bytes) -> None:
    """Nothing but LinkError comes out."""
    for decode in (link.decode_from_agent, link.decode_from_master, link.decode_hello):
        with suppress(LinkError):
            decode(body)
