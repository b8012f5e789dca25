"""What an agent core wants done, beside what every core wants (`mesos_ref.step`)."""

from __future__ import annotations

from mesos_ref.step import Effect
from mesos_ref.wire.v1 import ExecutorInfo, TaskInfo


class Connect(Effect, frozen=True):
    """Dial the master at `url`, say hello as connection `link`; then `Linked` or `LinkEnded`."""

    epoch: int
    url: str
    link: str


class StartExecutor(Effect, frozen=True):
    """Start an executor in a new container; its end, or a failed start, is `ExecutorExited`.

    `task` is set for a command task, which the built-in executor runs; else `executor_info` says
    what to run. `environment` lacks what only the shell knows: MESOS_DIRECTORY, MESOS_SANDBOX,
    MESOS_AGENT_ENDPOINT, MESOS_SLAVE_PID, LIBPROCESS_IP.
    """

    container: str
    framework_id: str
    executor_id: str
    task: TaskInfo | None
    executor_info: ExecutorInfo | None
    user: str | None
    checkpoint: bool
    shutdown_grace_us: int
    environment: dict[str, str]


class DestroyExecutor(Effect, frozen=True):
    """Kill everything in a container. One that is unknown or gone is no matter."""

    container: str


class Exit(Effect, frozen=True):
    """End this process with exit status `code`, saying `why`."""

    code: int
    why: str
