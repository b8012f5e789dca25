"""The one task of a command executor: from launch to end, and how it is killed on the way.

A kill is SIGTERM at once and SIGKILL when the grace is over.  A later kill can bring that moment
nearer, never push it away (KIL-6).  Running out of `max_completion_time` is a kill without grace
and without TASK_KILLING that ends in TASK_FAILED (EXE-11); a kill on request cancels it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from mesos_ref.wire.v1 import KillPolicy, TaskInfo

DEFAULT_KILL_GRACE_US = 3_000_000

Signal = Literal["SIGTERM", "SIGKILL"]


def kill_grace_us(policy: KillPolicy | None, task: TaskInfo) -> int:
    """KIL-7: the KILL's own policy, else the task's, else three seconds.  Never negative."""
    for each in (policy, task.kill_policy):
        if each is not None and each.grace_period is not None:
            return max(0, each.grace_period.nanoseconds // 1000)
    return DEFAULT_KILL_GRACE_US


class TaskRun:
    """The task's state.  `state` is what we last decided to report."""

    def __init__(self, task: TaskInfo, now_us: int) -> None:
        self.task = task
        self.launched_us = now_us
        self.state = "TASK_STARTING"
        self.pid: int | None = None
        self.has_ended = False
        self.kill_began_us: int | None = None
        self.kill_at_us: int | None = None  # when SIGKILL is due
        self.timed_out = False
        self.complete_by_us: int | None = None
        if task.max_completion_time is not None:
            self.complete_by_us = now_us + max(0, task.max_completion_time.nanoseconds // 1000)

    @property
    def being_killed(self) -> bool:
        return self.kill_began_us is not None

    def view(self) -> dict[str, Any]:
        return {"state": self.state, "being_killed": self.being_killed, "ended": self.has_ended}

    def deadlines(self) -> Iterator[int]:
        """When SIGKILL is due, and when the time is up; neither before there is a process."""
        if self.pid is not None:
            for at in (self.kill_at_us, self.complete_by_us):
                if at is not None:
                    yield at

    def started(self, pid: int) -> Signal | None:
        """The command runs.  Returns the signal a kill asked for meanwhile."""
        self.pid = pid
        if self.being_killed:
            return "SIGTERM"
        self.state = "TASK_RUNNING"
        return None

    def begin_kill(self, now_us: int, grace_us: int, *, on_request: bool = False) -> Signal | None:
        """Kill, or if that is under way, shorten what is left.  Returns the signal to send now."""
        if self.has_ended:
            return None
        first = self.kill_began_us is None
        began_us = now_us if self.kill_began_us is None else self.kill_began_us
        self.kill_began_us = began_us
        if first and on_request:
            self.state = "TASK_KILLING"
            self.complete_by_us = None
        if first or (self.kill_at_us is not None and began_us + grace_us < self.kill_at_us):
            self.kill_at_us = began_us + grace_us
        return "SIGTERM" if first and self.pid is not None else None

    def time_is_up(self, now_us: int) -> bool:
        """Once: `max_completion_time` has passed, and nobody is killing the task yet."""
        if self.complete_by_us is None or now_us < self.complete_by_us or self.pid is None:
            return False
        self.complete_by_us = None
        self.timed_out = True
        return True

    def escalate(self, now_us: int) -> Signal | None:
        """SIGKILL, once the grace is over."""
        if self.kill_at_us is None or now_us < self.kill_at_us or self.pid is None:
            return None
        self.kill_at_us = None
        return "SIGKILL"

    def ended(self, by_itself: str) -> tuple[str, str | None]:
        """The command is over: the task's last state, and the reason if there is one."""
        self.has_ended = True
        self.kill_at_us = self.complete_by_us = None
        if self.timed_out:
            self.state = "TASK_FAILED"
            return self.state, "REASON_MAX_COMPLETION_TIME_REACHED"
        self.state = "TASK_KILLED" if self.being_killed else by_itself
        return self.state, None
