"""Reconciliation: what the master says of a task when it is asked. It changes nothing (REC-11).

An answer may be none at all: while agents of an earlier leader may still come back, nobody knows
what they run (REC-2, D19).
"""

from mesos_ref.master.state import Framework, State, Task
from mesos_ref.master.statuses import lost_or, tell_status
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import TaskState


def reconcile(m: State, framework: Framework, call: scheduler.Reconcile) -> None:
    """Answer for each task asked about; asked about none, for all that are held (REC-8)."""
    m.act("reconcile", settled=is_settled(m))
    if call.tasks:
        for asked in call.tasks:
            answer(m, framework, asked.task_id, asked.agent_id)
    else:
        for _, task in sorted(framework.tasks.items()):
            _answer_known(m, framework, task)


def is_settled(m: State) -> bool:
    """Whether agents of an earlier leader have had their time to come back (REC-2)."""
    return m.now_us >= m.elected_us + m.config.agent_reregister_timeout_us


def answer(m: State, framework: Framework, task_id: str, agent_id: str | None) -> None:
    """Say what is known of one task, if anything may be said (REC-1…REC-7)."""
    task = framework.tasks.get(task_id)
    if task is not None:
        _answer_known(m, framework, task)
        return
    gone = framework.unreachable.get(task_id)
    if gone is not None:
        _answer_unreachable(m, framework, task_id, gone.agent_id)
    elif agent_id in m.lost_agents:
        _answer_unreachable(m, framework, task_id, agent_id)
    elif agent_id in m.agents:
        _tell(m, framework, task_id, "TASK_GONE", agent_id, "the agent does not have it")
    elif is_settled(m):
        _tell(m, framework, task_id, "TASK_UNKNOWN", agent_id, "nobody has heard of it")


def _answer_known(m: State, framework: Framework, task: Task) -> None:
    tell_status(
        m,
        framework,
        task.task_id,
        task.told or task.state,
        "REASON_RECONCILIATION",
        "Reconciliation: latest task state",
        agent_id=task.agent_id,
        executor_id=task.executor_id,
    )


def _answer_unreachable(m: State, framework: Framework, task_id: str, agent_id: str) -> None:
    since_us = m.config.epoch_wall_us + m.lost_agents[agent_id].since_us
    _tell(
        m,
        framework,
        task_id,
        "TASK_UNREACHABLE",
        agent_id,
        "its agent is unreachable",
        unreachable_us=since_us if framework.partition_aware else None,
    )


def _tell(
    m: State,
    framework: Framework,
    task_id: str,
    state: TaskState,
    agent_id: str | None,
    why: str,
    unreachable_us: int | None = None,
) -> None:
    tell_status(
        m,
        framework,
        task_id,
        lost_or(framework, state),
        "REASON_RECONCILIATION",
        f"Reconciliation: {why}",
        agent_id=agent_id,
        unreachable_us=unreachable_us,
    )
