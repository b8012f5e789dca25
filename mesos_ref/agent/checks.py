"""What must hold of an agent between any two events; for tests and simulation only."""

from __future__ import annotations

from collections.abc import Iterator

from mesos_ref.agent import executors, recovery, registration, updates
from mesos_ref.agent.state import Agent, Executor, Framework, Queue, Task
from mesos_ref.agent.timers import Name
from mesos_ref.wire.v1 import TERMINAL_STATES


def violations(agent: Agent) -> list[str]:
    """Each broken rule as a sentence; empty if all is well."""
    return [*_of_links(agent), *_of_frameworks(agent), *_of_timers(agent)]


def _of_links(agent: Agent) -> Iterator[str]:
    if agent.registered and agent.link is None:
        yield "the agent is registered without a link"
    if agent.link is not None and agent.dialling is not None:
        yield "the agent dials though it has a link"
    if agent.link is not None and (agent.epoch is None or agent.awaited):
        yield "the agent has a link without a leader, or before it has recovered"
    if agent.effects or agent.did:
        yield "notes of a step were left behind"
    if agent.dirty and not agent.watched:
        yield "changes are kept though nobody watches"


def _of_frameworks(agent: Agent) -> Iterator[str]:
    found = {
        executor.container: executor
        for framework in agent.frameworks.values()
        for executor in framework.executors.values()
    }
    if agent.containers != found:
        yield "the containers are not those of the executors"
    for framework in agent.frameworks.values():
        name = framework.framework_id
        if not (framework.executors or framework.tasks or framework.queues):
            yield f"framework {name} is empty"
        if not framework.hosted and (framework.executors or framework.tasks):
            yield f"framework {name} runs something, but was never described"
        for executor in framework.executors.values():
            yield from _of_executor(framework, executor)
        for task in framework.tasks.values():
            yield from _of_task(framework, task)
        for queue in framework.queues.values():
            yield from _of_queue(framework, queue)


def _of_executor(framework: Framework, executor: Executor) -> Iterator[str]:
    for task_id, task in executor.tasks.items():
        if framework.tasks.get(task_id) is not task or task.executor_id != executor.executor_id:
            yield f"executor {executor.executor_id} has a task that is not its own: {task_id}"
    if executor.phase == "running" and executor.stream is None:
        yield f"executor {executor.executor_id} runs without having subscribed"
    if executor.phase == "registering" and executor.stream is not None:
        yield f"executor {executor.executor_id} has subscribed, but is registering"
    if executor.phase == "running" and any(t.phase == "queued" for t in executor.tasks.values()):
        yield f"executor {executor.executor_id} runs, but a task waits for it"


def _of_task(framework: Framework, task: Task) -> Iterator[str]:
    executor = framework.executors.get(task.executor_id)
    queue = framework.queues.get(task.task_id)
    ends = queue is not None and queue.updates[-1].status.state in TERMINAL_STATES
    if task.phase == "ended":
        if not ends or task.state not in TERMINAL_STATES:
            yield f"task {task.task_id} has ended, but no update says so"
        if executor is not None and executor.tasks.get(task.task_id) is task:
            yield f"task {task.task_id} has ended, but is its executor's"
        return
    if ends or task.state in TERMINAL_STATES:
        yield f"task {task.task_id} has a terminal update, but has not ended"
    if executor is None or executor.tasks.get(task.task_id) is not task:
        yield f"task {task.task_id} is {task.phase} without an executor"
    if task.phase == "queued" and (queue is not None or task.state != "TASK_STAGING"):
        yield f"task {task.task_id} is queued, but something was told of it"


def _of_queue(framework: Framework, queue: Queue) -> Iterator[str]:
    if not queue.updates:
        yield f"the queue of {queue.task_id} is empty"
    if any(update.status.state in TERMINAL_STATES for update in list(queue.updates)[:-1]):
        yield f"the queue of {queue.task_id} goes on after a terminal update"
    if queue.task_id not in framework.tasks and len(queue.updates) != 1:
        yield f"the queue of {queue.task_id}, which is no task, has {len(queue.updates)} updates"
    if any(update.status.uuid is None for update in queue.updates):
        yield f"the queue of {queue.task_id} has an update that can't be acknowledged"


def _of_timers(agent: Agent) -> Iterator[str]:
    """Every timer is of something that is there, and whatever has to have one has it."""
    if agent.over:
        return
    wanted = set(_wanted(agent))
    allowed = wanted | set(_allowed(agent))
    for name in sorted(wanted - agent.timers.at.keys()):
        yield f"timer {name} is not armed"
    for name in sorted(agent.timers.at.keys() - allowed):
        yield f"timer {name} is armed for nothing"


def _wanted(agent: Agent) -> Iterator[Name]:
    if agent.awaited:
        yield (recovery.RECOVERED,)
    elif agent.link is not None or agent.dialling is not None:
        yield (registration.SILENCE,)
    elif agent.url is not None:
        yield (registration.CONNECT,)
    for framework in agent.frameworks.values():
        for executor in framework.executors.values():
            key = (framework.framework_id, executor.executor_id)
            if executor.phase == "registering" and key not in agent.awaited:
                yield (executors.REGISTER, *key)
        if agent.registered:
            for task_id in framework.queues:
                yield (updates.RESEND, framework.framework_id, task_id)


def _allowed(agent: Agent) -> Iterator[Name]:
    for executor in agent.containers.values():
        if executor.phase == "terminating":
            yield (executors.DESTROY, executor.container)
