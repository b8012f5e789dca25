"""A bench for the executor's core: a clock, all it wanted, and the events of its agent in short."""

from __future__ import annotations

from itertools import count
from typing import Any

from mesos_ref.executor import effects as do
from mesos_ref.executor import events as hear
from mesos_ref.executor.core import ExecutorConfig, ExecutorCore, violations
from mesos_ref.step import Effect, Step
from mesos_ref.wire import executor as wire
from mesos_ref.wire import json
from mesos_ref.wire.v1 import TaskStatus

S = 1_000_000


class CountedIds:
    """Ids that say which they are; `jump` is added to each, for chance that is drawn from them."""

    def __init__(self, jump: int = 0) -> None:
        self.numbers = count(1 + jump)

    def uuid(self) -> str:
        return f"id-{next(self.numbers)}"

    def uuid_bytes(self) -> bytes:
        return next(self.numbers).to_bytes(16, "big")


def event(**data: Any) -> wire.Event:
    return wire.decode_event(json.dump(data))


def subscribed(*capabilities: str) -> wire.Event:
    framework = {
        "user": "u",
        "name": "n",
        "id": {"value": "f"},
        "capabilities": [{"type": name} for name in capabilities],
    }
    told = {
        "executor_info": {"executor_id": {"value": "e"}},
        "framework_info": framework,
        "agent_info": {"hostname": "h"},
    }
    return event(type="SUBSCRIBED", subscribed=told)


def launch(task_id: str = "t", **more: Any) -> wire.Event:
    task = {"name": "n", "task_id": {"value": task_id}, "agent_id": {"value": "a"}}
    command = {} if "command" in more else {"command": {"value": "true"}}
    return event(type="LAUNCH", launch={"task": {**task, **command, **more}})


def kill(task_id: str = "t", grace_s: float | None = None) -> wire.Event:
    grace = {} if grace_s is None else {"kill_policy": policy(grace_s)}
    return event(type="KILL", kill={"task_id": {"value": task_id}, **grace})


def policy(grace_s: float) -> dict[str, Any]:
    return {"grace_period": {"nanoseconds": int(grace_s * 1e9)}}


class Bench:
    """A core, a clock, and all that the core wanted."""

    def __init__(self, jump: int = 0, **config: Any) -> None:
        self.config = ExecutorConfig(framework_id="f", executor_id="e", **config)
        self.jump = jump
        self.core = self.new_core()
        self.now_us = 0
        self.effects: list[Effect] = []
        self.log: list[tuple[hear.Event, int, Step]] = []

    def new_core(self) -> ExecutorCore:
        return ExecutorCore(self.config, CountedIds(self.jump))

    def hear(self, event: hear.Event) -> tuple[Effect, ...]:
        step = self.core.handle(event, self.now_us)
        assert violations(self.core) == []
        if not step.did:
            assert not step.effects, "an empty did sends nothing"
        if isinstance(event, hear.Tick):
            at = self.core.next_deadline
            assert at is None or at > self.now_us, "a deadline that has passed comes again"
        self.log.append((event, self.now_us, step))
        self.effects += step.effects
        return step.effects

    def told(self, event: wire.Event) -> tuple[Effect, ...]:
        return self.hear(hear.EventHeard(self.core.link.connection, 0, event))

    def up(self, *capabilities: str) -> Bench:
        """Started and subscribed."""
        self.hear(hear.Started())
        self.hear(hear.StreamOpened(self.core.link.connection))
        self.told(subscribed(*capabilities))
        return self

    def running(self, *capabilities: str, **task: Any) -> Bench:
        """A task's command runs."""
        self.up(*capabilities).told(launch(**task))
        self.hear(hear.CommandStarted(4711))
        return self

    def tick(self, after_us: int) -> tuple[Effect, ...]:
        """Move the clock; tick as a shell would, at the deadlines on the way."""
        until_us = self.now_us + after_us
        wanted: tuple[Effect, ...] = ()
        while (at := self.core.next_deadline) is not None and at <= until_us:
            self.now_us = max(at, self.now_us)
            wanted += self.hear(hear.Tick())
        self.now_us = until_us
        return wanted

    def sent(self) -> list[TaskStatus]:
        calls = [e.call.update for e in self.effects if isinstance(e, do.SendCall)]
        return [update.status for update in calls if update is not None]

    def states(self) -> list[str]:
        return [status.state for status in self.sent()]

    def acknowledge_all(self) -> tuple[Effect, ...]:
        wanted: tuple[Effect, ...] = ()
        for update in self.core.updates.updates():
            wanted += self.told(acknowledged(update.status))
        return wanted

    def has_exited(self) -> bool:
        return any(isinstance(effect, do.Exit) for effect in self.effects)


def acknowledged(status: TaskStatus) -> wire.Event:
    assert status.uuid is not None
    told = wire.Acknowledged(task_id=status.task_id, uuid=status.uuid)
    return wire.Event(type="ACKNOWLEDGED", acknowledged=told)


def signals(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.signal for effect in effects if isinstance(effect, do.SignalCommand)]
