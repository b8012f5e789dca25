"""What an executor is started with is what was asked for (LCH-4, EXE-8).

The specification knows that an executor is started, and for which task; who it runs as, in which
environment and with which patience no rule of it says, so no judge looks.  Here what an agent wants
started is held against what its master asked for, field by field, as the executor API has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mesos_ref.agent.config import AgentConfig
from mesos_ref.agent.effects import StartExecutor
from mesos_ref.executor.settings import parse_duration_us
from mesos_ref.link import RunTask
from mesos_ref.wire.v1 import CommandInfo


def asks_for(frame: RunTask) -> tuple[str, str]:
    """The framework and the id of the executor that a frame asks for."""
    own = frame.executor
    return frame.framework.id or "", frame.task.task_id if own is None else own.executor_id


def misstarted(
    effect: StartExecutor, asked: RunTask | None, agent: Any, config: AgentConfig
) -> Iterator[str]:
    """A sentence for each field of `effect` that is not as it was `asked` of the `agent` (a core's
    state)."""
    name = f"{effect.framework_id}/{effect.executor_id}"
    if asked is None:
        yield f"starts executor {name}, which nobody asked for"
        return
    for field, (found, due) in _fields(effect, asked, agent, config).items():
        if found != due:
            yield f"starts executor {name} with {field} {_brief(found)}, not {_brief(due)}"


def _brief(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | None) else f"a {type(value).__name__}"


def _fields(
    effect: StartExecutor, asked: RunTask, agent: Any, config: AgentConfig
) -> dict[str, tuple[Any, Any]]:
    """By name: what is there, and what should be."""
    own, found = asked.executor, effect.environment
    command = (asked.task.command if own is None else own.command) or CommandInfo()
    lasts = agent.frameworks[effect.framework_id].checkpoint
    period = None if own is None else own.shutdown_grace_period
    patience_us = config.executor_shutdown_grace_us
    if period is not None and period.nanoseconds >= 0:
        patience_us = period.nanoseconds // 1_000
    due = {
        "MESOS_FRAMEWORK_ID": asked.framework.id,
        "MESOS_EXECUTOR_ID": asks_for(asked)[1],
        "MESOS_SLAVE_ID": agent.agent_id,
        "MESOS_CHECKPOINT": "1" if lasts else "0",
        "MESOS_HTTP_COMMAND_EXECUTOR": "1" if own is None else "0",
    }
    grace = found.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "")
    return {
        "task": (effect.task, asked.task if own is None else None),
        "executor": (effect.executor_info, own),
        "user": (effect.user, command.user or asked.framework.user or None),
        "checkpoint": (effect.checkpoint, lasts),
        "grace_us": (effect.shutdown_grace_us, patience_us),
        "its grace_us": (parse_duration_us(grace) if grace else None, patience_us),
        **{name: (found.get(name), value) for name, value in due.items()},
    }
