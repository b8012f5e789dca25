"""The command executor, without sockets, processes or clocks: what it decides, and nothing else.

It runs one task.  Three things go on side by side: its *link* to the agent (subscribe, lose, retry
or give up), its *updates* (each kept until the agent acknowledges it and handed back at every
SUBSCRIBE, and so is the task until its first acknowledgement), and the *task* (start, end, kill,
time limit).  It leaves when the last update has been acknowledged after the task's end.

Sources: EXE-1, 3, 10, 11, 13, 14; KIL-6, 7; RCV-4.  Three points of our own:
* without checkpointing, losing the agent is a SHUTDOWN: the task is killed, within the same grace;
* the 60 s fail-safe for a terminal update counts while subscribed, recovery_timeout otherwise;
* a call the agent didn't take (anything but 202) ends the subscription: the next one repeats it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

import msgspec

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor.link import Link, LinkTimers
from mesos_ref.executor.task import TaskRun, kill_grace_us
from mesos_ref.executor.updates import Updates
from mesos_ref.step import Did, Effect, IdSource, Step
from mesos_ref.wire.executor import Call, Kill, Subscribe
from mesos_ref.wire.executor import Event as Told
from mesos_ref.wire.v1 import TaskInfo, TaskStatus

SECOND_US = 1_000_000
TERMINAL_PATIENCE_US = 60 * SECOND_US
SHUTDOWN_MARGIN_US = 1 * SECOND_US  # of the agent's grace, to say TASK_KILLED in


class ExecutorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent told this executor in its environment.  Times in microseconds."""

    framework_id: str
    executor_id: str
    checkpoint: bool = False
    shutdown_grace_us: int = 5 * SECOND_US
    recovery_timeout_us: int = 15 * 60 * SECOND_US
    subscription_backoff_max_us: int = 2 * SECOND_US
    #: What makes `now_us` microseconds since 1970; statuses carry that as their timestamp.
    epoch_offset_us: int = 0


class ExecutorCore:
    """All of the command executor's state, and the only code that changes it.

    `draw(n)` gives a random number from 0 to n; by default it is made of a uuid.
    """

    def __init__(
        self, config: ExecutorConfig, ids: IdSource, draw: Callable[[int], int] | None = None
    ) -> None:
        self.config = config
        self.watched = False  # whoever takes changes says so; here they are cheap anyway
        self.link = Link(
            LinkTimers(
                checkpoint=config.checkpoint,
                recovery_timeout_us=config.recovery_timeout_us,
                first_contact_us=config.shutdown_grace_us,
                backoff_max_us=config.subscription_backoff_max_us,
            ),
            draw or (lambda most: int.from_bytes(ids.uuid_bytes(), "big") % (most + 1)),
        )
        self.updates = Updates(ids)
        self.run: TaskRun | None = None
        self.knows_killing = False  # the framework has TASK_KILLING_STATE
        self.leaving: str | None = None  # why, once no more tasks are taken
        self.exit_at_us: int | None = None
        self.exited = False
        self._effects: list[Effect] = []
        self._did: list[Did] = []
        self._told_view: dict[str, Any] = {}

    # The door ---------------------------------------------------------------------------------

    def handle(self, event: hear.Event, now_us: int) -> Step:
        """Take one event; what to do about it.  After `Exit` nothing is heard any more."""
        if self.exited:
            return Step()
        self._effects, self._did = [], []
        self._hear(event, now_us)
        self._leave_if_done(now_us)
        return Step(tuple(self._effects), tuple(self._did))

    @property
    def next_deadline(self) -> int | None:
        """When a `Tick` is wanted."""
        if self.exited:
            return None
        deadlines = list(self.link.deadlines())
        if self.exit_at_us is not None:
            deadlines.append(self.exit_at_us)
        if self.run is not None:
            deadlines += self.run.deadlines()
        return min(deadlines, default=None)

    def view(self) -> dict[str, Any]:
        """The executor in Mesos' words, as plain data."""
        return {
            "executor": {
                "connection": self.link.connection,
                "standing": "exited" if self.exited else self.link.standing,
                "leaving": self.leaving,
            },
            **({} if self.run is None else {f"task/{self.run.task.task_id}": self.run.view()}),
            **self.updates.view(),
        }

    def take_changes(self) -> dict[str, Any]:
        """The view's keys that changed since the last call; None for a key that is gone."""
        now = self.view()
        before, self._told_view = self._told_view, now
        changed = {key: value for key, value in now.items() if before.get(key) != value}
        return changed | {key: None for key in before if key not in now}

    # Events -----------------------------------------------------------------------------------

    def _hear(self, event: hear.Event, now_us: int) -> None:
        match event:
            case hear.Started():
                self._subscribe(now_us)
            case hear.StreamOpened():
                pass  # not subscribed before SUBSCRIBED says so
            case hear.EventHeard():
                if self.link.is_current(event.connection):
                    self._hear_agent(event.event, now_us)
            case hear.SubscribeFailed():
                self._subscribe_failed(event, now_us)
            case hear.StreamEnded() | hear.CallFailed():
                if self.link.is_current(event.connection):
                    self._lose_agent(now_us)
            case hear.CommandStarted():
                self._command_started(event.pid, now_us)
            case hear.CommandNotStarted():
                self._task_ended("TASK_FAILED", event.why, now_us)
            case hear.CommandEnded():
                self._command_ended(event, now_us)
            case hear.Terminated():
                self._shut_down("asked to end", now_us)
            case hear.Tick():
                self._tick(now_us)
            case _:
                assert_never(event)

    def _hear_agent(self, event: Told, now_us: int) -> None:
        if event.subscribed is not None and event.type == "SUBSCRIBED":
            capabilities = event.subscribed.framework_info.capabilities
            self.knows_killing = any(c.type == "TASK_KILLING_STATE" for c in capabilities)
            self.link.subscribed()
            self._act("subscribed")
            self._arm_failsafe(now_us)
        elif event.launch is not None and event.type == "LAUNCH":
            self._launch(event.launch.task, now_us)
        elif event.launch_group is not None and event.type == "LAUNCH_GROUP":
            for task in event.launch_group.task_group.tasks:
                self._refuse(task, "The command executor runs no task groups", now_us)
        elif event.kill is not None and event.type == "KILL":
            self._kill(event.kill, now_us)
        elif event.acknowledged is not None and event.type == "ACKNOWLEDGED":
            acknowledged = event.acknowledged
            if self.updates.acknowledge(acknowledged.task_id, acknowledged.uuid):
                self._act("acknowledged", task=acknowledged.task_id)
        elif event.type == "SHUTDOWN":
            self._shut_down("told to shut down", now_us)
        elif event.type == "ERROR":
            text = "" if event.error is None else event.error.message
            self._shut_down(f"the agent reports an error: {text}", now_us)

    def _tick(self, now_us: int) -> None:
        if self.link.retry_due(now_us):
            self._subscribe(now_us)
        if self.link.is_hopeless(now_us):
            self.link.abandon()
            self._act("give_up_agent")
            self._shut_down("the agent did not come back", now_us)
        if self.run is not None and self.run.time_is_up(now_us):
            self._act("time_out")
            self._signal(self.run.begin_kill(now_us, 0))
        self._escalate(now_us)

    # The agent --------------------------------------------------------------------------------

    def _subscribe(self, now_us: int) -> None:
        connection = self.link.connect(now_us)
        body = Subscribe(
            unacknowledged_tasks=self.updates.tasks(),
            unacknowledged_updates=self.updates.updates(),
        )
        call = msgspec.structs.replace(self._call("SUBSCRIBE"), subscribe=body)
        self._effects.append(do.OpenSubscription(connection, call))
        self._act("subscribe")

    def _subscribe_failed(self, event: hear.SubscribeFailed, now_us: int) -> None:
        if not self.link.is_current(event.connection):
            return
        if event.status in (400, 403):  # EXE-1: it lives, and doesn't know us
            self.link.abandon()
            self._act("disowned")
            self._shut_down(f"the agent doesn't know this executor: {event.text}", now_us)
        else:
            self._lose_agent(now_us)

    def _lose_agent(self, now_us: int) -> None:
        self._effects.append(do.CloseSubscription(self.link.connection))
        self._act("lose_agent")
        self.exit_at_us = None
        self.link.lost(now_us, retry=self.leaving is None or self.config.checkpoint)
        if self.link.standing == "abandoned":
            self._shut_down("lost the agent", now_us)

    def _call(self, type_: str) -> Call:
        return Call(
            executor_id=self.config.executor_id,
            framework_id=self.config.framework_id,
            type=type_,
        )

    # The task ---------------------------------------------------------------------------------

    def _launch(self, task: TaskInfo, now_us: int) -> None:
        if self.run is not None:
            if self.run.task.task_id != task.task_id:
                why = "Attempted to run multiple tasks using a command executor"
                self._refuse(task, why, now_us)
            return
        if task.command is None or self.leaving is not None:
            why = "The task has no command" if task.command is None else "The executor is ending"
            self._refuse(task, why, now_us)
            return
        self.run = TaskRun(task, now_us)
        self.updates.keep_task(task)
        self._act("launch", task=task.task_id)
        self._tell(task.task_id, "TASK_STARTING", now_us)
        self._effects.append(do.RunCommand(task))

    def _refuse(self, task: TaskInfo, why: str, now_us: int) -> None:
        """EXE-13."""
        if self.updates.has_room() and (self.run is None or task.task_id != self.run.task.task_id):
            self._act("refuse_task", task=task.task_id)
            self.updates.keep_task(task)
            self._tell(task.task_id, "TASK_FAILED", now_us, message=why)

    def _command_started(self, pid: int, now_us: int) -> None:
        if self.run is None or self.run.has_ended or self.run.pid is not None:
            return
        self._act("command_started")
        signal = self.run.started(pid)
        if signal is None:
            self._tell(self.run.task.task_id, "TASK_RUNNING", now_us)
        self._signal(signal)

    def _command_ended(self, event: hear.CommandEnded, now_us: int) -> None:
        if event.signal is not None:
            message = f"Command terminated with signal {event.signal}"
        else:
            message = f"Command exited with status {event.exit_code}"
        finished = event.signal is None and event.exit_code == 0
        self._task_ended("TASK_FINISHED" if finished else "TASK_FAILED", message, now_us)

    def _task_ended(self, by_itself: str, message: str, now_us: int) -> None:
        if self.run is None or self.run.has_ended:
            return
        state, reason = self.run.ended(by_itself)
        self._act("task_ended")
        self._tell(self.run.task.task_id, state, now_us, message=message, reason=reason)
        self._arm_failsafe(now_us)

    def _kill(self, kill: Kill, now_us: int) -> None:
        if self.run is None or self.run.task.task_id != kill.task_id or self.run.has_ended:
            return
        self._begin_kill(kill_grace_us(kill.kill_policy, self.run.task), now_us)

    def _begin_kill(self, grace_us: int, now_us: int) -> None:
        assert self.run is not None
        first = not self.run.being_killed
        self._act("kill", task=self.run.task.task_id)
        signal = self.run.begin_kill(now_us, grace_us, on_request=True)
        if first and self.knows_killing:
            self._tell(self.run.task.task_id, "TASK_KILLING", now_us)
        self._signal(signal)
        self._escalate(now_us)

    def _escalate(self, now_us: int) -> None:
        signal = None if self.run is None else self.run.escalate(now_us)
        if signal is not None:
            self._act("escalate")
            self._signal(signal)

    def _signal(self, signal: str | None) -> None:
        if signal == "SIGTERM":
            self._effects.append(do.SignalCommand("SIGTERM"))
        elif signal == "SIGKILL":
            self._effects.append(do.SignalCommand("SIGKILL"))

    # Leaving ----------------------------------------------------------------------------------

    def _shut_down(self, why: str, now_us: int) -> None:
        """KIL-8: end the task, tell, go.  The agent ends us when its own grace is over."""
        if self.leaving is None:
            self.leaving = why
            self._act("shut_down")
            self._arm_failsafe(now_us)
        if self.run is not None and not self.run.has_ended:
            whole_us = self.config.shutdown_grace_us
            self._begin_kill(whole_us - min(SHUTDOWN_MARGIN_US, whole_us // 2), now_us)

    def _arm_failsafe(self, now_us: int) -> None:
        """EXE-10: an agent that never acknowledges the end must not keep us for ever."""
        over = self.leaving is not None if self.run is None else self.run.has_ended
        if over and self.link.standing == "subscribed":
            self.exit_at_us = now_us + TERMINAL_PATIENCE_US

    def _leave_if_done(self, now_us: int) -> None:
        busy = self.run is not None and not self.run.has_ended
        if busy or (self.run is None and self.leaving is None):
            return
        nobody_listens = self.link.standing == "abandoned"
        late = self.exit_at_us is not None and now_us >= self.exit_at_us
        if nobody_listens or late or self.updates.all_acknowledged():
            self.exited = True
            self._act("exit")
            self._effects.append(do.CloseSubscription(self.link.connection))
            self._effects.append(do.Exit(0, self.leaving or "the task has ended"))

    # Saying so --------------------------------------------------------------------------------

    def _tell(
        self,
        task_id: str,
        state: Any,
        now_us: int,
        *,
        message: str | None = None,
        reason: Any = None,
    ) -> None:
        status = TaskStatus(
            task_id=task_id,
            state=state,
            message=message,
            source="SOURCE_EXECUTOR",
            reason=reason,
            executor_id=self.config.executor_id,
            timestamp=(now_us + self.config.epoch_offset_us) / SECOND_US,
        )
        update = self.updates.keep(status)
        if self.link.standing == "subscribed":
            call = msgspec.structs.replace(self._call("UPDATE"), update=update)
            self._effects.append(do.SendCall(self.link.connection, call))

    def _act(self, action: str, **names: Any) -> None:
        self._did.append((action, names))


def violations(core: ExecutorCore) -> list[str]:
    """What must hold between any two events; for tests and simulation."""
    wrong = []
    run = core.run
    if core.exited and run is not None and not run.has_ended:
        wrong.append("the executor left while its task was running")
    if run is not None and run.has_ended and list(run.deadlines()):
        wrong.append("a task that has ended still has a timer")
    if core.link.standing == "subscribed" and list(core.link.deadlines()):
        wrong.append("a subscribed executor still waits to subscribe")
    listed = [update.status.uuid for update in core.updates.updates()]
    if len(set(listed)) != len(listed):
        wrong.append("two updates share a uuid")
    return wrong
