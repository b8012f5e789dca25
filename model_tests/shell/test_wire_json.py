"""JSON as Mesos reads and writes it: what stock clients send is taken, and what they choke on never
sent."""

from __future__ import annotations

import json as standard_json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.wire import executor, json, scheduler, v1
from mesos_ref.wire.lenient import read_leniently
from mesos_ref.wire.shape import WireError

TASK: dict[str, Any] = {
    "name": "t",
    "task_id": {"value": "t-1"},
    "agent_id": {"value": "a-1"},
    "resources": [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
        {
            "name": "ports",
            "type": "RANGES",
            "ranges": {"range": [{"begin": 31000, "end": 31001}]},
            "allocation_info": {"role": "*"},
        },
    ],
    "command": {"value": "sleep 1", "environment": {"variables": [{"name": "A", "value": "1"}]}},
    "container": {"type": "MESOS", "volumes": [{"mode": "RW", "container_path": "/x"}]},
    "data": "AAEC",
    "labels": {"labels": [{"key": "k", "value": "v"}]},
    "kill_policy": {"grace_period": {"nanoseconds": 5}},
}

CALLS: list[dict[str, Any]] = [
    {
        "type": "SUBSCRIBE",
        "framework_id": {"value": "f"},
        "subscribe": {
            "framework_info": {
                "user": "root",
                "name": "x",
                "id": {"value": "f"},
                "roles": ["a", "b"],
                "failover_timeout": 100,
                "capabilities": [{"type": "MULTI_ROLE"}],
            }
        },
    },
    {
        "type": "ACCEPT",
        "framework_id": {"value": "f"},
        "accept": {
            "offer_ids": [{"value": "o1"}, {"value": "o2"}],
            "operations": [
                {"type": "LAUNCH", "launch": {"task_infos": [TASK]}},
                {
                    "type": "LAUNCH_GROUP",
                    "launch_group": {
                        "executor": {"executor_id": {"value": "e"}, "type": "DEFAULT"},
                        "task_group": {"tasks": [TASK]},
                    },
                },
                {"type": "RESERVE", "reserve": {"resources": []}},
            ],
            "filters": {"refuse_seconds": 0.5},
        },
    },
    {"type": "DECLINE", "framework_id": {"value": "f"}, "decline": {"offer_ids": []}},
    {
        "type": "KILL",
        "framework_id": {"value": "f"},
        "kill": {"task_id": {"value": "t"}, "agent_id": {"value": "a"}},
    },
    {
        "type": "ACKNOWLEDGE",
        "framework_id": {"value": "f"},
        "acknowledge": {
            "agent_id": {"value": "a"},
            "task_id": {"value": "t"},
            "uuid": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
    },
    {
        "type": "RECONCILE",
        "framework_id": {"value": "f"},
        "reconcile": {"tasks": [{"task_id": {"value": "t"}}]},
    },
    {
        "type": "MESSAGE",
        "framework_id": {"value": "f"},
        "message": {"agent_id": {"value": "a"}, "executor_id": {"value": "e"}, "data": "AA=="},
    },
    {"type": "REVIVE", "framework_id": {"value": "f"}, "revive": {"roles": ["a"]}},
    {"type": "REQUEST", "framework_id": {"value": "f"}, "request": {"requests": [{}]}},
]

STATUS: dict[str, Any] = {
    "task_id": {"value": "t"},
    "state": "TASK_RUNNING",
    "message": "so far, so good",
    "source": "SOURCE_EXECUTOR",
    "reason": "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
    "data": "AAEC",
    "agent_id": {"value": "a"},
    "executor_id": {"value": "e"},
    "timestamp": 1700000000.25,
    "uuid": "AAAAAAAAAAAAAAAAAAAAAA==",
    "healthy": True,
    "check_status": {"type": "COMMAND", "command": {"exit_code": 0}},
    "labels": {"labels": [{"key": "wall", "value": "1.5"}]},
    "container_status": {"container_id": {"value": "c"}, "executor_pid": 7},
    "unreachable_time": {"nanoseconds": 12},
    "limitation": {"resources": []},
}


def text(data: Any) -> bytes:
    return standard_json.dumps(data).encode()


def call(**changes: Any) -> scheduler.Call:
    return scheduler.decode_call(text({"type": "X", "framework_id": {"value": "f"}} | changes))


# Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", CALLS, ids=lambda data: data["type"])
def test_what_is_read_is_written_again(data: dict[str, Any]) -> None:
    once = scheduler.decode_call(text(data))
    written = json.encode(once)
    assert scheduler.decode_call(written) == once
    assert json.from_builtins(json.to_builtins(once), scheduler.Call) == once
    assert_holds(standard_json.loads(written), data)


def assert_holds(written: Any, sent: Any) -> None:
    """Everything `sent` is in `written`; empty lists may be left out."""
    if isinstance(sent, dict):
        for key, value in sent.items():
            if value != []:
                assert_holds(written[key], value)
    elif isinstance(sent, list):
        assert len(written) == len(sent)
        for one, other in zip(written, sent, strict=True):
            assert_holds(one, other)
    else:
        assert written == sent


def test_a_status_is_handed_on_whole() -> None:
    update = {"type": "UPDATE", "update": {"status": STATUS}}
    event = json.decode(text(update), scheduler.Event)
    assert standard_json.loads(json.encode(event)) == update


def test_ids_are_plain_strings() -> None:
    kill = call(kill={"task_id": {"value": "t", "unknown": 1}}).kill
    assert kill is not None
    assert type(kill.task_id) is str
    assert (kill.task_id, kill.agent_id) == ("t", None)


def test_null_is_unset_everywhere() -> None:
    """As a client sends it that writes null for whatever it has not set."""
    told = call(
        type="SUBSCRIBE",
        framework_id=None,
        subscribe={
            "framework_info": {
                "user": "u",
                "name": "n",
                "id": None,
                "capabilities": None,
                "roles": ["a", None],
                "checkpoint": None,
                "failover_timeout": None,
                "labels": {"labels": [{"key": "k", "value": None}]},
            },
            "suppressed_roles": None,
        },
        accept=None,
    )
    plain = call(
        type="SUBSCRIBE",
        framework_id=None,
        subscribe={
            "framework_info": {
                "user": "u",
                "name": "n",
                "roles": ["a"],
                "labels": {"labels": [{"key": "k"}]},
            }
        },
    )
    assert told == plain


def test_a_lone_object_is_a_list_of_one() -> None:
    lone = call(
        accept={
            "offer_ids": {"value": "o"},
            "operations": {"type": "LAUNCH", "launch": {"task_infos": TASK}},
        }
    )
    listed = call(
        accept={
            "offer_ids": [{"value": "o"}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [TASK]}}],
        }
    )
    assert lone == listed
    assert call(revive={"roles": "a"}) == call(revive={"roles": ["a"]})


def test_unknown_fields_are_ignored() -> None:
    odd = TASK | {"slave_id": {"value": "a"}, "credentials": 3}
    accept = {"offer_ids": [], "operations": [{"type": "LAUNCH", "launch": {"task_infos": [odd]}}]}
    launched = call(accept=accept, more=[1]).accept
    assert launched is not None
    assert launched.operations[0].launch == v1.Launch(
        task_infos=(json.decode(text(TASK), v1.TaskInfo),)
    )


def test_numbers_may_be_strings() -> None:
    resource = {"name": "ports", "type": "RANGES", "ranges": {"range": {"begin": "1", "end": "2"}}}
    assert json.decode(text(resource), v1.Resource).ranges == v1.Ranges(
        range=(v1.Range(begin=1, end=2),)
    )
    filters = json.decode(text({"refuse_seconds": "2.5"}), v1.Filters)
    assert filters.refuse_seconds == 2.5
    assert json.decode(b'{"refuse_seconds":"Infinity"}', v1.Filters).refuse_seconds == math.inf
    assert json.decode(b'{"refuse_seconds":"-Infinity"}', v1.Filters).refuse_seconds == -math.inf
    assert json.decode(b'{"begin":3.0,"end":4}', v1.Range) == v1.Range(begin=3, end=4)


def test_an_unknown_enum_name_leaves_an_optional_field_unset() -> None:
    status = json.decode(text(STATUS | {"reason": "REASON_NEW"}), v1.TaskStatus)
    assert status.reason is None
    operation = json.decode(b'{"type":"NEW"}', v1.Operation)
    assert operation.type is None
    with pytest.raises(WireError, match=r"missing required field `\$.state`"):
        json.decode(text(STATUS | {"state": "TASK_NEW"}), v1.TaskStatus)


def test_an_unknown_type_of_call_keeps_its_name() -> None:
    assert call(type="NOVEL").type == "NOVEL"


def test_an_empty_framework_id_is_unset() -> None:
    info = {"user": "u", "name": "n", "id": {"value": ""}}
    told = call(framework_id={"value": ""}, subscribe={"framework_info": info})
    assert told.framework_id is None
    assert told.subscribe is not None
    assert told.subscribe.framework_info.id is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not JSON: "),
        (b"{", "not JSON: "),
        (b'{"type":"\xff"}', "not JSON: "),
        (b'{"type":"\\ud800"}', "not JSON: "),
        (b"[" * 100_000, "not JSON we take: nested too deeply"),
        (b"[]", "wrong value at `$`: expected an object, got []"),
        (b"null", "wrong value at `$`: expected an object, got None"),
        (b'{"type":1}', "wrong value at `$.type`: expected a string, got 1"),
        (
            b'{"framework_id":"f"}',
            'wrong value at `$.framework_id`: expected an id, {"value": "…"}, got \'f\'',
        ),
        (b'{"framework_id":{}}', "missing required field `$.framework_id.value`"),
        (
            b'{"accept":{"offer_ids":[{"value":"o"},{"value":7}]}}',
            "wrong value at `$.accept.offer_ids[1].value`: expected a string, got 7",
        ),
        (b'{"kill":{}}', "missing required field `$.kill.task_id`"),
        (
            b'{"decline":{"filters":{"refuse_seconds":"soon"}}}',
            "wrong value at `$.decline.filters.refuse_seconds`: expected a number, got 'soon'",
        ),
        (
            b'{"decline":{"filters":{"refuse_seconds":"NaN"}}}',
            "wrong value at `$.decline.filters.refuse_seconds`: expected a number, got 'NaN'",
        ),
        (
            b'{"message":{"agent_id":{"value":"a"},"executor_id":{"value":"e"},"data":"*"}}',
            "wrong value at `$.message.data`: expected bytes in base64, got '*'",
        ),
        (
            b'{"request":{"requests":[3]}}',
            "wrong value at `$.request.requests[0]`: expected an object",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: bytes, sentence: str) -> None:
    with pytest.raises(WireError) as caught:
        scheduler.decode_call(data)
    assert str(caught.value).startswith(sentence)


def test_integers_have_bounds() -> None:
    for bad in ("-1", "1.5", "true", '"x"', '"1' + "0" * 30 + '"'):
        with pytest.raises(WireError, match=r"\$.begin"):
            json.decode(b'{"begin":%b,"end":"2"}' % bad.encode(), v1.Range)
    for number in (-(2**63) - 1, 2**63):
        with pytest.raises(WireError, match=r"\$.nanoseconds`: expected an integer not"):
            json.decode(text({"nanoseconds": number}), v1.DurationInfo)


def test_opaque_parts_are_not_endless() -> None:
    deep = b'{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},"container":%b}'
    fine = b'{"a":' * 60 + b"1" + b"}" * 60
    json.encode(json.decode(deep % fine, v1.TaskInfo))
    with pytest.raises(WireError, match="64 levels"):
        json.decode(deep % (b'{"a":' * 70 + b"1" + b"}" * 70), v1.TaskInfo)


# Mutations ------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["Infinity", "-1", "1e400", "TASK_RUNNING", "AAAA", "="]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn, originals: list[dict[str, Any]]) -> Any:
    """One of the originals, with something in it put in another thing's place."""
    data: Any = standard_json.loads(standard_json.dumps(draw(st.sampled_from(originals))))
    for _ in range(draw(st.integers(1, 3))):
        spot = data
        while True:
            keys: list[Any] = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(spot[key], (dict, list)) and draw(st.integers(0, 3)):
                spot = spot[key]
                continue
            change = draw(st.sampled_from(["replace", "drop", "wrap", "null"]))
            if change == "replace":
                spot[key] = draw(anything)
            elif change == "drop":
                del spot[key]
            else:
                spot[key] = [spot[key]] if change == "wrap" else None
            break
    return data


def assert_taken_or_refused(data: Any, wanted: type[Any]) -> None:
    """Decoding gives a message that can be written and read again, or a `WireError`."""
    try:
        message = json.decode(text(data), wanted)
    except WireError:
        return
    written = json.encode(message)
    assert written.isascii()
    assert b"\n" not in written
    assert json.decode(written, wanted) == message
    assert json.from_builtins(json.to_builtins(message), wanted) == message


@given(mutated(CALLS))
def test_a_mutated_call_is_taken_or_refused(data: Any) -> None:
    assert_taken_or_refused(data, scheduler.Call)


@given(
    mutated(
        [
            {
                "type": "UPDATE",
                "framework_id": {"value": "f"},
                "executor_id": {"value": "e"},
                "update": {"status": STATUS},
                "subscribe": {"unacknowledged_tasks": [TASK]},
            }
        ]
    )
)
def test_a_mutated_executor_call_is_taken_or_refused(data: Any) -> None:
    assert_taken_or_refused(data, executor.Call)


@given(anything)
def test_any_json_is_taken_or_refused(data: Any) -> None:
    assert_taken_or_refused(data, scheduler.Call)


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(data: bytes) -> None:
    with suppress(WireError):
        scheduler.decode_call(data)


@given(mutated(CALLS))
def test_both_ways_of_reading_agree(data: Any) -> None:
    """What the strict reader takes, the patient one takes, and as the same message."""
    try:
        patient = read_leniently(standard_json.loads(text(data)), scheduler.Call)
    except WireError:
        with pytest.raises(WireError):
            json.decode(text(data), scheduler.Call)
    else:
        assert json.decode(text(data), scheduler.Call) == patient
        assert json.from_builtins(standard_json.loads(text(data)), scheduler.Call) == patient


# Writing --------------------------------------------------------------------------------------


def test_defaults_are_written_and_unset_fields_are_not() -> None:
    info = v1.FrameworkInfo(user="u", name="n")
    assert json.encode(info) == (
        b'{"user":"u","name":"n","failover_timeout":0.0,"checkpoint":false}'
    )
    assert json.encode(v1.CommandInfo(value="v")) == b'{"shell":true,"value":"v"}'
    assert json.encode(v1.Filters()) == b'{"refuse_seconds":5.0}'
    assert json.encode(scheduler.HEARTBEAT) == b'{"type":"HEARTBEAT"}'


def test_doubles_have_a_decimal_point() -> None:
    subscribed = scheduler.Subscribed(framework_id="f", heartbeat_interval_seconds=15)
    assert json.encode(subscribed) == (
        b'{"framework_id":{"value":"f"},"heartbeat_interval_seconds":15.0}'
    )
    assert json.encode(v1.Filters(refuse_seconds=math.inf)) == b'{"refuse_seconds":"Infinity"}'


@given(st.text())
def test_json_is_ascii_on_one_line(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    written = json.encode(v1.FrameworkInfo(user=name, name="é😀"))
    assert written.isascii()
    assert b"\n" not in written
    assert standard_json.loads(written)["user"] == name
    assert standard_json.loads(written)["name"] == "é😀"


def test_executor_messages() -> None:
    event = executor.Event(
        type="SUBSCRIBED",
        subscribed=executor.Subscribed(
            executor_info=v1.ExecutorInfo(executor_id="e"),
            framework_info=v1.FrameworkInfo(user="u", name="n", id="f"),
            agent_info=v1.AgentInfo(hostname="h"),
        ),
    )
    written = standard_json.loads(json.encode(event))
    assert written["subscribed"]["executor_info"] == {"executor_id": {"value": "e"}}
    assert written["subscribed"]["framework_info"]["id"] == {"value": "f"}
    assert written["subscribed"]["agent_info"] == {"hostname": "h", "port": 5051}
    assert executor.decode_event(json.encode(event)) == event


def test_what_is_encoded_twice_is_encoded_once_and_is_each_its_own() -> None:
    """Also if many are never sent: what is kept for the second time is bounded."""
    for n in range(3 * json.KEPT_AT_MOST):
        event = scheduler.Event(type="RESCIND", rescind=scheduler.Rescind(offer_id=f"o{n}"))
        rescind = {"offer_id": {"value": f"o{n}"}}
        assert json.encode_twice(event) == json.dump({"type": "RESCIND", "rescind": rescind})
        assert len(json._kept) <= json.KEPT_AT_MOST
        if n % 3 == 0:
            written = json.encode_twice(event)
            assert json.encode(event) == json.encode(event) == written
