"""The environment an executor is started with, as far as the core knows it.

Source: the executor API's table of variables (MESOS_…), read by every stock executor. The shell
adds what it alone knows: endpoint and directories.
"""

from __future__ import annotations

from mesos_ref.agent.state import Agent, Executor, Framework
from mesos_ref.executor.demands import environment_of
from mesos_ref.executor.settings import format_duration
from mesos_ref.wire.v1 import ExecutorInfo


def grace_us(agent: Agent, info: ExecutorInfo) -> int:
    """How long the executor may take to shut down."""
    asked = info.shutdown_grace_period
    if asked is None or asked.nanoseconds < 0:
        return agent.config.executor_shutdown_grace_us
    return asked.nanoseconds // 1_000


def environment(agent: Agent, framework: Framework, executor: Executor) -> dict[str, str]:
    """The user's variables first: ours can't be overwritten."""
    return {
        **environment_of(executor.info.command),
        "MESOS_FRAMEWORK_ID": framework.framework_id,
        "MESOS_EXECUTOR_ID": executor.executor_id,
        "MESOS_SLAVE_ID": agent.agent_id,
        "MESOS_CHECKPOINT": "1" if framework.checkpoint else "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": format_duration(grace_us(agent, executor.info)),
        "MESOS_HTTP_COMMAND_EXECUTOR": "1" if executor.command else "0",
        "LIBPROCESS_PORT": "0",
        **({"MESOS_ALLOCATION_ROLE": executor.role} if executor.command else {}),
        **(_patience(agent) if framework.checkpoint else {}),
    }


def _patience(agent: Agent) -> dict[str, str]:
    config = agent.config
    return {
        "MESOS_RECOVERY_TIMEOUT": format_duration(config.recovery_timeout_us),
        "MESOS_SUBSCRIPTION_BACKOFF_MAX": format_duration(
            config.executor_reregistration_timeout_us
        ),
    }
