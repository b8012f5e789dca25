"""Finding a leader, registering with it, and noticing that it is gone.

The agent obeys the newest leader it has ever heard of, and no older one (S19). It dials after a
random wait that doubles with each failure (AGT-4), registers on the fresh link, and takes orders
once Registered has come. A link on which nothing is heard for `ping_timeout` is dropped (AGT-10).
"""

from __future__ import annotations

import msgspec

from mesos_ref import link
from mesos_ref.agent import checkpoint, executors, tasks, updates
from mesos_ref.agent.effects import Connect, DestroyExecutor, Exit
from mesos_ref.agent.state import Agent, Framework, Task
from mesos_ref.step import CloseLink
from mesos_ref.wire import executor as wire

CONNECT = "connect"
SILENCE = "silence"


# Leaders ------------------------------------------------------------------------------------------


def hear_leader(agent: Agent, epoch: int, url: str) -> None:
    """`turn_to` a newer leader; what is said of older ones does not matter."""
    if agent.epoch is not None and epoch < agent.epoch:
        return
    agent.url = url
    if agent.epoch is None or epoch > agent.epoch:
        agent.decided("turn_to", epoch=epoch)
        _leave(agent)
        _adopt(agent, epoch)
        agent.backoff_us = agent.config.registration_backoff_us
        agent.timers.disarm((CONNECT,))
    seek(agent)


def _adopt(agent: Agent, epoch: int) -> None:
    agent.epoch = epoch
    agent.touch("agent")
    checkpoint.keep_epoch(agent)


def seek(agent: Agent) -> None:
    """See to it that there is a link, or will be one."""
    busy = agent.link is not None or agent.dialling is not None or (CONNECT,) in agent.timers.at
    if agent.url is None or agent.awaited or busy:
        return
    jitter = int.from_bytes(agent.ids.uuid_bytes()[:8], "big") % (agent.backoff_us + 1)
    agent.timers.arm((CONNECT,), agent.now_us + jitter)
    longest_us = max(agent.config.registration_backoff_max_us, agent.config.registration_backoff_us)
    agent.backoff_us = min(2 * agent.backoff_us, longest_us)


def connect(agent: Agent) -> None:
    """The wait is over."""
    if agent.url is not None and agent.epoch is not None:
        agent.dialling = agent.ids.uuid()
        agent.do(Connect(agent.epoch, agent.url, agent.dialling))
        _expect_to_hear(agent)


def _expect_to_hear(agent: Agent) -> None:
    agent.timers.arm((SILENCE,), agent.now_us + agent.config.ping_timeout_us)


# Links --------------------------------------------------------------------------------------------


def hear_linked(agent: Agent, linked: str) -> None:
    """`register`: tell the leader who this is and what it runs (AGT-2, AGT-6, R1)."""
    if linked != agent.dialling:
        agent.do(CloseLink(linked))
        return
    agent.dialling, agent.link = None, linked
    agent.decided("register", link=linked)
    agent.touch("agent")
    _expect_to_hear(agent)
    agent.tell_master(_register(agent))


def hear_link_ended(agent: Agent, ended: str) -> None:
    """`drop_link`, if it is the one; a dial that failed is nothing yet."""
    if ended == agent.dialling:
        agent.dialling = None
        agent.timers.disarm((SILENCE,))
    elif ended == agent.link:
        agent.decided("drop_link")
        _forget_link(agent)
    else:
        return
    seek(agent)


def give_up_silent(agent: Agent) -> None:
    """`drop_link`: nothing was heard for too long (AGT-10)."""
    if agent.link is not None:
        agent.decided("drop_link")
    _leave(agent)
    seek(agent)


def _leave(agent: Agent) -> None:
    """Close whatever link there is, or is to be."""
    for name in (agent.dialling, agent.link):
        if name is not None:
            agent.do(CloseLink(name))
    _forget_link(agent)


def _forget_link(agent: Agent) -> None:
    if agent.link is not None:
        agent.touch("agent")
    agent.dialling = agent.link = None
    agent.timers.disarm((SILENCE,))
    if agent.registered:
        agent.registered = False
        updates.pause(agent)


# Registering --------------------------------------------------------------------------------------


def _register(agent: Agent) -> link.Register:
    frameworks = _in_order(agent)
    return link.Register(
        epoch=agent.epoch or 0,
        newest_epoch=agent.epoch or 0,
        agent_id=agent.agent_id,
        info=agent.info,
        ip=agent.config.ip,
        version=agent.config.version,
        tasks=tuple(
            _report(framework, framework.tasks[task_id])
            for framework in frameworks
            for task_id in sorted(framework.tasks)
        ),
        executors=tuple(
            link.ExecutorReport(
                framework_id=executor.framework_id,
                executor_id=executor.executor_id,
                role=executor.role,
                resources=executor.info.resources,
                info=executor.info,
            )
            for framework in frameworks
            for _, executor in sorted(framework.executors.items())
            if not (executor.command or executor.disowned)
        ),
        frameworks=tuple(framework.info for framework in frameworks if framework.hosted),
    )


def _in_order(agent: Agent) -> list[Framework]:
    return [agent.frameworks[framework_id] for framework_id in sorted(agent.frameworks)]


def _report(framework: Framework, task: Task) -> link.TaskReport:
    queue = framework.queues.get(task.task_id)
    head = None if queue is None else queue.updates[0].status
    return link.TaskReport(
        framework_id=framework.framework_id,
        task_id=task.task_id,
        name=task.info.name,
        role=task.role,
        executor_id=None if task.command else task.executor_id,
        resources=task.info.resources,
        state=task.state,
        status_state=None if head is None else head.state,
        status_uuid=None if head is None else head.uuid,
        killed=task.killed,
        info=msgspec.structs.replace(task.info, command=None, executor=None, data=None),
    )


def hear_registered(agent: Agent, frame: link.Registered) -> None:
    """`be_registered`: there is a leader to obey, and to tell what waits (UPD-17, RCV-9)."""
    if frame.agent_id != agent.agent_id:
        agent.decided("ignore_frame")
        return
    agent.decided("be_registered")
    if frame.epoch != agent.epoch:
        _adopt(agent, frame.epoch)
    agent.registered = True
    agent.backoff_us = agent.config.registration_backoff_us
    agent.touch("agent")
    _expect_to_hear(agent)
    updates.send_heads(agent, _in_order(agent))
    for asked in frame.reconcile:
        tasks.reconcile(agent, asked)


def hear_ping(agent: Agent, frame: link.Ping) -> None:
    """`answer_ping`; a master that takes us for gone is told anew who we are (AGT-8)."""
    agent.decided("answer_ping")
    _expect_to_hear(agent)
    agent.tell_master(link.Pong(epoch=agent.epoch or 0))
    if not frame.connected:
        _leave(agent)
        seek(agent)


def hear_shutdown(agent: Agent, frame: link.Shutdown) -> None:
    """`shut_down_agent`: end every executor, and the process."""
    agent.decided("shut_down_agent")
    for framework in _in_order(agent):
        for _, executor in sorted(framework.executors.items()):
            if executor.phase == "running":
                agent.tell_executor(executor, wire.SHUTDOWN)
            executor.phase = "terminating"
            executors.touch(agent, executor)
            agent.do(DestroyExecutor(executor.container))
    _leave(agent)
    agent.timers.clear()
    agent.over = True
    agent.touch("agent")
    agent.do(Exit(1, f"The master told this agent to shut down: {frame.message}"))
