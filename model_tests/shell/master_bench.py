"""A whole master in the test's own process, among fake agents and schedulers.

The network is memory under a clock that jumps, or the machine's loopback. Agents speak frames on a
link, schedulers HTTP; both show the test every message as it came.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import trio

from mesos_ref import link as frames
from mesos_ref.election.interface import Candidate, Elected, Election, Leader, Leadership, Lost
from mesos_ref.election.single import SingleElection
from mesos_ref.http.client import Answer, HttpClient, RecordStream
from mesos_ref.http.messages import Limits
from mesos_ref.master.config import MasterConfig
from mesos_ref.master.core import MasterCore
from mesos_ref.master.events import Event
from mesos_ref.master.links import LinkLimits, hello_bytes
from mesos_ref.master.shell import MasterShell, Ports, Settings
from mesos_ref.ports.clock import TrioClock
from mesos_ref.ports.net import Net, Stream
from mesos_ref.resources import Resources
from mesos_ref.runtime import Recorder
from mesos_ref.wire.v1 import AgentInfo, TaskState, TaskStatus
from model_tests.shell.memory_net import MemoryNet

NODE = "00000000-0000-4000-8000-00000000000a"


class CountedIds:
    """Uuids in order."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def uuid(self) -> str:
        return str(UUID(int=next(self._numbers)))

    def uuid_bytes(self) -> bytes:
        return UUID(int=next(self._numbers)).bytes


class ChosenElection:
    """An election whose outcome the test decides."""

    def __init__(self) -> None:
        self.has_resigned = False
        self.looks = 0
        self._news, self._heard = trio.open_memory_channel[Leadership](10)
        self._leaders, self._seen = trio.open_memory_channel[Leader | None](10)

    def elect(self, epoch: int) -> None:
        self._news.send_nowait(Elected(epoch))

    def depose(self, epoch: int) -> None:
        self._news.send_nowait(Lost(epoch, "the test said so"))

    def show(self, leader: Leader | None) -> None:
        self._leaders.send_nowait(leader)

    @asynccontextmanager
    async def contend(self, candidate: Candidate) -> AsyncIterator[AsyncIterator[Leadership]]:
        try:
            yield self._heard
        finally:
            self.has_resigned = True

    def look_now(self) -> None:
        self.looks += 1

    def watch(self) -> AsyncIterator[Leader | None]:
        return self._seen


class FakeAgent:
    """An agent's end of a link."""

    def __init__(self, stream: Stream, agent_id: str, epoch: int) -> None:
        self.agent_id = agent_id
        self.epoch = epoch
        self.stream = stream
        self._sent = 0
        self._buffer = b""
        self.heard = 0

    async def send(self, frame: frames.Frame) -> None:
        data = frames.encode(frame, self._sent)
        self._sent += 1
        await self.stream.send_all(data)

    async def register(self, cpus: float = 4, mem: float = 1024, **changes: Any) -> None:
        info = AgentInfo(
            hostname=f"{self.agent_id}.example",
            resources=Resources.of(cpus=cpus, mem=mem).to_wire(),
        )
        register = frames.Register(
            epoch=self.epoch,
            agent_id=self.agent_id,
            info=info,
            version="1.12.0",
            newest_epoch=self.epoch,
        )
        await self.send(msgspec.structs.replace(register, **changes))

    async def update(
        self, framework_id: str, task_id: str, state: TaskState, uuid: bytes = bytes(16)
    ) -> None:
        status = TaskStatus(
            task_id=task_id,
            state=state,
            uuid=uuid,
            source="SOURCE_EXECUTOR",
            agent_id=self.agent_id,
            timestamp=1.5,
        )
        frame = frames.Update(
            epoch=self.epoch, framework_id=framework_id, status=status, latest_state=state
        )
        await self.send(frame)

    async def next_frame(self) -> frames.FromMaster | None:
        """The next frame, its number checked; None once the master has hung up."""
        while True:
            if len(self._buffer) >= frames.PREFIX_BYTES:
                length = frames.body_length(self._buffer[: frames.PREFIX_BYTES])
                if len(self._buffer) >= frames.PREFIX_BYTES + length:
                    body = self._buffer[frames.PREFIX_BYTES :][:length]
                    self._buffer = self._buffer[frames.PREFIX_BYTES + length :]
                    n, frame = frames.decode_from_master(body)
                    assert n == self.heard
                    self.heard += 1
                    return frame
            data = await self.stream.receive_some()
            if not data:
                return None
            self._buffer += data

    async def expect(self, kind: type[Any]) -> Any:
        """The next frame of a kind; others before it are passed over."""
        while True:
            frame = await self.next_frame()
            assert frame is not None, f"the master hung up before a {kind.__name__}"
            if isinstance(frame, kind):
                return frame


class FakeScheduler:
    """A subscribed scheduler: one stream for events, other connections for calls."""

    def __init__(self, bench: Bench, records: RecordStream, mine: dict[str, Any]) -> None:
        self._bench = bench
        self._records = records
        self.stream_id = records.headers.get("mesos-stream-id", "")
        self.framework_id: str = mine.get("framework_id", {}).get("value", "")
        self.subscribed = mine

    async def next_event(self) -> dict[str, Any] | None:
        record = await self._records.next_record()
        return None if record is None else dict(json.loads(record))

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next event of a type; others before it are passed over."""
        while True:
            event = await self.next_event()
            assert event is not None, f"the stream ended before a {kind}"
            if event["type"] == kind:
                return event

    async def call(self, kind: str, part: dict[str, Any] | None = None, **headers: str) -> Answer:
        call: dict[str, Any] = {"type": kind, "framework_id": {"value": self.framework_id}}
        if part is not None:
            call[kind.lower()] = part
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._bench.post(call, {"Mesos-Stream-Id": self.stream_id, **named})

    async def leave(self) -> None:
        await self._records.aclose()


class Bench:
    """The master under test, and what was said of it."""

    def __init__(self, net: Net, shell: MasterShell) -> None:
        self.net = net
        self.shell = shell
        self.client = HttpClient(net)
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.outcome: str | Exception | None = None
        self.serving = trio.Event()
        self._links = count(1)

    def announce(self, what: str, facts: dict[str, Any]) -> None:
        self.said.append((what, facts))
        if what == "serving":
            self.host, self.port = facts["host"], facts["port"]
            self.link_port = facts["link_port"]
            self.serving.set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def core(self) -> MasterCore:
        return self.shell.core

    async def run(self) -> None:
        try:
            self.outcome = await self.shell.run()
        except Exception as error:
            self.outcome = error

    # Peers --------------------------------------------------------------------------------------

    async def dial(self, agent_id: str = "a1", epoch: int = 1, link: str = "") -> FakeAgent:
        """An agent that has said hello."""
        stream = await self.net.connect(self.host, self.link_port)
        await stream.send_all(hello_bytes(link or f"link{next(self._links)}"))
        return FakeAgent(stream, agent_id, epoch)

    async def agent(self, agent_id: str = "a1", **changes: Any) -> FakeAgent:
        """An agent that has been admitted."""
        agent = await self.dial(agent_id)
        await agent.register(**changes)
        await agent.expect(frames.Registered)
        return agent

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        return await self.client.request(method, self.url + path, headers=headers or {}, body=body)

    async def post(
        self,
        call: dict[str, Any],
        headers: dict[str, str] | None = None,
        path: str = "/api/v1/scheduler",
    ) -> Answer:
        json_headers = {"Content-Type": "application/json", **(headers or {})}
        return await self.request("POST", path, json.dumps(call).encode(), json_headers)

    async def operate(self, kind: str, **part: Any) -> Any:
        """The part of the answer to an operator's call."""
        call = {"type": kind, **({kind.lower(): part} if part else {})}
        answer = await self.post(call, path="/api/v1")
        assert answer.status == 200, answer.body
        said = json.loads(answer.body)
        assert said["type"] == kind
        return said[kind.lower()]

    async def get(self, path: str) -> Any:
        answer = await self.request("GET", path)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def subscribe(
        self, framework_id: str | None = None, headers: dict[str, str] | None = None, **info: Any
    ) -> FakeScheduler:
        """A scheduler that has asked to subscribe; it has its first event already."""
        records = await self.client.stream(
            "POST",
            f"{self.url}/api/v1/scheduler",
            headers={"Content-Type": "application/json", **(headers or {})},
            body=json.dumps(subscribe_call(framework_id, **info)).encode(),
        )
        assert records.status == 200, await records.body()
        first = await records.next_record()
        assert first is not None
        event = json.loads(first)
        return FakeScheduler(self, records, event.get("subscribed", {}))


def subscribe_call(framework_id: str | None = None, **info: Any) -> dict[str, Any]:
    """SUBSCRIBE of a framework in role `r`."""
    shown: dict[str, Any] = {
        "user": "u",
        "name": "n",
        "roles": ["r"],
        "capabilities": [{"type": "MULTI_ROLE"}],
    }
    shown |= {"failover_timeout": 3600.0} | info
    call: dict[str, Any] = {"type": "SUBSCRIBE", "subscribe": {"framework_info": shown}}
    if framework_id is not None:
        shown["id"] = call["framework_id"] = {"value": framework_id}
    return call


def accept(offers: list[dict[str, Any]], *tasks: dict[str, Any]) -> dict[str, Any]:
    """The part of an ACCEPT that launches `tasks` on `offers`."""
    launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
    return {"offer_ids": [offer["id"] for offer in offers], "operations": [launch]}


def task(task_id: str, agent_id: str = "a1", cpus: float = 1) -> dict[str, Any]:
    """A command task."""
    return {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": {"value": agent_id},
        "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}}],
        "command": {"value": "true"},
    }


RecorderOf = Callable[[MasterCore, MasterConfig], Recorder[Event]]


def make(
    net: Net | None = None,
    election: Election | None = None,
    config: MasterConfig | None = None,
    settings: Settings | None = None,
    recorder_of: RecorderOf | None = None,
    http_limits: Limits | None = None,
    link_limits: LinkLimits | None = None,
) -> Bench:
    """A master to be run; in memory and elected at once unless told otherwise."""
    net = net or MemoryNet()
    config = config or MasterConfig()
    core = MasterCore(config, CountedIds(), NODE)
    election = election or SingleElection()
    bench: Bench
    shell = MasterShell(
        core,
        settings or Settings(port=0),
        Ports(net=net, clock=TrioClock(), ids=CountedIds(), election=election),
        recorder=None if recorder_of is None else recorder_of(core, config),
        announce=lambda what, facts: bench.announce(what, facts),
        http_limits=http_limits,
        link_limits=link_limits,
    )
    bench = Bench(net, shell)
    return bench


@asynccontextmanager
async def mastering(**chosen: Any) -> AsyncIterator[Bench]:
    """A master, while the block runs; `chosen` as in `make`."""
    bench = make(**chosen)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.run)
        await bench.serving.wait()
        yield bench
        bench.shell.stop()
    await bench.client.aclose()


async def hangs_up(stream: Stream) -> bool:
    """Whether the master ends a connection, without a frame."""
    try:
        return await stream.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def run_one_task(bench: Bench) -> None:
    """From registration to the last acknowledgement."""
    agent = await bench.agent()
    framework = await bench.subscribe()
    offers = (await framework.expect("OFFERS"))["offers"]["offers"]
    assert [offer["agent_id"]["value"] for offer in offers] == ["a1"]
    assert (await framework.call("ACCEPT", accept(offers, task("t1")))).status == 202
    run = await agent.expect(frames.RunTask)
    assert run.task.task_id == "t1"
    await agent.update(framework.framework_id, "t1", "TASK_FINISHED", b"u" * 16)
    status = (await framework.expect("UPDATE"))["update"]["status"]
    assert status["state"] == "TASK_FINISHED"
    part = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
    answer = await framework.call("ACKNOWLEDGE", part)
    assert (answer.status, answer.body) == (202, b"")
    assert (await agent.expect(frames.Ack)).uuid == b"u" * 16
    await framework.leave()
