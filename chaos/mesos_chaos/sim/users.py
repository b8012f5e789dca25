"""The user's code of a simulated framework: it wants items done, and keeps the books on them.

It is what `mesos-ref run` does, as plain functions: it accepts offers for items that are not done
and tries an item again when its attempt ended without finishing.  Wanted work is kept outside of
Mesos, so it survives the scheduler's death (D17).  An unruly one makes calls that nobody needs,
leaves offers unanswered, and launches tasks that are unreachable once more under their old ids,
until it is told to calm down: progress can be demanded only of those who let it happen.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from mesos_chaos.plan import Workload
from mesos_ref.resources import Resources
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import (
    CommandInfo,
    ExecutorInfo,
    Filters,
    Launch,
    Offer,
    Operation,
    TaskInfo,
    TaskStatus,
)

#: States in which an attempt has ended without finishing its item.
ENDED = (
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_UNKNOWN",
)
#: What each executor of a framework's own takes.
EXECUTOR = Resources.parse("cpus:0.1;mem:32")
REGRETS = 0.2  #: the share of launches of which it kills a task at once
INSISTS = 0.5  #: the share of unreachable tasks that an unruly framework launches anew as they are
HOARDS = 0.2  #: the share of offers that an unruly framework leaves unanswered
NOT_WANTED_S = 3600.0  #: for how long a patient framework refuses what it has no use for
USED_UP = Filters(refuse_seconds=0.0)  #: what an impatient one says of what an ACCEPT leaves


@dataclass(slots=True)
class Items:
    """Wanted work: which items are open, which attempt each is in, what became of them."""

    workload: Workload
    open: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)  #: tasks whose end is yet to be acknowledged
    again: dict[int, str] = field(default_factory=dict)  #: item → the id of a task that may run

    @property
    def finished(self) -> bool:
        """Whether every item is done."""
        return len(self.done) == self.workload.items

    def next_attempt(self, item: int) -> str:
        """A fresh task id for `item`; or, after `retry` or if it has only one, that of before."""
        if item in self.again:
            task_id = self.again.pop(item)
            self.running[task_id] = item
            return task_id
        self.attempts[item] = self.attempts.get(item, 0) + 1
        task_id = f"{self.workload.name}.{item}.{self.attempts[item]}"
        if self.workload.same_ids and (first := f"{self.workload.name}.{item}.1") not in self.ends:
            task_id = first
        self.running[task_id] = item
        return task_id

    def retry(self, task_id: str) -> None:
        """An attempt that may still run is given up, and its id used once more."""
        item = self.running.pop(task_id, None)
        if item is not None and item not in self.done:
            self.again[item] = task_id
            self.open.append(item)

    def ended(self, task_id: str, state: str) -> None:
        """An attempt has ended: its item is done, or open again."""
        item = self.running.pop(task_id, None)
        if item is None:
            return
        if state == "TASK_FINISHED":
            self.done.add(item)
        elif item not in self.done:
            self.open.insert(0 if self.workload.same_ids else len(self.open), item)


class User:
    """What one framework's user code does with offers, updates, and idle time."""

    def __init__(self, workload: Workload, dice: random.Random) -> None:
        self.items = Items(workload, open=list(range(workload.items)))
        self.unruly = workload.unruly
        self._want = workload
        self._each = Resources.parse(f"cpus:{workload.cpus};mem:{workload.mem_mb}")
        self._each_on_wire = self._each.to_wire()
        self._dice = dice
        self._places: dict[str, tuple[str, str]] = {}  #: task → agent, executor
        self._anew = ""  #: what its executors are called by besides, since one was gone
        self._offered = False  #: whether an offer came since it was last asked about its hunger

    # ---- offers --------------------------------------------------------------------------------
    def answer(self, offer: Offer) -> wire.Call | None:
        """ACCEPT for as many open items as fit, else DECLINE; None: it lets the offer lie."""
        self._offered = True
        if self.unruly and self._dice.random() < HOARDS:
            return None
        tasks = self._tasks(offer)
        patient = self._want.patient
        if not tasks:
            soon_s = 1.0 if self.items.running else 5.0
            refuse = Filters(refuse_seconds=NOT_WANTED_S if patient else soon_s)
            return wire.Call(
                type="DECLINE", decline=wire.Decline(offer_ids=(offer.id,), filters=refuse)
            )
        launch = Operation(type="LAUNCH", launch=Launch(task_infos=tuple(tasks)))
        rest = None if patient and not self._wants else USED_UP  # None: as Mesos has it, 5 s
        accept = wire.Accept(offer_ids=(offer.id,), operations=(launch,), filters=rest)
        return wire.Call(type="ACCEPT", accept=accept)

    @property
    def _room(self) -> int:
        """How many more tasks it may run now."""
        return (self._want.parallel or self._want.items) - len(self.items.running)

    @property
    def _wants(self) -> bool:
        return bool(self.items.open) and self._room > 0

    def is_starved(self) -> bool:
        """Whether it wants offers, and none has come since this was last asked."""
        offered, self._offered = self._offered, False
        return self._wants and not offered

    def _tasks(self, offer: Offer) -> list[TaskInfo]:
        each, custom = self._each, self._want.executor == "custom"
        left = Resources.from_wire(offer.resources)
        tasks: list[TaskInfo] = []
        while self._wants:
            item = self.items.open[0]
            executor = self._executor(item) if custom else None
            if not left.contains(each if executor is None else each + EXECUTOR):
                break
            left = left - each
            if executor is not None and all(t.executor != executor for t in tasks):
                left = left - EXECUTOR
            self.items.open.pop(0)
            tasks.append(self._task(offer, item, executor))
        return tasks

    def _executor(self, item: int) -> ExecutorInfo:
        """Items share two executors on each agent."""
        return ExecutorInfo(
            executor_id=f"{self._want.name}.x{item % 2}{self._anew}",
            command=CommandInfo(value="./executor"),
            resources=EXECUTOR.to_wire(),
        )

    def _task(self, offer: Offer, item: int, executor: ExecutorInfo | None) -> TaskInfo:
        task_id = self.items.next_attempt(item)
        self._places[task_id] = (offer.agent_id, executor.executor_id if executor else task_id)
        command = CommandInfo(value=self._want.command)
        return TaskInfo(
            name=task_id,
            task_id=task_id,
            agent_id=offer.agent_id,
            resources=self._each_on_wire,
            executor=executor,
            command=command if executor is None else None,
            data=None if executor is None else self._want.command.encode(),
        )

    def agents(self) -> dict[str, str]:
        """The agent of each task that is not known to have ended.

        A master that leads anew answers for a task it never heard of once that task's agent is
        back; not knowing the agent, it must wait until all of them have had their time (REC-2).
        """
        return {task_id: self._places[task_id][0] for task_id in self.items.running}

    # ---- what becomes of them ------------------------------------------------------------------
    def update(self, status: TaskStatus) -> None:
        """The framework is told of a task.

        Where a master takes an executor for alive that its agent knows to be gone, every task for
        it is dropped, as on Mesos: who wants to get on gives his executors other names.
        """
        if status.state == "TASK_DROPPED" and status.reason == "REASON_EXECUTOR_TERMINATED":
            self._anew = f".after-{status.task_id}"
        if status.state == "TASK_UNREACHABLE" and self.unruly and self._dice.random() < INSISTS:
            self.items.retry(status.task_id)
        if status.state == "TASK_FINISHED" or status.state in ENDED:
            if status.uuid is not None:
                self.items.ends.add(status.task_id)
            self._ended(status.task_id, status.state)

    def not_sent(self, call: wire.Call | None) -> None:
        """A call was not made: its tasks' items are open again."""
        if call is not None and call.accept is not None:
            for operation in call.accept.operations:
                for task in operation.launch.task_infos if operation.launch else ():
                    self._ended(task.task_id, "TASK_DROPPED")

    def _ended(self, task_id: str, state: str) -> None:
        self.items.ended(task_id, state)
        self._places.pop(task_id, None)

    def second_thoughts(self, call: wire.Call) -> wire.Call | None:
        """Now and then an unruly framework kills what it has just launched."""
        launched = [
            task.task_id
            for operation in (() if call.accept is None else call.accept.operations)
            for task in (operation.launch.task_infos if operation.launch else ())
        ]
        if not launched or not self.unruly or self._dice.random() >= REGRETS:
            return None
        return wire.Call(type="KILL", kill=wire.Kill(task_id=self._dice.choice(launched)))

    # ---- misbehaving ---------------------------------------------------------------------------
    def whim(self) -> wire.Call:
        """A call that nobody needs, as any framework may make at any time (D13)."""
        tasks = sorted(self.items.running) or ["never-launched"]
        task = self._dice.choice([*tasks, "never-launched"])
        agent, executor = self._places.get(task, ("nobody", "no-executor"))
        calls = [
            wire.Call(type="KILL", kill=wire.Kill(task_id=task)),
            wire.Call(type="KILL", kill=wire.Kill(task_id=task, agent_id="nobody")),
            wire.Call(type="KILL", kill=wire.Kill(task_id="never-launched")),
            wire.Call(type="RECONCILE", reconcile=wire.Reconcile()),
            wire.Call(
                type="RECONCILE",
                reconcile=wire.Reconcile(tasks=(wire.ReconcileTask(task_id=task),)),
            ),
            wire.Call(type="SUPPRESS"),
            wire.Call(type="DECLINE", decline=wire.Decline(offer_ids=("no-offer",))),
            wire.Call(
                type="SHUTDOWN", shutdown=wire.Shutdown(agent_id=agent, executor_id="no-executor")
            ),
        ]
        if self._want.executor == "custom":
            message = wire.Message(agent_id=agent, executor_id=executor, data=b"hello")
            calls += 3 * [wire.Call(type="MESSAGE", message=message)]
            shutdown = wire.Shutdown(agent_id=agent, executor_id=executor)
            calls.append(wire.Call(type="SHUTDOWN", shutdown=shutdown))
        return self._dice.choice(calls)
