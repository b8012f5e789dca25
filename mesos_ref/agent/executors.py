"""Executors: started, subscribed, shut down, given up, gone.

An executor is *registering* from the moment its container is asked for until it subscribes,
*running* from then, *terminating* once it was told, or made, to end; it is gone when its container
is, never before. A broken stream is not the end of an executor (EXE-4): the view keeps the stream
until the next SUBSCRIBE, and what is sent to it meanwhile is lost, as in Mesos.
"""

from __future__ import annotations

from mesos_ref import link
from mesos_ref.agent import checkpoint, tasks, updates
from mesos_ref.agent.effects import DestroyExecutor, StartExecutor
from mesos_ref.agent.environment import environment, grace_us
from mesos_ref.agent.state import Agent, Executor, Framework, Task
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import ExecutorInfo, TaskInfo, TaskState

REGISTER = "register"
DESTROY = "destroy"


# Starting -----------------------------------------------------------------------------------------


def start(agent: Agent, framework: Framework, task: Task, info: ExecutorInfo | None) -> Executor:
    """Start an executor for its first task; without `info`, the command executor."""
    executor = Executor(
        framework_id=framework.framework_id,
        executor_id=task.executor_id,
        container=agent.ids.uuid(),
        command=info is None,
        info=_of_command(framework, task.info) if info is None else info,
        role=task.role,
    )
    add(agent, framework, executor)
    checkpoint.keep_executor(agent, framework, executor)
    agent.do(_start_effect(agent, framework, executor, task.info))
    deadline_us = agent.now_us + agent.config.executor_registration_timeout_us
    agent.timers.arm((REGISTER, executor.framework_id, executor.executor_id), deadline_us)
    return executor


def add(agent: Agent, framework: Framework, executor: Executor) -> None:
    """The executor lives here."""
    framework.executors[executor.executor_id] = executor
    agent.containers[executor.container] = executor
    touch(agent, executor)


def touch(agent: Agent, executor: Executor) -> None:
    """The executor's view may have changed."""
    agent.touch("executors", executor.framework_id, executor.executor_id)


def _of_command(framework: Framework, task: TaskInfo) -> ExecutorInfo:
    """The command executor describes itself like this."""
    return ExecutorInfo(
        executor_id=task.task_id,
        framework_id=framework.framework_id,
        command=task.command,
        name=f"Command Executor (Task: {task.task_id})",
        source=task.task_id,
    )


def _start_effect(
    agent: Agent, framework: Framework, executor: Executor, task: TaskInfo
) -> StartExecutor:
    user = None if executor.info.command is None else executor.info.command.user
    return StartExecutor(
        container=executor.container,
        framework_id=executor.framework_id,
        executor_id=executor.executor_id,
        task=task if executor.command else None,
        executor_info=None if executor.command else executor.info,
        user=user or framework.info.user or None,
        checkpoint=framework.checkpoint,
        shutdown_grace_us=grace_us(agent, executor.info),
        environment=environment(agent, framework, executor),
    )


# Subscribing --------------------------------------------------------------------------------------


def open_stream(agent: Agent, framework: Framework, executor: Executor, stream: str) -> None:
    """The executor is there, on this stream and no other: SUBSCRIBED."""
    executor.stream = stream
    if executor.phase == "registering":
        executor.phase = "running"
    agent.timers.disarm((REGISTER, executor.framework_id, executor.executor_id))
    touch(agent, executor)
    subscribed = wire.Subscribed(
        executor_info=executor.info,
        framework_info=framework.info,
        agent_info=agent.info,
        container_id=executor.container,
    )
    agent.tell_executor(executor, wire.Event(type="SUBSCRIBED", subscribed=subscribed))


def put_to_work(
    agent: Agent, framework: Framework, executor: Executor, listed: frozenset[str]
) -> None:
    """What an executor is to do that has subscribed (EXE-2, EXE-3, LCH-10).

    `listed`: the tasks it knows of. A launched task that it does not list, and never spoke of, was
    lost on the way to it.
    """
    if executor.phase == "terminating":
        agent.tell_executor(executor, wire.SHUTDOWN)
        return
    launched = sorted(task.task_id for task in executor.tasks.values() if task.phase == "launched")
    for task_id in launched:
        task = executor.tasks[task_id]
        if task.state == "TASK_STAGING" and task_id not in listed:
            _lose_on_the_way(agent, framework, executor, task)
    for task_id in launched:
        if task_id in executor.tasks and executor.tasks[task_id].killed:
            tasks.tell_kill(agent, executor, task_id, None)
    for task in executor.tasks.values():
        if task.phase == "queued":
            tasks.launch(agent, framework, executor, task)
    if not executor.tasked:
        shut_down(agent, framework, executor)


def _lose_on_the_way(agent: Agent, framework: Framework, executor: Executor, task: Task) -> None:
    status = updates.status_of(
        agent,
        task.task_id,
        framework.lost_or("TASK_DROPPED"),
        "REASON_AGENT_RESTARTED",
        "The task did not reach its executor",
        executor,
    )
    tasks.end(agent, framework, task, status)


# Ending -------------------------------------------------------------------------------------------


def shut_down(agent: Agent, framework: Framework, executor: Executor) -> None:
    """Ask a running executor to end, with a grace; end one that has not subscribed (KIL-8)."""
    if executor.phase == "running":
        agent.tell_executor(executor, wire.SHUTDOWN)
        deadline_us = agent.now_us + grace_us(agent, executor.info)
        agent.timers.arm((DESTROY, executor.container), deadline_us)
    elif executor.phase == "registering":
        agent.do(DestroyExecutor(executor.container))
    if executor.phase != "terminating":
        _terminate(agent, framework, executor)


def disown(agent: Agent, framework: Framework, executor: Executor) -> None:
    """Shut down an executor whose framework was removed."""
    executor.disowned = True
    if executor.phase == "terminating":
        checkpoint.keep_executor(agent, framework, executor)
    else:
        shut_down(agent, framework, executor)


def _terminate(agent: Agent, framework: Framework, executor: Executor) -> None:
    executor.phase = "terminating"
    agent.timers.disarm((REGISTER, executor.framework_id, executor.executor_id))
    checkpoint.keep_executor(agent, framework, executor)
    touch(agent, executor)


def hear_shutdown_executor(agent: Agent, frame: link.ShutdownExecutor) -> None:
    """`end_executor`: the framework wants it gone."""
    framework = agent.frameworks.get(frame.framework_id)
    executor = None if framework is None else framework.executors.get(frame.executor_id)
    if framework is None or executor is None or executor.phase == "terminating":
        agent.decided("ignore_frame")
        return
    agent.decided("end_executor")
    shut_down(agent, framework, executor)


def give_up(agent: Agent, framework_id: str, executor_id: str) -> None:
    """It did not subscribe in time (LCH-8). Its tasks end with its container."""
    framework = agent.frameworks[framework_id]
    executor = framework.executors[executor_id]
    agent.decided("give_up_executor", framework=framework_id, executor=executor_id)
    executor.reason = "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    agent.do(DestroyExecutor(executor.container))
    _terminate(agent, framework, executor)


def destroy(agent: Agent, container: str) -> None:
    """Its grace is over."""
    agent.do(DestroyExecutor(container))


def hear_exit(agent: Agent, container: str, status: int | None, why: str) -> None:
    """`executor_ends`: nothing of a container lives any more (EXE-5)."""
    executor = agent.containers.get(container)
    if executor is None:
        return
    framework = agent.frameworks[executor.framework_id]
    agent.decided("executor_ends", framework=framework.framework_id, executor=executor.executor_id)
    message = why or _last_words(executor, status)
    bury(agent, framework, executor, "TASK_FAILED", message)
    if not executor.command and agent.registered:
        exited = link.Exited(
            epoch=agent.epoch or 0,
            framework_id=framework.framework_id,
            executor_id=executor.executor_id,
            status=status,
        )
        agent.tell_master(exited)


def _last_words(executor: Executor, status: int | None) -> str:
    if executor.reason == "REASON_EXECUTOR_REGISTRATION_TIMEOUT":
        return "The executor did not subscribe in time"
    return "The executor ended" + ("" if status is None else f" with wait status {status}")


def bury(
    agent: Agent, framework: Framework, executor: Executor, state: TaskState, message: str
) -> None:
    """The executor is gone, and with it whatever it had not ended."""
    for task_id in sorted(executor.tasks):
        status = updates.status_of(agent, task_id, state, executor.reason, message, executor)
        tasks.end(agent, framework, executor.tasks[task_id], status)
    del framework.executors[executor.executor_id]
    del agent.containers[executor.container]
    agent.awaited.pop((executor.framework_id, executor.executor_id), None)
    agent.timers.disarm((REGISTER, executor.framework_id, executor.executor_id))
    agent.timers.disarm((DESTROY, executor.container))
    checkpoint.forget_executor(agent, framework, executor)
    touch(agent, executor)
    updates.tidy(agent, framework)
