"""POST /api/v1/scheduler: every status in Mesos' order, streams as stock clients need them.

The tables run in memory. The peers nobody here wrote, `curl` and `http.client`, come over real
sockets.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mesos_ref import link as frames
from mesos_ref.election.interface import Candidate, Leader
from mesos_ref.http import recordio
from mesos_ref.http.codec import render_request
from mesos_ref.ports.net import TrioNet
from mesos_ref.wire.v1 import Address, MasterInfo
from model_tests.shell.master_bench import (
    Bench,
    ChosenElection,
    accept,
    mastering,
    subscribe_call,
    task,
)
from model_tests.shell.memory_net import read_all, run_virtually

JSON = {"Content-Type": "application/json"}
SCHEDULER = "/api/v1/scheduler"

# --- statuses, in the order checked ---------------------------------------------------------------

GOOD = json.dumps({"type": "REVIVE", "framework_id": {"value": "nobody"}}).encode()
INVALID = b'{"type": "REVIVE"}'
SUBSCRIBE = json.dumps(subscribe_call()).encode()

Headers = dict[str, str]
TEXT: Headers = {"Content-Type": "text/plain"}
PROTOBUF: Headers = {"Content-Type": "application/x-protobuf"}
PICKY: Headers = {**JSON, "Accept": "no/no"}
STREAM: Headers = {"Mesos-Stream-Id": "x"}


def numbered(text: str) -> Headers:
    return {**JSON, "Mesos-Ref-Message": text}


#: (method, headers, body, status, how the sentence begins). Each request has all the faults of the
#: rows below it that it can have, so a check that comes too late fails.
REFUSED: list[tuple[str, Headers, bytes, int, str]] = [
    ("GET", {}, b"", 405, "Expecting one of { POST }"),
    ("PUT", TEXT, b"{", 405, "Expecting one of { POST }"),
    ("POST", {}, b"{", 400, "Expecting 'Content-Type' to be present"),
    ("POST", JSON, b"{", 400, "Failed to parse body into Call: not JSON"),
    ("POST", JSON, b"[]", 400, "Failed to parse body into Call: wrong value at `$`"),
    ("POST", TEXT, b"{", 415, "Expecting 'Content-Type' of application/json"),
    ("POST", PROTOBUF, b"\x08\x01", 415, "Expecting 'Content-Type' of application/json"),
    ("POST", PICKY, b"{}", 400, "Failed to validate scheduler::Call: Expecting 'type'"),
    ("POST", PICKY, INVALID, 400, "Failed to validate scheduler::Call: Expecting 'framework_id'"),
    ("POST", {**PICKY, **STREAM}, SUBSCRIBE, 406, "Expecting 'Accept' to allow"),
    ("POST", {**JSON, "Accept": "application/json;q=0"}, SUBSCRIBE, 406, "Expecting 'Accept'"),
    ("POST", numbered("c"), GOOD, 400, "Expecting 'Mesos-Ref-Message' to be"),
    ("POST", numbered("ext:1"), GOOD, 400, "Expecting 'Mesos-Ref-Message' to be"),
    ("POST", numbered("c:-1"), GOOD, 400, "Expecting 'Mesos-Ref-Message' to be"),
    ("POST", {**JSON, **STREAM}, SUBSCRIBE, 400, "Subscribe calls should not include"),
    ("POST", PICKY, GOOD, 400, "Framework cannot be found"),
]


@pytest.mark.parametrize("path", [SCHEDULER, "/master" + SCHEDULER, SCHEDULER + "/?x=1"])
def test_each_refusal_has_its_status_and_a_sentence(path: str) -> None:
    async def main() -> None:
        async with mastering() as bench:
            for row in REFUSED:
                method, headers, body, status, begins = row
                answer = await bench.request(method, path, body, headers)
                said = answer.body.decode()
                assert (answer.status, said[: len(begins)]) == (status, begins), row
                assert "\n" not in said.strip(), row
                if status == 405:
                    assert answer.headers["allow"] == "POST"
            assert bench.core.state.frameworks == {}

    run_virtually(main)


def test_calls_count_only_from_the_current_stream() -> None:
    async def main() -> None:
        async with mastering() as bench:
            first = await bench.subscribe("fw")
            assert (await first.call("REVIVE")).status == 202
            call = {"type": "REVIVE", "framework_id": {"value": "fw"}}
            without = await bench.post(call)
            other = await bench.post(call, {"Mesos-Stream-Id": "x" * 500})
            assert (without.status, other.status) == (400, 400)
            assert b"should include the 'Mesos-Stream-Id' header" in without.body
            second = await bench.subscribe("fw")
            assert second.stream_id != first.stream_id
            assert (await first.expect("ERROR"))["error"] == {"message": "Framework failed over"}
            assert await first.next_event() is None
            assert (await first.call("REVIVE")).status == 400
            assert (await bench.post(call, {"mesos-stream-id": second.stream_id})).status == 202

    run_virtually(main)


def test_every_kind_of_call_is_answered_202_or_501() -> None:
    ids = {"agent_id": {"value": "a"}, "task_id": {"value": "t"}}
    calls: list[tuple[str, dict[str, Any] | None, int]] = [
        ("ACCEPT", {}, 202),
        ("DECLINE", {"offer_ids": []}, 202),
        ("DECLINE", {"offer_ids": {"value": "one"}, "filters": {"refuse_seconds": 1}}, 202),
        ("REVIVE", None, 202),
        ("REVIVE", {"roles": None}, 202),
        ("SUPPRESS", {"roles": ["r"]}, 202),
        ("KILL", {"task_id": {"value": "t"}, "agent_id": None}, 202),
        ("ACKNOWLEDGE", {**ids, "uuid": "AAAAAAAAAAAAAAAAAAAAAA=="}, 202),
        ("RECONCILE", {"tasks": []}, 202),
        ("MESSAGE", {**ids, "executor_id": {"value": "e"}, "data": "eA=="}, 202),
        ("SHUTDOWN", {"agent_id": {"value": "a"}, "executor_id": {"value": "e"}}, 202),
        ("REQUEST", {"requests": []}, 202),
        ("ACCEPT_INVERSE_OFFERS", {}, 202),
        ("RECONCILE_OPERATIONS", {}, 501),
        ("UPDATE_FRAMEWORK", {"framework_info": subscribe_call("fw")["framework_id"]}, 400),
        ("TEARDOWN", None, 202),
    ]

    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe("fw")
            for kind, part, status in calls:
                answer = await framework.call(kind, part)
                assert (kind, answer.status) == (kind, status), answer.body
                if status == 202:
                    assert answer.body == b""
                    assert answer.headers["content-length"] == "0"
            assert await framework.expect("HEARTBEAT")
            assert await framework.next_event() is None  # torn down
            answer = await framework.call("REVIVE")
            assert (answer.status, answer.body) == (400, b"Framework cannot be found")

    run_virtually(main)


def test_a_removed_framework_gets_a_stream_with_one_error() -> None:
    async def main() -> None:
        async with mastering() as bench:
            first = await bench.subscribe("fw")
            await first.call("TEARDOWN")
            body = json.dumps(subscribe_call("fw")).encode()
            url = bench.url + SCHEDULER
            again = await bench.client.stream("POST", url, headers=JSON, body=body)
            assert again.status == 200
            records = [json.loads(record) async for record in again]
            assert [record["type"] for record in records] == ["ERROR"]

    run_virtually(main)


def test_our_library_names_its_calls_and_others_are_numbered() -> None:
    heard: list[Any] = []

    class Listener:
        def record(self, event: Any, now_us: int, step: Any, batch: int) -> None:
            if hasattr(event, "call"):
                heard.append(event.id)

        def write(self) -> None: ...

        def close(self, now_us: int) -> None: ...

    async def main() -> None:
        async with mastering(recorder_of=lambda core, config: Listener()) as bench:
            ours = await bench.subscribe("fw", {"Mesos-Ref-Message": "a:b:0"})
            await ours.call("REVIVE", Mesos_Ref_Message="a:b:1")
            await ours.call("REVIVE")
            await ours.call("REVIVE")

    run_virtually(main)
    assert heard == [("a:b", 0), ("a:b", 1), ("ext", 2**32), ("ext", 2**32 + 1)]


@pytest.mark.parametrize(
    "given",
    [None, "*/*", "application/json", "application/*", "application/x-protobuf, application/json"],
)
def test_json_is_what_is_accepted_unless_it_is_ruled_out(given: str | None) -> None:
    async def main() -> None:
        async with mastering() as bench:
            framework = await bench.subscribe(headers={} if given is None else {"Accept": given})
            assert framework.framework_id

    run_virtually(main)


def test_a_content_type_may_have_parameters() -> None:
    async def main() -> None:
        async with mastering() as bench:
            headers = {"Content-Type": "Application/JSON; charset=utf-8"}
            answer = await bench.post({"type": "REVIVE"}, headers)
            assert b"'framework_id'" in answer.body

    run_virtually(main)


# --- who leads ------------------------------------------------------------------------------------


def test_who_does_not_lead_sends_callers_to_the_leader() -> None:
    async def main() -> None:
        election = ChosenElection()
        async with mastering(election=election) as bench:
            for path in (SCHEDULER, "/state", "/api/v1", "/teardown", "/redirect"):
                answer = await bench.post({}, path=path) if path != "/redirect" else None
                answer = answer or await bench.request("GET", path)
                assert (answer.status, answer.body) == (503, b"No leader elected")
            address = Address(hostname="lead.example", ip="10.0.0.9", port=5055)
            info = MasterInfo(id="L", ip=0, port=5055, hostname="lead.example", address=address)
            election.show(Leader(9, Candidate(info, "10.0.0.9:6055")))
            await wait_all_tasks_blocked()
            for method, path, location in [
                ("POST", SCHEDULER, "//10.0.0.9:5055/api/v1/scheduler"),
                ("GET", SCHEDULER, "//10.0.0.9:5055/api/v1/scheduler"),
                ("POST", "/master/api/v1?x=1", "//10.0.0.9:5055/master/api/v1?x=1"),
                ("GET", "/master/state", "//10.0.0.9:5055/master/state"),
                ("HEAD", "/master/redirect", "//10.0.0.9:5055"),
                ("GET", "/redirect", "//10.0.0.9:5055"),
            ]:
                answer = await bench.request(method, path)
                assert (path, answer.status) == (path, 307)
                assert answer.headers["location"] == location
                assert answer.headers["mesos-ref-epoch"] == "9"
                assert answer.headers["mesos-ref-link"] == "10.0.0.9:6055"
            for path in ("/health", "/version", "/metrics/snapshot", "/flags"):
                assert (await bench.request("GET", path)).status == 200

    run_virtually(main)


def test_the_leader_redirects_to_itself() -> None:
    async def main() -> None:
        async with mastering() as bench:
            await wait_all_tasks_blocked()
            for method in ("GET", "HEAD"):
                answer = await bench.request(method, "/master/redirect")
                assert answer.status == 307
                assert answer.headers["location"] == f"//memory:{bench.port}"
            assert (await bench.request("POST", "/redirect")).status == 405
            assert (await bench.request("GET", "/redirect/x")).status == 404
            assert (await bench.request("GET", "/nothing/here")).status == 404

    run_virtually(main)


# --- bytes as stock clients need them -------------------------------------------------------------


def test_the_stream_is_chunked_one_record_a_chunk_even_for_connection_close() -> None:
    async def main() -> None:
        async with mastering() as bench:
            body = json.dumps(subscribe_call("fw")).encode()
            headers = {**JSON, "Connection": "close"}
            stream = await bench.net.connect("memory", bench.port)
            await stream.send_all(render_request("POST", SCHEDULER, "m", headers, body))
            await wait_all_tasks_blocked()
            stream_id = bench.core.state.frameworks["fw"].stream
            assert stream_id is not None
            call = {"type": "TEARDOWN", "framework_id": {"value": "fw"}}
            answer = await bench.post(call, {"Mesos-Stream-Id": stream_id})
            assert answer.status == 202
            said = await read_all(stream)
            head, _, chunks = said.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            assert lines[0] == "HTTP/1.1 200 OK"
            assert "Transfer-Encoding: chunked" in lines
            assert "Content-Type: application/json" in lines
            assert f"Mesos-Stream-Id: {stream_id}" in lines
            records = [json.loads(only_record(chunk)) for chunk in cut_chunks(chunks)]
            assert [record["type"] for record in records] == ["SUBSCRIBED", "HEARTBEAT"]

    run_virtually(main)


def cut_chunks(data: bytes) -> list[bytes]:
    """The chunks of a whole chunked body, without the last, empty one."""
    chunks = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length:
            chunks.append(data[:length])
        assert data[length : length + 2] == b"\r\n"
        data = data[length + 2 :]
    return chunks


def only_record(chunk: bytes) -> bytes:
    """The one record a chunk is; ASCII, on one line."""
    length, _, record = chunk.partition(b"\n")
    assert int(length) == len(record)
    assert record.isascii()
    assert b"\n" not in record
    return record


def test_names_beyond_ascii_travel_as_escapes() -> None:
    async def main() -> None:
        async with mastering() as bench:
            agent = await bench.agent()
            framework = await bench.subscribe(name="Bücher™")
            offers = (await framework.expect("OFFERS"))["offers"]["offers"]
            await framework.call("ACCEPT", accept(offers, task("t-é")))
            await agent.expect(frames.RunTask)
            await agent.update(framework.framework_id, "t-é", "TASK_RUNNING")
            update = await framework.expect("UPDATE")
            assert update["update"]["status"]["task_id"] == {"value": "t-é"}

    run_virtually(main)


# --- peers nobody here wrote ----------------------------------------------------------------------


def with_master(use: Callable[[Bench], None]) -> None:
    """Run `use` in a thread, against a master on loopback that has one agent."""

    async def main() -> None:
        async with mastering(net=TrioNet()) as bench:
            agent = await bench.agent()
            await trio.to_thread.run_sync(use, bench)
            await agent.stream.aclose()

    trio.run(main)


@pytest.mark.live
@pytest.mark.needs("curl")
def test_curl_subscribes_and_sees_offers() -> None:
    def use(bench: Bench) -> None:
        command = ["curl", "--silent", "--no-buffer", "--include", "--max-time", "25"]
        for name, value in JSON.items():
            command += ["--header", f"{name}: {value}"]
        command += ["--data", json.dumps(subscribe_call("from-curl")), bench.url + SCHEDULER]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as curl:
            assert curl.stdout is not None
            said = b""
            while b"OFFERS" not in said:
                piece = os.read(curl.stdout.fileno(), 65536)
                assert piece, said
                said += piece
            curl.terminate()
        head, _, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"Mesos-Stream-Id: " in head
        decoder = recordio.Decoder()
        types = [json.loads(record)["type"] for record in decoder.feed(body)]
        assert types[:2] == ["SUBSCRIBED", "HEARTBEAT"]
        assert "OFFERS" in types

    with_master(use)


@pytest.mark.live
def test_http_client_subscribes_sees_offers_and_accepts() -> None:
    def use(bench: Bench) -> None:
        events = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=20)
        calls = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=20)
        try:
            events.request("POST", SCHEDULER, json.dumps(subscribe_call()), JSON)
            stream = events.getresponse()
            assert (stream.status, stream.chunked) == (200, True)
            decoder = recordio.Decoder()
            seen: list[Any] = []
            while not any(event["type"] == "OFFERS" for event in seen):
                assert len(seen) < 10
                seen += [json.loads(record) for record in decoder.feed(stream.read1(65536))]
            framework_id = seen[0]["subscribed"]["framework_id"]
            offers = seen[-1]["offers"]["offers"]
            for kind, part in [("ACCEPT", accept(offers, task("t1"))), ("SUPPRESS", {})]:
                call = {"type": kind, "framework_id": framework_id, kind.lower(): part}
                headers = {**JSON, "Mesos-Stream-Id": str(stream.headers["Mesos-Stream-Id"])}
                chunks = [json.dumps(call).encode()]
                calls.request("POST", SCHEDULER, iter(chunks), headers, encode_chunked=True)
                answer = calls.getresponse()
                assert (answer.status, answer.read()) == (202, b"")
        finally:
            calls.close()
            events.close()
        assert ("t1" in bench.core.state.frameworks[framework_id["value"]].tasks) is True

    with_master(use)
