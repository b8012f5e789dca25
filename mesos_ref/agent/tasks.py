"""Tasks: queued, launched, ended, forgotten; killed at any of these times.

A task that ends is answered for by one terminal update, which is queued once and for all (S10).
"""

from __future__ import annotations

from mesos_ref import link
from mesos_ref.agent import checkpoint, updates
from mesos_ref.agent.names import are_usable
from mesos_ref.agent.state import Agent, Executor, Framework, Task
from mesos_ref.wire import executor as wire
from mesos_ref.wire.v1 import KillPolicy, TaskStatus

# Launching ----------------------------------------------------------------------------------------


def add(agent: Agent, framework: Framework, executor: Executor, task: Task) -> None:
    """The task is the executor's."""
    framework.tasks[task.task_id] = task
    executor.tasks[task.task_id] = task
    agent.touch("tasks", framework.framework_id, task.task_id)


def launch(agent: Agent, framework: Framework, executor: Executor, task: Task) -> None:
    """Give a queued task to its executor (EXE-2)."""
    task.phase = "launched"
    checkpoint.keep_progress(agent, framework, task)
    tell_launch(agent, framework, executor, task)


def tell_launch(agent: Agent, framework: Framework, executor: Executor, task: Task) -> None:
    """LAUNCH, for a task that is launched."""
    agent.touch("tasks", framework.framework_id, task.task_id)
    if not executor.tasked:
        executor.tasked = True
        checkpoint.keep_executor(agent, framework, executor)
    agent.tell_executor(executor, wire.Event(type="LAUNCH", launch=wire.Launch(task=task.info)))


# Ending -------------------------------------------------------------------------------------------


def end(agent: Agent, framework: Framework, task: Task, status: TaskStatus) -> None:
    """The task's terminal update: the first one, so no other will ever be queued (S10)."""
    task.phase = "ended"
    executor = framework.executors.get(task.executor_id)
    if executor is not None:
        executor.tasks.pop(task.task_id, None)
    progress(agent, framework, task, status)


def progress(agent: Agent, framework: Framework, task: Task, status: TaskStatus) -> None:
    """The task is in another state, and the framework is to hear of it."""
    task.state = status.state
    agent.touch("tasks", framework.framework_id, task.task_id)
    updates.enqueue(agent, framework, status)
    checkpoint.keep_progress(agent, framework, task)


# Killing ------------------------------------------------------------------------------------------


def hear_kill(agent: Agent, frame: link.Kill) -> None:
    """`kill_task`: what it takes depends on how far the task is (KIL-4, KIL-5)."""
    agent.decided("kill_task")
    framework = agent.frameworks.get(frame.framework_id)
    if framework is None:
        return
    task = framework.tasks.get(frame.task_id)
    if task is None:
        if framework.hosted and frame.task_id not in framework.queues and are_usable(frame.task_id):
            _answer_unknown_kill(agent, framework, frame.task_id)
    elif task.phase == "queued":
        _kill_queued(agent, framework, task)
    elif task.phase == "launched":
        _kill_launched(agent, framework, task, frame.kill_policy)


def _answer_unknown_kill(agent: Agent, framework: Framework, task_id: str) -> None:
    state = framework.lost_or("TASK_DROPPED")
    why = "The task is not on this agent"
    status = updates.status_of(agent, task_id, state, "REASON_EXECUTOR_TERMINATED", why)
    updates.enqueue(agent, framework, status)


def _kill_queued(agent: Agent, framework: Framework, task: Task) -> None:
    """Its executor never hears of it; one that is left with nothing to do is shut down (LCH-10)."""
    task.killed = True
    executor = framework.executors.get(task.executor_id)
    status = updates.status_of(
        agent,
        task.task_id,
        "TASK_KILLED",
        "REASON_TASK_KILLED_DURING_LAUNCH",
        "The task was killed before its executor got it",
        executor,
    )
    end(agent, framework, task, status)


def _kill_launched(
    agent: Agent, framework: Framework, task: Task, policy: KillPolicy | None
) -> None:
    if not task.killed:
        task.killed = True
        checkpoint.keep_progress(agent, framework, task)
    tell_kill(agent, framework.executors[task.executor_id], task.task_id, policy)


def tell_kill(agent: Agent, executor: Executor, task_id: str, policy: KillPolicy | None) -> None:
    """Ask an executor to kill one of its tasks."""
    kill = wire.Kill(task_id=task_id, kill_policy=policy)
    agent.tell_executor(executor, wire.Event(type="KILL", kill=kill))


# Reconciling --------------------------------------------------------------------------------------


def reconcile(agent: Agent, asked: link.TaskKey) -> None:
    """The master believes in a task. One that is not known here has an end all the same (AGT-9)."""
    if not are_usable(asked.framework_id, asked.task_id):
        return
    framework = agent.framework(asked.framework_id)
    if asked.task_id in framework.tasks or asked.task_id in framework.queues:
        return
    state = framework.lost_or("TASK_DROPPED")
    why = "The task was not on the agent when it registered"
    status = updates.status_of(agent, asked.task_id, state, "REASON_RECONCILIATION", why)
    updates.enqueue(agent, framework, status)
