"""Statuses of the master's own making. They have no uuid: nobody acknowledges them (UPD-11)."""

from mesos_ref.master.state import Framework, State
from mesos_ref.wire import scheduler
from mesos_ref.wire.v1 import StatusReason, TaskState, TaskStatus, TimeInfo


def lost_or(framework: Framework, state: TaskState) -> TaskState:
    """`state` for those who are partition-aware, TASK_LOST for the rest."""
    return state if framework.partition_aware else "TASK_LOST"


def tell_status(
    m: State,
    framework: Framework,
    task_id: str,
    state: TaskState,
    reason: StatusReason,
    message: str,
    *,
    agent_id: str | None = None,
    executor_id: str | None = None,
    unreachable_us: int | None = None,
) -> None:
    """Send an update that is not to be acknowledged: it has no uuid (UPD-11)."""
    since = None if unreachable_us is None else TimeInfo(nanoseconds=unreachable_us * 1000)
    status = TaskStatus(
        task_id=task_id,
        state=state,
        message=message,
        source="SOURCE_MASTER",
        reason=reason,
        agent_id=agent_id,
        executor_id=executor_id,
        timestamp=m.wall_us / 1e6,
        unreachable_time=since,
    )
    tell_update(m, framework, status)


def tell_update(m: State, framework: Framework, status: TaskStatus) -> None:
    """Send an update as it is."""
    update = scheduler.Update(status=status)
    m.tell(framework, scheduler.Event(type="UPDATE", update=update))
