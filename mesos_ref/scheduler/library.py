"""A framework in ten lines: connect, take offers, launch tasks, wait for them.

    async with mesos_ref.scheduler.connect("http://127.0.0.1:5050", name="demo") as framework:
        async for offer in framework.offers():
            task = await framework.launch(offer, command="echo hi", cpus=1, mem_mb=32)
            print((await task.finished()).state)
            break

Masters may fail over, streams may break and updates may come twice meanwhile; nothing of it shows,
except that an offer may be gone (`OfferGone`) and a launch may come to nothing: then the task ends
with TASK_DROPPED or TASK_LOST like one the master turned down. An update is acknowledged after
`on_updates` has returned and the `Task` has it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio

from mesos_ref.scheduler.core import SchedulerCore
from mesos_ref.scheduler.effects import Deliver, NotSent, Stop
from mesos_ref.scheduler.events import Asked, Seen
from mesos_ref.scheduler.shell import SchedulerShell
from mesos_ref.step import Effect, IdSource
from mesos_ref.wire import scheduler as wire
from mesos_ref.wire.v1 import (
    TERMINAL_STATES,
    CapabilityType,
    CommandInfo,
    Filters,
    Launch,
    Offer,
    Operation,
    Resource,
    Scalar,
    TaskInfo,
    TaskStatus,
)

#: What a framework of this library can deal with.
CAPABILITIES: tuple[CapabilityType, ...] = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")

#: How long `connect` waits at its end for the master to hear TEARDOWN.
FAREWELL_S = 10.0

OnUpdates = Callable[[Sequence[TaskStatus]], Awaitable[None]]

_log = logging.getLogger("mesos_ref.scheduler")


class FrameworkEnded(Exception):
    """The master has ended the framework, or would not have it; says why."""


class OfferGone(Exception):
    """The offer was rescinded, used, or lost with the connection it came on. Wait for another."""


class Task:
    """A task that was launched, and what has become of it so far."""

    def __init__(self, info: TaskInfo) -> None:
        self.info = info
        self.id = info.task_id
        self.agent_id = info.agent_id
        #: The newest status; None before the first.
        self.status: TaskStatus | None = None
        self._news = trio.Event()
        self._error: FrameworkEnded | None = None

    def __repr__(self) -> str:
        return f"<Task {self.id} {self.state}>"

    @property
    def state(self) -> str:
        """The newest state; TASK_STAGING before anything was heard."""
        return "TASK_STAGING" if self.status is None else self.status.state

    @property
    def is_over(self) -> bool:
        """Whether it has reached a state it never leaves."""
        return self.state in TERMINAL_STATES

    async def finished(self) -> TaskStatus:
        """The status it ends with, whichever it is. Raises `FrameworkEnded`."""
        return await self.wait_for(lambda status: status.state in TERMINAL_STATES)

    async def running(self) -> TaskStatus:
        """The first status that says it runs, or ran. Raises `FrameworkEnded`."""
        return await self.wait_for(
            lambda status: status.state == "TASK_RUNNING" or status.state in TERMINAL_STATES
        )

    async def wait_for(self, is_wanted: Callable[[TaskStatus], bool]) -> TaskStatus:
        """The newest status, once it `is_wanted`. Raises `FrameworkEnded`."""
        while self.status is None or not is_wanted(self.status):
            if self._error is not None:
                raise self._error
            await self._news.wait()
        return self.status

    def _hear(self, status: TaskStatus) -> None:
        if not self.is_over:
            self.status = status
            self._wake()

    def _end(self, error: FrameworkEnded) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


class Framework:
    """A framework that is connected. Made by `connect`."""

    def __init__(
        self, core: SchedulerCore, name: str, ids: IdSource, on_updates: OnUpdates | None
    ) -> None:
        self.name = name
        #: Tasks launched here, by id, until they are over.
        self.tasks: dict[str, Task] = {}
        self._core = core
        self._ids = ids
        self._on_updates = on_updates
        #: Set by `connect`.
        self.shell: SchedulerShell | None = None
        #: Offers not taken by `offers` yet, oldest first; those gone meanwhile are skipped.
        self._offers: deque[Offer] = deque()
        #: Offers that a call under way has used.
        self._spent: set[str] = set()
        self._updates: deque[TaskStatus] = deque()
        #: How many updates have come, and how many of them were shown.
        self._come = self._shown = 0
        self._news = trio.Event()
        self._error: FrameworkEnded | None = None

    # What is known ------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """The framework's id; None before the first subscription."""
        return self._core.state.framework_id

    @property
    def is_subscribed(self) -> bool:
        """Whether a master listens right now."""
        return self._core.state.standing == "subscribed"

    def holds(self, offer: Offer) -> bool:
        """Whether an offer still stands, as far as is known here."""
        return offer.id in self._core.state.held and offer.id not in self._spent

    def fresh_id(self) -> str:
        """A uuid, for naming tasks."""
        return self._ids.uuid()

    async def subscribed(self) -> str:
        """The framework's id, once a master listens. Raises `FrameworkEnded`."""
        await self._until(lambda: self.is_subscribed)
        assert self.id is not None
        return self.id

    async def ended(self) -> None:
        """Never returns, but raises `FrameworkEnded` once it is over."""
        await self._until(lambda: False)

    def offers(self) -> Offers:
        """Offers as they come, each once, and only while they stand.

        Asking for the next one raises `FrameworkEnded` when it is over.
        """
        return Offers(self)

    async def next_offer(self) -> Offer:
        """The next offer that stands. Raises `FrameworkEnded`."""
        while True:
            await self._until(lambda: bool(self._offers))
            offer = self._offers.popleft()
            if self.holds(offer):
                return offer

    async def caught_up(self) -> None:
        """Return once the updates that have come so far were shown. Raises `FrameworkEnded`."""
        come = self._come
        await self._until(lambda: self._shown >= come)

    # What is asked ------------------------------------------------------------------------------

    async def launch(
        self,
        offer: Offer,
        command: str,
        *,
        cpus: float = 0.1,
        mem_mb: float = 32.0,
        name: str | None = None,
        task_id: str | None = None,
    ) -> Task:
        """Launch a shell command with part of an offer; the rest goes back at once.

        Raises `OfferGone`, and `ValueError` if the offer has less than that.
        """
        task_id = task_id or f"{self.name}-{self.fresh_id()}"
        amounts = {"cpus": cpus, "mem": mem_mb}
        for resource, wanted in amounts.items():
            if wanted > amount(offer, resource) + 1e-9:
                raise ValueError(
                    f"{wanted} {resource} wanted, {amount(offer, resource)} offered by {offer.id}"
                )
        info = TaskInfo(
            name=name or self.name,
            task_id=task_id,
            agent_id=offer.agent_id,
            resources=tuple(scalar(resource, wanted) for resource, wanted in amounts.items()),
            command=CommandInfo(value=command),
        )
        return (await self.accept(offer, [info]))[0]

    async def accept(
        self, offer: Offer, tasks: Sequence[TaskInfo], *, refuse_s: float = 0.0
    ) -> list[Task]:
        """Launch tasks with an offer. What they leave of it is not offered for `refuse_s`.

        Raises `OfferGone`.
        """
        if not self.holds(offer):
            raise OfferGone(f"offer {offer.id} does not stand any more")
        launched = [Task(info) for info in tasks]
        self.tasks.update({task.id: task for task in launched})
        operation = Operation(type="LAUNCH", launch=Launch(task_infos=tuple(tasks)))
        accept = wire.Accept(
            offer_ids=(offer.id,),
            operations=(operation,),
            filters=Filters(refuse_seconds=refuse_s),
        )
        self._spent.add(offer.id)
        await self.call(wire.Call(type="ACCEPT", accept=accept))
        return launched

    async def decline(self, *offers: Offer, refuse_s: float = 5.0) -> None:
        """Give offers back, and be spared the same resources for `refuse_s`."""
        standing = tuple(offer.id for offer in offers if self.holds(offer))
        if standing:
            filters = Filters(refuse_seconds=refuse_s)
            part = wire.Decline(offer_ids=standing, filters=filters)
            self._spent.update(standing)
            await self.call(wire.Call(type="DECLINE", decline=part))

    async def revive(self, *roles: str) -> None:
        """Ask for offers again, in these roles or all; filters are forgotten."""
        await self.call(wire.Call(type="REVIVE", revive=wire.Revive(roles=roles)))

    async def suppress(self, *roles: str) -> None:
        """Ask for no more offers, in these roles or all."""
        await self.call(wire.Call(type="SUPPRESS", suppress=wire.Suppress(roles=roles)))

    async def kill(self, task: Task | str) -> None:
        """Have a task killed. Its end is an update like any other."""
        task_id = task if isinstance(task, str) else task.id
        agent_id = self._core.state.tasks.get(task_id)
        part = wire.Kill(task_id=task_id, agent_id=agent_id)
        await self.call(wire.Call(type="KILL", kill=part))

    async def call(self, call: wire.Call) -> None:
        """Make any call of the v1 API; its framework id is filled in. At most once."""
        assert self.shell is not None
        await self.shell.owner.post(Asked(call))

    # What is heard ------------------------------------------------------------------------------

    def hear(self, effect: Effect) -> None:
        """What the core has for the user's code."""
        match effect:
            case Deliver(event):
                self._hear_event(event)
            case NotSent(why, call):
                _log.warning("a call was not made: %s", why)
                self._drop_launches(why, call)
            case Stop(error):
                self._end(error)
            case _:
                pass
        self._wake()

    def _hear_event(self, event: wire.Event) -> None:
        if event.offers is not None:
            held = self._core.state.held
            self._spent &= held.keys()
            if len(self._offers) > 2 * len(held) + 100:
                self._offers = deque(offer for offer in self._offers if self.holds(offer))
            self._offers.extend(event.offers.offers)
        elif event.update is not None:
            self._take(event.update.status)

    def _drop_launches(self, why: str, call: wire.Call | None) -> None:
        """An ACCEPT that never left: its tasks are dropped here, as a master would have done."""
        if call is None or call.accept is None:
            return
        for operation in call.accept.operations:
            for info in operation.launch.task_infos if operation.launch is not None else ():
                status = TaskStatus(
                    task_id=info.task_id,
                    agent_id=info.agent_id,
                    state="TASK_DROPPED",
                    message=why,
                )
                self._take(status)

    def _take(self, status: TaskStatus) -> None:
        self._updates.append(status)
        self._come += 1

    def _end(self, error: str | None) -> None:
        self._error = FrameworkEnded(error or "the framework was torn down")
        for task in self.tasks.values():
            task._end(self._error)

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self._error is not None:
                raise self._error
            await self._news.wait()

    async def handle_updates(self) -> None:
        """Show updates to `on_updates` and the tasks, all that wait at once; then say so."""
        assert self.shell is not None
        while True:
            while not self._updates:
                await self._news.wait()
            batch, self._updates = list(self._updates), deque()
            if self._on_updates is not None:
                await self._on_updates(batch)
            for status in batch:
                task = self.tasks.get(status.task_id)
                if task is not None:
                    task._hear(status)
                    if task.is_over:
                        del self.tasks[task.id]
                if status.uuid is not None and status.agent_id is not None:
                    seen = Seen(status.task_id, status.agent_id, status.uuid)
                    await self.shell.owner.post(seen)
            self._shown += len(batch)
            self._wake()


class Offers:
    """What `Framework.offers` gives: an endless iterator, which may be dropped at any time."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    def __aiter__(self) -> Offers:
        return self

    async def __anext__(self) -> Offer:
        return await self._framework.next_offer()


# Resources ----------------------------------------------------------------------------------------


def scalar(name: str, value: float) -> Resource:
    """An amount of ``cpus``, ``mem`` (MiB), ``disk`` (MiB), …"""
    return Resource(name=name, type="SCALAR", scalar=Scalar(value=value))


def amount(offer: Offer, name: str) -> float:
    """How much of a scalar resource an offer has."""
    return sum(
        resource.scalar.value
        for resource in offer.resources
        if resource.name == name and resource.scalar is not None
    )
