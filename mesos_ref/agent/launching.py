"""RunTask: a task is taken from the master, and an executor started for it if need be.

A task goes to its executor in the order the master sent it (LCH-5): it is queued until the executor
subscribes, and launched at once if it has. What can't be run is answered with a reliable update. A
task id in use is the exception: what is already here speaks for that id, and a second end of it
would break S10.
"""

from __future__ import annotations

from mesos_ref import link
from mesos_ref.agent import checkpoint, executors, tasks, updates
from mesos_ref.agent.names import are_usable
from mesos_ref.agent.state import Agent, Framework, Task
from mesos_ref.resources import EMPTY, ResourceError, Resources
from mesos_ref.wire.v1 import ExecutorInfo, StatusReason, TaskInfo


def hear_run_task(agent: Agent, frame: link.RunTask) -> None:
    """`run`, `refuse_run`, or nothing at all."""
    framework_id, task_id = frame.framework.id or "", frame.task.task_id
    known = agent.frameworks.get(framework_id)
    in_use = known is not None and (task_id in known.tasks or task_id in known.queues)
    if in_use or not are_usable(framework_id, task_id, _executor_id(frame)):
        agent.decided("ignore_frame")
        return
    was_hosted = known is not None and known.hosted
    framework = agent.host(frame.framework, framework_id)
    if not was_hosted:
        checkpoint.keep_all_of(agent, framework)
    refusal = _refusal(framework, frame)
    if refusal is None:
        _run(agent, framework, frame)
    else:
        _refuse_run(agent, framework, frame, *refusal)


def _refusal(framework: Framework, frame: link.RunTask) -> tuple[StatusReason, str] | None:
    """Why this task can't run here (LCH-3, LCH-4)."""
    executor_id = _executor_id(frame)
    if _resources(frame.task) is None:
        return "REASON_TASK_INVALID", "The task's resources are not amounts this agent knows"
    if frame.executor is not None and _resources(frame.executor) is None:
        return "REASON_TASK_INVALID", "The executor's resources are not amounts this agent knows"
    there = framework.executors.get(executor_id)
    if there is None:
        if frame.launch_executor:
            return None
        return "REASON_EXECUTOR_TERMINATED", f"Executor '{executor_id}' is not there any more"
    if there.phase == "terminating":
        return "REASON_EXECUTOR_TERMINATED", f"Executor '{executor_id}' is terminating"
    if frame.launch_executor or there.command:
        return "REASON_EXECUTOR_TERMINATED", f"Executor '{executor_id}' is already there"
    return None


def _executor_id(frame: link.RunTask) -> str:
    """A command task's executor is named like the task."""
    return frame.task.task_id if frame.executor is None else frame.executor.executor_id


def _resources(info: TaskInfo | ExecutorInfo) -> Resources | None:
    """What a task or an executor uses; None if it can't be counted."""
    try:
        return Resources.from_wire(info.resources)
    except ResourceError:
        return None


def _run(agent: Agent, framework: Framework, frame: link.RunTask) -> None:
    agent.decided("run")
    task = Task(
        task_id=frame.task.task_id,
        info=frame.task,
        role=frame.role,
        resources=_resources(frame.task) or EMPTY,
        executor_id=_executor_id(frame),
        command=frame.executor is None,
        number=agent.next_task,
    )
    agent.next_task += 1
    executor = framework.executors.get(task.executor_id)
    if executor is None:
        executor = executors.start(agent, framework, task, frame.executor)
    tasks.add(agent, framework, executor, task)
    if executor.phase == "running":
        task.phase = "launched"
    checkpoint.keep_task(agent, framework, task)
    if executor.phase == "running":
        tasks.tell_launch(agent, framework, executor, task)


def _refuse_run(
    agent: Agent, framework: Framework, frame: link.RunTask, reason: StatusReason, why: str
) -> None:
    agent.decided("refuse_run")
    state = framework.lost_or("TASK_DROPPED")
    status = updates.status_of(agent, frame.task.task_id, state, reason, why)
    updates.enqueue(agent, framework, status)
