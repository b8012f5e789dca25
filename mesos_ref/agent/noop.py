"""Executors that are not there: every task runs for no time at all, inside the agent's process.

For benchmarks and tests of everything else. To the core, to the protocol and to whoever judges it
looks like any executor: it subscribes, reports TASK_RUNNING and TASK_FINISHED for each task it is
given, waits until both are acknowledged, and goes. One that runs commands ends after its task, any
other when it is told to shut down. Nothing of it survives the agent.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import msgspec

from mesos_ref.agent.effects import StartExecutor
from mesos_ref.agent.events import Event, ExecutorCall, ExecutorExited
from mesos_ref.ports.clock import Clock
from mesos_ref.step import IdSource, MessageId
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import TaskState, TaskStatus

NextCall = Callable[[], tuple[str, MessageId]]
"""The handle and the id of the next call at the agent's door."""


class NoopExecutor(msgspec.Struct):
    """One executor: where it is heard, and what it waits for."""

    container: str
    framework_id: str
    executor_id: str
    #: Whether it ends after its task.
    command: bool
    stream: str = ""
    #: Uuids of its updates that are not acknowledged.
    unacknowledged: dict[bytes, None] = {}


class NoopContainers:
    """In place of `IsolatedContainers`, and of the door executors come in by."""

    def __init__(
        self,
        post_nowait: Callable[[Event], None],
        next_call: NextCall,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._post_nowait = post_nowait
        self._next_call = next_call
        self._ids = ids
        self._clock = clock
        self._by_container: dict[str, NoopExecutor] = {}
        self._by_stream: dict[str, NoopExecutor] = {}
        #: Who waits for the answer to its SUBSCRIBE, by request.
        self._subscribing: dict[str, NoopExecutor] = {}

    # Containers ---------------------------------------------------------------------------------

    def start(self, effect: StartExecutor) -> None:
        executor = NoopExecutor(
            effect.container,
            effect.framework_id,
            effect.executor_id,
            command=effect.executor_info is None,
        )
        self._by_container[effect.container] = executor
        request = self._say(executor, "SUBSCRIBE", subscribe=wire.Subscribe())
        self._subscribing[request] = executor

    def destroy(self, container: str) -> None:
        if container in self._by_container:
            self._end(self._by_container[container], int(signal.SIGKILL))

    async def settled(self) -> None:
        return  # nothing takes any time here

    # The door -----------------------------------------------------------------------------------

    def opens(self, request: str, stream: str) -> bool:
        """Whether the SUBSCRIBE that is answered so was one of ours."""
        executor = self._subscribing.pop(request, None)
        if executor is None:
            return False
        executor.stream = stream
        self._by_stream[stream] = executor
        return True

    def hears(self, stream: str, event: msgspec.Struct) -> bool:
        """Whether the stream is one of ours; if so, the executor has heard the event."""
        executor = self._by_stream.get(stream)
        if executor is None or not isinstance(event, wire.Event):
            return False
        if executor.container not in self._by_container:
            return True  # it was destroyed before its SUBSCRIBE was answered: the dead hear nothing
        if event.launch is not None:
            self._report(executor, event.launch.task.task_id, "TASK_RUNNING")
            self._report(executor, event.launch.task.task_id, "TASK_FINISHED")
        elif event.acknowledged is not None:
            executor.unacknowledged.pop(event.acknowledged.uuid, None)
            if executor.command and not executor.unacknowledged:
                self._end(executor, 0)
        elif event.type == "SHUTDOWN":
            self._end(executor, 0)
        return True

    # The executor -------------------------------------------------------------------------------

    def _report(self, executor: NoopExecutor, task_id: str, state: TaskState) -> None:
        uuid = self._ids.uuid_bytes()
        executor.unacknowledged[uuid] = None
        status = TaskStatus(
            task_id=task_id,
            state=state,
            source="SOURCE_EXECUTOR",
            executor_id=executor.executor_id,
            uuid=uuid,
            timestamp=self._clock.wall_us() / 1_000_000,
        )
        self._say(executor, "UPDATE", update=wire.Update(status=status))

    def _say(
        self,
        executor: NoopExecutor,
        kind: str,
        subscribe: wire.Subscribe | None = None,
        update: wire.Update | None = None,
    ) -> str:
        request, call_id = self._next_call()
        call = wire.Call(
            executor_id=executor.executor_id,
            framework_id=executor.framework_id,
            type=kind,
            subscribe=subscribe,
            update=update,
        )
        stream = self._ids.uuid() if subscribe is not None else ""
        self._post_nowait(
            ExecutorCall(request, call_id, call.framework_id, call.executor_id, call, stream)
        )
        return request

    def _end(self, executor: NoopExecutor, status: int) -> None:
        del self._by_container[executor.container]
        self._by_stream.pop(executor.stream, None)
        self._post_nowait(ExecutorExited(executor.container, status))
