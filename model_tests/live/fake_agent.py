"""As much of an agent as an executor needs: it takes calls, and sends what a test tells it to.

It acknowledges every update unless told not to, and keeps all it heard in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from mesos_ref.http.messages import Request, Response
from mesos_ref.http.server import serve
from mesos_ref.http.streaming import StreamResponse
from mesos_ref.ports.net import TrioNet
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json
from mesos_ref.wire.v1 import TERMINAL_STATES

FRAMEWORK = "f1"


class FakeAgent:
    """What it heard is in `calls`; what it sends on SUBSCRIBE comes from `on_subscribe`."""

    def __init__(self, on_subscribe: Callable[[wire.Call], list[dict[str, Any]]]) -> None:
        self.on_subscribe = on_subscribe
        self.calls: list[wire.Call] = []
        self.streams: dict[str, StreamResponse] = {}
        self.acknowledges = True
        self.refuse_with: int | None = None
        self.capabilities: list[str] = []
        self.host, self.port = "127.0.0.1", 0
        self._changed = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until stopped; may be run again, on the same port."""
        listener = await TrioNet().listen(self.host, self.port)
        self.port = listener.port
        with trio.CancelScope() as self._scope:
            task_status.started()
            await serve(listener, self.handle)

    def stop(self) -> None:
        """As if killed: every connection ends."""
        for stream in self.streams.values():
            stream.lose("the agent stops")
        self.streams.clear()
        self._scope.cancel()

    async def handle(self, request: Request) -> Response | StreamResponse:
        assert request.path == "/api/v1/executor"
        if self.refuse_with is not None:
            return Response.text(self.refuse_with, "No")
        call = wire.decode_call(request.body)
        self.calls.append(call)
        self._changed.set()
        self._changed = trio.Event()
        if call.type != "SUBSCRIBE":
            if call.update is not None and self.acknowledges:
                status = call.update.status
                acknowledged = wire.Acknowledged(task_id=status.task_id, uuid=status.uuid or b"")
                event = wire.Event(type="ACKNOWLEDGED", acknowledged=acknowledged)
                self.streams[call.executor_id].send_nowait(json.encode(event))
            return Response(202)
        stream = self.streams[call.executor_id] = StreamResponse()
        self.send(call.executor_id, self.subscribed(call.executor_id))
        for event_data in self.on_subscribe(call):
            self.send(call.executor_id, event_data)
        return stream

    def subscribed(self, executor_id: str) -> dict[str, Any]:
        framework = {
            "user": "u",
            "name": "n",
            "id": {"value": FRAMEWORK},
            "capabilities": [{"type": name} for name in self.capabilities],
        }
        return {
            "type": "SUBSCRIBED",
            "subscribed": {
                "executor_info": {"executor_id": {"value": executor_id}},
                "framework_info": framework,
                "agent_info": {"hostname": "h"},
            },
        }

    def send(self, executor_id: str, event: dict[str, Any]) -> None:
        """Send an event given as JSON data."""
        self.streams[executor_id].send_nowait(json.dump(event))

    # What a test wants to know ------------------------------------------------------------------

    def states(self, task_id: str) -> list[str]:
        """The states reported of a task in UPDATE calls, in order."""
        updates = [call.update.status for call in self.calls if call.update is not None]
        return [status.state for status in updates if status.task_id == task_id]

    def statuses(self, state: str) -> list[Any]:
        updates = [call.update.status for call in self.calls if call.update is not None]
        return [status for status in updates if status.state == state]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a call makes the condition true."""
        while not condition():
            await self._changed.wait()

    async def until_over(self, task_id: str) -> Any:
        """The terminal status of a task, once it was reported."""

        def over() -> list[str]:
            return [state for state in self.states(task_id) if state in TERMINAL_STATES]

        await self.until(lambda: bool(over()))
        [status] = [s for s in self.statuses(over()[0]) if s.task_id == task_id]
        return status


def launch(task_id: str, command: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """A LAUNCH event; a command that is text is run by the shell."""
    info = {"value": command} if isinstance(command, str) else command
    task = {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": {"value": "a1"},
        "command": info,
        **more,
    }
    return {"type": "LAUNCH", "launch": {"task": task}}


def kill(task_id: str, grace_ns: int | None = None) -> dict[str, Any]:
    """A KILL event."""
    policy = (
        {} if grace_ns is None else {"kill_policy": {"grace_period": {"nanoseconds": grace_ns}}}
    )
    return {"type": "KILL", "kill": {"task_id": {"value": task_id}, **policy}}


@asynccontextmanager
async def fake_agent(
    on_subscribe: Callable[[wire.Call], list[dict[str, Any]]] = lambda _call: [],
) -> AsyncIterator[tuple[FakeAgent, trio.Nursery]]:
    """A fake agent that serves, and a nursery around it."""
    async with trio.open_nursery() as nursery:
        agent = FakeAgent(on_subscribe)
        await nursery.start(agent.run)
        yield agent, nursery
        nursery.cancel_scope.cancel()
