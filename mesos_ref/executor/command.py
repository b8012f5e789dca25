"""The command executor's process: sockets, signals and one child around an `ExecutorCore`.

    MESOS_AGENT_ENDPOINT=… MESOS_FRAMEWORK_ID=… … python -m mesos_ref.executor.command

An agent's template forks itself instead, and calls `execute`.  One selector waits
for the agent, for a child's death and for the core's next deadline; whatever happens becomes an
event, and the effects are done in order.  The process is a subreaper, so "the task's processes" are
simply its descendants.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
import uuid
from collections import deque
from collections.abc import Mapping

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor import spawn
from mesos_ref.executor.core import ExecutorConfig, ExecutorCore
from mesos_ref.executor.http import Calls, Stream, post
from mesos_ref.executor.settings import Settings, SettingsError
from mesos_ref.isolation import processes
from mesos_ref.step import Effect
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import TaskInfo, TaskStatus

SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}


class KernelIds:
    """Ids drawn from the kernel."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def uuid_bytes(self) -> bytes:
        return uuid.uuid4().bytes


def now_us() -> int:
    """The machine's monotonic clock."""
    return time.monotonic_ns() // 1000


class CommandExecutor:
    """The shell: holds the core, the connections and the command's pid; decides nothing."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.environment = environment
        self.core = ExecutorCore(
            ExecutorConfig(
                framework_id=settings.framework_id,
                executor_id=settings.executor_id,
                checkpoint=settings.checkpoint,
                shutdown_grace_us=settings.shutdown_grace_us,
                recovery_timeout_us=settings.recovery_timeout_us,
                subscription_backoff_max_us=settings.subscription_backoff_max_us,
                epoch_offset_us=time.time_ns() // 1000 - now_us(),
            ),
            KernelIds(),
        )
        self.selector = selectors.DefaultSelector()
        self.stream: Stream | None = None
        self.calls: Calls | None = None
        self.heard = 0
        self.command: int | None = None
        self.exit_code: int | None = None
        self.events: deque[hear.Event] = deque()
        self.signals = self._catch_signals()

    def run(self) -> int:
        """Until the core says exit.  Returns the exit code."""
        self._feed(hear.Started())
        while self.exit_code is None:
            for key, mask in self.selector.select(self._patience_s()):
                if key.fd == self.signals:
                    self._hear_signals()
                else:
                    key.data(mask)
                self._drain()
            deadline = self.core.next_deadline
            if deadline is not None and now_us() >= deadline:
                self._feed(hear.Tick())
        return self.exit_code

    def _patience_s(self) -> float | None:
        deadline = self.core.next_deadline
        return processes.patience_s(None if deadline is None else deadline / 1e6, now_us() / 1e6)

    def _feed(self, event: hear.Event) -> None:
        self.events.append(event)
        self._drain()

    def _drain(self) -> None:
        """Events one at a time; what effects cause comes after what caused them."""
        while self.events and self.exit_code is None:
            for effect in self.core.handle(self.events.popleft(), now_us()).effects:
                self._do(effect)

    # Effects ----------------------------------------------------------------------------------

    def _do(self, effect: Effect) -> None:
        match effect:
            case do.OpenSubscription():
                self._subscribe(effect)
            case do.CloseSubscription():
                self._close()
            case do.SendCall():
                if self.calls is not None:
                    self.calls.make(self._request(effect.call))
            case do.RunCommand():
                try:
                    self.command = spawn.start(effect.task, self.environment)
                    self.events.append(hear.CommandStarted(self.command))
                except spawn.SpawnError as error:
                    self.events.append(hear.CommandNotStarted(str(error)))
            case do.SignalCommand():
                task = processes.descendants(os.getpid())
                processes.send_signal(task, SIGNALS[effect.signal])
            case do.Exit():
                self.exit_code = effect.code
            case _:
                raise AssertionError(f"an executor has no effect like {effect}")

    def _request(self, call: wire.Call) -> bytes:
        settings = self.settings
        return post(settings.host, settings.port, json.encode(call), settings.token)

    def _subscribe(self, effect: do.OpenSubscription) -> None:
        self._close()
        connection = effect.connection
        address = (self.settings.host, self.settings.port)
        say = self.events.append
        self.heard = 0
        self.calls = Calls(
            self.selector,
            address,
            on_failed=lambda status: say(hear.CallFailed(connection, status)),
        )
        self.stream = Stream(
            self.selector,
            address,
            self._request(effect.call),
            on_open=lambda: say(hear.StreamOpened(connection)),
            on_record=lambda record: self._hear_record(connection, record),
            on_refused=lambda status, text: say(hear.SubscribeFailed(connection, status, text)),
            on_end=lambda: say(hear.StreamEnded(connection)),
        )

    def _close(self) -> None:
        for each in (self.stream, self.calls):
            if each is not None:
                each.close()
        self.stream = self.calls = None

    # Events -----------------------------------------------------------------------------------

    def _hear_record(self, connection: int, record: bytes) -> None:
        try:
            event = wire.decode_event(record)
        except WireError as error:
            print(f"ignored an event of the agent: {error}", file=sys.stderr, flush=True)
            return
        if event.type != "HEARTBEAT":
            self.events.append(hear.EventHeard(connection, self.heard, event))
            self.heard += 1

    def _catch_signals(self) -> int:
        """A descriptor from which the numbers of caught signals can be read."""
        readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: None)
        self.selector.register(readable, selectors.EVENT_READ)
        return readable

    def _hear_signals(self) -> None:
        caught = os.read(self.signals, 4096)
        if signal.SIGTERM in caught:
            self.events.append(hear.Terminated())
        if signal.SIGCHLD in caught:
            self._reap()

    def _reap(self) -> None:
        """Reap whoever died.  When it was the command, what it left behind ends before we tell."""
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.command:
                self.command = None
                processes.sweep_descendants()
                exit_code, name = spawn.how_it_ended(wait_status)
                self.events.append(hear.CommandEnded(exit_code, name))


def execute(environment: Mapping[str, str]) -> int:
    """Be a command executor until done.  Returns the exit code."""
    try:
        settings = Settings.read(environment)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    return CommandExecutor(settings, environment).run()


def preload() -> None:
    """Make before any fork what every executor would otherwise make for itself: codecs."""
    task = json.from_builtins(
        {
            "name": "",
            "task_id": {"value": "t"},
            "agent_id": {"value": "a"},
            "command": {"value": "true", "environment": {"variables": []}},
        },
        TaskInfo,
    )
    status = TaskStatus(task_id="t", state="TASK_RUNNING", uuid=bytes(16))
    subscribe = wire.Subscribe(
        unacknowledged_tasks=(task,), unacknowledged_updates=(wire.Update(status=status),)
    )
    call = wire.Call(executor_id="e", framework_id="f", type="SUBSCRIBE", subscribe=subscribe)
    wire.decode_call(json.encode(call))
    launch = wire.Event(type="LAUNCH", launch=wire.Launch(task=task))
    wire.decode_event(json.encode(launch))


def main() -> int:
    """As a program of its own, with nobody above to end what is left."""
    processes.become_subreaper()
    code = execute(os.environ)
    processes.sweep_descendants()
    return code


if __name__ == "__main__":
    sys.exit(main())
