"""Starting: who this agent is, and what of its last life is still there.

What was checkpointed comes back as it was, but that no executor has subscribed yet. An executor
whose container is gone is given up at once, one that does not subscribe within
`executor_reregistration_timeout` then; until each is back or given up, the agent does not register
(RCV-1, RCV-3, RCV-8). Containers nobody remembers were of frameworks that do not checkpoint, and
are destroyed (RCV-2). What can't be read back is a reason not to start at all (RCV-7, strict).
"""

from __future__ import annotations

from mesos_ref.agent import checkpoint, executors, registration, updates
from mesos_ref.agent.effects import DestroyExecutor, Exit
from mesos_ref.agent.environment import grace_us
from mesos_ref.agent.events import Started
from mesos_ref.agent.remembering import remember
from mesos_ref.agent.state import Agent, Executor
from mesos_ref.step import Persist, Recovered
from mesos_ref.wire.json import from_builtins
from mesos_ref.wire.shape import WireError
from mesos_ref.wire.v1 import AgentInfo

RECOVERED = "recovered"


def start(agent: Agent, recovered: Recovered, started: Started) -> None:
    """`start_agent`, and `recover_executor` for each that did not survive."""
    agent.wall_offset_us = started.wall_us - agent.now_us
    try:
        obstacle = _become(agent, recovered)
        remember(agent, recovered)
    except (WireError, ValueError, TypeError, KeyError, AttributeError) as error:
        obstacle = f"What this agent had kept can't be read: {type(error).__name__}: {error}"
    if obstacle is not None:
        agent.over = True
        agent.effects.clear()
        agent.do(Exit(1, obstacle))
        return
    agent.decided("start_agent")
    _reckon(agent, recovered, frozenset(started.alive))
    _touch_all(agent)


def _become(agent: Agent, recovered: Recovered) -> str | None:
    """Take the id of the last life, or a new one; why not, if the agent has changed (RCV-5)."""
    known = recovered.get(checkpoint.AGENT)
    agent.agent_id = agent.ids.uuid() + "-S0" if known is None else str(known["id"])
    agent.identify()
    if known is None:
        checkpoint.keep_agent(agent)
        return None
    before = from_builtins(known["info"], AgentInfo)
    if before == agent.info:
        return None
    checkpoint.keep_agent(agent)
    if agent.config.reconfiguration_policy == "any":
        return None
    changed = [
        name
        for name in ("hostname", "resources", "attributes")
        if getattr(before, name) != getattr(agent.info, name)
    ]
    return f"The agent's {' and '.join(changed)} changed since its last start" if changed else None


def _reckon(agent: Agent, recovered: Recovered, alive: frozenset[str]) -> None:
    """Compare what is remembered with what is there."""
    for container in sorted(alive - agent.containers.keys()):
        agent.do(DestroyExecutor(container))
    for executor in _by_id(agent):
        if executor.container not in alive:
            _recover_executor(agent, executor)
            continue
        agent.awaited[(executor.framework_id, executor.executor_id)] = None
        if executor.phase == "terminating":
            at_us = agent.now_us + grace_us(agent, executor.info)
            agent.timers.arm((executors.DESTROY, executor.container), at_us)
    for _, framework in sorted(agent.frameworks.items()):
        updates.tidy(agent, framework)
    _mend(agent, recovered)
    if agent.awaited:
        patience_us = agent.config.executor_reregistration_timeout_us
        agent.timers.arm((RECOVERED,), agent.now_us + patience_us)


def _mend(agent: Agent, recovered: Recovered) -> None:
    """Have what is kept be what is remembered, wherever the last life was cut off."""
    kept = dict(recovered)
    for effect in agent.effects:
        if isinstance(effect, Persist):
            kept[effect.key] = effect.value
    wanted = checkpoint.whole(agent)
    for key in sorted(kept.keys() | wanted.keys()):
        if kept.get(key) != wanted.get(key):
            agent.keep(key, wanted.get(key))


def _by_id(agent: Agent) -> list[Executor]:
    return sorted(agent.containers.values(), key=lambda e: (e.framework_id, e.executor_id))


def _recover_executor(agent: Agent, executor: Executor) -> None:
    """`recover_executor`: it is no more, and its tasks have to be answered for (RCV-3)."""
    names = {"framework": executor.framework_id, "executor": executor.executor_id}
    agent.decided("recover_executor", **names)
    framework = agent.frameworks[executor.framework_id]
    executor.reason = "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"
    state = framework.lost_or("TASK_GONE")
    message = "The executor did not come back after the agent had restarted"
    executors.bury(agent, framework, executor, state, message)


def give_up_awaited(agent: Agent) -> None:
    """`recover_executor` for each that did not come back in time."""
    for framework_id, executor_id in sorted(agent.awaited):
        executor = agent.frameworks[framework_id].executors[executor_id]
        agent.do(DestroyExecutor(executor.container))
        _recover_executor(agent, executor)
    registration.seek(agent)


def settle(agent: Agent) -> None:
    """The last executor that was waited for is back, or gone: on to the master."""
    if not agent.awaited and (RECOVERED,) in agent.timers.at:
        agent.timers.disarm((RECOVERED,))
        registration.seek(agent)


def _touch_all(agent: Agent) -> None:
    agent.touch("agent")
    for framework_id, framework in agent.frameworks.items():
        agent.touch("frameworks", framework_id)
        for executor_id in framework.executors:
            agent.touch("executors", framework_id, executor_id)
        for task_id in framework.tasks:
            agent.touch("tasks", framework_id, task_id)
        for task_id in framework.queues:
            agent.touch("updates", framework_id, task_id)
