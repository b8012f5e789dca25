"""What a command executor wants done."""

from __future__ import annotations

from typing import Literal

from mesos_ref.step import Effect
from mesos_ref.wire.executor import Call
from mesos_ref.wire.v1 import TaskInfo


class OpenSubscription(Effect, frozen=True):
    """Connect to the agent and SUBSCRIBE.  Ends in `SubscribeFailed` or `StreamEnded`."""

    connection: int
    call: Call


class CloseSubscription(Effect, frozen=True):
    """Drop this connection and the calls not yet sent on it.  Nothing is expected of it."""

    connection: int


class SendCall(Effect, frozen=True):
    """Make this call, after those before it were answered."""

    connection: int
    call: Call


class RunCommand(Effect, frozen=True):
    """Start the task's command.  Answered by `CommandStarted` or `CommandNotStarted`."""

    task: TaskInfo


class SignalCommand(Effect, frozen=True):
    """Signal every process of the task, however deep and in whatever session."""

    signal: Literal["SIGTERM", "SIGKILL"]


class Exit(Effect, frozen=True):
    """End this process; last effect of all."""

    code: int
    why: str
