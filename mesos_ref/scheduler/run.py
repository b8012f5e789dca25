"""Running items: a framework that finishes wanted work, whatever fails over meanwhile.

Before a launch leaves, its attempts are in the journal; before an update is acknowledged, what it
says is. So a runner that is killed and started again goes on where it was: with its framework id,
with the attempts under way (which it asks the master about), and with what is done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

from mesos_ref.ports.disk import Disk, RealDisk
from mesos_ref.scheduler.connecting import connect
from mesos_ref.scheduler.items import Attempt, Item, Items, Progress, ended_of
from mesos_ref.scheduler.journal import Journal, open_journal
from mesos_ref.scheduler.library import Framework, FrameworkEnded, OfferGone, amount, scalar
from mesos_ref.wire.v1 import CommandInfo, Offer, TaskInfo, TaskStatus

#: An offer that nothing fits into is not wanted again for so long.
TOO_SMALL_S = 5.0
#: An offer, or what is left of one, while no more may be launched.
NOT_HUNGRY_S = 3_600.0
#: Room for tasks, and none that comes, until offers that were refused for long are asked for.
STARVED_S = 1.0
#: Tasks launched with one offer at most.
TASKS_PER_OFFER = 500

OnProgress = Callable[[Progress], None]
OnStatuses = Callable[[str, Sequence[TaskStatus]], None]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the items."""

    progress: Progress
    #: Names of items that failed too often by their own fault, and of those not settled in time.
    given_up: tuple[str, ...]
    unsettled: tuple[str, ...]
    #: Items that more than one attempt has finished: allowed, and worth knowing.
    twice: tuple[str, ...]
    framework_id: str | None

    @property
    def is_complete(self) -> bool:
        """Whether every wanted item is done."""
        return self.progress.done == self.progress.wanted


async def run_items(
    master: str,
    items: Sequence[Item],
    *,
    name: str,
    journal: Path | None = None,
    timeout_s: float = float("inf"),
    patience: trio.CancelScope | None = None,
    max_failures: int = 10,
    max_running: int | None = None,
    on_progress: OnProgress | None = None,
    on_statuses: OnStatuses | None = None,
    disk: Disk | None = None,
    **options: Any,
) -> Verdict:
    """Finish `items` at `master`, and tear the framework down.

    * `journal` is the file to go on from, if the work may outlive this process.
    * After `timeout_s`, or when `patience` is cancelled, it ends as it is, the rest unsettled.
    * At most `max_running` items are run at once.
    * `on_progress` hears each change, `on_statuses` the framework's id and each batch of updates.
    * `options` go to `connect`.

    Raises `FrameworkEnded` if the master ends the framework, `JournalError` for a journal of other
    work, `OSError`.
    """
    book = await open_journal(disk or RealDisk(), journal, items, max_failures)
    runner = _Runner(book, name, on_progress, on_statuses, max_running)
    try:
        async with _running(master, runner, options):
            if not book.items.is_settled:
                with trio.move_on_after(timeout_s), patience or trio.CancelScope():
                    await runner.settled.wait()
        return _verdict(book.items)
    finally:
        with trio.CancelScope(shield=True):
            await book.aclose()


def _verdict(items: Items) -> Verdict:
    unsettled = items.wanted.keys() - items.done - items.given_up
    return Verdict(
        progress=items.progress(),
        given_up=tuple(sorted(items.given_up)),
        unsettled=tuple(sorted(unsettled)),
        twice=tuple(sorted(items.twice)),
        framework_id=items.kept.get("framework_id"),
    )


@asynccontextmanager
async def _running(master: str, runner: _Runner, options: dict[str, Any]) -> AsyncIterator[None]:
    """A runner at work."""
    async with connect(
        master,
        name=runner.name,
        recovered=runner.journal.items.recovered(),
        keep=runner.journal.keep,
        on_updates=runner.hear,
        **options,
    ) as framework:
        runner.framework = framework
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runner.until_ended, runner.use_offers)
            nursery.start_soon(runner.until_ended, runner.watch_appetite)
            yield
            nursery.cancel_scope.cancel()
        if runner.error is not None:
            raise runner.error


class _Runner:
    """Uses offers for the items that wait, and hears what became of their attempts."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        on_progress: OnProgress | None,
        on_statuses: OnStatuses | None,
        max_running: int | None,
    ) -> None:
        self.settled = trio.Event()
        self.framework: Framework | None = None
        self.journal = journal
        self.name = name
        self._items = journal.items
        self._on_progress = on_progress
        self._on_statuses = on_statuses
        self._max_running = max_running
        self._news = trio.Event()
        #: Whether the master was told last that offers are wanted, and has no long filter of ours.
        self._is_hungry = True
        #: Why it can't go on, if so.
        self.error: FrameworkEnded | None = None

    async def hear(self, statuses: Sequence[TaskStatus]) -> None:
        """Journal the ends of attempts; kill what has become needless."""
        assert self.framework is not None
        if self._on_statuses is not None:
            self._on_statuses(self.framework.id or "", statuses)
        news = [ended_of(status) for status in statuses if self._items.is_news(status)]
        if not news:
            return
        await self.journal.append(news)
        for ended in news:
            if ended.state == "TASK_FINISHED":
                for task in self._items.rivals(ended.task):
                    await self.framework.kill(task)
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._items.progress())
        if self._items.is_settled:
            self.settled.set()
        self._news.set()
        self._news = trio.Event()

    async def until_ended(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work as long as there is a framework."""
        try:
            await work()
        except FrameworkEnded as error:
            self.error = error
            self.settled.set()

    async def use_offers(self) -> None:
        """Launch what fits into each offer, as long as there are offers."""
        assert self.framework is not None
        async for offer in self.framework.offers():
            if self._items.waiting and not self._wants_offers:
                await self.framework.caught_up()  # what ended makes room, and this offer
            chosen = self._choose(offer)
            with suppress(OfferGone):
                if chosen:
                    await self._launch(offer, chosen)
                elif self._wants_offers:
                    await self.framework.decline(offer, refuse_s=TOO_SMALL_S)
                else:
                    self._is_hungry = False
                    await self.framework.decline(offer, refuse_s=NOT_HUNGRY_S)

    @property
    def _room(self) -> int:
        """How many more tasks may be launched now."""
        if self._max_running is None:
            return TASKS_PER_OFFER
        return min(self._max_running - len(self._items.live), TASKS_PER_OFFER)

    @property
    def _wants_offers(self) -> bool:
        return bool(self._items.waiting) and self._room > 0

    def _choose(self, offer: Offer) -> list[Item]:
        """Items that wait, oldest first, as many as fit and there is room for."""
        cpus, mem_mb = _milli(amount(offer, "cpus")), _milli(amount(offer, "mem"))
        room = self._room
        chosen: list[Item] = []
        for name in self._items.waiting:
            if len(chosen) >= room:
                break
            item = self._items.wanted[name]
            needs_cpus, needs_mem = _milli(item.cpus), _milli(item.mem_mb)
            if needs_cpus <= cpus and needs_mem <= mem_mb:
                cpus, mem_mb = cpus - needs_cpus, mem_mb - needs_mem
                chosen.append(item)
            elif cpus < 1 or mem_mb < 1:
                break
        return chosen

    async def _launch(self, offer: Offer, chosen: Sequence[Item]) -> None:
        """Journal the attempts, then launch them."""
        assert self.framework is not None
        tasks = [self._task(item, offer) for item in chosen]
        attempts = [
            Attempt(item.name, task.task_id, offer.agent_id) for item, task in zip(chosen, tasks)
        ]
        await self.journal.append(attempts)
        try:
            refuse_s = 0.0
            if not self._wants_offers:
                self._is_hungry, refuse_s = False, NOT_HUNGRY_S
            await self.framework.accept(offer, tasks, refuse_s=refuse_s)
        except OfferGone:
            gone = (TaskStatus(task_id=task.task_id, state="TASK_DROPPED") for task in tasks)
            await self.journal.append([ended_of(status) for status in gone])
            raise
        finally:
            self._tell()

    def _task(self, item: Item, offer: Offer) -> TaskInfo:
        assert self.framework is not None
        return TaskInfo(
            name=item.name,
            task_id=f"{item.name}.{self.framework.fresh_id()}",
            agent_id=offer.agent_id,
            resources=(scalar("cpus", item.cpus), scalar("mem", item.mem_mb)),
            command=CommandInfo(value=item.command),
        )

    async def watch_appetite(self) -> None:
        """Offers are suppressed while nothing waits, and asked for if they are wanted and missed.

        What our own tasks give back is offered as a rule, being more than what was refused. So what
        was refused for long is asked for, which brings an offer of every agent, only if there was
        room for a while.
        """
        assert self.framework is not None
        is_suppressed = False
        while True:
            await self.framework.subscribed()
            if not self._items.waiting:
                if not is_suppressed:
                    self._is_hungry, is_suppressed = False, True
                    await self.framework.suppress()
                await self._news.wait()
            elif is_suppressed or await self._is_starved():
                self._is_hungry, is_suppressed = True, False
                await self.framework.revive()
            elif self._is_hungry or not self._wants_offers:
                await self._news.wait()

    async def _is_starved(self) -> bool:
        """Whether offers are wanted for so long, and some that may be of use were refused."""
        with trio.move_on_after(STARVED_S):
            while self._wants_offers and not self._is_hungry:
                await self._news.wait()
        return self._wants_offers and not self._is_hungry


def _milli(value: float) -> int:
    """Mesos' arithmetic: three decimals count."""
    return round(value * 1000)
