"""What an executor has said and the agent has not yet acknowledged.

An update is kept, in order, until ACKNOWLEDGED; a task until the first acknowledgement of any of
its updates.  Both go into every SUBSCRIBE, so neither side's crash loses a word of it.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from mesos_ref.step import IdSource
from mesos_ref.wire.executor import Update
from mesos_ref.wire.v1 import TaskInfo, TaskStatus

MAX_KEPT = 1000


class Updates:
    """Unacknowledged updates, oldest first, and tasks."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self._updates: dict[bytes, Update] = {}
        self._tasks: dict[str, TaskInfo] = {}

    def has_room(self) -> bool:
        """Whether one more task may be answered; an agent that never acknowledges fills us up."""
        return len(self._updates) < MAX_KEPT and len(self._tasks) < MAX_KEPT

    def keep_task(self, task: TaskInfo) -> None:
        self._tasks[task.task_id] = task

    def keep(self, status: TaskStatus) -> Update:
        """Give the status a uuid and keep it."""
        uuid = self._ids.uuid_bytes()
        update = Update(status=msgspec.structs.replace(status, uuid=uuid))
        self._updates[uuid] = update
        return update

    def acknowledge(self, task_id: str, uuid: bytes) -> bool:
        """Forget an update, and its task.  False if there is no such update."""
        update = self._updates.get(uuid)
        if update is None or update.status.task_id != task_id:
            return False
        del self._updates[uuid]
        self._tasks.pop(task_id, None)
        return True

    def all_acknowledged(self) -> bool:
        return not self._updates

    def updates(self) -> tuple[Update, ...]:
        return tuple(self._updates.values())

    def tasks(self) -> tuple[TaskInfo, ...]:
        return tuple(self._tasks.values())

    def view(self) -> dict[str, Any]:
        """`unacknowledged/<task>`: whether the task itself is kept, and its updates' uuids."""
        view: dict[str, Any] = {}
        for update in self._updates.values():
            status = update.status
            key = f"unacknowledged/{status.task_id}"
            entry = view.setdefault(key, {"task": status.task_id in self._tasks, "updates": []})
            uuid = base64.b64encode(status.uuid or b"").decode()
            entry["updates"].append([uuid, status.state])
        return view
